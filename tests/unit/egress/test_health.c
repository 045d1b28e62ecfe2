/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_health.c - where the proxy listens, read from the kernel's table */
#include "egress/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const char table[] =
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	"   0: 0B00007F:AC5B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n"
	"   1: 03001EAC:22B8 05001EAC:D2A0 01 00000000:00000000 00:00000000 00000000 65534        0 2 1\n"
	"   2: 02001EAC:22B8 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65534        0 3 1\n";

static void the_listener_is_found_and_connections_are_not(void **state)
{
	struct endpoint at = {0};
	char text[ENDPOINT_TEXT_BYTES];

	(void)state;
	assert_true(health_find_listener(span_of(table), 8888, &at));
	endpoint_print(&at, text);
	assert_string_equal(text, "172.30.0.2:8888");
}

static void where_nobody_listens_nothing_is_found(void **state)
{
	struct endpoint at;

	(void)state;
	assert_false(health_find_listener(span_of(table), 8889, &at));
	assert_false(health_find_listener(span_of(""), 8888, &at));
	assert_false(health_find_listener(span_of("\n\n 1: zz"), 8888, &at));
}

static void a_control_socket_is_one_that_accepts_packets(void **state)
{
	static const char sockets[] =
		"Num       RefCount Protocol Flags    Type St Inode Path\n"
		"0000000000000000: 00000003 00000000 00000000 0005 03 10 /var/lib/connected.sock\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 11 /run/stream.sock\n"
		"0000000000000000: 00000002 00000000 00010000 0005 01 12 @abstract\n"
		"0000000000000000: 00000002 00000000 00010000 0005 01 13\n"
		"0000000000000000: 00000002 00000000 00010000 0005 01 14 /var/lib/drydock/ctl.sock\n";
	char path[108] = "";

	(void)state;
	assert_true(health_find_control(span_of(sockets), path, sizeof(path)));
	assert_string_equal(path, "/var/lib/drydock/ctl.sock");
	assert_false(health_find_control(span_of(sockets), path, 10));
	assert_false(health_find_control(span_make(sockets, 300), path, sizeof(path)));
	assert_false(health_find_control(span_of(""), path, sizeof(path)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_listener_is_found_and_connections_are_not),
		cmocka_unit_test(a_control_socket_is_one_that_accepts_packets),
		cmocka_unit_test(where_nobody_listens_nothing_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
