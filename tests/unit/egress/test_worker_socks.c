/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_worker_socks.c - SOCKS on the proxy port: the same judgement, its own words */
#include "worker_rig.h"

#include <unistd.h>

static const char greeting[] = "\x05\x01\x00";
static const char request[] = "\x05\x01\x00\x03\x0btls.example\x01\xbb";

static void a_socks5_client_reaches_an_allowed_name(void **state)
{
	struct rig *r = *state;
	uint8_t hello[512], seen[512], reply[10];
	int client = rig_client();

	rig_send_bytes(client, greeting, 3);
	assert_int_equal(recv(client, reply, 2, MSG_WAITALL), 2);
	assert_memory_equal(reply, "\x05\x00", 2);
	rig_send_bytes(client, request, sizeof(request) - 1);
	struct wire_open q = rig_take_open(r, "tls.example", 443);
	assert_int_equal(q.seen_in, SEEN_IN_SOCKS);
	int server = rig_grant(r, q.flow, JUDGE_TLS, 0, "tls.example");
	assert_int_equal(recv(client, reply, 10, MSG_WAITALL), 10);
	assert_memory_equal(reply, "\x05\x00\x00\x01", 4);
	size_t n = rig_hello("tls.example", false, 16384, hello);
	rig_send_bytes(client, hello, n);
	assert_int_equal(recv(server, seen, n, MSG_WAITALL), n);
	close(client);
	close(server);
	rig_take_close(r, q.flow, REASON_NONE);
}

static void a_socks5_client_is_refused_by_reply_code(void **state)
{
	struct rig *r = *state;
	uint8_t reply[12];
	int client = rig_client();

	rig_send_bytes(client, greeting, 3);
	rig_send_bytes(client, request, sizeof(request) - 1);
	rig_refuse(r, rig_take_open(r, "tls.example", 443).flow, REASON_NOT_ALLOWLISTED);
	assert_int_equal(recv(client, reply, 12, MSG_WAITALL), 12);
	assert_memory_equal(reply, "\x05\x00\x05\x02", 4);
	rig_expect_end(client);
	close(client);
}

static void a_socks4a_client_is_served_too(void **state)
{
	static const char v4[] = "\x04\x01\x01\xbb\x00\x00\x00\x01user\0tls.example";
	struct rig *r = *state;
	uint8_t reply[8];
	int client = rig_client();

	rig_send_bytes(client, v4, sizeof(v4)); /* with the last NUL */
	struct wire_open q = rig_take_open(r, "tls.example", 443);
	int server = rig_grant(r, q.flow, JUDGE_RAW, 0, "tls.example");
	assert_int_equal(recv(client, reply, 8, MSG_WAITALL), 8);
	assert_int_equal(reply[1], 90);
	rig_send(server, "hi");
	rig_expect(client, "hi");
	close(client);
	close(server);
	rig_take_close(r, q.flow, REASON_NONE);
}

static void a_literal_is_asked_for_as_one(void **state)
{
	struct rig *r = *state;
	uint8_t reply[12];
	int client = rig_client();

	rig_send_bytes(client, greeting, 3);
	rig_send_bytes(client, "\x05\x01\x00\x01\xa9\xfe\xa9\xfe\x00\x50", 10);
	rig_refuse(r, rig_take_open(r, "169.254.169.254", 80).flow, REASON_IP_LITERAL);
	assert_int_equal(recv(client, reply, 12, MSG_WAITALL), 12);
	assert_int_equal(reply[3], 2);
	close(client);
}

static void udp_associate_and_passwords_are_not_for_sale(void **state)
{
	struct rig *r = *state;
	uint8_t reply[12];
	int client = rig_client();

	rig_send_bytes(client, greeting, 3);
	rig_send_bytes(client, "\x05\x03\x00\x01\x00\x00\x00\x00\x00\x35", 10);
	rig_take_note(r, REASON_MALFORMED);
	assert_int_equal(recv(client, reply, 12, MSG_WAITALL), 12);
	assert_int_equal(reply[3], 7);
	close(client);
	client = rig_client();
	rig_send_bytes(client, "\x05\x01\x02", 3);
	assert_int_equal(recv(client, reply, 2, MSG_WAITALL), 2);
	assert_memory_equal(reply, "\x05\xff", 2);
	rig_expect_end(client);
	close(client);
}

static void nonsense_is_reset_and_noted(void **state)
{
	struct rig *r = *state;
	int client = rig_client();

	rig_send_bytes(client, "\x05\x01\x00\x05\x09\x09\x09\x09\x09\x09\x09", 11);
	rig_take_note(r, REASON_MALFORMED);
	close(client);
	rig_is_silent(r);
}

#define RIG(test) cmocka_unit_test_setup_teardown(test, rig_up, rig_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG(a_socks5_client_reaches_an_allowed_name), RIG(a_socks5_client_is_refused_by_reply_code),
		RIG(a_socks4a_client_is_served_too),	      RIG(a_literal_is_asked_for_as_one),
		RIG(udp_associate_and_passwords_are_not_for_sale), RIG(nonsense_is_reset_and_noted),
	};
	return rig_namespace() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
