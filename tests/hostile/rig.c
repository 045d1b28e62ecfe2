/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"
#include "egress/wire/fds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ABOVE = 100, BROKER_NUMBERS = 16 };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void send_fds(int link, const int *fds, size_t n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	char byte = 'c';
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = CMSG_SPACE(n * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	if (sendmsg(link, &msg, MSG_NOSIGNAL) != 1)
		die("handing over the channels");
}

static void take_fds(int link, int *fds, size_t n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};

	if (recvmsg(link, &msg, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&msg) ||
	    CMSG_FIRSTHDR(&msg)->cmsg_len != CMSG_LEN(n * sizeof(int)))
		die("the broker did not start its peers");
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&msg)), n * sizeof(int));
	for (size_t i = 0; i < n; i++)
		if (fcntl(fds[i], F_SETFL, O_NONBLOCK) < 0)
			die("fcntl");
}

int rig_stand_in(const char *role)
{
	char byte;

	if (strcmp(role, "worker") == 0) {
		int fds[] = {WORKER_FD_BROKER};
		send_fds(WORKER_FD_LISTENERS, fds, 1);
		(void)close(WORKER_FD_BROKER);
		while (read(WORKER_FD_LISTENERS, &byte, 1) < 0 && errno == EINTR)
			;
		return 0;
	}
	int fds[] = {RESOLVER_FD_NAMES, RESOLVER_FD_SOCKETS};
	send_fds(RESOLVER_FD_HOSTS, fds, 2);
	(void)close(RESOLVER_FD_NAMES);
	(void)close(RESOLVER_FD_SOCKETS);
	while (read(RESOLVER_FD_HOSTS, &byte, 1) < 0 && errno == EINTR)
		;
	return 0;
}

static int memory_file(const char *text)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || lseek(fd, 0, SEEK_SET) < 0)
		die("memfd_create");
	return fd;
}

/* In the child: the descriptors of wire/fds.h, and nothing else. */
static void become_broker(const char *egress, const int *fds, size_t n, int log_fd, const char *dns)
{
	char *const argv[] = {(char *)(size_t) "drydock-egress",
			      (char *)(size_t) "broker",
			      (char *)(size_t) "--session",
			      (char *)(size_t) "hostile",
			      (char *)(size_t) "--rules-name",
			      (char *)(size_t) "rules",
			      (char *)(size_t) "--bound",
			      (char *)(size_t) "0",
			      (char *)(size_t) "--server",
			      (char *)(size_t)dns,
			      NULL};
	char *const no_env[] = {NULL};
	int exe = open(egress, O_PATH | O_CLOEXEC);

	exe = fcntl(exe, F_DUPFD_CLOEXEC, ABOVE);
	log_fd = fcntl(log_fd, F_DUPFD_CLOEXEC, ABOVE);
	int lifted[BROKER_NUMBERS];
	for (size_t i = 0; i < n; i++)
		lifted[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, ABOVE);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(log_fd, STDERR_FILENO) < 0 || syscall(SYS_close_range, 3U, ABOVE - 1U, 0U) < 0)
		_exit(126);
	for (size_t i = 0; i < n; i++)
		if (lifted[i] >= 0 && dup2(lifted[i], (int)i + 3) < 0)
			_exit(126);
	(void)syscall(SYS_execveat, exe, "", argv, no_env, AT_EMPTY_PATH);
	_exit(127);
}

void rig_start(struct rig *r, const char *egress, const char *rules, int audit_fd, const char *dns)
{
	int worker_link[2], resolver_link[2];
	int channels[2];

	*r = (struct rig){.log_fd = memory_file("")};
	int self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int rules_fd = memory_file(rules);
	if (self < 0 || null < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, worker_link) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, resolver_link) < 0)
		die("preparing the broker");
	int fds[BROKER_NUMBERS];
	for (size_t i = 0; i < BROKER_NUMBERS; i++)
		fds[i] = -1; /* what is optional */
	fds[BROKER_FD_EXE - 3] = self;
	fds[BROKER_FD_NULL - 3] = null;
	fds[BROKER_FD_RULES - 3] = rules_fd;
	fds[BROKER_FD_AUDIT - 3] = audit_fd;
	fds[BROKER_FD_HOSTS - 3] = resolver_link[1];
	fds[BROKER_FD_JAIL - 3] = worker_link[1];
	r->broker = fork();
	if (r->broker < 0)
		die("fork");
	if (r->broker == 0)
		become_broker(egress, fds, BROKER_NUMBERS, r->log_fd, dns);
	(void)close(self);
	(void)close(null);
	(void)close(rules_fd);
	(void)close(worker_link[1]);
	(void)close(resolver_link[1]);
	r->links[0] = worker_link[0];
	r->links[1] = resolver_link[0];
	take_fds(r->links[0], &r->worker_fd, 1);
	take_fds(r->links[1], channels, 2);
	r->names_fd = channels[0];
	r->sockets_fd = channels[1];
}

bool rig_has_ended(struct rig *r, int wait_ms, int *out_status)
{
	if (r->broker == 0)
		return true;
	if (wait_ms) {
		int pidfd = (int)syscall(SYS_pidfd_open, r->broker, 0);
		struct pollfd p = {.fd = pidfd, .events = POLLIN};
		(void)poll(&p, 1, wait_ms);
		(void)close(pidfd);
	}
	pid_t got = waitpid(r->broker, out_status, WNOHANG);
	if (got != r->broker)
		return false;
	r->broker = 0;
	return true;
}

void rig_said(const struct rig *r, char *out, size_t bytes)
{
	ssize_t got = pread(r->log_fd, out, bytes - 1, 0);

	out[got > 0 ? got : 0] = '\0';
}

void rig_drop(struct rig *r)
{
	if (r->broker) {
		(void)kill(r->broker, SIGKILL);
		(void)waitpid(r->broker, NULL, 0);
	}
	(void)close(r->links[0]);
	(void)close(r->links[1]);
	(void)close(r->worker_fd);
	(void)close(r->names_fd);
	(void)close(r->sockets_fd);
	(void)close(r->log_fd);
	*r = (struct rig){0};
}

int rig_count_fds(const struct rig *r)
{
	char path[64];
	int n = -2; /* "." and ".." */

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)r->broker);
	DIR *dir = opendir(path);
	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

long rig_anon_kib(const struct rig *r)
{
	char line[256];
	long kib = 0;

	(void)snprintf(line, sizeof(line), "/proc/%d/smaps_rollup", (int)r->broker);
	FILE *f = fopen(line, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "Private_Dirty:", 14) == 0)
			kib = strtol(line + 14, NULL, 10);
	(void)fclose(f);
	return kib;
}
