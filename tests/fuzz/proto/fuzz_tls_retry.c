/* SPDX-License-Identifier: Apache-2.0 */
/* A server's answer reads the same however much of it came; no handshake record hides before a second hello. */
#include "proto/tls_hello.h"

#include <assert.h>

enum { HANDSHAKE = 22 };

static void check_answer(const uint8_t *data, size_t size)
{
	bool is_retry = false, more = false;

	if (size > TLS_ANSWER_BYTES)
		size = TLS_ANSWER_BYTES;
	if (tls_answer_parse(span_make(data, size), &is_retry) != PARSE_DONE) {
		assert(size < TLS_ANSWER_BYTES);
		return;
	}
	/* half of it says the same, or not yet */
	if (tls_answer_parse(span_make(data, size / 2), &more) == PARSE_DONE)
		assert(more == is_retry);
}

/* Whole records up to @n, none of them of a handshake. */
static void check_before(const uint8_t *data, size_t n)
{
	size_t at = 0;

	while (at < n) {
		assert(data[at] != HANDSHAKE && at + 5 <= n);
		at += 5 + ((size_t)data[at + 3] << 8 | data[at + 4]);
	}
	assert(at == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t scratch[TLS_HELLO_MAX_BYTES];
	struct tls_hello h, again;
	const char *why = NULL;

	check_answer(data, size);
	if (tls_retry_parse(span_make(data, size), scratch, &h, &why) != PARSE_DONE)
		return 0;
	assert(h.bytes <= size);
	assert(tls_retry_parse(span_make(data, h.bytes), scratch, &again, &why) == PARSE_DONE);
	assert(again.bytes == h.bytes && again.has_sni == h.has_sni && again.has_ech == h.has_ech);
	assert(tls_retry_parse(span_make(data, h.bytes - 1), scratch, &again, &why) == PARSE_MORE);
	/* the hello alone is read by its own reader, and all that stood before it is passed over */
	size_t start = 0;
	while (start < h.bytes && data[start] != HANDSHAKE)
		start += 5 + ((size_t)data[start + 3] << 8 | data[start + 4]);
	check_before(data, start);
	assert(tls_hello_parse(span_make(data + start, h.bytes - start), scratch, &again, &why) == PARSE_DONE);
	assert(again.bytes == h.bytes - start && again.sni_n == h.sni_n);
	return 0;
}
