/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "policy/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

static const char policy[] =
	"# comment\n"
	"example.com\n"
	"allow *.example.com:443,8443\n"
	"allow raw.example.com:443 raw\n"
	"deny bad.example.com\n"
	"telemetry t.example.com\n"
	"deny *.evil.example.com:443\n"
	"#line 7 \"/etc/drydock/allow\"\n"
	"allow corp.example:443 private\n"
	"allow 10.1.2.0/24:5432\n"
	"allow 169.254.169.254:80\n"
	"deny 10.1.2.3\n";

static struct ruleset *load(void)
{
	struct ruleset *set = NULL;
	struct err err = {0};
	if (ruleset_load(span_of(policy), "test", &set, &err) < 0)
		fail_msg("%s", err.text);
	return set;
}

static struct verdict ask(const struct ruleset *set, const char *host, uint16_t port)
{
	struct name name;
	assert_int_equal(name_parse(span_of(host), &name), NAME_IS_HOST);
	return verdict_name(set, &name, port);
}

static void names_and_ports_decide(void **state)
{
	(void)state;
	struct ruleset *set = load();
	assert_int_equal(ask(set, "example.com", 443).kind, VERDICT_ALLOW);
	assert_int_equal(ask(set, "example.com", 80).kind, VERDICT_PORT_NOT_ALLOWED);
	assert_int_equal(ask(set, "a.b.example.com", 8443).kind, VERDICT_ALLOW);
	assert_int_equal(ask(set, "notexample.com", 443).kind, VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(ask(set, "com", 443).kind, VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(ask(set, "bad.example.com", 443).kind, VERDICT_DENIED_BY_RULE);
	assert_int_equal(ask(set, "bad.example.com", 8443).kind, VERDICT_DENIED_BY_RULE);
	assert_int_equal(ask(set, "t.example.com", 443).kind, VERDICT_TELEMETRY_OFF);
	assert_int_equal(ask(set, "x.evil.example.com", 443).kind, VERDICT_DENIED_BY_RULE);
	assert_int_equal(ask(set, "x.evil.example.com", 8443).kind, VERDICT_ALLOW);
	ruleset_free(set);
}

static void a_verdict_names_its_rule(void **state)
{
	(void)state;
	struct ruleset *set = load();
	struct verdict v = ask(set, "example.com", 443);
	assert_string_equal(v.origin.file, "test");
	assert_int_equal(v.origin.line, 2);
	assert_true(v.is_exact);
	assert_false(ask(set, "a.example.com", 443).is_exact);
	v = ask(set, "corp.example", 443);
	assert_string_equal(v.origin.file, "/etc/drydock/allow");
	assert_int_equal(v.origin.line, 7);
	assert_int_equal(v.options, RULE_PRIVATE);
	assert_null(ask(set, "other.example", 443).origin.file);
	ruleset_free(set);
}

static void only_the_nearest_rules_give_options(void **state)
{
	(void)state;
	struct ruleset *set = load();
	assert_int_equal(ask(set, "raw.example.com", 443).options, RULE_RAW);
	assert_int_equal(ask(set, "a.example.com", 443).options, 0);
	assert_int_equal(ask(set, "raw.example.com", 8443).options, 0); /* the wildcard's port */
	ruleset_free(set);
}

static void addresses_need_an_address_rule(void **state)
{
	(void)state;
	struct ruleset *set = load();
	struct addr in, denied, out, metadata, public;
	assert_true(addr_parse(span_of("10.1.2.4"), &in) && addr_parse(span_of("10.1.2.3"), &denied) &&
		    addr_parse(span_of("10.1.3.4"), &out) && addr_parse(span_of("169.254.169.254"), &metadata) &&
		    addr_parse(span_of("8.8.8.8"), &public));
	assert_int_equal(verdict_addr(set, &in, 5432).kind, VERDICT_ALLOW);
	assert_int_equal(verdict_addr(set, &in, 443).kind, VERDICT_PORT_NOT_ALLOWED);
	assert_int_equal(verdict_addr(set, &denied, 5432).kind, VERDICT_DENIED_BY_RULE);
	assert_int_equal(verdict_addr(set, &out, 5432).kind, VERDICT_IP_LITERAL);
	assert_int_equal(verdict_addr(set, &public, 443).kind, VERDICT_IP_LITERAL);
	/* What a name may resolve to. */
	assert_true(verdict_resolved(set, 0, &public, 443));
	assert_false(verdict_resolved(set, 0, &out, 443));
	assert_true(verdict_resolved(set, RULE_PRIVATE, &out, 443));
	assert_false(verdict_resolved(set, RULE_PRIVATE, &denied, 443));
	assert_false(verdict_resolved(set, RULE_PRIVATE | RULE_LOOPBACK, &metadata, 443));
	assert_true(verdict_resolved(set, 0, &metadata, 80));
	ruleset_free(set);
}

static void an_empty_policy_denies_everything(void **state)
{
	(void)state;
	struct ruleset *set = NULL;
	assert_int_equal(ruleset_load(span_of(""), "none", &set, NULL), 0);
	assert_int_equal(ask(set, "example.com", 443).kind, VERDICT_NOT_ALLOWLISTED);
	ruleset_free(set);
}

static void one_bad_line_loads_nothing_and_is_named(void **state)
{
	(void)state;
	struct ruleset *set = NULL;
	struct err err = {0};
	assert_int_equal(ruleset_load(span_of("a.example\n\n  *.com\nb.example\n"), "file", &set, &err), -EINVAL);
	assert_null(set);
	assert_memory_equal(err.text, "file:3:3: ", 10);
}

static void many_rules_decide_as_few_do(void **state)
{
	(void)state;
	struct buf text = {.max = 8 << 20};
	for (int i = 0; i < 100000; i++)
		assert_true(buf_putf(&text, "h%d.example%d.com:%d\n", i, i % 977, 1 + i % 60000));
	struct ruleset *set = NULL;
	assert_int_equal(ruleset_load(buf_span(&text), "big", &set, NULL), 0);
	for (int i = 0; i < 100000; i += 997) {
		char host[64];
		(void)snprintf(host, sizeof(host), "h%d.example%d.com", i, i % 977);
		struct verdict v = ask(set, host, (uint16_t)(1 + i % 60000));
		assert_int_equal(v.kind, VERDICT_ALLOW);
		assert_int_equal(v.origin.line, i + 1);
		(void)snprintf(host, sizeof(host), "h%d.example%d.com", i, (i + 1) % 977);
		assert_int_equal(ask(set, host, 443).kind, VERDICT_NOT_ALLOWLISTED);
	}
	ruleset_free(set);
	buf_drop(&text);
}

/* Loads @text, asks for one name, and checks the kind and the line that decided (0: none). */
static void assert_name(const char *text, const char *name, uint16_t port, enum verdict_kind kind, unsigned line)
{
	struct ruleset *set = NULL;
	assert_int_equal(ruleset_load(span_of(text), "test", &set, NULL), 0);
	struct verdict v = ask(set, name, port);
	if (v.kind != kind || v.origin.line != line)
		fail_msg("%s:%u: kind %d by line %u", name, port, v.kind, v.origin.line);
	assert_int_equal(v.rule_id != 0, line != 0);
	ruleset_free(set);
}

static void assert_any(const char *text, const char *host, enum verdict_kind kind)
{
	struct ruleset *set = NULL;
	struct name name;
	assert_int_equal(ruleset_load(span_of(text), "test", &set, NULL), 0);
	assert_int_equal(name_parse(span_of(host), &name), NAME_IS_HOST);
	if (verdict_name_any_port(set, &name).kind != kind)
		fail_msg("%s: kind %d", host, verdict_name_any_port(set, &name).kind);
	ruleset_free(set);
}

static struct ruleset *loaded(const char *text)
{
	struct ruleset *set = NULL;
	struct err err = {0};
	if (ruleset_load(span_of(text), "test", &set, &err) < 0)
		fail_msg("%s", err.text);
	return set;
}

static struct name host(const char *text)
{
	struct name name;
	assert_int_equal(name_parse(span_of(text), &name), NAME_IS_HOST);
	return name;
}

static void deny_wins_wherever_it_stands(void **state)
{
	(void)state;
	assert_name("*.a.example\ndeny b.a.example", "b.a.example", 443, VERDICT_DENIED_BY_RULE, 2);
	assert_name("*.a.example\ndeny b.a.example", "c.a.example", 443, VERDICT_ALLOW, 1);
	assert_name("b.a.example\ndeny *.a.example", "b.a.example", 443, VERDICT_DENIED_BY_RULE, 2);
	assert_name("deny a.example\nallow a.example", "a.example", 443, VERDICT_DENIED_BY_RULE, 1);
	assert_name("a.example\ndeny a.example:80", "a.example", 443, VERDICT_ALLOW, 1);
	assert_name("a.example:80,443\ndeny a.example:80", "a.example", 80, VERDICT_DENIED_BY_RULE, 2);
	assert_name("a.example\ndeny *.example", "a.example", 443, VERDICT_DENIED_BY_RULE, 2);
}

static void telemetry_is_a_deny_that_says_so(void **state)
{
	(void)state;
	assert_name("*.a.example\ntelemetry t.a.example", "t.a.example", 443, VERDICT_TELEMETRY_OFF, 2);
	assert_name("t.a.example\ntelemetry t.a.example:80", "t.a.example", 443, VERDICT_ALLOW, 1);
	assert_any("*.a.example\ntelemetry t.a.example", "t.a.example", VERDICT_TELEMETRY_OFF);
}

static void options_add_up_within_the_most_specific_level(void **state)
{
	(void)state;
	struct ruleset *set = loaded("*.example.test:443 ech\n"
				     "*.a.example.test:443 private\n"
				     "b.a.example.test:443 loopback up=5M\n"
				     "b.a.example.test:443,80 no-sni\n"
				     "b.a.example.test:22 raw\n");
	struct name n = host("b.a.example.test");
	struct verdict v = verdict_name(set, &n, 443);
	assert_int_equal(v.options, RULE_LOOPBACK | RULE_NO_SNI);
	assert_int_equal(v.origin.line, 4); /* the one without a budget */
	assert_int_equal(v.budget.up_bytes, 0);
	assert_int_equal(verdict_name(set, &n, 80).origin.line, 4);
	assert_int_equal(verdict_name(set, &n, 22).options, RULE_RAW);
	n = host("c.a.example.test");
	assert_int_equal(verdict_name(set, &n, 443).options, RULE_PRIVATE);
	n = host("c.example.test");
	assert_int_equal(verdict_name(set, &n, 443).options, RULE_ECH);
	assert_int_equal(verdict_name(set, &n, 444).options, 0);
	ruleset_free(set);
}

static void a_less_specific_rule_may_open_another_port(void **state)
{
	(void)state;
	assert_name("a.b.example:22\n*.b.example:443", "a.b.example", 443, VERDICT_ALLOW, 2);
	assert_name("a.b.example:22\n*.b.example:443", "a.b.example", 22, VERDICT_ALLOW, 1);
	assert_name("a.b.example:22\n*.b.example:443", "a.b.example", 80, VERDICT_PORT_NOT_ALLOWED, 0);
}

static void a_dns_question_wants_any_open_port(void **state)
{
	(void)state;
	assert_any("a.example:22", "a.example", VERDICT_ALLOW);
	assert_any("a.example:22", "b.example", VERDICT_NOT_ALLOWLISTED);
	assert_any("a.example:22\ndeny a.example", "a.example", VERDICT_DENIED_BY_RULE);
	assert_any("a.example:22\ndeny a.example:22", "a.example", VERDICT_DENIED_BY_RULE);
	assert_any("a.l.example:22-24\ndeny a.l.example:22\ndeny *.l.example:24", "a.l.example", VERDICT_ALLOW);
	assert_any("a.l.example:22-24\ndeny a.l.example:22-23\ndeny *.l.example:24", "a.l.example", VERDICT_DENIED_BY_RULE);
	assert_any("a.example:65535\ndeny a.example:65535", "a.example", VERDICT_DENIED_BY_RULE);
	assert_any("deny a.example:80\na.example", "a.example", VERDICT_ALLOW);
	assert_any("a.l.example:22\n*.l.example:80\ndeny a.l.example:22", "a.l.example", VERDICT_ALLOW);
}

static void the_deepest_name_is_looked_up_at_every_level(void **state)
{
	(void)state;
	char text[254];
	for (size_t i = 0; i < 253; i++)
		text[i] = i % 2 ? '.' : 'a';
	text[253] = 0;
	struct ruleset *set = loaded("*.a.a\nb.example");
	struct name n = host(text);
	assert_int_equal(verdict_name(set, &n, 443).kind, VERDICT_ALLOW);
	assert_int_equal(verdict_name_any_port(set, &n).kind, VERDICT_ALLOW);
	ruleset_free(set);
}

static void no_rule_allows_port_zero(void **state)
{
	(void)state;
	assert_name("a.example", "a.example", 0, VERDICT_PORT_NOT_ALLOWED, 0);
	assert_name("a.example:1", "a.example", 1, VERDICT_ALLOW, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_ports_decide),
		cmocka_unit_test(a_verdict_names_its_rule),
		cmocka_unit_test(only_the_nearest_rules_give_options),
		cmocka_unit_test(addresses_need_an_address_rule),
		cmocka_unit_test(an_empty_policy_denies_everything),
		cmocka_unit_test(one_bad_line_loads_nothing_and_is_named),
		cmocka_unit_test(many_rules_decide_as_few_do),
		cmocka_unit_test(deny_wins_wherever_it_stands),
		cmocka_unit_test(telemetry_is_a_deny_that_says_so),
		cmocka_unit_test(options_add_up_within_the_most_specific_level),
		cmocka_unit_test(a_less_specific_rule_may_open_another_port),
		cmocka_unit_test(a_dns_question_wants_any_open_port),
		cmocka_unit_test(the_deepest_name_is_looked_up_at_every_level),
		cmocka_unit_test(no_rule_allows_port_zero),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
