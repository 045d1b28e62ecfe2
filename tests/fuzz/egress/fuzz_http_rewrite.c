/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/egress/fuzz_http_rewrite.c - what is written anew reads as what was judged, and in one way only */
#include "base/own.h"
#include "egress/worker/http_rewrite.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool spans_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* A head near its limits may pass them by what is added. */
static bool is_near_limits(const struct http_head *head)
{
	return head->n_fields > HTTP_MAX_FIELDS - 4 || head->head_bytes > HTTP_HEAD_MAX_BYTES - 512;
}

static void check_fields(const struct http_head *head)
{
	static const char *const gone[] = {"proxy-authorization", "proxy-connection", "te", "keep-alive"};

	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		assert(!http_field_find(head, gone[i]));
}

static void check_request(const struct http_head *head, struct span host, uint16_t port)
{
	AUTO(buf) struct buf out = {.max = HTTP_HEAD_MAX_BYTES + 8192};
	struct http_head again;
	const char *why;

	if (!http_rewrite_request(head, host, port, &out))
		return;
	enum parse got = http_request_parse(buf_span(&out), &again, &why);
	if (got != PARSE_DONE && is_near_limits(head))
		return;
	assert(got == PARSE_DONE && again.head_bytes == out.n);
	assert(again.form == HTTP_ORIGIN || again.form == HTTP_ASTERISK);
	assert(spans_equal(again.method, head->method) && spans_equal(again.path, head->path));
	assert(again.framing == head->framing && again.length == head->length);
	assert(spans_equal(again.host, host));
	assert((again.port ? again.port : 80) == port);
	assert(again.wants_upgrade == http_rewrite_upgrades(head));
	check_fields(&again);
}

static void check_response(const struct http_head *head, bool to_head)
{
	AUTO(buf) struct buf out = {.max = HTTP_HEAD_MAX_BYTES + 8192};
	struct http_head again;
	const char *why;

	if (!http_rewrite_response(head, 1, !head->keeps_alive, &out))
		return;
	enum parse got = http_response_parse(buf_span(&out), to_head, &again, &why);
	if (got != PARSE_DONE && is_near_limits(head))
		return;
	assert(got == PARSE_DONE && again.head_bytes == out.n);
	assert(again.status == head->status && again.framing == head->framing);
	assert(head->framing == HTTP_NO_BODY || again.length == head->length);
	check_fields(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);
	struct http_head head;
	const char *why;

	if (http_request_parse(in, &head, &why) == PARSE_DONE && head.form != HTTP_AUTHORITY) {
		check_request(&head, span_of("judged.example"), 80);
		check_request(&head, span_of("fd00::1"), 8080);
	}
	for (int to_head = 0; to_head < 2; to_head++)
		if (http_response_parse(in, to_head, &head, &why) == PARSE_DONE)
			check_response(&head, to_head);
	return 0;
}
