/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_hosts.c - hosts(5) and the nameserver lines of resolv.conf(5) */
#include "egress/resolv_conf.h"
#include "egress/resolver/hosts.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void expect(const struct hosts *h, const char *name, const char *const *addresses, size_t n)
{
	struct addr found[4];
	assert_int_equal(hosts_find(h, name, found, 4), n);
	for (size_t i = 0; i < n; i++) {
		char text[ADDR_TEXT_BYTES];
		addr_print(&found[i], text);
		assert_string_equal(text, addresses[i]);
	}
}

static void names_and_aliases_lead_to_their_addresses_in_order(void **state)
{
	(void)state;
	struct hosts h;
	static const char *const two[] = {"192.0.2.9", "2001:db8::1"};
	static const char *const one[] = {"192.0.2.9"};
	assert_int_equal(hosts_read(span_of("192.0.2.9\tZoo.test  alias # not.this\r\n\n#x\n"
					    "2001:db8::1 zoo.test\n127.0.0.1 a\n10.0.0.1 zz.test"),
				    &h),
			 0);
	expect(&h, "zoo.test", two, 2);
	expect(&h, "alias", one, 1);
	expect(&h, "not.this", NULL, 0);
	expect(&h, "zz.test", (const char *const[]){"10.0.0.1"}, 1);
	expect(&h, "zo.test", NULL, 0);
	hosts_drop(&h);
}

static void lines_that_make_no_sense_are_skipped(void **state)
{
	(void)state;
	struct hosts h;
	assert_int_equal(
		hosts_read(span_of("nonsense a.test\n127.1 b.test\nfe80::1%eth0 c.test\n192.0.2.1\n"
				   "192.0.2.1 -bad- 192.0.2.2 good.test\n"),
			   &h),
		0);
	assert_int_equal(h.n, 1);
	expect(&h, "good.test", (const char *const[]){"192.0.2.1"}, 1);
	hosts_drop(&h);
	assert_int_equal(hosts_read(span_of(""), &h), 0);
	expect(&h, "good.test", NULL, 0);
}

static void only_as_many_as_fit_are_given(void **state)
{
	(void)state;
	struct hosts h;
	struct addr found[2];
	assert_int_equal(hosts_read(span_of("192.0.2.1 a\n192.0.2.2 a\n192.0.2.3 a\n"), &h), 0);
	assert_int_equal(hosts_find(&h, "a", found, 2), 2);
	assert_int_equal(found[1].bytes[3], 2);
	hosts_drop(&h);
}

static void nameserver_lines_give_the_servers(void **state)
{
	(void)state;
	struct endpoint out[2];
	char text[ENDPOINT_TEXT_BYTES];
	const struct span in = span_of("# nameserver 192.0.2.9\nsearch x\nnameservers 192.0.2.8\n"
				       "nameserver fe80::1%eth0\nnameserver\t192.0.2.1 \r\n"
				       "nameserver ::1\nnameserver 192.0.2.3");
	assert_int_equal(resolv_conf_read(in, out, 2), 2);
	endpoint_print(&out[0], text);
	assert_string_equal(text, "192.0.2.1:53");
	endpoint_print(&out[1], text);
	assert_string_equal(text, "[::1]:53");
}

static void without_a_server_it_is_the_local_machine(void **state)
{
	(void)state;
	struct endpoint out[2];
	char text[ENDPOINT_TEXT_BYTES];
	assert_int_equal(resolv_conf_read(span_of("options ndots:1\n"), out, 2), 1);
	endpoint_print(&out[0], text);
	assert_string_equal(text, "127.0.0.1:53");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_aliases_lead_to_their_addresses_in_order),
		cmocka_unit_test(lines_that_make_no_sense_are_skipped),
		cmocka_unit_test(only_as_many_as_fit_are_given),
		cmocka_unit_test(nameserver_lines_give_the_servers),
		cmocka_unit_test(without_a_server_it_is_the_local_machine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
