/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_worker_http.c - plain HTTP judged request by request: what passes, as what, and what does not */
#include "worker_rig.h"

#include <stdio.h>
#include <unistd.h>

/* Sends one absolute-form request for host.example and lets it through. */
static int ask(struct rig *r, const char *request, int *out_server, uint64_t *out_flow)
{
	int client = rig_client();

	rig_send(client, request);
	struct wire_open q = rig_take_open(r, "host.example", 80);
	assert_int_equal(q.seen_in, SEEN_IN_HTTP);
	*out_flow = q.flow;
	*out_server = rig_grant(r, q.flow, JUDGE_HTTP, 0, "host.example");
	return client;
}

static void a_request_reaches_the_server_rewritten(void **state)
{
	struct rig *r = *state;
	int client = rig_client();

	rig_send(client, "GET http://HOST.example/a?b=c HTTP/1.1\r\nHost: HOST.example\r\nAccept: */*\r\n"
			 "Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\n"
			 "Connection: X-Private\r\nX-Private: 1\r\nTE: trailers\r\n\r\n");
	uint64_t flow = rig_take_open(r, "HOST.example", 80).flow;
	int server = rig_grant(r, flow, JUDGE_HTTP, 0, "host.example");
	rig_expect(server, "GET /a?b=c HTTP/1.1\r\nHost: host.example\r\nAccept: */*\r\n\r\n");
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nKeep-Alive: timeout=5\r\nX-Is: kept\r\n\r\nhello");
	rig_expect(client, "HTTP/1.1 200 OK\r\nX-Is: kept\r\nContent-Length: 5\r\n\r\nhello");
	close(client);
	rig_expect_end(server);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

static void requests_of_one_connection_share_the_upstream(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r, "GET http://host.example/1 HTTP/1.1\r\nHost: host.example\r\n\r\n", &server, &flow);

	rig_expect(server, "GET /1 HTTP/1.1\r\nHost: host.example\r\n\r\n");
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	rig_expect(client, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	rig_send(client, "GET http://host.example:80/2 HTTP/1.1\r\nHost: host.example\r\n\r\n");
	rig_expect(server, "GET /2 HTTP/1.1\r\nHost: host.example\r\n\r\n");
	rig_send(server, "HTTP/1.1 204 No Content\r\n\r\n");
	rig_expect(client, "HTTP/1.1 204 No Content\r\n\r\n");
	rig_is_silent(r);
	close(client);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

static void another_host_is_another_question_and_another_upstream(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r, "GET http://host.example/1 HTTP/1.1\r\nHost: host.example\r\n\r\n", &server, &flow);

	rig_expect(server, "GET /1 HTTP/1.1\r\nHost: host.example\r\n\r\n");
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	rig_expect(client, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	rig_send(client, "GET http://other.example:8080/2 HTTP/1.1\r\nHost: other.example:8080\r\n\r\n");
	rig_take_close(r, flow, REASON_NONE);
	rig_expect_end(server);
	uint64_t second = rig_take_open(r, "other.example", 8080).flow;
	int other = rig_grant(r, second, JUDGE_HTTP, 0, "other.example");
	rig_expect(other, "GET /2 HTTP/1.1\r\nHost: other.example:8080\r\n\r\n");
	rig_send(other, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
	rig_expect(client, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
	rig_send(client, "GET http://evil.example/3 HTTP/1.1\r\nHost: evil.example\r\n\r\n");
	rig_take_close(r, second, REASON_NONE);
	rig_refuse(r, rig_take_open(r, "evil.example", 80).flow, REASON_NOT_ALLOWLISTED);
	assert_non_null(strstr(rig_read_all(client), "HTTP/1.1 403 Blocked by drydock: evil.example"));
	close(client);
	close(server);
	close(other);
}

static void pipelined_requests_are_served_one_after_the_other(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r,
				 "GET http://host.example/1 HTTP/1.1\r\nHost: host.example\r\n\r\n"
				 "GET http://evil.example/2 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
				 &server, &flow);

	rig_expect(server, "GET /1 HTTP/1.1\r\nHost: host.example\r\n\r\n");
	rig_is_silent(r);
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	rig_expect(client, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	rig_take_close(r, flow, REASON_NONE);
	rig_expect_end(server); /* nothing of the second request went there */
	rig_refuse(r, rig_take_open(r, "evil.example", 80).flow, REASON_NOT_ALLOWLISTED);
	rig_expect(client, "HTTP/1.1 403 ");
	close(client);
	close(server);
}

static void bodies_move_both_ways_in_chunks_and_by_length(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r,
				 "POST http://host.example/ HTTP/1.1\r\nHost: host.example\r\n"
				 "Transfer-Encoding: chunked\r\n\r\n3\r\nab",
				 &server, &flow);

	rig_expect(server, "POST / HTTP/1.1\r\nHost: host.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab");
	rig_send(client, "c\r\n0\r\n\r\n");
	rig_expect(server, "c\r\n0\r\n\r\n");
	rig_send(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n");
	rig_expect(client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n");
	rig_send(server, "0\r\n\r\n");
	rig_expect(client, "0\r\n\r\n");
	rig_send(client, "PUT http://host.example/ HTTP/1.1\r\nHost: host.example\r\nContent-Length: 4\r\n\r\nbody");
	rig_expect(server, "PUT / HTTP/1.1\r\nHost: host.example\r\nContent-Length: 4\r\n\r\nbody");
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	rig_expect(client, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	close(client);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

static void a_client_that_waits_for_100_gets_it(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r,
				 "POST http://host.example/ HTTP/1.1\r\nHost: host.example\r\n"
				 "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
				 &server, &flow);

	rig_expect(server, "POST / HTTP/1.1\r\nHost: host.example\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	rig_send(server, "HTTP/1.1 100 Continue\r\n\r\n");
	rig_expect(client, "HTTP/1.1 100 Continue\r\n\r\n");
	rig_send(client, "ok");
	rig_expect(server, "ok");
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	rig_expect(client, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	close(client);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

static void a_head_response_has_no_body_whatever_it_says(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r, "HEAD http://host.example/ HTTP/1.1\r\nHost: host.example\r\n\r\n", &server, &flow);

	rig_expect(server, "HEAD / HTTP/1.1\r\n");
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	rig_expect(client, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	rig_send(client, "GET http://host.example/2 HTTP/1.1\r\nHost: host.example\r\n\r\n");
	rig_expect(server, "Host: host.example\r\n\r\nGET /2 HTTP/1.1\r\n");
	close(client);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

static void a_response_without_length_ends_with_the_connection(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r, "GET http://host.example/ HTTP/1.0\r\nHost: host.example\r\n\r\n", &server, &flow);

	rig_expect(server, "GET / HTTP/1.0\r\nHost: host.example\r\n\r\n");
	rig_send(server, "HTTP/1.0 200 OK\r\n\r\nall of it");
	close(server);
	assert_string_equal(rig_read_all(client), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it");
	rig_take_close(r, flow, REASON_NONE);
	close(client);
}

static void a_response_that_is_cut_short_does_not_look_whole(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r, "GET http://host.example/ HTTP/1.1\r\nHost: host.example\r\n\r\n", &server, &flow);

	rig_expect(server, "GET / HTTP/1.1\r\nHost: host.example\r\n\r\n");
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
	rig_expect(client, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
	close(server);
	rig_expect_reset(client);
	rig_take_close(r, flow, REASON_NONE);
	close(client);
}

static void a_server_that_answers_nonsense_is_a_bad_gateway(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r, "GET http://host.example/ HTTP/1.1\r\nHost: host.example\r\n\r\n", &server, &flow);

	rig_expect(server, "GET / HTTP/1.1\r\nHost: host.example\r\n\r\n");
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab");
	rig_take_close(r, flow, REASON_MALFORMED);
	assert_non_null(strstr(rig_read_all(client), "HTTP/1.1 502 "));
	close(client);
	close(server);
}

static void bytes_after_a_response_are_never_the_next_one(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r, "GET http://host.example/ HTTP/1.1\r\nHost: host.example\r\n\r\n", &server, &flow);

	rig_expect(server, "GET / HTTP/1.1\r\nHost: host.example\r\n\r\n");
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
	rig_expect(client, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	rig_take_close(r, flow, REASON_NONE);
	rig_send(client, "GET http://host.example/2 HTTP/1.1\r\nHost: host.example\r\n\r\n");
	uint64_t second = rig_take_open(r, "host.example", 80).flow;
	int other = rig_grant(r, second, JUDGE_HTTP, 0, "host.example");
	rig_expect(other, "GET /2 HTTP/1.1\r\n");
	rig_send(other, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
	rig_expect(client, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
	close(client);
	close(server);
	close(other);
	rig_take_close(r, second, REASON_NONE);
}

static void an_idle_upstream_that_closes_is_replaced(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r, "GET http://host.example/ HTTP/1.1\r\nHost: host.example\r\n\r\n", &server, &flow);

	rig_expect(server, "GET / HTTP/1.1\r\nHost: host.example\r\n\r\n");
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	rig_expect(client, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	close(server);
	rig_take_close(r, flow, REASON_NONE);
	rig_send(client, "GET http://host.example/2 HTTP/1.1\r\nHost: host.example\r\n\r\n");
	uint64_t second = rig_take_open(r, "host.example", 80).flow;
	int other = rig_grant(r, second, JUDGE_HTTP, 0, "host.example");
	rig_expect(other, "GET /2 HTTP/1.1\r\n");
	close(client);
	close(other);
	rig_take_close(r, second, REASON_NONE);
}

static void malformed(struct rig *r, const char *request)
{
	int client = rig_client();

	rig_send(client, request);
	rig_take_note(r, REASON_MALFORMED);
	rig_expect(client, "HTTP/1.1 400 ");
	close(client);
	rig_is_silent(r);
}

static void requests_that_can_be_read_in_two_ways_reach_nobody(void **state)
{
#define START "POST http://host.example/ HTTP/1.1\r\nHost: host.example\r\n"
	static const char *const requests[] = {
		START "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		START "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		START "Content-Length: +5\r\n\r\nhello",
		START "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
		START "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		START "X: a\r\n folded\r\n\r\n",
		START "X: a\nY: b\r\n\r\n",
		"GET http://host.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n",
		"GET http://host.example/ HTTP/1.1\r\nHost: host.example\r\nHost: host.example\r\n\r\n",
		"GET http://host.example/ HTTP/1.1\r\n\r\n",
		"GET http://user@host.example/ HTTP/1.1\r\nHost: host.example\r\n\r\n",
		"GET ftp://host.example/ HTTP/1.1\r\nHost: host.example\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	};
#undef START

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		malformed(*state, requests[i]);
}

static void a_body_whose_chunks_are_malformed_ends_the_flow(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r,
				 "POST http://host.example/ HTTP/1.1\r\nHost: host.example\r\n"
				 "Transfer-Encoding: chunked\r\n\r\n",
				 &server, &flow);

	rig_expect(server, "POST / HTTP/1.1\r\nHost: host.example\r\nTransfer-Encoding: chunked\r\n\r\n");
	rig_send(client, "0x5\r\nhello\r\n0\r\n\r\n");
	rig_take_close(r, flow, REASON_NONE);
	rig_take_note(r, REASON_MALFORMED);
	rig_expect_end(server);
	rig_expect(client, "HTTP/1.1 400 ");
	close(client);
	close(server);
}

/* CONNECT to port 80: requests inside are judged. */
static int tunnel(struct rig *r, int *out_server, uint64_t *out_flow)
{
	int client = rig_client();

	rig_send(client, "CONNECT host.example:80 HTTP/1.1\r\nHost: host.example:80\r\n\r\n");
	*out_flow = rig_take_open(r, "host.example", 80).flow;
	*out_server = rig_grant(r, *out_flow, JUDGE_HTTP, 0, "host.example");
	rig_expect(client, "HTTP/1.1 200 Connection established\r\n\r\n");
	return client;
}

static void inside_a_tunnel_every_host_must_be_the_name(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = tunnel(r, &server, &flow);

	rig_send(client, "GET /1 HTTP/1.1\r\nHost: Host.Example.\r\n\r\n");
	rig_expect(server, "GET /1 HTTP/1.1\r\nHost: host.example\r\n\r\n");
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	rig_expect(client, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	rig_send(client, "GET /2 HTTP/1.1\r\nHost: evil.example\r\n\r\n");
	struct wire_close c = rig_take_close(r, flow, REASON_HOST_MISMATCH);
	assert_int_equal(c.detail_n, 12);
	assert_memory_equal(c.detail, "evil.example", 12);
	rig_expect_end(server);
	assert_non_null(strstr(rig_read_all(client), "\nreason:  host-mismatch - "));
	close(client);
	close(server);
}

static void inside_a_tunnel_an_absolute_target_must_be_the_name_too(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = tunnel(r, &server, &flow);

	rig_send(client, "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n");
	rig_take_close(r, flow, REASON_HOST_MISMATCH);
	rig_expect_end(server);
	close(client);
	close(server);
}

static void inside_a_tunnel_what_is_not_http_reaches_nobody(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = tunnel(r, &server, &flow);

	rig_send(client, "SSH-2.0-x\r\n");
	rig_take_close(r, flow, REASON_MALFORMED);
	rig_expect_end(server);
	close(client);
	close(server);
}

static void transparent_http_is_judged_the_same(void **state)
{
	struct rig *r = *state;
	int client = rig_connect("198.18.0.99", 80);
	struct wire_open q = rig_take_open(r, "198.18.0.99", 80);
	int server = rig_grant(r, q.flow, JUDGE_HTTP, 0, "198.18.0.99");

	rig_send(client, "GET / HTTP/1.1\r\nHost: 198.18.0.99\r\n\r\n");
	rig_expect(server, "GET / HTTP/1.1\r\nHost: 198.18.0.99\r\n\r\n");
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	rig_expect(client, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	rig_send(client, "GET / HTTP/1.1\r\nHost: 198.18.0.98\r\n\r\n");
	rig_take_close(r, q.flow, REASON_HOST_MISMATCH);
	close(client);
	close(server);
}

#define WEBSOCKET "Connection: Upgrade\r\nUpgrade: websocket\r\n"

static void after_a_101_that_was_asked_for_bytes_pass_unread(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = tunnel(r, &server, &flow);

	rig_send(client, "GET /chat HTTP/1.1\r\nHost: host.example\r\n" WEBSOCKET "\r\n");
	rig_expect(server, "GET /chat HTTP/1.1\r\nHost: host.example\r\n" WEBSOCKET "\r\n");
	rig_send(server, "HTTP/1.1 101 Switching Protocols\r\n" WEBSOCKET "\r\n\x81\x02hi");
	rig_expect(client, "HTTP/1.1 101 Switching Protocols\r\n" WEBSOCKET "\r\n\x81\x02hi");
	rig_send(client, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
	rig_expect(server, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
	close(client);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

static void a_101_that_nobody_asked_for_opens_nothing(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = tunnel(r, &server, &flow);

	rig_send(client, "GET /chat HTTP/1.1\r\nHost: host.example\r\n\r\n");
	rig_expect(server, "GET /chat HTTP/1.1\r\nHost: host.example\r\n\r\n");
	rig_send(server, "HTTP/1.1 101 Switching Protocols\r\n" WEBSOCKET "\r\n");
	rig_take_close(r, flow, REASON_MALFORMED);
	rig_expect(client, "HTTP/1.1 502 ");
	close(client);
	close(server);
}

static void an_upgrade_to_http2_is_left_out(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = tunnel(r, &server, &flow);

	rig_send(client, "GET / HTTP/1.1\r\nHost: host.example\r\nConnection: Upgrade, HTTP2-Settings\r\n"
			 "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
	rig_expect(server, "GET / HTTP/1.1\r\nHost: host.example\r\n\r\n");
	close(client);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

enum { BIG_BYTES = 20 << 20 };

static void a_big_response_waits_for_a_slow_reader_and_arrives_whole(void **state)
{
	static uint8_t block[65536];
	struct rig *r = *state;
	uint64_t flow;
	int server, client = tunnel(r, &server, &flow);
	size_t sent = 0, got = 0;

	rig_send(client, "GET / HTTP/1.1\r\nHost: host.example\r\n\r\n");
	rig_expect(server, "GET / HTTP/1.1\r\nHost: host.example\r\n\r\n");
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 20971520\r\n\r\n");
	rig_expect(client, "HTTP/1.1 200 OK\r\nContent-Length: 20971520\r\n\r\n");
	while (got < BIG_BYTES) {
		ssize_t n = 1;
		while (sent < BIG_BYTES && n > 0) {
			size_t most = BIG_BYTES - sent < sizeof(block) ? BIG_BYTES - sent : sizeof(block);
			n = send(server, block, most, MSG_DONTWAIT | MSG_NOSIGNAL);
			sent += n > 0 ? (size_t)n : 0;
		}
		if (got == 0)
			assert_true(sent < BIG_BYTES);
		n = recv(client, block, sizeof(block), 0);
		assert_true(n > 0);
		got += (size_t)n;
	}
	rig_send(client, "GET /next HTTP/1.1\r\nHost: host.example\r\n\r\n");
	rig_expect(server, "GET /next HTTP/1.1\r\n");
	close(client);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

static void a_big_upload_arrives_whole(void **state)
{
	static uint8_t block[65536];
	struct rig *r = *state;
	uint64_t flow;
	int server, client = tunnel(r, &server, &flow);
	size_t sent = 0, got = 0;

	rig_send(client, "PUT / HTTP/1.1\r\nHost: host.example\r\nContent-Length: 20971520\r\n\r\n");
	rig_expect(server, "PUT / HTTP/1.1\r\nHost: host.example\r\nContent-Length: 20971520\r\n\r\n");
	while (got < BIG_BYTES) {
		ssize_t n = 1;
		while (sent < BIG_BYTES && n > 0) {
			size_t most = BIG_BYTES - sent < sizeof(block) ? BIG_BYTES - sent : sizeof(block);
			n = send(client, block, most, MSG_DONTWAIT | MSG_NOSIGNAL);
			sent += n > 0 ? (size_t)n : 0;
		}
		n = recv(server, block, sizeof(block), 0);
		assert_true(n > 0);
		got += (size_t)n;
	}
	rig_send(server, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
	rig_expect(client, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
	close(client);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

#define RIG(test) cmocka_unit_test_setup_teardown(test, rig_up, rig_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG(a_request_reaches_the_server_rewritten),
		RIG(requests_of_one_connection_share_the_upstream),
		RIG(another_host_is_another_question_and_another_upstream),
		RIG(pipelined_requests_are_served_one_after_the_other),
		RIG(bodies_move_both_ways_in_chunks_and_by_length),
		RIG(a_client_that_waits_for_100_gets_it),
		RIG(a_head_response_has_no_body_whatever_it_says),
		RIG(a_response_without_length_ends_with_the_connection),
		RIG(a_response_that_is_cut_short_does_not_look_whole),
		RIG(a_server_that_answers_nonsense_is_a_bad_gateway),
		RIG(bytes_after_a_response_are_never_the_next_one),
		RIG(an_idle_upstream_that_closes_is_replaced),
		RIG(requests_that_can_be_read_in_two_ways_reach_nobody),
		RIG(a_body_whose_chunks_are_malformed_ends_the_flow),
		RIG(inside_a_tunnel_every_host_must_be_the_name),
		RIG(inside_a_tunnel_an_absolute_target_must_be_the_name_too),
		RIG(inside_a_tunnel_what_is_not_http_reaches_nobody),
		RIG(transparent_http_is_judged_the_same),
		RIG(after_a_101_that_was_asked_for_bytes_pass_unread),
		RIG(a_101_that_nobody_asked_for_opens_nothing),
		RIG(an_upgrade_to_http2_is_left_out),
		RIG(a_big_response_waits_for_a_slow_reader_and_arrives_whole),
		RIG(a_big_upload_arrives_whole),
	};
	return rig_namespace() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
