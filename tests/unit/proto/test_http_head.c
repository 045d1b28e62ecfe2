/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static const char *why;

static enum parse request(const char *text, struct http_head *out)
{
	return http_request_parse(span_of(text), out, &why);
}

static const char *const good[] = {
	"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
	"GET http://a.example/x?y=1 HTTP/1.1\r\nHost: a.example\r\n\r\n",
	"GET http://a.example:80/ HTTP/1.1\r\nHost: A.Example\r\nAccept: */*\r\n\r\n",
	"GET http://a.example HTTP/1.1\r\nHost: a.example:80\r\n\r\n",
	"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
	"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n",
	"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n",
	"POST /p HTTP/1.1\r\nHost: a.example\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n",
	"POST /p HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: Chunked\r\n\r\n",
	"GET / HTTP/1.0\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n",
	"GET /\x7e HTTP/1.1\r\nHost: a.example\r\nX-Odd: \xc3\xa9\t \r\nX-Empty:\r\n\r\n",
};

static void every_good_request_is_read(void **state)
{
	(void)state;
	struct http_head h;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (request(good[i], &h) != PARSE_DONE)
			fail_msg("%s: %s", good[i], why);
		assert_int_equal(h.head_bytes, strlen(good[i]));
	}
}

static void each_prefix_of_a_good_request_says_more(void **state)
{
	(void)state;
	struct http_head h;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		for (size_t n = 0; n < strlen(good[i]); n++)
			if (http_request_parse(span_make(good[i], n), &h, &why) != PARSE_MORE)
				fail_msg("%zu bytes of %s: %s", n, good[i], why);
}

static void bytes_after_the_end_change_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char text[512];
		struct http_head h;
		size_t n = strlen(good[i]);
		memcpy(text, good[i], n);
		memset(text + n, '\r', sizeof(text) - n);
		assert_int_equal(http_request_parse(span_make(text, sizeof(text)), &h, &why), PARSE_DONE);
		assert_int_equal(h.head_bytes, n);
	}
}

static void the_parts_are_what_was_written(void **state)
{
	(void)state;
	struct http_head h;
	assert_int_equal(request(good[1], &h), PARSE_DONE);
	assert_int_equal(h.form, HTTP_ABSOLUTE);
	assert_true(span_is(h.host, "a.example") && span_is(h.path, "/x?y=1") && span_is(h.method, "GET"));
	assert_true(h.keeps_alive);
	assert_int_equal(request(good[4], &h), PARSE_DONE);
	assert_int_equal(h.form, HTTP_AUTHORITY);
	assert_int_equal(h.port, 443);
	assert_int_equal(request(good[6], &h), PARSE_DONE);
	assert_true(h.host_is_bracketed && span_is(h.host, "2001:db8::1"));
	assert_int_equal(request(good[7], &h), PARSE_DONE);
	assert_int_equal(h.framing, HTTP_LENGTH);
	assert_int_equal(h.length, 12);
	assert_true(h.expects_continue);
	assert_int_equal(request(good[8], &h), PARSE_DONE);
	assert_int_equal(h.framing, HTTP_CHUNKED);
	assert_int_equal(request(good[9], &h), PARSE_DONE);
	assert_false(h.keeps_alive);
	assert_int_equal(request("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: x\r\n\r\n", &h), PARSE_DONE);
	assert_true(h.wants_upgrade);
	assert_false(h.keeps_alive);
}

/* Each differs from a good request in one thing. */
static const char *const bad[] = {
	"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", /* empty line first */
	"GET / HTTP/1.1\nHost: a\n\n",		  /* bare LF */
	"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", /* bare CR */
	"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
	"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
	"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.1\r\nHost:\r\n\r\n",
	"GET / HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a:\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a:0\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
	"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
	"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET a HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
	"G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
	"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
	"GET / http/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.10\r\nHost: a\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http://a\\@b/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
	"GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http://a?x HTTP/1.1\r\nHost: a\r\n\r\n",
	"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n",
	"CONNECT a:0 HTTP/1.1\r\nHost: a\r\n\r\n",
	"CONNECT a:65536 HTTP/1.1\r\nHost: a\r\n\r\n",
	"CONNECT http://a:443/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"CONNECT a:443 HTTP/1.1\r\nHost: b:443\r\n\r\n",
	"CONNECT a:443 HTTP/1.1\r\nHost: a:80\r\n\r\n",
	"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
	"CONNECT u@a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3 3\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n",
	"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX\x80: y\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nExpect: something\r\n\r\n",
};

static void what_could_be_read_in_two_ways_is_bad(void **state)
{
	(void)state;
	struct http_head h, before;
	memset(&h, 0x5a, sizeof(h));
	before = h;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		if (request(bad[i], &h) != PARSE_BAD)
			fail_msg("taken: %s", bad[i]);
		assert_non_null(why);
	}
	assert_memory_equal(&h, &before, sizeof(h));
	static const char nul[] = "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n";
	assert_int_equal(http_request_parse(span_make(nul, sizeof(nul) - 1), &h, &why), PARSE_BAD);
}

/* A head of exactly @n bytes. */
static char *head_of(size_t n)
{
	static const char start[] = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
	char *text = malloc(n + 1);
	assert_non_null(text);
	memset(text, 'x', n);
	memcpy(text, start, sizeof(start) - 1);
	memcpy(text + n - 4, "\r\n\r\n", 5);
	return text;
}

static void the_head_limit_holds_at_one_under_and_one_over(void **state)
{
	(void)state;
	struct http_head h;
	for (int d = -1; d <= 1; d++) {
		size_t n = (size_t)(HTTP_HEAD_MAX_BYTES + d);
		char *text = head_of(n);
		assert_int_equal(http_request_parse(span_make(text, n), &h, &why), d > 0 ? PARSE_BAD : PARSE_DONE);
		free(text);
	}
}

static void the_field_limit_holds_at_and_one_over(void **state)
{
	(void)state;
	for (int n = HTTP_MAX_FIELDS; n <= HTTP_MAX_FIELDS + 1; n++) {
		char text[4096] = "GET / HTTP/1.1\r\nHost: a\r\n";
		struct http_head h;
		for (int i = 1; i < n; i++)
			strcat(text, "X: y\r\n");
		strcat(text, "\r\n");
		assert_int_equal(request(text, &h), n > HTTP_MAX_FIELDS ? PARSE_BAD : PARSE_DONE);
	}
}

static void a_responses_framing_follows_the_rfc(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool to_head;
		enum http_framing framing;
	} rows[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, HTTP_LENGTH},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, HTTP_NO_BODY},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, HTTP_CHUNKED},
		{"HTTP/1.1 200\r\n\r\n", false, HTTP_UNTIL_CLOSE},
		{"HTTP/1.1 204 No Content\r\n\r\n", false, HTTP_NO_BODY},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, HTTP_NO_BODY},
		{"HTTP/1.1 100 Continue\r\n\r\n", false, HTTP_NO_BODY},
		{"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", false, HTTP_NO_BODY},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_head h;
		if (http_response_parse(span_of(rows[i].text), rows[i].to_head, &h, &why) != PARSE_DONE)
			fail_msg("%s: %s", rows[i].text, why);
		assert_int_equal(h.framing, rows[i].framing);
	}
	static const char *const wrong[] = {
		"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 200 O\x01K\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct http_head h;
		if (http_response_parse(span_of(wrong[i]), false, &h, &why) != PARSE_BAD)
			fail_msg("taken: %s", wrong[i]);
	}
}

static void hop_by_hop_fields_are_known(void **state)
{
	(void)state;
	struct http_head h;
	assert_int_equal(request("GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Mine, close\r\n\r\n", &h), PARSE_DONE);
	assert_true(http_is_hop_by_hop(&h, span_of("x-mine")));
	assert_true(http_is_hop_by_hop(&h, span_of("Proxy-Authorization")));
	assert_true(http_is_hop_by_hop(&h, span_of("TE")));
	assert_false(http_is_hop_by_hop(&h, span_of("Accept")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_good_request_is_read),
		cmocka_unit_test(each_prefix_of_a_good_request_says_more),
		cmocka_unit_test(bytes_after_the_end_change_nothing),
		cmocka_unit_test(the_parts_are_what_was_written),
		cmocka_unit_test(what_could_be_read_in_two_ways_is_bad),
		cmocka_unit_test(the_head_limit_holds_at_one_under_and_one_over),
		cmocka_unit_test(the_field_limit_holds_at_and_one_over),
		cmocka_unit_test(a_responses_framing_follows_the_rfc),
		cmocka_unit_test(hop_by_hop_fields_are_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
