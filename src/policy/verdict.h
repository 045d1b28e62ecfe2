/* SPDX-License-Identifier: Apache-2.0 */
/* policy/verdict.h - decides one request and names the rule that decided */
#pragma once
#include "policy/ruleset.h"

enum verdict_kind {
	VERDICT_ALLOW,
	VERDICT_NOT_ALLOWLISTED,  /* no rule names the host */
	VERDICT_PORT_NOT_ALLOWED, /* an allow rule names the host, none this port */
	VERDICT_DENIED_BY_RULE,
	VERDICT_TELEMETRY_OFF,
	VERDICT_IP_LITERAL, /* an address, and no address rule covers it */
};

/**
 * struct verdict - the answer, with all that later steps need
 * @origin:	the rule that decided; file NULL when none did
 * @options:	union of enum rule_option over the allow rules that match (exact before wildcard: only
 *		the most specific matching rules count)
 * @budget:	of the deciding rule. Allows add up: where one of the most specific rules has no budget, that one decides
 * @rule_id:	number of the deciding rule, for budgets (struct rule_match); 0 when none
 * @is_exact:	the deciding rule names exactly this host (RULE_HOST), not a wildcard above it. Some names
 *		(host.drydock.internal) open something of the user's own and so must be written out
 */
struct verdict {
	enum verdict_kind kind;
	struct rule_origin origin;
	uint32_t options;
	struct rule_budget budget;
	uint64_t rule_id;
	bool is_exact;
};

/** verdict_name() - may this name and port be reached? Deny rules win, then allow, else no */
struct verdict verdict_name(const struct ruleset *set, const struct name *name, uint16_t port);

/** verdict_name_any_port() - is the name allowed on some port? What a DNS question asks */
struct verdict verdict_name_any_port(const struct ruleset *set, const struct name *name);

/** verdict_addr() - may this IP literal be reached? Only address rules match; deny wins */
struct verdict verdict_addr(const struct ruleset *set, const struct addr *a, uint16_t port);

/**
 * verdict_resolved() - may an allowed name be dialled at this address?
 *
 * Public: yes. Private and loopback: when the option is set. Everything else, and those without the
 * option: only when an address rule covers it. An address deny rule always wins.
 */
bool verdict_resolved(const struct ruleset *set, uint32_t options, const struct addr *a, uint16_t port);
