/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/worker/http_rewrite.h"

#include <inttypes.h>

enum { DEFAULT_PORT = 80, STATUS_SWITCHING = 101, STATUS_NO_CONTENT = 204 };

static void put(struct buf *out, struct span s)
{
	buf_put(out, s.p, s.n);
}

static void put_text(struct buf *out, const char *text)
{
	put(out, span_of(text));
}

static bool starts_nocase(struct span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && span_is_nocase(span_make(s.p, n), prefix);
}

static bool is_written_by_us(struct span name)
{
	return span_is_nocase(name, "host") || span_is_nocase(name, "content-length") ||
	       span_is_nocase(name, "transfer-encoding");
}

static void put_fields(const struct http_head *head, struct buf *out)
{
	for (size_t i = 0; i < head->n_fields; i++) {
		const struct http_field *f = &head->fields[i];
		if (is_written_by_us(f->name) || starts_nocase(f->name, "proxy-") ||
		    http_is_hop_by_hop(head, f->name))
			continue;
		put(out, f->name);
		put_text(out, ": ");
		put(out, f->value);
		put_text(out, "\r\n");
	}
}

static void put_framing(const struct http_head *head, struct buf *out)
{
	if (head->framing == HTTP_LENGTH)
		buf_putf(out, "Content-Length: %" PRIu64 "\r\n", head->length);
	else if (head->framing == HTTP_CHUNKED)
		put_text(out, "Transfer-Encoding: chunked\r\n");
}

static void put_upgrade(const struct http_head *head, struct buf *out)
{
	put_text(out, "Connection: Upgrade\r\nUpgrade: ");
	put(out, http_field_find(head, "upgrade")->value);
	put_text(out, "\r\n");
}

bool http_rewrite_upgrades(const struct http_head *head)
{
	size_t n = 0;

	for (size_t i = 0; i < head->n_fields; i++)
		n += span_is_nocase(head->fields[i].name, "upgrade");
	return head->wants_upgrade && n == 1 &&
	       span_is_nocase(http_field_find(head, "upgrade")->value, "websocket");
}

bool http_rewrite_request(const struct http_head *head, struct span host, uint16_t port,
			  struct buf *out)
{
	bool is_v6 = memchr(host.p, ':', host.n) != NULL;

	put(out, head->method);
	put_text(out, " ");
	put(out, head->path);
	buf_putf(out, " HTTP/1.%u\r\nHost: %s", head->minor, is_v6 ? "[" : "");
	put(out, host);
	put_text(out, is_v6 ? "]" : "");
	if (port != DEFAULT_PORT)
		buf_putf(out, ":%u", port);
	put_text(out, "\r\n");
	put_fields(head, out);
	put_framing(head, out);
	if (http_rewrite_upgrades(head))
		put_upgrade(head, out);
	else if (head->minor == 0 && head->keeps_alive)
		put_text(out, "Connection: keep-alive\r\n");
	put_text(out, "\r\n");
	return !out->is_cut;
}

bool http_rewrite_response(const struct http_head *head, uint8_t to_minor, bool closes,
			   struct buf *out)
{
	bool is_interim = head->status < 200;

	buf_putf(out, "HTTP/1.1 %03u ", head->status);
	put(out, head->reason);
	put_text(out, "\r\n");
	put_fields(head, out);
	put_framing(head, out);
	/* to HEAD and in a 304 it says how long the body would be */
	if (head->framing == HTTP_NO_BODY && !is_interim && head->status != STATUS_NO_CONTENT &&
	    http_field_find(head, "content-length"))
		buf_putf(out, "Content-Length: %" PRIu64 "\r\n", head->length);
	if (head->status == STATUS_SWITCHING && http_field_find(head, "upgrade"))
		put_upgrade(head, out);
	else if (!is_interim && closes)
		put_text(out, "Connection: close\r\n");
	else if (!is_interim && to_minor == 0)
		put_text(out, "Connection: keep-alive\r\n");
	put_text(out, "\r\n");
	return !out->is_cut;
}
