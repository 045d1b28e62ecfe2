/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_worker_connect.c - CONNECT, the ClientHello, the relay: each refusal with its allowed twin */
#include "worker_rig.h"

#include <poll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const char granted[] = "HTTP/1.1 200 Connection established\r\n\r\n";

/* A tunnel to tls.example:443 whose hello is still to come. */
static int tunnel(struct rig *r, enum wire_judge judge, int bears, int *out_server, uint64_t *out_flow)
{
	int client = rig_client();

	rig_send(client, "CONNECT TLS.example:443 HTTP/1.1\r\nHost: TLS.example:443\r\n\r\n");
	struct wire_open q = rig_take_open(r, "TLS.example", 443);
	assert_int_equal(q.seen_in, SEEN_IN_CONNECT);
	*out_flow = q.flow;
	*out_server = rig_grant(r, q.flow, judge, bears, "tls.example");
	rig_expect(client, granted);
	return client;
}

static void a_refused_connect_is_told_why(void **state)
{
	struct rig *r = *state;
	int client = rig_client();

	rig_send(client, "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n");
	struct wire_open q = rig_take_open(r, "evil.example", 443);
	assert_int_equal(q.client_port != 0, 1);
	rig_refuse(r, q.flow, REASON_NOT_ALLOWLISTED);
	const char *said = rig_read_all(client);
	assert_non_null(strstr(said, "HTTP/1.1 403 Blocked by drydock: evil.example not on the allowlist\r\n"));
	assert_non_null(strstr(said, "\r\nX-Proxy-Error: blocked-by-allowlist\r\n"));
	assert_non_null(strstr(said, "\r\nProxy-Status: drydock; error=http_request_denied; "
				     "details=\"no rule for evil.example:443\"\r\n"));
	assert_non_null(strstr(said, "\n\r\nBLOCKED BY POLICY (drydock): evil.example:443\n"));
	close(client);
	rig_is_silent(r);
}

static void a_client_that_takes_json_gets_json(void **state)
{
	struct rig *r = *state;
	int client = rig_client();

	rig_send(client, "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n"
			 "Accept: application/problem+json\r\n\r\n");
	rig_refuse(r, rig_take_open(r, "evil.example", 443).flow, REASON_DENIED_BY_RULE);
	const char *said = rig_read_all(client);
	assert_non_null(strstr(said, "\r\nContent-Type: application/problem+json\r\n"));
	assert_non_null(strstr(said, "\"type\":\"urn:drydock:denied-by-rule\""));
	close(client);
}

static void an_allowed_connect_is_relayed_both_ways(void **state)
{
	struct rig *r = *state;
	uint8_t hello[1024];
	uint64_t flow;
	int server, client = tunnel(r, JUDGE_TLS, 0, &server, &flow);
	size_t n = rig_hello("tls.EXAMPLE", false, 16384, hello);
	uint8_t seen[1024];

	rig_send_bytes(client, hello, n);
	assert_int_equal(recv(server, seen, n, MSG_WAITALL), n);
	assert_memory_equal(seen, hello, n);
	rig_send(server, "server hello");
	rig_expect(client, "server hello");
	rig_send(client, "ping");
	rig_expect(server, "ping");
	close(client);
	rig_expect_end(server);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

static void a_hello_sent_before_the_answer_is_judged_too(void **state)
{
	struct rig *r = *state;
	uint8_t bytes[1024];
	static const char head[] = "CONNECT tls.example:443 HTTP/1.1\r\nHost: tls.example\r\n\r\n";
	int client = rig_client();

	memcpy(bytes, head, sizeof(head) - 1);
	size_t n = rig_hello("other.example", false, 16384, bytes + sizeof(head) - 1);
	rig_send_bytes(client, bytes, sizeof(head) - 1 + n);
	uint64_t flow = rig_take_open(r, "tls.example", 443).flow;
	int server = rig_grant(r, flow, JUDGE_TLS, 0, "tls.example");
	rig_expect(client, granted);
	rig_take_close(r, flow, REASON_SNI_MISMATCH);
	rig_expect_end(server);
	close(client);
	close(server);
}

static void a_hello_in_small_pieces_and_records_arrives_unchanged(void **state)
{
	struct rig *r = *state;
	uint8_t hello[4096], seen[4096];
	uint64_t flow;
	int server, client = tunnel(r, JUDGE_TLS, 0, &server, &flow);
	size_t n = rig_hello("tls.example", false, 7, hello);

	for (size_t i = 0; i < n; i++)
		rig_send_bytes(client, hello + i, 1);
	assert_int_equal(recv(server, seen, n, MSG_WAITALL), n);
	assert_memory_equal(seen, hello, n);
	close(client);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

static void refused_by_hello(struct rig *r, const char *sni, bool has_ech, enum reason reason,
			     const char *detail, uint8_t alert)
{
	uint8_t hello[1024], got[7];
	uint64_t flow;
	int server, client = tunnel(r, JUDGE_TLS, 0, &server, &flow);
	size_t n = rig_hello(sni, has_ech, 16384, hello);

	rig_send_bytes(client, hello, n);
	struct wire_close c = rig_take_close(r, flow, reason);
	assert_int_equal(c.detail_n, strlen(detail));
	assert_memory_equal(c.detail, detail, c.detail_n);
	rig_expect_end(server); /* not one byte reached it */
	assert_int_equal(recv(client, got, sizeof(got), MSG_WAITALL), sizeof(got));
	assert_int_equal(got[0], 21);
	assert_int_equal(got[6], alert);
	rig_expect_end(client);
	close(client);
	close(server);
}

static void a_hello_for_another_name_reaches_nobody(void **state)
{
	refused_by_hello(*state, "other.example", false, REASON_SNI_MISMATCH, "other.example", 49);
}

static void a_hello_with_ech_reaches_nobody(void **state)
{
	refused_by_hello(*state, "tls.example", true, REASON_ECH_REFUSED, "tls.example", 49);
}

static void a_hello_without_a_name_reaches_nobody(void **state)
{
	refused_by_hello(*state, NULL, false, REASON_NO_SNI, "", 109);
}

static void a_rule_can_bear_ech_and_a_missing_name(void **state)
{
	struct rig *r = *state;
	uint8_t hello[1024], seen[1024];

	for (int i = 0; i < 2; i++) {
		uint64_t flow;
		int server, client =
				    tunnel(r, JUDGE_TLS, i ? BEAR_ECH : BEAR_NO_SNI, &server, &flow);
		size_t n = rig_hello(i ? "tls.example" : NULL, i, 16384, hello);
		rig_send_bytes(client, hello, n);
		assert_int_equal(recv(server, seen, n, MSG_WAITALL), n);
		close(client);
		close(server);
		rig_take_close(r, flow, REASON_NONE);
	}
}

/* A HelloRetryRequest is a ServerHello with this random (RFC 8446 section 4.1.3). */
static const uint8_t retry[] = {
	22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3,
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
	0, 0x13, 1, 0};

static void expect_bytes(int fd, const void *bytes, size_t n)
{
	uint8_t got[4096];

	assert_true(n <= sizeof(got));
	assert_int_equal(recv(fd, got, n, MSG_WAITALL), n);
	assert_memory_equal(got, bytes, n);
}

/* A tunnel whose server has asked for another hello, in @step bytes at a time. */
static int retried(struct rig *r, size_t step, int *out_server, uint64_t *out_flow)
{
	uint8_t hello[1024];
	int client = tunnel(r, JUDGE_TLS, 0, out_server, out_flow);
	size_t n = rig_hello("tls.example", false, 16384, hello);

	rig_send_bytes(client, hello, n);
	expect_bytes(*out_server, hello, n);
	for (size_t i = 0; i < sizeof(retry); i += step)
		rig_send_bytes(*out_server, retry + i, sizeof(retry) - i < step ? sizeof(retry) - i : step);
	expect_bytes(client, retry, sizeof(retry));
	return client;
}

static void a_second_hello_for_the_name_passes_and_what_follows_is_relayed(void **state)
{
	static const size_t steps[] = {1, 20, sizeof(retry)};
	struct rig *r = *state;
	uint8_t hello[1024] = "\x14\3\3\0\1\1"; /* compatibility mode */

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		uint64_t flow;
		int server, client = retried(r, steps[i], &server, &flow);
		size_t n = 6 + rig_hello("TLS.example", false, 9, hello + 6);
		for (size_t k = 0; k < n; k += 5)
			rig_send_bytes(client, hello + k, n - k < 5 ? n - k : 5);
		expect_bytes(server, hello, n);
		rig_send(server, "server hello");
		rig_expect(client, "server hello");
		rig_send(client, "ping");
		rig_expect(server, "ping");
		close(client);
		close(server);
		rig_take_close(r, flow, REASON_NONE);
	}
}

static void a_second_hello_for_another_name_reaches_nobody(void **state)
{
	static const struct {
		const char *before, *name;
		bool has_ech;
		enum reason reason;
	} rows[] = {
		{"", "other.example", false, REASON_SNI_MISMATCH},
		{"\x14\3\3?\1\1", "other.example", false, REASON_SNI_MISMATCH},
		{"\x17\3\3?\4data", "other.example", false, REASON_SNI_MISMATCH},
		{"", NULL, false, REASON_NO_SNI},
		{"", "tls.example", true, REASON_ECH_REFUSED},
		{"GET / HTTP/1.1\r\n\r\n", "tls.example", false, REASON_NOT_TLS},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t bytes[1024], alert[7];
		uint64_t flow;
		int server, client = retried(r, sizeof(retry), &server, &flow);
		size_t n = strlen(rows[i].before);
		for (size_t k = 0; k < n; k++)
			bytes[k] = rows[i].before[k] == '?' ? 0 : (uint8_t)rows[i].before[k];
		n += rig_hello(rows[i].name, rows[i].has_ech, 16384, bytes + n);
		rig_send_bytes(client, bytes, n);
		rig_take_close(r, flow, rows[i].reason);
		rig_expect_end(server);
		assert_int_equal(recv(client, alert, sizeof(alert), MSG_WAITALL), sizeof(alert));
		assert_int_equal(alert[0], 21);
		close(client);
		close(server);
	}
}

/* Sent early it would be read by a server that then asks for it: so it waits. */
static void a_second_hello_sent_before_it_is_asked_for_waits_and_is_judged(void **state)
{
	struct rig *r = *state;
	uint8_t hello[2048];
	uint64_t flow;
	int server, client = tunnel(r, JUDGE_TLS, 0, &server, &flow);
	size_t first = rig_hello("tls.example", false, 16384, hello);
	size_t n = first + rig_hello("other.example", false, 16384, hello + first);

	rig_send_bytes(client, hello, n);
	expect_bytes(server, hello, first);
	rig_send_bytes(server, retry, sizeof(retry));
	rig_take_close(r, flow, REASON_SNI_MISMATCH);
	rig_expect_end(server);
	close(client);
	close(server);
}

/* Early data waits for the server's answer, whatever it is, and then goes unread. */
static void bytes_behind_the_hello_go_when_the_server_has_answered(void **state)
{
	static const char *const answers[] = {"\x16\3\3\1\1\2 a plain ServerHello, or so, long enough to be told",
					      "\x15\3\3\1\1\2x", "no TLS at all"};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		uint8_t hello[2048];
		uint64_t flow;
		int server, client = tunnel(r, JUDGE_TLS, 0, &server, &flow);
		size_t n = rig_hello("tls.example", false, 16384, hello);
		memcpy(hello + n, "\x17\3\3\1\1early", 10);
		rig_send_bytes(client, hello, n + 10);
		expect_bytes(server, hello, n);
		rig_send(server, answers[i]);
		rig_expect(client, answers[i]);
		rig_expect(server, "\x17\3\3\1\1early");
		close(client);
		close(server);
		rig_take_close(r, flow, REASON_NONE);
	}
}

static void a_server_that_ends_instead_of_answering_ends_the_client(void **state)
{
	struct rig *r = *state;
	struct linger at_once = {1, 0};
	uint8_t hello[1024];

	for (int how = 0; how < 3; how++) {
		uint64_t flow;
		int server, client = tunnel(r, JUDGE_TLS, 0, &server, &flow);
		size_t n = rig_hello("tls.example", false, 16384, hello);
		rig_send_bytes(client, hello, n);
		expect_bytes(server, hello, n);
		if (how == 1)
			rig_send(server, "\x16\3"); /* half a head */
		if (how == 2)
			setsockopt(server, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(server);
		if (how == 1)
			rig_expect(client, "\x16\3");
		if (how == 2)
			rig_expect_reset(client);
		else
			rig_expect_end(client);
		close(client);
		rig_take_close(r, flow, REASON_NONE);
	}
}

static void what_is_not_tls_reaches_no_tls_port(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = tunnel(r, JUDGE_TLS, 0, &server, &flow);

	rig_send(client, "SSH-2.0-tunnel\r\n");
	rig_take_close(r, flow, REASON_NOT_TLS);
	rig_expect_end(server);
	close(client);
	close(server);
}

static void a_raw_rule_passes_anything_and_the_server_may_speak_first(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = tunnel(r, JUDGE_RAW, 0, &server, &flow);

	rig_send(server, "SSH-2.0-server\r\n");
	rig_expect(client, "SSH-2.0-server\r\n");
	rig_send(client, "SSH-2.0-client\r\n");
	rig_expect(server, "SSH-2.0-client\r\n");
	close(client);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

static void one_side_may_end_while_the_other_goes_on(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = tunnel(r, JUDGE_RAW, 0, &server, &flow);

	rig_send(client, "last words");
	shutdown(client, SHUT_WR);
	rig_expect(server, "last words");
	rig_expect_end(server);
	rig_send(server, "a late answer");
	rig_expect(client, "a late answer");
	close(server);
	rig_expect_end(client);
	rig_take_close(r, flow, REASON_NONE);
	close(client);
}

static void a_server_that_breaks_off_does_not_look_like_an_orderly_end(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = tunnel(r, JUDGE_RAW, 0, &server, &flow);
	struct linger at_once = {1, 0};

	rig_send(client, "x");
	rig_expect(server, "x");
	setsockopt(server, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(server);
	rig_expect_reset(client);
	rig_take_close(r, flow, REASON_NONE);
	close(client);
}

enum { BULK_BYTES = 50 << 20 };

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 13);
}

/* Writes without waiting until nothing more fits; returns the new place. */
static size_t push(int fd, size_t at)
{
	static uint8_t block[65536];

	while (at < BULK_BYTES) {
		size_t n = BULK_BYTES - at < sizeof(block) ? BULK_BYTES - at : sizeof(block);
		for (size_t i = 0; i < n; i++)
			block[i] = pattern(at + i);
		ssize_t put = send(fd, block, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (put < 0)
			break;
		at += (size_t)put;
	}
	return at;
}

static void bulk(struct rig *r, bool is_up)
{
	static uint8_t block[65536];
	uint64_t flow;
	int server, client = tunnel(r, JUDGE_RAW, 0, &server, &flow);
	int from = is_up ? client : server, to = is_up ? server : client;
	size_t sent = push(from, 0), got = 0;

	assert_true(sent < BULK_BYTES); /* nobody reads, so it must stop: back-pressure */
	while (got < BULK_BYTES) {
		ssize_t n = recv(to, block, sizeof(block), 0);
		assert_true(n > 0);
		for (size_t i = 0; i < (size_t)n; i++)
			if (block[i] != pattern(got + i))
				fail_msg("byte %zu is wrong", got + i);
		got += (size_t)n;
		sent = push(from, sent);
	}
	close(client);
	close(server);
	rig_take_close(r, flow, REASON_NONE);
}

static void fifty_megabytes_come_down_whole(void **state)
{
	bulk(*state, false);
}

static void fifty_megabytes_go_up_whole(void **state)
{
	bulk(*state, true);
}

static void more_relays_than_pipes_all_get_their_bytes(void **state)
{
	struct rig *r = *state;
	enum { N = PIPES_MAX + 8, BYTES = 1 << 20 };
	static uint8_t block[BYTES];
	int clients[N], servers[N];
	uint64_t flows[N];

	for (int i = 0; i < N; i++)
		clients[i] = tunnel(r, JUDGE_RAW, 0, &servers[i], &flows[i]);
	size_t sent[N];
	for (int i = 0; i < N; i++) {
		memset(block, i, sizeof(block));
		sent[i] = 0;
		ssize_t n;
		while ((n = send(servers[i], block, sizeof(block), MSG_DONTWAIT)) > 0)
			sent[i] += (size_t)n;
		shutdown(servers[i], SHUT_WR);
	}
	for (int i = 0; i < N; i++) {
		size_t got = 0;
		ssize_t n;
		while ((n = recv(clients[i], block, sizeof(block), 0)) > 0) {
			assert_int_equal(block[0], i);
			got += (size_t)n;
		}
		assert_int_equal(n, 0);
		assert_int_equal(got, sent[i]);
		close(clients[i]);
		rig_take_close(r, flows[i], REASON_NONE);
		close(servers[i]);
	}
}

static void a_client_that_leaves_while_the_broker_thinks_costs_nothing(void **state)
{
	struct rig *r = *state;
	int client = rig_client();

	rig_send(client, "CONNECT tls.example:443 HTTP/1.1\r\nHost: tls.example\r\n\r\n");
	uint64_t flow = rig_take_open(r, "tls.example", 443).flow;
	struct linger at_once = {1, 0};
	setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(client);
	int server = rig_grant(r, flow, JUDGE_RAW, 0, "tls.example");
	rig_take_close(r, flow, REASON_NONE);
	rig_expect_end(server);
	close(server);
}

static void malformed(struct rig *r, const char *request)
{
	int client = rig_client();

	rig_send(client, request);
	rig_take_note(r, REASON_MALFORMED);
	const char *said = rig_read_all(client);
	assert_non_null(strstr(said, "HTTP/1.1 400 "));
	close(client);
}

static void ambiguous_requests_are_refused_and_noted(void **state)
{
	malformed(*state, "CONNECT tls.example HTTP/1.1\r\nHost: tls.example\r\n\r\n");
	malformed(*state, "CONNECT tls.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n");
	malformed(*state, "CONNECT user@tls.example:443 HTTP/1.1\r\nHost: tls.example:443\r\n\r\n");
	malformed(*state, "CONNECT tls.example:443 HTTP/1.1\nHost: tls.example:443\n\n");
	malformed(*state, "GET / HTTP/1.1\r\nHost: proxy.example\r\n\r\n");
}

static void a_silent_client_is_sent_away(void **state)
{
	int client = rig_client();

	(void)state;
	rig_send(client, "CONNECT tls.exam");
	rig_expect_end(client);
	close(client);
}

static void a_silent_tunnel_ends_only_after_its_limit(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = tunnel(r, JUDGE_RAW, 0, &server, &flow);

	rig_take_close(r, flow, REASON_NONE); /* the impatient rig's limit */
	rig_expect_end(client);
	close(client);
	close(server);
}

static bool broker_hears_within(struct rig *r, int ms)
{
	struct pollfd p = {.fd = r->broker.fd, .events = POLLIN};

	return poll(&p, 1, ms) > 0;
}

static void a_client_too_many_waits_for_its_turn(void **state)
{
	struct rig *r = *state;
	int clients[RIG_MAX_FLOWS], servers[RIG_MAX_FLOWS];
	uint64_t flows[RIG_MAX_FLOWS];

	for (int i = 0; i < RIG_MAX_FLOWS; i++)
		clients[i] = tunnel(r, JUDGE_RAW, 0, &servers[i], &flows[i]);
	int late = rig_client();
	rig_send(late, "CONNECT late.example:443 HTTP/1.1\r\nHost: late.example\r\n\r\n");
	assert_false(broker_hears_within(r, 100));
	close(clients[0]);
	close(servers[0]);
	rig_take_close(r, flows[0], REASON_NONE);
	rig_refuse(r, rig_take_open(r, "late.example", 443).flow, REASON_NOT_ALLOWLISTED);
	rig_expect(late, "HTTP/1.1 403 ");
	close(late);
	for (int i = 1; i < RIG_MAX_FLOWS; i++) {
		close(clients[i]);
		close(servers[i]);
		rig_take_close(r, flows[i], REASON_NONE);
	}
}

static long cpu_ms(pid_t pid)
{
	clockid_t clock;
	struct timespec t;

	assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
	assert_int_equal(clock_gettime(clock, &t), 0);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void without_descriptors_the_worker_waits_and_does_not_spin(void **state)
{
	struct rig *r = *state;
	struct rlimit none = {0}, before;

	assert_int_equal(prlimit(r->worker, RLIMIT_NOFILE, NULL, &before), 0);
	none.rlim_max = before.rlim_max;
	assert_int_equal(prlimit(r->worker, RLIMIT_NOFILE, &none, NULL), 0);
	int client = rig_client();
	rig_send(client, "CONNECT late.example:443 HTTP/1.1\r\nHost: late.example\r\n\r\n");
	long used = cpu_ms(r->worker);
	assert_false(broker_hears_within(r, 300));
	assert_true(cpu_ms(r->worker) - used < 100);
	assert_int_equal(prlimit(r->worker, RLIMIT_NOFILE, &before, NULL), 0);
	rig_refuse(r, rig_take_open(r, "late.example", 443).flow, REASON_NOT_ALLOWLISTED);
	rig_expect(client, "HTTP/1.1 403 ");
	close(client);
}

static void when_the_broker_goes_everything_closes(void **state)
{
	struct rig *r = *state;
	uint64_t flow;
	int server, client = tunnel(r, JUDGE_RAW, 0, &server, &flow);

	shutdown(r->broker.fd, SHUT_RDWR);
	rig_expect_end(client);
	rig_expect_end(server);
	close(client);
	close(server);
}

#define RIG(test) cmocka_unit_test_setup_teardown(test, rig_up, rig_down)
#define IMPATIENT(test) cmocka_unit_test_setup_teardown(test, rig_up_impatient, rig_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG(a_refused_connect_is_told_why),
		RIG(a_client_that_takes_json_gets_json),
		RIG(an_allowed_connect_is_relayed_both_ways),
		RIG(a_hello_sent_before_the_answer_is_judged_too),
		RIG(a_hello_in_small_pieces_and_records_arrives_unchanged),
		RIG(a_hello_for_another_name_reaches_nobody),
		RIG(a_hello_with_ech_reaches_nobody),
		RIG(a_hello_without_a_name_reaches_nobody),
		RIG(a_rule_can_bear_ech_and_a_missing_name),
		RIG(a_second_hello_for_the_name_passes_and_what_follows_is_relayed),
		RIG(a_second_hello_for_another_name_reaches_nobody),
		RIG(a_second_hello_sent_before_it_is_asked_for_waits_and_is_judged),
		RIG(bytes_behind_the_hello_go_when_the_server_has_answered),
		RIG(a_server_that_ends_instead_of_answering_ends_the_client),
		RIG(what_is_not_tls_reaches_no_tls_port),
		RIG(a_raw_rule_passes_anything_and_the_server_may_speak_first),
		RIG(one_side_may_end_while_the_other_goes_on),
		RIG(a_server_that_breaks_off_does_not_look_like_an_orderly_end),
		RIG(fifty_megabytes_come_down_whole),
		RIG(fifty_megabytes_go_up_whole),
		RIG(more_relays_than_pipes_all_get_their_bytes),
		RIG(a_client_that_leaves_while_the_broker_thinks_costs_nothing),
		RIG(ambiguous_requests_are_refused_and_noted),
		RIG(a_client_too_many_waits_for_its_turn),
		RIG(without_descriptors_the_worker_waits_and_does_not_spin),
		RIG(when_the_broker_goes_everything_closes),
		IMPATIENT(a_silent_client_is_sent_away),
		IMPATIENT(a_silent_tunnel_ends_only_after_its_limit),
	};
	return rig_namespace() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
