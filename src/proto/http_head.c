/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One strict reading. Where RFC 9112 lets a recipient repair a message (bare LF, folded lines, a second
 * equal Content-Length ...), this reader refuses: the server behind might repair it in another way.
 */
#include "proto/http_head.h"

enum { METHOD_MAX_BYTES = 32, DEFAULT_PORT = 80 };

static enum parse bad(const char **why, const char *text)
{
	*why = text;
	return PARSE_BAD;
}

/* RFC 9110 5.6.2 */
static bool is_tchar(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_tchar(s.p[i]))
			return false;
	return s.n > 0;
}

/* field-value and reason-phrase: visible, blank or obs-text (RFC 9110 5.5) */
static bool is_field_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return true;
}

/* The next line without its CRLF. MORE when it is not whole; BAD on a bare CR or LF or a control byte. */
static enum parse take_line(struct span *left, struct span *out)
{
	for (size_t i = 0; i < left->n; i++) {
		uint8_t c = left->p[i];
		if (c == '\r') {
			if (i + 1 == left->n)
				return PARSE_MORE;
			if (left->p[i + 1] != '\n')
				return PARSE_BAD;
			*out = span_make(left->p, i);
			left->p += i + 2;
			left->n -= i + 2;
			return PARSE_DONE;
		}
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return PARSE_BAD;
	}
	return PARSE_MORE;
}

static bool take_decimal(struct span s, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	if (s.n == 0 || s.n > 18)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(s.p[i] - '0');
	}
	*out = value;
	return value <= max;
}

struct authority {
	struct span host;
	bool is_bracketed;
	uint16_t port; /* 0 when not written */
};

/* 1 to 65535, written without leading zeros: some read those as octal, and longer ones modulo 65536. */
static bool take_port(struct span s, uint16_t *out)
{
	uint64_t port;
	if (s.n == 0 || s.n > 5 || s.p[0] == '0' || !take_decimal(s, 65535, &port))
		return false;
	*out = (uint16_t)port;
	return true;
}

/* host[:port], without userinfo */
static bool parse_authority(struct span s, struct authority *out)
{
	struct authority a = {0};
	size_t host_n;

	if (s.n == 0)
		return false;
	if (s.p[0] == '[') {
		const uint8_t *end = memchr(s.p, ']', s.n);
		if (!end)
			return false;
		a.is_bracketed = true;
		a.host = span_make(s.p + 1, (size_t)(end - s.p) - 1);
		host_n = (size_t)(end - s.p) + 1;
	} else {
		const uint8_t *colon = memchr(s.p, ':', s.n);
		host_n = colon ? (size_t)(colon - s.p) : s.n;
		a.host = span_make(s.p, host_n);
	}
	if (a.host.n == 0)
		return false;
	for (size_t i = 0; i < a.host.n; i++) {
		uint8_t c = a.host.p[i];
		/* What a host may be is judged later; here only what could move its end. */
		if (c <= ' ' || c >= 0x7f || strchr("@/?#\\[]<>\"^`{|}", c) || (c == ':' && !a.is_bracketed))
			return false;
	}
	if (host_n < s.n && (s.p[host_n] != ':' ||
			     !take_port(span_make(s.p + host_n + 1, s.n - host_n - 1), &a.port)))
		return false;
	*out = a;
	return true;
}

static uint16_t port_or_default(uint16_t port)
{
	return port ? port : DEFAULT_PORT;
}

static bool same_host(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		uint8_t x = a.p[i], y = b.p[i];
		x = x >= 'A' && x <= 'Z' ? (uint8_t)(x | 0x20) : x;
		y = y >= 'A' && y <= 'Z' ? (uint8_t)(y | 0x20) : y;
		if (x != y)
			return false;
	}
	return true;
}

/* A path and query: visible ASCII, no fragment. */
static bool is_path(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '#')
			return false;
	return true;
}

static enum parse parse_absolute(struct http_head *h, const char **why)
{
	static const char scheme[] = "http://";
	size_t n = sizeof(scheme) - 1;

	if (h->target.n <= n || !span_is_nocase(span_make(h->target.p, n), scheme))
		return bad(why, "a request target of another scheme than http");
	struct span rest = span_make(h->target.p + n, h->target.n - n);
	size_t end = 0;
	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
		end++;
	struct authority a;
	if (!parse_authority(span_make(rest.p, end), &a))
		return bad(why, "an authority that is not host[:port]");
	h->form = HTTP_ABSOLUTE;
	h->host = a.host;
	h->host_is_bracketed = a.is_bracketed;
	h->port = a.port;
	h->path = end < rest.n ? span_make(rest.p + end, rest.n - end)
			       : span_of(span_is(h->method, "OPTIONS") ? "*" : "/"); /* RFC 9112 3.2.4 */
	if (h->path.p[0] == '?')
		return bad(why, "a query without a path");
	return PARSE_DONE;
}

static enum parse parse_target(struct http_head *h, const char **why)
{
	struct span t = h->target;

	if (!is_path(t))
		return bad(why, "a request target with a fragment or a byte that is not visible ASCII");
	if (span_is(h->method, "CONNECT")) {
		struct authority a;
		if (!parse_authority(t, &a) || a.port == 0)
			return bad(why, "a CONNECT target that is not host:port");
		h->form = HTTP_AUTHORITY;
		h->host = a.host;
		h->host_is_bracketed = a.is_bracketed;
		h->port = a.port;
		h->path = (struct span){0};
		return PARSE_DONE;
	}
	if (t.p[0] == '/') {
		h->form = HTTP_ORIGIN;
		h->path = t;
		return PARSE_DONE;
	}
	if (span_is(t, "*")) {
		if (!span_is(h->method, "OPTIONS"))
			return bad(why, "'*' belongs to OPTIONS");
		h->form = HTTP_ASTERISK;
		h->path = t;
		return PARSE_DONE;
	}
	return parse_absolute(h, why);
}

/* HTTP/1.x, x being 0 or 1 */
static bool parse_version(struct span s, uint8_t *out_minor)
{
	if (s.n != 8 || memcmp(s.p, "HTTP/1.", 7) != 0 || (s.p[7] != '0' && s.p[7] != '1'))
		return false;
	*out_minor = (uint8_t)(s.p[7] - '0');
	return true;
}

static enum parse parse_request_line(struct span line, struct http_head *h, const char **why)
{
	const uint8_t *first = line.n ? memchr(line.p, ' ', line.n) : NULL;
	if (!first)
		return bad(why, "a request line without a target");
	h->method = span_make(line.p, (size_t)(first - line.p));
	size_t used = h->method.n + 1;
	const uint8_t *second = memchr(line.p + used, ' ', line.n - used);
	if (!second)
		return bad(why, "a request line without a version");
	h->target = span_make(line.p + used, (size_t)(second - line.p) - used);
	used += h->target.n + 1;
	if (!is_token(h->method) || h->method.n > METHOD_MAX_BYTES)
		return bad(why, "a method that is no token");
	if (!parse_version(span_make(line.p + used, line.n - used), &h->minor))
		return bad(why, span_is(h->method, "PRI") ? "HTTP/2 with prior knowledge"
							  : "no HTTP/1.0 or HTTP/1.1");
	if (h->target.n == 0)
		return bad(why, "an empty request target");
	return parse_target(h, why);
}

static enum parse parse_status_line(struct span line, struct http_head *h, const char **why)
{
	uint64_t status;
	if (line.n < 12 || !parse_version(span_make(line.p, 8), &h->minor) || line.p[8] != ' ' ||
	    !take_decimal(span_make(line.p + 9, 3), 999, &status) || status < 100 ||
	    (line.n > 12 && line.p[12] != ' '))
		return bad(why, "a status line that is not HTTP/1.x NNN");
	h->status = (uint16_t)status;
	h->reason = line.n > 13 ? span_make(line.p + 13, line.n - 13) : (struct span){0};
	return is_field_text(h->reason) ? PARSE_DONE : bad(why, "a control byte in the reason phrase");
}

static enum parse parse_field(struct span line, struct http_head *h, const char **why)
{
	const uint8_t *colon = memchr(line.p, ':', line.n);

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return bad(why, "a folded line");
	if (!colon)
		return bad(why, "a field without a colon");
	struct http_field f = {.name = span_make(line.p, (size_t)(colon - line.p))};
	f.value = span_trim(span_make(colon + 1, line.n - f.name.n - 1));
	if (!is_token(f.name))
		return bad(why, "a field name that is no token (a space before the colon?)");
	if (!is_field_text(f.value))
		return bad(why, "a control byte in a field");
	if (h->n_fields == HTTP_MAX_FIELDS)
		return bad(why, "more than 128 fields");
	h->fields[h->n_fields++] = f;
	return PARSE_DONE;
}

static enum parse parse_lines(struct span in, bool is_request, struct http_head *h, const char **why)
{
	struct span left = in, line;
	bool has_start = false;

	if (left.n > HTTP_HEAD_MAX_BYTES)
		left.n = HTTP_HEAD_MAX_BYTES;
	for (;;) {
		enum parse got = take_line(&left, &line);
		if (got == PARSE_MORE && in.n >= HTTP_HEAD_MAX_BYTES)
			return bad(why, "a head longer than 64 KiB");
		if (got == PARSE_BAD)
			return bad(why, "a bare CR or LF, or a control byte, in the head");
		if (got == PARSE_MORE)
			return got;
		if (!has_start) {
			got = is_request ? parse_request_line(line, h, why)
					 : parse_status_line(line, h, why);
			has_start = true;
		} else if (line.n) {
			got = parse_field(line, h, why);
		} else {
			h->head_bytes = (size_t)(left.p - in.p);
			return PARSE_DONE;
		}
		if (got != PARSE_DONE)
			return got;
	}
}

const struct http_field *http_field_find(const struct http_head *head, const char *name)
{
	for (size_t i = 0; i < head->n_fields; i++)
		if (span_is_nocase(head->fields[i].name, name))
			return &head->fields[i];
	return NULL;
}

/* The next element of a comma-separated list; false at its end. */
static bool take_element(struct span *left, struct span *out)
{
	while (left->n) {
		const uint8_t *comma = memchr(left->p, ',', left->n);
		size_t n = comma ? (size_t)(comma - left->p) : left->n;
		*out = span_trim(span_make(left->p, n));
		left->p += n + (comma != NULL);
		left->n -= n + (comma != NULL);
		if (out->n)
			return true;
	}
	return false;
}

static bool list_has(const struct http_head *head, const char *field, const char *element)
{
	for (size_t i = 0; i < head->n_fields; i++) {
		struct span left = head->fields[i].value, item;
		if (!span_is_nocase(head->fields[i].name, field))
			continue;
		while (take_element(&left, &item))
			if (span_is_nocase(item, element))
				return true;
	}
	return false;
}

bool http_is_hop_by_hop(const struct http_head *head, struct span name)
{
	static const char *const fixed[] = {"connection", "proxy-connection", "keep-alive", "te",
					    "transfer-encoding", "upgrade", "proxy-authorization",
					    "proxy-authenticate", "proxy-authentication-info"};
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (span_is_nocase(name, fixed[i]))
			return true;
	for (size_t i = 0; i < head->n_fields; i++) {
		struct span left = head->fields[i].value, item;
		if (!span_is_nocase(head->fields[i].name, "connection"))
			continue;
		while (take_element(&left, &item))
			if (same_host(item, name))
				return true;
	}
	return false;
}

/* Gateways that hand fields on as variables take these for the same as the names with a hyphen. */
static bool is_framing_in_disguise(struct span name)
{
	return span_is_nocase(name, "content_length") || span_is_nocase(name, "transfer_encoding");
}

/* Content-Length and Transfer-Encoding, each at most once and never both (RFC 9112 6.1 to 6.3). */
static enum parse read_framing(struct http_head *h, const char **why)
{
	const struct http_field *length = NULL, *coding = NULL;

	for (size_t i = 0; i < h->n_fields; i++) {
		bool is_length = span_is_nocase(h->fields[i].name, "content-length");
		bool is_coding = span_is_nocase(h->fields[i].name, "transfer-encoding");
		if ((is_length && length) || (is_coding && coding))
			return bad(why, "a framing field stands twice");
		if (is_framing_in_disguise(h->fields[i].name))
			return bad(why, "a framing field with an underscore");
		length = is_length ? &h->fields[i] : length;
		coding = is_coding ? &h->fields[i] : coding;
	}
	if (length && coding)
		return bad(why, "both Content-Length and Transfer-Encoding");
	if (coding) {
		if (!span_is_nocase(coding->value, "chunked"))
			return bad(why, "a transfer coding other than chunked");
		if (h->minor == 0)
			return bad(why, "a transfer coding on HTTP/1.0");
		h->framing = HTTP_CHUNKED;
	} else if (length) {
		if (!take_decimal(length->value, UINT64_MAX, &h->length))
			return bad(why, "a Content-Length that is no plain number");
		h->framing = HTTP_LENGTH;
	}
	return PARSE_DONE;
}

static void read_connection(struct http_head *h)
{
	bool closes = list_has(h, "connection", "close") || list_has(h, "proxy-connection", "close");
	h->keeps_alive = !closes && (h->minor == 1 || list_has(h, "connection", "keep-alive"));
	h->wants_upgrade = h->minor == 1 && list_has(h, "connection", "upgrade") &&
			   http_field_find(h, "upgrade") != NULL;
}

static enum parse read_host(struct http_head *h, const char **why)
{
	const struct http_field *host = NULL;
	for (size_t i = 0; i < h->n_fields; i++) {
		if (!span_is_nocase(h->fields[i].name, "host"))
			continue;
		if (host)
			return bad(why, "several Host fields");
		host = &h->fields[i];
	}
	if (!host)
		return h->minor == 0 ? PARSE_DONE : bad(why, "no Host field");
	struct authority a;
	if (!parse_authority(host->value, &a))
		return bad(why, "a Host field that is not host[:port]");
	h->field_host = a.host;
	h->field_host_port = a.port;
	switch (h->form) {
	case HTTP_ORIGIN:
	case HTTP_ASTERISK:
		h->host = a.host;
		h->host_is_bracketed = a.is_bracketed;
		h->port = a.port;
		break;
	case HTTP_ABSOLUTE:
		if (!same_host(a.host, h->host) || a.is_bracketed != h->host_is_bracketed ||
		    port_or_default(a.port) != port_or_default(h->port))
			return bad(why, "a Host field that differs from the request target");
		break;
	case HTTP_AUTHORITY:
		/* Clients leave the port out, or write it: either way the host must be the target's. */
		if (!same_host(a.host, h->host) || a.is_bracketed != h->host_is_bracketed ||
		    (a.port && a.port != h->port))
			return bad(why, "a Host field that differs from the request target");
		break;
	}
	return PARSE_DONE;
}

enum parse http_request_parse(struct span in, struct http_head *out, const char **why)
{
	struct http_head h = {.is_request = true};
	enum parse got = parse_lines(in, true, &h, why);

	if (got == PARSE_DONE)
		got = read_framing(&h, why);
	if (got == PARSE_DONE)
		got = read_host(&h, why);
	if (got != PARSE_DONE)
		return got;
	if (h.form == HTTP_AUTHORITY && (h.framing == HTTP_CHUNKED || h.length != 0))
		return bad(why, "a CONNECT with a body");
	read_connection(&h);
	for (size_t i = 0; i < h.n_fields; i++) {
		if (!span_is_nocase(h.fields[i].name, "expect"))
			continue;
		if (!span_is_nocase(h.fields[i].value, "100-continue"))
			return bad(why, "an expectation other than 100-continue");
		h.expects_continue = h.minor == 1;
	}
	*out = h;
	return PARSE_DONE;
}

enum parse http_response_parse(struct span in, bool to_head, struct http_head *out,
			       const char **why)
{
	struct http_head h = {0};
	enum parse got = parse_lines(in, false, &h, why);

	if (got == PARSE_DONE)
		got = read_framing(&h, why);
	if (got != PARSE_DONE)
		return got;
	read_connection(&h);
	if (to_head || h.status < 200 || h.status == 204 || h.status == 304) {
		if (h.status < 200 && h.framing != HTTP_NO_BODY)
			return bad(why, "an interim response with a body");
		h.framing = HTTP_NO_BODY;
	} else if (h.framing == HTTP_NO_BODY) {
		h.framing = HTTP_UNTIL_CLOSE;
		h.keeps_alive = false;
	}
	*out = h;
	return PARSE_DONE;
}
