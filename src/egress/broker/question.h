/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/question.h - what the rules say to the host name of a request; nothing is resolved */
#pragma once
#include "egress/wire/messages.h"
#include "policy/verdict.h"

/** The user's own machine as seen from a session: 127.0.0.1, and only when a rule writes this name out */
#define QUESTION_OWN_HOST "host.drydock.internal"

/**
 * struct question - a name with the answer of the rules
 * @reason:	REASON_NONE: go on; else why not
 * @name:	canonical; for an address, its text; n is 0 when the bytes were no name
 * @has_address: @address is to be dialled, nothing is to be resolved: a literal, or QUESTION_OWN_HOST
 * @is_literal:	an address was asked for; the address rules have judged it
 * @verdict:	options hold RULE_LOOPBACK for QUESTION_OWN_HOST
 */
struct question {
	enum reason reason;
	struct name name;
	bool has_address;
	bool is_literal;
	struct addr address;
	struct verdict verdict;
};

/**
 * question_decide() - steps 3 and 4 of a flow: canonical name, verdict
 * @name:	bytes as the worker sent them; the worker's own reading of them is not trusted
 *
 * An address counts only in its one strict spelling (brackets allowed for IPv6); any other spelling that a client
 * could take for an address is REASON_IP_LITERAL whatever the rules say.
 */
void question_decide(const struct ruleset *rules, struct span name, uint16_t port,
		     struct question *out);

/** question_decide_dns() - may the name be given an address in DNS: is it allowed on any port? */
void question_decide_dns(const struct ruleset *rules, struct span name, struct question *out);

/** question_judge() - how the first bytes are judged: the rule's options, else the port */
enum wire_judge question_judge(uint32_t options, uint16_t port);
/** question_bears() - enum wire_bear bits that the rule's options give */
uint8_t question_bears(uint32_t options);
