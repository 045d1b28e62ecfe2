/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_clock.c - times as people read them */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

static void known_moments_print_as_rfc_3339(void **state)
{
	(void)state;
	char text[CLOCK_TEXT_BYTES];

	clock_print(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	clock_print(951782399999, text);
	assert_string_equal(text, "2000-02-28T23:59:59.999Z");
	clock_print(951782400000, text);
	assert_string_equal(text, "2000-02-29T00:00:00.000Z");
	clock_print(1795453200042, text);
	assert_string_equal(text, "2026-11-23T17:00:00.042Z");
}

static void every_day_for_two_centuries_agrees_with_the_c_library(void **state)
{
	(void)state;
	for (uint64_t day = 0; day < 366 * 200; day++) {
		char ours[CLOCK_TEXT_BYTES], theirs[CLOCK_TEXT_BYTES];
		time_t at = (time_t)(day * 86400 + day % 86400);
		struct tm tm;
		assert_non_null(gmtime_r(&at, &tm));
		assert_int_not_equal(strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S.000Z", &tm), 0);
		clock_print((uint64_t)at * 1000, ours);
		assert_string_equal(ours, theirs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_moments_print_as_rfc_3339),
		cmocka_unit_test(every_day_for_two_centuries_agrees_with_the_c_library),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
