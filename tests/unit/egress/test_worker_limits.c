/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_worker_limits.c - each limit of drydock-egress(8) through a real worker: under, at and over it */
#include "worker_rig.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char granted[] = "HTTP/1.1 200 Connection established\r\n\r\n";

static bool hears_within(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) > 0;
}

static int tunnel(struct rig *r, uint16_t port, enum wire_judge judge, int *out_server, uint64_t *out_flow)
{
	char request[100];
	int client = rig_client();

	(void)snprintf(request, sizeof(request), "CONNECT a.example:%u HTTP/1.1\r\nHost: a.example\r\n\r\n", port); /* fits */
	rig_send(client, request);
	*out_flow = rig_take_open(r, "a.example", port).flow;
	*out_server = rig_grant(r, *out_flow, judge, 0, "a.example");
	rig_expect(client, granted);
	return client;
}

static void a_head_of_64_kib_is_the_longest(void **state)
{
	static const char start[] = "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\nX: ";
	static char head[65536 + 1];
	struct rig *r = *state;

	for (size_t n = 65535; n <= 65537; n++) {
		int client = rig_client();
		memset(head, 'x', sizeof(head));
		memcpy(head, start, sizeof(start) - 1);
		memcpy(head + n - 4, "\r\n\r\n", 4);
		rig_send_bytes(client, head, n);
		if (n <= 65536) {
			rig_refuse(r, rig_take_open(r, "a.example", 443).flow, REASON_NOT_ALLOWLISTED);
			rig_expect(client, "HTTP/1.1 403 ");
		} else {
			rig_take_note(r, REASON_MALFORMED);
			rig_expect(client, "HTTP/1.1 400 ");
		}
		close(client);
	}
}

static void the_next_head_of_a_connection_has_the_same_limit(void **state)
{
	static const char start[] = "GET / HTTP/1.1\r\nHost: a.example\r\nX: ";
	static char head[65536 + 1];
	struct rig *r = *state;
	uint64_t flow;
	int server, client = tunnel(r, 80, JUDGE_HTTP, &server, &flow);

	for (size_t n = 65536; n <= 65537; n++) {
		memset(head, 'x', sizeof(head));
		memcpy(head, start, sizeof(start) - 1);
		memcpy(head + n - 4, "\r\n\r\n", 4);
		rig_send_bytes(client, head, n);
		if (n > 65536)
			break;
		rig_expect(server, "GET / HTTP/1.1\r\n");
		assert_true(strlen(rig_read_head(server)) > 65000);
		rig_send(server, "HTTP/1.1 204 No Content\r\n\r\n");
		rig_expect(client, "HTTP/1.1 204 No Content\r\n\r\n");
	}
	rig_take_close(r, flow, REASON_MALFORMED);
	rig_expect_end(server);
	close(client);
	close(server);
}

/* A ClientHello of @n bytes for a.example, in records of 16 KiB; returns the bytes with their heads. */
static size_t long_hello(size_t n, uint8_t *out)
{
	static uint8_t hello[65536 + 1];
	static const uint8_t sni[] = {0, 0, 0, 14, 0, 12, 0, 0, 9, 'a', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e'};
	static const uint8_t middle[] = {0, 0, 2, 0x13, 1, 1, 0};
	size_t at = 0, used = 0, ext_n = n - 4 - 34 - sizeof(middle) - 2;
	size_t pad_n = ext_n - sizeof(sni) - 4;

	memset(hello, 0, sizeof(hello));
	hello[0] = 1;
	hello[1] = (uint8_t)((n - 4) >> 16);
	hello[2] = (uint8_t)((n - 4) >> 8);
	hello[3] = (uint8_t)(n - 4);
	hello[4] = hello[5] = 3;
	at = 4 + 34;
	memcpy(hello + at, middle, sizeof(middle));
	at += sizeof(middle);
	hello[at++] = (uint8_t)(ext_n >> 8);
	hello[at++] = (uint8_t)ext_n;
	memcpy(hello + at, sni, sizeof(sni));
	at += sizeof(sni);
	hello[at + 1] = 21; /* padding */
	hello[at + 2] = (uint8_t)(pad_n >> 8);
	hello[at + 3] = (uint8_t)pad_n;
	for (size_t i = 0; i < n; i += 16384) {
		size_t part = n - i < 16384 ? n - i : 16384;
		uint8_t record[] = {22, 3, 1, (uint8_t)(part >> 8), (uint8_t)part};
		memcpy(out + used, record, sizeof(record));
		memcpy(out + used + sizeof(record), hello + i, part);
		used += sizeof(record) + part;
	}
	return used;
}

static void a_hello_of_64_kib_is_the_longest(void **state)
{
	static uint8_t bytes[66000], seen[66000];
	struct rig *r = *state;

	for (size_t n = 65535; n <= 65537; n++) {
		uint64_t flow;
		int server, client = tunnel(r, 443, JUDGE_TLS, &server, &flow);
		size_t sent = long_hello(n, bytes);
		rig_send_bytes(client, bytes, sent);
		if (n <= 65536) {
			assert_int_equal(recv(server, seen, sent, MSG_WAITALL), sent);
			assert_memory_equal(seen, bytes, sent);
			close(client);
			close(server);
			rig_take_close(r, flow, REASON_NONE);
			continue;
		}
		rig_take_close(r, flow, REASON_NOT_TLS);
		rig_expect_end(server);
		close(client);
		close(server);
	}
}

/* The worker passes on what fits a message; what is a name is for the broker to say. */
static void a_host_of_255_bytes_is_the_longest_that_is_asked_for(void **state)
{
	struct rig *r = *state;

	for (size_t n = 254; n <= 256; n++) {
		char host[300], request[700];
		int client = rig_client();
		memset(host, 'a', n);
		host[n] = '\0';
		(void)snprintf(request, sizeof(request), "CONNECT %s:443 HTTP/1.1\r\nHost: %s\r\n\r\n", host, host); /* fits */
		rig_send(client, request);
		if (n <= 255) {
			rig_refuse(r, rig_take_open(r, host, 443).flow, REASON_MALFORMED);
		} else {
			struct wire_note note = rig_take_note(r, REASON_MALFORMED);
			assert_int_equal(note.name_n, 255);
		}
		rig_expect(client, "HTTP/1.1 400 ");
		close(client);
	}
}

/* Silence takes a place only while there is room. */
static void the_silent_give_way_when_all_places_are_taken(void **state)
{
	struct rig *r = *state;
	int silent[RIG_MAX_FLOWS], server;
	uint64_t flow;
	char byte;

	int talker = tunnel(r, 22, JUDGE_RAW, &server, &flow);
	for (int i = 0; i < RIG_MAX_FLOWS - 1; i++) {
		silent[i] = rig_client();
		rig_send(silent[i], "C");
	}
	int late = rig_client();
	rig_send(late, "CONNECT late.example:443 HTTP/1.1\r\nHost: late.example\r\n\r\n");
	rig_refuse(r, rig_take_open(r, "late.example", 443).flow, REASON_NOT_ALLOWLISTED);
	rig_expect(late, "HTTP/1.1 403 ");
	rig_expect_end(silent[0]);
	rig_send(talker, "still here");
	rig_expect(server, "still here");
	for (int i = 0; i < RIG_MAX_FLOWS - 1; i++)
		close(silent[i]);
	assert_true(recv(late, &byte, 1, 0) >= 0);
	close(late);
	close(talker);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

static void the_silent_stay_while_there_is_room(void **state)
{
	struct rig *r = *state;
	int silent[RIG_MAX_FLOWS];

	for (int i = 0; i < RIG_MAX_FLOWS - 1; i++) {
		silent[i] = rig_client();
		rig_send(silent[i], "C");
	}
	int late = rig_client();
	rig_send(late, "CONNECT late.example:443 HTTP/1.1\r\nHost: late.example\r\n\r\n");
	rig_refuse(r, rig_take_open(r, "late.example", 443).flow, REASON_NOT_ALLOWLISTED);
	rig_expect(late, "HTTP/1.1 403 ");
	close(late);
	assert_false(hears_within(silent[0], 200));
	for (int i = 0; i < RIG_MAX_FLOWS - 1; i++)
		close(silent[i]);
}

/* No more than WORKER_MAX_ASKS questions are open; who comes then is accepted when one was answered. */
static void with_256_questions_open_the_next_client_waits(void **state)
{
	struct rig *r = *state;
	static int clients[WORKER_MAX_ASKS + 1];
	static uint64_t flows[WORKER_MAX_ASKS + 1];

	for (int i = 0; i < WORKER_MAX_ASKS; i++) {
		clients[i] = rig_client();
		rig_send(clients[i], "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n");
		flows[i] = rig_take_open(r, "a.example", 443).flow;
	}
	int late = rig_client();
	rig_send(late, "CONNECT late.example:443 HTTP/1.1\r\nHost: late.example\r\n\r\n");
	assert_false(hears_within(r->broker.fd, 100));
	rig_refuse(r, flows[0], REASON_NOT_ALLOWLISTED);
	rig_expect(clients[0], "HTTP/1.1 403 ");
	rig_refuse(r, rig_take_open(r, "late.example", 443).flow, REASON_NOT_ALLOWLISTED);
	rig_expect(late, "HTTP/1.1 403 ");
	close(late);
	for (int i = 1; i < WORKER_MAX_ASKS; i++) {
		rig_refuse(r, flows[i], REASON_NOT_ALLOWLISTED);
		rig_expect(clients[i], "HTTP/1.1 403 ");
	}
	for (int i = 0; i < WORKER_MAX_ASKS; i++)
		close(clients[i]);
}

/* One byte now and then until the connection ends; how many went. */
static int drip(int fd, const char *text)
{
	int n = 0;

	while (text[n] && send(fd, text + n, 1, MSG_NOSIGNAL) == 1 && !hears_within(fd, 5))
		n++;
	return n;
}

#define LONG_FIELD "X: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"

static void a_head_that_drips_is_not_waited_for(void **state)
{
	static const char head[] = "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n" LONG_FIELD "\r\n";
	int client = rig_client();

	(void)state;
	assert_true(drip(client, head) < (int)sizeof(head) - 1);
	rig_expect_over(client);
	close(client);
}

static void a_hello_that_drips_is_not_waited_for(void **state)
{
	struct rig *r = *state;
	uint8_t hello[1024];
	uint64_t flow;
	int server, client = tunnel(r, 443, JUDGE_TLS, &server, &flow);
	size_t n = rig_hello("a.example", false, 2, hello), i = 0;

	while (i < n && send(client, hello + i, 1, MSG_NOSIGNAL) == 1 && !hears_within(client, 5))
		i++;
	assert_true(i < n);
	rig_expect_over(client);
	rig_expect_end(server);
	close(client);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

static void a_second_head_that_drips_is_not_waited_for_but_a_body_is(void **state)
{
	static const char body[] = LONG_FIELD LONG_FIELD;
	char put[100];
	static const char head[] = "GET / HTTP/1.1\r\nHost: a.example\r\n" LONG_FIELD "\r\n";
	struct rig *r = *state;
	uint64_t flow;
	int server, client = tunnel(r, 80, JUDGE_HTTP, &server, &flow);

	(void)snprintf(put, sizeof(put), "PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %zu\r\n\r\n",
		       sizeof(body) - 1); /* fits */
	rig_send(client, put);
	rig_expect(server, put);
	assert_int_equal(drip(client, body), sizeof(body) - 1); /* takes more than twice the limit */
	rig_expect(server, body);
	rig_send(server, "HTTP/1.1 204 No Content\r\n\r\n");
	rig_expect(client, "HTTP/1.1 204 No Content\r\n\r\n");
	assert_true(drip(client, head) < (int)sizeof(head) - 1);
	rig_expect_over(client);
	rig_expect_end(server);
	close(client);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

#define RIG(test) cmocka_unit_test_setup_teardown(test, rig_up, rig_down)
#define ROOMY(test) cmocka_unit_test_setup_teardown(test, rig_up_roomy, rig_down)
#define BRISK(test) cmocka_unit_test_setup_teardown(test, rig_up_brisk, rig_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG(a_head_of_64_kib_is_the_longest),
		RIG(the_next_head_of_a_connection_has_the_same_limit),
		RIG(a_hello_of_64_kib_is_the_longest),
		RIG(a_host_of_255_bytes_is_the_longest_that_is_asked_for),
		RIG(the_silent_give_way_when_all_places_are_taken),
		RIG(the_silent_stay_while_there_is_room),
		ROOMY(with_256_questions_open_the_next_client_waits),
		BRISK(a_head_that_drips_is_not_waited_for),
		BRISK(a_hello_that_drips_is_not_waited_for),
		BRISK(a_second_head_that_drips_is_not_waited_for_but_a_body_is),
	};
	return rig_namespace() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
