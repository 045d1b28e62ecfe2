/* SPDX-License-Identifier: Apache-2.0 */
/* jail/join.h - one more command in a jail that runs, with the rights of its agent */
/*
 * The supervisor writes down what a joiner needs (file `join` of the runtime folder, 0600, which the jail does not see).
 * The joiner enters every namespace of pid 1, its cgroup and its limits, becomes the same ids, and then goes the agent's
 * way: agent_exec() of jail/agent.h. When pid 1 ends, the kernel ends what joined as well.
 */
#pragma once
#include "base/err.h"
#include "base/span.h"
#include "jail/start.h"

enum { JOIN_MAX_WRITABLE = 250, JOIN_MAX_ENV = 1024, JOIN_MAX_BYTES = 1 << 20 };

/**
 * struct join - as read; start from {0}, join_drop() it
 * @init_start:	when pid 1 began, so that another process of its number is not taken for it
 * @writable:	paths inside that Landlock lets the agent write
 * @envp:	the agent's environment, NULL-terminated
 */
struct join {
	pid_t init_pid;
	uint64_t init_start;
	uid_t uid;
	gid_t gid;
	char *cwd;
	char *writable[JOIN_MAX_WRITABLE];
	size_t n_writable;
	char *envp[JOIN_MAX_ENV + 1];
	size_t n_env;
	struct cgroup cgroup;
	char *text; /* what the pointers lead into */
};

/** join_write() - the file for a jail that was just started; 0 or a negative errno value */
int join_write(const char *path, const struct jail *jail, const struct jail_settings *settings,
	       const struct plan *plan, struct err *err);

/** join_read() - 0; -ENOENT when there is none; or another negative errno value */
int join_read(const char *path, struct join *out, struct err *err);
void join_drop(struct join *join);

/**
 * struct join_command - what to run; borrowed
 * @envp:	complete
 * @cwd:	inside
 */
struct join_command {
	char *const *argv;
	char *const *envp;
	const char *cwd;
	bool wants_pty;
};

/**
 * join_start() - run a command in the jail
 * @out:	as from jail_start(): init_pid is the command itself here
 *
 * Return: 0; -ESRCH when the session is over; or another negative errno value, and nothing runs then.
 */
int join_start(const struct join *join, const struct join_command *command, struct jail *out, struct err *err);
