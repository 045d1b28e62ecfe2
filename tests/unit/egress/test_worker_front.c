/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_worker_front.c - each way in: what is taken, what is left out, what is refused, on purpose */
#include "worker_rig.h"

#include <stdio.h>
#include <unistd.h>

#define REQUEST(method) method " http://host.example/ HTTP/1.1\r\nHost: host.example\r\n"
#define WEBSOCKET "Connection: Upgrade\r\nUpgrade: websocket\r\n"

static int ask(struct rig *r, const char *request, int *out_server, uint64_t *out_flow)
{
	int client = rig_client();

	rig_send(client, request);
	*out_flow = rig_take_open(r, "host.example", 80).flow;
	*out_server = rig_grant(r, *out_flow, JUDGE_HTTP, 0, "host.example");
	return client;
}

static void leave(struct rig *r, int client, int server, uint64_t flow)
{
	close(client);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

/* What the broker is asked for, byte by byte; it alone decides what is a name. */
static void connect_is_taken_in_each_of_its_forms(void **state)
{
	static const struct {
		const char *request, *name;
		uint16_t port;
	} rows[] = {
		{"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", "a.example", 443},
		{"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n", "a.example", 443},
		{"CONNECT A.Example:443 HTTP/1.1\r\nhost: a.eXample:443\r\n\r\n", "A.Example", 443},
		{"CONNECT a.example.:443 HTTP/1.1\r\nHost: a.example.:443\r\n\r\n", "a.example.", 443},
		{"CONNECT a.example:1 HTTP/1.1\r\nHost: a.example:1\r\n\r\n", "a.example", 1},
		{"CONNECT a.example:65535 HTTP/1.1\r\nHost: a.example:65535\r\n\r\n", "a.example", 65535},
		{"CONNECT a.example:80 HTTP/1.0\r\n\r\n", "a.example", 80},
		{"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n", "a.example", 443},
		{"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\nProxy-Connection: Keep-Alive\r\n"
		 "User-Agent: x\r\nProxy-Authorization: Basic eA==\r\n\r\n", "a.example", 443},
		{"CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", "192.0.2.1", 443},
		{"CONNECT 0x7f.1:443 HTTP/1.1\r\nHost: 0x7f.1\r\n\r\n", "0x7f.1", 443},
		{"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n", "2001:db8::1", 443},
		{"CONNECT a%2eexample:443 HTTP/1.1\r\nHost: a%2eexample\r\n\r\n", "a%2eexample", 443},
		{"CONNECT a_b!$&'()*+,;=~:443 HTTP/1.1\r\nHost: a_b!$&'()*+,;=~\r\n\r\n", "a_b!$&'()*+,;=~", 443},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int client = rig_client();
		rig_send(client, rows[i].request);
		rig_refuse(r, rig_take_open(r, rows[i].name, rows[i].port).flow, REASON_NOT_ALLOWLISTED);
		rig_expect(client, "HTTP/1.1 403 ");
		close(client);
	}
}

static void every_other_connect_is_malformed(void **state)
{
	static const char *const targets[] = {
		"a.example", "a.example:", "a.example:0", "a.example:0443", "a.example:65536", "a.example:4294967739",
		"a.example:443:443", "a.example:+443", "a.example:-1", "a.example:0x1bb", "a.example:https", ":443", "443",
		"/", "*", "/a.example:443", "a.example:443/", "a.example:443?x", "a.example:443#x", "//a.example:443",
		"http://a.example:443", "https://a.example:443/", "user@a.example:443", "user:pw@a.example:443",
		"a.example@b.example:443", "a.example,b.example:443,443:443", "[a.example:443", "a.example]:443", "[]:443",
		"::1:443", "[::1]443", "[::1]", "a\\b:443", "a b:443", "<a>:443", "a\"b:443", "a.example:443 HTTP/1.1 x",
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		char request[400];
		int client = rig_client();
		(void)snprintf(request, sizeof(request), "CONNECT %s HTTP/1.1\r\nHost: a.example\r\n\r\n", targets[i]); /* fits */
		rig_send(client, request);
		rig_take_note(r, REASON_MALFORMED);
		rig_expect(client, "HTTP/1.1 400 ");
		close(client);
		rig_is_silent(r);
	}
}

static void http2_with_prior_knowledge_is_refused_at_the_door_and_in_a_tunnel(void **state)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	struct rig *r = *state;
	int client = rig_client();

	rig_send_bytes(client, preface, sizeof(preface) - 1);
	rig_take_note(r, REASON_MALFORMED);
	rig_expect(client, "HTTP/1.1 400 ");
	close(client);

	client = rig_client();
	rig_send(client, "CONNECT host.example:80 HTTP/1.1\r\nHost: host.example:80\r\n\r\n");
	uint64_t flow = rig_take_open(r, "host.example", 80).flow;
	int server = rig_grant(r, flow, JUDGE_HTTP, 0, "host.example");
	rig_expect(client, "HTTP/1.1 200 Connection established\r\n\r\n");
	rig_send_bytes(client, preface, sizeof(preface) - 1);
	rig_take_close(r, flow, REASON_MALFORMED);
	rig_expect_end(server);
	close(client);
	close(server);
}

/* The connection could carry anything for anybody afterwards: the server is not told of the offer. */
static void an_upgrade_to_anything_but_websocket_is_left_out(void **state)
{
	static const char *const offers[] = {
		"Upgrade: h2c\r\n", "Upgrade: H2C\r\n", "Upgrade: websocket, h2c\r\n", "Upgrade: h2c, websocket\r\n",
		"Upgrade: websocket\r\nUpgrade: h2c\r\n", "Upgrade: h2c\r\nUpgrade: websocket\r\n", "Upgrade: HTTP/2.0\r\n",
		"Upgrade: TLS/1.2\r\n", "Upgrade: SPDY/3.1\r\n", "Upgrade: tcp\r\n", "Upgrade: connect-udp\r\n", "Upgrade:\r\n",
		"Upgrade: websocket/13\r\n",
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		char request[400];
		uint64_t flow;
		int server;
		(void)snprintf(request, sizeof(request),
			       REQUEST("GET") "Connection: Upgrade, HTTP2-Settings\r\n%s"
			       "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", offers[i]); /* fits */
		int client = ask(r, request, &server, &flow);
		rig_expect(server, "GET / HTTP/1.1\r\nHost: host.example\r\n\r\n");
		rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
		rig_expect(client, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
		leave(r, client, server, flow);
	}
}

static void a_101_to_another_protocol_than_was_asked_for_opens_nothing(void **state)
{
	static const char *const answers[] = {"Upgrade: h2c\r\n", "", "Upgrade: websocket\r\nUpgrade: h2c\r\n"};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		char answer[200];
		uint64_t flow;
		int server, client = ask(r, REQUEST("GET") WEBSOCKET "\r\n", &server, &flow);
		rig_expect(server, "GET / HTTP/1.1\r\nHost: host.example\r\n" WEBSOCKET "\r\n");
		(void)snprintf(answer, sizeof(answer), "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n%s\r\n",
			       answers[i]); /* fits */
		rig_send(server, answer);
		rig_take_close(r, flow, REASON_MALFORMED);
		rig_expect(client, "HTTP/1.1 502 ");
		close(client);
		close(server);
	}
}

static void a_websocket_is_open_after_its_101(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r, REQUEST("GET") "Sec-WebSocket-Key: eA==\r\nConnection: keep-alive, upgrade\r\n"
					       "Upgrade: WebSocket\r\n\r\n\x81\x02hi", &server, &flow);

	rig_expect(server, "GET / HTTP/1.1\r\nHost: host.example\r\nSec-WebSocket-Key: eA==\r\n"
			   "Connection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n");
	rig_send(server, "HTTP/1.1 101 Switching Protocols\r\n" WEBSOCKET "\r\n");
	rig_expect(client, "HTTP/1.1 101 Switching Protocols\r\n" WEBSOCKET "\r\n");
	rig_expect(server, "\x81\x02hi"); /* sent early: it waited for the 101 */
	rig_send(server, "\x81\x02yo");
	rig_expect(client, "\x81\x02yo");
	leave(r, client, server, flow);
}

static void a_refused_websocket_leaves_the_connection_judged(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r, REQUEST("GET") WEBSOCKET "\r\n", &server, &flow);

	rig_expect(server, "GET / HTTP/1.1\r\nHost: host.example\r\n" WEBSOCKET "\r\n");
	rig_send(server, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
	rig_expect(client, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
	rig_send(client, "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n");
	rig_take_close(r, flow, REASON_NONE);
	rig_expect_end(server);
	rig_refuse(r, rig_take_open(r, "evil.example", 80).flow, REASON_NOT_ALLOWLISTED);
	rig_expect(client, "HTTP/1.1 403 ");
	close(client);
	close(server);
}

static void trailers_pass_but_not_those_that_could_change_the_message(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r, REQUEST("POST") "Transfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n"
					       "1\r\nx\r\n0\r\nDigest: a\r\n\r\n", &server, &flow);

	rig_expect(server, "POST / HTTP/1.1\r\nHost: host.example\r\nTrailer: Digest\r\nTransfer-Encoding: chunked\r\n\r\n"
			   "1\r\nx\r\n0\r\nDigest: a\r\n\r\n");
	rig_send(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\ny\r\n0\r\nServer-Timing: a\r\n\r\n");
	rig_expect(client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\ny\r\n0\r\nServer-Timing: a\r\n\r\n");
	rig_send(client, REQUEST("POST") "Transfer-Encoding: chunked\r\n\r\n");
	rig_expect(server, "POST / HTTP/1.1\r\nHost: host.example\r\nTransfer-Encoding: chunked\r\n\r\n");
	rig_send(client, "0\r\nHost: evil.example\r\n\r\n");
	rig_take_close(r, flow, REASON_NONE);
	rig_take_note(r, REASON_MALFORMED);
	rig_expect_end(server); /* nothing of the chunk that bore it */
	rig_expect(client, "HTTP/1.1 400 ");
	close(client);
	close(server);
}

static void http_1_0_has_neither_chunks_nor_interim_responses(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r, "GET http://host.example/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &server, &flow);

	rig_expect(server, "GET / HTTP/1.0\r\nHost: host.example\r\nConnection: keep-alive\r\n\r\n");
	rig_send(server, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	rig_expect(client, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n1");
	rig_send(client, "GET http://host.example/2 HTTP/1.0\r\n\r\n");
	rig_expect(server, "GET /2 HTTP/1.0\r\nHost: host.example\r\n\r\n");
	rig_send(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	rig_take_close(r, flow, REASON_MALFORMED);
	rig_expect(client, "HTTP/1.1 502 ");
	close(client);
	close(server);
}

static void interim_responses_pass_up_to_sixteen(void **state)
{
	struct rig *r = *state;

	for (int n = 15; n <= 17; n++) {
		uint64_t flow;
		int server, client = ask(r, REQUEST("GET") "\r\n", &server, &flow);
		rig_expect(server, "GET / HTTP/1.1\r\nHost: host.example\r\n\r\n");
		for (int i = 0; i < n; i++)
			rig_send(server, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
		for (int i = 0; i < (n > 16 ? 16 : n); i++)
			rig_expect(client, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
		if (n > 16) {
			rig_take_close(r, flow, REASON_MALFORMED);
			rig_expect(client, "HTTP/1.1 502 ");
			close(client);
			close(server);
			continue;
		}
		rig_send(server, "HTTP/1.1 204 No Content\r\n\r\n");
		rig_expect(client, "HTTP/1.1 204 No Content\r\n\r\n");
		leave(r, client, server, flow);
	}
}

static void an_answer_that_comes_before_the_body_ends_the_connection(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r, REQUEST("POST") "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", &server, &flow);

	rig_expect(server, "POST / HTTP/1.1\r\nHost: host.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	rig_send(server, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
	rig_expect(client, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
	rig_take_close(r, flow, REASON_NONE);
	rig_expect_end(server);
	/* the body that was announced is never taken for a request */
	rig_expect_end(client);
	close(client);
	close(server);
}

static void options_without_a_path_asks_about_the_server(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = ask(r, "OPTIONS http://host.example HTTP/1.1\r\nHost: host.example\r\n\r\n", &server, &flow);

	rig_expect(server, "OPTIONS * HTTP/1.1\r\nHost: host.example\r\n\r\n");
	leave(r, client, server, flow);
	client = ask(r, "OPTIONS http://host.example/ HTTP/1.1\r\nHost: host.example\r\n\r\n", &server, &flow);
	rig_expect(server, "OPTIONS / HTTP/1.1\r\nHost: host.example\r\n\r\n");
	leave(r, client, server, flow);
}

#define RIG(test) cmocka_unit_test_setup_teardown(test, rig_up, rig_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG(connect_is_taken_in_each_of_its_forms),
		RIG(every_other_connect_is_malformed),
		RIG(http2_with_prior_knowledge_is_refused_at_the_door_and_in_a_tunnel),
		RIG(an_upgrade_to_anything_but_websocket_is_left_out),
		RIG(a_101_to_another_protocol_than_was_asked_for_opens_nothing),
		RIG(a_websocket_is_open_after_its_101),
		RIG(a_refused_websocket_leaves_the_connection_judged),
		RIG(trailers_pass_but_not_those_that_could_change_the_message),
		RIG(http_1_0_has_neither_chunks_nor_interim_responses),
		RIG(interim_responses_pass_up_to_sixteen),
		RIG(an_answer_that_comes_before_the_body_ends_the_connection),
		RIG(options_without_a_path_asks_about_the_server),
	};
	return rig_namespace() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
