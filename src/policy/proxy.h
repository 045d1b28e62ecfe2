/* SPDX-License-Identifier: Apache-2.0 */
/* policy/proxy.h - the upstream proxy of a company, through which allowed hosts are reached */
#pragma once
#include "net/addr.h"
#include "net/name.h"
#include "policy/rule.h"

enum { PROXY_MAX_EXCEPT = 64, PROXY_AUTH_BYTES = 344 };

/**
 * struct proxy - from the lines `upstream-proxy http://[USER:PASSWORD@]HOST:PORT` and `no-upstream-proxy NAME,...`
 * @is_set:	there is one
 * @has_address: @address leads to it, else @name
 * @auth:	"USER:PASSWORD" in base64, for Proxy-Authorization; "" for none
 * @except:	names that are reached directly, with all below them
 * @except_all:	'*': every name
 */
struct proxy {
	bool is_set, has_address, except_all;
	struct name name;
	struct addr address;
	uint16_t port;
	char auth[PROXY_AUTH_BYTES];
	struct name except[PROXY_MAX_EXCEPT];
	size_t n_except;
};

/** proxy_is_line() - does the line begin with one of the two words? */
bool proxy_is_line(struct span line);

/**
 * proxy_parse() - take one such line
 * @into:	lines add up; a second upstream-proxy must say the same as the first
 *
 * USER and PASSWORD may be percent-encoded (RFC 3986 section 2.1). Only http:// is spoken to a proxy.
 *
 * Return: PARSE_DONE or PARSE_BAD; @into is changed on DONE only.
 */
enum parse proxy_parse(struct span line, struct proxy *into, struct policy_error *err);

/** proxy_equal() - the same proxy, spoken to in the same way */
bool proxy_equal(const struct proxy *a, const struct proxy *b);

/** proxy_is_for() - is @name reached through the proxy? */
bool proxy_is_for(const struct proxy *proxy, const struct name *name);

enum { PROXY_TEXT_BYTES = NAME_MAX_BYTES + 16 };
/** proxy_print() - "HOST:PORT", without what is secret */
void proxy_print(const struct proxy *proxy, char out[PROXY_TEXT_BYTES]);
