/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_worker_transparent.c - DNS with synthetic addresses, and programs that know no proxy */
#include "worker_rig.h"
#include "proto/dns_msg.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

enum { RCODE_AT = 3, CLASS_IN = 1, CLASS_CHAOS = 3, TYPE_TXT = 16 };

static size_t question(const char *name, uint16_t type, uint16_t class, bool has_edns, uint8_t *out)
{
	static const uint8_t head[] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
	static const uint8_t opt[] = {0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0};
	size_t n = sizeof(head);

	memcpy(out, head, n);
	while (*name) {
		size_t label = strcspn(name, ".");
		out[n++] = (uint8_t)label;
		memcpy(out + n, name, label);
		n += label;
		name += label + (name[label] == '.');
	}
	out[n++] = 0;
	out[n++] = (uint8_t)(type >> 8);
	out[n++] = (uint8_t)type;
	out[n++] = (uint8_t)(class >> 8);
	out[n++] = (uint8_t)class;
	if (has_edns) {
		out[11] = 1;
		memcpy(out + n, opt, sizeof(opt));
		n += sizeof(opt);
	}
	return n;
}

/* A UDP socket connected to @server: an answer from any other address would not arrive. */
static int udp(const char *server)
{
	struct sockaddr_storage to;
	struct timeval limit = {.tv_sec = 10};
	struct addr a;

	assert_true(addr_parse(span_of(server), &a));
	socklen_t n = addr_to_sockaddr(&a, 53, &to);
	int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, n), 0);
	return fd;
}

static void send_question(int fd, const char *name, uint16_t type)
{
	uint8_t q[512];

	rig_send_bytes(fd, q, question(name, type, CLASS_IN, true, q));
}

static size_t receive(int fd, uint8_t out[1024])
{
	ssize_t n = recv(fd, out, 1024, 0);

	assert_true(n >= 12);
	assert_int_equal(out[0], 0x12);
	assert_int_equal(out[1], 0x34);
	return (size_t)n;
}

static int rcode(const uint8_t *reply)
{
	return reply[RCODE_AT] & 15;
}

static int n_answers(const uint8_t *reply)
{
	return reply[7];
}

/* Asks for the address of @name, which the broker allows; leaves its text in @out. */
static void resolve(struct rig *r, const char *name, char out[ADDR_TEXT_BYTES])
{
	uint8_t reply[1024];
	int fd = udp("127.0.0.1");

	send_question(fd, name, DNS_A);
	rig_dns_verdict(r, rig_take_ask(r, name).ask, REASON_NONE, name, false);
	size_t n = receive(fd, reply);
	assert_int_equal(rcode(reply), DNS_NOERROR);
	assert_int_equal(n_answers(reply), 1);
	/* the OPT record of 11 bytes is last, the address stands before it */
	inet_ntop(AF_INET, reply + n - 11 - 4, out, ADDR_TEXT_BYTES);
	close(fd);
}

static void an_allowed_name_gets_a_synthetic_address_from_the_server_that_was_asked(void **state)
{
	struct rig *r = *state;
	uint8_t reply[1024];
	int fd = udp("198.18.77.7"); /* any address the client likes */

	send_question(fd, "Allowed.example", DNS_A);
	rig_dns_verdict(r, rig_take_ask(r, "allowed.example").ask, REASON_NONE, "allowed.example", false);
	size_t n = receive(fd, reply);
	assert_int_equal(rcode(reply), DNS_NOERROR);
	assert_int_equal(n_answers(reply), 1);
	assert_int_equal(reply[n - 11 - 4], 198);
	assert_int_equal(reply[n - 11 - 3], 18);
	/* the second question is answered without the broker */
	send_question(fd, "allowed.example", DNS_AAAA);
	n = receive(fd, reply);
	assert_int_equal(n_answers(reply), 1);
	assert_int_equal(reply[n - 11 - 16], 0xfd);
	rig_is_silent(r);
	close(fd);
}

static void a_refused_name_does_not_exist_and_says_why(void **state)
{
	struct rig *r = *state;
	uint8_t reply[1024];
	int fd = udp("127.0.0.1");

	for (int i = 0; i < 2; i++) { /* refusals are never remembered */
		send_question(fd, "secret.evil.example", DNS_A);
		rig_dns_verdict(r, rig_take_ask(r, "secret.evil.example").ask, REASON_NOT_ALLOWLISTED, "",
				false);
		size_t n = receive(fd, reply);
		assert_int_equal(rcode(reply), DNS_NXDOMAIN);
		assert_int_equal(n_answers(reply), 0);
		assert_non_null(memmem(reply, n, "blocked by drydock: not-allowlisted", 35));
	}
	close(fd);
}

static void an_allowed_name_has_no_other_types(void **state)
{
	static const uint16_t types[] = {DNS_HTTPS, DNS_SVCB, TYPE_TXT, DNS_ANY};
	struct rig *r = *state;
	uint8_t reply[1024];
	int fd = udp("127.0.0.1");

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		send_question(fd, "allowed.example", types[i]);
		if (i == 0)
			rig_dns_verdict(r, rig_take_ask(r, "allowed.example").ask, REASON_NONE,
					"allowed.example", false);
		receive(fd, reply);
		assert_int_equal(rcode(reply), DNS_NOERROR);
		assert_int_equal(n_answers(reply), 0);
		assert_int_equal(reply[9], 1); /* the SOA */
	}
	close(fd);
}

static void a_name_that_is_none_is_noted_and_does_not_exist(void **state)
{
	struct rig *r = *state;
	uint8_t reply[1024];
	int fd = udp("127.0.0.1");

	send_question(fd, "a b.example", DNS_A);
	struct wire_note note = rig_take_note(r, REASON_MALFORMED);
	assert_int_equal(note.seen_in, SEEN_IN_DNS);
	receive(fd, reply);
	assert_int_equal(rcode(reply), DNS_NXDOMAIN);
	close(fd);
}

static void odd_questions_are_answered_here(void **state)
{
	struct rig *r = *state;
	uint8_t q[512], reply[1024];
	int fd = udp("127.0.0.1");

	rig_send_bytes(fd, q, question("version.bind", TYPE_TXT, CLASS_CHAOS, false, q));
	receive(fd, reply);
	assert_int_equal(rcode(reply), DNS_NOTIMP);
	size_t n = question("two.example", DNS_A, CLASS_IN, false, q);
	q[5] = 2; /* two questions, it says */
	rig_send_bytes(fd, q, n);
	receive(fd, reply);
	assert_int_equal(rcode(reply), DNS_FORMERR);
	rig_is_silent(r);
	close(fd);
}

static void too_many_new_names_under_a_wildcard_do_not_exist(void **state)
{
	struct rig *r = *state;
	uint8_t reply[1024];
	char name[64];
	int fd = udp("127.0.0.1");

	for (int i = 0; i <= NAMES_WILD_A_MINUTE; i++) {
		(void)snprintf(name, sizeof(name), "x%d.wild.example", i); /* fits */
		send_question(fd, name, DNS_A);
		rig_dns_verdict(r, rig_take_ask(r, name).ask, REASON_NONE, name, true);
		receive(fd, reply);
		assert_int_equal(rcode(reply), i < NAMES_WILD_A_MINUTE ? DNS_NOERROR : DNS_NXDOMAIN);
	}
	close(fd);
}

static void dns_over_tcp(struct rig *r, int fd)
{
	uint8_t q[512], reply[1024];
	size_t n = question("tcp.example", DNS_A, CLASS_IN, true, q + 2);

	q[0] = 0;
	q[1] = (uint8_t)n;
	rig_send_bytes(fd, q, 1);
	rig_send_bytes(fd, q + 1, n + 1);
	rig_send_bytes(fd, q, n + 2); /* a second one, at once */
	rig_dns_verdict(r, rig_take_ask(r, "tcp.example").ask, REASON_NONE, "tcp.example", false);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(recv(fd, reply, 2, MSG_WAITALL), 2);
		assert_int_equal(reply[0], 0);
		size_t bytes = reply[1]; /* what comes overwrites it */
		assert_int_equal(recv(fd, reply, bytes, MSG_WAITALL), bytes);
		assert_int_equal(n_answers(reply), 1);
	}
	close(fd);
}

static void dns_over_tcp_takes_question_after_question(void **state)
{
	dns_over_tcp(*state, rig_connect("127.0.0.1", 53));
}

static void a_dns_client_that_leaves_takes_its_question_with_it(void **state)
{
	struct rig *r = *state;
	uint8_t q[512];
	int fd = rig_connect("127.0.0.1", 53);
	size_t n = question("gone.example", DNS_A, CLASS_IN, true, q + 2);

	q[0] = 0;
	q[1] = (uint8_t)n;
	rig_send_bytes(fd, q, n + 2);
	struct wire_ask_dns ask = rig_take_ask(r, "gone.example");
	close(fd);
	rig_dns_verdict(r, ask.ask, REASON_NONE, "gone.example", false);
	dns_over_tcp(r, rig_connect("127.0.0.1", 53));
}

static void a_connection_to_a_synthetic_address_is_one_to_its_name(void **state)
{
	struct rig *r = *state;
	char address[ADDR_TEXT_BYTES];
	uint8_t hello[512], seen[512];

	resolve(r, "tls.example", address);
	int client = rig_connect(address, 443);
	struct wire_open q = rig_take_open(r, "tls.example", 443);
	assert_int_equal(q.seen_in, SEEN_IN_DNS_TABLE);
	int server = rig_grant(r, q.flow, JUDGE_TLS, 0, "tls.example");
	size_t n = rig_hello("tls.example", false, 16384, hello);
	rig_send_bytes(client, hello, n);
	assert_int_equal(recv(server, seen, n, MSG_WAITALL), n);
	assert_memory_equal(seen, hello, n);
	close(client);
	close(server);
	rig_take_close(r, q.flow, REASON_NONE);
}

static void both_families_lead_to_the_name(void **state)
{
	struct rig *r = *state;
	uint8_t reply[1024];
	int fd = udp(RIG_FIRST_V6);

	send_question(fd, "six.example", DNS_AAAA);
	rig_dns_verdict(r, rig_take_ask(r, "six.example").ask, REASON_NONE, "six.example", false);
	receive(fd, reply);
	assert_int_equal(n_answers(reply), 1);
	close(fd);
	int client = rig_connect(RIG_FIRST_V6, 5432);
	struct wire_open q = rig_take_open(r, "six.example", 5432);
	assert_int_equal(q.seen_in, SEEN_IN_DNS_TABLE);
	assert_int_equal(q.client_v6, 1);
	int server = rig_grant(r, q.flow, JUDGE_RAW, 0, "six.example");
	rig_send(client, "hi");
	rig_expect(server, "hi");
	close(client);
	close(server);
	rig_take_close(r, q.flow, REASON_NONE);
	fd = udp("::1");
	send_question(fd, "six.example", DNS_A);
	receive(fd, reply);
	assert_int_equal(n_answers(reply), 1);
	close(fd);
}

static void a_raw_port_lets_the_server_speak_first(void **state)
{
	struct rig *r = *state;
	char address[ADDR_TEXT_BYTES];

	resolve(r, "git.example", address);
	int client = rig_connect(address, 22);
	struct wire_open q = rig_take_open(r, "git.example", 22);
	int server = rig_grant(r, q.flow, JUDGE_RAW, 0, "git.example");
	rig_send(server, "SSH-2.0-x\r\n");
	rig_expect(client, "SSH-2.0-x\r\n");
	close(client);
	close(server);
	rig_take_close(r, q.flow, REASON_NONE);
}

static void an_address_that_nobody_was_given_is_asked_for_as_one_and_reset(void **state)
{
	struct rig *r = *state;
	int client = rig_connect("198.18.200.9", 443);
	struct wire_open q = rig_take_open(r, "198.18.200.9", 443);

	assert_int_equal(q.seen_in, SEEN_AS_ADDRESS);
	rig_refuse(r, q.flow, REASON_IP_LITERAL);
	rig_expect_reset(client);
	close(client);
}

static void an_address_rule_lets_a_literal_through_without_a_server_name(void **state)
{
	struct rig *r = *state;
	uint8_t hello[512], seen[512];
	int client = rig_connect("198.18.200.9", 443);
	struct wire_open q = rig_take_open(r, "198.18.200.9", 443);
	int server = rig_grant(r, q.flow, JUDGE_TLS, 0, "198.18.200.9");
	size_t n = rig_hello(NULL, false, 16384, hello);

	rig_send_bytes(client, hello, n);
	assert_int_equal(recv(server, seen, n, MSG_WAITALL), n);
	close(client);
	close(server);
	rig_take_close(r, q.flow, REASON_NONE);
}

static void a_refused_tls_client_gets_an_alert(void **state)
{
	struct rig *r = *state;
	char address[ADDR_TEXT_BYTES];
	uint8_t hello[512], got[7];

	resolve(r, "tls.example", address);
	int client = rig_connect(address, 443);
	rig_refuse(r, rig_take_open(r, "tls.example", 443).flow, REASON_NO_SUCH_NAME);
	rig_send_bytes(client, hello, rig_hello("tls.example", false, 16384, hello));
	assert_int_equal(recv(client, got, sizeof(got), MSG_WAITALL), sizeof(got));
	assert_int_equal(got[0], 21);
	assert_int_equal(got[6], 49);
	rig_expect_end(client);
	close(client);
}

static void a_refused_http_client_gets_the_reason(void **state)
{
	struct rig *r = *state;
	char address[ADDR_TEXT_BYTES];

	resolve(r, "web.example", address);
	int client = rig_connect(address, 80);
	rig_refuse(r, rig_take_open(r, "web.example", 80).flow, REASON_PORT_NOT_ALLOWED);
	rig_send(client, "GET / HTTP/1.1\r\nHost: web.example\r\n\r\n");
	assert_non_null(strstr(rig_read_all(client), "HTTP/1.1 403 Blocked by drydock: web.example not allowed on this port"));
	close(client);
}

static void a_refused_ssh_client_gets_the_reason(void **state)
{
	struct rig *r = *state;
	char address[ADDR_TEXT_BYTES], got[512];

	resolve(r, "git.example", address);
	int client = rig_connect(address, 22);
	rig_refuse(r, rig_take_open(r, "git.example", 22).flow, REASON_PORT_NOT_ALLOWED);
	rig_expect(client, "SSH-2.0-drydock\r\n");
	ssize_t n = recv(client, got, sizeof(got), 0);
	assert_true(n > 0 && n % 8 == 0);
	assert_non_null(memmem(got, (size_t)n, "Blocked by drydock: git.example:22", 34));
	close(client);
}

static void any_other_refused_client_is_reset(void **state)
{
	struct rig *r = *state;
	char address[ADDR_TEXT_BYTES];

	resolve(r, "db.example", address);
	int client = rig_connect(address, 5432);
	rig_refuse(r, rig_take_open(r, "db.example", 5432).flow, REASON_PORT_NOT_ALLOWED);
	rig_expect_reset(client);
	close(client);
}

#define RIG(test) cmocka_unit_test_setup_teardown(test, rig_up, rig_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG(an_allowed_name_gets_a_synthetic_address_from_the_server_that_was_asked),
		RIG(a_refused_name_does_not_exist_and_says_why),
		RIG(an_allowed_name_has_no_other_types),
		RIG(a_name_that_is_none_is_noted_and_does_not_exist),
		RIG(odd_questions_are_answered_here),
		RIG(too_many_new_names_under_a_wildcard_do_not_exist),
		RIG(dns_over_tcp_takes_question_after_question),
		RIG(a_dns_client_that_leaves_takes_its_question_with_it),
		RIG(a_connection_to_a_synthetic_address_is_one_to_its_name),
		RIG(both_families_lead_to_the_name),
		RIG(a_raw_port_lets_the_server_speak_first),
		RIG(an_address_that_nobody_was_given_is_asked_for_as_one_and_reset),
		RIG(an_address_rule_lets_a_literal_through_without_a_server_name),
		RIG(a_refused_tls_client_gets_an_alert),
		RIG(a_refused_http_client_gets_the_reason),
		RIG(a_refused_ssh_client_gets_the_reason),
		RIG(any_other_refused_client_is_reset),
	};
	return rig_namespace() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
