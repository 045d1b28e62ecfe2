/* SPDX-License-Identifier: Apache-2.0 */
/* proto/http_head.h - the head of one HTTP/1.x request or response */
#pragma once
#include "base/span.h"

enum { HTTP_HEAD_MAX_BYTES = 65536, HTTP_MAX_FIELDS = 128 };

struct http_field {
	struct span name;  /* as received; tchar only */
	struct span value; /* trimmed; VCHAR, SP, HTAB, obs-text */
};

enum http_form {
	HTTP_ORIGIN,	/* /path */
	HTTP_ABSOLUTE,	/* http://host[:port]/path */
	HTTP_AUTHORITY, /* host:port, CONNECT only */
	HTTP_ASTERISK,	/* *, OPTIONS only */
};

/** enum http_framing - how the body's end is known (RFC 9112 section 6.3) */
enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED, HTTP_UNTIL_CLOSE };

/**
 * struct http_head - spans point into the input
 * @is_request: request or response
 * @minor:	HTTP/1.minor: 0 or 1
 * @head_bytes: start line, fields and the empty line
 * @host:	absolute and authority form: the URI's host without brackets; else the Host field's host
 * @host_is_bracketed: the host was an [IPv6] literal
 * @port:	0 when none was written
 * @path:	what to send in origin form: path and query; "/" when an absolute URI has none, "*" with OPTIONS
 */
struct http_head {
	bool is_request;
	uint8_t minor;
	size_t head_bytes;
	struct span method;
	enum http_form form;
	struct span target; /* as received */
	struct span host;
	bool host_is_bracketed;
	uint16_t port;
	struct span path;
	struct span field_host; /* the Host field's host, empty when there is none */
	uint16_t field_host_port;
	uint16_t status; /* responses */
	struct span reason;
	enum http_framing framing;
	uint64_t length;       /* HTTP_LENGTH */
	bool keeps_alive;      /* by version and Connection */
	bool wants_upgrade;    /* Connection: upgrade with an Upgrade field */
	bool expects_continue; /* Expect: 100-continue */
	size_t n_fields;
	struct http_field fields[HTTP_MAX_FIELDS];
};

/**
 * http_request_parse() / http_response_parse() - read one head
 * @in:		bytes of the connection from the start of the message; may stop anywhere
 *
 * Strict: what RFC 9112 says to reject, or lets a recipient repair, is PARSE_BAD: bare CR or LF,
 * obs-fold, space before a colon, space around the target, both Transfer-Encoding and Content-Length,
 * differing or malformed Content-Length, a transfer coding other than exactly "chunked" (or on HTTP/1.0),
 * the same two names with an underscore, no or several Host fields on 1.1, a Host that differs from the URI's
 * authority, userinfo in a URI, a port with leading zeros, a CONNECT with a body (Content-Length: 0 is none), unknown expectations,
 * any scheme but http in absolute form, h2c prior knowledge ("PRI * HTTP/2.0"), NUL, control bytes.
 * One empty line (CRLF) before a request line is not skipped but bad.
 * A response: @to_head says that it answers HEAD, since that decides framing (RFC 9112 6.3).
 *
 * Return: PARSE_DONE, PARSE_MORE, PARSE_BAD; @out written on DONE only; @why names the flaw on BAD.
 */
enum parse http_request_parse(struct span in, struct http_head *out, const char **why);
enum parse http_response_parse(struct span in, bool to_head, struct http_head *out,
			       const char **why);

/** http_is_hop_by_hop() - fields a proxy must not forward (RFC 9110 7.6.1), Connection's own list included */
bool http_is_hop_by_hop(const struct http_head *head, struct span name);

/** http_field_find() - the first field called @name, or NULL */
const struct http_field *http_field_find(const struct http_head *head, const char *name);
