/* SPDX-License-Identifier: Apache-2.0 */
/* jail/mounts.h - carries out the steps of a plan that mount */
#pragma once
#include "base/err.h"
#include "jail/plan.h"

#include <sys/types.h>

/**
 * mounts_take() - detach a copy of every host tree that the plan shows
 * @trees:	one descriptor a step, -1 for steps that need none; the caller's to close
 * @agent_uid, @agent_gid: whose the files of idmapped steps appear to be. Each tree is mapped from the owner of its own
 *		top, so that root's state and another user's project both work in one session
 *
 * Runs where the host's mounts and the right to copy them are: as root in the supervisor, else inside the new
 * user and mount namespace before the root changes.
 */
int mounts_take(const struct plan *plan, int *trees, uid_t agent_uid, gid_t agent_gid, struct err *err);

/**
 * mounts_build() - build the new root from the trees and change into it; the old root is gone afterwards
 *
 * Runs as pid 1 of the jail, in its own mount namespace. Consumes nothing; closes each tree it mounted.
 */
int mounts_build(const struct plan *plan, int *trees, struct err *err);

/**
 * mounts_renew() - bind @path over itself again, unless a mount is there already; for who has entered a jail that runs
 *
 * Return: 1 when it was mounted, 0 when the mount was there or nothing is at @path, or a negative errno value (-ELOOP for
 * a symbolic link).
 */
int mounts_renew(const char *path, bool is_read_only);
