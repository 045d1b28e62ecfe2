/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/wire/control.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The path itself where it fits, else the same file by its folder's descriptor, which the caller closes. */
static int fill_address(const char *path, struct sockaddr_un *out, int *out_dir)
{
	char folder[PATH_MAX], name[PATH_MAX];

	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	*out_dir = -1;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (strlen(path) < sizeof(out->sun_path)) {
		(void)strcpy(out->sun_path, path); /* fits */
		return 0;
	}
	(void)strcpy(folder, path); /* dirname() and basename() write into what they get */
	(void)strcpy(name, path);
	*out_dir = open(dirname(folder), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*out_dir < 0)
		return -errno;
	int n = snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/%s", *out_dir, basename(name));
	return n < (int)sizeof(out->sun_path) ? 0 : -ENAMETOOLONG;
}

int control_connect(const char *path, struct err *err)
{
	AUTO(fd) int dir = -1;
	struct sockaddr_un to;
	int rc = fill_address(path, &to, &dir);
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (rc == 0 && fd < 0)
		rc = -errno;
	if (rc == 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		rc = -errno;
	if (rc < 0)
		return err_set(err, -rc, "asking the session's egress at '%s'", path);
	return fd_take(&fd);
}

int control_listen(const char *path, struct err *err)
{
	AUTO(fd) int dir = -1;
	struct sockaddr_un at;
	int rc = fill_address(path, &at, &dir);
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (rc == 0 && fd < 0)
		rc = -errno;
	if (rc == 0 && unlink(path) < 0 && errno != ENOENT)
		rc = -errno;
	/* On Linux the mode of the socket itself says who may bind: nobody else can connect from the start */
	if (rc == 0 && (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 16) < 0))
		rc = -errno;
	if (rc < 0)
		return err_set(err, -rc, "listening for control requests at '%s'", path);
	return fd_take(&fd);
}

static int most_fds(uint16_t number)
{
	switch (number) {
#define X(NAME, n, fds)                                                                            \
	case n:                                                                                    \
		return fds;
		CONTROL_MESSAGES(X)
#undef X
	default:
		return -1;
	}
}

int control_send(int fd, enum control_number number, uint64_t value, struct span text, int fd_carried)
{
	struct control_head head = {.version = CONTROL_VERSION, .number = (uint16_t)number, .value = value};
	struct iovec parts[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)text.p, text.n}};
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};

	if (text.n > CONTROL_TEXT_MAX_BYTES)
		return -EMSGSIZE;
	head.text_bytes = (uint32_t)text.n;
	if (fd_carried >= 0) {
		m.msg_control = control.room;
		m.msg_controllen = sizeof(control.room);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd_carried, sizeof(int));
	}
	for (;;) {
		ssize_t got = sendmsg(fd, &m, MSG_NOSIGNAL);
		if (got >= 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

/* Keeps the first descriptor of @m and closes whatever else came; the count of all. */
static int take_fds(struct msghdr *m, int *out)
{
	int n = 0;

	*out = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (n++ == 0)
				*out = fd;
			else
				(void)close(fd);
		}
	}
	return n;
}

int control_recv(int fd, struct control_packet *out)
{
	struct iovec parts[2] = {{&out->head, sizeof(out->head)}, {out->text, CONTROL_TEXT_MAX_BYTES}};
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct msghdr m = {
		.msg_iov = parts, .msg_iovlen = 2, .msg_control = control.room, .msg_controllen = sizeof(control.room)};
	ssize_t got;

	do
		got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	int n_fds = take_fds(&m, &out->fd);
	if (got == 0 && n_fds == 0)
		return 0;
	bool is_good = got >= (ssize_t)sizeof(out->head) && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) &&
		       out->head.version == CONTROL_VERSION && n_fds <= most_fds(out->head.number) &&
		       out->head.text_bytes == (size_t)got - sizeof(out->head);
	if (!is_good) {
		fd_drop(&out->fd);
		return -EPROTO;
	}
	out->text[out->head.text_bytes] = '\0';
	return 1;
}

int control_ask(int fd, enum control_number number, uint64_t value, struct span text, int fd_carried, int *out_fd,
		uint64_t *out_value, struct err *err)
{
	AUTO(mem) struct control_packet *answer = malloc(sizeof(*answer));
	if (!answer)
		return err_set(err, ENOMEM, "asking the session's egress");
	int rc = control_send(fd, number, value, text, fd_carried);
	if (rc < 0)
		return err_set(err, -rc, "asking the session's egress");
	do {
		rc = control_recv(fd, answer);
		if (rc <= 0)
			return err_set(err, rc ? -rc : EPIPE, "waiting for the session's egress to answer");
	} while (answer->head.number == CONTROL_RECORD);
	AUTO(fd) int carried = answer->fd;
	if (answer->head.number == CONTROL_FAILED)
		return err_set(err, 0, "%s", answer->text);
	if (answer->head.number != CONTROL_OK || (out_fd && carried < 0))
		return err_set(err, EPROTO, "waiting for the session's egress to answer");
	if (out_fd)
		*out_fd = fd_take(&carried);
	if (out_value)
		*out_value = answer->head.value;
	return 0;
}
