/* SPDX-License-Identifier: Apache-2.0 */
#include "net/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static enum name_kind kind_of(const char *text)
{
	struct name n;
	return name_parse(span_of(text), &n);
}

static void a_name_becomes_lower_case_without_its_last_dot(void **state)
{
	(void)state;
	struct name n;
	assert_int_equal(name_parse(span_of("API.Example.COM."), &n), NAME_IS_HOST);
	assert_string_equal(n.text, "api.example.com");
	assert_int_equal(n.n, 15);
}

static void every_spelling_of_an_address_is_an_address(void **state)
{
	(void)state;
	static const char *const spellings[] = {
		"127.0.0.1", "127.1", "0177.0.0.1", "0x7f.1", "0x7f000001", "2130706433", "127.0.0.1.", "1.2.3.4",
		"[::1]", "::1", "[::ffff:1.2.3.4]", "fe80::1%eth0", "[fe80::1%25eth0]", "0", "0x0", "017700000001",
	};
	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++)
		if (kind_of(spellings[i]) != NAME_IS_ADDRESS)
			fail_msg("'%s' is not seen as an address", spellings[i]);
}

static void what_is_neither_is_bad(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"", ".", "..", "a..b", ".a", "-a", "a-", "a.-b", "a b", "a/b", "a@b", "a%b", "caf\xc3\xa9.example",
		"a.1", "a.0x1", "1.2.3.4.5", "256.1.1.1", "a:80", "[a]", "a\x01", "a*b", "999999999999", "1.2.3.08a.9",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (kind_of(texts[i]) != NAME_IS_BAD)
			fail_msg("'%s' is not seen as bad", texts[i]);
	struct name n;
	assert_int_equal(name_parse(span_make("a\0b", 3), &n), NAME_IS_BAD);
}

static void names_that_merely_look_odd_are_names(void **state)
{
	(void)state;
	static const char *const texts[] = {"a", "localhost", "_dmarc.example", "xn--caf-dma.example", "1.2.3.4.example",
					    "0x7f.example", "a--b.example", "4chan.example", "a.b.c.d.e.f"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (kind_of(texts[i]) != NAME_IS_HOST)
			fail_msg("'%s' is not seen as a name", texts[i]);
}

static void limits_hold_at_one_under_and_one_over(void **state)
{
	(void)state;
	char text[300];
	memset(text, 'a', sizeof(text));
	text[63] = '\0';
	assert_int_equal(kind_of(text), NAME_IS_HOST);
	text[63] = 'a';
	text[64] = '\0';
	assert_int_equal(kind_of(text), NAME_IS_BAD);
	for (size_t i = 0; i < 300; i++)
		text[i] = i % 2 ? '.' : 'a';
	text[253] = '\0';
	assert_int_equal(kind_of(text), NAME_IS_HOST);
	text[253] = '.';
	text[254] = '\0';
	assert_int_equal(kind_of(text), NAME_IS_HOST); /* the last dot is dropped */
	text[254] = 'a';
	text[255] = '\0';
	assert_int_equal(kind_of(text), NAME_IS_BAD);
}

static void the_out_argument_is_untouched_on_failure(void **state)
{
	(void)state;
	struct name n, before;
	memset(&n, 0x5a, sizeof(n));
	before = n;
	assert_int_equal(name_parse(span_of("a..b"), &n), NAME_IS_BAD);
	assert_int_equal(name_parse(span_of("1.2.3.4"), &n), NAME_IS_ADDRESS);
	assert_memory_equal(&n, &before, sizeof(n));
}

static void below_means_whole_labels(void **state)
{
	(void)state;
	struct name parent, name;
	assert_int_equal(name_parse(span_of("example.com"), &parent), NAME_IS_HOST);
	assert_int_equal(name_parse(span_of("a.example.com"), &name), NAME_IS_HOST);
	assert_true(name_is_below(&name, &parent));
	assert_int_equal(name_parse(span_of("badexample.com"), &name), NAME_IS_HOST);
	assert_false(name_is_below(&name, &parent));
	assert_false(name_is_below(&parent, &parent));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_becomes_lower_case_without_its_last_dot),
		cmocka_unit_test(every_spelling_of_an_address_is_an_address),
		cmocka_unit_test(what_is_neither_is_bad),
		cmocka_unit_test(names_that_merely_look_odd_are_names),
		cmocka_unit_test(limits_hold_at_one_under_and_one_over),
		cmocka_unit_test(the_out_argument_is_untouched_on_failure),
		cmocka_unit_test(below_means_whole_labels),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
