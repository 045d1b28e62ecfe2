/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/verdict.h"

/* Collects, over all matching rules, what decides. */
struct tally {
	uint16_t port;
	bool has_allow_elsewhere; /* an allow rule names the host but not the port */
	bool has_allow, has_deny;
	unsigned allow_distance;
	struct rule_match allow, deny;
	uint32_t options;
};

static bool covers_port(const struct rule_match *m, uint16_t port)
{
	for (size_t i = 0; i < m->n_ports; i++)
		if (port >= m->ports[i].first && port <= m->ports[i].last)
			return true;
	return false;
}

static void tally_seen(const struct rule_match *m, void *arg)
{
	struct tally *t = arg;

	if (m->action != RULE_ALLOW) {
		bool hits = covers_port(m, t->port);
		bool is_plainer = t->has_deny && t->deny.action == RULE_TELEMETRY && m->action == RULE_DENY;
		if (hits && (!t->has_deny || is_plainer)) {
			t->has_deny = true;
			t->deny = *m;
		}
		return;
	}
	if (!covers_port(m, t->port)) {
		t->has_allow_elsewhere = true;
		return;
	}
	if (!t->has_allow) {
		t->has_allow = true;
		t->allow = *m;
		t->allow_distance = m->distance;
	}
	if (m->distance != t->allow_distance)
		return;
	t->options |= m->options;
	if (rule_budget_is_set(t->allow.budget) && !rule_budget_is_set(m->budget))
		t->allow = *m;
}

static struct verdict tally_verdict(const struct tally *t, enum verdict_kind none)
{
	if (t->has_deny)
		return (struct verdict){.kind = t->deny.action == RULE_TELEMETRY ? VERDICT_TELEMETRY_OFF
										 : VERDICT_DENIED_BY_RULE,
					.origin = t->deny.origin,
					.rule_id = t->deny.id};
	if (t->has_allow)
		return (struct verdict){.kind = VERDICT_ALLOW,
					.origin = t->allow.origin,
					.options = t->options,
					.budget = *t->allow.budget,
					.is_exact = t->allow_distance == 0,
					.rule_id = t->allow.id};
	return (struct verdict){.kind = t->has_allow_elsewhere ? VERDICT_PORT_NOT_ALLOWED : none};
}

struct verdict verdict_name(const struct ruleset *set, const struct name *name, uint16_t port)
{
	struct tally t = {.port = port};
	ruleset_each_name(set, name, tally_seen, &t);
	return tally_verdict(&t, VERDICT_NOT_ALLOWLISTED);
}

/* Looks for a port that an allow rule opens and no deny rule takes away. */
struct port_search {
	const struct ruleset *set;
	const struct name *name;
	uint32_t port;	      /* the one tried */
	uint32_t denied_last; /* last port of the deny range that holds it; 0 when none does */
	uint16_t found;	      /* 0 while there is none */
	bool has_deny;
	struct rule_match deny;
};

static void search_deny(const struct rule_match *m, void *arg)
{
	struct port_search *s = arg;
	if (m->action == RULE_ALLOW)
		return;
	for (size_t i = 0; i < m->n_ports; i++)
		if (s->port >= m->ports[i].first && s->port <= m->ports[i].last &&
		    m->ports[i].last > s->denied_last)
			s->denied_last = m->ports[i].last;
}

static void search_open(const struct rule_match *m, void *arg)
{
	struct port_search *s = arg;
	if (m->action != RULE_ALLOW) {
		if (!s->has_deny || (s->deny.action == RULE_TELEMETRY && m->action == RULE_DENY))
			s->deny = *m;
		s->has_deny = true;
		return;
	}
	for (size_t i = 0; i < m->n_ports && !s->found; i++) {
		for (s->port = m->ports[i].first; s->port <= m->ports[i].last; s->port = s->denied_last + 1) {
			s->denied_last = 0;
			ruleset_each_name(s->set, s->name, search_deny, s);
			if (s->denied_last == 0) {
				s->found = (uint16_t)s->port;
				break;
			}
		}
	}
}

struct verdict verdict_name_any_port(const struct ruleset *set, const struct name *name)
{
	struct port_search s = {.set = set, .name = name};
	ruleset_each_name(set, name, search_open, &s);
	if (s.found)
		return verdict_name(set, name, s.found);
	struct tally t = {.has_deny = s.has_deny, .deny = s.deny};
	return tally_verdict(&t, VERDICT_NOT_ALLOWLISTED);
}

struct verdict verdict_addr(const struct ruleset *set, const struct addr *a, uint16_t port)
{
	struct tally t = {.port = port};
	ruleset_each_addr(set, a, tally_seen, &t);
	return tally_verdict(&t, VERDICT_IP_LITERAL);
}

bool verdict_resolved(const struct ruleset *set, uint32_t options, const struct addr *a, uint16_t port)
{
	struct tally t = {.port = port};
	ruleset_each_addr(set, a, tally_seen, &t);
	if (t.has_deny)
		return false;
	if (t.has_allow)
		return true;
	enum addr_class class = addr_classify(a);
	return class == ADDR_PUBLIC || (class == ADDR_PRIVATE && (options & RULE_PRIVATE)) ||
	       (class == ADDR_LOOPBACK && (options & RULE_LOOPBACK));
}
