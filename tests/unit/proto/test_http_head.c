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
	"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nExpect: something\r\n\r\n",
	/* Transfer-Encoding as no strict server reads it, and as a lax one might */
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked,\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;x=y\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\xa0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \vchunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: chunked\r\nContent-length: 0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\ncontent-length: 5\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4.\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1e2\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000000000\r\n\r\n", /* 19 digits */
	/* names that gateways turn into the same variable */
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 4\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\ncontent_length: 4\r\n\r\n",
	/* ports that are numbers to some */
	"GET / HTTP/1.1\r\nHost: a:080\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a:00\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a:+80\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a:-1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a:65616\r\n\r\n", /* 80 modulo 2^16 */
	"GET / HTTP/1.1\r\nHost: a:4294967376\r\n\r\n",
	"CONNECT a:0443 HTTP/1.1\r\nHost: a\r\n\r\n",
	"CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n",
	"CONNECT :443 HTTP/1.1\r\nHost: a\r\n\r\n",
	"CONNECT a:443/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"CONNECT a:443 HTTP/1.1\r\nHost: a:0443\r\n\r\n",
	"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
	/* hosts whose end could move */
	"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: [[::1]]\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: []\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: ::1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a?b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a#b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: \xc3\xa4.example\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
	"GET / HTTP/1.1\r\nhost: a\r\nHOST: b\r\n\r\n",
	"GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n",
	"GET http://a/ HTTP/1.1\r\nHost: a.\r\n\r\n",
	"GET http://a/ HTTP/1.1\r\nHost: a:8080\r\n\r\n",
	"GET http://a/ HTTP/1.1\r\n\r\n",
	"GET http://[::1]/ HTTP/1.1\r\nHost: ::1\r\n\r\n",
	"GET http://a#b/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http:/a/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http:a HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET //a:80:80@b/ HTTP/9.9\r\nHost: a\r\n\r\n",
	/* lines */
	"GET\r\nHost: a\r\n\r\n",
	"GET /\r\nHost: a\r\n\r\n", /* HTTP/0.9 */
	"GET  HTTP/1.1\r\nHost: a\r\n\r\n",
	" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.1 x\r\nHost: a\r\n\r\n",
	"GET / HTTP/01.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1,1\r\nHost: a\r\n\r\n",
	"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.1\r\n\tHost: a\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\n",
	"GET / HTTP/1.1\r\nHost: a\r\n\r\r\n",
};

/* The twins: the nearest request to one above that is read. */
static const char *const allowed[] = {
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tchunked \r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999999999\r\n\r\n", /* 18 digits */
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Lengths: 4\r\nX_Y: z\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a:80\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a:65535\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a:1\r\n\r\n",
	"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n",
	"CONNECT a:443 HTTP/1.0\r\n\r\n",
	"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", /* says that there is no body */
	"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
	"GET http://A.b/ HTTP/1.1\r\nHost: a.B:80\r\n\r\n",
	"GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http://a:8080/ HTTP/1.1\r\nHost: a:8080\r\n\r\n",
	"GET HTTP://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http://a/ HTTP/1.0\r\n\r\n",
	"GET http://[::1]/ HTTP/1.1\r\nHost: [::1]\r\n\r\n",
	"GET /?a://b@c HTTP/1.1\r\nHost: a\r\n\r\n",
	"G!T / HTTP/1.1\r\nHost: a\r\n\r\n",
};

static void the_nearest_plain_request_is_read(void **state)
{
	(void)state;
	struct http_head h;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (request(allowed[i], &h) != PARSE_DONE)
			fail_msg("%s: %s", allowed[i], why);
}

static void the_method_limit_holds_at_and_one_over(void **state)
{
	(void)state;
	static const char rest[] = " / HTTP/1.1\r\nHost: a\r\n\r\n";
	struct http_head h;
	for (size_t n = 31; n <= 33; n++) {
		char text[100];
		memset(text, 'M', n);
		memcpy(text + n, rest, sizeof(rest));
		assert_int_equal(request(text, &h), n > 32 ? PARSE_BAD : PARSE_DONE);
	}
}

/* Each byte, put into each part of a request, is either refused or part of that part. */
static void no_byte_moves_the_end_of_a_part(void **state)
{
	(void)state;
	static const char text[] = "GET http://ab/cd HTTP/1.1\r\nHost: ab\r\nXx: yy\r\n\r\n";
	for (size_t at = 0; at < sizeof(text) - 1; at++)
		for (unsigned byte = 0; byte < 256; byte++) {
			char changed[sizeof(text)];
			struct http_head h;
			memcpy(changed, text, sizeof(text));
			changed[at] = (char)byte;
			if (http_request_parse(span_make(changed, sizeof(text) - 1), &h, &why) != PARSE_DONE)
				continue;
			assert_int_equal(h.head_bytes, sizeof(text) - 1);
			assert_true(h.host.n == 2 || (h.host.n == 1 && h.host.p[0] != '/')); /* "http://a/" */
			assert_int_equal(h.n_fields, 2);
			assert_int_equal(h.framing, HTTP_NO_BODY);
			for (size_t i = 0; i < h.host.n; i++)
				assert_null(memchr("/?#@:\\\0 \t\r\n", h.host.p[i], 11));
		}
}


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
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "HTTP/1.1 200 OK\n\n",
		"HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 200OK\r\n\r\n", "HTTP/1.1\r\n\r\n", "ICY 200 OK\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 +20 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.1 101 Switching\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 O\rK\r\n\r\n",
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
		cmocka_unit_test(the_nearest_plain_request_is_read),
		cmocka_unit_test(the_method_limit_holds_at_and_one_over),
		cmocka_unit_test(no_byte_moves_the_end_of_a_part),
		cmocka_unit_test(the_head_limit_holds_at_one_under_and_one_over),
		cmocka_unit_test(the_field_limit_holds_at_and_one_over),
		cmocka_unit_test(a_responses_framing_follows_the_rfc),
		cmocka_unit_test(hop_by_hop_fields_are_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
