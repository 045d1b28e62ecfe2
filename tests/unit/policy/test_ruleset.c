/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of policy/ruleset.h: origins, errors, limits, a million rules. */
#include "base/buf.h"
#include "policy/verdict.h"

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct ruleset *loaded(const char *text)
{
	struct ruleset *set = NULL;
	struct err err = {0};
	if (ruleset_load(span_of(text), "test", &set, &err) < 0)
		fail_msg("%s", err.text);
	return set;
}

static void assert_bad(const char *text, const char *part)
{
	struct ruleset *set = NULL;
	struct err err = {0};
	assert_int_equal(ruleset_load(span_of(text), "test", &set, &err), -EINVAL);
	assert_null(set);
	if (!strstr(err.text, part))
		fail_msg("%s", err.text);
}

static struct verdict ask(const struct ruleset *set, const char *host, uint16_t port)
{
	struct name name;
	assert_int_equal(name_parse(span_of(host), &name), NAME_IS_HOST);
	return verdict_name(set, &name, port);
}

static void an_empty_policy_denies_everything(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "\n\n", "# nothing\n   \r\n\t# more\n\r\n"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ruleset *set = loaded(texts[i]);
		assert_int_equal(ruleset_count(set, RULE_ALLOW), 0);
		assert_int_equal(ask(set, "a.example", 443).kind, VERDICT_NOT_ALLOWLISTED);
		ruleset_free(set);
	}
	struct ruleset *set = loaded("a.example");
	assert_int_equal(ask(set, "a.example", 443).kind, VERDICT_ALLOW);
	ruleset_free(set);
	ruleset_free(NULL);
}

static void a_bad_line_makes_the_whole_text_bad(void **state)
{
	(void)state;
	assert_bad("a.example\nb.example privat\n", "test:2:11: unknown option 'privat'");
	assert_bad("a.example\n\n  preset npm", "test:3:3: 'preset' is a setting");
}

/* Whoever adds a line may tighten what another allows, never widen it. */
static void of_several_budgets_the_tightest_of_each_limit_holds(void **state)
{
	(void)state;
	struct ruleset *set = loaded("a.example");
	const struct rule_budget *b = ruleset_budget(set);
	assert_true(!b->up_bytes && !b->down_bytes && !b->conns && !b->rate_per_s && !b->for_s && !b->until_s);
	ruleset_free(set);
	set = loaded("budget up=3 down=9 conns=4\na.example\n  budget\tup=5 down=2 rate=7/s for=9s\n"
		     "budget until=2026-01-02T00:00:00Z\nbudget for=8s rate=8/s until=2026-01-01T00:00:00Z conns=4\n");
	b = ruleset_budget(set);
	assert_int_equal(b->up_bytes, 3);
	assert_int_equal(b->down_bytes, 2);
	assert_int_equal(b->conns, 4);
	assert_int_equal(b->rate_per_s, 7);
	assert_int_equal(b->for_s, 8);
	assert_int_equal(b->until_s, 1767225600);
	assert_int_equal(ask(set, "a.example", 443).kind, VERDICT_ALLOW);
	ruleset_free(set);
	assert_bad("a.example\nbudget up=x", "test:2:11: ");
	assert_bad("budget", "budget"); /* alone it reads like a bare word, and is none */
}

static void line_marks_set_the_origin(void **state)
{
	(void)state;
	struct ruleset *set = loaded("a.example\n"
				     "#line 7 \"/etc/drydock/al\"low\"\n"
				     "b.example\n"
				     "# comment\n"
				     "c.example\n"
				     "#line 3 \"test\"\n"
				     "deny d.example");
	struct verdict v = ask(set, "a.example", 443);
	assert_string_equal(v.origin.file, "test");
	assert_int_equal(v.origin.line, 1);
	v = ask(set, "b.example", 443);
	assert_string_equal(v.origin.file, "/etc/drydock/al\"low");
	assert_int_equal(v.origin.line, 7);
	v = ask(set, "c.example", 443);
	assert_int_equal(v.origin.line, 9);
	v = ask(set, "d.example", 1);
	assert_int_equal(v.kind, VERDICT_DENIED_BY_RULE);
	assert_string_equal(v.origin.file, "test");
	assert_int_equal(v.origin.line, 3);
	assert_int_equal(ruleset_count(set, RULE_ALLOW), 3);
	assert_int_equal(ruleset_count(set, RULE_DENY), 1);
	ruleset_free(set);
	assert_bad("#line 12 \"/etc/x\"\n*\n", "/etc/x:12:1: ");
}

static void what_is_not_exactly_a_mark_is_a_comment(void **state)
{
	(void)state;
	static const char *const marks[] = {"#line 7", "#line 7 x", "#line \"x\"", "#line 7 \"x\" ", "#line x \"x\"",
					    "# line 7 \"x\"", " #line 7 \"x\"", "#line 7 \"x", "#line 7\"x\"",
					    "#line 7 \"\"", "#line 9999999999 \"x\"", "#line 0 \"x\"", "#line 7 \""};
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		char text[100];
		(void)snprintf(text, sizeof(text), "%s\na.example\n", marks[i]);
		struct ruleset *set = loaded(text);
		struct verdict v = ask(set, "a.example", 443);
		assert_string_equal(v.origin.file, "test");
		assert_int_equal(v.origin.line, 2);
		ruleset_free(set);
	}
}

static void one_host_may_have_many_rules_up_to_a_limit(void **state)
{
	(void)state;
	struct buf text = {.max = 1 << 20};
	for (unsigned port = 1; port <= 256; port++)
		assert_true(buf_putf(&text, "a.example:%u\n", port));
	assert_true(buf_putf(&text, "a.example:7\n")); /* written again: not one more */
	struct ruleset *set = NULL;
	struct err err = {0};
	assert_int_equal(ruleset_load(buf_span(&text), "t", &set, &err), 0);
	assert_int_equal(ruleset_count(set, RULE_ALLOW), 256);
	assert_int_equal(ask(set, "a.example", 256).kind, VERDICT_ALLOW);
	assert_int_equal(ask(set, "a.example", 256).origin.line, 256);
	assert_int_equal(ask(set, "a.example", 257).kind, VERDICT_PORT_NOT_ALLOWED);
	ruleset_free(set);
	assert_true(buf_putf(&text, "a.example:257\n"));
	assert_int_equal(ruleset_load(buf_span(&text), "t", &set, &err), -EINVAL);
	assert_non_null(strstr(err.text, "t:258:1: more than 256"));
	buf_drop(&text);
}

/* Size only; speed is what bench/ measures. */
static void a_hundred_thousand_rules_stay_small(void **state)
{
	(void)state;
	enum { N = 100000 };
	struct buf text = {.max = 16 << 20};
	for (unsigned i = 0; i < N; i++)
		assert_true(buf_putf(&text, i % 3 ? "host-%06u.example\n" : "*.host-%06u.example:80,443\n", i));
	struct ruleset *set = NULL;
	struct err err = {0};
#ifndef DRYDOCK_SANITIZED
	struct mallinfo2 before = mallinfo2();
#endif
	assert_int_equal(ruleset_load(buf_span(&text), "t", &set, &err), 0);
#ifndef DRYDOCK_SANITIZED
	struct mallinfo2 after = mallinfo2();
	size_t used = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
	assert_true(used / N <= 45);
#endif
	assert_int_equal(ruleset_count(set, RULE_ALLOW), N);
	for (unsigned i = 0; i < N; i += 97) {
		char host[64];
		(void)snprintf(host, sizeof(host), "%shost-%06u.example", i % 3 ? "" : "a.b.", i);
		struct verdict v = ask(set, host, 443);
		assert_int_equal(v.kind, VERDICT_ALLOW);
		assert_int_equal(v.origin.line, i + 1);
		assert_int_not_equal(v.rule_id, 0);
	}
	assert_int_equal(ask(set, "host-000000.example", 443).kind, VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(ask(set, "host-100000.example", 443).kind, VERDICT_NOT_ALLOWLISTED);
	ruleset_free(set);
	buf_drop(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_policy_denies_everything),
		cmocka_unit_test(a_bad_line_makes_the_whole_text_bad),
		cmocka_unit_test(of_several_budgets_the_tightest_of_each_limit_holds),
		cmocka_unit_test(line_marks_set_the_origin),
		cmocka_unit_test(what_is_not_exactly_a_mark_is_a_comment),
		cmocka_unit_test(one_host_may_have_many_rules_up_to_a_limit),
		cmocka_unit_test(a_hundred_thousand_rules_stay_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
