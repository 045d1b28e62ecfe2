/* SPDX-License-Identifier: Apache-2.0 */
/* jail/renew.h - keeps protected entries read-only when the host puts other files in their places */
/*
 * A mount hangs on the file it covers. When a program of the host replaces that file - `git config` writes a new one
 * and renames it over the old - the kernel takes the mount away, in every namespace, and the new file lies open to the
 * agent through the writable folder around it. So whoever supervises the session mounts anew as soon as it sees that.
 */
#pragma once
#include "base/err.h"
#include "jail/plan.h"

#include <sys/types.h>

struct renew_path;

/**
 * struct renew - the places of a plan's STEP_PIN and STEP_PROTECT, in their order; start from {0}
 * @fs_uid, @fs_gid: whom files are opened as, as the jail counts ids
 */
struct renew {
	struct renew_path *paths;
	size_t n;
	uid_t fs_uid;
	gid_t fs_gid;
};

/** renew_keep() - remember the places; 0 or -ENOMEM */
int renew_keep(const struct plan *plan, uid_t fs_uid, gid_t fs_gid, struct renew *out, struct err *err);
void renew_drop(struct renew *renew);

/** renew_watch() - have @inotify_fd wake when something appears in a folder that holds such a place */
void renew_watch(const struct renew *renew, int inotify_fd);

/**
 * renew_mounts() - mount again over every place whose mount is gone and that exists
 * @init_pidfd:	pid 1 of the jail
 * @out_path:	the last one that was mounted again; borrowed from @renew
 *
 * A child does it: it enters the jail's user and mount namespace, where nothing inside can see or trace it.
 *
 * Return: how many were mounted again; or a negative errno value when one could not be: it is open to the agent then.
 */
int renew_mounts(const struct renew *renew, int init_pidfd, const char **out_path, struct err *err);
