/* SPDX-License-Identifier: Apache-2.0 */
/* net/addr.h - an IP address and its class */
#pragma once
#include "base/span.h"

#include <sys/socket.h>

/**
 * struct addr - an IPv4 or IPv6 address
 * @is_v6:	an IPv6 address. v4-mapped IPv6 (::ffff:a.b.c.d) is turned into v4 by addr_from_*()
 * @bytes:	network order; v4 uses the first 4, the rest are zero
 */
struct addr {
	bool is_v6;
	uint8_t bytes[16];
};

/** enum addr_class - what kind of place an address is; only ADDR_PUBLIC is reachable by default */
enum addr_class {
	ADDR_PUBLIC,
	ADDR_PRIVATE,	/* RFC 1918, ULA fc00::/7 (RFC 4193), CGNAT 100.64/10 (RFC 6598) */
	ADDR_LOOPBACK,	/* 127/8, ::1 */
	ADDR_LINK,	/* 169.254/16, fe80::/10, fec0::/10 */
	ADDR_METADATA,	/* cloud metadata: 169.254.169.254, 169.254.170.2, 169.254.169.253,
			   fd00:ec2::254, 100.100.100.200, 168.63.129.16, 192.0.0.192 */
	ADDR_SPECIAL,	/* everything else that is no unicast host on the internet: 0/8, multicast,
			   broadcast, 192.0.0/24, TEST-NETs, 198.18/15, 240/4, ::, 100::/64, 2001:db8::/32 ... */
	ADDR_CLASSES,
};

/**
 * addr_classify() - the class of @a
 *
 * Addresses that carry an IPv4 address inside (mapped, compatible, NAT64 64:ff9b::/96 and
 * 64:ff9b:1::/48, 6to4 2002::/16, Teredo 2001::/32, ISATAP) get the class of the inner one unless that is public
 * (6to4, Teredo: always at least ADDR_SPECIAL). Source: IANA special-purpose registries, RFC 6890.
 */
enum addr_class addr_classify(const struct addr *a);
/** addr_class_word() - "public", "private", ... for messages */
const char *addr_class_word(enum addr_class c);

/** addr_parse() - strict text form: dotted quad without leading zeros, or RFC 4291 IPv6 (no zone, no brackets) */
bool addr_parse(struct span in, struct addr *out);

/**
 * addr_parse_any() - every spelling a URL parser or inet_aton(3) would take: brackets, decimal, octal,
 * hex, short forms, trailing dot, zone id. Used to recognise literals, never to allow them
 */
bool addr_parse_any(struct span in, struct addr *out);

enum { ADDR_TEXT_BYTES = 46 };
/** addr_print() - RFC 5952 text, NUL-terminated */
void addr_print(const struct addr *a, char out[ADDR_TEXT_BYTES]);

/** addr_from_sockaddr() - address and port (host order) of an AF_INET/AF_INET6 socket address */
bool addr_from_sockaddr(const struct sockaddr_storage *ss, struct addr *out, uint16_t *out_port);
/** addr_to_sockaddr() - returns the length used */
socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *out);

/** addr_in_prefix() - true when the first @bits bits of @a equal those of @net (same family) */
bool addr_in_prefix(const struct addr *a, const struct addr *net, unsigned bits);
bool addr_equal(const struct addr *a, const struct addr *b);
