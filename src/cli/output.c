/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"
#include "base/fs.h"
#include "base/own.h"
#include "confine/privs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

enum { FROM = 0, TO = 1, READ_BYTES = 64 << 10 };

static int open_log(const char *path, int how)
{
	return open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | how, 0600);
}

/* A new file in the old one's place, which keeps its number; false when not even the old one can be emptied. */
static bool start_over(const char *path)
{
	char old[PATH_MAX + 8];

	(void)snprintf(old, sizeof(old), "%s.1", path);
	(void)rename(path, old); /* or it is overwritten, which bounds it too */
	AUTO(fd) int fd = open_log(path, O_APPEND | O_TRUNC);
	return (fd >= 0 && dup2(fd, TO) >= 0) || ftruncate(TO, 0) == 0;
}

_Noreturn static void keep(const char *path)
{
	static char bytes[READ_BYTES];
	size_t n = 0;
	bool is_full = false; /* for good: what comes is dropped, so that nobody waits for us */

	(void)signal(SIGHUP, SIG_IGN); /* it ends with those who write */
	for (;;) {
		ssize_t got = read(FROM, bytes, sizeof(bytes));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			_exit(got < 0);
		if (n + (size_t)got > OUTPUT_MAX_BYTES) {
			is_full = is_full || !start_over(path);
			n = 0;
		}
		if (!is_full)
			(void)fs_write_all(TO, bytes, (size_t)got); /* lost on a full disk; the session goes on */
		n += (size_t)got;
	}
}

int output_begin(const char *path, struct err *err)
{
	int ends[2];

	AUTO(fd) int log = open_log(path, O_APPEND);
	if (log < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, errno, "sending the output to '%s'", path);
	AUTO(fd) int rd = ends[0];
	AUTO(fd) int wr = ends[1];
	pid_t pid = fork();
	if (pid == 0) {
		if (dup2(rd, FROM) < 0 || dup2(log, TO) < 0 || privs_close_from(2, NULL) < 0)
			_exit(1);
		keep(path);
	}
	return pid < 0 ? err_set(err, errno, "sending the output to '%s'", path) : fd_take(&wr);
}
