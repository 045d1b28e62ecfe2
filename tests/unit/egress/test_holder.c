/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_holder.c - the list of ports that a holder listens on */
#include "egress/holder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void ports_are_read_once_each_and_the_fixed_ones_are_left_out(void **state)
{
	struct holder_ports p = {.n = 0};

	(void)state;
	assert_true(holder_ports_parse(span_of("443,80,8888,53,443,65535,1"), &p));
	assert_int_equal(p.n, 4);
	assert_int_equal(p.ports[0], 443);
	assert_int_equal(p.ports[1], 80);
	assert_int_equal(p.ports[2], 65535);
	assert_int_equal(p.ports[3], 1);
	assert_true(holder_ports_parse(span_of("8888"), &p));
	assert_int_equal(p.n, 0);
}

static void anything_else_is_refused_whole(void **state)
{
	static const char *const bad[] = {"", ",", "80,", ",80", "80,,443", "0", "65536", "000080", "-1", "80 ", "a", "80;443"};
	struct holder_ports p = {.n = 7};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (holder_ports_parse(span_of(bad[i]), &p))
			fail_msg("'%s' was taken", bad[i]);
	assert_int_equal(p.n, 7);
}

static void as_many_as_one_message_carries(void **state)
{
	char text[512] = "";
	struct holder_ports p;
	size_t n = 0;

	(void)state;
	for (int i = 0; i < WIRE_MAX_LISTENERS - 3; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%d", i ? "," : "", 1000 + i);
	assert_true(holder_ports_parse(span_of(text), &p));
	assert_int_equal(p.n, WIRE_MAX_LISTENERS - 3);
	(void)snprintf(text + n, sizeof(text) - n, ",2000");
	assert_false(holder_ports_parse(span_of(text), &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_read_once_each_and_the_fixed_ones_are_left_out),
		cmocka_unit_test(anything_else_is_refused_whole),
		cmocka_unit_test(as_many_as_one_message_carries),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
