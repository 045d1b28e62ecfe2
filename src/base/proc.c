/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ABOVE_FDS = 64 }; /* scratch numbers above every number a child is given */

/* In the child: reports errno up @report_fd and ends. */
_Noreturn static void give_up(int report_fd)
{
	int why = errno;
	ssize_t ignored = write(report_fd, &why, sizeof(why));
	(void)ignored; /* the parent then sees the pipe close and the exit status */
	_exit(127);
}

static void reset_signals(void)
{
	sigset_t none;
	(void)sigemptyset(&none); /* cannot fail on a valid pointer */
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL); /* SIGKILL, SIGSTOP and libc's own refuse; fine */
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn static void run_child(const struct proc_spec *spec, int report_fd, pid_t parent)
{
	reset_signals();
	if (spec->dies_with_parent) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
			give_up(report_fd);
		if (getppid() != parent)
			_exit(127); /* the parent went first */
	}
	/* First lift everything out of the way, then place: no order of fds can clobber another. */
	int lifted[PROC_MAX_FDS];
	for (size_t i = 0; i < spec->n_fds; i++) {
		lifted[i] = spec->fds[i] < 0 ? -1 : fcntl(spec->fds[i], F_DUPFD_CLOEXEC, ABOVE_FDS);
		if (spec->fds[i] >= 0 && lifted[i] < 0)
			give_up(report_fd);
	}
	int exe_fd = spec->path ? -1 : fcntl(spec->exe_fd, F_DUPFD_CLOEXEC, ABOVE_FDS);
	int report = fcntl(report_fd, F_DUPFD_CLOEXEC, ABOVE_FDS);
	if ((exe_fd < 0 && !spec->path) || report < 0)
		give_up(report_fd);
	if (syscall(SYS_close_range, 0U, (unsigned)ABOVE_FDS - 1, 0U) < 0)
		give_up(report);
	for (size_t i = 0; i < spec->n_fds; i++)
		if (lifted[i] >= 0 && dup2(lifted[i], (int)i) < 0)
			give_up(report);
	if (syscall(SYS_close_range, (unsigned)ABOVE_FDS, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		give_up(report);
	if (spec->path)
		(void)execve(spec->path, spec->argv, spec->envp); /* returns on failure only, as the next */
	else
		(void)execveat(exe_fd, "", spec->argv, spec->envp, AT_EMPTY_PATH);
	give_up(report);
}

int proc_start(const struct proc_spec *spec, pid_t *out_pid, int *out_pidfd, struct err *err)
{
	int ends[2];

	if (spec->n_fds > PROC_MAX_FDS)
		return err_set(err, EINVAL, "starting '%s': too many descriptors", spec->argv[0]);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, errno, "starting '%s'", spec->argv[0]);
	AUTO(fd) int report_rd = ends[0];
	AUTO(fd) int report_wr = ends[1];
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid < 0)
		return err_set(err, errno, "starting '%s'", spec->argv[0]);
	if (pid == 0)
		run_child(spec, report_wr, parent);
	fd_drop(&report_wr);
	AUTO(fd) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int why = pidfd < 0 ? errno : 0;
	if (!why) {
		ssize_t got;
		do
			got = read(report_rd, &why, sizeof(why));
		while (got < 0 && errno == EINTR);
		if (got != (ssize_t)sizeof(why))
			why = 0;
	}
	if (why) {
		(void)kill(pid, SIGKILL); /* it may have ended already */
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return err_set(err, why, "starting '%s'", spec->argv[0]);
	}
	*out_pid = pid;
	*out_pidfd = fd_take(&pidfd);
	return 0;
}

int proc_start_time(pid_t pid, uint64_t *out, struct err *err)
{
	char path[64];
	AUTO(buf) struct buf text = {.max = 4096};

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (fs_read(path, &text, err) < 0 || !buf_put(&text, "", 1))
		return err_set(err, ESRCH, "looking at process %d", (int)pid);
	const char *p = strrchr((const char *)text.p, ')'); /* the name may hold anything */
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p && sscanf(p, " %" SCNu64, out) == 1 ? 0 : err_set(err, ESRCH, "looking at process %d", (int)pid);
}
