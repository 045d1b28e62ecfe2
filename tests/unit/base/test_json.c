/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_json.c - what is written is JSON, whatever bytes go in */
#include "base/json.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void commas_stand_between_values_only(void **state)
{
	(void)state;
	AUTO(buf) struct buf b = {.max = 1000};
	struct json j = {.out = &b};

	json_open(&j, NULL, '{');
	json_str(&j, "a", "x");
	json_open(&j, "list", '[');
	json_u64(&j, NULL, 0);
	json_open(&j, NULL, '{');
	json_close(&j, '}');
	json_bool(&j, NULL, false);
	json_close(&j, ']');
	json_bool(&j, "b", true);
	json_close(&j, '}');
	assert_true(span_is(buf_span(&b), "{\"a\":\"x\",\"list\":[0,{},false],\"b\":true}"));
}

static void the_ends_of_the_number_ranges_are_exact(void **state)
{
	(void)state;
	AUTO(buf) struct buf b = {.max = 1000};
	struct json j = {.out = &b};

	json_open(&j, NULL, '[');
	json_u64(&j, NULL, UINT64_MAX);
	json_u64(&j, NULL, 10);
	json_i64(&j, NULL, INT64_MIN);
	json_i64(&j, NULL, -1);
	json_close(&j, ']');
	assert_true(span_is(buf_span(&b), "[18446744073709551615,10,-9223372036854775808,-1]"));
}

static void text_that_could_fool_a_reader_is_escaped(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		size_t n;
		const char *out;
	} rows[] = {
		{"plain /~", 8, "\"plain /~\""},
		{"q\"b\\", 4, "\"q\\\"b\\\\\""},
		{"\n\r\t\0\x1b", 5, "\"\\n\\u000d\\u0009\\u0000\\u001b\""},
		{"\x7f", 1, "\"\\u007f\""},
		{"\xc2\x9b", 2, "\"\\u009b\""},				     /* C1 */
		{"\xe2\x80\xae", 3, "\"\\u202e\""},			     /* right-to-left override */
		{"\xf3\xa0\x81\x81", 4, "\"\\udb40\\udc41\""},		     /* tag: a surrogate pair */
		{"\xf3\xa0\xbf\xbf", 4, "\"\\udb43\\udfff\""},		     /* the last tag */
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xb3", 9, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xb3\""},
		{"a\xff" "b\xc3", 4, "\"a\xef\xbf\xbd" "b\xef\xbf\xbd\""}, /* no UTF-8 */
		{"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* a surrogate */
		{"", 0, "\"\""},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(buf) struct buf b = {.max = 1000};
		struct json j = {.out = &b};
		json_text(&j, NULL, span_make(rows[i].in, rows[i].n));
		if (!span_is(buf_span(&b), rows[i].out))
			fail_msg("row %zu: %.*s", i, (int)b.n, (const char *)b.p);
	}
}

static void a_key_is_escaped_like_a_value(void **state)
{
	(void)state;
	AUTO(buf) struct buf b = {.max = 100};
	struct json j = {.out = &b};

	json_open(&j, NULL, '{');
	json_u64(&j, "a\"b", 1);
	json_close(&j, '}');
	assert_true(span_is(buf_span(&b), "{\"a\\\"b\":1}"));
}

static void what_does_not_fit_is_told(void **state)
{
	(void)state;
	AUTO(buf) struct buf b = {.max = 8};
	struct json j = {.out = &b};

	json_open(&j, NULL, '{');
	json_str(&j, "key", "value");
	json_close(&j, '}');
	assert_true(b.is_cut);
	assert_true(b.n <= 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commas_stand_between_values_only),
		cmocka_unit_test(the_ends_of_the_number_ranges_are_exact),
		cmocka_unit_test(text_that_could_fool_a_reader_is_escaped),
		cmocka_unit_test(a_key_is_escaped_like_a_value),
		cmocka_unit_test(what_does_not_fit_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
