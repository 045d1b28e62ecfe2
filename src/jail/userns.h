/* SPDX-License-Identifier: Apache-2.0 */
/* jail/userns.h - user namespaces: id maps, namespaces for idmapped mounts, what forbids them */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/** userns_map_self() - in a new user namespace: @uid and @gid keep their numbers, setgroups is denied */
int userns_map_self(uid_t uid, gid_t gid, struct err *err);

/**
 * userns_for_idmap() - a user namespace for idmapped mounts: files of @owner show as @agent's, and back
 *
 * As root of the initial user namespace. *out_fd is the caller's.
 */
int userns_for_idmap(uid_t owner_uid, gid_t owner_gid, uid_t agent_uid, gid_t agent_gid, int *out_fd,
		     struct err *err);

/** userns_is_initial() - is this process in the initial user namespace? */
bool userns_is_initial(void);

/** userns_explain() - turn a failed clone into words: which sysctl, profile or container forbids it, and the fix */
int userns_explain(int errnum, struct err *err);
