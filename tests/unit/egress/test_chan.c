/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_chan.c - one message a packet, checked before anybody looks at it */
#include "egress/wire/chan.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static int ends[2];
static struct chan_message m;

static int up(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
}

static int down(void **state)
{
	(void)state;
	(void)close(ends[0]);
	return close(ends[1]);
}

static int lowest_free(void)
{
	int fd = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);

	(void)close(fd);
	return fd;
}

/* The worker's end of the main channel. */
static struct chan worker_end(void)
{
	return (struct chan){ends[1], FROM_BROKER, IN_SERVICE, WIRE_MAIN_FIRST, WIRE_MAIN_LAST};
}

static void put_raw(const void *bytes, size_t n, int n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * (CHAN_MAX_FDS + 8))];
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
			memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &ends[0], sizeof(int));
	}
	assert_int_equal(sendmsg(ends[0], &msg, 0), n);
}

/* A head and that many bytes behind it. */
static void put_message(uint16_t number, uint16_t version, uint32_t says_bytes, size_t n_bytes, int n_fds)
{
	static uint8_t packet[8192];
	struct wire_head head = {.number = number, .version = version, .bytes = says_bytes};

	memcpy(packet, &head, sizeof(head));
	put_raw(packet, sizeof(head) + n_bytes, n_fds);
}

static void assert_breach(const struct chan *ch, const char *expected)
{
	const char *why = "";

	m.n_fds = 77;
	assert_int_equal(chan_recv(ch, MSG_DONTWAIT, &m, &why), CHAN_BREACH);
	assert_string_equal(why, expected);
	assert_int_equal(m.n_fds, 0);
}

static void a_message_arrives_as_it_was_sent(void **state)
{
	(void)state;
	struct chan broker = {ends[0], FROM_WORKER, IN_SERVICE, WIRE_MAIN_FIRST, WIRE_MAIN_LAST}, ch = worker_end();
	struct wire_opened o = {.flow = 7, .judge = JUDGE_TLS, .name_n = 1, .name = "a"};
	const char *why = NULL;

	assert_int_equal(chan_send(&broker, WIRE_OPENED, &o, &ends[0], 1, MSG_DONTWAIT), 0);
	assert_int_equal(chan_recv(&ch, MSG_DONTWAIT, &m, &why), CHAN_MESSAGE);
	assert_int_equal(m.number, WIRE_OPENED);
	assert_memory_equal(&m.payload.OPENED, &o, sizeof(o));
	assert_int_equal(m.n_fds, 1);
	assert_int_equal(fcntl(m.fds[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(close(m.fds[0]), 0);
	assert_int_equal(chan_recv(&ch, MSG_DONTWAIT, &m, &why), CHAN_EMPTY);
	assert_null(why);
}

/* Every row of the table: from its sender, in its state, with its length it passes; any other way it is a breach. */
static void each_message_passes_in_its_own_place_only(void **state)
{
	(void)state;
	static const struct {
		uint16_t number;
		enum wire_party sender;
		unsigned states;
		int fds;
	} rows[] = {
#define X(NAME, number, sender, payload, fds, states) {number, sender, states, fds},
		WIRE_MESSAGES(X)
#undef X
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint16_t number = rows[i].number;
		uint32_t n = (uint32_t)wire_payload_bytes(number);
		enum wire_state in = rows[i].states & IN_START ? IN_START : IN_SERVICE;
		struct chan ch = {ends[1], rows[i].sender, in, number, number};
		const char *why = "";
		int before = lowest_free();

		put_message(number, WIRE_VERSION, n, n, rows[i].fds);
		assert_int_equal(chan_recv(&ch, MSG_DONTWAIT, &m, &why), CHAN_MESSAGE);
		assert_int_equal(m.n_fds, rows[i].fds);
		while (m.n_fds)
			assert_int_equal(close(m.fds[--m.n_fds]), 0);
		assert_int_equal(lowest_free(), before);

		put_message(number, WIRE_VERSION + 1, n, n, 0);
		assert_breach(&ch, "another version");
		put_message(number, WIRE_VERSION, n, n - 1, 0);
		assert_breach(&ch, "payload of the wrong length");
		put_message(number, WIRE_VERSION, n, n + 1, 0);
		/* one byte more than the longest payload does not fit the buffer at all */
		assert_breach(&ch, n == sizeof(union wire_payload) ? "packet longer than any message"
								   : "payload of the wrong length");
		put_message(number, WIRE_VERSION, n + 1, n, 0);
		assert_breach(&ch, "payload of the wrong length");
		put_message(number, WIRE_VERSION, n, n, rows[i].fds + 1);
		assert_breach(&ch, rows[i].fds == CHAN_MAX_FDS ? "packet longer than any message"
							       : "descriptors that this message does not carry");
		assert_int_equal(lowest_free(), before);
		ch.first = ch.last = (uint16_t)(number + 1);
		put_message(number, WIRE_VERSION, n, n, 0);
		assert_breach(&ch, "message of another channel");
		ch.first = ch.last = number;
		for (int other = FROM_WORKER; other <= FROM_JAIL; other++) {
			ch.peer = (enum wire_party)other;
			if (ch.peer == rows[i].sender)
				continue;
			put_message(number, WIRE_VERSION, n, n, rows[i].fds);
			assert_breach(&ch, "message that this peer may not send");
			assert_int_equal(lowest_free(), before);
		}
		ch.peer = rows[i].sender;
		ch.state = in == IN_START ? IN_SERVICE : IN_START;
		if (rows[i].states == (IN_START | IN_SERVICE))
			continue;
		put_message(number, WIRE_VERSION, n, n, 0);
		assert_breach(&ch, "message that this state does not take");
	}
}

static void what_is_no_message_is_a_breach(void **state)
{
	(void)state;
	struct chan ch = worker_end();
	int before = lowest_free();

	put_raw("", 1, 0);
	assert_breach(&ch, "packet shorter than a head");
	put_raw("1234567", 7, 1);
	assert_breach(&ch, "packet shorter than a head");
	put_raw("", 0, 1); /* an empty packet would read like the end, were it not for what it carries */
	assert_breach(&ch, "packet shorter than a head");
	put_message(0, WIRE_VERSION, 0, 0, 0);
	assert_breach(&ch, "unknown message");
	put_message(UINT16_MAX, WIRE_VERSION, 0, 0, 0);
	assert_breach(&ch, "unknown message");
	put_message(WIRE_OPENED, WIRE_VERSION, 0, sizeof(union wire_payload) + 1, 0);
	assert_breach(&ch, "packet longer than any message");
	put_message(WIRE_OPENED, WIRE_VERSION, 0, 0, CHAN_MAX_FDS + 8);
	assert_breach(&ch, "packet longer than any message");
	assert_int_equal(lowest_free(), before);
}

static void the_end_of_the_peer_is_an_end(void **state)
{
	(void)state;
	struct chan ch = worker_end();
	const char *why = NULL;

	assert_int_equal(shutdown(ends[0], SHUT_WR), 0);
	assert_int_equal(chan_recv(&ch, MSG_DONTWAIT, &m, &why), CHAN_ENDED);
	ch.fd = -1;
	assert_int_equal(chan_recv(&ch, MSG_DONTWAIT, &m, &why), CHAN_ENDED);
	assert_null(why);
}

static void sending_tells_of_a_full_socket_and_of_nobody_there(void **state)
{
	(void)state;
	struct chan broker = {ends[0], FROM_WORKER, IN_SERVICE, WIRE_MAIN_FIRST, WIRE_MAIN_LAST};
	struct wire_refused why = {0};
	int rc;

	do
		rc = chan_send(&broker, WIRE_REFUSED, &why, NULL, 0, MSG_DONTWAIT);
	while (rc == 0);
	assert_int_equal(rc, -EAGAIN);
	assert_int_equal(shutdown(ends[1], SHUT_RDWR), 0);
	assert_int_equal(chan_send(&broker, WIRE_REFUSED, &why, NULL, 0, MSG_DONTWAIT), -EPIPE);
}

static void numbers_have_names_and_sizes(void **state)
{
	(void)state;
	assert_string_equal(wire_name(WIRE_DNS_VERDICT), "DNS_VERDICT");
	assert_int_equal(wire_payload_bytes(WIRE_OPEN), sizeof(struct wire_open));
	assert_string_equal(wire_name(9999), "unknown");
	assert_int_equal(wire_payload_bytes(9999), 0);
}

#define CHAN(test) cmocka_unit_test_setup_teardown(test, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHAN(a_message_arrives_as_it_was_sent),
		CHAN(each_message_passes_in_its_own_place_only),
		CHAN(what_is_no_message_is_a_breach),
		CHAN(the_end_of_the_peer_is_an_end),
		CHAN(sending_tells_of_a_full_socket_and_of_nobody_there),
		CHAN(numbers_have_names_and_sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
