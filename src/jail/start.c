/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs what:
 *   supervisor   prepares cgroup and, as real root, detached copies of the host's trees; clones; waits
 *   middle       only as real root: becomes the agent's unprivileged uid first, so that the user namespace is made
 *                by nobody of importance; clones pid 1 as the supervisor's child and ends
 *   pid 1        maps ids, sets up network, hands out the listeners, builds the root, forks the agent
 *   agent        gives up every right, executes
 * What happens is told in struct reports up a pipe that closes on exec: BUILT, then end of file, means that the agent
 * runs; end of file without BUILT, that pid 1 was killed before.
 */
#include "jail/start.h"
#include "base/own.h"
#include "confine/landlock.h"
#include "confine/privs.h"
#include "egress/wire/chan.h"
#include "jail/agent.h"
#include "jail/cgroup.h"
#include "jail/init.h"
#include "jail/mounts.h"
#include "jail/netns.h"
#include "jail/report.h"
#include "jail/terminal.h"
#include "jail/userns.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct launch {
	const struct jail_settings *settings;
	const struct plan *plan;
	int *trees;
	bool is_split; /* real root: trees are taken already, and the middle process is needed */
	int egress_fd;
	int report_wr;
	int go_rd, go_wr; /* pid 1 waits for a byte, and first gives up its own copy of the writing end */
	int pty_wr; /* where the terminal's master goes, or -1 */
	struct cgroup cgroup;
};

enum { JAIL_FLAGS = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
		    CLONE_NEWUTS | CLONE_NEWCGROUP };

static struct chan egress_chan(const struct launch *l)
{
	return (struct chan){.fd = l->egress_fd, .peer = FROM_WORKER, .state = IN_START,
			     .first = WIRE_LISTENERS, .last = WIRE_READY};
}

/* The listeners go out; no copy of them stays in the jail. */
static int hand_out_listeners(const struct launch *l, struct err *err)
{
	struct chan ch = egress_chan(l);
	struct wire_listeners names;
	int fds[WIRE_MAX_LISTENERS];

	int rc = netns_listen(fds, &names, err);
	if (rc < 0)
		return rc;
	rc = chan_send(&ch, WIRE_LISTENERS, &names, fds, names.n, 0);
	for (int i = 0; i < names.n; i++)
		(void)close(fds[i]); /* the egress holds them now */
	return rc < 0 ? err_set(err, -rc, "handing the listening sockets to the egress") : 0;
}

/* Last before the agent starts, so that the egress gets ready while the root is built. */
static int wait_until_ready(const struct launch *l, struct err *err)
{
	struct chan ch = egress_chan(l);
	struct chan_message answer;
	const char *why = "it ended";

	if (l->settings->net == JAIL_NET_NONE)
		return 0;
	enum chan_result got = chan_recv(&ch, 0, &answer, &why);
	if (got == CHAN_MESSAGE && answer.number == WIRE_READY)
		return 0;
	err_set(err, 0, "the egress proxy did not become ready: %s", why);
	return err_fix(err, "its own message stands above");
}

static int set_up_network(const struct launch *l, struct err *err)
{
	if (l->settings->net == JAIL_NET_NONE)
		return netns_set_up_lo(err);
	int rc = netns_set_up(err);
	return rc < 0 ? rc : hand_out_listeners(l, err);
}

static int build(const struct launch *l, struct err *err)
{
	const struct jail_settings *s = l->settings;
	char go;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_set(err, errno, "tying the jail to its supervisor");
	if (read(l->go_rd, &go, 1) != 1)
		_exit(125); /* the supervisor is gone already */
	int rc = userns_map_self(s->agent_uid, s->agent_gid, err);
	if (rc == 0)
		rc = set_up_network(l, err);
	if (rc == 0 && !l->is_split)
		rc = mounts_take(l->plan, l->trees, s->agent_uid, s->agent_gid, err);
	if (rc == 0)
		rc = mounts_build(l->plan, l->trees, err);
	if (rc == 0 && sethostname(s->session_id, strlen(s->session_id)) < 0)
		rc = err_set(err, errno, "naming the jail '%s'", s->session_id);
	if (rc == 0)
		rc = cgroup_rlimits(s, &l->cgroup, err);
	return rc < 0 ? rc : wait_until_ready(l, err);
}

_Noreturn static void run_init(const struct launch *l)
{
	struct err err = {0};
	AUTO(fd) int tty = -1;

	(void)close(l->go_wr); /* else the end of the supervisor would never be heard on go_rd */
	if (setsid() < 0)
		(void)setpgid(0, 0); /* already a leader: as good */
	int rc = build(l, &err);
	int signal_fd = rc == 0 ? init_block_signals() : -1;
	if (rc == 0 && signal_fd < 0)
		rc = err_set(&err, -signal_fd, "listening for signals in the jail");
	if (rc == 0 && l->pty_wr >= 0)
		rc = tty = terminal_make(l->pty_wr, &err);
	if (rc >= 0)
		rc = report_built(l->report_wr, &err);
	if (rc < 0)
		report_give_up(l->report_wr, &err, REPORT_FAILED);
	pid_t agent = fork();
	if (agent == 0) {
		int is_exec = 0;
		(void)agent_exec(l->settings, l->plan, tty, &is_exec, &err); /* returns on failure only */
		report_give_up(l->report_wr, &err, is_exec ? REPORT_NOT_EXECUTED : REPORT_FAILED);
	}
	if (agent < 0) {
		err_set(&err, errno, "starting the command in the jail");
		report_give_up(l->report_wr, &err, REPORT_FAILED);
	}
	int keep = fcntl(signal_fd, F_DUPFD_CLOEXEC, 100);
	if (keep < 0 || dup2(keep, 3) < 0 || privs_close_from(4, &err) < 0)
		report_give_up(l->report_wr, &err, REPORT_FAILED);
	init_run(3, agent);
}

static long clone_as(unsigned long flags)
{
	return syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, 0);
}

/* Becomes the agent's uid, then makes pid 1 as a child of the supervisor and tells its number. */
_Noreturn static void run_middle(const struct launch *l, int number_wr)
{
	const struct jail_settings *s = l->settings;
	struct err err = {0};

	if (l->cgroup.has_tasks && cgroup_enter(&l->cgroup, &err) < 0)
		report_give_up(l->report_wr, &err, REPORT_FAILED);
	if (setgroups(0, NULL) < 0 || setresgid(s->agent_gid, s->agent_gid, s->agent_gid) < 0 ||
	    setresuid(s->agent_uid, s->agent_uid, s->agent_uid) < 0) {
		err_set(&err, errno, "becoming uid %u", s->agent_uid);
		report_give_up(l->report_wr, &err, REPORT_FAILED);
	}
	/* Else /proc/self belongs to root and the id map could not be written. */
	if (prctl(PR_SET_DUMPABLE, 1) < 0) {
		err_set(&err, errno, "keeping /proc/self after the change of uid");
		report_give_up(l->report_wr, &err, REPORT_FAILED);
	}
	long pid = clone_as((unsigned long)JAIL_FLAGS | CLONE_PARENT);
	if (pid == 0) {
		(void)close(number_wr); /* else the end of the middle process would not be heard */
		run_init(l);
	}
	if (pid < 0) {
		userns_explain(errno, &err);
		report_give_up(l->report_wr, &err, REPORT_FAILED);
	}
	pid_t number = (pid_t)pid;
	_exit(write(number_wr, &number, sizeof(number)) != (ssize_t)sizeof(number));
}

static int clone_split(const struct launch *l, pid_t *out_pid, struct err *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, errno, "starting the jail");
	AUTO(fd) int rd = ends[0];
	AUTO(fd) int wr = ends[1];
	pid_t middle = fork();
	if (middle == 0)
		run_middle(l, wr);
	if (middle < 0)
		return err_set(err, errno, "starting the jail");
	fd_drop(&wr);
	pid_t pid;
	bool is_read = read(rd, &pid, sizeof(pid)) == (ssize_t)sizeof(pid);
	(void)waitpid(middle, NULL, 0); /* it has written its report, or the number */
	*out_pid = is_read ? pid : -1;
	return 0;
}

static int clone_init(const struct launch *l, pid_t *out_pid, struct err *err)
{
	if (l->is_split)
		return clone_split(l, out_pid, err);
	long pid = clone_as(JAIL_FLAGS);
	if (pid == 0)
		run_init(l);
	if (pid < 0)
		return userns_explain(errno, err);
	*out_pid = (pid_t)pid;
	return 0;
}

static void name_layers(const struct launch *l, struct jail *out)
{
	int abi = landlock_abi();
	char landlock[48] = "landlock:off (kernel lacks it)";
	if (abi)
		(void)snprintf(landlock, sizeof(landlock), "landlock:%d", abi);
	(void)snprintf(out->layers, sizeof(out->layers),
		       "userns%s netns%s mntns pidns ipcns utsns no_new_privs caps:0 seccomp %s %s",
		       l->settings->as_root ? "(as root)" : "",
		       l->settings->net == JAIL_NET_NONE ? "(no egress)" : " nft", landlock, l->cgroup.text);
}

static int start(struct launch *l, int report_rd, int *report_wr, int *go_wr, int pty_rd, struct jail *out,
		 struct err *err)
{
	const struct jail_settings *s = l->settings;
	int rc = l->is_split ? mounts_take(l->plan, l->trees, s->agent_uid, s->agent_gid, err) : 0;
	if (rc == 0)
		rc = clone_init(l, &out->init_pid, err);
	fd_drop(report_wr);
	if (rc < 0)
		return rc;
	if (out->init_pid < 0) {
		fd_drop(go_wr); /* pid 1 may be there without a number: it must not wait, or nor would we end */
		rc = report_hear(report_rd, &out->exec_errno, err);
		return rc < 0 ? rc : err_set(err, EPROTO, "starting the jail");
	}
	out->init_pidfd = (int)syscall(SYS_pidfd_open, out->init_pid, 0);
	if (out->init_pidfd < 0)
		rc = err_set(err, errno, "watching the jail");
	if (rc == 0 && !(l->is_split && l->cgroup.has_tasks)) /* else the middle process took pid 1 along */
		rc = cgroup_add(&l->cgroup, out->init_pid, err);
	if (rc == 0 && write(*go_wr, "g", 1) != 1)
		rc = err_set(err, errno, "starting the jail");
	if (rc == 0)
		rc = report_hear(report_rd, &out->exec_errno, err);
	if (rc == 0 && pty_rd >= 0 && !out->exec_errno) {
		out->pty_fd = terminal_receive(pty_rd);
		if (out->pty_fd < 0)
			rc = err_set(err, EPROTO, "receiving the command's terminal");
	}
	return rc;
}

int jail_start(const struct jail_settings *settings, const struct plan *plan, int egress_fd,
	       struct jail *out, struct err *err)
{
	*out = (struct jail){.init_pid = -1, .init_pidfd = -1, .pty_fd = -1};
	int report[2], go[2], pty[2] = {-1, -1};
	if (pipe2(report, O_CLOEXEC) < 0)
		return err_set(err, errno, "starting the jail");
	AUTO(fd) int report_rd = report[0];
	AUTO(fd) int report_wr = report[1];
	if (pipe2(go, O_CLOEXEC) < 0)
		return err_set(err, errno, "starting the jail");
	AUTO(fd) int go_rd = go[0];
	AUTO(fd) int go_wr = go[1];
	if (settings->wants_pty && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pty) < 0)
		return err_set(err, errno, "starting the jail");
	AUTO(fd) int pty_rd = pty[0];
	AUTO(fd) int pty_wr = pty[1];
	AUTO(mem) int *trees = malloc(plan->n_steps * sizeof(*trees));
	if (!trees)
		return err_set(err, ENOMEM, "starting the jail");
	for (size_t i = 0; i < plan->n_steps; i++)
		trees[i] = -1;
	struct launch l = {.settings = settings, .plan = plan, .trees = trees,
			   .is_split = settings->agent_uid != settings->uid, .egress_fd = egress_fd,
			   .report_wr = report_wr, .go_rd = go_rd, .go_wr = go_wr, .pty_wr = pty_wr};
	cgroup_make(settings, &l.cgroup);
	int rc = start(&l, report_rd, &report_wr, &go_wr, pty_rd, out, err);
	for (size_t i = 0; i < plan->n_steps; i++)
		fd_drop(&trees[i]);
	out->cgroup = l.cgroup;
	if (rc < 0)
		jail_kill(out);
	else
		name_layers(&l, out);
	return rc;
}

int jail_signal(const struct jail *jail, int signal)
{
	if (jail->is_joined) /* our child, not reaped yet: the number is its own */
		return kill(-jail->init_pid, signal) < 0 ? -errno : 0;
	return syscall(SYS_pidfd_send_signal, jail->init_pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

static int reap(struct jail *jail)
{
	int status = 0;
	pid_t got;
	do
		got = waitpid(jail->init_pid, &status, 0);
	while (got < 0 && errno == EINTR);
	fd_drop(&jail->init_pidfd);
	fd_drop(&jail->pty_fd);
	jail->init_pid = -1;
	cgroup_remove(&jail->cgroup);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void jail_kill(struct jail *jail)
{
	if (jail->init_pid > 0) {
		(void)kill(jail->init_pid, SIGKILL); /* our child, not reaped yet: the number is its own */
		(void)reap(jail);
	} else {
		cgroup_remove(&jail->cgroup);
	}
}

int jail_wait(struct jail *jail)
{
	return reap(jail);
}
