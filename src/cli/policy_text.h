/* SPDX-License-Identifier: Apache-2.0 */
/* cli/policy_text.h - walks a policy text, rule by rule, with where each was written */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "policy/rule.h"

/**
 * struct policy_line - one line of a policy (policy/ruleset.h); spans point into the text
 * @text:	the line: a canonical rule, or a `budget` line
 * @file, @line: where it was written
 * @is_rule:	false for a `budget` line; @rule is set otherwise
 */
struct policy_line {
	struct span text, file;
	unsigned line;
	bool is_rule;
	struct rule rule;
};

typedef void policy_line_seen(const struct policy_line *line, void *arg);

/** policy_text_each() - calls @seen for every rule and budget; comments, and what is neither, are passed over */
void policy_text_each(struct span text, policy_line_seen *seen, void *arg);

/**
 * policy_text_read() - the policy of a session, as it is in force
 * @state_root:	struct session_roots.state
 * @out:	appended to
 */
int policy_text_read(const char *state_root, const char *id, struct buf *out, struct err *err);
