/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/broker/rules_file.h"
#include "base/own.h"
#include "confine/landlock.h"
#include "confine/privs.h"
#include "egress/wire/control.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void answer(int channel, const char *path)
{
	struct err err = {0};
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0)
		(void)control_send(channel, CONTROL_RELOAD, 0, span_of(path), fd); /* a broker that is gone needs none */
	else {
		(void)err_set(&err, errno, "opening '%s'", path);
		(void)control_send(channel, CONTROL_FAILED, 0, span_of(err.text), -1);
	}
}

__attribute__((noreturn)) static void serve(int channel, const char *path)
{
	char folder[PATH_MAX];
	const struct landlock_path only = {dirname(strcpy(folder, path)), 0};
	struct err err = {0};
	char byte;

	(void)signal(SIGHUP, SIG_IGN); /* meant for the broker */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(channel, 3) < 0 || privs_close_from(4, &err) < 0 ||
	    privs_no_new(&err) < 0 || (landlock_abi() > 0 && landlock_restrict(&only, 1, &err) < 0))
		_exit(1); /* the broker sees the end of the channel */
	while (read(3, &byte, 1) == 1)
		answer(3, path);
	_exit(0);
}

int rules_file_start(const char *path, struct err *err)
{
	int ends[2];

	if (strlen(path) >= PATH_MAX)
		return err_set(err, ENAMETOOLONG, "'%s'", path);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set(err, errno, "making a channel");
	AUTO(fd) int ours = ends[0];
	AUTO(fd) int theirs = ends[1];
	pid_t pid = fork();
	if (pid < 0)
		return err_set(err, errno, "starting the process that opens the policy file anew");
	if (pid == 0)
		serve(theirs, path);
	if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
		return err_set(err, errno, "making a channel");
	return fd_take(&ours);
}
