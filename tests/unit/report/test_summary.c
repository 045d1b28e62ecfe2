/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/report/test_summary.c - refusals folded, and hints that are safe to paste */
#include "report/summary.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct record denied(const char *name, uint16_t port, const char *reason)
{
	return (struct record){
		.verdict = "deny", .name = name, .port = port, .reason = reason, .rule = ""};
}

static void add(struct summary *s, const char *name, uint16_t port, const char *reason)
{
	struct record r = denied(name, port, reason);
	summary_add(s, &r);
}

static char *print(const struct summary *s, struct buf *out)
{
	summary_print(s, "shop-7f3a", out);
	assert_true(buf_put(out, "", 1));
	return (char *)out->p;
}

static void nothing_refused_prints_nothing(void **state)
{
	(void)state;
	struct summary s = {0};
	AUTO(buf) struct buf out = {.max = 8192};
	struct record r = {.verdict = "allow", .name = "a.example", .reason = "ok", .rule = ""};
	summary_add(&s, &r);
	summary_print(&s, "shop-7f3a", &out);
	assert_int_equal(out.n, 0);
	assert_int_equal(s.n_allowed, 1);
	summary_drop(&s);
}

static void equal_refusals_are_one_line_with_a_count_and_the_rule_that_helps(void **state)
{
	(void)state;
	struct summary s = {0};
	AUTO(buf) struct buf out = {.max = 8192};
	add(&s, "evil.example", 443, "not-allowlisted");
	add(&s, "evil.example", 443, "not-allowlisted");
	add(&s, "git.example", 22, "port-not-allowed");
	const char *text = print(&s, &out);
	assert_non_null(strstr(text, "drydock: 3 requests were refused in session shop-7f3a\n"));
	assert_non_null(strstr(text, "evil.example:443"));
	assert_non_null(strstr(text, "not-allowlisted   x2"));
	assert_non_null(strstr(text, "drydock run -a evil.example ..."));
	assert_non_null(strstr(text, "drydock run -a git.example:22 ..."));
	assert_non_null(strstr(text, "drydock log shop-7f3a --denied"));
	summary_drop(&s);
}

static void a_hint_fits_its_reason(void **state)
{
	(void)state;
	static const struct {
		struct summary_row row;
		const char *hint; /* NULL: none */
	} cases[] = {
		{{.name = "a.example", .port = 443, .reason = "not-allowlisted"}, "a.example"},
		{{.name = "a.example", .port = 0, .reason = "not-allowlisted"}, "a.example"},
		{{.name = "a.example", .port = 8443, .reason = "port-not-allowed"},
		 "a.example:8443"},
		{{.name = "a.example", .port = 443, .reason = "private-address"},
		 "a.example private"},
		{{.name = "192.0.2.1", .port = 80, .reason = "ip-literal"}, "192.0.2.1:80"},
		{{.name = "2001:db8::1", .port = 80, .reason = "ip-literal"}, "[2001:db8::1]:80"},
		{{.name = "a.example", .port = 443, .reason = "no-sni"}, "a.example no-sni"},
		{{.name = "a.example", .port = 443, .reason = "denied-by-rule"}, NULL},
		{{.name = "a.example", .port = 443, .reason = "sni-mismatch"}, NULL},
		{{.name = "", .port = 443, .reason = "not-allowlisted"}, NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char hint[SUMMARY_HINT_BYTES];
		assert_int_equal(summary_hint(&cases[i].row, hint), cases[i].hint != NULL);
		if (cases[i].hint)
			assert_string_equal(hint, cases[i].hint);
	}
}

static void a_name_made_to_fool_is_escaped_and_never_part_of_a_hint(void **state)
{
	(void)state;
	static const char *const names[] = {
		"a;rm -rf ~", "$(id).example", "a\x1b[2J.example",     "-oProxy", "a\nb",
		"A.EXAMPLE",  "`id`",	       "a\xe2\x80\xae.example"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct summary s = {0};
		AUTO(buf) struct buf out = {.max = 8192};
		add(&s, names[i], 443, "not-allowlisted");
		const char *text = print(&s, &out);
		assert_null(strstr(text, "run -a"));
		assert_null(strchr(text, '\x1b'));
		assert_null(strstr(text, "\xe2\x80\xae"));
		summary_drop(&s);
	}
}

static void more_destinations_than_fit_are_counted(void **state)
{
	(void)state;
	struct summary s = {0};
	AUTO(buf) struct buf out = {.max = 8192};
	for (unsigned i = 0; i < SUMMARY_MAX_ROWS + 5; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "h%u.example", i);
		add(&s, name, 443, "not-allowlisted");
	}
	assert_int_equal(s.n_rows, SUMMARY_MAX_ROWS);
	assert_int_equal(s.n_lost, 5);
	assert_int_equal(s.n_refused, SUMMARY_MAX_ROWS + 5);
	assert_non_null(strstr(print(&s, &out), "and over 246 more destinations"));
	summary_drop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_refused_prints_nothing),
		cmocka_unit_test(equal_refusals_are_one_line_with_a_count_and_the_rule_that_helps),
		cmocka_unit_test(a_hint_fits_its_reason),
		cmocka_unit_test(a_name_made_to_fool_is_escaped_and_never_part_of_a_hint),
		cmocka_unit_test(more_destinations_than_fit_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
