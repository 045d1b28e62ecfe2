/* SPDX-License-Identifier: Apache-2.0 */
/* A question that is read can be answered, and the answer fits. */
#include "proto/dns_msg.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t address[16] = {198, 18, 0, 1};
	struct dns_question q;
	uint8_t out[DNS_REPLY_MAX_BYTES];

	size_t n = dns_error_write(span_make(data, size), DNS_FORMERR, out);
	assert(n == 0 || n == 12);
	if (dns_question_parse(span_make(data, size), &q) != PARSE_DONE)
		return 0;
	assert(q.question.p >= data && q.question.p + q.question.n <= data + size && q.question.n <= 259);
	struct dns_reply replies[] = {
		{.rcode = DNS_NXDOMAIN, .ttl_s = 5, .ede = DNS_EDE_BLOCKED, .ede_text = "not on the allowlist"},
		{.rcode = DNS_NOERROR, .address = address, .address_n = 4, .ttl_s = 60},
		{.rcode = DNS_NOERROR, .address = address, .address_n = 16, .ttl_s = 60},
		{.rcode = DNS_NOERROR, .ttl_s = 60},
	};
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		n = dns_reply_write(&q, &replies[i], out);
		assert(n >= 12 + q.question.n && n <= sizeof(out));
		assert(!memcmp(out + 12, q.question.p, q.question.n));
	}
	return 0;
}
