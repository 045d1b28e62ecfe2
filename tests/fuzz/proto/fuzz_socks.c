/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts lie inside the input or in the struct itself, and are never empty. */
#include "proto/socks.h"

#include <assert.h>

static void check(const struct socks_request *r, const uint8_t *data, size_t size)
{
	assert(r->bytes <= size);
	if (r->refuse != SOCKS_GRANTED)
		return;
	assert(r->port && r->host.n);
	assert((r->host.p >= data && r->host.p + r->host.n <= data + size) || (const char *)r->host.p == r->literal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct socks_greeting g;
	struct socks_request r;

	if (socks_greeting_parse(span_make(data, size), &g) == PARSE_DONE)
		assert(g.bytes <= size);
	if (socks5_request_parse(span_make(data, size), &r) == PARSE_DONE)
		check(&r, data, size);
	if (socks4_request_parse(span_make(data, size), &r) == PARSE_DONE)
		check(&r, data, size);
	return 0;
}
