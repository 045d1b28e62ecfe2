/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs what:
 *   caller   opens pid 1 by pidfd, waits
 *   middle   takes the cgroup, enters the namespaces, clones the command as the caller's child and ends. It is not
 *            dumpable, and its number means nothing inside, so the agent can neither trace nor see it
 *   command  in the jail's pid namespace; takes the limits, then goes the agent's way
 */
#include "jail/join.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/own.h"
#include "base/proc.h"
#include "confine/privs.h"
#include "jail/agent.h"
#include "jail/report.h"
#include "jail/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JOIN_FLAGS = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP };

/* --- the file: NUL-terminated "word value" -------------------------------------------------- */

static bool put(struct buf *out, const char *word, const char *value)
{
	return buf_putf(out, "%s %s", word, value) && buf_put(out, "", 1);
}

int join_write(const char *path, const struct jail *jail, const struct jail_settings *settings, const struct plan *plan,
	       struct err *err)
{
	AUTO(buf) struct buf out = {.max = JOIN_MAX_BYTES};
	char numbers[96];
	uint64_t start;

	int rc = proc_start_time(jail->init_pid, &start, err);
	if (rc < 0)
		return rc;
	(void)snprintf(numbers, sizeof(numbers), "%d %" PRIu64 " %u %u", jail->init_pid, start, settings->agent_uid,
		       settings->agent_gid); /* fits */
	bool is_put = put(&out, "init", numbers) && put(&out, "cwd", settings->cwd);
	for (size_t i = 0; is_put && i < plan->n_steps; i++)
		if (plan->steps[i].is_writable)
			is_put = put(&out, "rw", plan->steps[i].inside);
	for (int i = 0; is_put && i < jail->cgroup.n_folders; i++)
		is_put = put(&out, "cgroup", jail->cgroup.folders[i]);
	for (char *const *e = settings->envp; is_put && *e; e++)
		is_put = put(&out, "env", *e);
	if (!is_put)
		return err_set(err, E2BIG, "writing down what 'drydock exec' needs: the environment is too large");
	AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	rc = fd < 0 ? -errno : fs_write_all(fd, out.p, out.n); /* lost with the machine, as the session is: no fsync */
	return rc < 0 ? err_set(err, -rc, "writing '%s'", path) : 0;
}

static bool take_word(struct join *j, char *line)
{
	char *value = strchr(line, ' ');

	if (!value)
		return false;
	*value++ = '\0';
	if (!strcmp(line, "init"))
		return sscanf(value, "%d %" SCNu64 " %u %u", &j->init_pid, &j->init_start, &j->uid, &j->gid) == 4;
	if (!strcmp(line, "cwd"))
		j->cwd = value;
	else if (!strcmp(line, "rw") && j->n_writable < JOIN_MAX_WRITABLE)
		j->writable[j->n_writable++] = value;
	else if (!strcmp(line, "cgroup") && j->cgroup.n_folders < CGROUP_MAX_FOLDERS)
		return snprintf(j->cgroup.folders[j->cgroup.n_folders++], CGROUP_PATH_BYTES, "%s", value) < CGROUP_PATH_BYTES;
	else if (!strcmp(line, "env") && j->n_env < JOIN_MAX_ENV)
		j->envp[j->n_env++] = value;
	else
		return false;
	return true;
}

int join_read(const char *path, struct join *out, struct err *err)
{
	struct buf text = {.max = JOIN_MAX_BYTES};
	int rc = fs_read(path, &text, err);

	*out = (struct join){.text = (char *)text.p};
	bool is_good = rc == 0 && text.n && text.p[text.n - 1] == '\0';
	for (size_t at = 0; is_good && at < text.n;) {
		char *line = out->text + at;
		at += strlen(line) + 1;
		is_good = take_word(out, line);
	}
	if (is_good && out->cwd && out->init_pid > 0)
		return 0;
	join_drop(out);
	return rc < 0 ? rc : err_set(err, 0, "'%s' is damaged", path);
}

void join_drop(struct join *join)
{
	free(join->text);
	*join = (struct join){0};
}

/* --- entering ------------------------------------------------------------------------------- */

struct entry {
	const struct join *join;
	const struct join_command *command;
	int pidfd, report_wr, pty_wr;
};

/* Those of pid 1, which belongs to the same user by now; a limit that is lower already stays. */
static int take_limits(struct err *err)
{
	for (unsigned n = 0; n < RLIM_NLIMITS; n++) {
		__rlimit_resource_t i = (__rlimit_resource_t)n;
		struct rlimit own, want;
		if (getrlimit(i, &own) < 0 || prlimit(1, i, NULL, &want) < 0)
			return err_set(err, errno, "reading the session's limits");
		if (want.rlim_max > own.rlim_max)
			want.rlim_max = own.rlim_max;
		if (want.rlim_cur > want.rlim_max)
			want.rlim_cur = want.rlim_max;
		if (setrlimit(i, &want) < 0)
			return err_set(err, errno, "taking the session's limits");
	}
	return 0;
}

/* The agent's way reads of a plan only what may be written. */
static int fill_plan(const struct join *join, struct plan *out)
{
	out->steps = calloc(join->n_writable + 1, sizeof(*out->steps));
	if (!out->steps)
		return -ENOMEM;
	for (size_t i = 0; i < join->n_writable; i++)
		out->steps[out->n_steps++] = (struct step){.inside = join->writable[i], .is_writable = true};
	return 0;
}

_Noreturn static void run_command(const struct entry *e)
{
	struct err err = {0};
	struct plan plan = {0};
	int is_exec = 0, tty = -1;
	const struct jail_settings settings = {.cwd = e->command->cwd, .argv = e->command->argv, .envp = e->command->envp};

	int rc = prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? err_set(&err, errno, "tying the command to its caller") : 0;
	if (rc == 0)
		rc = take_limits(&err);
	if (rc == 0 && fill_plan(e->join, &plan) < 0)
		rc = err_set(&err, ENOMEM, "entering the session");
	if (rc == 0 && e->pty_wr >= 0) {
		tty = terminal_make(e->pty_wr, &err);
		rc = tty < 0 ? tty : 0;
	}
	if (rc == 0)
		rc = report_built(e->report_wr, &err);
	if (rc == 0)
		(void)agent_exec(&settings, &plan, tty, &is_exec, &err); /* returns on failure only */
	report_give_up(e->report_wr, &err, is_exec ? REPORT_NOT_EXECUTED : REPORT_FAILED);
}

/* Groups first, while that is still ours to do; ids last, since only the jail's map knows them. */
static int enter(const struct entry *e, struct err *err)
{
	const struct join *j = e->join;
	bool is_other = j->uid != geteuid();

	int rc = privs_hide(err);
	if (rc == 0 && j->cgroup.n_folders)
		rc = cgroup_add(&j->cgroup, getpid(), err);
	if (rc < 0)
		return rc;
	if (is_other && setgroups(0, NULL) < 0)
		return err_set(err, errno, "giving up groups");
	if (setns(e->pidfd, JOIN_FLAGS) < 0)
		return err_set(err, errno == ESRCH ? ESRCH : errno, "entering the session's namespaces");
	if (is_other && (setresgid(j->gid, j->gid, j->gid) < 0 || setresuid(j->uid, j->uid, j->uid) < 0))
		return err_set(err, errno, "becoming uid %u", j->uid);
	return privs_hide(err);
}

_Noreturn static void run_middle(const struct entry *e, int number_wr)
{
	struct err err = {0};

	if (enter(e, &err) < 0)
		report_give_up(e->report_wr, &err, REPORT_FAILED);
	long pid = syscall(SYS_clone, (unsigned long)CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0);
	if (pid == 0)
		run_command(e);
	if (pid < 0) {
		err_set(&err, errno, "starting the command in the session");
		report_give_up(e->report_wr, &err, REPORT_FAILED);
	}
	pid_t number = (pid_t)pid;
	_exit(write(number_wr, &number, sizeof(number)) != (ssize_t)sizeof(number));
}

/* Pid 1 by a descriptor, and only when it is the very process that was written down. */
static int open_init(const struct join *join, struct entry *out, struct err *err)
{
	uint64_t start;

	AUTO(fd) int pidfd = (int)syscall(SYS_pidfd_open, join->init_pid, 0);
	if (pidfd < 0 || proc_start_time(join->init_pid, &start, err) < 0 || start != join->init_start)
		return err_set(err, ESRCH, "the session is over");
	out->pidfd = fd_take(&pidfd);
	return 0;
}

static int start_middle(const struct entry *e, pid_t *out_pid, struct err *err)
{
	int number[2];

	if (pipe2(number, O_CLOEXEC) < 0)
		return err_set(err, errno, "entering the session");
	AUTO(fd) int rd = number[0];
	AUTO(fd) int wr = number[1];
	pid_t middle = fork();
	if (middle == 0)
		run_middle(e, wr);
	if (middle < 0)
		return err_set(err, errno, "entering the session");
	fd_drop(&wr);
	bool is_told = read(rd, out_pid, sizeof(*out_pid)) == (ssize_t)sizeof(*out_pid);
	while (waitpid(middle, NULL, 0) < 0 && errno == EINTR)
		;
	if (!is_told)
		*out_pid = -1; /* its report says why */
	return 0;
}

int join_start(const struct join *join, const struct join_command *command, struct jail *out, struct err *err)
{
	struct entry e = {.join = join, .command = command, .pidfd = -1, .report_wr = -1, .pty_wr = -1};
	int report[2], pty[2] = {-1, -1};

	*out = (struct jail){.init_pid = -1, .init_pidfd = -1, .pty_fd = -1, .is_joined = true};
	if (pipe2(report, O_CLOEXEC) < 0)
		return err_set(err, errno, "entering the session");
	AUTO(fd) int report_rd = report[0];
	AUTO(fd) int report_wr = report[1];
	if (command->wants_pty && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pty) < 0)
		return err_set(err, errno, "entering the session");
	AUTO(fd) int pty_rd = pty[0];
	AUTO(fd) int pty_wr = pty[1];
	int rc = open_init(join, &e, err);
	AUTO(fd) int pidfd = e.pidfd;
	(void)pidfd; /* kept to be closed; clang sees no other use */
	if (rc < 0)
		return rc;
	e.report_wr = report_wr;
	e.pty_wr = pty_wr;
	rc = start_middle(&e, &out->init_pid, err);
	fd_drop(&report_wr);
	if (rc == 0 && out->init_pid > 0) {
		out->init_pidfd = (int)syscall(SYS_pidfd_open, out->init_pid, 0);
		rc = out->init_pidfd < 0 ? err_set(err, errno, "watching the command") : 0;
	}
	if (rc == 0)
		rc = report_hear(report_rd, &out->exec_errno, err);
	if (rc == 0 && pty_rd >= 0 && !out->exec_errno) {
		out->pty_fd = terminal_receive(pty_rd);
		if (out->pty_fd < 0)
			rc = err_set(err, EPROTO, "receiving the command's terminal");
	}
	if (rc < 0)
		jail_kill(out);
	return rc;
}
