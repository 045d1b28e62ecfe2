/* SPDX-License-Identifier: Apache-2.0 */
#include "net/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
	const char *text;
	enum addr_class class;
} samples[] = {
	{"8.8.8.8", ADDR_PUBLIC}, {"93.184.216.34", ADDR_PUBLIC}, {"172.15.255.255", ADDR_PUBLIC},
	{"172.32.0.0", ADDR_PUBLIC}, {"100.63.255.255", ADDR_PUBLIC}, {"223.255.255.255", ADDR_PUBLIC},
	{"10.0.0.0", ADDR_PRIVATE}, {"10.255.255.255", ADDR_PRIVATE}, {"172.16.0.1", ADDR_PRIVATE},
	{"172.31.255.255", ADDR_PRIVATE}, {"192.168.1.1", ADDR_PRIVATE}, {"100.64.0.1", ADDR_PRIVATE},
	{"127.0.0.1", ADDR_LOOPBACK}, {"127.255.255.255", ADDR_LOOPBACK}, {"::1", ADDR_LOOPBACK},
	{"169.254.1.1", ADDR_LINK}, {"fe80::1", ADDR_LINK}, {"fec0::1", ADDR_LINK},
	{"169.254.169.254", ADDR_METADATA}, {"169.254.170.2", ADDR_METADATA}, {"fd00:ec2::254", ADDR_METADATA},
	{"100.100.100.200", ADDR_METADATA}, {"168.63.129.16", ADDR_METADATA}, {"192.0.0.192", ADDR_METADATA},
	{"fd20:ce::254", ADDR_METADATA},
	{"0.0.0.0", ADDR_SPECIAL}, {"0.1.2.3", ADDR_SPECIAL}, {"192.0.2.1", ADDR_SPECIAL}, {"198.18.0.1", ADDR_SPECIAL},
	{"203.0.113.7", ADDR_SPECIAL}, {"224.0.0.1", ADDR_SPECIAL}, {"255.255.255.255", ADDR_SPECIAL},
	{"240.0.0.1", ADDR_SPECIAL}, {"::", ADDR_SPECIAL}, {"ff02::1", ADDR_SPECIAL}, {"100::1", ADDR_SPECIAL},
	{"2001:db8::1", ADDR_SPECIAL}, {"2002:5db8:d822::1", ADDR_SPECIAL}, {"2001::1", ADDR_SPECIAL},
	{"3fff::1", ADDR_SPECIAL}, {"4000::1", ADDR_SPECIAL},
	{"2606:2800:220:1::1", ADDR_PUBLIC}, {"2a00::1", ADDR_PUBLIC}, {"fd12::1", ADDR_PRIVATE}, {"fc00::1", ADDR_PRIVATE},
	{"::ffff:10.0.0.1", ADDR_PRIVATE}, {"::ffff:169.254.169.254", ADDR_METADATA}, {"64:ff9b::a00:1", ADDR_PRIVATE},
	{"64:ff9b::7f00:1", ADDR_LOOPBACK}, {"64:ff9b::a9fe:a9fe", ADDR_METADATA}, {"64:ff9b::808:808", ADDR_PUBLIC},
	{"64:ff9b:1::808:808", ADDR_SPECIAL}, {"::10.0.0.1", ADDR_PRIVATE}, {"::8.8.8.8", ADDR_SPECIAL},
	{"2a00::5efe:a00:1", ADDR_PRIVATE}, {"2a00::200:5efe:169.254.169.254", ADDR_METADATA},
	{"2a00::5efe:8.8.8.8", ADDR_PUBLIC}, {"fe80::5efe:10.0.0.1", ADDR_LINK},
	{"64:ff9b:1:a9fe:a9:fe00:808:808", ADDR_METADATA}, {"64:ff9b:1:a9fe:a9:fe00:a00:1", ADDR_METADATA},
	{"64:ff9b:1:a00:0:100::", ADDR_SPECIAL}, {"2002:a00:1::1", ADDR_PRIVATE}, {"2002:a9fe:a9fe::", ADDR_METADATA},
	{"2001:0:7f00:1::", ADDR_LOOPBACK}, {"2001:0:808:808::f5ff:fffe", ADDR_PRIVATE},
	{"2001:0:808:808::f7f7:f7f7", ADDR_SPECIAL}, {"fd00:ec2::253", ADDR_METADATA}, {"fd00:42::42", ADDR_METADATA},
};

static void each_address_has_its_class(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct addr a;
		if (!addr_parse(span_of(samples[i].text), &a))
			fail_msg("'%s' does not parse", samples[i].text);
		if (addr_classify(&a) != samples[i].class)
			fail_msg("%s is %s, not %s", samples[i].text, addr_class_word(addr_classify(&a)),
				 addr_class_word(samples[i].class));
	}
}

static void print_then_parse_gives_the_address_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct addr a, b;
		char text[ADDR_TEXT_BYTES];
		assert_true(addr_parse(span_of(samples[i].text), &a));
		addr_print(&a, text);
		assert_true(addr_parse(span_of(text), &b));
		assert_true(addr_equal(&a, &b));
		struct sockaddr_storage ss;
		uint16_t port = 0;
		assert_true(addr_to_sockaddr(&a, 443, &ss) > 0);
		assert_true(addr_from_sockaddr(&ss, &b, &port));
		assert_true(addr_equal(&a, &b));
		assert_int_equal(port, 443);
	}
}

static void the_strict_form_takes_only_plain_text(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "1.2.3", "01.2.3.4", "1.2.3.4 ", "1.2.3.256", "[::1]", "fe80::1%lo", "0x1",
					    "1.2.3.4.5", ":::", "12345::"};
	struct addr a;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (addr_parse(span_of(texts[i]), &a))
			fail_msg("'%s' was taken", texts[i]);
}

static void loose_spellings_mean_the_same_address(void **state)
{
	(void)state;
	static const char *const texts[] = {"127.0.0.1", "127.1", "127.0.1", "0x7f.0.0.1", "0177.1", "2130706433", "0x7f000001",
					    "[::ffff:127.0.0.1]", "127.0.0.1."};
	struct addr loopback, a;
	assert_true(addr_parse(span_of("127.0.0.1"), &loopback));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!addr_parse_any(span_of(texts[i]), &a) || !addr_equal(&a, &loopback))
			fail_msg("'%s' is not 127.0.0.1", texts[i]);
	}
	assert_false(addr_parse_any(span_of("127.0.0.256"), &a));
	assert_false(addr_parse_any(span_of("1.2.3.4.5"), &a));
	assert_false(addr_parse_any(span_of("4294967296"), &a));
	assert_false(addr_parse_any(span_of("example"), &a));
}

static void a_prefix_covers_its_own_and_nothing_else(void **state)
{
	(void)state;
	struct addr net, in, out, six;
	assert_true(addr_parse(span_of("10.1.2.0"), &net) && addr_parse(span_of("10.1.2.255"), &in) &&
		    addr_parse(span_of("10.1.3.0"), &out) && addr_parse(span_of("::1"), &six));
	assert_true(addr_in_prefix(&in, &net, 24));
	assert_false(addr_in_prefix(&out, &net, 24));
	assert_true(addr_in_prefix(&out, &net, 23));
	assert_false(addr_in_prefix(&six, &net, 0));
	assert_false(addr_in_prefix(&in, &net, 33));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_address_has_its_class),
		cmocka_unit_test(print_then_parse_gives_the_address_back),
		cmocka_unit_test(the_strict_form_takes_only_plain_text),
		cmocka_unit_test(loose_spellings_mean_the_same_address),
		cmocka_unit_test(a_prefix_covers_its_own_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
