/* SPDX-License-Identifier: Apache-2.0 */
/* jail/cgroup.h - limits on the whole session, by whichever means this user has */
#pragma once
#include "base/err.h"
#include "jail/settings.h"

#include <stdbool.h>

enum { CGROUP_MAX_FOLDERS = 3, CGROUP_PATH_BYTES = 300 };

/**
 * struct cgroup - folders made for one session; n_folders 0 when only rlimits hold
 * @has_tasks:	v1: cgroup_enter() is possible
 * @text:	for the banner: "cgroup(v1: 8G, 4096 pids)" or "cgroup:off (not delegated; rlimits)"
 */
struct cgroup {
	char folders[CGROUP_MAX_FOLDERS][CGROUP_PATH_BYTES];
	int n_folders;
	bool has_tasks;
	char text[96];
};

/**
 * cgroup_make() - a cgroup for the session: delegated v2 beside our own, else v1 as root, else none
 *
 * Optional layer: never fails. What holds is in out->text. Source: cgroups(7).
 */
void cgroup_make(const struct jail_settings *settings, struct cgroup *out);

/** cgroup_add() - put @pid, and so its children, into it */
int cgroup_add(const struct cgroup *cgroup, pid_t pid, struct err *err);

/**
 * cgroup_enter() - put the calling process into it, when @cgroup->has_tasks; it must have one thread only
 *
 * Moving another process waits for the kernel's readers of thread groups, 4 to 16 ms; a thread that moves itself does
 * not (cgroup_procs_write_start() in kernel/cgroup/cgroup.c).
 */
int cgroup_enter(const struct cgroup *cgroup, struct err *err);

/** cgroup_remove() - remove the folders once every process in them has ended */
void cgroup_remove(struct cgroup *cgroup);

/** cgroup_rlimits() - limits for the calling process and its children, where no cgroup could be had */
int cgroup_rlimits(const struct jail_settings *settings, const struct cgroup *cgroup, struct err *err);

typedef void cgroup_left(const char *folder, void *arg);

/**
 * cgroup_sweep() - remove the cgroups of sessions that were killed, where this user's sessions get theirs
 * @is_dry:	only say which
 *
 * One that holds a process, or is younger than a start takes, stays.
 */
void cgroup_sweep(bool is_dry, cgroup_left *seen, void *arg);
