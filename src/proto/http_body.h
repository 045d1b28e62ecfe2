/* SPDX-License-Identifier: Apache-2.0 */
/* proto/http_body.h - follows a message body so that its end is known */
#pragma once
#include "proto/http_head.h"

/** struct http_body - start from http_body_start(); opaque but for is_over */
struct http_body {
	enum http_framing framing;
	uint64_t left;	   /* bytes left in the body or chunk */
	uint8_t state;	   /* place within the chunked grammar */
	uint32_t line_bytes; /* used by the line being read */
	uint32_t trailer_bytes;
	uint8_t name_n; /* of the trailer field being read, its first bytes; longer than any forbidden name */
	uint8_t name[20];
	bool is_over;
};

void http_body_start(struct http_body *b, const struct http_head *head);

/**
 * http_body_feed() - how many of the next bytes belong to this body
 * @out_used:	bytes of @in that are the body's (chunk framing and trailers included), to be forwarded as
 *		they are; b->is_over says whether the body ended there
 *
 * Chunked is read strictly (RFC 9112 7.1): hex size of at most 15 digits, extensions of visible ASCII and
 * blanks right after it, CRLF only, lines up to 4096 bytes and trailers up to 16 KiB, line ends included;
 * trailer fields that RFC 9110 6.5.1 forbids (framing, routing, conditions, authentication, content ...) are bad.
 *
 * Return: PARSE_DONE (over), PARSE_MORE (@in was used whole), PARSE_BAD (@out_used is not written).
 */
enum parse http_body_feed(struct http_body *b, struct span in, size_t *out_used);
