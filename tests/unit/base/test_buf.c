/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_buf.c - a buf keeps its maximum, all or nothing */
#include "base/buf.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void bytes_are_kept_in_order_over_every_growth(void **state)
{
	(void)state;
	AUTO(buf) struct buf b = {.max = 100000};

	for (size_t i = 0; i < 100000; i++) {
		uint8_t byte = (uint8_t)(i * 7);
		assert_true(buf_put(&b, &byte, 1));
	}
	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(b.p[i], (uint8_t)(i * 7));
}

static void the_maximum_holds_at_one_under_and_one_over(void **state)
{
	(void)state;
	static const char text[] = "0123456789";

	for (size_t n = 9; n <= 11; n++) {
		AUTO(buf) struct buf b = {.max = 10};
		AUTO(buf) struct buf f = {.max = 10};
		char eleven[] = "0123456789x";
		eleven[n] = '\0';
		assert_int_equal(buf_put(&b, eleven, n), n <= 10);
		assert_int_equal(buf_putf(&f, "%s", eleven), n <= 10);
		assert_int_equal(b.n, n <= 10 ? n : 0);
		assert_int_equal(f.n, n <= 10 ? n : 0);
		assert_int_equal(b.is_cut, n > 10);
		assert_int_equal(f.is_cut, n > 10);
		if (n == 10)
			assert_memory_equal(f.p, text, 10);
	}
}

static void what_does_not_fit_leaves_what_is_there_and_sticks(void **state)
{
	(void)state;
	AUTO(buf) struct buf b = {.max = 5};

	assert_true(buf_put(&b, "abc", 3));
	assert_false(buf_putf(&b, "%d", 123));
	assert_false(buf_put(&b, "def", 3));
	assert_true(b.is_cut);
	assert_true(buf_put(&b, "de", 2));
	assert_true(span_is(buf_span(&b), "abcde"));
	assert_true(b.is_cut);
	assert_null(buf_reserve(&b, SIZE_MAX));
	buf_clear(&b);
	assert_int_equal(b.n, 0);
	assert_false(b.is_cut);
}

static void formatting_up_to_the_maximum_never_keeps_the_nul(void **state)
{
	(void)state;
	AUTO(buf) struct buf b = {.max = 600};

	for (int i = 0; i < 100; i++)
		assert_true(buf_putf(&b, "%06d", i));
	assert_int_equal(b.n, 600);
	assert_int_equal(b.max, 600);
	assert_true(buf_putf(&b, "%s", ""));
	assert_false(buf_putf(&b, "%c", 'x'));
	assert_memory_equal(b.p + 594, "000099", 6);
}

static void a_maximum_of_any_size_is_no_trap(void **state)
{
	(void)state;
	AUTO(buf) struct buf b = {.max = SIZE_MAX - 1};

#ifndef DRYDOCK_SANITIZED /* the sanitizer's allocator ends the program */
	assert_null(buf_reserve(&b, SIZE_MAX - 1)); /* no memory, and no endless doubling */
	assert_true(b.is_cut);
	buf_clear(&b);
#endif
	assert_true(buf_putf(&b, "%s", "x"));
	assert_int_equal(b.n, 1);
}

static void eating_moves_the_rest_to_the_front(void **state)
{
	(void)state;
	AUTO(buf) struct buf b = {.max = 10};

	buf_eat(&b, 0);
	assert_true(buf_put(&b, "abcdef", 6));
	buf_eat(&b, 2);
	assert_true(span_is(buf_span(&b), "cdef"));
	buf_eat(&b, 4);
	assert_int_equal(b.n, 0);
	buf_drop(&b);
	assert_null(b.p);
	assert_int_equal(b.max, 10);
	buf_drop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_kept_in_order_over_every_growth),
		cmocka_unit_test(the_maximum_holds_at_one_under_and_one_over),
		cmocka_unit_test(what_does_not_fit_leaves_what_is_there_and_sticks),
		cmocka_unit_test(formatting_up_to_the_maximum_never_keeps_the_nul),
		cmocka_unit_test(a_maximum_of_any_size_is_no_trap),
		cmocka_unit_test(eating_moves_the_rest_to_the_front),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
