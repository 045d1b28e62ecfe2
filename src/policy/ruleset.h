/* SPDX-License-Identifier: Apache-2.0 */
/* policy/ruleset.h - many rules, immutable once built; look-up cost does not grow with their number */
#pragma once
#include "base/err.h"
#include "policy/rule.h"

struct ruleset;

/** struct rule_origin - where a rule was written; file is owned by the ruleset */
struct rule_origin {
	const char *file;
	unsigned line;
};

/**
 * ruleset_load() - read a whole policy text
 * @text:	lines of `allow|deny|telemetry ...` or bare rules, blank lines, comments. Other words
 *		(preset, env, mount ...) are errors here: config/ has taken them out before
 * @file:	name for origins and messages. A comment line of the exact form
 *		`#line N "FILE"` says that the next line is line N of FILE (as in C)
 * @out:	written on success; free with ruleset_free()
 *
 * One bad line makes the whole text bad: nothing is loaded. @err then reads "FILE:LINE:COLUMN: reason".
 *
 * Return: 0, -EINVAL (bad line) or -ENOMEM.
 */
int ruleset_load(struct span text, const char *file, struct ruleset **out, struct err *err);
void ruleset_free(struct ruleset *set);

/** ruleset_count() - how many rules of @action */
size_t ruleset_count(const struct ruleset *set, enum rule_action action);
