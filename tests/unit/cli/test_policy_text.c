/* SPDX-License-Identifier: Apache-2.0 */
/* A policy text walked: rules with where they were written, marks that are none, lines that are nothing. */
#include "cli/policy_text.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

static char seen[4096];

static void note(const struct policy_line *line, void *arg)
{
	size_t n = strlen(seen);
	(void)arg;
	(void)snprintf(seen + n, sizeof(seen) - n, "%.*s|%.*s:%u|%d\n", (int)line->text.n, (const char *)line->text.p,
		       (int)line->file.n, (const char *)line->file.p, line->line, line->is_rule);
}

static const char *walk(const char *text)
{
	seen[0] = '\0';
	policy_text_each(span_of(text), note, NULL);
	return seen;
}

static void marks_say_where_rules_stand(void **state)
{
	(void)state;
	assert_string_equal(walk("allow a.test:443\n#line 7 \"/x y/allow\"\nallow b.test:443\ndeny c.test:*\n"
				 "# comment\n\n#line 1 \"preset:npm\"\nbudget up=1G\nallow d.test:443"),
			    "allow a.test:443|policy:1|1\nallow b.test:443|/x y/allow:7|1\ndeny c.test:*|/x y/allow:8|1\n"
			    "budget up=1G|preset:npm:1|0\nallow d.test:443|preset:npm:2|1\n");
}

static void what_is_no_mark_is_a_comment(void **state)
{
	(void)state;
	assert_string_equal(walk("#line \"x\"\n#line 5\n#line 5 \"\n#line 99999999999999999999 \"x\"\n#line5 \"x\"\n"
				 "#locked\nallow a.test:443\n"),
			    "allow a.test:443|policy:7|1\n");
	assert_string_equal(walk(""), "");
	assert_string_equal(walk("frob a.test\nenv A=b\n\xff\xfe\n"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_say_where_rules_stand),
		cmocka_unit_test(what_is_no_mark_is_a_comment),
	};
	return cmocka_run_group_tests_name("cli/policy_text", tests, NULL, NULL);
}
