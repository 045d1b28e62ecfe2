/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_wild.c - new names below wildcards: so many a minute, so many a session, known ones free */
#include "egress/broker/wild.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static bool take_numbered(struct wild *w, unsigned i, uint64_t now_ms)
{
	char text[40];
	struct name name;

	(void)snprintf(text, sizeof(text), "n%u.w.example", i); /* fits */
	assert_int_equal(name_parse(span_of(text), &name), NAME_IS_HOST);
	return wild_take(w, &name, now_ms);
}

static void so_many_new_names_a_minute(void **state)
{
	(void)state;
	struct wild w = {0};
	uint64_t now_ms = 1000000;

	for (unsigned i = 0; i < WILD_A_MINUTE; i++)
		assert_true(take_numbered(&w, i, now_ms));
	assert_false(take_numbered(&w, WILD_A_MINUTE, now_ms + 59999));
	assert_true(take_numbered(&w, 0, now_ms + 59999)); /* known */
	assert_true(take_numbered(&w, WILD_A_MINUTE, now_ms + 60000));
	wild_drop(&w);
}

static void so_many_new_names_a_session(void **state)
{
	(void)state;
	struct wild w = {0};
	uint64_t now_ms = 0;

	for (unsigned i = 0; i < WILD_A_SESSION; i++) {
		now_ms += 1000;
		assert_true(take_numbered(&w, i, now_ms));
	}
	assert_false(take_numbered(&w, WILD_A_SESSION, now_ms + 3600 * 1000));
	for (unsigned i = 0; i < WILD_A_SESSION; i++)
		assert_true(take_numbered(&w, i, now_ms));
	wild_drop(&w);
	assert_true(take_numbered(&w, WILD_A_SESSION, now_ms));
	wild_drop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_new_names_a_minute),
		cmocka_unit_test(so_many_new_names_a_session),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
