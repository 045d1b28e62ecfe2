/* SPDX-License-Identifier: Apache-2.0 */
/* proto/dns_msg.h - reads a DNS question and writes the answers drydock gives */
#pragma once
#include "base/span.h"

enum { DNS_UDP_MAX_BYTES = 4096, DNS_MSG_MAX_BYTES = 65535, DNS_REPLY_MAX_BYTES = 1024 };
enum dns_type { DNS_A = 1, DNS_AAAA = 28, DNS_SVCB = 64, DNS_HTTPS = 65, DNS_ANY = 255 };
enum dns_rcode { DNS_NOERROR = 0, DNS_FORMERR = 1, DNS_NXDOMAIN = 3, DNS_NOTIMP = 4, DNS_REFUSED = 5 };
enum { DNS_EDE_BLOCKED = 15 }; /* RFC 8914 */

/**
 * struct dns_question
 * @name:	presentation form without the final dot, as sent; "" for the root. A label byte that is no
 *		letter, digit, '-' or '_' makes has_odd_name true and the name is not to be used
 * @question:	the question section's bytes, to be echoed (0x20 casing included)
 */
struct dns_question {
	uint16_t id;
	bool recursion_desired;
	bool checking_disabled;
	uint16_t type, class;
	bool has_edns;
	uint16_t edns_udp_bytes;
	bool has_odd_name;
	char name[256];
	uint8_t name_n;
	struct span question;
};

/**
 * dns_question_parse() - read a whole query datagram
 *
 * PARSE_BAD: shorter than a header, a response, opcode other than QUERY, not exactly one question,
 * answers in the query, compression in the question, bytes after the last record, several OPTs.
 * Source: RFC 1035 section 4, RFC 6891.
 */
enum parse dns_question_parse(struct span in, struct dns_question *out);

/**
 * struct dns_reply - what to answer
 * @address:	NULL, or 4 bytes (A) or 16 bytes (AAAA) by @address_n
 * @ttl_s:	of the address, or of the SOA that carries the negative TTL
 * @ede:	0, or an extended error code, sent when the query had EDNS (with @ede_text, may be NULL)
 */
struct dns_reply {
	enum dns_rcode rcode;
	const uint8_t *address;
	size_t address_n;
	uint32_t ttl_s;
	uint16_t ede;
	const char *ede_text;
};

/**
 * dns_reply_write() - authoritative-looking reply: QR, RA, the question echoed, one answer or an SOA, OPT
 * when asked with one
 *
 * Return: bytes written to @out.
 */
size_t dns_reply_write(const struct dns_question *q, const struct dns_reply *r,
		       uint8_t out[DNS_REPLY_MAX_BYTES]);

/** dns_error_write() - FORMERR or NOTIMP to something unreadable of at least 12 bytes; 0 bytes when shorter or a response */
size_t dns_error_write(struct span query, enum dns_rcode rcode, uint8_t out[DNS_REPLY_MAX_BYTES]);
