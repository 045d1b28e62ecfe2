/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http_body.h"

enum {
	LINE_MAX_BYTES = 4096,
	TRAILERS_MAX_BYTES = 16384,
	SIZE_MAX_DIGITS = 15,
};

/* Places within chunked-body (RFC 9112 7.1). */
enum state {
	SIZE_FIRST, /* a hex digit must come */
	SIZE,	    /* hex digits, ';' or CR */
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_FIRST, /* a field, or CR: the end */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
};

void http_body_start(struct http_body *b, const struct http_head *head)
{
	*b = (struct http_body){.framing = head->framing,
				.left = head->framing == HTTP_LENGTH ? head->length : 0,
				.state = SIZE_FIRST,
				.is_over = head->framing == HTTP_NO_BODY ||
					   (head->framing == HTTP_LENGTH && head->length == 0)};
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_visible_or_blank(uint8_t c)
{
	return c == '\t' || (c >= ' ' && c < 0x7f);
}

static bool is_obs_text(uint8_t c)
{
	return c >= 0x80;
}

/*
 * Trailer names that frame, route, modify, authorise or describe a message (RFC 9110 6.5.1): whoever merges trailers
 * into the fields would read another message. '_' was kept as '-': gateways take the two for the same.
 */
static bool is_forbidden_trailer(const struct http_body *b)
{
	static const char *const names[] = {
		/* framing, routing */
		"content-length", "transfer-encoding", "trailer", "te", "host", "connection", "proxy-connection",
		"keep-alive", "upgrade", "via", "forwarded", "x-forwarded-for", "x-forwarded-host",
		/* modifiers: controls and conditions */
		"cache-control", "expect", "max-forwards", "pragma", "range", "if-match", "if-none-match",
		"if-modified-since", "if-unmodified-since", "if-range",
		/* authentication, cookies */
		"authorization", "www-authenticate", "proxy-authorization", "proxy-authenticate", "cookie",
		"set-cookie",
		/* control of the response */
		"age", "date", "expires", "location", "retry-after", "vary", "warning",
		/* processing of the content */
		"content-encoding", "content-type", "content-range"};
	struct span name = {b->name, b->name_n};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_is_nocase(name, names[i]))
			return true;
	return false;
}

static bool is_name_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

/* One byte of chunked framing; false when the grammar has no place for it. */
static bool step_size(struct http_body *b, uint8_t c)
{
	int digit = hex_value(c);
	if (digit >= 0) {
		b->left = b->left << 4 | (uint64_t)digit;
		b->state = SIZE;
		return b->line_bytes <= SIZE_MAX_DIGITS;
	}
	if (b->state == SIZE_FIRST)
		return false;
	if (c == '\r')
		b->state = SIZE_LF;
	else if (c == ';')
		b->state = EXTENSION;
	else
		return false;
	return true;
}

static bool step_trailer(struct http_body *b, uint8_t c)
{
	if (b->state == TRAILER_VALUE) {
		if (c == '\r')
			b->state = TRAILER_LF;
		return c == '\r' || is_visible_or_blank(c) || is_obs_text(c);
	}
	if (b->state == TRAILER_FIRST && c == '\r') {
		b->state = LAST_LF;
		return true;
	}
	if (c == ':' && b->state == TRAILER_NAME) {
		b->state = TRAILER_VALUE;
		return !is_forbidden_trailer(b);
	}
	if (!is_name_byte(c))
		return false;
	if (b->state == TRAILER_FIRST)
		b->name_n = 0;
	if (b->name_n < sizeof(b->name))
		b->name[b->name_n++] = c == '_' ? '-' : c;
	b->state = TRAILER_NAME;
	return true;
}

static bool step(struct http_body *b, uint8_t c)
{
	if (++b->line_bytes > LINE_MAX_BYTES ||
	    (b->state >= TRAILER_FIRST && ++b->trailer_bytes > TRAILERS_MAX_BYTES))
		return false;
	switch ((enum state)b->state) {
	case SIZE_FIRST:
	case SIZE:
		return step_size(b, c);
	case EXTENSION:
		if (c == '\r')
			b->state = SIZE_LF;
		return c == '\r' || is_visible_or_blank(c);
	case SIZE_LF:
		b->state = b->left ? DATA : TRAILER_FIRST;
		b->line_bytes = 0;
		return c == '\n';
	case DATA_CR:
		b->state = DATA_LF;
		return c == '\r';
	case DATA_LF:
		b->state = SIZE_FIRST;
		b->line_bytes = 0;
		return c == '\n';
	case TRAILER_FIRST:
	case TRAILER_NAME:
	case TRAILER_VALUE:
		return step_trailer(b, c);
	case TRAILER_LF:
		b->state = TRAILER_FIRST;
		b->line_bytes = 0;
		return c == '\n';
	case LAST_LF:
		b->is_over = true;
		return c == '\n';
	case DATA:
		break; /* taken in one go by the caller */
	}
	return false;
}

static size_t take_counted(struct http_body *b, size_t n)
{
	size_t used = b->left < n ? (size_t)b->left : n;
	b->left -= used;
	return used;
}

enum parse http_body_feed(struct http_body *b, struct span in, size_t *out_used)
{
	size_t i = 0;

	if (b->framing == HTTP_UNTIL_CLOSE)
		i = in.n;
	if (b->framing == HTTP_LENGTH) {
		i = take_counted(b, in.n);
		b->is_over = b->left == 0;
	}
	while (b->framing == HTTP_CHUNKED && i < in.n && !b->is_over) {
		if (b->state == DATA) {
			i += take_counted(b, in.n - i);
			if (b->left == 0) {
				b->state = DATA_CR;
				b->line_bytes = 0;
			}
			continue;
		}
		if (!step(b, in.p[i]))
			return PARSE_BAD;
		i++;
	}
	*out_used = i;
	return b->is_over ? PARSE_DONE : PARSE_MORE;
}
