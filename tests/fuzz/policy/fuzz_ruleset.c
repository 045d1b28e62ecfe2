/* SPDX-License-Identifier: Apache-2.0 */
/* A policy loads whole or not at all, and a loaded one decides as reading all its rules one by one would. */
#include "policy/verdict.h"

#include <assert.h>
#include <stdio.h>

enum { MAX_RULES = 64 };

struct model {
	struct rule rules[MAX_RULES];
	size_t n;
};

/* The rules of a text that ruleset_load() took; false when there are too many to compare. */
static bool model_read(struct model *m, struct span text)
{
	while (text.n) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		struct span line = {text.p, end ? (size_t)(end - text.p) : text.n};
		struct policy_error ignored;
		if (m->n == MAX_RULES)
			return false;
		if (rule_parse(line, &m->rules[m->n], &ignored) == PARSE_DONE)
			m->n++;
		text = span_make(text.p + line.n + (end != NULL), text.n - line.n - (end != NULL));
	}
	return true;
}

static bool has_port(const struct rule *rule, uint16_t port)
{
	for (size_t i = 0; i < rule->n_ports; i++)
		if (port >= rule->ports[i].first && port <= rule->ports[i].last)
			return true;
	return false;
}

static bool names(const struct rule *rule, const struct name *name, const struct addr *a)
{
	switch (rule->subject) {
	case RULE_HOST:
		return name && !strcmp(rule->name.text, name->text);
	case RULE_BELOW:
		return name && name_is_below(name, &rule->name);
	case RULE_PREFIX:
		break;
	}
	return a && addr_in_prefix(a, &rule->prefix, rule->prefix_bits);
}

/* May it be reached? Deny wins, then allow, else no. */
static bool model_allows(const struct model *m, const struct name *name, const struct addr *a, uint16_t port)
{
	bool is_allowed = false;
	for (size_t i = 0; i < m->n; i++) {
		if (!names(&m->rules[i], name, a) || !has_port(&m->rules[i], port))
			continue;
		if (m->rules[i].action != RULE_ALLOW)
			return false;
		is_allowed = true;
	}
	return is_allowed;
}

static void check_verdict(struct verdict v, bool is_allowed)
{
	assert((v.kind == VERDICT_ALLOW) == is_allowed);
	assert(!is_allowed || (v.origin.file && v.rule_id));
}

static void ask_name(const struct ruleset *set, const struct model *m, const struct name *name, uint16_t port)
{
	bool is_allowed = model_allows(m, name, NULL, port);
	check_verdict(verdict_name(set, name, port), is_allowed);
	assert(!is_allowed || verdict_name_any_port(set, name).kind == VERDICT_ALLOW);
}

/* Asks about what the rule names, and about what lies just below and above it. */
static void ask_about(const struct ruleset *set, const struct model *m, const struct rule *rule)
{
	uint16_t port = rule->ports[0].first;
	if (rule->subject == RULE_PREFIX) {
		struct addr a = rule->prefix;
		for (int i = 0; i < 2; i++, a.bytes[a.is_v6 ? 15 : 3] ^= 1) {
			check_verdict(verdict_addr(set, &a, port), model_allows(m, NULL, &a, port));
			(void)verdict_resolved(set, rule->options, &a, port); /* must only not crash */
		}
		return;
	}
	char text[NAME_MAX_BYTES + 3];
	struct name other;
	const char *dot = strchr(rule->name.text, '.');
	ask_name(set, m, &rule->name, port);
	ask_name(set, m, &rule->name, 443);
	(void)snprintf(text, sizeof(text), "x.%s", rule->name.text);
	if (name_parse(span_of(text), &other) == NAME_IS_HOST)
		ask_name(set, m, &other, port);
	if (dot && name_parse(span_of(dot + 1), &other) == NAME_IS_HOST)
		ask_name(set, m, &other, port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct model m;
	struct ruleset *set = NULL;
	struct err err = {0};

	if (ruleset_load(span_make(data, size), "fuzz", &set, &err) < 0) {
		assert(!set && err.text[0]);
		return 0;
	}
	m.n = 0;
	if (model_read(&m, span_make(data, size)))
		for (size_t i = 0; i < m.n; i++)
			ask_about(set, &m, &m.rules[i]);
	ruleset_free(set);
	return 0;
}
