/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/net/test_endpoint.c - ADDRESS:PORT */
#include "net/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void what_people_write_is_read_and_printed_back(void **state)
{
	(void)state;
	static const char *const good[] = {"127.0.0.1:3128", "0.0.0.0:0", "[::1]:53",
					   "[2001:db8::1]:65535"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct endpoint e;
		char text[ENDPOINT_TEXT_BYTES];
		assert_true(endpoint_parse(span_of(good[i]), &e));
		endpoint_print(&e, text);
		assert_string_equal(text, good[i]);
	}
}

static void anything_else_is_refused_and_leaves_out_alone(void **state)
{
	(void)state;
	static const char *const bad[] = {"",
					  ":",
					  "1",
					  "127.0.0.1",
					  "127.0.0.1:",
					  ":53",
					  "::1:53",
					  "[::1]",
					  "[::1]53",
					  "[127.0.0.1]:1",
					  "127.0.0.1:-1",
					  "127.0.0.1:65536",
					  "1.2:53",
					  "host:5353",
					  "[]:5",
					  "1.2.3.4:053",
					  "1.2.3.4:5 ",
					  " 1.2.3.4:5",
					  "[::1:5",
					  "::1]:5",
					  "1.2.3.4:99999"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct endpoint e = {.port = 7};
		assert_false(endpoint_parse(span_of(bad[i]), &e));
		assert_int_equal(e.port, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_people_write_is_read_and_printed_back),
		cmocka_unit_test(anything_else_is_refused_and_leaves_out_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
