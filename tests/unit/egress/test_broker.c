/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_broker.c - the broker between a worker and a resolver that this test plays */
#include "egress/broker/broker.h"
#include "egress/broker/wild.h"
#include "base/fs.h"
#include "base/own.h"
#include "egress/wire/chan.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <cmocka.h>

/** struct bench - a broker with its rules, and the other ends of its channels */
struct bench {
	struct loop *loop;
	struct ruleset *rules;
	struct audit audit;
	FILE *log;
	struct broker *broker;
	struct chan worker, names, sockets;
	int ends[3];
	int listener;
	uint16_t port;
	struct endpoint server;
};

static int listen_on_loopback(uint16_t *out_port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &bytes), 0);
	*out_port = ntohs(at.sin_port);
	return fd;
}

static void make_channel(struct chan *mine, int *theirs, uint16_t first, uint16_t last)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	*mine = (struct chan){ends[0], FROM_BROKER, IN_START, first, last};
	*theirs = ends[1];
}

/* What a sidecar's broker has besides; a test sets it before set_up(). */
static struct broker_settings sidecar;

/* @rules may say PORT where the number of the test's own listener goes. */
static void set_up(struct bench *t, const char *rules)
{
	struct err err = {0};
	char text[16384] = "";

	*t = (struct bench){.log = tmpfile()};
	t->listener = listen_on_loopback(&t->port);
	for (const char *p = rules; *p;) {
		size_t n = strlen(text);
		if (strncmp(p, "PORT", 4) == 0) {
			(void)snprintf(text + n, sizeof(text) - n, "%u", t->port);
			p += 4;
		} else {
			(void)snprintf(text + n, sizeof(text) - n, "%c", *p++);
		}
	}
	t->loop = loop_new(&err);
	assert_non_null(t->loop);
	if (ruleset_load(span_of(text), "rules", &t->rules, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(audit_init(&t->audit, fileno(t->log), "s-1", &err), 0);
	make_channel(&t->worker, &t->ends[0], WIRE_MAIN_FIRST, WIRE_MAIN_LAST);
	make_channel(&t->names, &t->ends[1], WIRE_RESOLVER_READY, WIRE_RESOLVED);
	make_channel(&t->sockets, &t->ends[2], WIRE_WANT_SOCKET, WIRE_SOCKET);
	t->names.state = t->sockets.state = IN_SERVICE;
	t->server = (struct endpoint){.at = {.bytes = {127, 0, 0, 1}}, .port = t->port};
	const struct broker_settings settings = {.loop = t->loop,
						 .rules = t->rules,
						 .audit = &t->audit,
						 .worker_fd = t->ends[0],
						 .names_fd = t->ends[1],
						 .sockets_fd = t->ends[2],
						 .servers = &t->server,
						 .n_servers = 1,
						 .max_flows = 400,
						 .terms = sidecar.terms,
						 .agent = sidecar.agent,
						 .closed = sidecar.closed,
						 .n_closed = sidecar.n_closed};
	t->broker = broker_new(&settings, &err);
	assert_non_null(t->broker);
}

static void tear_down(struct bench *t)
{
	broker_free(t->broker);
	for (size_t i = 0; i < 3; i++)
		fd_drop(&t->ends[i]);
	fd_drop(&t->worker.fd);
	fd_drop(&t->names.fd);
	fd_drop(&t->sockets.fd);
	fd_drop(&t->listener);
	ruleset_free(t->rules);
	loop_free(t->loop);
	file_drop(&t->log);
}

/* Turns the broker until a message comes; the harness's own time limit ends a test that waits for ever. */
static void next_message(struct bench *t, const struct chan *ch, struct chan_message *out)
{
	const char *why;
	enum chan_result got;

	while ((got = chan_recv(ch, MSG_DONTWAIT, out, &why)) == CHAN_EMPTY)
		assert_int_equal(loop_turn(t->loop), 0);
	assert_int_equal(got, CHAN_MESSAGE);
}

static void do_nothing(struct loop_timer *timer)
{
	(void)timer;
}

static void turn_without_waiting(struct bench *t)
{
	struct loop_timer due = {.fire = do_nothing};

	assert_int_equal(loop_timer_set(t->loop, &due, 0), 0);
	assert_int_equal(loop_turn(t->loop), 0);
}

static void start(struct bench *t)
{
	struct wire_hello hello = {.version = WIRE_VERSION};
	struct chan_message m;

	assert_int_equal(chan_send(&t->names, WIRE_RESOLVER_READY, &hello, NULL, 0, 0), 0);
	next_message(t, &t->worker, &m);
	assert_int_equal(m.number, WIRE_HELLO);
	t->worker.state = IN_SERVICE;
}

static void set_up_started(struct bench *t, const char *rules)
{
	set_up(t, rules);
	start(t);
}

static void ask(struct bench *t, uint64_t flow, const char *name, uint16_t port)
{
	struct wire_open q = {.flow = flow, .port = port, .seen_in = SEEN_IN_CONNECT};

	q.name_n = (uint8_t)strlen(name);
	memcpy(q.name, name, q.name_n);
	assert_int_equal(chan_send(&t->worker, WIRE_OPEN, &q, NULL, 0, 0), 0);
}

static void expect_refused(struct bench *t, uint64_t flow, enum reason reason)
{
	struct chan_message m;

	next_message(t, &t->worker, &m);
	assert_int_equal(m.number, WIRE_REFUSED);
	assert_int_equal(m.payload.REFUSED.flow, flow);
	assert_string_equal(reason_word(m.payload.REFUSED.reason), reason_word(reason));
}

static int expect_opened(struct bench *t, uint64_t flow, struct wire_opened *out)
{
	struct chan_message m;

	next_message(t, &t->worker, &m);
	if (m.number == WIRE_REFUSED)
		fail_msg("refused: %s", reason_word(m.payload.REFUSED.reason));
	assert_int_equal(m.number, WIRE_OPENED);
	assert_int_equal(m.payload.OPENED.flow, flow);
	assert_int_equal(m.n_fds, 1);
	if (out)
		*out = m.payload.OPENED;
	return m.fds[0];
}

static uint64_t expect_resolve(struct bench *t, const char *name)
{
	struct chan_message m;

	next_message(t, &t->names, &m);
	assert_int_equal(m.number, WIRE_RESOLVE);
	assert_true(span_is(span_make(m.payload.RESOLVE.name, m.payload.RESOLVE.name_n), name));
	return m.payload.RESOLVE.ask;
}

static void answer(struct bench *t, uint64_t question, const char *const *addresses, size_t n)
{
	struct wire_resolved a = {.ask = question, .n_addresses = (uint16_t)n};

	for (size_t i = 0; i < n; i++) {
		struct addr addr;
		assert_true(addr_parse(span_of(addresses[i]), &addr));
		a.addresses[i].is_v6 = addr.is_v6;
		memcpy(a.addresses[i].bytes, addr.bytes, 16);
	}
	assert_int_equal(chan_send(&t->names, WIRE_RESOLVED, &a, NULL, 0, 0), 0);
}

static void answer_one(struct bench *t, uint64_t question, const char *address)
{
	answer(t, question, &address, 1);
}

static void close_flow(struct bench *t, uint64_t flow, enum reason reason)
{
	struct wire_close q = {.flow = flow, .reason = reason};

	assert_int_equal(chan_send(&t->worker, WIRE_CLOSE, &q, NULL, 0, 0), 0);
}

static const char *why_over(struct bench *t)
{
	while (!broker_why_over(t->broker))
		assert_int_equal(loop_turn(t->loop), 0);
	return broker_why_over(t->broker);
}

/* The last line of the audit log that holds @word. */
static void expect_audit(struct bench *t, const char *word, const char *also)
{
	static char text[65536];
	ssize_t got = pread(fileno(t->log), text, sizeof(text) - 1, 0);

	assert_true(got >= 0);
	text[got] = '\0';
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, word) && strstr(line, also))
			return;
	fail_msg("no audit line with %s and %s", word, also);
}

static void nothing_is_answered_before_the_resolver_is_ready(void **state)
{
	(void)state;
	struct bench t;
	set_up(&t, "allow api.example:443\n");
	ask(&t, 1, "api.example", 443);
	assert_non_null(strstr(why_over(&t), "the worker broke the protocol"));
	tear_down(&t);
}

static void an_allowed_name_is_resolved_dialled_and_handed_over(void **state)
{
	(void)state;
	struct bench t;
	struct wire_opened o;
	set_up_started(&t, "allow API.example:PORT loopback raw\n");
	ask(&t, 7, "Api.Example.", t.port);
	answer_one(&t, expect_resolve(&t, "api.example"), "127.0.0.1");
	AUTO(fd) int fd = expect_opened(&t, 7, &o);
	assert_true(span_is(span_make(o.name, o.name_n), "api.example"));
	assert_int_equal(o.judge, JUDGE_RAW);
	AUTO(fd) int peer = accept(t.listener, NULL, NULL);
	assert_int_equal(send(fd, "hello", 5, 0), 5);
	char got[8];
	assert_int_equal(recv(peer, got, sizeof(got), 0), 5);
	assert_int_equal(send(peer, "hi", 2, 0), 2);
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	expect_audit(&t, "\"event\":\"open\"", "\"rule\":\"rules:1\"");
	close_flow(&t, 7, REASON_NONE);
	char end;
	fd_drop(&fd);
	while (recv(peer, &end, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
		assert_int_equal(loop_turn(t.loop), 0);
	expect_audit(&t, "\"event\":\"close\"", "\"up\":5,\"down\":2,");
	tear_down(&t);
}

static void answer_with_ttl(struct bench *t, uint64_t question, const char *address, uint32_t ttl_s)
{
	struct wire_resolved a = {.ask = question, .n_addresses = 1};
	struct addr addr;

	assert_true(addr_parse(span_of(address), &addr));
	memcpy(a.addresses[0].bytes, addr.bytes, 16);
	a.addresses[0].ttl_s = ttl_s;
	assert_int_equal(chan_send(&t->names, WIRE_RESOLVED, &a, NULL, 0, 0), 0);
}

static void an_answer_that_is_valid_is_used_again_and_judged_again(void **state)
{
	(void)state;
	struct bench t;
	set_up_started(&t, "allow a.example:PORT loopback raw\nallow a.example:1 raw\n");
	ask(&t, 1, "a.example", t.port);
	answer_with_ttl(&t, expect_resolve(&t, "a.example"), "127.0.0.1", 60);
	AUTO(fd) int first = expect_opened(&t, 1, NULL);
	ask(&t, 2, "a.example", t.port);
	AUTO(fd) int second = expect_opened(&t, 2, NULL); /* nobody was asked */
	assert_true(first >= 0 && second >= 0);
	ask(&t, 3, "a.example", 1);
	expect_refused(&t, 3, REASON_PRIVATE_ADDRESS); /* this rule does not open loopback */
	tear_down(&t);
}

static void an_answer_without_ttl_is_asked_for_again(void **state)
{
	(void)state;
	struct bench t;
	set_up_started(&t, "allow a.example:PORT loopback raw\n");
	for (uint64_t flow = 1; flow <= 2; flow++) {
		ask(&t, flow, "a.example", t.port);
		answer_with_ttl(&t, expect_resolve(&t, "a.example"), "127.0.0.1", 0);
		AUTO(fd) int fd = expect_opened(&t, flow, NULL);
		assert_true(fd >= 0);
	}
	tear_down(&t);
}

static void a_name_no_rule_allows_is_refused_without_being_resolved(void **state)
{
	(void)state;
	struct bench t;
	struct chan_message m;
	const char *why;
	set_up_started(&t, "allow api.example:443\ndeny bad.example\nallow "
			   "*.some.example:80\ntelemetry t.example\n");
	ask(&t, 1, "evil.test", 443);
	expect_refused(&t, 1, REASON_NOT_ALLOWLISTED);
	ask(&t, 2, "api.example", 22);
	expect_refused(&t, 2, REASON_PORT_NOT_ALLOWED);
	ask(&t, 3, "bad.example", 80);
	expect_refused(&t, 3, REASON_DENIED_BY_RULE);
	ask(&t, 4, "t.example", 80);
	expect_refused(&t, 4, REASON_TELEMETRY_OFF);
	ask(&t, 5, "api.example\n.evil.test", 443);
	expect_refused(&t, 5, REASON_MALFORMED);
	assert_int_equal(chan_recv(&t.names, MSG_DONTWAIT, &m, &why), CHAN_EMPTY);
	expect_audit(&t, "\"flow\":3", "\"rule\":\"rules:2\"");
	expect_audit(&t, "\"flow\":5", "api.example\\n.evil.test");
	tear_down(&t);
}

static void a_refusal_names_the_rule_and_the_audit_record(void **state)
{
	(void)state;
	struct bench t;
	struct chan_message m;
	set_up_started(&t, "\n\ndeny bad.example\n");
	ask(&t, 1, "bad.example", 443);
	next_message(&t, &t.worker, &m);
	assert_int_equal(m.number, WIRE_REFUSED);
	assert_string_equal(m.payload.REFUSED.origin_file, "rules");
	assert_int_equal(m.payload.REFUSED.origin_line, 3);
	assert_int_equal(m.payload.REFUSED.decision, 1);
	expect_audit(&t, "\"seq\":1,", "\"event\":\"refuse\"");
	tear_down(&t);
}

static void one_address_of_a_forbidden_class_refuses_the_name(void **state)
{
	(void)state;
	static const char *const mixed[] = {"93.184.216.34", "127.0.0.1"};
	static const char *const hidden[] = {"::ffff:10.0.0.1"};
	static const char *const metadata[] = {"127.0.0.1", "169.254.169.254"};
	struct bench t;
	set_up_started(&t, "allow api.example:PORT\nallow own.example:PORT loopback raw\n");
	ask(&t, 1, "api.example", t.port);
	answer(&t, expect_resolve(&t, "api.example"), mixed, 2);
	expect_refused(&t, 1, REASON_PRIVATE_ADDRESS);
	expect_audit(&t, "\"address\":\"127.0.0.1\"", "\"error\":\"loopback\"");
	ask(&t, 2, "api.example", t.port);
	answer(&t, expect_resolve(&t, "api.example"), hidden, 1);
	expect_refused(&t, 2, REASON_PRIVATE_ADDRESS);
	ask(&t, 3, "own.example", t.port);
	answer(&t, expect_resolve(&t, "own.example"), metadata, 2);
	expect_refused(&t, 3, REASON_PRIVATE_ADDRESS);
	ask(&t, 4, "own.example", t.port); /* the twin */
	answer_one(&t, expect_resolve(&t, "own.example"), "127.0.0.1");
	(void)close(expect_opened(&t, 4, NULL));
	tear_down(&t);
}

static void a_literal_needs_an_address_rule_and_one_spelling(void **state)
{
	(void)state;
	static const char *const other_spellings[] = {
		"127.1",      "2130706433",	    "0x7f000001",
		"0177.0.0.1", "::ffff:127.0.0.1%1", "127.0.0.1."};
	struct bench t;
	struct wire_opened o;
	set_up_started(&t, "allow 127.0.0.0/8:PORT raw\nallow *.some.example:PORT\n");
	ask(&t, 1, "127.0.0.1", t.port);
	(void)close(expect_opened(&t, 1, &o));
	assert_true(span_is(span_make(o.name, o.name_n), "127.0.0.1"));
	ask(&t, 2, "93.184.216.34", t.port);
	expect_refused(&t, 2, REASON_IP_LITERAL);
	for (size_t i = 0; i < sizeof(other_spellings) / sizeof(other_spellings[0]); i++) {
		struct chan_message m;
		ask(&t, 10 + i, other_spellings[i], t.port);
		next_message(&t, &t.worker, &m);
		assert_int_equal(m.number, WIRE_REFUSED);
	}
	tear_down(&t);
}

static void the_users_own_host_opens_by_its_name_only(void **state)
{
	(void)state;
	struct bench t;
	set_up_started(&t, "");
	ask(&t, 1, "host.drydock.internal", t.port);
	expect_refused(&t, 1, REASON_NOT_ALLOWLISTED);
	tear_down(&t);
	set_up_started(&t, "allow host.drydock.internal:PORT raw\n");
	ask(&t, 1, "host.drydock.internal", t.port); /* nobody is asked to resolve it */
	(void)close(expect_opened(&t, 1, NULL));
	tear_down(&t);
}

static void what_the_resolver_says_becomes_a_reason(void **state)
{
	(void)state;
	struct bench t;
	struct wire_resolved a = {.status = RESOLVED_FAILED};
	set_up_started(&t, "allow api.example:443\n");
	ask(&t, 1, "api.example", 443);
	a.ask = expect_resolve(&t, "api.example");
	assert_int_equal(chan_send(&t.names, WIRE_RESOLVED, &a, NULL, 0, 0), 0);
	expect_refused(&t, 1, REASON_UNREACHABLE);
	expect_audit(&t, "\"flow\":1", "the resolver got no answer");
	ask(&t, 2, "api.example", 443); /* a failure is not remembered */
	a.ask = expect_resolve(&t, "api.example");
	a.status = RESOLVED_NO_SUCH_NAME;
	assert_int_equal(chan_send(&t.names, WIRE_RESOLVED, &a, NULL, 0, 0), 0);
	expect_refused(&t, 2, REASON_NO_SUCH_NAME);
	ask(&t, 3, "api.example", 443);
	expect_refused(&t, 3, REASON_NO_SUCH_NAME); /* that there is none is: nobody was asked */
	tear_down(&t);
}

/* Labels below a wildcard are the program's own words: each new name carries them to somebody's name server. */
static void new_names_below_a_wildcard_are_asked_for_so_many_times_a_minute(void **state)
{
	(void)state;
	struct bench t;
	char name[40];
	set_up_started(&t, "allow *.w.example\nallow known.example\nallow known.w.example\n");
	for (unsigned i = 0; i <= WILD_A_MINUTE; i++) {
		struct wire_resolved none = {.status = RESOLVED_NO_SUCH_NAME};
		(void)snprintf(name, sizeof(name), "secret%u.w.example", i); /* fits */
		ask(&t, i + 1, name, 443);
		if (i == WILD_A_MINUTE)
			break;
		none.ask = expect_resolve(&t, name);
		assert_int_equal(chan_send(&t.names, WIRE_RESOLVED, &none, NULL, 0, 0), 0);
		expect_refused(&t, i + 1, REASON_NO_SUCH_NAME);
	}
	expect_refused(&t, WILD_A_MINUTE + 1, REASON_BUDGET);
	expect_audit(&t, "secret120", "too many new names");
	/* what was asked for before, and what a rule names, is still served */
	ask(&t, 200, "secret0.w.example", 443);
	expect_refused(&t, 200, REASON_NO_SUCH_NAME);
	ask(&t, 201, "known.example", 443);
	expect_resolve(&t, "known.example");
	ask(&t, 202, "known.w.example", 443);
	expect_resolve(&t, "known.w.example");
	tear_down(&t);
}

static void one_question_serves_all_who_ask_for_the_name_meanwhile(void **state)
{
	(void)state;
	struct bench t;
	set_up_started(&t, "allow api.example:PORT loopback raw\nallow b.example:PORT loopback raw\n");
	for (uint64_t flow = 1; flow <= 3; flow++)
		ask(&t, flow, "api.example", t.port);
	ask(&t, 4, "b.example", t.port);
	uint64_t question = expect_resolve(&t, "api.example");
	uint64_t other = expect_resolve(&t, "b.example"); /* the next one that was asked */
	close_flow(&t, 1, REASON_NONE);			  /* the one who began it gives up */
	answer_one(&t, question, "127.0.0.1");
	(void)close(expect_opened(&t, 2, NULL));
	(void)close(expect_opened(&t, 3, NULL));
	answer_one(&t, other, "127.0.0.1");
	(void)close(expect_opened(&t, 4, NULL));
	tear_down(&t);
}

static void a_closed_port_is_unreachable_and_the_next_address_is_tried(void **state)
{
	(void)state;
	static const char *const both[] = {"::1", "127.0.0.1"}; /* nobody listens on ::1 */
	struct bench t;
	set_up_started(&t, "allow api.example:PORT,1 loopback raw\n");
	ask(&t, 1, "api.example", t.port);
	answer(&t, expect_resolve(&t, "api.example"), both, 2);
	(void)close(expect_opened(&t, 1, NULL));
	ask(&t, 2, "api.example", 1);
	answer_one(&t, expect_resolve(&t, "api.example"), "127.0.0.1");
	expect_refused(&t, 2, REASON_UNREACHABLE);
	expect_audit(&t, "\"flow\":2", "Connection refused");
	tear_down(&t);
}

static void a_flow_closed_while_it_is_resolved_is_forgotten(void **state)
{
	(void)state;
	struct bench t;
	set_up_started(&t,
		       "allow api.example:PORT loopback raw\nallow b.example:PORT loopback raw\n");
	ask(&t, 1, "api.example", t.port);
	uint64_t late = expect_resolve(&t, "api.example");
	close_flow(&t, 1, REASON_NONE);
	ask(&t, 2, "b.example", t.port);
	uint64_t question = expect_resolve(&t, "b.example");
	answer_one(&t, late, "127.0.0.1"); /* must not reach flow 2 */
	answer_one(&t, question, "127.0.0.1");
	(void)close(expect_opened(&t, 2, NULL));
	tear_down(&t);
}

static void the_port_says_how_first_bytes_are_judged_and_options_say_better(void **state)
{
	(void)state;
	struct bench t;
	struct wire_opened o;
	set_up_started(&t, "allow 127.0.0.1:PORT tls ech no-sni\n");
	ask(&t, 1, "127.0.0.1", t.port);
	(void)close(expect_opened(&t, 1, &o));
	assert_int_equal(o.judge, JUDGE_TLS);
	assert_int_equal(o.bears, BEAR_ECH | BEAR_NO_SNI);
	tear_down(&t);
}

static void more_connections_than_the_budget_has_are_refused(void **state)
{
	(void)state;
	struct bench t;
	set_up_started(&t, "allow 127.0.0.1:PORT raw conns=2\n");
	ask(&t, 1, "127.0.0.1", t.port);
	(void)close(expect_opened(&t, 1, NULL));
	ask(&t, 2, "127.0.0.1", t.port);
	(void)close(expect_opened(&t, 2, NULL));
	ask(&t, 3, "127.0.0.1", t.port);
	expect_refused(&t, 3, REASON_BUDGET);
	tear_down(&t);
}

static void a_spent_byte_budget_ends_the_flow_whatever_the_worker_does(void **state)
{
	(void)state;
	struct bench t;
	char byte;
	set_up_started(&t, "allow 127.0.0.1:PORT raw up=10\n");
	ask(&t, 1, "127.0.0.1", t.port);
	AUTO(fd) int fd = expect_opened(&t, 1, NULL);
	AUTO(fd) int peer = accept(t.listener, NULL, NULL);
	assert_true(peer >= 0);
	assert_int_equal(send(fd, "0123456789abcdef", 16, 0), 16);
	while (recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
		assert_int_equal(loop_turn(t.loop), 0); /* at most one poll */
	assert_true(send(fd, "x", 1, MSG_NOSIGNAL) < 0);
	close_flow(&t, 1, REASON_NONE);
	ask(&t, 2, "127.0.0.1", t.port);
	expect_refused(&t, 2, REASON_BUDGET);
	expect_audit(&t, "\"event\":\"close\"", "\"reason\":\"budget\"");
	tear_down(&t);
}

static void more_flows_than_fit_are_refused(void **state)
{
	(void)state;
	struct bench t;
	char rules[16384] = "n.api.example\n"; /* each by name: below a wildcard not so many may come at once */
	for (size_t i = 1, n = strlen(rules); i <= 400; i++)
		n += (size_t)snprintf(rules + n, sizeof(rules) - n, "n%zu.api.example\n", i); /* fits */
	set_up_started(&t, rules);
	for (uint64_t flow = 1; flow <= 400; flow++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "n%d.api.example", (int)flow);
		ask(&t, flow, name, 443);
		assert_int_equal(loop_turn(t.loop), 0);
	}
	ask(&t, 401, "n.api.example", 443);
	expect_refused(&t, 401, REASON_BUDGET);
	/* only so many were asked of the resolver; each answer lets the next one go */
	struct chan_message m;
	const char *why;
	for (size_t n = 0; n < BROKER_MAX_HALF_OPEN; n++)
		next_message(&t, &t.names, &m);
	assert_int_equal(chan_recv(&t.names, MSG_DONTWAIT, &m, &why), CHAN_EMPTY);
	answer_one(&t, m.payload.RESOLVE.ask, "10.0.0.1");
	expect_refused(&t, BROKER_MAX_HALF_OPEN, REASON_PRIVATE_ADDRESS);
	(void)expect_resolve(&t, "n257.api.example");
	assert_int_equal(chan_recv(&t.names, MSG_DONTWAIT, &m, &why), CHAN_EMPTY);
	tear_down(&t);
}

static void a_worker_that_does_not_read_is_not_waited_for(void **state)
{
	(void)state;
	struct bench t;
	set_up_started(&t, "allow api.example:443\n");
	uint64_t sent = 0;
	struct wire_open q = {
		.port = 443, .seen_in = SEEN_IN_CONNECT, .name_n = 9, .name = "evil.test"};
	for (; sent < 20000; sent++) { /* until neither side takes more */
		q.flow = sent + 1;
		if (chan_send(&t.worker, WIRE_OPEN, &q, NULL, 0, MSG_DONTWAIT) == 0)
			continue;
		turn_without_waiting(&t);
		if (chan_send(&t.worker, WIRE_OPEN, &q, NULL, 0, MSG_DONTWAIT) < 0)
			break;
	}
	assert_true(sent < 20000);
	for (uint64_t flow = 1; flow <= sent; flow++)
		expect_refused(&t, flow, REASON_NOT_ALLOWLISTED);
	assert_null(broker_why_over(t.broker));
	tear_down(&t);
}

static void a_dns_question_is_answered_from_the_rules_alone(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum reason reason;
		int is_wild;
	} cases[] = {{"API.example", REASON_NONE, 0},
		     {"x.wild.example", REASON_NONE, 1},
		     {"wild.example", REASON_NOT_ALLOWLISTED, 0},
		     {"bad.wild.example", REASON_DENIED_BY_RULE, 0},
		     {"host.drydock.internal", REASON_NOT_ALLOWLISTED, 0},
		     {"a b", REASON_MALFORMED, 0},
		     {"127.0.0.1", REASON_IP_LITERAL, 0}};
	struct bench t;
	struct chan_message m;
	const char *why;
	set_up_started(&t,
		       "allow api.example:22\nallow *.wild.example:443\ndeny bad.wild.example\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire_ask_dns q = {.ask = 90 + i, .type = 1};
		q.name_n = (uint8_t)strlen(cases[i].name);
		memcpy(q.name, cases[i].name, q.name_n);
		assert_int_equal(chan_send(&t.worker, WIRE_ASK_DNS, &q, NULL, 0, 0), 0);
		next_message(&t, &t.worker, &m);
		assert_int_equal(m.number, WIRE_DNS_VERDICT);
		assert_int_equal(m.payload.DNS_VERDICT.ask, 90 + i);
		assert_string_equal(reason_word(m.payload.DNS_VERDICT.reason),
				    reason_word(cases[i].reason));
		assert_int_equal(m.payload.DNS_VERDICT.is_wild, cases[i].is_wild);
	}
	assert_int_equal(chan_recv(&t.names, MSG_DONTWAIT, &m, &why), CHAN_EMPTY);
	expect_audit(&t, "\"event\":\"dns\"", "\"name\":\"bad.wild.example\"");
	tear_down(&t);
}

static void a_note_and_a_refusal_of_the_first_bytes_reach_the_log(void **state)
{
	(void)state;
	struct bench t;
	set_up_started(&t, "allow 127.0.0.1:PORT raw\n");
	struct wire_note note = {.reason = REASON_MALFORMED,
				 .seen_in = SEEN_IN_HTTP,
				 .name_n = 3,
				 .name = "a\x1b"
					 "b"};
	assert_int_equal(chan_send(&t.worker, WIRE_NOTE, &note, NULL, 0, 0), 0);
	ask(&t, 1, "127.0.0.1", t.port);
	(void)close(expect_opened(&t, 1, NULL));
	struct wire_close q = {
		.flow = 1, .reason = REASON_SNI_MISMATCH, .detail_n = 9, .detail = "evil.test"};
	assert_int_equal(chan_send(&t.worker, WIRE_CLOSE, &q, NULL, 0, 0), 0);
	ask(&t, 2, "evil.test", t.port);
	expect_refused(&t, 2, REASON_NOT_ALLOWLISTED);
	expect_audit(&t, "\"event\":\"note\"", "a\\u001bb");
	expect_audit(&t, "\"reason\":\"sni-mismatch\"", "\"seen\":\"evil.test\"");
	tear_down(&t);
}

static void whatever_breaks_the_protocol_ends_the_egress(void **state)
{
	(void)state;
	struct wire_open good = {
		.flow = 1, .port = 443, .seen_in = SEEN_IN_CONNECT, .name_n = 1, .name = "a"};
	for (int i = 0; i < 8; i++) {
		struct bench t;
		struct wire_open q = good;
		set_up_started(&t, "allow a:443\n");
		switch (i) {
		case 0:
			q.port = 0;
			break;
		case 1:
			q.name_n = 0;
			break;
		case 2:
			q.seen_in = SEEN_IN_DNS;
			break;
		case 3:
			q.seen_in = 99;
			break;
		case 4:
			q.pad[1] = 1;
			break;
		case 5:
			q.client_v6 = 2;
			break;
		case 6:
			q.pad3 = 1;
			break;
		default: /* the same flow twice */
			assert_int_equal(chan_send(&t.worker, WIRE_OPEN, &q, NULL, 0, 0), 0);
			break;
		}
		assert_int_equal(chan_send(&t.worker, WIRE_OPEN, &q, NULL, 0, 0), 0);
		assert_non_null(strstr(why_over(&t), "the worker broke the protocol"));
		tear_down(&t);
	}
}

static void the_end_of_a_peer_ends_the_egress(void **state)
{
	(void)state;
	struct bench t;
	set_up_started(&t, "");
	fd_drop(&t.worker.fd);
	assert_string_equal(why_over(&t), "the worker ended");
	tear_down(&t);
	set_up_started(&t, "");
	fd_drop(&t.names.fd);
	assert_string_equal(why_over(&t), "the resolver ended");
	tear_down(&t);
}

static void the_resolver_gets_sockets_to_its_servers_and_to_nothing_else(void **state)
{
	(void)state;
	struct bench t;
	struct chan_message m;
	struct wire_want_socket q = {.server = 0, .is_tcp = 1};
	struct sockaddr_in at;
	socklen_t bytes = sizeof(at);
	set_up_started(&t, "");
	assert_int_equal(chan_send(&t.sockets, WIRE_WANT_SOCKET, &q, NULL, 0, 0), 0);
	next_message(&t, &t.sockets, &m);
	assert_int_equal(m.number, WIRE_SOCKET);
	assert_int_equal(m.n_fds, 1);
	assert_int_equal(getpeername(m.fds[0], (struct sockaddr *)&at, &bytes), 0);
	assert_int_equal(ntohs(at.sin_port), t.port);
	(void)close(m.fds[0]);
	q.server = 1;
	assert_int_equal(chan_send(&t.sockets, WIRE_WANT_SOCKET, &q, NULL, 0, 0), 0);
	assert_non_null(strstr(why_over(&t), "the resolver broke the protocol"));
	tear_down(&t);
}

static void no_rule_opens_a_network_that_the_sidecar_is_on(void **state)
{
	(void)state;
	static const struct broker_closed closed[] = {{.net = {.bytes = {127}}, .bits = 8},
						      {.net = {.bytes = {172, 30}}, .bits = 16}};
	struct bench t;
	sidecar = (struct broker_settings){.closed = closed, .n_closed = 2};
	set_up_started(&t, "allow near.example:PORT private loopback\nallow 127.0.0.1:PORT raw\n"
			   "allow host.drydock.internal:PORT\n");
	ask(&t, 1, "near.example", t.port);
	answer_one(&t, expect_resolve(&t, "near.example"), "172.30.255.1");
	expect_refused(&t, 1, REASON_PRIVATE_ADDRESS);
	expect_audit(&t, "\"name\":\"near.example\"", "of a network of the session's own");
	ask(&t, 2, "127.0.0.1", t.port);
	expect_refused(&t, 2, REASON_PRIVATE_ADDRESS);
	ask(&t, 3, "host.drydock.internal", t.port);
	expect_refused(&t, 3, REASON_PRIVATE_ADDRESS);
	tear_down(&t);
	sidecar.n_closed = 0; /* the twin */
	set_up_started(&t, "allow 127.0.0.1:PORT raw\n");
	ask(&t, 2, "127.0.0.1", t.port);
	(void)close(expect_opened(&t, 2, NULL));
	tear_down(&t);
	sidecar = (struct broker_settings){0};
}

static uint64_t ask_clients(struct bench *t, uint64_t ask)
{
	struct wire_ask_clients q = {.ask = ask};

	assert_int_equal(chan_send(&t->worker, WIRE_ASK_CLIENTS, &q, NULL, 0, 0), 0);
	return expect_resolve(t, "agent-1");
}

static struct wire_clients take_clients(struct bench *t, uint64_t ask)
{
	struct chan_message m;

	next_message(t, &t->worker, &m);
	assert_int_equal(m.number, WIRE_CLIENTS);
	assert_int_equal(m.payload.CLIENTS.ask, ask);
	return m.payload.CLIENTS;
}

static void the_agents_addresses_are_looked_up_each_time(void **state)
{
	(void)state;
	static const struct name agent = {.n = 7, .text = "agent-1"};
	static const struct wire_terms terms = {.is_guarded = 1};
	struct bench t;
	struct chan_message m;
	struct wire_hello hello = {.version = WIRE_VERSION};
	sidecar = (struct broker_settings){.agent = &agent, .terms = &terms};
	set_up(&t, "");
	assert_int_equal(chan_send(&t.names, WIRE_RESOLVER_READY, &hello, NULL, 0, 0), 0);
	next_message(&t, &t.worker, &m);
	assert_int_equal(m.number, WIRE_TERMS);
	next_message(&t, &t.worker, &m);
	assert_int_equal(m.number, WIRE_HELLO);
	t.worker.state = IN_SERVICE;
	answer_one(&t, ask_clients(&t, 1), "172.30.0.3");
	struct wire_clients c = take_clients(&t, 1);
	assert_int_equal(c.n, 1);
	assert_memory_equal(c.clients[0].bytes, ((uint8_t[]){172, 30, 0, 3}), 4);
	struct wire_resolved none = {.ask = ask_clients(&t, 2), .status = RESOLVED_NO_SUCH_NAME};
	assert_int_equal(chan_send(&t.names, WIRE_RESOLVED, &none, NULL, 0, 0), 0);
	assert_int_equal(take_clients(&t, 2).n, 0);
	(void)ask_clients(&t, 3);
	struct wire_ask_clients second = {.ask = 4};
	assert_int_equal(chan_send(&t.worker, WIRE_ASK_CLIENTS, &second, NULL, 0, 0), 0);
	assert_non_null(strstr(why_over(&t), "the worker broke the protocol (ASK_CLIENTS out of turn)"));
	tear_down(&t);
	sidecar = (struct broker_settings){0};
	set_up_started(&t, ""); /* where nothing is guarded nobody may ask */
	assert_int_equal(chan_send(&t.worker, WIRE_ASK_CLIENTS, &second, NULL, 0, 0), 0);
	assert_non_null(strstr(why_over(&t), "the worker broke the protocol"));
	tear_down(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_answered_before_the_resolver_is_ready),
		cmocka_unit_test(an_allowed_name_is_resolved_dialled_and_handed_over),
		cmocka_unit_test(an_answer_that_is_valid_is_used_again_and_judged_again),
		cmocka_unit_test(an_answer_without_ttl_is_asked_for_again),
		cmocka_unit_test(a_name_no_rule_allows_is_refused_without_being_resolved),
		cmocka_unit_test(a_refusal_names_the_rule_and_the_audit_record),
		cmocka_unit_test(one_address_of_a_forbidden_class_refuses_the_name),
		cmocka_unit_test(a_literal_needs_an_address_rule_and_one_spelling),
		cmocka_unit_test(the_users_own_host_opens_by_its_name_only),
		cmocka_unit_test(what_the_resolver_says_becomes_a_reason),
		cmocka_unit_test(new_names_below_a_wildcard_are_asked_for_so_many_times_a_minute),
		cmocka_unit_test(one_question_serves_all_who_ask_for_the_name_meanwhile),
		cmocka_unit_test(a_closed_port_is_unreachable_and_the_next_address_is_tried),
		cmocka_unit_test(a_flow_closed_while_it_is_resolved_is_forgotten),
		cmocka_unit_test(the_port_says_how_first_bytes_are_judged_and_options_say_better),
		cmocka_unit_test(more_connections_than_the_budget_has_are_refused),
		cmocka_unit_test(a_spent_byte_budget_ends_the_flow_whatever_the_worker_does),
		cmocka_unit_test(more_flows_than_fit_are_refused),
		cmocka_unit_test(a_worker_that_does_not_read_is_not_waited_for),
		cmocka_unit_test(a_dns_question_is_answered_from_the_rules_alone),
		cmocka_unit_test(a_note_and_a_refusal_of_the_first_bytes_reach_the_log),
		cmocka_unit_test(whatever_breaks_the_protocol_ends_the_egress),
		cmocka_unit_test(the_end_of_a_peer_ends_the_egress),
		cmocka_unit_test(the_resolver_gets_sockets_to_its_servers_and_to_nothing_else),
		cmocka_unit_test(no_rule_opens_a_network_that_the_sidecar_is_on),
		cmocka_unit_test(the_agents_addresses_are_looked_up_each_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
