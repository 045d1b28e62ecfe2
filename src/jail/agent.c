/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/agent.h"
#include "confine/landlock.h"
#include "confine/privs.h"
#include "confine/seccomp.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_LANDLOCK_PATHS = 256 };

static int take_terminal(int tty, struct err *err)
{
	if (setsid() < 0)
		return err_set(err, errno, "starting the command's session");
	if (tty < 0)
		return 0;
	if (ioctl(tty, TIOCSCTTY, 0) < 0)
		return err_set(err, errno, "taking the command's terminal");
	for (int fd = 0; fd <= 2; fd++) {
		if (fd == 2 && !isatty(2))
			break; /* stderr went elsewhere on purpose */
		if (dup2(tty, fd) < 0)
			return err_set(err, errno, "taking the command's terminal");
	}
	return 0;
}

/* Everything that is shown may be read and run; what the plan makes writable may be written. */
static int restrict_files(const struct plan *plan, struct err *err)
{
	struct landlock_path paths[MAX_LANDLOCK_PATHS] = {{"/", 0}, {"/dev", 1}, {"/proc", 1}};
	size_t n = 3;

	for (size_t i = 0; i < plan->n_steps && n < MAX_LANDLOCK_PATHS; i++)
		if (plan->steps[i].is_writable)
			paths[n++] = (struct landlock_path){plan->steps[i].inside, 1};
	return landlock_restrict(paths, n, err);
}

static void reset_signals(void)
{
	sigset_t none;
	(void)sigemptyset(&none); /* cannot fail on a valid pointer */
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL); /* two of them refuse; fine */
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static const char *find_path(char *const *envp)
{
	for (; *envp; envp++)
		if (!strncmp(*envp, "PATH=", 5))
			return *envp + 5;
	return "/usr/local/bin:/usr/bin:/bin";
}

/* execvpe(3) with the environment's own PATH; a script without #! is not guessed at. */
static int search_and_exec(char *const *argv, char *const *envp)
{
	int why = ENOENT;

	if (strchr(argv[0], '/')) {
		(void)execve(argv[0], argv, envp); /* returns on failure only */
		return -errno;
	}
	for (const char *p = find_path(envp); *p;) {
		size_t n = strcspn(p, ":");
		char full[PATH_MAX];
		int used = snprintf(full, sizeof(full), "%.*s/%s", (int)n, p, argv[0]);
		if (n > 0 && used < (int)sizeof(full)) {
			(void)execve(full, argv, envp);
			if (errno != ENOENT && errno != ENOTDIR)
				why = errno; /* EACCES on one entry: a later one may do, but say so */
		}
		p += n + (p[n] == ':');
	}
	return -why;
}

int agent_exec(const struct jail_settings *settings, const struct plan *plan, int tty, int *out_is_exec,
	       struct err *err)
{
	int rc = privs_hide(err);
	if (rc == 0)
		rc = take_terminal(tty, err);
	if (rc == 0 && syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		rc = err_set(err, errno, "closing inherited descriptors");
	if (rc == 0 && chdir(settings->cwd) < 0)
		rc = err_set(err, errno, "entering '%s' inside the jail", settings->cwd);
	if (rc == 0)
		rc = privs_drop_caps(err);
	if (rc == 0)
		rc = privs_no_new(err);
	if (rc == 0 && landlock_abi() > 0)
		rc = restrict_files(plan, err);
	if (rc < 0)
		return rc;
	reset_signals();
	rc = seccomp_install(&seccomp_agent, err);
	if (rc < 0)
		return rc;
	*out_is_exec = 1;
	rc = search_and_exec(settings->argv, settings->envp);
	return err_set(err, -rc, "cannot run '%s' inside the jail", settings->argv[0]);
}
