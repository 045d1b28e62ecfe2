/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/tls_hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static uint8_t scratch[TLS_HELLO_MAX_BYTES];
static const char *why;

struct maker {
	uint8_t bytes[200000];
	size_t n;
};

static void put(struct maker *m, const void *p, size_t n)
{
	memcpy(m->bytes + m->n, p, n);
	m->n += n;
}

static void put_u8(struct maker *m, unsigned v)
{
	m->bytes[m->n++] = (uint8_t)v;
}

static void put_u16(struct maker *m, unsigned v)
{
	put_u8(m, v >> 8);
	put_u8(m, v & 255);
}

/* One extension; a server_name when @sni is given. */
static void put_sni(struct maker *m, const char *sni)
{
	unsigned n = (unsigned)strlen(sni);
	put_u16(m, 0);
	put_u16(m, n + 5);
	put_u16(m, n + 3);
	put_u8(m, 0);
	put_u16(m, n);
	put(m, sni, n);
}

/* A handshake message with these extensions and @padding more bytes in a padding extension. */
static void make_hello(struct maker *m, const struct maker *extensions, size_t padding)
{
	struct maker *body = calloc(1, sizeof(*body));
	assert_non_null(body);
	put_u16(body, 0x0303);
	for (int i = 0; i < 32; i++)
		put_u8(body, 7);
	put_u8(body, 0);
	put_u16(body, 2);
	put_u16(body, 0x1301);
	put_u8(body, 1);
	put_u8(body, 0);
	put_u16(body, (unsigned)(extensions->n + (padding ? padding + 4 : 0)));
	put(body, extensions->bytes, extensions->n);
	if (padding) {
		put_u16(body, 21);
		put_u16(body, (unsigned)padding);
		memset(body->bytes + body->n, 0, padding);
		body->n += padding;
	}
	put_u8(m, 1);
	put_u8(m, (unsigned)(body->n >> 16));
	put_u16(m, (unsigned)(body->n & 0xffff));
	put(m, body->bytes, body->n);
	free(body);
}

/* Cuts a handshake message into records of @step bytes. */
static void make_records(struct maker *m, const struct maker *message, size_t step)
{
	for (size_t at = 0; at < message->n; at += step) {
		size_t n = message->n - at < step ? message->n - at : step;
		put_u8(m, 22);
		put_u16(m, 0x0301);
		put_u16(m, (unsigned)n);
		put(m, message->bytes + at, n);
	}
}

static struct maker *hello_with(void (*fill)(struct maker *), size_t step, size_t padding)
{
	struct maker *extensions = calloc(1, sizeof(*extensions)), *message = calloc(1, sizeof(*message)),
		     *records = calloc(1, sizeof(*records));
	assert_true(extensions && message && records);
	fill(extensions);
	make_hello(message, extensions, padding);
	make_records(records, message, step);
	free(extensions);
	free(message);
	return records;
}

static enum parse parse(const struct maker *m, struct tls_hello *out)
{
	return tls_hello_parse(span_make(m->bytes, m->n), scratch, out, &why);
}

static void one_name(struct maker *e)
{
	put_sni(e, "api.example.com");
}

static void the_name_is_read_whole_and_over_any_records(void **state)
{
	(void)state;
	static const size_t steps[] = {16384, 100, 7, 1};
	for (size_t i = 0; i < 4; i++) {
		struct maker *m = hello_with(one_name, steps[i], 0);
		struct tls_hello h;
		if (parse(m, &h) != PARSE_DONE)
			fail_msg("records of %zu: %s", steps[i], why);
		assert_true(h.has_sni && !h.has_ech && h.sni_n == 15);
		assert_memory_equal(h.sni, "api.example.com", 15);
		assert_int_equal(h.bytes, m->n);
		free(m);
	}
}

static void each_prefix_says_more_and_bytes_behind_change_nothing(void **state)
{
	(void)state;
	struct maker *m = hello_with(one_name, 40, 0);
	struct tls_hello h;
	size_t whole = m->n;
	for (size_t n = 0; n < whole; n++)
		assert_int_equal(tls_hello_parse(span_make(m->bytes, n), scratch, &h, &why), PARSE_MORE);
	put(m, "\x14\x03\x03\x00\x01\x01 and more", 15);
	assert_int_equal(parse(m, &h), PARSE_DONE);
	assert_int_equal(h.bytes, whole);
	free(m);
}

static void no_extension(struct maker *e)
{
	(void)e;
}
static void with_ech(struct maker *e)
{
	put_sni(e, "front.example");
	put_u16(e, 0xfe0d);
	put_u16(e, 1);
	put_u8(e, 0);
}
static void with_esni(struct maker *e)
{
	put_u16(e, 0xffce);
	put_u16(e, 0);
}

static void missing_names_and_hidden_names_are_told(void **state)
{
	(void)state;
	struct tls_hello h;
	struct maker *m = hello_with(no_extension, 16384, 0);
	assert_int_equal(parse(m, &h), PARSE_DONE);
	assert_false(h.has_sni);
	free(m);
	m = hello_with(with_ech, 16384, 0);
	assert_int_equal(parse(m, &h), PARSE_DONE);
	assert_true(h.has_ech && h.has_sni);
	free(m);
	m = hello_with(with_esni, 16384, 0);
	assert_int_equal(parse(m, &h), PARSE_DONE);
	assert_true(h.has_ech);
	free(m);
}

static void two_snis(struct maker *e)
{
	put_sni(e, "a.example");
	put_sni(e, "b.example");
}
static void two_names_in_one(struct maker *e)
{
	put_u16(e, 0);
	put_u16(e, 2 + 4 + 4);
	put_u16(e, 8);
	put(e, "\0\0\1a\0\0\1b", 8);
}
static void empty_name(struct maker *e)
{
	put_sni(e, "");
}
static void odd_name_type(struct maker *e)
{
	put_u16(e, 0);
	put_u16(e, 6);
	put_u16(e, 4);
	put(e, "\1\0\1a", 4);
}
static void extension_too_long(struct maker *e)
{
	put_u16(e, 10);
	put_u16(e, 200);
}

static void ambiguous_hellos_are_bad_and_leave_out_alone(void **state)
{
	(void)state;
	static void (*const fills[])(struct maker *) = {two_snis, two_names_in_one, empty_name, odd_name_type,
							 extension_too_long};
	struct tls_hello h, before;
	memset(&h, 0x5a, sizeof(h));
	before = h;
	for (size_t i = 0; i < sizeof(fills) / sizeof(fills[0]); i++) {
		struct maker *m = hello_with(fills[i], 16384, 0);
		assert_int_equal(parse(m, &h), PARSE_BAD);
		free(m);
	}
	static const char *const texts[] = {"GET / HTTP/1.1\r\n", "SSH-2.0-x\r\n", "\x80\x2e\x01\x03\x01", "\x16\x02\x00\x00\x05",
					    "\x15\x03\x01\x00\x02"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(tls_hello_parse(span_make(texts[i], 5), scratch, &h, &why), PARSE_BAD);
	assert_int_equal(tls_hello_parse(span_make("\x16\x03\x01\x00\x00", 5), scratch, &h, &why), PARSE_BAD);
	assert_int_equal(tls_hello_parse(span_make("\x16\x03\x01\x40\x01", 5), scratch, &h, &why), PARSE_BAD);
	assert_int_equal(tls_hello_parse(span_make("\x16\x03\x01\x00\x04\x02", 6), scratch, &h, &why), PARSE_BAD);
	assert_memory_equal(&h, &before, sizeof(h));
}

static void bytes_behind_the_hello_in_its_record_are_bad(void **state)
{
	(void)state;
	struct maker *m = hello_with(one_name, 16384, 0);
	struct tls_hello h;
	m->bytes[4]++; /* the record is one byte longer than the hello */
	put_u8(m, 0);
	assert_int_equal(parse(m, &h), PARSE_BAD);
	free(m);
}

static void the_limit_of_64_kib_holds(void **state)
{
	(void)state;
	struct tls_hello h;
	struct maker *m = hello_with(one_name, 16384, 65536 - 4 - 43 - 24 - 4);
	if (parse(m, &h) != PARSE_DONE)
		fail_msg("%s", why);
	free(m);
	uint8_t over[] = {22, 3, 1, 0, 4, 1, 0, 0xff, 0xfd}; /* 4 + 65533 bytes */
	assert_int_equal(tls_hello_parse(span_make(over, sizeof(over)), scratch, &h, &why), PARSE_BAD);
	over[8] = 0xfc;
	assert_int_equal(tls_hello_parse(span_make(over, sizeof(over)), scratch, &h, &why), PARSE_MORE);
}

static void a_record_that_goes_on_behind_the_hello_is_bad_at_once(void **state)
{
	(void)state;
	struct maker *m = hello_with(one_name, 16384, 0);
	struct tls_hello h;
	m->bytes[4]++; /* the record is one byte longer than the hello, and that byte has not come */
	assert_int_equal(tls_hello_parse(span_make(m->bytes, m->n - 1), scratch, &h, &why), PARSE_BAD);
	assert_int_equal(tls_hello_parse(span_make(m->bytes, 9), scratch, &h, &why), PARSE_BAD);
	assert_int_equal(tls_hello_parse(span_make(m->bytes, 8), scratch, &h, &why), PARSE_MORE);
	free(m);
}

enum { TINY = 13104, BIG = 4 };

/* A hello of @n bytes in TINY records of one byte and BIG larger ones. */
static struct maker *mostly_tiny(size_t n)
{
	struct maker *extensions = calloc(1, sizeof(*extensions)), *message = calloc(1, sizeof(*message)),
		     *rest = calloc(1, sizeof(*rest)), *records = calloc(1, sizeof(*records));
	assert_true(extensions && message && rest && records);
	one_name(extensions);
	make_hello(message, extensions, n - 4 - 43 - 24 - 4);
	assert_int_equal(message->n, n);
	put(rest, message->bytes + TINY, n - TINY);
	message->n = TINY;
	make_records(records, message, 1);
	make_records(records, rest, (rest->n + BIG - 1) / BIG);
	assert_int_equal(records->n, n + 5 * (TINY + BIG));
	free(extensions);
	free(message);
	free(rest);
	return records;
}

/* Tiny records cost six bytes for one: their sum is bounded, and in the same way for any cut of the input. */
static void the_limit_of_all_records_does_not_depend_on_how_they_arrive(void **state)
{
	(void)state;
	const size_t limit = 2 * (size_t)TLS_HELLO_MAX_BYTES;
	for (size_t total = limit - 1; total <= limit + 1; total++) {
		struct tls_hello h;
		struct maker *m = mostly_tiny(total - 5 * (size_t)(TINY + BIG));
		for (size_t n = 0; n < m->n && total <= limit; n += 997)
			assert_int_equal(tls_hello_parse(span_make(m->bytes, n), scratch, &h, &why), PARSE_MORE);
		assert_int_equal(parse(m, &h), total > limit ? PARSE_BAD : PARSE_DONE);
		/* told as soon as the head of the last record is there */
		size_t last = (total - 5 * (size_t)(TINY + BIG) - TINY + BIG - 1) / BIG;
		if (total > limit)
			assert_int_equal(tls_hello_parse(span_make(m->bytes, m->n - last + 10), scratch, &h, &why),
					 PARSE_BAD);
		free(m);
	}
}

/* A hello whose fields have these lengths, in one record. */
static enum parse parse_fields(size_t session_n, size_t suites_n, size_t compression_n, const struct maker *extensions)
{
	static struct maker body, message, records;
	struct tls_hello h;
	body.n = message.n = records.n = 0;
	put_u16(&body, 0x0303);
	body.n += 32;
	put_u8(&body, (unsigned)session_n);
	body.n += session_n;
	put_u16(&body, (unsigned)suites_n);
	body.n += suites_n;
	put_u8(&body, (unsigned)compression_n);
	body.n += compression_n;
	if (extensions) {
		put_u16(&body, (unsigned)extensions->n);
		put(&body, extensions->bytes, extensions->n);
	}
	put_u8(&message, 1);
	put_u8(&message, 0);
	put_u16(&message, (unsigned)body.n);
	put(&message, body.bytes, body.n);
	make_records(&records, &message, 16384);
	return tls_hello_parse(span_make(records.bytes, records.n), scratch, &h, &why);
}

static void the_limits_of_the_fields_hold(void **state)
{
	(void)state;
	static struct maker e;
	assert_int_equal(parse_fields(31, 2, 1, NULL), PARSE_DONE);
	assert_int_equal(parse_fields(32, 2, 1, NULL), PARSE_DONE);
	assert_int_equal(parse_fields(33, 2, 1, NULL), PARSE_BAD);
	assert_int_equal(parse_fields(0, 0, 1, NULL), PARSE_BAD);
	assert_int_equal(parse_fields(0, 3, 1, NULL), PARSE_BAD);
	assert_int_equal(parse_fields(0, 4, 1, NULL), PARSE_DONE);
	assert_int_equal(parse_fields(0, 2, 0, NULL), PARSE_BAD);
	assert_int_equal(parse_fields(0, 2, 255, NULL), PARSE_DONE);
	for (size_t n = 127; n <= 129; n++) { /* extensions */
		e.n = 0;
		for (size_t i = 0; i < n; i++) {
			put_u16(&e, 0x1000 + (unsigned)i);
			put_u16(&e, 0);
		}
		assert_int_equal(parse_fields(0, 2, 1, &e), n > 128 ? PARSE_BAD : PARSE_DONE);
	}
	for (size_t n = 254; n <= 256; n++) { /* bytes of the name */
		char name[300];
		memset(name, 'a', n);
		name[n] = '\0';
		e.n = 0;
		put_sni(&e, name);
		assert_int_equal(parse_fields(0, 2, 1, &e), n > 255 ? PARSE_BAD : PARSE_DONE);
	}
	e.n = 0;
	put(&e, "\0", 1); /* an extension that is cut short */
	assert_int_equal(parse_fields(0, 2, 1, &e), PARSE_BAD);
}

static void lengths_that_do_not_add_up_are_bad(void **state)
{
	(void)state;
	struct tls_hello h;
	struct maker *m = hello_with(one_name, 16384, 0);
	/* where a length stands, and what is added to it; each makes it one too long or too short */
	static const size_t places[] = {8, 43, 45, 48, 50, 54, 56, 59};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		for (int d = -1; d <= 1; d += 2) {
			struct maker *wrong = malloc(sizeof(*wrong));
			assert_non_null(wrong);
			*wrong = *m;
			wrong->bytes[places[i]] = (uint8_t)(wrong->bytes[places[i]] + d);
			enum parse got = parse(wrong, &h);
			/* a hello longer than its record goes on in the next */
			if (got != (places[i] == 8 && d > 0 ? PARSE_MORE : PARSE_BAD))
				fail_msg("byte %zu %+d: %d", places[i], d, (int)got);
			free(wrong);
		}
	m->bytes[9] = 2; /* SSL 2 inside */
	assert_int_equal(parse(m, &h), PARSE_BAD);
	free(m);
}

static void another_record_inside_the_hello_is_bad(void **state)
{
	(void)state;
	struct tls_hello h;
	struct maker *m = hello_with(one_name, 40, 0);
	m->bytes[45] = 20; /* the second record's type */
	assert_int_equal(parse(m, &h), PARSE_BAD);
	assert_int_equal(tls_hello_parse(span_make(m->bytes, 45), scratch, &h, &why), PARSE_MORE);
	assert_int_equal(tls_hello_parse(span_make(m->bytes, 46), scratch, &h, &why), PARSE_BAD);
	free(m);
}

static void with_early_data(struct maker *e)
{
	put_sni(e, "a.example");
	put_u16(e, 42);
	put_u16(e, 0);
}
static void with_ech_draft(struct maker *e)
{
	put_u16(e, 0xfe08);
	put_u16(e, 0);
}
static void with_neighbours_of_ech(struct maker *e)
{
	put_u16(e, 0xfe07);
	put_u16(e, 0);
	put_u16(e, 0xfe0e);
	put_u16(e, 0);
	put_u16(e, 0xffcd);
	put_u16(e, 0);
}

static void drafts_of_ech_and_early_data_are_told(void **state)
{
	(void)state;
	struct tls_hello h;
	struct maker *m = hello_with(with_early_data, 16384, 0);
	assert_int_equal(parse(m, &h), PARSE_DONE);
	assert_true(h.has_early_data && h.has_sni && !h.has_ech);
	free(m);
	m = hello_with(with_ech_draft, 16384, 0);
	assert_int_equal(parse(m, &h), PARSE_DONE);
	assert_true(h.has_ech && !h.has_sni && !h.has_early_data);
	free(m);
	m = hello_with(with_neighbours_of_ech, 16384, 0);
	assert_int_equal(parse(m, &h), PARSE_DONE);
	assert_false(h.has_ech);
	free(m);
}

static const uint8_t retry_random[] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

/* A ServerHello with this random in records of @step bytes, behind what @m holds. */
static void put_answer(struct maker *m, unsigned type, const uint8_t random[32], size_t step)
{
	static struct maker message;
	message.n = 0;
	put_u8(&message, type);
	put_u8(&message, 0);
	put_u16(&message, 2 + 32 + 4);
	put_u16(&message, 0x0303);
	put(&message, random, 32);
	put(&message, "\0\x13\1\0", 4);
	make_records(m, &message, step);
}

static void a_retry_is_told_from_every_other_answer(void **state)
{
	(void)state;
	static struct maker m;
	static const size_t steps[] = {1, 2, 5, 37, 38, 39, 16384};
	uint8_t nearly[32];
	bool is_retry;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		for (int warnings = 0; warnings < 3; warnings++) {
			m.n = 0;
			for (int k = 0; k < warnings; k++)
				put(&m, "\x15\3\3\0\2\1\x70", 7);
			put_answer(&m, 2, retry_random, steps[i]);
			assert_int_equal(tls_answer_parse(span_make(m.bytes, m.n), &is_retry), PARSE_DONE);
			assert_true(is_retry);
			put(&m, "anything behind it", 18);
			assert_int_equal(tls_answer_parse(span_make(m.bytes, m.n), &is_retry), PARSE_DONE);
			assert_true(is_retry);
		}
	memcpy(nearly, retry_random, 32);
	nearly[31] ^= 1;
	m.n = 0;
	put_answer(&m, 2, nearly, 16384);
	assert_int_equal(tls_answer_parse(span_make(m.bytes, m.n), &is_retry), PARSE_DONE);
	assert_false(is_retry);
	m.n = 0;
	put_answer(&m, 1, retry_random, 16384);
	assert_int_equal(tls_answer_parse(span_make(m.bytes, m.n), &is_retry), PARSE_DONE);
	assert_false(is_retry);
}

static void what_cannot_become_a_retry_is_told_at_once(void **state)
{
	(void)state;
	static const char *const others[] = {"HTTP/1.1 400 Bad", "SSH-2.0-x\r\n", "\x17\3\3\1\1\1", "\x15\3\3\1\2\2x"};
	bool is_retry = true;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_int_equal(tls_answer_parse(span_of(others[i]), &is_retry), PARSE_DONE);
		assert_false(is_retry);
		is_retry = true;
	}
	assert_int_equal(tls_answer_parse(span_make("\x15\3\3\0\2\2\x28", 7), &is_retry), PARSE_DONE); /* fatal */
	assert_false(is_retry);
	assert_int_equal(tls_answer_parse(span_make("\x16\3\3\0\0", 5), &is_retry), PARSE_DONE);
	assert_false(is_retry);
}

static void each_prefix_of_an_answer_says_more_up_to_a_limit(void **state)
{
	(void)state;
	static struct maker m;
	bool is_retry;

	m.n = 0;
	put(&m, "\x15\3\3\0\2\1\x70", 7);
	put_answer(&m, 2, retry_random, 5);
	size_t enough = 7 + 38 + 5 * 8;
	for (size_t n = 0; n < enough; n++)
		assert_int_equal(tls_answer_parse(span_make(m.bytes, n), &is_retry), PARSE_MORE);
	assert_int_equal(tls_answer_parse(span_make(m.bytes, enough), &is_retry), PARSE_DONE);
	m.n = 0;
	while (m.n < 2 * TLS_ANSWER_BYTES)
		put(&m, "\x15\3\3\0\2\1\x70", 7);
	assert_int_equal(tls_answer_parse(span_make(m.bytes, TLS_ANSWER_BYTES - 1), &is_retry), PARSE_MORE);
	assert_int_equal(tls_answer_parse(span_make(m.bytes, TLS_ANSWER_BYTES), &is_retry), PARSE_DONE);
	assert_false(is_retry);
}

static enum parse parse_retry(const struct maker *m, struct tls_hello *out)
{
	return tls_retry_parse(span_make(m->bytes, m->n), scratch, out, &why);
}

static void a_second_hello_is_found_behind_what_may_stand_before_it(void **state)
{
	(void)state;
	static const struct {
		const char *p;
		size_t n;
	} before[] = {{"", 0}, {"\x14\3\3\0\1\1", 6}, {"\x17\3\3\0\4data", 9}, {"\x15\3\3\0\2\1\0", 7},
		      {"\x17\3\3\0\4data\x14\3\3\0\1\1\x17\3\3\0\1x", 21}};
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		static struct maker m;
		struct maker *hello = hello_with(one_name, 7, 0);
		struct tls_hello h = {.bytes = 99};
		m.n = 0;
		put(&m, before[i].p, before[i].n);
		put(&m, hello->bytes, hello->n);
		for (size_t n = 0; n < m.n; n++)
			assert_int_equal(tls_retry_parse(span_make(m.bytes, n), scratch, &h, &why), PARSE_MORE);
		assert_int_equal(h.bytes, 99);
		assert_int_equal(parse_retry(&m, &h), PARSE_DONE);
		assert_int_equal(h.bytes, m.n);
		assert_int_equal(h.sni_n, 15);
		put(&m, "\x17\3\3\0\1x", 6);
		assert_int_equal(parse_retry(&m, &h), PARSE_DONE);
		assert_int_equal(h.bytes, m.n - 6);
		free(hello);
	}
}

static void no_other_handshake_record_stands_before_a_second_hello(void **state)
{
	(void)state;
	static const struct {
		const char *p;
		size_t n;
	} rows[] = {{"\x16\3\3\0\4\x10\0\0\0", 9}, {"\x16\3\3\0\0", 5}, {"\x14\3\3\0\2\1\1", 7}, {"\x14\3\3\0\0", 5},
		    {"\x15\3\3\0\3\1\0\0", 8},	   {"\x17\3\3\x41\1", 5}, {"\x18\3\3\0\1x", 6},  {"GET ", 4}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_hello h;
		static struct maker m;
		struct maker *hello = hello_with(one_name, 16384, 0);
		m.n = 0;
		put(&m, rows[i].p, rows[i].n);
		put(&m, hello->bytes, hello->n);
		if (parse_retry(&m, &h) != PARSE_BAD)
			fail_msg("row %zu taken", i);
		free(hello);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_is_read_whole_and_over_any_records),
		cmocka_unit_test(each_prefix_says_more_and_bytes_behind_change_nothing),
		cmocka_unit_test(missing_names_and_hidden_names_are_told),
		cmocka_unit_test(ambiguous_hellos_are_bad_and_leave_out_alone),
		cmocka_unit_test(bytes_behind_the_hello_in_its_record_are_bad),
		cmocka_unit_test(the_limit_of_64_kib_holds),
		cmocka_unit_test(a_record_that_goes_on_behind_the_hello_is_bad_at_once),
		cmocka_unit_test(the_limit_of_all_records_does_not_depend_on_how_they_arrive),
		cmocka_unit_test(the_limits_of_the_fields_hold),
		cmocka_unit_test(lengths_that_do_not_add_up_are_bad),
		cmocka_unit_test(another_record_inside_the_hello_is_bad),
		cmocka_unit_test(drafts_of_ech_and_early_data_are_told),
		cmocka_unit_test(a_retry_is_told_from_every_other_answer),
		cmocka_unit_test(what_cannot_become_a_retry_is_told_at_once),
		cmocka_unit_test(each_prefix_of_an_answer_says_more_up_to_a_limit),
		cmocka_unit_test(a_second_hello_is_found_behind_what_may_stand_before_it),
		cmocka_unit_test(no_other_handshake_record_stands_before_a_second_hello),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
