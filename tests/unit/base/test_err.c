/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_err.c - a failure names the thing, the reason and the fix, in fixed space */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void a_failure_reads_from_the_outside_in(void **state)
{
	(void)state;
	struct err err = {0};

	assert_int_equal(err_set(&err, EACCES, "opening '%s'", "/x"), -EACCES);
	assert_int_equal(err_add(&err, "limiting session %s", "7f3a"), -EACCES);
	assert_string_equal(err.text, "limiting session 7f3a: opening '/x': Permission denied");
	assert_int_equal(err.code, -EACCES);
}

static void a_failure_without_errno_says_it_all_itself(void **state)
{
	(void)state;
	struct err err = {0};

	assert_int_equal(err_set(&err, 0, "line %d: unknown word", 3), -EINVAL);
	assert_string_equal(err.text, "line 3: unknown word");
}

static void the_first_fix_stays_until_another_failure_is_set(void **state)
{
	(void)state;
	struct err err = {0};

	(void)err_set(&err, EPERM, "a");
	assert_int_equal(err_fix(&err, "do %s", "this"), -EPERM);
	(void)err_fix(&err, "do that");
	assert_string_equal(err.fix, "do this");
	(void)err_set(&err, EPERM, "b");
	assert_string_equal(err.fix, "");
}

static void nobody_reading_is_fine(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ENOENT, "x"), -ENOENT);
	assert_true(err_add(NULL, "x") < 0);
	assert_true(err_fix(NULL, "x") < 0);
}

static void long_texts_are_cut_and_stay_strings(void **state)
{
	(void)state;
	struct err err = {0};
	char long_text[2000];

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	for (size_t n = sizeof(err.text) - 3; n <= sizeof(err.text) + 1; n++) {
		assert_int_equal(err_set(&err, EIO, "%.*s", (int)n, long_text), -EIO);
		assert_non_null(memchr(err.text, 0, sizeof(err.text)));
		(void)err_fix(&err, "%s", long_text);
		assert_non_null(memchr(err.fix, 0, sizeof(err.fix)));
		assert_int_equal(err_add(&err, "%.*s", (int)n, long_text), -EIO);
		assert_non_null(memchr(err.text, 0, sizeof(err.text)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_reads_from_the_outside_in),
		cmocka_unit_test(a_failure_without_errno_says_it_all_itself),
		cmocka_unit_test(the_first_fix_stays_until_another_failure_is_set),
		cmocka_unit_test(nobody_reading_is_fine),
		cmocka_unit_test(long_texts_are_cut_and_stay_strings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
