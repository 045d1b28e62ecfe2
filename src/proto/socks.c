/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/socks.h"

#include <stdio.h>

enum { SOCKS_CONNECT = 1, ATYP_V4 = 1, ATYP_NAME = 3, ATYP_V6 = 4, USER_ID_MAX_BYTES = 255 };

enum parse socks_greeting_parse(struct span in, struct socks_greeting *out)
{
	struct cursor c = {.left = in};
	uint8_t version = take_u8(&c);
	uint8_t n_methods = take_u8(&c);

	if (in.n && version != SOCKS_5)
		return PARSE_BAD;
	if (in.n >= 2 && n_methods == 0)
		return PARSE_BAD;
	struct span methods = take(&c, n_methods);
	if (c.ran_out)
		return PARSE_MORE;
	*out = (struct socks_greeting){.bytes = in.n - c.left.n,
				       .has_no_auth = memchr(methods.p, 0, methods.n) != NULL};
	return PARSE_DONE;
}

static void print_v4(struct span bytes, char out[46])
{
	(void)snprintf(out, 46, "%u.%u.%u.%u", bytes.p[0], bytes.p[1], bytes.p[2],
		       bytes.p[3]); /* 15 bytes at most */
}

/* The long form of RFC 4291 2.2; whoever judges the address reads it back. */
static void print_v6(struct span bytes, char out[46])
{
	size_t used = 0;
	for (size_t i = 0; i < 16; i += 2)
		used += (size_t)snprintf(out + used, 46 - used, "%s%x", i ? ":" : "",
					 (unsigned)(bytes.p[i] << 8 | bytes.p[i + 1]));
}

enum parse socks5_request_parse(struct span in, struct socks_request *out)
{
	struct cursor c = {.left = in};
	uint8_t version = take_u8(&c);
	uint8_t command = take_u8(&c);
	uint8_t reserved = take_u8(&c);
	uint8_t type = take_u8(&c);

	if ((in.n > 0 && version != SOCKS_5) || (in.n > 2 && reserved != 0))
		return PARSE_BAD;
	if (c.ran_out)
		return PARSE_MORE;
	if (type != ATYP_V4 && type != ATYP_NAME && type != ATYP_V6) {
		/* Its length is unknown: refused without reading on, and the connection ends. */
		*out = (struct socks_request){
			.bytes = in.n, .version = SOCKS_5, .refuse = SOCKS_BAD_ADDRESS_TYPE};
		return PARSE_DONE;
	}
	size_t n = type == ATYP_V4 ? 4 : type == ATYP_V6 ? 16 : take_u8(&c);
	if (type == ATYP_NAME && !c.ran_out && n == 0)
		return PARSE_BAD;
	struct span host = take(&c, n);
	uint16_t port = take_u16(&c);
	if (type == ATYP_NAME && host.n && memchr(host.p, 0, host.n))
		return PARSE_BAD;
	if (c.ran_out)
		return PARSE_MORE;
	if (port == 0 && command == SOCKS_CONNECT)
		return PARSE_BAD;
	*out = (struct socks_request){
		.bytes = in.n - c.left.n, .version = SOCKS_5, .host = host, .port = port};
	if (type != ATYP_NAME) {
		(type == ATYP_V4 ? print_v4 : print_v6)(host, out->literal);
		out->host = span_of(out->literal);
	}
	if (command != SOCKS_CONNECT)
		out->refuse = SOCKS_BAD_COMMAND;
	return PARSE_DONE;
}

/* Bytes up to a NUL, which is taken and not part of @out. BAD when there are more than @max. */
static enum parse take_string(struct cursor *c, size_t max, struct span *out)
{
	const uint8_t *end = c->left.n ? memchr(c->left.p, 0, c->left.n) : NULL;
	if (!end)
		return c->left.n > max ? PARSE_BAD : PARSE_MORE;
	size_t n = (size_t)(end - c->left.p);
	if (n > max)
		return PARSE_BAD;
	*out = take(c, n);
	(void)take_u8(c); /* the NUL */
	return PARSE_DONE;
}

enum parse socks4_request_parse(struct span in, struct socks_request *out)
{
	struct cursor c = {.left = in};
	uint8_t version = take_u8(&c);
	uint8_t command = take_u8(&c);
	uint16_t port = take_u16(&c);
	struct span address = take(&c, 4);
	struct span user, name = {0};

	if (in.n > 0 && version != SOCKS_4A)
		return PARSE_BAD;
	if (c.ran_out)
		return PARSE_MORE;
	enum parse got = take_string(&c, USER_ID_MAX_BYTES, &user);
	if (got != PARSE_DONE)
		return got;
	/* 0.0.0.x with x not 0 says that a name follows (4A). */
	bool has_name = !address.p[0] && !address.p[1] && !address.p[2] && address.p[3];
	if (has_name) {
		got = take_string(&c, 255, &name);
		if (got != PARSE_DONE)
			return got;
		if (name.n == 0)
			return PARSE_BAD;
	}
	if (port == 0 && command == SOCKS_CONNECT)
		return PARSE_BAD;
	*out = (struct socks_request){
		.bytes = in.n - c.left.n, .version = SOCKS_4A, .host = name, .port = port};
	if (!has_name) {
		print_v4(address, out->literal);
		out->host = span_of(out->literal);
	}
	if (command != SOCKS_CONNECT)
		out->refuse = SOCKS_BAD_COMMAND;
	return PARSE_DONE;
}

size_t socks_reply_write(enum socks_version version, enum socks_reply reply,
			 uint8_t out[SOCKS_REPLY_MAX_BYTES])
{
	memset(out, 0, SOCKS_REPLY_MAX_BYTES);
	if (version == SOCKS_4A) {
		out[1] = reply == SOCKS_GRANTED ? 90 : 91;
		return 8;
	}
	out[0] = SOCKS_5;
	out[1] = (uint8_t)reply;
	out[3] = ATYP_V4;
	return 10;
}
