/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/init.h"
#include "confine/seccomp.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

int init_block_signals(void)
{
	sigset_t all;
	(void)sigfillset(&all); /* cannot fail on a valid pointer */
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	int fd = signalfd(-1, &all, SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void reap(pid_t agent)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == agent)
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void forward(int sig, pid_t agent)
{
	switch (sig) {
	case SIGINT:
	case SIGTERM:
	case SIGHUP:
	case SIGQUIT:
	case SIGUSR1:
	case SIGUSR2:
	case SIGCONT:
		(void)kill(-agent, sig); /* it may have ended just now */
		break;
	default:
		break; /* not for others */
	}
}

_Noreturn void init_run(int signal_fd, pid_t agent)
{
	if (seccomp_install(&seccomp_jail_init, NULL) < 0)
		_exit(125); /* takes the agent along */
	reap(agent);
	for (;;) {
		struct signalfd_siginfo info;
		ssize_t n = read(signal_fd, &info, sizeof(info));
		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(info))
			_exit(125);
		if (info.ssi_signo == SIGCHLD)
			reap(agent);
		else
			forward((int)info.ssi_signo, agent);
	}
}
