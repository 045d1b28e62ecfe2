/* SPDX-License-Identifier: Apache-2.0 */
/* proto/socks.h - what a SOCKS client says before its bytes are relayed */
#pragma once
#include "base/span.h"

enum { SOCKS_MAX_BYTES = 1024 };

enum socks_version { SOCKS_4A = 4, SOCKS_5 = 5 };

/** enum socks_reply - how a request ended, in words of RFC 1928 section 6 */
enum socks_reply {
	SOCKS_GRANTED = 0,
	SOCKS_FAILED = 1,
	SOCKS_NOT_ALLOWED = 2,
	SOCKS_UNREACHABLE = 4,
	SOCKS_BAD_COMMAND = 7,
	SOCKS_BAD_ADDRESS_TYPE = 8,
};

/**
 * struct socks_greeting - a SOCKS5 client's list of methods
 * @bytes:	of the input
 * @has_no_auth: method 0 ("no authentication required") is offered, the only one that is taken
 */
struct socks_greeting {
	size_t bytes;
	bool has_no_auth;
};

/**
 * struct socks_request - where the client wants to go
 * @bytes:	of the input
 * @refuse:	SOCKS_GRANTED, or why no policy is asked: BIND, UDP ASSOCIATE, an unknown address type
 * @host:	a name, or an address in text form: into the input, or into @literal
 * @port:	host byte order; never 0 when @refuse is SOCKS_GRANTED
 */
struct socks_request {
	size_t bytes;
	enum socks_version version;
	enum socks_reply refuse;
	struct span host;
	uint16_t port;
	char literal[46];
};

/**
 * socks_greeting_parse() - read the first message of SOCKS5
 * socks5_request_parse() - read its second message, the request
 * socks4_request_parse() - read a SOCKS4 or SOCKS4a request
 * @in:		bytes from the start of that message; may stop anywhere
 *
 * Strict: reserved bytes are zero, a name is neither empty nor holds a NUL, and a SOCKS4 user id is at most
 * 255 bytes long. Pure; @out is written on PARSE_DONE only. Its host may point into @out itself, so @out is
 * not to be copied.
 * Source: RFC 1928 sections 3, 4; "SOCKS 4A: A Simple Extension to SOCKS 4 Protocol".
 *
 * Return: PARSE_DONE; PARSE_MORE, when longer input may succeed; PARSE_BAD, when none can.
 */
enum parse socks_greeting_parse(struct span in, struct socks_greeting *out);
enum parse socks5_request_parse(struct span in, struct socks_request *out);
enum parse socks4_request_parse(struct span in, struct socks_request *out);

enum { SOCKS_REPLY_MAX_BYTES = 10 };
/** socks_reply_write() - the answer to a request; returns the bytes written */
size_t socks_reply_write(enum socks_version version, enum socks_reply reply,
			 uint8_t out[SOCKS_REPLY_MAX_BYTES]);
