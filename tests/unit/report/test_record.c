/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/report/test_record.c - an audit log read back, damaged lines included */
#include "report/record.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static FILE *file_of(const char *text)
{
	FILE *f = tmpfile();
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	rewind(f);
	return f;
}

static void every_field_comes_back(void **state)
{
	(void)state;
	FILE *f = file_of(
		"{\"v\":1,\"time\":\"2026-11-23T16:51:36.042Z\",\"seq\":7,\"event\":\"close\","
		"\"protocol\":\"connect\",\"name\":\"a.example\",\"port\":443,\"verdict\":"
		"\"allow\","
		"\"reason\":\"ok\",\"rule\":\"x:3\",\"address\":\"192.0.2.1\",\"up\":5,\"down\":6,"
		"\"ms\":9,\"seen\":\"b\"}\n");
	struct record_reader reader = {.in = f};
	const struct record *r = record_next(&reader);
	assert_non_null(r);
	assert_string_equal(r->name, "a.example");
	assert_int_equal(r->port, 443);
	assert_string_equal(r->rule, "x:3");
	assert_string_equal(r->seen, "b");
	assert_int_equal(r->seq, 7);
	assert_true(r->has_counts);
	assert_int_equal(r->down_bytes, 6);
	assert_false(record_is_refusal(r));
	assert_null(record_next(&reader));
	record_reader_drop(&reader);
	(void)fclose(f);
}

static void lines_that_are_no_record_are_counted_and_skipped(void **state)
{
	(void)state;
	FILE *f = file_of(
		"{\"name\":\"cut sho\n[1]\n\n{\"verdict\":\"deny\",\"port\":-1}\n{\"name\":\"las");
	struct record_reader reader = {.in = f};
	const struct record *r = record_next(&reader);
	assert_non_null(r);
	assert_true(record_is_refusal(r));
	assert_int_equal(r->port, 0);
	assert_string_equal(r->name, "");
	assert_null(record_next(&reader));
	assert_int_equal(reader.n_bad, 4);
	record_reader_drop(&reader);
	(void)fclose(f);
}

static void a_line_longer_than_any_record_is_skipped_whole(void **state)
{
	(void)state;
	FILE *f = tmpfile();
	assert_non_null(f);
	assert_true(fputs("{\"name\":\"", f) >= 0);
	for (int i = 0; i < RECORD_LINE_MAX_BYTES; i++)
		assert_true(fputc('x', f) != EOF);
	assert_true(fputs("\"}\n{\"seq\":2}\n", f) >= 0);
	rewind(f);
	struct record_reader reader = {.in = f};
	const struct record *r = record_next(&reader);
	assert_non_null(r);
	assert_int_equal(r->seq, 2);
	assert_int_equal(reader.n_bad, 1);
	record_reader_drop(&reader);
	(void)fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_comes_back),
		cmocka_unit_test(lines_that_are_no_record_are_counted_and_skipped),
		cmocka_unit_test(a_line_longer_than_any_record_is_skipped_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
