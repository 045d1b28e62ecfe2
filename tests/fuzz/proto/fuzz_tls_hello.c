/* SPDX-License-Identifier: Apache-2.0 */
/* A hello lies inside the input, and reads the same without what follows it. */
#include "proto/tls_hello.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t scratch[TLS_HELLO_MAX_BYTES];
	struct tls_hello h, again;
	const char *why = NULL;

	enum parse got = tls_hello_parse(span_make(data, size), scratch, &h, &why);
	if (got == PARSE_BAD)
		assert(why);
	if (got != PARSE_DONE)
		return 0;
	assert(h.bytes <= size && (h.has_sni ? h.sni_n > 0 : h.sni_n == 0));
	assert(tls_hello_parse(span_make(data, h.bytes), scratch, &again, &why) == PARSE_DONE);
	assert(again.bytes == h.bytes && again.has_sni == h.has_sni && again.has_ech == h.has_ech);
	assert(tls_hello_parse(span_make(data, h.bytes - 1), scratch, &again, &why) == PARSE_MORE);
	return 0;
}
