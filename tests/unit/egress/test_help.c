/* SPDX-License-Identifier: Apache-2.0 */
/* The pages that a contained program reads about its own refusals. */
#include "egress/worker/help.h"
#include "base/own.h"
#include "egress/wire/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct help help;
static char page[HELP_MAX_BYTES + 1];

static const char *ask(const char *method, const char *path, bool wants_json)
{
	AUTO(buf) struct buf out = {.max = HELP_MAX_BYTES};
	struct http_head head = {.method = span_of(method), .path = span_of(path)};
	assert_true(help_page(&help, &head, wants_json, &out));
	memcpy(page, out.p, out.n);
	page[out.n] = '\0';
	return page;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text);
}

static void the_name_is_told_in_any_case_and_no_other_is(void **state)
{
	(void)state;
	assert_true(help_is_for(span_of("drydock.internal")));
	assert_true(help_is_for(span_of("DryDock.Internal.")));
	assert_false(help_is_for(span_of("host.drydock.internal")));
	assert_false(help_is_for(span_of("drydock.internal.example")));
	assert_false(help_is_for(span_of("drydock.interna")));
	assert_false(help_is_for(span_of("")));
}

static void refusals_are_folded_and_listed_by_host(void **state)
{
	(void)state;
	help = (struct help){0};
	assert_has(ask("GET", "/policy", false), "nothing was refused");
	help_note(&help, span_of("Evil.test"), 443, REASON_NOT_ALLOWLISTED, 1000);
	help_note(&help, span_of("evil.test"), 443, REASON_NOT_ALLOWLISTED, 2000);
	help_note(&help, span_of("two.test"), 80, REASON_DENIED_BY_RULE, 3000);
	help_note(&help, span_of("fine.test"), 80, REASON_NONE, 3000);
	assert_has(ask("GET", "/policy", false), "evil.test:443  x2  not-allowlisted");
	assert_has(page, "two.test:80  x1  denied-by-rule");
	assert_null(strstr(page, "fine.test"));
	assert_has(ask("GET", "/why?host=EVIL.test", false), "evil.test:443");
	assert_null(strstr(page, "two.test"));
	assert_has(ask("GET", "/why?x=1&host=none.test", false), "none.test was not refused");
	assert_has(ask("GET", "/policy", true), "\"host\":\"two.test\",\"port\":80,\"reason\":\"denied-by-rule\"");
	assert_has(page, "Content-Type: application/json");
}

static void hostile_names_cannot_break_out(void **state)
{
	(void)state;
	help = (struct help){0};
	help_note(&help, span_of("a\r\nX: <script>\033[31m"), 443, REASON_MALFORMED, 1);
	assert_has(ask("GET", "/policy", false), "a??x:??script???31m:443");
	assert_null(strchr(page, '\033'));
	assert_has(ask("GET", "/why?host=%0d%0aX<b>", false), "?0d?0ax?b? was not refused");
}

static void a_full_table_forgets_what_is_longest_ago(void **state)
{
	(void)state;
	help = (struct help){0};
	for (unsigned i = 0; i < HELP_ROWS + 1; i++) {
		char host[32];
		(void)snprintf(host, sizeof(host), "h%u.test", i);
		help_note(&help, span_of(host), 443, REASON_NOT_ALLOWLISTED, 1000 + i);
	}
	assert_int_equal(help.n, HELP_ROWS);
	assert_null(strstr(ask("GET", "/policy", false), " h0.test"));
	assert_has(page, " h1.test");
	assert_has(page, " h32.test");
	/* the longest names fit, in both forms */
	help = (struct help){0};
	for (unsigned i = 0; i < HELP_ROWS; i++) {
		char host[HELP_HOST_BYTES];
		memset(host, 'a' + (int)(i % 26), sizeof(host) - 1);
		host[sizeof(host) - 1] = '\0';
		help_note(&help, span_of(host), (uint16_t)(60000 + i), REASON_PRIVATE_ADDRESS, 4102444800000 + i);
	}
	assert_int_equal(help.n, HELP_ROWS);
	assert_has(ask("GET", "/policy", false), ":60031");
	assert_has(ask("GET", "/policy", true), "60031");
}

static void only_reading_is_answered(void **state)
{
	(void)state;
	help = (struct help){0};
	assert_has(ask("GET", "/", false), "HTTP/1.1 200 OK");
	assert_has(page, "http://drydock.internal/why?host=X");
	assert_has(ask("POST", "/request", false), "HTTP/1.1 405");
	assert_has(ask("GET", "/nothing", false), "HTTP/1.1 404");
	const char *head = ask("HEAD", "/", false);
	assert_string_equal(head + strlen(head) - 4, "\r\n\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_is_told_in_any_case_and_no_other_is),
		cmocka_unit_test(refusals_are_folded_and_listed_by_host),
		cmocka_unit_test(hostile_names_cannot_break_out),
		cmocka_unit_test(a_full_table_forgets_what_is_longest_ago),
		cmocka_unit_test(only_reading_is_answered),
	};
	return cmocka_run_group_tests_name("egress/help", tests, NULL, NULL);
}
