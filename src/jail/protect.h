/* SPDX-License-Identifier: Apache-2.0 */
/* jail/protect.h - protected entries that did not exist before a session, and do after it */
#pragma once
#include "base/err.h"
#include "jail/plan.h"

enum { PROTECT_MAX_ENTRIES = 32 };

/** struct protect - which entries of plan_protected were missing when the session began */
struct protect {
	const char *project; /* borrowed; NULL for none */
	unsigned char was_missing[PROTECT_MAX_ENTRIES];
};

/** protect_begin() - look, before the agent starts */
void protect_begin(const char *project, struct protect *out);

typedef void protect_moved(const char *entry, const char *to, void *arg);

/**
 * protect_end() - move entries that appeared into @session_dir/moved/, and report each
 *
 * Such an entry would run on the host (git hooks, editor tasks, agent settings), so it does not stay in the project.
 * Return: how many were moved; a negative errno value when one could not be, @err naming it.
 */
int protect_end(const struct protect *p, const char *session_dir, protect_moved *moved, void *arg,
		struct err *err);
