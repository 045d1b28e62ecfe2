/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/report/test_board.c - decisions folded by destination */
#include "report/board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static bool add(struct board *b, unsigned session, const char *line)
{
	struct record r;
	assert_true(record_read(line, &r));
	bool is_news = board_add(b, session, &r);
	record_drop(&r);
	return is_news;
}

static void repeats_are_one_row_that_moves_to_the_end(void **state)
{
	(void)state;
	struct board b = {0};
	const char *one = "{\"event\":\"refuse\",\"name\":\"a.test\",\"port\":443,\"verdict\":\"deny\",\"reason\":\"not-allowlisted\"}";
	assert_true(add(&b, 0, one));
	assert_true(add(&b, 0, "{\"event\":\"refuse\",\"name\":\"b.test\",\"port\":443,\"verdict\":\"deny\"}"));
	assert_true(add(&b, 0, one));
	assert_int_equal(b.n_rows, 2);
	assert_string_equal(b.rows[1].name, "a.test");
	assert_int_equal(b.rows[1].count, 2);
	assert_string_equal(b.rows[1].reason, "not-allowlisted");
	assert_int_equal(b.n_denied, 3);
	assert_true(add(&b, 1, one)); /* another session's */
	assert_int_equal(b.n_rows, 3);
	board_drop(&b);
}

static void an_ask_becomes_what_was_answered(void **state)
{
	(void)state;
	struct board b = {0};
	assert_true(add(&b, 0, "{\"event\":\"ask\",\"flow\":7,\"name\":\"a.test\",\"port\":443}"));
	assert_int_equal(board_count_asks(&b), 1);
	assert_int_equal(b.rows[0].flow, 7);
	assert_true(add(&b, 0, "{\"event\":\"open\",\"flow\":7,\"name\":\"a.test\",\"port\":443,\"verdict\":\"allow\"}"));
	assert_int_equal(board_count_asks(&b), 0);
	assert_int_equal(b.rows[0].verdict, BOARD_ALLOW);
	assert_true(add(&b, 0, "{\"event\":\"close\",\"name\":\"a.test\",\"port\":443,\"verdict\":\"allow\",\"up\":5,\"down\":70}"));
	assert_int_equal(b.rows[0].up_bytes, 5);
	assert_int_equal(b.rows[0].down_bytes, 70);
	board_drop(&b);
}

static void what_decides_nothing_changes_nothing(void **state)
{
	(void)state;
	struct board b = {0};
	assert_false(add(&b, 0, "{\"event\":\"start\"}"));
	assert_false(add(&b, 0, "{\"event\":\"dns\",\"name\":\"a.test\",\"verdict\":\"allow\"}"));
	assert_int_equal(b.n_rows, 0);
	board_drop(&b);
}

static void a_full_board_forgets_the_quietest_but_keeps_asks(void **state)
{
	(void)state;
	struct board b = {0};
	char line[160];
	assert_true(add(&b, 0, "{\"event\":\"ask\",\"flow\":1,\"name\":\"asks.test\",\"port\":443}"));
	for (int i = 0; i < BOARD_MAX_ROWS + 5; i++) {
		(void)snprintf(line, sizeof(line), "{\"event\":\"refuse\",\"name\":\"h%d.test\",\"port\":1,\"verdict\":\"deny\"}", i);
		assert_true(add(&b, 0, line));
	}
	assert_int_equal(b.n_rows, BOARD_MAX_ROWS);
	assert_int_equal(board_count_asks(&b), 1);
	assert_string_equal(b.rows[0].name, "asks.test");
	assert_string_equal(b.rows[1].name, "h6.test");
	board_drop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repeats_are_one_row_that_moves_to_the_end),
		cmocka_unit_test(an_ask_becomes_what_was_answered),
		cmocka_unit_test(what_decides_nothing_changes_nothing),
		cmocka_unit_test(a_full_board_forgets_the_quietest_but_keeps_asks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
