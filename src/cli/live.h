/* SPDX-License-Identifier: Apache-2.0 */
/* cli/live.h - a running session's egress, as commands reach it: its control socket and the rules it goes by */
#pragma once
#include "base/err.h"
#include "base/span.h"
#include "session/session.h"

#include <stdint.h>

/**
 * live_connect() - the control socket of a session (egress/wire/control.h)
 * @id:		whole
 *
 * Return: a descriptor; -ENOENT when the session is over, -ENOTCONN when it has no egress; or another negative errno
 * value. @err says which, with the fix.
 */
int live_connect(const struct session_roots *roots, const char *id, struct err *err);

/**
 * live_add_rules() - more rules for a running session: its policy file and its egress change together, or neither does
 * @lines:	rules as rule_print() writes them, one a line
 * @out_rules:	how many the session has now; may be NULL
 *
 * The origin that the log shows for them is "session:N", N counting what was added. Allows are refused when the
 * administrator locked the rules (the policy then begins with CONFIG_LOCK_MARK).
 *
 * Return: 0; -EACCES under a lock; -EINVAL with "session:LINE:COLUMN: reason"; or another negative errno value.
 */
int live_add_rules(const struct session_roots *roots, const char *id, struct span lines, uint64_t *out_rules,
		   struct err *err);
