/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/wire/chan.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct row {
	uint16_t number;
	enum wire_party sender;
	size_t bytes;
	int max_fds;
	unsigned states;
	const char *name;
};

static const struct row rows[] = {
#define X(NAME, number, sender, payload, fds, states)                                              \
	{number, sender, sizeof(payload), fds, states, #NAME},
	WIRE_MESSAGES(X)
#undef X
};

static const struct row *row_find(uint16_t number)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].number == number)
			return &rows[i];
	return NULL;
}

size_t wire_payload_bytes(uint16_t number)
{
	const struct row *row = row_find(number);
	return row ? row->bytes : 0;
}

const char *wire_name(uint16_t number)
{
	const struct row *row = row_find(number);
	return row ? row->name : "unknown";
}

static void take_fds(struct msghdr *msg, struct chan_message *out)
{
	out->n_fds = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (out->n_fds < CHAN_MAX_FDS)
				out->fds[out->n_fds++] = fd;
			else
				(void)close(fd); /* more than any message carries */
		}
	}
}

/* The reason a packet may not be taken, or NULL. */
static const char *flaw(const struct chan *ch, const struct wire_head *head, size_t got,
			const struct msghdr *msg, const struct chan_message *m)
{
	if (msg->msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return "packet longer than any message";
	if (got < sizeof(*head))
		return "packet shorter than a head";
	if (head->version != WIRE_VERSION)
		return "another version";
	const struct row *row = row_find(head->number);
	if (!row)
		return "unknown message";
	if (head->number < ch->first || head->number > ch->last)
		return "message of another channel";
	if (row->sender != ch->peer)
		return "message that this peer may not send";
	if (!(row->states & (unsigned)ch->state))
		return "message that this state does not take";
	if (head->bytes != row->bytes || got != sizeof(*head) + row->bytes)
		return "payload of the wrong length";
	if (m->n_fds > row->max_fds)
		return "descriptors that this message does not carry";
	return NULL;
}

enum chan_result chan_recv(const struct chan *ch, int flags, struct chan_message *out,
			   const char **why)
{
	struct wire_head head;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * CHAN_MAX_FDS)];
	} control;
	struct iovec iov[] = {{&head, sizeof(head)}, {&out->payload, sizeof(out->payload)}};
	struct msghdr msg = {.msg_iov = iov,
			     .msg_iovlen = 2,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	ssize_t got;
	do
		got = recvmsg(ch->fd, &msg, flags | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? CHAN_EMPTY : CHAN_ENDED;
	take_fds(&msg, out);
	if (got == 0 && out->n_fds == 0)
		return CHAN_ENDED;
	const char *wrong = flaw(ch, &head, (size_t)got, &msg, out);
	if (wrong) {
		for (int i = 0; i < out->n_fds; i++)
			(void)close(out->fds[i]);
		out->n_fds = 0;
		*why = wrong;
		return CHAN_BREACH;
	}
	out->number = (enum wire_number)head.number;
	return CHAN_MESSAGE;
}

int chan_send(const struct chan *ch, enum wire_number number, const void *payload, const int *fds,
	      int n_fds, int flags)
{
	const struct row *row = row_find((uint16_t)number);
	assert(row && n_fds <= row->max_fds);
	struct wire_head head = {
		.number = (uint16_t)number, .version = WIRE_VERSION, .bytes = (uint32_t)row->bytes};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * CHAN_MAX_FDS)];
	} control = {0};
	struct iovec iov[] = {{&head, sizeof(head)}, {(void *)(uintptr_t)payload, row->bytes}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	if (n_fds) {
		size_t bytes = sizeof(int) * (size_t)n_fds;
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(bytes);
		memcpy(CMSG_DATA(c), fds, bytes);
	}
	ssize_t put;
	do
		put = sendmsg(ch->fd, &msg, flags | MSG_NOSIGNAL);
	while (put < 0 && errno == EINTR);
	return put < 0 ? -errno : 0;
}
