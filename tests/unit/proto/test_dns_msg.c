/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/proto/test_dns_msg.c - one question or none; answers are well-formed to the byte */
#include "proto/dns_msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { HEAD = 12 };

struct packet {
	uint8_t bytes[70000];
	size_t n;
};

static void put(struct packet *p, const void *bytes, size_t n)
{
	memcpy(p->bytes + p->n, bytes, n);
	p->n += n;
}

/* A query head: id 0x1234, recursion desired. */
static void put_head(struct packet *p, unsigned flags, uint8_t questions, uint8_t additional)
{
	uint8_t head[HEAD] = {0x12, 0x34, (uint8_t)(flags >> 8), (uint8_t)flags, 0, questions, 0, 0, 0, 0, 0,
			      additional};
	p->n = 0;
	put(p, head, HEAD);
}

/* Labels of a dotted name, the root, type and class. */
static void put_question(struct packet *p, const char *name, uint8_t type)
{
	while (*name) {
		size_t n = strcspn(name, ".");
		uint8_t length = (uint8_t)n;
		put(p, &length, 1);
		put(p, name, n);
		name += n + (name[n] == '.');
	}
	uint8_t end[] = {0, 0, type, 0, 1};
	put(p, end, sizeof(end));
}

static const uint8_t opt[] = {0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0}; /* 1232 bytes */

static struct packet p;

static void make_query(const char *name, uint8_t type, bool has_edns)
{
	put_head(&p, 0x0100, 1, has_edns);
	put_question(&p, name, type);
	if (has_edns)
		put(&p, opt, sizeof(opt));
}

static enum parse parse(struct dns_question *out)
{
	return dns_question_parse(span_make(p.bytes, p.n), out);
}

static void a_question_is_read_as_it_was_sent(void **state)
{
	(void)state;
	struct dns_question q;

	make_query("wWw.Example.COM", DNS_AAAA, true);
	assert_int_equal(parse(&q), PARSE_DONE);
	assert_int_equal(q.id, 0x1234);
	assert_true(q.recursion_desired && q.has_edns && !q.has_odd_name && !q.checking_disabled);
	assert_int_equal(q.edns_udp_bytes, 1232);
	assert_int_equal(q.type, DNS_AAAA);
	assert_int_equal(q.class, 1);
	assert_string_equal(q.name, "wWw.Example.COM");
	assert_int_equal(q.name_n, 15);
	assert_ptr_equal(q.question.p, p.bytes + HEAD);
	assert_int_equal(q.question.n, 17 + 4);
	make_query("", 2, false);
	p.bytes[3] = 0x10;
	assert_int_equal(parse(&q), PARSE_DONE);
	assert_string_equal(q.name, "");
	assert_true(q.checking_disabled && !q.has_edns);
}

static void a_cut_query_or_one_with_bytes_behind_is_bad(void **state)
{
	(void)state;
	struct dns_question q, before;

	memset(&q, 0x5a, sizeof(q));
	before = q;
	make_query("www.example.com", DNS_A, true);
	for (size_t n = 0; n < p.n; n++)
		assert_int_equal(dns_question_parse(span_make(p.bytes, n), &q), PARSE_BAD);
	put(&p, "\0", 1);
	assert_int_equal(parse(&q), PARSE_BAD);
	assert_memory_equal(&q, &before, sizeof(q));
	p.n--;
	assert_int_equal(parse(&q), PARSE_DONE);
}

static void heads_that_are_no_single_question_are_bad(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint8_t value;
		enum parse expected;
	} rows[] = {
		{2, 0x01, PARSE_DONE},
		{2, 0x81, PARSE_BAD}, /* a response */
		{2, 0x09, PARSE_BAD}, /* opcode 1 */
		{2, 0x29, PARSE_BAD}, /* UPDATE */
		{2, 0x03, PARSE_BAD}, /* truncated */
		{3, 0x20, PARSE_DONE}, /* AD, set by stub resolvers */
		{4, 1, PARSE_BAD},    /* 257 questions */
		{5, 0, PARSE_BAD},
		{5, 2, PARSE_BAD},
		{7, 1, PARSE_BAD}, /* an answer */
		{9, 1, PARSE_BAD}, /* an authority */
		{11, 1, PARSE_BAD}, /* an additional record that is not there */
		{10, 1, PARSE_BAD},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dns_question q;
		make_query("a.example", DNS_A, false);
		p.bytes[rows[i].at] = rows[i].value;
		if (parse(&q) != rows[i].expected)
			fail_msg("row %zu", i);
	}
}

static void a_compressed_name_is_bad(void **state)
{
	(void)state;
	struct dns_question q;

	put_head(&p, 0x0100, 1, 0);
	put(&p, "\xc0\x0c\0\1\0\1", 6); /* points at itself */
	assert_int_equal(parse(&q), PARSE_BAD);
	put_head(&p, 0x0100, 1, 0);
	put(&p, "\1a\xc0\x0c\0\1\0\1", 8);
	assert_int_equal(parse(&q), PARSE_BAD);
	put_head(&p, 0x0100, 1, 0);
	put(&p, "\x40", 1); /* the label types that never came to be */
	p.n += 64;
	put(&p, "\0\0\1\0\1", 5);
	assert_int_equal(parse(&q), PARSE_BAD);
}

static void labels_and_names_end_at_their_limits(void **state)
{
	(void)state;
	struct dns_question q;
	char name[300];

	for (size_t n = 62; n <= 64; n++) {
		memset(name, 'a', n);
		name[n] = '\0';
		make_query(name, DNS_A, false);
		assert_int_equal(parse(&q), n > 63 ? PARSE_BAD : PARSE_DONE);
	}
	/* 253 characters take 255 bytes on the wire */
	for (size_t n = 252; n <= 254; n++) {
		memset(name, 'a', n);
		name[n] = '\0';
		for (size_t i = 63; i < n - 1; i += 64)
			name[i] = '.';
		make_query(name, DNS_A, true);
		assert_int_equal(parse(&q), n > 253 ? PARSE_BAD : PARSE_DONE);
		if (n <= 253) {
			assert_int_equal(q.name_n, n);
			assert_string_equal(q.name, name);
		}
	}
	/* 127 labels of one byte are as long */
	put_head(&p, 0x0100, 1, 0);
	for (int i = 0; i < 127; i++)
		put(&p, "\1a", 2);
	put(&p, "\0\0\1\0\1", 5);
	assert_int_equal(parse(&q), PARSE_DONE);
	assert_int_equal(q.name_n, 253);
}

static void bytes_that_no_host_name_has_are_told(void **state)
{
	(void)state;
	static const char *const odd[] = {"a\x80", "a b", "a*", "a\\b", "a/b", "a@b", "\x01", "a\""};
	struct dns_question q;

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		make_query(odd[i], DNS_A, false);
		assert_int_equal(parse(&q), PARSE_DONE);
		assert_true(q.has_odd_name);
	}
	put_head(&p, 0x0100, 1, 0);
	put(&p, "\3a.b\0\0\1\0\1", 9); /* a dot within a label reads like two */
	assert_int_equal(parse(&q), PARSE_DONE);
	assert_true(q.has_odd_name);
	put_head(&p, 0x0100, 1, 0);
	put(&p, "\3a\0b\0\0\1\0\1", 9);
	assert_int_equal(parse(&q), PARSE_DONE);
	assert_true(q.has_odd_name);
	make_query("_sip-1._tcp.Example", DNS_A, false);
	assert_int_equal(parse(&q), PARSE_DONE);
	assert_false(q.has_odd_name);
}

static void one_opt_at_the_root_is_the_only_edns(void **state)
{
	(void)state;
	static const uint8_t opt_with_data[] = {0, 0, 41, 2, 0, 0, 0, 0, 0, 0, 4, 0, 10, 0, 0};
	static const uint8_t opt_owned[] = {1, 'a', 0, 0, 41, 2, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t tsig[] = {1, 'k', 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 1, 9};
	struct dns_question q;

	make_query("a.example", DNS_A, true);
	p.bytes[11] = 2;
	put(&p, opt, sizeof(opt));
	assert_int_equal(parse(&q), PARSE_BAD); /* twice */
	make_query("a.example", DNS_A, false);
	p.bytes[11] = 1;
	put(&p, opt_owned, sizeof(opt_owned));
	assert_int_equal(parse(&q), PARSE_BAD);
	make_query("a.example", DNS_A, false);
	p.bytes[11] = 2;
	put(&p, opt_with_data, sizeof(opt_with_data));
	put(&p, tsig, sizeof(tsig));
	assert_int_equal(parse(&q), PARSE_DONE);
	assert_int_equal(q.edns_udp_bytes, 512);
	for (uint8_t n = 16; n <= 17; n++) {
		make_query("a.example", DNS_A, false);
		p.bytes[11] = n;
		for (int i = 0; i < n; i++)
			put(&p, tsig, sizeof(tsig));
		assert_int_equal(parse(&q), n > 16 ? PARSE_BAD : PARSE_DONE);
	}
}

static void an_address_is_answered_with_the_question_as_it_was_cased(void **state)
{
	(void)state;
	static const uint8_t v4[] = {198, 18, 0, 7}, v6[16] = {0xfd, 0x64, [15] = 7};
	struct dns_question q;
	uint8_t out[DNS_REPLY_MAX_BYTES];

	make_query("aBc.example", DNS_A, false);
	assert_int_equal(parse(&q), PARSE_DONE);
	struct dns_reply r = {.address = v4, .address_n = 4, .ttl_s = 60};
	size_t n = dns_reply_write(&q, &r, out);
	static const uint8_t expected[] = {0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 3, 'a', 'B', 'c', 7, 'e', 'x',
					   'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60,
					   0, 4, 198, 18, 0, 7};
	assert_int_equal(n, sizeof(expected));
	assert_memory_equal(out, expected, n);
	r = (struct dns_reply){.address = v6, .address_n = 16, .ttl_s = 60};
	n = dns_reply_write(&q, &r, out);
	assert_int_equal(n, sizeof(expected) + 12);
	assert_int_equal(out[n - 16 - 9], DNS_AAAA);
	assert_memory_equal(out + n - 16, v6, 16);
}

static void a_refusal_carries_its_reason_when_edns_was_spoken(void **state)
{
	(void)state;
	struct dns_question q;
	uint8_t out[DNS_REPLY_MAX_BYTES];
	struct dns_reply r = {.rcode = DNS_NXDOMAIN, .ttl_s = 5, .ede = DNS_EDE_BLOCKED, .ede_text = "no rule"};

	make_query("a.example", DNS_A, true);
	p.bytes[3] = 0x10;
	assert_int_equal(parse(&q), PARSE_DONE);
	size_t n = dns_reply_write(&q, &r, out);
	static const uint8_t soa[] = {0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 5, 0, 22, 0, 0, 0, 0, 0, 1,
				      0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0, 5};
	static const uint8_t ede[] = {0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 13, 0, 15, 0, 9, 0, 15, 'n', 'o', ' ', 'r',
				      'u', 'l', 'e'};
	assert_int_equal(out[2], 0x81);
	assert_int_equal(out[3], 0x80 | 0x10 | DNS_NXDOMAIN);
	assert_int_equal(out[7], 0);
	assert_int_equal(out[9], 1);
	assert_int_equal(out[11], 1);
	assert_int_equal(n, HEAD + q.question.n + sizeof(soa) + sizeof(ede));
	assert_memory_equal(out + HEAD + q.question.n, soa, sizeof(soa));
	assert_memory_equal(out + n - sizeof(ede), ede, sizeof(ede));

	r.ede_text = NULL;
	assert_int_equal(dns_reply_write(&q, &r, out), n - 7);
	r.ede = 0;
	assert_int_equal(dns_reply_write(&q, &r, out), n - 13);
	make_query("a.example", DNS_A, false);
	assert_int_equal(parse(&q), PARSE_DONE);
	r.ede = DNS_EDE_BLOCKED;
	assert_int_equal(dns_reply_write(&q, &r, out), HEAD + q.question.n + sizeof(soa)); /* none asked, none sent */
	assert_int_equal(out[11], 0);
}

static void the_longest_name_and_text_fit(void **state)
{
	(void)state;
	struct dns_question q;
	uint8_t out[DNS_REPLY_MAX_BYTES + 1];
	char text[500];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	put_head(&p, 0x0100, 1, 1);
	for (int i = 0; i < 127; i++)
		put(&p, "\1a", 2);
	put(&p, "\0\0\1\0\1", 5);
	put(&p, opt, sizeof(opt));
	assert_int_equal(parse(&q), PARSE_DONE);
	struct dns_reply r = {.rcode = DNS_NXDOMAIN, .ede = DNS_EDE_BLOCKED, .ede_text = text};
	out[DNS_REPLY_MAX_BYTES] = 0x5a;
	size_t n = dns_reply_write(&q, &r, out);
	assert_true(n <= DNS_REPLY_MAX_BYTES);
	assert_int_equal(n, HEAD + 259 + 34 + 11 + 6 + 200);
	assert_int_equal(out[DNS_REPLY_MAX_BYTES], 0x5a);
}

static void what_cannot_be_read_gets_a_bare_error_and_an_answer_gets_none(void **state)
{
	(void)state;
	uint8_t out[DNS_REPLY_MAX_BYTES];
	static const uint8_t query[] = {0xab, 0xcd, 0x29, 0x30, 0, 9, 0, 9, 0, 9, 0, 9, 'x'};
	static const uint8_t expected[] = {0xab, 0xcd, 0xa9, 0x84, 0, 0, 0, 0, 0, 0, 0, 0};

	assert_int_equal(dns_error_write(span_make(query, 13), DNS_NOTIMP, out), 12);
	assert_memory_equal(out, expected, 12);
	assert_int_equal(dns_error_write(span_make(query, 12), DNS_FORMERR, out), 12);
	assert_int_equal(dns_error_write(span_make(query, 11), DNS_FORMERR, out), 0);
	static const uint8_t response[12] = {0xab, 0xcd, 0x80};
	assert_int_equal(dns_error_write(span_make(response, 12), DNS_FORMERR, out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_read_as_it_was_sent),
		cmocka_unit_test(a_cut_query_or_one_with_bytes_behind_is_bad),
		cmocka_unit_test(heads_that_are_no_single_question_are_bad),
		cmocka_unit_test(a_compressed_name_is_bad),
		cmocka_unit_test(labels_and_names_end_at_their_limits),
		cmocka_unit_test(bytes_that_no_host_name_has_are_told),
		cmocka_unit_test(one_opt_at_the_root_is_the_only_edns),
		cmocka_unit_test(an_address_is_answered_with_the_question_as_it_was_cased),
		cmocka_unit_test(a_refusal_carries_its_reason_when_edns_was_spoken),
		cmocka_unit_test(the_longest_name_and_text_fit),
		cmocka_unit_test(what_cannot_be_read_gets_a_bare_error_and_an_answer_gets_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
