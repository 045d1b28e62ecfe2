/* SPDX-License-Identifier: Apache-2.0 */
/* engine/guard.h - what of a project runs on this machine later stays as the user left it, during a
 * session and after it */
/*
 * What appears in a protected place is moved away (jail/protect.h). What is replaced from outside
 * loses its mount: a native session gets it again (jail/renew.h), a container cannot. In both
 * .git/config is read after that (jail/gitconfig.h).
 */
#pragma once
#include "engine/agreed.h"
#include "engine/engine.h"
#include "jail/gitconfig.h"
#include "jail/protect.h"
#include "jail/renew.h"

/**
 * struct guard - of one session; not to be copied or moved once it has begun. Start from GUARD_NONE
 * @fd:		wakes when a look is due, or -1
 * @init_pidfd:	pid 1 of the jail, in which mounts can be renewed; -1 for a container
 * @is_replaced: something was, from outside: the command may have written in it
 */
struct guard {
	char project[PATH_MAX], state_dir[PATH_MAX]; /* project "": nothing to guard */
	struct protect protect;
	struct agreed agreed;
	struct renew renew;
	struct gitconfig gitconfigs[2]; /* the project's, and of a worktree the common one */
	struct engine_watch watch;
	int fd, init_pidfd;
	bool is_replaced;
	unsigned n_put_back;
};
#define GUARD_NONE                                                                                 \
	{                                                                                          \
		.fd = -1, .init_pidfd = -1                                                         \
	}

/** guard_begin() - look, before the agent starts, and write down what gc will need; nothing in mode
 * dood */
int guard_begin(struct guard *guard, const struct engine_request *request, struct err *err);

/** guard_mounts() - of a native session: the mounts of @plan are renewed from now on. @init_pidfd
 * is borrowed */
int guard_mounts(struct guard *guard, const struct plan *plan, uid_t agent_uid, gid_t agent_gid,
		 int init_pidfd, struct err *err);

/** guard_watch() - the descriptor to watch for reading while the agent runs; -1 for none. It stays
 * the guard's */
int guard_watch(struct guard *guard, const struct engine_watch *watch);

/**
 * guard_ready() - after the descriptor woke
 *
 * Return: false when the agent must be stopped at once, since it could write what runs on this
 * machine; that was said.
 */
bool guard_ready(struct guard *guard);

/** guard_unwatch() - a few milliseconds before guard_end(), which closing the descriptor would cost
 * else */
void guard_unwatch(struct guard *guard);

/** guard_end() - the last look, when no process of the session is left */
void guard_end(struct guard *guard, const struct engine_watch *watch);

/** guard_forget() - no agent ran: nothing is left for gc to look at */
void guard_forget(const struct guard *guard);

/** guard_drop() - give everything back, after guard_end() or guard_forget() */
void guard_drop(struct guard *guard);
