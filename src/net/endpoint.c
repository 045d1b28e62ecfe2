/* SPDX-License-Identifier: Apache-2.0 */
#include "net/endpoint.h"

#include <stdio.h>

static bool parse_port(struct span in, uint16_t *out)
{
	uint32_t port = 0;

	if (in.n == 0 || in.n > 5 || (in.n > 1 && in.p[0] == '0'))
		return false;
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] < '0' || in.p[i] > '9')
			return false;
		port = port * 10 + (uint32_t)(in.p[i] - '0');
	}
	if (port > UINT16_MAX)
		return false;
	*out = (uint16_t)port;
	return true;
}

bool endpoint_parse(struct span in, struct endpoint *out)
{
	struct endpoint e;
	size_t colon = in.n;

	while (colon && in.p[colon - 1] != ':')
		colon--;
	if (colon < 2 || !parse_port(span_make(in.p + colon, in.n - colon), &e.port))
		return false;
	struct span host = span_make(in.p, colon - 1);
	bool is_bracketed = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	if (is_bracketed)
		host = span_make(host.p + 1, host.n - 2);
	bool has_colon = host.n && memchr(host.p, ':', host.n);
	if (has_colon != is_bracketed || !addr_parse(host, &e.at))
		return false;
	*out = e;
	return true;
}

void endpoint_print(const struct endpoint *e, char out[ENDPOINT_TEXT_BYTES])
{
	char address[ADDR_TEXT_BYTES];

	addr_print(&e->at, address);
	(void)snprintf(out, ENDPOINT_TEXT_BYTES, e->at.is_v6 ? "[%s]:%u" : "%s:%u", address,
		       (unsigned)e->port); /* fits */
}
