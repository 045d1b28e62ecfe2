/* SPDX-License-Identifier: Apache-2.0 */
/* jail/start.h - clones, runs the plan, hands back what the supervisor needs */
#pragma once
#include "base/err.h"
#include "jail/cgroup.h"
#include "jail/plan.h"
#include "jail/settings.h"

/**
 * struct jail - a running native session
 * @init_pid, @init_pidfd: pid 1 of the jail. When it ends every process inside has ended; its exit status
 *		is the agent's (128+N after signal N)
 * @pty_fd:	master of the agent's terminal, or -1
 * @exec_errno:	0, or why the agent itself could not be executed (ENOENT: 127, else 126)
 * @is_joined:	it is a command in somebody else's jail (jail/join.h): signals go to its process group
 * @layers:	one line for the banner: "userns netns pidns ... seccomp landlock:7 cgroup(...)"
 */
struct jail {
	pid_t init_pid;
	int init_pidfd;
	int pty_fd;
	int exec_errno;
	bool is_joined;
	char layers[256];
	struct cgroup cgroup; /* removed by jail_wait() and jail_kill() */
};

/**
 * jail_start() - build the jail and start the agent in it
 * @egress_fd:	SOCK_SEQPACKET whose other end the egress worker holds: takes LISTENERS, gives READY
 *		(egress/wire/messages.h); -1 with JAIL_NET_NONE. Not consumed
 *
 * Returns once the agent was executed (close-on-exec pipe) or a step failed; then nothing is left running,
 * and @err names the step, the reason and the fix.
 */
int jail_start(const struct jail_settings *settings, const struct plan *plan, int egress_fd,
	       struct jail *out, struct err *err);

/** jail_signal() - pass SIGINT, SIGTERM, SIGHUP or SIGQUIT on to the agent's process group */
int jail_signal(const struct jail *jail, int signal);

/** jail_kill() - SIGKILL pid 1, and so everything; waits for it. Leaves out->* descriptors closed */
void jail_kill(struct jail *jail);

/** jail_wait() - reap pid 1 after its pidfd became readable; the exit code 0..255 */
int jail_wait(struct jail *jail);
