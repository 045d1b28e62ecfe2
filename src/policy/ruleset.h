/* SPDX-License-Identifier: Apache-2.0 */
/* policy/ruleset.h - many rules, immutable once built; look-up cost does not grow with their number */
#pragma once
#include "base/err.h"
#include "policy/proxy.h"
#include "policy/rule.h"

struct ruleset;

/** struct rule_origin - where a rule was written; file is owned by the ruleset */
struct rule_origin {
	const char *file;
	unsigned line;
};

/**
 * ruleset_load() - read a whole policy text
 * @text:	lines of `allow|deny|telemetry ...` or bare rules, `budget ...`, `upstream-proxy ...`, blank lines,
 *		comments. Other words
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

/**
 * ruleset_budget() - what `budget` lines allow the whole session: of each limit the smallest that was written, since
 * whoever adds a line may only tighten. All 0 without such a line
 */
const struct rule_budget *ruleset_budget(const struct ruleset *set);

/** ruleset_proxy() - the upstream proxy, from `upstream-proxy` lines; is_set is false when there is none */
const struct proxy *ruleset_proxy(const struct ruleset *set);

/** ruleset_count() - how many rules of @action */
size_t ruleset_count(const struct ruleset *set, enum rule_action action);

/**
 * struct rule_match - one rule that names what was asked for
 * @distance:	0 for an exact name or an address prefix, else how many labels the wildcard spans
 * @id:		a number of the rule, from 1. A rule with a budget has the same one in every set that holds it, so
 *		that what was spent stays spent when rules are loaded anew
 */
struct rule_match {
	enum rule_action action;
	const struct port_range *ports;
	size_t n_ports;
	uint32_t options;
	const struct rule_budget *budget;
	struct rule_origin origin;
	unsigned distance;
	uint64_t id;
};

typedef void rule_seen(const struct rule_match *match, void *arg);

/** ruleset_each_name() - calls @seen for every rule on @name or a wildcard above it, nearest first */
void ruleset_each_name(const struct ruleset *set, const struct name *name, rule_seen *seen, void *arg);

/** ruleset_each_addr() - calls @seen for every address rule that covers @a */
void ruleset_each_addr(const struct ruleset *set, const struct addr *a, rule_seen *seen, void *arg);
