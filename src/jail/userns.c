/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/userns.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int write_file(const char *path, const char *text, struct err *err)
{
	AUTO(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "opening '%s'", path);
	size_t n = strlen(text);
	if (write(fd, text, n) != (ssize_t)n)
		return err_set(err, errno, "writing '%s'", path);
	return 0;
}

static int write_map(const char *pid, const char *which, uid_t inside, uid_t outside, struct err *err)
{
	char path[64], text[64];
	(void)snprintf(path, sizeof(path), "/proc/%s/%s", pid, which); /* both short */
	(void)snprintf(text, sizeof(text), "%u %u 1\n", inside, outside);
	return write_file(path, text, err);
}

int userns_map_self(uid_t uid, gid_t gid, struct err *err)
{
	int rc = write_map("self", "uid_map", uid, uid, err);
	if (rc == 0)
		rc = write_file("/proc/self/setgroups", "deny", err);
	if (rc == 0)
		rc = write_map("self", "gid_map", gid, gid, err);
	return rc < 0 ? userns_explain(-rc, err) : 0;
}

int userns_for_idmap(uid_t owner_uid, gid_t owner_gid, uid_t agent_uid, gid_t agent_gid, int *out_fd,
		     struct err *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, errno, "making an id map");
	AUTO(fd) int rd = ends[0];
	AUTO(fd) int wr = ends[1];
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);
	if (pid < 0)
		return userns_explain(errno, err);
	if (pid == 0) {
		char byte;
		(void)close(wr);
		_exit(read(rd, &byte, 1) < 0); /* lives until its map is made */
	}
	char number[24], path[48];
	(void)snprintf(number, sizeof(number), "%ld", pid);
	(void)snprintf(path, sizeof(path), "/proc/%ld/ns/user", pid);
	int rc = write_map(number, "uid_map", owner_uid, agent_uid, err);
	if (rc == 0)
		rc = write_map(number, "gid_map", owner_gid, agent_gid, err);
	AUTO(fd) int fd = rc == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (rc == 0 && fd < 0)
		rc = err_set(err, errno, "opening '%s'", path);
	fd_drop(&wr);
	(void)waitpid((pid_t)pid, NULL, 0); /* it ends by itself now */
	if (rc == 0)
		*out_fd = fd_take(&fd);
	return rc;
}

static bool file_says(const char *path, const char *start)
{
	struct buf text = {.max = 4096};
	bool says = fs_read(path, &text, NULL) == 0 && text.n >= strlen(start) &&
		    !memcmp(text.p, start, strlen(start));
	buf_drop(&text);
	return says;
}

bool userns_is_initial(void)
{
	struct buf text = {.max = 4096};
	unsigned inside = 1, outside = 1, n = 0;
	bool is_read = fs_read("/proc/self/uid_map", &text, NULL) == 0 && buf_put(&text, "", 1);
	bool is_whole = is_read &&
			sscanf((const char *)text.p, "%u %u %u", &inside, &outside, &n) == 3 &&
			inside == 0 && outside == 0 && n == 4294967295u;
	buf_drop(&text);
	return is_whole;
}

int userns_explain(int errnum, struct err *err)
{
	err_set(err, errnum, "cannot create a user namespace");
	if (file_says("/proc/sys/user/max_user_namespaces", "0\n"))
		return err_fix(err, "sudo sysctl user.max_user_namespaces=15000");
	if (file_says("/proc/sys/user/max_net_namespaces", "0\n"))
		return err_fix(err, "sudo sysctl user.max_net_namespaces=15000");
	if (file_says("/proc/sys/kernel/unprivileged_userns_clone", "0\n"))
		return err_fix(err, "sudo sysctl kernel.unprivileged_userns_clone=1");
	if (file_says("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n"))
		return err_fix(err, "AppArmor restricts user namespaces here: install drydock's profile in "
				    "/etc/apparmor.d and run: sudo systemctl reload apparmor");
	if (errnum == ENOSPC)
		return err_fix(err, "a limit on namespaces is reached: see sysctl user.max_user_namespaces");
	if (errnum == EPERM || errnum == ENOSYS || errnum == EACCES)
		return err_fix(err, "this looks like a container or a policy that forbids user namespaces: start it with "
				    "--security-opt seccomp=unconfined --security-opt systempaths=unconfined, or run "
				    "drydock outside of it");
	return -errnum;
}
