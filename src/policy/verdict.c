/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/verdict.h"

/* Collects, over all matching rules, what decides. */
struct tally {
	uint16_t port; /* 0: any port will do */
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

static bool covers_every_port(const struct rule_match *m)
{
	return m->n_ports == 1 && m->ports[0].first == 1 && m->ports[0].last == 65535;
}

static void tally_seen(const struct rule_match *m, void *arg)
{
	struct tally *t = arg;

	if (m->action != RULE_ALLOW) {
		/* Without a port only a deny of the whole host counts. */
		bool hits = t->port ? covers_port(m, t->port) : covers_every_port(m);
		bool is_plainer = t->has_deny && t->deny.action == RULE_TELEMETRY && m->action == RULE_DENY;
		if (hits && (!t->has_deny || is_plainer)) {
			t->has_deny = true;
			t->deny = *m;
		}
		return;
	}
	if (t->port && !covers_port(m, t->port)) {
		t->has_allow_elsewhere = true;
		return;
	}
	if (!t->has_allow) {
		t->has_allow = true;
		t->allow = *m;
		t->allow_distance = m->distance;
	}
	if (m->distance == t->allow_distance)
		t->options |= m->options;
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

struct verdict verdict_name_any_port(const struct ruleset *set, const struct name *name)
{
	return verdict_name(set, name, 0);
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
