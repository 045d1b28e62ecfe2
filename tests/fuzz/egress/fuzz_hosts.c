/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes make a hosts table whose every entry can be found again. */
#include "egress/resolv_conf.h"
#include "egress/resolver/hosts.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hosts h;
	struct endpoint servers[3];

	size_t n_servers = resolv_conf_read(span_make(data, size), servers, 3);
	assert(n_servers >= 1 && n_servers <= 3);
	if (hosts_read(span_make(data, size), &h) < 0)
		return 0;
	for (size_t i = 0; i < h.n && i < 64; i++) {
		const char *text = (const char *)h.names.p + h.entries[i].name_at;
		struct name name;
		struct addr found[32];
		size_t n = hosts_find(&h, text, found, 32);
		bool is_there = n == 32;
		assert(name_parse(span_of(text), &name) == NAME_IS_HOST &&
		       strcmp(name.text, text) == 0);
		for (size_t k = 0; k < n; k++)
			is_there |= addr_equal(&found[k], &h.entries[i].addr);
		assert(is_there);
	}
	hosts_drop(&h);
	return 0;
}
