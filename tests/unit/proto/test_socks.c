/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/proto/test_socks.c - SOCKS requests name one place, or are refused */
#include "proto/socks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

typedef enum parse request_parser(struct span in, struct socks_request *out);

#define TEXT(literal) span_make(literal, sizeof(literal) - 1)

static const struct {
	request_parser *parse;
	struct {
		const char *p;
		size_t n;
	} in;
	const char *host;
	uint16_t port;
	enum socks_reply refuse;
} good[] = {
	{socks5_request_parse, {"\5\1\0\3\11a.example\1\273", 16}, "a.example", 443, SOCKS_GRANTED},
	{socks5_request_parse, {"\5\1\0\1\300\0\2\1\0\120", 10}, "192.0.2.1", 80, SOCKS_GRANTED},
	{socks5_request_parse, {"\5\1\0\1\377\377\377\377\377\377", 10}, "255.255.255.255", 65535, SOCKS_GRANTED},
	{socks5_request_parse,
	 {"\5\1\0\4\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1\0\1", 22},
	 "2001:db8:0:0:0:0:0:1", 1, SOCKS_GRANTED},
	{socks5_request_parse,
	 {"\5\1\0\4\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\0\1", 22},
	 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, SOCKS_GRANTED},
	{socks5_request_parse, {"\5\2\0\3\1a\0\0", 8}, "a", 0, SOCKS_BAD_COMMAND},	/* BIND */
	{socks5_request_parse, {"\5\3\0\1\0\0\0\0\0\0", 10}, "0.0.0.0", 0, SOCKS_BAD_COMMAND}, /* UDP */
	{socks4_request_parse, {"\4\1\0\120\300\0\2\1\0", 9}, "192.0.2.1", 80, SOCKS_GRANTED},
	{socks4_request_parse, {"\4\1\0\120\300\0\2\1me\0", 11}, "192.0.2.1", 80, SOCKS_GRANTED},
	{socks4_request_parse, {"\4\1\1\273\0\0\0\1me\0a.example\0", 21}, "a.example", 443, SOCKS_GRANTED},
	{socks4_request_parse, {"\4\1\1\273\0\0\0\0\0", 9}, "0.0.0.0", 443, SOCKS_GRANTED}, /* no 4a mark */
	{socks4_request_parse, {"\4\1\1\273\0\0\1\1\0", 9}, "0.0.1.1", 443, SOCKS_GRANTED},
	{socks4_request_parse, {"\4\2\0\0\300\0\2\1\0", 9}, "192.0.2.1", 0, SOCKS_BAD_COMMAND},
};

static void every_good_request_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct socks_request r;
		if (good[i].parse(span_make(good[i].in.p, good[i].in.n), &r) != PARSE_DONE)
			fail_msg("row %zu", i);
		assert_int_equal(r.bytes, good[i].in.n);
		assert_int_equal(r.port, good[i].port);
		assert_int_equal(r.refuse, good[i].refuse);
		if (!span_is(r.host, good[i].host))
			fail_msg("row %zu: %.*s", i, (int)r.host.n, (const char *)r.host.p);
		assert_int_equal(r.version, good[i].in.p[0]);
	}
}

static void each_prefix_says_more_and_bytes_behind_change_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct socks_request r, before;
		char text[64];
		memset(&r, 0x5a, sizeof(r));
		before = r;
		for (size_t n = 0; n < good[i].in.n; n++)
			if (good[i].parse(span_make(good[i].in.p, n), &r) != PARSE_MORE)
				fail_msg("%zu bytes of row %zu", n, i);
		assert_memory_equal(&r, &before, sizeof(r));
		memset(text, 0, sizeof(text));
		memcpy(text, good[i].in.p, good[i].in.n);
		assert_int_equal(good[i].parse(span_make(text, sizeof(text)), &r), PARSE_DONE);
		assert_int_equal(r.bytes, good[i].in.n);
		assert_true(span_is(r.host, good[i].host));
	}
}

static void odd_requests_are_bad_and_leave_out_alone(void **state)
{
	(void)state;
	static const struct {
		request_parser *parse;
		struct {
			const char *p;
			size_t n;
		} in;
	} rows[] = {
		{socks5_request_parse, {"\4", 1}},
		{socks5_request_parse, {"\5\1\1", 3}},			      /* reserved is not zero */
		{socks5_request_parse, {"\5\1\0\3\0", 5}},		      /* an empty name */
		{socks5_request_parse, {"\5\1\0\3\3a\0b\0\120", 10}},	      /* NUL within a name */
		{socks5_request_parse, {"\5\1\0\3\1a\0\0", 8}},		      /* port 0 */
		{socks5_request_parse, {"\5\1\0\1\300\0\2\1\0\0", 10}},
		{socks4_request_parse, {"\5", 1}},
		{socks4_request_parse, {"\4\1\0\120\0\0\0\1\0\0", 10}},	      /* an empty name */
		{socks4_request_parse, {"\4\1\0\0\300\0\2\1\0", 9}},	      /* port 0 */
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct socks_request r, before;
		memset(&r, 0x5a, sizeof(r));
		before = r;
		if (rows[i].parse(span_make(rows[i].in.p, rows[i].in.n), &r) != PARSE_BAD)
			fail_msg("row %zu taken", i);
		assert_memory_equal(&r, &before, sizeof(r));
	}
}

static void an_unknown_address_type_is_refused_without_reading_on(void **state)
{
	(void)state;
	struct socks_request r;
	static const uint8_t types[] = {0, 2, 5, 255};
	for (size_t i = 0; i < sizeof(types); i++) {
		const uint8_t in[] = {5, 1, 0, types[i], 1, 2};
		assert_int_equal(socks5_request_parse(span_make(in, 3), &r), PARSE_MORE);
		assert_int_equal(socks5_request_parse(span_make(in, 6), &r), PARSE_DONE);
		assert_int_equal(r.refuse, SOCKS_BAD_ADDRESS_TYPE);
		assert_int_equal(r.host.n, 0);
	}
}

static void names_and_user_ids_end_at_255_bytes(void **state)
{
	(void)state;
	struct socks_request r;
	uint8_t in[1200];

	for (size_t n = 254; n <= 256; n++) {
		enum parse expected = n > 255 ? PARSE_BAD : PARSE_DONE;
		memset(in, 'a', sizeof(in)); /* a user id, then a name of n bytes */
		memcpy(in, "\4\1\0\120\0\0\0\1u", 10);
		in[10 + n] = 0;
		assert_int_equal(socks4_request_parse(span_make(in, 11 + n), &r), expected);
		memset(in, 'a', sizeof(in)); /* a user id of n bytes */
		memcpy(in, "\4\1\0\120\300\0\2\1", 8);
		in[8 + n] = 0;
		assert_int_equal(socks4_request_parse(span_make(in, 9 + n), &r), expected);
		/* not yet ended: hopeless from the 256th byte on */
		in[8 + n] = 'a';
		assert_int_equal(socks4_request_parse(span_make(in, 8 + n), &r), n > 255 ? PARSE_BAD : PARSE_MORE);
	}
	memset(in, 'a', sizeof(in));
	memcpy(in, "\5\1\0\3\377", 5);
	assert_int_equal(socks5_request_parse(span_make(in, 262), &r), PARSE_DONE);
	assert_int_equal(r.host.n, 255);
	assert_int_equal(r.bytes, 262);
}

static void a_greeting_tells_whether_no_authentication_is_offered(void **state)
{
	(void)state;
	struct socks_greeting g = {.bytes = 99};
	static const char many[] = "\5\3\2\1\0";

	for (size_t n = 0; n < 5; n++)
		assert_int_equal(socks_greeting_parse(span_make(many, n), &g), PARSE_MORE);
	assert_int_equal(g.bytes, 99);
	assert_int_equal(socks_greeting_parse(TEXT("\5\3\2\1\0more"), &g), PARSE_DONE);
	assert_true(g.has_no_auth);
	assert_int_equal(g.bytes, 5);
	assert_int_equal(socks_greeting_parse(TEXT("\5\1\2\0"), &g), PARSE_DONE);
	assert_false(g.has_no_auth);
	assert_int_equal(g.bytes, 3);
	assert_int_equal(socks_greeting_parse(TEXT("\5\0"), &g), PARSE_BAD);
	assert_int_equal(socks_greeting_parse(TEXT("\4"), &g), PARSE_BAD);
	assert_int_equal(socks_greeting_parse(TEXT("G"), &g), PARSE_BAD);
	uint8_t most[2 + 255] = {5, 255};
	memset(most + 2, 2, 255);
	assert_int_equal(socks_greeting_parse(span_make(most, 256), &g), PARSE_MORE);
	assert_int_equal(socks_greeting_parse(span_make(most, 257), &g), PARSE_DONE);
	assert_false(g.has_no_auth);
}

static void replies_are_what_each_version_expects(void **state)
{
	(void)state;
	uint8_t out[SOCKS_REPLY_MAX_BYTES];

	assert_int_equal(socks_reply_write(SOCKS_5, SOCKS_GRANTED, out), 10);
	assert_memory_equal(out, "\5\0\0\1\0\0\0\0\0\0", 10);
	assert_int_equal(socks_reply_write(SOCKS_5, SOCKS_NOT_ALLOWED, out), 10);
	assert_memory_equal(out, "\5\2\0\1\0\0\0\0\0\0", 10);
	assert_int_equal(socks_reply_write(SOCKS_4A, SOCKS_GRANTED, out), 8);
	assert_memory_equal(out, "\0\132\0\0\0\0\0\0", 8);
	assert_int_equal(socks_reply_write(SOCKS_4A, SOCKS_UNREACHABLE, out), 8);
	assert_memory_equal(out, "\0\133\0\0\0\0\0\0", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_good_request_is_read),
		cmocka_unit_test(each_prefix_says_more_and_bytes_behind_change_nothing),
		cmocka_unit_test(odd_requests_are_bad_and_leave_out_alone),
		cmocka_unit_test(an_unknown_address_type_is_refused_without_reading_on),
		cmocka_unit_test(names_and_user_ids_end_at_255_bytes),
		cmocka_unit_test(a_greeting_tells_whether_no_authentication_is_offered),
		cmocka_unit_test(replies_are_what_each_version_expects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
