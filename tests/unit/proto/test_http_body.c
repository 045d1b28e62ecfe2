/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/proto/test_http_body.c - the end of a body is found in one way, or not at all */
#include "proto/http_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static enum parse feed(enum http_framing framing, uint64_t length, struct span in, size_t *out_used)
{
	struct http_head head = {.framing = framing, .length = length};
	struct http_body b;

	http_body_start(&b, &head);
	return http_body_feed(&b, in, out_used);
}

static enum parse chunked(struct span in, size_t *out_used)
{
	return feed(HTTP_CHUNKED, 0, in, out_used);
}

static const char *const good[] = {
	"0\r\n\r\n",
	"000\r\n\r\n",
	"5\r\nhello\r\n0\r\n\r\n",
	"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n",
	"00000000000000a\r\n0123456789\r\n0\r\n\r\n",
	"A\r\n0123456789\r\n0\r\n\r\n",
	"4\r\n\r\n\r\n\r\n0\r\n\r\n", /* data that looks like framing */
	"3\r\n0\r\n\r\n0\r\n\r\n",
	"1;name=value\r\nx\r\n0;last\r\n\r\n",
	"1;q=\"a b\"\r\nx\r\n0\r\n\r\n",
	"0\r\nX-Digest: abc\r\nX-Empty:\r\n\r\n",
	"0\r\nGrpc-Status: 0\r\nGrpc-Message: \xc3\xa4\t\r\n\r\n",
	"0\r\nContent-Length-Of-Something: 1\r\nTrailers: x\r\nA-Name-Longer-Than-What-Is-Kept-Of-It: 1\r\n\r\n",
	"0\r\nIf-Unmodified-Since-Then: 1\r\nServer-Timing: x\r\nDigest: x\r\nETag: x\r\n\r\n",
};

static void every_good_chunked_body_ends_where_it_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		size_t used = 0;
		if (chunked(span_of(good[i]), &used) != PARSE_DONE)
			fail_msg("%s", good[i]);
		assert_int_equal(used, strlen(good[i]));
	}
}

static void each_prefix_says_more_and_is_used_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		for (size_t n = 0; n < strlen(good[i]); n++) {
			size_t used = SIZE_MAX;
			if (chunked(span_make(good[i], n), &used) != PARSE_MORE)
				fail_msg("%zu bytes of %s", n, good[i]);
			assert_int_equal(used, n);
		}
}

static void bytes_after_the_end_change_nothing(void **state)
{
	(void)state;
	static const char *const behind[] = {"0\r\n\r\n", "\r\n", "GET / HTTP/1.1\r\n", "\xff"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		for (size_t k = 0; k < 4; k++) {
			char text[200];
			size_t used = 0, n = strlen(good[i]);
			memcpy(text, good[i], n);
			memcpy(text + n, behind[k], strlen(behind[k]));
			assert_int_equal(chunked(span_make(text, n + strlen(behind[k])), &used), PARSE_DONE);
			assert_int_equal(used, n);
		}
}

static void any_cut_in_two_gives_the_same_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		for (size_t cut = 1; cut < strlen(good[i]); cut++) {
			struct http_head head = {.framing = HTTP_CHUNKED};
			struct http_body b;
			size_t first = 0, second = 0, n = strlen(good[i]);
			http_body_start(&b, &head);
			assert_int_equal(http_body_feed(&b, span_make(good[i], cut), &first), PARSE_MORE);
			assert_false(b.is_over);
			assert_int_equal(http_body_feed(&b, span_make(good[i] + cut, n - cut), &second), PARSE_DONE);
			assert_int_equal(first + second, n);
			assert_true(b.is_over);
			assert_int_equal(http_body_feed(&b, span_of("more"), &second), PARSE_DONE);
			assert_int_equal(second, 0); /* over is over */
		}
}

static const char *const bad[] = {
	"\r\n", "g\r\n", ";x\r\n", " 5\r\nhello\r\n", "5 \r\nhello\r\n", "5\t\r\nhello\r\n", "+5\r\nhello\r\n",
	"-5\r\nhello\r\n", "0x5\r\nhello\r\n", "5_0\r\n", "5,\r\n", "\xb2\r\n",
	"5\nhello\r\n",		     /* bare LF after the size */
	"5\rhello\r\n",		     /* bare CR */
	"5\r\r\nhello\r\n",
	"5;a\nhello\r\n",	     /* bare LF in an extension: some end the line there */
	"5;a\rb\r\nhello\r\n",
	"5;a\x01\r\nhello\r\n", "5;a\x7f\r\n", "5;a\xff\r\n", "5 ;a\r\nhello\r\n",
	"5\r\nhelloX\r\n",	     /* data longer than its size */
	"5\r\nhello\n0\r\n\r\n",     /* bare LF after the data */
	"5\r\nhello\rX",
	"5\r\nhello0\r\n\r\n",	     /* no line end after the data */
	"6\r\nhello\r\n0\r\n\r\n",   /* size one too many */
	"0\n\r\n", "0\r\n\n", "0\r\n\rX", "0\r\n\r\r\n",
	"0\r\n: x\r\n\r\n", "0\r\nname\r\n\r\n", "0\r\nname : x\r\n\r\n", "0\r\n folded: x\r\n\r\n",
	"0\r\nA: b\r\n folded\r\n\r\n", "0\r\nA: b\n\r\n", "0\r\nA: \x01\r\n\r\n", "0\r\nA: b\rc\r\n\r\n",
	"0\r\nA\xc3: b\r\n\r\n",
	"0\r\nContent-Length: 5\r\n\r\n", "0\r\ntransfer-encoding: chunked\r\n\r\n", "0\r\nHOST: b.example\r\n\r\n",
	"0\r\nConnection: close\r\n\r\n", "0\r\nTE: x\r\n\r\n", "0\r\nTrailer: x\r\n\r\n", "0\r\nUpgrade: x\r\n\r\n",
	"0\r\nOk: 1\r\nCookie: x\r\n\r\n", "0\r\nSet-Cookie: x\r\n\r\n", "0\r\nAuthorization: x\r\n\r\n",
	"0\r\nProxy-Authorization: x\r\n\r\n", "0\r\nExpect: 100-continue\r\n\r\n", "0\r\nKeep-Alive: x\r\n\r\n",
	"0\r\nProxy-Connection: x\r\n\r\n", "0\r\nContent-Encoding: x\r\n\r\n", "0\r\nContent-Type: x\r\n\r\n",
	"0\r\nContent-Range: x\r\n\r\n",
	"0\r\nIf-Unmodified-Since: x\r\n\r\n", "0\r\nRange: bytes=0-\r\n\r\n", "0\r\nMax-Forwards: 1\r\n\r\n",
	"0\r\nWWW-Authenticate: x\r\n\r\n", "0\r\nLocation: /\r\n\r\n", "0\r\nVary: x\r\n\r\n", "0\r\nVia: x\r\n\r\n",
	/* names that gateways turn into the same variable */
	"0\r\nContent_Length: 5\r\n\r\n", "0\r\nTransfer_Encoding: chunked\r\n\r\n",
	"0\r\nIf_Match: x\r\n\r\n", "0\r\nX_Forwarded-For: x\r\n\r\n",
};

static void what_could_end_in_two_places_is_bad_and_nothing_is_used(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t used = 4711;
		if (chunked(span_of(bad[i]), &used) != PARSE_BAD)
			fail_msg("row %zu taken: %s", i, bad[i]);
		assert_int_equal(used, 4711);
	}
	size_t used = 4711;
	assert_int_equal(chunked(span_make("5\0\r\n", 4), &used), PARSE_BAD);
	assert_int_equal(chunked(span_make("5;\0\r\n", 5), &used), PARSE_BAD);
	assert_int_equal(used, 4711);
}

static void a_size_has_at_most_fifteen_digits(void **state)
{
	(void)state;
	size_t used = 0;
	assert_int_equal(chunked(span_of("fffffffffffffff\r\nx"), &used), PARSE_MORE);
	assert_int_equal(chunked(span_of("00000000000001\r\nx\r\n0\r\n\r\n"), &used), PARSE_DONE);
	assert_int_equal(chunked(span_of("000000000000001\r\nx\r\n0\r\n\r\n"), &used), PARSE_DONE);
	assert_int_equal(chunked(span_of("0000000000000001\r\nx\r\n0\r\n\r\n"), &used), PARSE_BAD);
	assert_int_equal(chunked(span_of("10000000000000005\r\nhello\r\n"), &used), PARSE_BAD); /* 2^64 + 5 */
	assert_int_equal(chunked(span_of("ffffffffffffffff\r\n"), &used), PARSE_BAD);
	/* the second size is counted anew */
	assert_int_equal(chunked(span_of("000000000000001\r\nx\r\n000000000000001\r\nx\r\n0\r\n\r\n"), &used),
			 PARSE_DONE);
}

/* @lead, then 'x' up to @n bytes with the final CRLF. */
static size_t put_line(char *out, const char *lead, size_t n)
{
	memset(out, 'x', n);
	memcpy(out, lead, strlen(lead));
	memcpy(out + n - 2, "\r\n", 2);
	return n;
}

static void a_line_of_4096_bytes_is_the_longest(void **state)
{
	(void)state;
	static char text[20000];
	for (size_t n = 4095; n <= 4097; n++) {
		enum parse expected = n > 4096 ? PARSE_BAD : PARSE_DONE;
		size_t used = 0;
		size_t at = put_line(text, "0;", n);
		memcpy(text + at, "\r\n", 2);
		assert_int_equal(chunked(span_make(text, at + 2), &used), expected);
		memcpy(text, "0\r\n", 3);
		at = 3 + put_line(text + 3, "A:", n);
		memcpy(text + at, "\r\n", 2);
		assert_int_equal(chunked(span_make(text, at + 2), &used), expected);
	}
}

static void trailers_of_16_kib_are_the_longest(void **state)
{
	(void)state;
	static char text[20000];
	for (size_t n = 16383; n <= 16385; n++) {
		size_t used = 0, at = 3;
		memcpy(text, "0\r\n", 3);
		for (int i = 0; i < 4; i++)
			at += put_line(text + at, "A:", 4000);
		at += put_line(text + at, "A:", n - 16000 - 2);
		memcpy(text + at, "\r\n", 2);
		assert_int_equal(at + 2 - 3, n);
		assert_int_equal(chunked(span_make(text, at + 2), &used), n > 16384 ? PARSE_BAD : PARSE_DONE);
	}
}

static void a_counted_body_takes_its_count_and_no_more(void **state)
{
	(void)state;
	size_t used = 9;
	assert_int_equal(feed(HTTP_LENGTH, 5, span_of("hell"), &used), PARSE_MORE);
	assert_int_equal(used, 4);
	assert_int_equal(feed(HTTP_LENGTH, 5, span_of("hello"), &used), PARSE_DONE);
	assert_int_equal(used, 5);
	assert_int_equal(feed(HTTP_LENGTH, 5, span_of("hello GET"), &used), PARSE_DONE);
	assert_int_equal(used, 5);
	assert_int_equal(feed(HTTP_LENGTH, 0, span_of("GET"), &used), PARSE_DONE);
	assert_int_equal(used, 0);
	assert_int_equal(feed(HTTP_LENGTH, 999999999999999999, span_of("x"), &used), PARSE_MORE);
	assert_int_equal(used, 1);
	assert_int_equal(feed(HTTP_LENGTH, 5, (struct span){0}, &used), PARSE_MORE);
	assert_int_equal(used, 0);
}

static void no_body_is_over_at_once_and_an_open_one_never(void **state)
{
	(void)state;
	size_t used = 9;
	assert_int_equal(feed(HTTP_NO_BODY, 7, span_of("GET"), &used), PARSE_DONE);
	assert_int_equal(used, 0);
	assert_int_equal(feed(HTTP_UNTIL_CLOSE, 0, span_of("all of it"), &used), PARSE_MORE);
	assert_int_equal(used, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_good_chunked_body_ends_where_it_ends),
		cmocka_unit_test(each_prefix_says_more_and_is_used_whole),
		cmocka_unit_test(bytes_after_the_end_change_nothing),
		cmocka_unit_test(any_cut_in_two_gives_the_same_end),
		cmocka_unit_test(what_could_end_in_two_places_is_bad_and_nothing_is_used),
		cmocka_unit_test(a_size_has_at_most_fifteen_digits),
		cmocka_unit_test(a_line_of_4096_bytes_is_the_longest),
		cmocka_unit_test(trailers_of_16_kib_are_the_longest),
		cmocka_unit_test(a_counted_body_takes_its_count_and_no_more),
		cmocka_unit_test(no_body_is_over_at_once_and_an_open_one_never),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
