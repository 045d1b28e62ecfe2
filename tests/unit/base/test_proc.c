/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_proc.c - a child has exactly the descriptors named, and a failed exec is told */
#include "base/fs.h"
#include "base/own.h"
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <cmocka.h>

enum { MOST_FDS = 400 };

static char arg0[] = "test_proc", arg_report[] = "report";
static char *const argv_report[] = {arg0, arg_report, NULL};
static char env_mark[] = "MARK=yes";
static char *const envp_mark[] = {env_mark, NULL};

/* The child: its descriptors, environment and signals, as text on descriptor 1. */
static int report(void)
{
	sigset_t mask;
	int death = 0;

	for (int fd = 0; fd < MOST_FDS; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			(void)dprintf(1, "%d ", fd);
	(void)sigprocmask(SIG_SETMASK, NULL, &mask);
	(void)prctl(PR_GET_PDEATHSIG, &death);
	(void)dprintf(1, "env=%s usr1=%d pipe=%d death=%d", environ[0] && !environ[1] ? environ[0] : "?",
		      sigismember(&mask, SIGUSR1), signal(SIGPIPE, SIG_DFL) == SIG_IGN, death);
	return 7;
}

static int wait_for(pid_t pid, int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	int status = 0;

	assert_int_equal(poll(&p, 1, 30000), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Starts the reporting child with these descriptors, whose number 1 has to be @out_wr, and reads its report. */
static void expect_report(const struct proc_spec *spec, int *out_wr, int out_rd, const char *expected)
{
	struct err err = {0};
	AUTO(buf) struct buf text = {.max = 4096};
	AUTO(fd) int pidfd = -1;
	pid_t pid = 0;

	if (proc_start(spec, &pid, &pidfd, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
	fd_drop(out_wr);
	assert_int_equal(fs_read_fd(out_rd, "pipe", &text, &err), 0);
	int status = wait_for(pid, pidfd);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	if (!span_is(buf_span(&text), expected))
		fail_msg("%.*s", (int)text.n, (const char *)text.p);
}

static int self(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void a_child_has_exactly_what_is_named(void **state)
{
	(void)state;
	int ends[2];
	AUTO(fd) int exe = self();
	AUTO(fd) int stray = open("/dev/null", O_RDONLY); /* inheritable, and not named */
	AUTO(fd) int high = fcntl(stray, F_DUPFD, 300);	  /* so is this one */
	assert_true(high >= 300);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	const int fds[] = {-1, ends[1], -1, high, -1, exe};
	struct proc_spec spec = {.exe_fd = exe, .argv = argv_report, .envp = envp_mark, .fds = fds, .n_fds = 6};

	expect_report(&spec, &ends[1], ends[0], "1 3 5 env=MARK=yes usr1=0 pipe=0 death=0");
	fd_drop(&ends[0]);
}

static void sources_that_are_each_others_targets_are_not_mixed_up(void **state)
{
	(void)state;
	int ends[2];
	AUTO(fd) int exe = self();

	/* Numbers 3 to 5 of the parent become 5, 4 and 1: none may be overwritten before it is copied. */
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	const int fds[] = {ends[0], ends[1], exe, ends[0], ends[1], ends[1], ends[1], exe,
			   exe,	    ends[1], ends[0], 0,       0,	0,	 0,	  exe};
	struct proc_spec spec = {.exe_fd = exe, .argv = argv_report, .envp = envp_mark, .fds = fds,
				 .n_fds = PROC_MAX_FDS, .dies_with_parent = true};
	expect_report(&spec, &ends[1], ends[0],
		      "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 env=MARK=yes usr1=0 pipe=0 death=9");
	fd_drop(&ends[0]);
}

static void blocked_and_ignored_signals_are_not_inherited(void **state)
{
	(void)state;
	int ends[2];
	AUTO(fd) int exe = self();
	sigset_t usr1, before;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	assert_int_equal(sigprocmask(SIG_BLOCK, &usr1, &before), 0);
	void (*pipe_before)(int) = signal(SIGPIPE, SIG_IGN);
	const int fds[] = {-1, ends[1]};
	struct proc_spec spec = {.exe_fd = exe, .argv = argv_report, .envp = envp_mark, .fds = fds, .n_fds = 2};
	expect_report(&spec, &ends[1], ends[0], "1 env=MARK=yes usr1=0 pipe=0 death=0");
	(void)signal(SIGPIPE, pipe_before);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	fd_drop(&ends[0]);
}

static void what_cannot_be_executed_is_told_and_leaves_no_child(void **state)
{
	(void)state;
	struct err err = {0};
	AUTO(fd) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	AUTO(fd) int exe = self();
	int pidfd = -5;
	pid_t pid = -5;
	const int closed[] = {0, 1023};
	struct proc_spec spec = {.exe_fd = null, .argv = argv_report, .envp = envp_mark};

	assert_int_equal(proc_start(&spec, &pid, &pidfd, &err), -EACCES);
	assert_string_equal(err.text, "starting 'test_proc': Permission denied");
	spec.exe_fd = -1;
	assert_int_equal(proc_start(&spec, &pid, &pidfd, &err), -EBADF);
	spec = (struct proc_spec){.exe_fd = exe, .argv = argv_report, .envp = envp_mark, .fds = closed, .n_fds = 2};
	assert_int_equal(proc_start(&spec, &pid, &pidfd, &err), -EBADF);
	spec.n_fds = PROC_MAX_FDS + 1;
	assert_int_equal(proc_start(&spec, &pid, &pidfd, &err), -EINVAL);
	assert_int_equal(pid, -5);
	assert_int_equal(pidfd, -5);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_has_exactly_what_is_named),
		cmocka_unit_test(sources_that_are_each_others_targets_are_not_mixed_up),
		cmocka_unit_test(blocked_and_ignored_signals_are_not_inherited),
		cmocka_unit_test(what_cannot_be_executed_is_told_and_leaves_no_child),
	};
	if (argc == 2 && !strcmp(argv[1], "report"))
		return report();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
