/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and responses: spans stay inside the head, and bytes behind it change nothing. */
#include "proto/http_head.h"

#include <assert.h>

static bool is_inside(struct span part, const uint8_t *data, size_t n)
{
	return part.n == 0 || (part.p >= data && part.p + part.n <= data + n);
}

static void check(const struct http_head *h, const uint8_t *data, size_t size)
{
	assert(h->head_bytes <= size && h->head_bytes <= HTTP_HEAD_MAX_BYTES && h->n_fields <= HTTP_MAX_FIELDS);
	assert(!memcmp(data + h->head_bytes - 4, "\r\n\r\n", 4));
	assert(is_inside(h->method, data, h->head_bytes) && is_inside(h->host, data, h->head_bytes));
	for (size_t i = 0; i < h->n_fields; i++)
		assert(is_inside(h->fields[i].name, data, h->head_bytes) &&
		       is_inside(h->fields[i].value, data, h->head_bytes) && h->fields[i].name.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_head h, cut;
	const char *why = NULL;

	if (http_request_parse(span_make(data, size), &h, &why) == PARSE_DONE) {
		check(&h, data, size);
		assert(http_request_parse(span_make(data, h.head_bytes), &cut, &why) == PARSE_DONE);
		assert(cut.head_bytes == h.head_bytes && cut.framing == h.framing && cut.port == h.port);
		assert(http_request_parse(span_make(data, h.head_bytes - 1), &cut, &why) == PARSE_MORE);
		assert(h.minor == 0 || h.host.n);
	}
	if (http_response_parse(span_make(data, size), size & 1, &h, &why) == PARSE_DONE)
		check(&h, data, size);
	return 0;
}
