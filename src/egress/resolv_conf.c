/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/resolv_conf.h"

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The address of one line, if it is a nameserver line with a good one. */
static bool read_line(struct span line, struct addr *out)
{
	static const char word[] = "nameserver";
	size_t n = sizeof(word) - 1;

	if (line.n <= n || memcmp(line.p, word, n) != 0 || !is_blank(line.p[n]))
		return false;
	size_t start = n;
	while (start < line.n && is_blank(line.p[start]))
		start++;
	size_t end = start;
	while (end < line.n && !is_blank(line.p[end]))
		end++;
	return addr_parse(span_make(line.p + start, end - start), out);
}

size_t resolv_conf_read(struct span text, struct endpoint *out, size_t max)
{
	size_t n = 0;

	while (text.n && n < max) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		size_t bytes = end ? (size_t)(end - text.p) : text.n;
		struct endpoint e = {.port = DNS_PORT};
		if (read_line(span_make(text.p, bytes), &e.at))
			out[n++] = e;
		bytes += end != NULL;
		text.p += bytes;
		text.n -= bytes;
	}
	if (!n && max)
		out[n++] = (struct endpoint){.at = {.bytes = {127, 0, 0, 1}}, .port = DNS_PORT};
	return n;
}
