/* SPDX-License-Identifier: Apache-2.0 */
/* net/name.h - a host name in canonical form */
#pragma once
#include "base/span.h"

enum { NAME_MAX_BYTES = 253, NAME_LABEL_MAX_BYTES = 63 };

/**
 * struct name - a canonical host name: lower case, labels of letters, digits, hyphens (and '_'),
 * no trailing dot, NUL-terminated, never an IP address
 */
struct name {
	uint8_t n; /* 1 to NAME_MAX_BYTES */
	char text[NAME_MAX_BYTES + 2];
};

enum name_kind {
	NAME_IS_HOST,	 /* a host name; written to the out argument */
	NAME_IS_ADDRESS, /* some spelling of an IP address: see addr_parse_any() */
	NAME_IS_BAD,	 /* neither */
};

/**
 * name_parse() - read a host name as it came from a client, a rule or a packet
 * @in:		whole input; no port, no userinfo
 * @out:	written on NAME_IS_HOST only
 *
 * Lower-cases ASCII and drops one trailing dot. Refuses: empty input and labels, a label over 63
 * bytes, over 253 in all, a hyphen at a label's end, any byte but a-z 0-9 - _ and dot (so NUL, space,
 * '%', '@', non-ASCII: international names come as A-labels). What a URL parser would read as an
 * IPv4 address (decimal, octal, hex, short forms: a last label that is all digits or 0x...) and
 * anything in brackets or with a colon is NAME_IS_ADDRESS when it is one, else NAME_IS_BAD.
 *
 * Pure. Source: RFC 1123 section 2.1, RFC 5890, WHATWG URL "ends in a number checker".
 */
enum name_kind name_parse(struct span in, struct name *out);

/** name_is_below() - true when @name ends in "." + @parent, both canonical */
bool name_is_below(const struct name *name, const struct name *parent);
