/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_legs.c - which network of a sidecar is the inner one */
#include "egress/legs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const struct leg legs[] = {
	{.name = "lo", .at = {.bytes = {127, 0, 0, 1}}, .net = {.bytes = {127}}, .bits = 8},
	{.name = "eth0", .at = {.bytes = {172, 31, 0, 2}}, .net = {.bytes = {172, 31}}, .bits = 16},
	{.name = "eth1", .at = {.bytes = {172, 30, 0, 2}}, .net = {.bytes = {172, 30}}, .bits = 16},
	{.name = "eth2", .at = {.bytes = {172, 29, 0, 2}}, .net = {.bytes = {172, 29}}, .bits = 16},
};

static void a_prefix_is_read_strictly_and_loses_its_host_bits(void **state)
{
	static const char *const bad[] = {"172.30.0.0",     "172.30.0.0/",    "172.30.0.0/33", "172.30.0.0/-1",
					  "172.30.0.0/ 24", "172.30.0.0/24 ", "/24",	       "fe80::/129",
					  "172.30.0/24",    "172.30.0.0/0024"};
	char text[LEGS_PREFIX_TEXT_BYTES];
	struct addr net;
	uint8_t bits;

	(void)state;
	assert_true(legs_prefix_parse(span_of("172.30.7.9/20"), &net, &bits));
	legs_prefix_print(&net, bits, text);
	assert_string_equal(text, "172.30.0.0/20");
	assert_true(legs_prefix_parse(span_of("fd00:1:2:3::4/64"), &net, &bits));
	legs_prefix_print(&net, bits, text);
	assert_string_equal(text, "fd00:1:2:3::/64");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(legs_prefix_parse(span_of(bad[i]), &net, &bits));
}

static void the_default_route_is_the_one_without_destination_and_mask(void **state)
{
	static const char routes[] = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\n"
				     "eth1\t0000001E\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\n"
				     "eth2\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\n"
				     "eth0\t00000000\t01001FAC\t0003\t0\t0\t0\t00000000\t0\n";
	char name[LEG_NAME_BYTES] = "";

	(void)state;
	assert_true(legs_default_route(span_of(routes), name));
	assert_string_equal(name, "eth0");
	assert_false(legs_default_route(span_make(routes, strlen(routes) / 2), name));
	assert_false(legs_default_route(span_of(""), name));
}

static void the_inner_leg_is_inside_its_subnet(void **state)
{
	struct addr net;
	uint8_t bits;

	(void)state;
	assert_true(legs_prefix_parse(span_of("172.30.0.0/16"), &net, &bits));
	assert_string_equal(legs_inside(legs, 4, &net, bits)->name, "eth1");
	assert_true(legs_prefix_parse(span_of("172.28.0.0/16"), &net, &bits));
	assert_null(legs_inside(legs, 4, &net, bits));
}

static void without_a_subnet_it_is_the_one_other_leg_or_nothing_is_guessed(void **state)
{
	(void)state;
	assert_string_equal(legs_other(legs, 3, "eth0")->name, "eth1");
	assert_null(legs_other(legs, 4, "eth0"));
	assert_null(legs_other(legs, 2, "eth0"));
}

static void the_legs_of_this_machine_hold_loopback(void **state)
{
	struct leg own[LEGS_MAX];
	struct err err = {0};
	size_t n = 0;

	(void)state;
	assert_int_equal(legs_read(own, &n, &err), 0);
	for (size_t i = 0; i < n; i++)
		if (!own[i].at.is_v6 && own[i].net.bytes[0] == 127 && own[i].bits == 8)
			return;
	assert_int_equal(n, 0); /* a namespace whose lo is down has no address at all */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prefix_is_read_strictly_and_loses_its_host_bits),
		cmocka_unit_test(the_default_route_is_the_one_without_destination_and_mask),
		cmocka_unit_test(the_inner_leg_is_inside_its_subnet),
		cmocka_unit_test(without_a_subnet_it_is_the_one_other_leg_or_nothing_is_guessed),
		cmocka_unit_test(the_legs_of_this_machine_hold_loopback),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
