/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/policy/test_proxy.c - lines that name an upstream proxy */
#include "policy/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static struct proxy parsed(const char *line)
{
	struct proxy p = {0};
	struct policy_error err;
	if (proxy_parse(span_of(line), &p, &err) != PARSE_DONE)
		fail_msg("%s: %u: %s", line, err.column, err.text);
	return p;
}

static void assert_bad(const char *line, unsigned column)
{
	struct proxy p = {.port = 7};
	struct policy_error err = {0};
	assert_int_equal(proxy_parse(span_of(line), &p, &err), PARSE_BAD);
	if (err.column != column)
		fail_msg("%s: column %u: %s", line, err.column, err.text);
	assert_int_equal(p.port, 7);
	assert_false(p.is_set);
}

static void a_name_an_address_and_ipv6_are_taken(void **state)
{
	(void)state;
	char text[PROXY_TEXT_BYTES];
	struct proxy p = parsed("upstream-proxy http://proxy.corp.example:3128/  # the company's");
	assert_true(p.is_set && !p.has_address);
	proxy_print(&p, text);
	assert_string_equal(text, "proxy.corp.example:3128");
	p = parsed("upstream-proxy\thttp://10.0.0.1:8080");
	assert_true(p.has_address);
	proxy_print(&p, text);
	assert_string_equal(text, "10.0.0.1:8080");
	p = parsed("upstream-proxy http://[fd00::1]:1\r");
	proxy_print(&p, text);
	assert_string_equal(text, "[fd00::1]:1");
}

static void user_and_password_are_decoded_and_never_shown(void **state)
{
	(void)state;
	static const struct {
		const char *user, *base64;
	} cases[] = {{"a:b", "YTpi"}, {"a:bc", "YTpiYw=="}, {"a:%62%3aC", "YTpiOkM="}, {"u%40x:p@", "dUB4OnBA"}};
	for (size_t i = 0; i < 4; i++) {
		char line[100], text[PROXY_TEXT_BYTES];
		(void)snprintf(line, sizeof(line), "upstream-proxy http://%s@p.example:1", cases[i].user);
		struct proxy p = parsed(line);
		assert_string_equal(p.auth, cases[i].base64);
		proxy_print(&p, text);
		assert_string_equal(text, "p.example:1");
	}
}

static void what_is_no_proxy_is_refused_with_its_column(void **state)
{
	(void)state;
	assert_bad("upstream-proxy", 1);
	assert_bad("upstream-proxy https://p.example:1", 16);
	assert_bad("upstream-proxy http://", 16);
	assert_bad("upstream-proxy http://p.example", 23);
	assert_bad("upstream-proxy http://p.example:0", 23);
	assert_bad("upstream-proxy http://p.example:65536", 23);
	assert_bad("upstream-proxy http://p.example:8x", 23);
	assert_bad("upstream-proxy http://-:1", 23);
	assert_bad("upstream-proxy http://0x7f.1:1", 23);
	assert_bad("upstream-proxy http://a%4:b@p.example:1", 23);
	assert_bad("upstream-proxy http://a%0d:b@p.example:1", 23);
	assert_bad("upstream-proxy http://p.example:1 more", 35);
	assert_bad("no-upstream-proxy", 1);
	assert_bad("no-upstream-proxy a.example,10.0.0.1", 29);
	assert_bad("no-upstream-proxy a.example,,b", 29);
}

static void a_second_line_must_say_the_same(void **state)
{
	(void)state;
	static const char *const others[] = {"http://q.example:1", "http://p.example:2", "http://u:p@p.example:1",
					     "http://10.0.0.1:1"};
	struct policy_error err;
	struct proxy p = parsed("upstream-proxy http://p.example:1");
	assert_int_equal(proxy_parse(span_of("upstream-proxy http://p.example:1"), &p, &err), PARSE_DONE);
	for (size_t i = 0; i < 4; i++) {
		char line[100];
		(void)snprintf(line, sizeof(line), "upstream-proxy %s", others[i]);
		assert_int_equal(proxy_parse(span_of(line), &p, &err), PARSE_BAD);
	}
	p = parsed("upstream-proxy http://10.0.0.1:1");
	struct proxy same = parsed("upstream-proxy http://10.0.0.1:1"), other = parsed("upstream-proxy http://10.0.0.2:1");
	assert_true(proxy_equal(&p, &same));
	assert_false(proxy_equal(&p, &other));
}

static bool is_for(const struct proxy *p, const char *text)
{
	struct name name;
	assert_int_equal(name_parse(span_of(text), &name), NAME_IS_HOST);
	return proxy_is_for(p, &name);
}

static void excepted_names_and_all_below_are_reached_directly(void **state)
{
	(void)state;
	struct policy_error err;
	struct proxy p = {0};
	assert_false(is_for(&p, "a.example"));
	p = parsed("upstream-proxy http://p.example:1");
	assert_true(is_for(&p, "a.example"));
	assert_int_equal(proxy_parse(span_of("no-upstream-proxy .corp.example,one.test"), &p, &err), PARSE_DONE);
	assert_false(is_for(&p, "corp.example"));
	assert_false(is_for(&p, "a.b.corp.example"));
	assert_true(is_for(&p, "notcorp.example"));
	assert_false(is_for(&p, "one.test"));
	assert_true(is_for(&p, "two.test"));
	assert_int_equal(proxy_parse(span_of("no-upstream-proxy *"), &p, &err), PARSE_DONE);
	assert_false(is_for(&p, "two.test"));
}

static void the_list_of_names_is_bounded(void **state)
{
	(void)state;
	struct policy_error err;
	struct proxy p = {0};
	for (int i = 0; i < PROXY_MAX_EXCEPT; i++)
		assert_int_equal(proxy_parse(span_of("no-upstream-proxy a.example"), &p, &err), PARSE_DONE);
	assert_int_equal(proxy_parse(span_of("no-upstream-proxy a.example"), &p, &err), PARSE_BAD);
}

static void its_lines_are_told_by_the_first_word(void **state)
{
	(void)state;
	assert_true(proxy_is_line(span_of("  upstream-proxy x")));
	assert_true(proxy_is_line(span_of("no-upstream-proxy")));
	assert_false(proxy_is_line(span_of("upstream-proxy.example")));
	assert_false(proxy_is_line(span_of("# upstream-proxy")));
	assert_false(proxy_is_line(span_of("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_an_address_and_ipv6_are_taken),
		cmocka_unit_test(user_and_password_are_decoded_and_never_shown),
		cmocka_unit_test(what_is_no_proxy_is_refused_with_its_column),
		cmocka_unit_test(a_second_line_must_say_the_same),
		cmocka_unit_test(excepted_names_and_all_below_are_reached_directly),
		cmocka_unit_test(the_list_of_names_is_bounded),
		cmocka_unit_test(its_lines_are_told_by_the_first_word),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
