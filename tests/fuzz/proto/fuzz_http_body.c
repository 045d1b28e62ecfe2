/* SPDX-License-Identifier: Apache-2.0 */
/* A chunked body gives the same end however it is cut. */
#include "proto/http_body.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_head head = {.framing = HTTP_CHUNKED};
	struct http_body whole, cut;
	size_t used = 0, total = 0;

	http_body_start(&whole, &head);
	enum parse got = http_body_feed(&whole, span_make(data, size), &used);
	http_body_start(&cut, &head);
	enum parse got_cut = PARSE_MORE;
	for (size_t i = 0; i < size && got_cut == PARSE_MORE; i++) {
		size_t one = 0;
		got_cut = http_body_feed(&cut, span_make(data + i, 1), &one);
		total += got_cut == PARSE_BAD ? 0 : one;
	}
	assert(got == got_cut);
	if (got != PARSE_BAD)
		assert(used == total && used <= size);
	return 0;
}
