/* SPDX-License-Identifier: Apache-2.0 */
/* policy/rule.h - one allowlist rule: what it names, its ports, its options */
#pragma once
#include "net/addr.h"
#include "net/name.h"

enum { RULE_MAX_PORTS = 16, RULE_LINE_MAX_BYTES = 4096 };

enum rule_action { RULE_ALLOW, RULE_DENY, RULE_TELEMETRY }; /* telemetry: a deny that says why */
enum rule_subject {
	RULE_HOST,	/* exactly this name */
	RULE_BELOW,	/* *.name: any depth below it, not the name itself */
	RULE_PREFIX,	/* an address or CIDR prefix, written on purpose */
};

/** Bits of rule.options; each loosens or fixes one step, knowingly */
enum rule_option {
	RULE_PRIVATE = 1 << 0,	/* the name may resolve to ADDR_PRIVATE */
	RULE_LOOPBACK = 1 << 1, /* the name may resolve to ADDR_LOOPBACK */
	RULE_RAW = 1 << 2,	/* first bytes are not judged */
	RULE_TLS = 1 << 3,	/* judge as TLS whatever the port */
	RULE_HTTP = 1 << 4,	/* judge as HTTP whatever the port */
	RULE_ECH = 1 << 5,	/* encrypted client hello is borne */
	RULE_NO_SNI = 1 << 6,	/* a ClientHello without SNI is borne */
};

struct port_range {
	uint16_t first, last; /* inclusive, host order; 1 to 65535 */
};

/** struct rule_budget - 0 means no limit */
struct rule_budget {
	uint64_t up_bytes, down_bytes;
	uint32_t conns;
	uint32_t rate_per_s;
	uint32_t for_s;	  /* lifetime from the first loading */
	uint64_t until_s; /* seconds since 1970-01-01 UTC at which it ends */
};

/** rule_budget_is_set() - does it limit anything? */
static inline bool rule_budget_is_set(const struct rule_budget *b)
{
	return b->up_bytes || b->down_bytes || b->conns || b->rate_per_s || b->for_s || b->until_s;
}

struct rule {
	enum rule_action action;
	enum rule_subject subject;
	struct name name;	/* RULE_HOST, RULE_BELOW */
	struct addr prefix;	/* RULE_PREFIX */
	uint8_t prefix_bits;
	struct port_range ports[RULE_MAX_PORTS]; /* defaults to 443 for allow, to every port for deny */
	uint8_t n_ports;
	uint32_t options; /* enum rule_option */
	struct rule_budget budget;
};

/**
 * struct policy_error - where and why a line is wrong
 * @column:	1-based byte column
 * @text:	the reason; names the word that is wrong and, where close, what was meant
 */
struct policy_error {
	unsigned column;
	char text[240];
};

/**
 * rule_parse() - read the words of a rule after its action
 * @line:	whole line: `[allow|deny|telemetry] SUBJECT[:PORTS] [OPTION...]`, comment allowed.
 *		Without an action word it is allow
 *
 * SUBJECT is NAME, *.NAME, ADDRESS, PREFIX/BITS or [IPv6] / [IPv6]/BITS; PORTS is `443,8443,9000-9100` or `*`.
 * Options: private loopback raw tls http ech no-sni up= down= conns= rate= for= until=, and, as data without
 * effect, class= risk= why=. An allow rule may not have port `*`. until= is a time in UTC as in RFC 3339, to the
 * second: until=2026-11-24T01:00:00Z.
 *
 * Return: PARSE_DONE or PARSE_BAD (never MORE); @out is written on DONE only.
 */
enum parse rule_parse(struct span line, struct rule *out, struct policy_error *err);

/**
 * rule_parse_budget() - read a line `budget up= down= conns= rate= for= until=`: a limit for the whole session
 *
 * Return: PARSE_DONE or PARSE_BAD; at least one limit is set on DONE.
 */
enum parse rule_parse_budget(struct span line, struct rule_budget *out, struct policy_error *err);

/** rule_is_option() - could @word stand behind a rule's subject? "private" and "up=5M" could, "a.example" not */
bool rule_is_option(struct span word);

enum { RULE_TEXT_BYTES = 640 };
/** rule_print() - canonical text; rule_parse() gives the same rule back */
void rule_print(const struct rule *rule, char out[RULE_TEXT_BYTES]);
