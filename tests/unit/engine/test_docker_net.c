/* SPDX-License-Identifier: Apache-2.0 */
/* tests of engine/docker_net.c: each property that a network must have, and what is said when it has not */
#include "engine/docker_net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char good[] = "driver=bridge\ninternal=true\nipv6=false\nscope=local\ninhibit=true\nicc=\n"
			   "subnet=172.30.0.0/16 \nmembers=drydock-a-1 drydock-a-1-egress \n";
static const char good_outer[] = "driver=bridge\ninternal=false\nipv6=false\nscope=local\ninhibit=\nicc=false\n"
				 "subnet=172.31.0.0/16 \nmembers=anything \n";

/* @facts with the line of @key changed */
static int check_with(const char *facts, bool is_inner, const char *key, const char *value, struct err *err)
{
	char text[512];
	const char *at = strstr(facts, key);
	assert_non_null(at);
	const char *end = strchr(at, '\n');
	(void)snprintf(text, sizeof(text), "%.*s%s%s%s", (int)(at - facts), facts, key, value, end);
	return docker_net_check("net", is_inner, span_of(text), err);
}

static void the_right_ones_are_right(void **state)
{
	struct err err = {0};
	(void)state;
	assert_int_equal(docker_net_check("net", true, span_of(good), &err), 0);
	assert_int_equal(docker_net_check("net", false, span_of(good_outer), &err), 0);
	assert_int_equal(check_with(good, true, "members=", "", &err), 0);
}

static void each_wrong_property_is_refused_with_the_command(void **state)
{
	static const struct {
		const char *key, *value;
		bool is_inner;
	} wrong[] = {
		{"driver=", "macvlan", true},  {"internal=", "false", true}, {"ipv6=", "true", true},
		{"scope=", "swarm", true},     {"inhibit=", "", true},	     {"inhibit=", "false", true},
		{"internal=", "true", false},  {"icc=", "", false},	     {"icc=", "true", false},
		{"ipv6=", "true", false},      {"driver=", "host", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err err = {0};
		int rc = check_with(wrong[i].is_inner ? good : good_outer, wrong[i].is_inner, wrong[i].key, wrong[i].value, &err);
		assert_true(rc < 0);
		assert_string_equal(err.fix, "docker network rm net");
	}
}

static void a_stranger_on_the_inner_one_is_named(void **state)
{
	struct err err = {0};
	(void)state;
	assert_true(check_with(good, true, "members=", "drydock-a-1 database ", &err) < 0);
	assert_non_null(strstr(err.text, "'database'"));
	assert_string_equal(err.fix, "docker network disconnect net database");
}

static void an_answer_without_the_facts_is_refused(void **state)
{
	struct err err = {0};
	(void)state;
	assert_true(docker_net_check("net", true, span_of(""), &err) < 0);
	assert_true(docker_net_check("net", false, span_of("driver=bridge\n"), &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_ones_are_right),
		cmocka_unit_test(each_wrong_property_is_refused_with_the_command),
		cmocka_unit_test(a_stranger_on_the_inner_one_is_named),
		cmocka_unit_test(an_answer_without_the_facts_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
