/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/broker/question.h"

static enum reason reason_of(enum verdict_kind kind)
{
	switch (kind) {
	case VERDICT_ALLOW:
		return REASON_NONE;
	case VERDICT_NOT_ALLOWLISTED:
		return REASON_NOT_ALLOWLISTED;
	case VERDICT_PORT_NOT_ALLOWED:
		return REASON_PORT_NOT_ALLOWED;
	case VERDICT_DENIED_BY_RULE:
		return REASON_DENIED_BY_RULE;
	case VERDICT_TELEMETRY_OFF:
		return REASON_TELEMETRY_OFF;
	case VERDICT_IP_LITERAL:
		return REASON_IP_LITERAL;
	}
	return REASON_NOT_ALLOWLISTED; /* no such verdict: deny */
}

static bool parse_strict(struct span in, struct addr *out)
{
	if (in.n > 2 && in.p[0] == '[' && in.p[in.n - 1] == ']')
		return addr_parse(span_make(in.p + 1, in.n - 2), out) && out->is_v6;
	return addr_parse(in, out);
}

static void decide_address(const struct ruleset *rules, struct span name, uint16_t port,
			   struct question *out)
{
	out->reason = REASON_IP_LITERAL;
	if (!addr_parse_any(name, &out->address)) {
		out->reason = REASON_MALFORMED;
		return;
	}
	char text[ADDR_TEXT_BYTES];
	addr_print(&out->address, text);
	out->name.n = (uint8_t)strlen(text);
	memcpy(out->name.text, text, out->name.n + 1U);
	struct addr strict;
	if (!parse_strict(name, &strict))
		return;
	out->address = strict;
	out->has_address = out->is_literal = true;
	out->verdict = verdict_addr(rules, &strict, port);
	out->reason = reason_of(out->verdict.kind);
}

/* A wildcard must not open the user's own machine: the rule has to say its name. */
static void decide_own_host(struct question *out)
{
	if (!out->verdict.is_exact) {
		out->verdict = (struct verdict){.kind = VERDICT_NOT_ALLOWLISTED};
		return;
	}
	out->has_address = true;
	out->address = (struct addr){.bytes = {127, 0, 0, 1}};
	out->verdict.options |= RULE_LOOPBACK;
}

static void decide_host(struct question *out)
{
	if (out->verdict.kind == VERDICT_ALLOW &&
	    span_is(span_make(out->name.text, out->name.n), QUESTION_OWN_HOST))
		decide_own_host(out);
	out->reason = reason_of(out->verdict.kind);
}

void question_decide(const struct ruleset *rules, struct span name, uint16_t port,
		     struct question *out)
{
	*out = (struct question){.reason = REASON_MALFORMED};
	switch (name_parse(name, &out->name)) {
	case NAME_IS_HOST:
		out->verdict = verdict_name(rules, &out->name, port);
		decide_host(out);
		break;
	case NAME_IS_ADDRESS:
		decide_address(rules, name, port, out);
		break;
	case NAME_IS_BAD:
		break;
	}
}

void question_decide_dns(const struct ruleset *rules, struct span name, struct question *out)
{
	*out = (struct question){.reason = REASON_MALFORMED};
	switch (name_parse(name, &out->name)) {
	case NAME_IS_HOST:
		out->verdict = verdict_name_any_port(rules, &out->name);
		decide_host(out);
		break;
	case NAME_IS_ADDRESS:
		out->reason = REASON_IP_LITERAL;
		break;
	case NAME_IS_BAD:
		break;
	}
}

enum wire_judge question_judge(uint32_t options, uint16_t port)
{
	if (options & RULE_RAW)
		return JUDGE_RAW;
	if (options & RULE_TLS)
		return JUDGE_TLS;
	if (options & RULE_HTTP)
		return JUDGE_HTTP;
	switch (port) {
	case 443:
	case 8443:
		return JUDGE_TLS;
	case 80:
	case 8080:
		return JUDGE_HTTP;
	default:
		return JUDGE_RAW;
	}
}

uint8_t question_bears(uint32_t options)
{
	return (uint8_t)((options & RULE_ECH ? BEAR_ECH : 0) |
			 (options & RULE_NO_SNI ? BEAR_NO_SNI : 0));
}
