/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_utf8.c - every code point there and back; nothing misleading gets out */
#include "base/own.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void every_code_point_is_written_and_read_back(void **state)
{
	(void)state;
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		uint8_t bytes[4];
		size_t n = utf8_put(c, bytes);
		struct span s = span_make(bytes, n);
		uint32_t back = utf8_take(&s);
		bool is_surrogate = c >= 0xd800 && c <= 0xdfff;
		if (back != (is_surrogate ? (uint32_t)UTF8_REPLACEMENT : c) || s.n != (is_surrogate ? 2 : 0))
			fail_msg("U+%04X reads as U+%04X", c, back);
	}
}

static void ill_formed_bytes_are_skipped_one_by_one(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3x", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe2\x82",
		"\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xff", "\xf0\x9f\x90",
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct span s = span_of(wrong[i]);
		size_t n = s.n;
		assert_int_equal(utf8_take(&s), UTF8_REPLACEMENT);
		assert_int_equal(s.n, n - 1);
	}
}

static void what_misleads_is_known_and_what_people_write_is_not_touched(void **state)
{
	(void)state;
	static const uint32_t misleads[] = {0,	0x1b, 0x7f, 0x85, 0x9b, 0xad, 0x200b, 0x200e, 0x202e, 0x2066,
					    0xfeff, 0xfe0f, 0x3164, 0xe0041, 0x2028};
	static const uint32_t honest[] = {' ', 'a', '~', 0xa0, 0xe4, 0x20ac, 0x4e2d, 0x1f433, 0xfffd};

	for (size_t i = 0; i < sizeof(misleads) / sizeof(misleads[0]); i++)
		assert_true(utf8_may_mislead(misleads[i]));
	for (size_t i = 0; i < sizeof(honest) / sizeof(honest[0]); i++)
		assert_false(utf8_may_mislead(honest[i]));
}

static void expect_safe(const char *in, size_t n, size_t max_chars, const char *out)
{
	AUTO(buf) struct buf b = {.max = 1000};
	utf8_put_safe(&b, span_make(in, n), max_chars);
	if (!span_is(buf_span(&b), out))
		fail_msg("%s: %.*s", out, (int)b.n, (const char *)b.p);
}

static void hostile_text_is_shown_and_not_obeyed(void **state)
{
	(void)state;
	expect_safe("a\x1b[31mb", 7, 99, "a\\x1b[31mb");
	expect_safe("\0\n\x7f", 3, 99, "\\x00\\x0a\\x7f");
	expect_safe("\\x41", 4, 99, "\\\\x41");
	expect_safe("\xe2\x80\xae", 3, 99, "\\u{202e}");
	expect_safe("\xef\xbf\xbd", 3, 99, "\xef\xbf\xbd"); /* a replacement character that was sent as such */
	expect_safe("\xc3\xa4", 2, 99, "\xc3\xa4");
	expect_safe("abcdef", 6, 3, "abc...");
	expect_safe("abc", 3, 3, "abc");
	expect_safe("", 0, 0, "");
}

static void a_stray_byte_and_a_control_character_are_told_apart(void **state)
{
	(void)state;
	expect_safe("\x9b", 1, 99, "\\x9b");
	expect_safe("\xc2\x9b", 2, 99, "\\u{9b}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_point_is_written_and_read_back),
		cmocka_unit_test(ill_formed_bytes_are_skipped_one_by_one),
		cmocka_unit_test(what_misleads_is_known_and_what_people_write_is_not_touched),
		cmocka_unit_test(hostile_text_is_shown_and_not_obeyed),
		cmocka_unit_test(a_stray_byte_and_a_control_character_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
