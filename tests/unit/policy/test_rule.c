/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* What is written, and its canonical form. */
static const char *const good[][2] = {
	{"example.com", "allow example.com:443"},
	{"allow *.Example.com:443,8443  # comment", "allow *.example.com:443,8443"},
	{"allow github.com:22", "allow github.com:22"},
	{"deny gist.github.com", "deny gist.github.com:*"},
	{"deny gist.github.com:22", "deny gist.github.com:22"},
	{"telemetry statsig.com", "telemetry statsig.com:*"},
	{"allow gitlab.corp.example:443 private", "allow gitlab.corp.example:443 private"},
	{"10.1.2.0/24:5432", "allow 10.1.2.0/24:5432"},
	{"[2001:db8::]/32:443", "allow [2001:db8::]/32:443"},
	{"[::1]:53 raw", "allow [::1]:53 raw"},
	{"169.254.169.254", "allow 169.254.169.254:443"},
	{"deny 10.0.0.0/8", "deny 10.0.0.0/8:*"},
	{"deny *.com", "deny *.com:*"},
	{"host.drydock.internal:11434", "allow host.drydock.internal:11434"},
	{"a.example up=50M down=2G conns=200 rate=20/s for=10m",
	 "allow a.example:443 up=52428800 down=2147483648 conns=200 rate=20/s for=600s"},
	{"a.example:1-65535 raw", "allow a.example:1-65535 raw"},
	{"a.example class=required risk=none why=\"with spaces and # in it\"", "allow a.example:443"},
	{"a.example ech no-sni tls loopback", "allow a.example:443 loopback tls ech no-sni"},
	{"a.example\r", "allow a.example:443"},
	{"intranet private", "allow intranet:443 private"},
	{"intranet class=required", "allow intranet:443"},
	{"localhost", "allow localhost:443"},
	{"allow lock", "allow lock:443"},
	{"a.example until=2026-11-24T01:00:00Z", "allow a.example:443 until=2026-11-24T01:00:00Z"},
	{"a.example until=2024-02-29T23:59:59Z", "allow a.example:443 until=2024-02-29T23:59:59Z"},
	{"a.example until=2000-02-29T00:00:00Z", "allow a.example:443 until=2000-02-29T00:00:00Z"},
	{"a.example until=1970-01-01T00:00:01Z", "allow a.example:443 until=1970-01-01T00:00:01Z"},
	{"a.example until=2100-03-01T00:00:00Z", "allow a.example:443 until=2100-03-01T00:00:00Z"},
	{"a.example until=2099-12-31T12:34:56Z", "allow a.example:443 until=2099-12-31T12:34:56Z"},
	{"a.example until=9999-12-31T23:59:59Z", "allow a.example:443 until=9999-12-31T23:59:59Z"},
};

static void a_rule_is_read_and_prints_in_canonical_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct rule rule, again;
		struct policy_error why;
		char text[RULE_TEXT_BYTES];
		if (rule_parse(span_of(good[i][0]), &rule, &why) != PARSE_DONE)
			fail_msg("'%s': %u: %s", good[i][0], why.column, why.text);
		rule_print(&rule, text);
		assert_string_equal(text, good[i][1]);
		assert_int_equal(rule_parse(span_of(text), &again, &why), PARSE_DONE);
		assert_memory_equal(&rule, &again, sizeof(rule));
	}
}

/* Line, column, and a word that the reason must hold. */
static const struct {
	const char *line;
	unsigned column;
	const char *says;
} wrong[] = {
	{"*", 1, "every name"},		       {"*.com", 1, "top-level"},
	{"a*.com", 1, "whole labels"},	       {"*.*.com", 1, "whole labels"},
	{"https://example.com", 1, "https"},   {"example.com/path", 1, "path"},
	{"user@example.com", 1, "user"},       {"example.com:0", 13, "port"},
	{"example.com:65536", 13, "port"},     {"example.com:443,", 17, "port"},
	{"example.com:9-8", 13, "port"},       {"example.com:*", 13, "names its ports"},
	{"example.com:", 13, "port"},	       {"allow", 1, "no host"},
	{"allow example.com privat", 19, "did you mean 'private'"},
	{"allow example.com upp=3", 19, "did you mean 'up='"},
	{"allow example.com up=3X", 22, "amount"}, {"allow example.com up=0", 22, "amount"},
	{"deny example.com private", 18, "allow rules"}, {"allow a.example raw tls", 21, "only one"},
	{"2130706433", 1, "spelling"},	       {"0x7f.1:80", 1, "spelling"},
	{"::1", 1, "brackets"},		       {"10.0.0.1/24", 1, "bits set"},
	{"0.0.0.0/0", 1, "every address"},     {"10.0.0.0/33", 9, "prefix length"},
	{"*.internal", 1, "top-level"},	       {"*.corp.internal", 1, "one by one"},
	{"b\xc3\xbc" "cher.example", 1, "host name"}, {":443", 1, "no host"},
	{"[::1:443", 1, "closing"},
	{"alow example.com", 1, "did you mean 'allow'"}, {"dney example.com", 1, "did you mean 'deny'"},
	{"permit example.com", 1, "unknown word 'permit'"}, {"preset npm", 1, "is a setting"},
	{"  lock", 3, "is a setting"},	       {"", 1, "no rule"}, {"# x", 1, "no rule"},
	{"a.example why=\"x", 15, "not closed"}, {"a.example raw \"", 15, "not closed"},
	{"allow \"a.example", 7, "host name"},
	{"a.example rate=20", 16, "amount"}, {"a.example rate=/s", 16, "amount"},
	{"a.example until=2023-02-29T00:00:00Z", 17, "UTC"}, {"a.example until=2100-02-29T00:00:00Z", 17, "UTC"},
	{"a.example until=2026-13-01T00:00:00Z", 17, "UTC"}, {"a.example until=2026-00-01T00:00:00Z", 17, "UTC"},
	{"a.example until=2026-04-31T00:00:00Z", 17, "UTC"}, {"a.example until=2026-04-00T00:00:00Z", 17, "UTC"},
	{"a.example until=2026-04-01T24:00:00Z", 17, "UTC"}, {"a.example until=2026-04-01T00:60:00Z", 17, "UTC"},
	{"a.example until=2026-04-01T00:00:60Z", 17, "UTC"}, {"a.example until=2026-04-01T00:00:00", 17, "UTC"},
	{"a.example until=2026-04-01T00:00:00+01:00", 17, "UTC"}, {"a.example until=2026-04-01 00:00:00Z", 17, "UTC"},
	{"a.example until=2026-04-01T00:00:00Zx", 17, "UTC"}, {"a.example until=1969-12-31T23:59:59Z", 17, "UTC"},
	{"a.example until=1970-01-01T00:00:00Z", 17, "UTC"}, {"a.example until=02026-04-01T00:00:00Z", 17, "UTC"},
	{"a.example until=20x6-04-01T00:00:00Z", 17, "UTC"}, {"a.example until=", 11, "no value"},
};

static void a_wrong_rule_names_the_column_and_the_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct rule rule, before;
		struct policy_error why = {0};
		memset(&rule, 0x5a, sizeof(rule));
		before = rule;
		if (rule_parse(span_of(wrong[i].line), &rule, &why) != PARSE_BAD)
			fail_msg("'%s' was taken", wrong[i].line);
		if (why.column != wrong[i].column || !strstr(why.text, wrong[i].says))
			fail_msg("'%s': %u: %s", wrong[i].line, why.column, why.text);
		assert_memory_equal(&rule, &before, sizeof(rule));
	}
}

static void limits_hold_at_and_one_over(void **state)
{
	(void)state;
	struct rule rule;
	struct policy_error why;
	assert_int_equal(rule_parse(span_of("a.example:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16"), &rule, &why), PARSE_DONE);
	assert_int_equal(rule_parse(span_of("a.example:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"), &rule, &why), PARSE_BAD);
	char line[RULE_LINE_MAX_BYTES + 2];
	memset(line, ' ', sizeof(line));
	memcpy(line, "a.example", 9);
	assert_int_equal(rule_parse(span_make(line, RULE_LINE_MAX_BYTES), &rule, &why), PARSE_DONE);
	assert_int_equal(rule_parse(span_make(line, RULE_LINE_MAX_BYTES + 1), &rule, &why), PARSE_BAD);
}

static void a_budget_of_the_session_is_read(void **state)
{
	(void)state;
	struct rule_budget b;
	struct policy_error why;
	assert_int_equal(rule_parse_budget(span_of("budget up=1G down=2M conns=5000 rate=50/s for=1h # all of it"), &b, &why),
			 PARSE_DONE);
	assert_int_equal(b.up_bytes, 1 << 30);
	assert_int_equal(b.down_bytes, 2 << 20);
	assert_int_equal(b.conns, 5000);
	assert_int_equal(b.rate_per_s, 50);
	assert_int_equal(b.for_s, 3600);
	assert_int_equal(b.until_s, 0);
	assert_int_equal(rule_parse_budget(span_of("budget until=1970-01-02T00:00:00Z"), &b, &why), PARSE_DONE);
	assert_int_equal(b.until_s, 86400);
	assert_int_equal(b.up_bytes, 0);
}

static void a_wrong_budget_names_the_column_and_the_reason(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		unsigned column;
		const char *says;
	} rows[] = {
		{"budget", 1, "limits nothing"},       {"budget # up=1", 1, "limits nothing"},
		{"budget up", 8, "is no limit"},       {"budget a.example", 8, "is no limit"},
		{"budget why=x", 8, "is no limit"},    {"budget up=1 raw", 13, "is no limit"},
		{"budget up=0", 11, "amount"},	       {"budget conns=1 up=9x", 19, "amount"},
		{"budget until=tomorrow", 14, "UTC"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rule_budget b = {.conns = 7};
		struct policy_error why = {0};
		if (rule_parse_budget(span_of(rows[i].line), &b, &why) != PARSE_BAD)
			fail_msg("'%s' was taken", rows[i].line);
		if (why.column != rows[i].column || !strstr(why.text, rows[i].says))
			fail_msg("'%s': %u: %s", rows[i].line, why.column, why.text);
		assert_int_equal(b.conns, 7);
	}
	static char line[RULE_LINE_MAX_BYTES + 1];
	struct rule_budget b;
	struct policy_error why;
	memset(line, ' ', sizeof(line));
	memcpy(line, "budget up=1", 11);
	assert_int_equal(rule_parse_budget(span_make(line, RULE_LINE_MAX_BYTES), &b, &why), PARSE_DONE);
	assert_int_equal(rule_parse_budget(span_make(line, RULE_LINE_MAX_BYTES + 1), &b, &why), PARSE_BAD);
}

static void an_option_is_told_from_a_host(void **state)
{
	(void)state;
	static const char *const yes[] = {"private", "no-sni", "up=5M", "until=x", "why=\"a b\"", "class="};
	static const char *const no[] = {"a.example", "", "up5", "10.0.0.0/8", "=", "privat"};
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_true(rule_is_option(span_of(yes[i])));
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(rule_is_option(span_of(no[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_is_read_and_prints_in_canonical_form),
		cmocka_unit_test(a_wrong_rule_names_the_column_and_the_reason),
		cmocka_unit_test(limits_hold_at_and_one_over),
		cmocka_unit_test(a_budget_of_the_session_is_read),
		cmocka_unit_test(a_wrong_budget_names_the_column_and_the_reason),
		cmocka_unit_test(an_option_is_told_from_a_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
