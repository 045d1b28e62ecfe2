/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_span.c - a cursor never leaves its span, and running out sticks */
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void numbers_are_read_in_network_order(void **state)
{
	(void)state;
	struct cursor c = {.left = span_make("\x01\x02\x03\x04\x05\x06\xff\xfe\xfd\xfc", 10)};

	assert_int_equal(take_u8(&c), 1);
	assert_int_equal(take_u16(&c), 0x0203);
	assert_int_equal(take_u24(&c), 0x040506);
	assert_true(take_u32(&c) == 0xfffefdfcu);
	assert_int_equal(c.left.n, 0);
	assert_false(c.ran_out);
}

static void running_out_sticks_and_gives_zeros(void **state)
{
	(void)state;
	struct cursor c = {.left = span_make("\xff\xff\xff", 3)};

	assert_int_equal(take_u32(&c), 0);
	assert_true(c.ran_out);
	assert_int_equal(take_u8(&c), 0);
	assert_int_equal(take(&c, 0).n, 0);
	assert_null(take(&c, 1).p);
}

static void a_take_of_more_than_there_is_moves_nothing(void **state)
{
	(void)state;
	struct cursor c = {.left = span_make("abc", 3)};

	assert_int_equal(take(&c, SIZE_MAX).n, 0);
	assert_true(c.ran_out);
	c = (struct cursor){.left = span_make("abc", 3)};
	assert_int_equal(take(&c, 3).n, 3);
	assert_false(c.ran_out);
	(void)take(&c, 1);
	assert_true(c.ran_out);
}

static void texts_compare_by_length_and_bytes(void **state)
{
	(void)state;
	assert_true(span_is(span_of("abc"), "abc"));
	assert_false(span_is(span_of("abc"), "abC"));
	assert_false(span_is(span_of("abc"), "ab"));
	assert_true(span_is((struct span){0}, ""));
	assert_false(span_is(span_make("a\0b", 3), "a"));
	assert_true(span_is_nocase(span_of("Content-Length"), "cONTENT-lENGTH"));
	assert_false(span_is_nocase(span_of("Content-Length"), "Content-Lengt"));
	/* '@' and '`', '[' and '{' differ in the same bit as 'A' and 'a' but are no letters */
	assert_false(span_is_nocase(span_of("@["), "`{"));
	assert_false(span_is_nocase(span_of("\xc3\x84"), "\xc3\xa4"));
}

static void blanks_are_trimmed_at_both_ends_only(void **state)
{
	(void)state;
	assert_true(span_is(span_trim(span_of(" \t a b\t ")), "a b"));
	assert_true(span_is(span_trim(span_of("\va\n")), "\va\n"));
	assert_int_equal(span_trim(span_of(" \t ")).n, 0);
	assert_int_equal(span_trim((struct span){0}).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_read_in_network_order),
		cmocka_unit_test(running_out_sticks_and_gives_zeros),
		cmocka_unit_test(a_take_of_more_than_there_is_moves_nothing),
		cmocka_unit_test(texts_compare_by_length_and_bytes),
		cmocka_unit_test(blanks_are_trimmed_at_both_ends_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
