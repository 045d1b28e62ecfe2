/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/engine/test_supervise.c - staying with a jail; here the jail is one ordinary child */
#include "engine/supervise.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char notices[4096];

static void on_notice(void *arg, const char *text)
{
	(void)arg;
	(void)strncat(notices, text, sizeof(notices) - strlen(notices) - 2);
	(void)strcat(notices, "\n");
}

int jail_signal(const struct jail *jail, int number)
{
	return kill(jail->init_pid, number);
}

int jail_wait(struct jail *jail)
{
	int status = 0;
	assert_int_equal(waitpid(jail->init_pid, &status, 0), jail->init_pid);
	fd_drop(&jail->init_pidfd);
	fd_drop(&jail->pty_fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void jail_kill(struct jail *jail)
{
	(void)kill(jail->init_pid, SIGKILL);
	(void)jail_wait(jail);
}

static struct jail start(const char *script)
{
	pid_t pid = fork();
	if (pid == 0) {
		sigset_t none;
		(void)sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		/* a shell cannot trap what was ignored before it began */
		for (int number = 1; number < NSIG; number++)
			(void)signal(number, SIG_DFL);
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	return (struct jail){
		.init_pid = pid, .init_pidfd = (int)syscall(SYS_pidfd_open, pid, 0), .pty_fd = -1};
}

static struct engine_result supervise(struct jail *jail, int egress_pidfd, uint64_t timeout_ms)
{
	const struct engine_watch watch = {.timeout_ms = timeout_ms, .notice = on_notice};
	struct engine_result result = {.exit_code = -1};
	notices[0] = '\0';
	assert_int_equal(supervise_run(jail, egress_pidfd, NULL, 0, &watch, &result, NULL), 0);
	return result;
}

static void the_exit_code_is_the_agents(void **state)
{
	(void)state;
	struct jail jail = start("exit 7");
	struct engine_result r = supervise(&jail, -1, 0);
	assert_int_equal(r.exit_code, 7);
	assert_false(r.timed_out);
	assert_string_equal(notices, "");
	jail = start("kill -9 $$");
	assert_int_equal(supervise(&jail, -1, 0).exit_code, 137);
}

static void signals_are_passed_on(void **state)
{
	(void)state;
	static const int passed[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
		struct jail jail = start("trap 'exit 41' INT TERM HUP QUIT; kill -STOP $$; while "
					 ":; do read x; done");
		int status;
		/* stopped: its traps are set */
		assert_int_equal(waitpid(jail.init_pid, &status, WUNTRACED), jail.init_pid);
		assert_true(WIFSTOPPED(status));
		sigset_t set;
		(void)sigemptyset(&set);
		(void)sigaddset(&set, passed[i]);
		(void)sigprocmask(SIG_BLOCK, &set, NULL);
		(void)kill(getpid(), passed[i]); /* waits for the supervisor to take it */
		(void)kill(jail.init_pid, SIGCONT);
		assert_int_equal(supervise(&jail, -1, 0).exit_code, 41);
	}
}

static void a_second_interrupt_kills_what_ignores_the_first(void **state)
{
	(void)state;
	/* the child ignores SIGINT and sends two to its parent, the supervisor */
	struct jail jail = start("trap '' INT; kill -INT $PPID; kill -STOP $$; kill -INT $PPID; "
				 "while :; do kill -STOP $$; done");
	sigset_t set;
	int status;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	assert_int_equal(waitpid(jail.init_pid, &status, WUNTRACED), jail.init_pid);
	/* the first waits as pending; let a helper wake the child once that one was taken */
	pid_t helper = fork();
	if (helper == 0) {
		sigset_t pending;
		char path[64], text[2048];
		(void)snprintf(path, sizeof(path), "/proc/%d/status", getppid());
		(void)pending;
		for (;;) { /* until the parent has no pending signal left */
			FILE *f = fopen(path, "re");
			size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
			text[n] = '\0';
			if (f)
				(void)fclose(f);
			if (strstr(text, "ShdPnd:\t0000000000000000"))
				break;
		}
		(void)kill(jail.init_pid, SIGCONT);
		_exit(0);
	}
	struct engine_result r = supervise(&jail, -1, 0);
	assert_int_equal(r.exit_code, 137);
	assert_non_null(strstr(notices, "interrupted twice"));
	(void)waitpid(helper, NULL, 0);
}

static void the_time_limit_asks_and_is_told_apart(void **state)
{
	(void)state;
	struct jail jail = start("exec sleep 60");
	struct engine_result r = supervise(&jail, -1, 20);
	assert_true(r.timed_out);
	assert_int_equal(r.exit_code, 128 + SIGTERM);
	assert_non_null(strstr(notices, "time limit"));
}

static void the_egress_may_die_and_the_session_lives_on(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t egress = fork();
	if (egress == 0)
		_exit(1);
	AUTO(fd) int pidfd = (int)syscall(SYS_pidfd_open, egress, 0);
	/* the agent ends only after the notice: it waits for the egress to be gone */
	char script[128];
	(void)snprintf(script, sizeof(script),
		       "while ! grep -q '^State:.Z' /proc/%d/status; do :; done; sleep 0.2; exit 3",
		       egress);
	struct jail jail = start(script);
	struct engine_result r = supervise(&jail, pidfd, 0);
	assert_int_equal(r.exit_code, 3);
	assert_true(r.egress_died);
	assert_non_null(strstr(notices, "egress"));
	(void)waitpid(egress, NULL, 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/*
 * The user's terminal is a pty whose other end the test holds: descriptors 0 and 1 of a child that
 * supervises an agent on a pty of its own.
 */
static void keys_reach_the_agent_its_text_comes_back_and_the_terminal_is_restored(void **state)
{
	(void)state;
	int user, user_end;
	struct winsize size = {.ws_row = 33, .ws_col = 77};
	assert_int_equal(openpty(&user, &user_end, NULL, NULL, &size), 0);
	struct termios before, after;
	assert_int_equal(tcgetattr(user_end, &before), 0);
	pid_t pid = fork();
	if (pid == 0) {
		(void)dup2(user_end, 0);
		(void)dup2(user_end, 1);
		int agent;
		pid_t agent_pid = forkpty(&agent, NULL, NULL, NULL);
		if (agent_pid == 0) {
			execl("/bin/sh", "sh", "-c", "read x; stty size; echo \"got:$x\"; exit 5",
			      (char *)NULL);
			_exit(127);
		}
		struct jail jail = {.init_pid = agent_pid,
				    .init_pidfd = (int)syscall(SYS_pidfd_open, agent_pid, 0),
				    .pty_fd = agent};
		_exit(supervise(&jail, -1, 0).exit_code);
	}
	assert_int_equal(write(user, "hello\r", 6), 6);
	char text[1024] = "";
	size_t n = 0;
	while (n < sizeof(text) - 1 && !strstr(text, "got:hello")) {
		ssize_t got = read(user, text + n, sizeof(text) - 1 - n);
		assert_true(got > 0);
		n += (size_t)got;
		text[n] = '\0';
	}
	assert_non_null(strstr(text, "33 77"));
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 5);
	assert_int_equal(tcgetattr(user_end, &after), 0);
	assert_int_equal(before.c_lflag, after.c_lflag);
	assert_int_equal(before.c_iflag, after.c_iflag);
	(void)close(user);
	(void)close(user_end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_exit_code_is_the_agents),
		cmocka_unit_test(signals_are_passed_on),
		cmocka_unit_test(a_second_interrupt_kills_what_ignores_the_first),
		cmocka_unit_test(the_time_limit_asks_and_is_told_apart),
		cmocka_unit_test(the_egress_may_die_and_the_session_lives_on),
		cmocka_unit_test(
			keys_reach_the_agent_its_text_comes_back_and_the_terminal_is_restored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
