/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_resolver.c - the real, confined resolver; this test is its broker and its DNS server */
#include "base/own.h"
#include "egress/resolver/process.h"
#include "egress/wire/chan.h"
#include "egress/wire/fds.h"
#include "net/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <cmocka.h>

struct bench {
	pid_t pid;
	struct chan names, sockets;
	int udp, tcp;
	uint16_t port;
	size_t n_udp_sockets, n_tcp_sockets, n_queries;
	int refuse_sockets; /* a negative errno value, or 0 */
	bool sends_garbage;
};

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				    .sin_port = htons(port)};
}

static void run_resolver(int names, int sockets, const char *hosts, uint16_t port)
{
	char server[ENDPOINT_TEXT_BYTES];
	int hosts_pipe[2];
	char *argv[] = {(char *)(uintptr_t) "resolver", (char *)(uintptr_t) "--server", server,
			NULL};

	(void)snprintf(server, sizeof(server), "127.0.0.1:%u", port);
	if (pipe2(hosts_pipe, O_CLOEXEC) < 0 ||
	    write(hosts_pipe[1], hosts, strlen(hosts)) != (ssize_t)strlen(hosts))
		_exit(99);
	(void)close(hosts_pipe[1]);
	int lifted[] = {fcntl(names, F_DUPFD, 100), fcntl(sockets, F_DUPFD, 100),
			open("/dev/null", O_RDWR), fcntl(hosts_pipe[0], F_DUPFD, 100)};
	lifted[2] = fcntl(lifted[2], F_DUPFD, 100);
	for (int i = 0; i < 4; i++)
		if (dup2(lifted[i], RESOLVER_FD_NAMES + i) < 0)
			_exit(99);
	for (int fd = RESOLVER_FD_FIRST_FREE; fd < 200; fd++)
		(void)close(fd);
	_exit(resolver_main(3, argv));
}

static void set_up(struct bench *t, const char *hosts)
{
	int names[2], sockets[2];
	struct sockaddr_in at = loopback(0);
	socklen_t bytes = sizeof(at);

	*t = (struct bench){.udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
			    .tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	assert_int_equal(bind(t->udp, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(t->udp, (struct sockaddr *)&at, &bytes), 0);
	assert_int_equal(bind(t->tcp, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(t->tcp, 8), 0);
	t->port = ntohs(at.sin_port);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, names), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	t->pid = fork();
	assert_true(t->pid >= 0);
	if (t->pid == 0)
		run_resolver(names[1], sockets[1], hosts, t->port);
	(void)close(names[1]);
	(void)close(sockets[1]);
	t->names = (struct chan){names[0], FROM_RESOLVER, IN_START, WIRE_RESOLVER_READY,
				 WIRE_RESOLVED};
	t->sockets =
		(struct chan){sockets[0], FROM_RESOLVER, IN_SERVICE, WIRE_WANT_SOCKET, WIRE_SOCKET};
	struct chan_message m;
	const char *why = "";
	assert_int_equal(chan_recv(&t->names, 0, &m, &why), CHAN_MESSAGE);
	assert_int_equal(m.number, WIRE_RESOLVER_READY);
	t->names.state = IN_SERVICE;
}

static int end_status(struct bench *t)
{
	int status;
	assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
	return status;
}

static void tear_down(struct bench *t)
{
	fd_drop(&t->names.fd);
	fd_drop(&t->sockets.fd);
	assert_int_equal(end_status(t),
			 0); /* it ends by itself, orderly, when the broker is gone */
	fd_drop(&t->udp);
	fd_drop(&t->tcp);
}

static size_t put_record(uint8_t *p, uint16_t type, const void *data, uint16_t n)
{
	const uint8_t head[] = {0xc0, 12, (uint8_t)(type >> 8), (uint8_t)type, 0, 1, 0, 0,
				0,    60, (uint8_t)(n >> 8),	(uint8_t)n};
	memcpy(p, head, sizeof(head));
	memcpy(p + sizeof(head), data, n);
	return sizeof(head) + n;
}

/* Answers by what the first label says. */
static size_t reply_to(const uint8_t *query, size_t n, bool is_tcp, uint8_t *out)
{
	size_t end = 12;
	while (query[end])
		end += query[end] + 1U;
	end += 5;
	assert_true(end <= n);
	uint16_t type = (uint16_t)(query[end - 4] << 8 | query[end - 3]);
	const char *label = (const char *)query + 13;
	memcpy(out, query, end);
	memset(out + 6, 0, 6);
	out[2] = 0x81;
	out[3] = 0x80;
	size_t at = end;
	if (strncmp(label, "none", 4) == 0) {
		out[3] |= 3;
	} else if (strncmp(label, "broken", 6) == 0) {
		out[3] |= 2;
	} else if (strncmp(label, "big", 3) == 0 && type == 1) {
		if (!is_tcp) {
			out[2] |= 2; /* TC: ask again by TCP */
			return at;
		}
		for (uint8_t i = 0; i < 40; i++)
			at += put_record(out + at, 1, (const uint8_t[]){192, 0, 2, i}, 4);
		out[7] = 40;
	} else if (strncmp(label, "six", 3) == 0 && type == 28) {
		at += put_record(out + at, 28, (const uint8_t[]){0x20, 1, 0xd, 0xb8, [15] = 1}, 16);
		out[7] = 1;
	} else if (strncmp(label, "four", 4) == 0 && type == 1) {
		at += put_record(out + at, 1, (const uint8_t[]){192, 0, 2, 7}, 4);
		out[7] = 1;
	}
	return at;
}

static void serve_udp(struct bench *t)
{
	uint8_t query[600], reply[4096];
	struct sockaddr_in from;
	socklen_t from_bytes = sizeof(from);
	ssize_t n =
		recvfrom(t->udp, query, sizeof(query), 0, (struct sockaddr *)&from, &from_bytes);
	assert_true(n > 17);
	t->n_queries++;
	if (t->sends_garbage)
		(void)sendto(t->udp, "\xff\xff\xff", 3, 0, (struct sockaddr *)&from, from_bytes);
	size_t bytes = reply_to(query, (size_t)n, false, reply);
	assert_int_equal(sendto(t->udp, reply, bytes, 0, (struct sockaddr *)&from, from_bytes),
			 bytes);
}

static void serve_tcp(struct bench *t)
{
	uint8_t query[600], reply[4096];
	AUTO(fd) int fd = accept(t->tcp, NULL, NULL);
	size_t have = 0;
	while (have < 2 || have < 2U + (size_t)(query[0] << 8 | query[1])) {
		ssize_t n = recv(fd, query + have, sizeof(query) - have, 0);
		if (n <= 0)
			return;
		have += (size_t)n;
	}
	size_t bytes = reply_to(query + 2, have - 2, true, reply + 2);
	reply[0] = (uint8_t)(bytes >> 8);
	reply[1] = (uint8_t)bytes;
	assert_int_equal(send(fd, reply, bytes + 2, 0), bytes + 2);
	char end;
	(void)recv(fd, &end, 1, 0); /* until the resolver is done with it */
}

static void give_socket(struct bench *t, const struct wire_want_socket *want)
{
	struct wire_socket s = {.server = want->server, .status = t->refuse_sockets};
	struct sockaddr_in at = loopback(t->port);

	assert_int_equal(want->server, 0);
	if (t->refuse_sockets) {
		assert_int_equal(chan_send(&t->sockets, WIRE_SOCKET, &s, NULL, 0, 0), 0);
		return;
	}
	AUTO(fd)
	int fd = socket(AF_INET, (want->is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);
	(void)connect(fd, (struct sockaddr *)&at, sizeof(at)); /* TCP: in progress */
	*(want->is_tcp ? &t->n_tcp_sockets : &t->n_udp_sockets) += 1;
	assert_int_equal(chan_send(&t->sockets, WIRE_SOCKET, &s, &fd, 1, 0), 0);
}

/* Asks, and plays server and broker until the answer comes. */
static void resolve(struct bench *t, const char *name, struct wire_resolved *out)
{
	struct wire_resolve q = {.ask = 42, .name_n = (uint8_t)strlen(name)};
	struct chan_message m;
	const char *why = "";

	memcpy(q.name, name, q.name_n);
	assert_int_equal(chan_send(&t->names, WIRE_RESOLVE, &q, NULL, 0, 0), 0);
	for (;;) {
		struct pollfd fds[] = {{t->names.fd, POLLIN, 0},
				       {t->sockets.fd, POLLIN, 0},
				       {t->udp, POLLIN, 0},
				       {t->tcp, POLLIN, 0}};
		assert_true(poll(fds, 4, -1) > 0);
		if (fds[1].revents) {
			assert_int_equal(chan_recv(&t->sockets, 0, &m, &why), CHAN_MESSAGE);
			give_socket(t, &m.payload.WANT_SOCKET);
		}
		if (fds[2].revents)
			serve_udp(t);
		if (fds[3].revents)
			serve_tcp(t);
		if (fds[0].revents) {
			assert_int_equal(chan_recv(&t->names, 0, &m, &why), CHAN_MESSAGE);
			assert_int_equal(m.number, WIRE_RESOLVED);
			assert_int_equal(m.payload.RESOLVED.ask, 42);
			*out = m.payload.RESOLVED;
			return;
		}
	}
}

static void names_become_addresses_over_sockets_that_were_handed_in(void **state)
{
	(void)state;
	struct bench t;
	struct wire_resolved a;
	set_up(&t, "");
	resolve(&t, "four.test", &a);
	assert_int_equal(a.status, RESOLVED_OK);
	assert_int_equal(a.n_addresses, 1);
	assert_false(a.addresses[0].is_v6);
	assert_memory_equal(a.addresses[0].bytes, ((uint8_t[]){192, 0, 2, 7}), 4);
	assert_int_equal(a.addresses[0].ttl_s, 60);
	resolve(&t, "six.test", &a);
	assert_int_equal(a.n_addresses, 1);
	assert_true(a.addresses[0].is_v6);
	assert_int_equal(a.addresses[0].bytes[15], 1);
	assert_true(t.n_udp_sockets > 0);
	tear_down(&t);
}

static void what_does_not_exist_and_what_failed_are_told_apart(void **state)
{
	(void)state;
	struct bench t;
	struct wire_resolved a;
	set_up(&t, "");
	resolve(&t, "none.test", &a);
	assert_int_equal(a.status, RESOLVED_NO_SUCH_NAME);
	resolve(&t, "empty.test", &a);
	assert_int_equal(a.status, RESOLVED_NO_SUCH_NAME);
	resolve(&t, "broken.test", &a);
	assert_int_equal(a.status, RESOLVED_FAILED);
	resolve(&t, "four.test", &a); /* the twin */
	assert_int_equal(a.status, RESOLVED_OK);
	tear_down(&t);
}

static void a_cut_reply_is_asked_for_again_by_tcp_and_the_list_is_bounded(void **state)
{
	(void)state;
	struct bench t;
	struct wire_resolved a;
	set_up(&t, "");
	resolve(&t, "big.test", &a);
	assert_int_equal(a.status, RESOLVED_OK);
	assert_int_equal(a.n_addresses, WIRE_MAX_ADDRESSES);
	assert_int_equal(t.n_tcp_sockets, 1);
	tear_down(&t);
}

static void a_server_that_no_socket_leads_to_is_a_failure_and_no_hang(void **state)
{
	(void)state;
	struct bench t;
	struct wire_resolved a;
	/* the last two mean "on its way" to c-ares */
	static const int errors[] = {-ENETUNREACH, -EAGAIN, -EINPROGRESS};
	set_up(&t, "");
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		t.refuse_sockets = errors[i];
		resolve(&t, "four.test", &a);
		assert_int_equal(a.status, RESOLVED_FAILED);
	}
	t.refuse_sockets = 0;
	resolve(&t, "four.test", &a);
	assert_int_equal(a.status, RESOLVED_OK);
	tear_down(&t);
}

static void a_closed_server_port_is_a_failure_and_no_hang(void **state)
{
	(void)state;
	struct bench t;
	struct wire_resolved a;
	set_up(&t, "");
	fd_drop(&t.udp);
	t.udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC,
		       0); /* quiet; the old port now answers with ICMP */
	resolve(&t, "four.test", &a);
	assert_int_equal(a.status, RESOLVED_FAILED);
	tear_down(&t);
}

static void garbage_before_the_reply_changes_nothing(void **state)
{
	(void)state;
	struct bench t;
	struct wire_resolved a;
	set_up(&t, "");
	t.sends_garbage = true;
	resolve(&t, "four.test", &a);
	assert_int_equal(a.status, RESOLVED_OK);
	tear_down(&t);
}

static void the_hosts_file_comes_before_dns(void **state)
{
	(void)state;
	struct bench t;
	struct wire_resolved a;
	set_up(&t, "127.0.0.1 four.test\n2001:db8::5 FOUR.test\n");
	resolve(&t, "four.test", &a);
	assert_int_equal(a.n_addresses, 2);
	assert_int_equal(a.addresses[0].bytes[0], 127);
	assert_int_equal(a.addresses[1].bytes[15], 5);
	assert_int_equal(t.n_queries, 0);
	tear_down(&t);
}

static void names_that_c_ares_treats_its_own_way_are_answered_too(void **state)
{
	(void)state;
	/* RFC 6761 and 7686 names, no dot at all, and the longest there is */
	char longest[254];
	const char *const names[] = {"localhost", "x.localhost", "x.onion",
				     "four",	  "a_b.test",	 longest};
	struct bench t;
	struct wire_resolved a;

	for (size_t i = 0; i < 253; i++)
		longest[i] = i % 50 == 49 ? '.' : 'n';
	longest[253] = '\0';
	set_up(&t, "");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		resolve(&t, names[i], &a); /* a call that its filter refuses would end it here */
	resolve(&t, "four.test", &a);
	assert_int_equal(a.status, RESOLVED_OK);
	tear_down(&t);
}

static void a_question_that_is_no_name_is_a_breach(void **state)
{
	(void)state;
	struct bench t;
	struct wire_resolve q = {.ask = 1, .name_n = 3, .name = "a b"};
	set_up(&t, "");
	assert_int_equal(chan_send(&t.names, WIRE_RESOLVE, &q, NULL, 0, 0), 0);
	int status = end_status(&t);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	fd_drop(&t.names.fd);
	fd_drop(&t.sockets.fd);
	fd_drop(&t.udp);
	fd_drop(&t.tcp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_become_addresses_over_sockets_that_were_handed_in),
		cmocka_unit_test(what_does_not_exist_and_what_failed_are_told_apart),
		cmocka_unit_test(a_cut_reply_is_asked_for_again_by_tcp_and_the_list_is_bounded),
		cmocka_unit_test(a_server_that_no_socket_leads_to_is_a_failure_and_no_hang),
		cmocka_unit_test(a_closed_server_port_is_a_failure_and_no_hang),
		cmocka_unit_test(garbage_before_the_reply_changes_nothing),
		cmocka_unit_test(the_hosts_file_comes_before_dns),
		cmocka_unit_test(names_that_c_ares_treats_its_own_way_are_answered_too),
		cmocka_unit_test(a_question_that_is_no_name_is_a_breach),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
