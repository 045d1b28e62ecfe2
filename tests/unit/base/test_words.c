/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_words.c - a suggestion is near, or there is none */
#include "base/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static unsigned distance(const char *a, const char *b)
{
	return words_distance(span_of(a), span_of(b));
}

static void edits_are_counted(void **state)
{
	(void)state;
	assert_int_equal(distance("", ""), 0);
	assert_int_equal(distance("", "abc"), 3);
	assert_int_equal(distance("abc", ""), 3);
	assert_int_equal(distance("allow", "ALLOW"), 0);
	assert_int_equal(distance("alow", "allow"), 1);
	assert_int_equal(distance("allpw", "allow"), 1);
	assert_int_equal(distance("alolw", "allow"), 1); /* neighbours swapped */
	assert_int_equal(distance("kitten", "sitting"), 3);
	assert_int_equal(distance("ab", "ba"), 1);
}

static void the_longest_word_is_compared_and_a_longer_one_is_far(void **state)
{
	(void)state;
	static const char forty_one[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct span word = span_of(forty_one);

	word.n = 40;
	assert_int_equal(words_distance(word, word), 0);
	assert_int_equal(words_distance(word, (struct span){0}), 40);
	assert_int_equal(words_distance(span_of(forty_one), word), 99);
}

static void the_nearest_known_word_is_suggested_or_none(void **state)
{
	(void)state;
	static const char *const known[] = {"allow", "deny", "preset", "up", "rw"};

	assert_string_equal(words_closest(span_of("alow"), known, 5), "allow");
	assert_string_equal(words_closest(span_of("persets"), known, 5), "preset");
	assert_string_equal(words_closest(span_of("dney"), known, 5), "deny");
	assert_string_equal(words_closest(span_of("rx"), known, 5), "rw");
	assert_null(words_closest(span_of("xyz"), known, 5));
	assert_null(words_closest(span_of("container"), known, 5));
	assert_null(words_closest(span_of("allow"), known, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edits_are_counted),
		cmocka_unit_test(the_longest_word_is_compared_and_a_longer_one_is_far),
		cmocka_unit_test(the_nearest_known_word_is_suggested_or_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
