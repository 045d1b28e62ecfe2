/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever a peer sends: a message that passes is of this channel, this sender, this state and this length, with no
 * more descriptors than it may carry; and of those that are refused none stays open.
 * First byte: the peer (2 bits), the state (1 bit), descriptors sent along (the other 5 bits).
 */
#include "egress/wire/chan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_FDS = 31 };

static const int most_fds[] = {
#define X(NAME, number, sender, payload, fds, states) [number] = (fds),
	WIRE_MESSAGES(X)
#undef X
};

/* What is heard from each peer. */
static const struct chan channels[] = {
	{.peer = FROM_WORKER, .first = WIRE_MAIN_FIRST, .last = WIRE_MAIN_LAST},
	{.peer = FROM_BROKER, .first = WIRE_MAIN_FIRST, .last = WIRE_MAIN_LAST},
	{.peer = FROM_RESOLVER, .first = WIRE_RESOLVER_READY, .last = WIRE_RESOLVED},
	{.peer = FROM_JAIL, .first = WIRE_LISTENERS, .last = WIRE_LISTENERS},
};

static void put(int to, int fd, const uint8_t *bytes, size_t n, int n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * MOST_FDS)];
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)bytes, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n_fds) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n_fds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n_fds);
		for (int i = 0; i < n_fds; i++)
			memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &fd, sizeof(int));
	}
	if (sendmsg(to, &msg, 0) < 0)
		abort();
}

/* The lowest free number: the same before and after when nothing stayed open. */
static int lowest_free(int fd)
{
	int lowest = dup(fd);

	if (lowest < 0)
		abort();
	(void)close(lowest);
	return lowest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int ends[2] = {-1, -1};
	static struct chan_message m;
	const char *why = NULL;

	if (ends[0] < 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) < 0)
		abort();
	if (size < 1 || size > 65536)
		return 0;
	int n_fds = data[0] >> 3, before = lowest_free(ends[0]);
	put(ends[0], ends[0], data + 1, size - 1, n_fds);
	struct chan ch = channels[data[0] & 3];
	ch.fd = ends[1];
	ch.state = data[0] & 4 ? IN_START : IN_SERVICE;
	m.n_fds = 0;
	switch (chan_recv(&ch, MSG_DONTWAIT, &m, &why)) {
	case CHAN_MESSAGE:
		assert(m.number >= ch.first && m.number <= ch.last);
		assert(m.n_fds == n_fds && n_fds <= most_fds[m.number]);
		assert(size - 1 == sizeof(struct wire_head) + wire_payload_bytes((uint16_t)m.number));
		for (int i = 0; i < m.n_fds; i++)
			assert(close(m.fds[i]) == 0);
		break;
	case CHAN_BREACH:
		assert(why && m.n_fds == 0);
		break;
	case CHAN_EMPTY:
		break;
	case CHAN_ENDED:
		assert(size == 1 && n_fds == 0); /* an empty packet reads like the end */
		break;
	}
	assert(lowest_free(ends[0]) == before);
	return 0;
}
