/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/engine/test_env.c - what an agent's environment holds, and what it never holds */
#include "engine/env.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

static char *host[] = {
	"PATH=/usr/bin",
	"HOME=/home/other",
	"LANG=C.UTF-8",
	"LC_TIME=C",
	"TERM=xterm",
	"AWS_SECRET_ACCESS_KEY=s3cret",
	"SSH_AUTH_SOCK=/run/agent",
	"DBUS_SESSION_BUS_ADDRESS=unix:x",
	"DOCKER_HOST=unix:///x",
	"XDG_RUNTIME_DIR=/run/user/1",
	"LD_PRELOAD=/tmp/x.so",
	"MODEL_KEY=k",
	"http_proxy=http://corp:3128",
	"EMPTY=",
	"odd",
	"MODE=mine",
	NULL,
};

static struct env_spec plain(void)
{
	return (struct env_spec){.from = host,
				 .home = "/home/me",
				 .cwd = "/home/me/shop",
				 .session_id = "shop-7f3a",
				 .has_proxy = true};
}

static void the_keep_list_passes_and_nothing_else_does(void **state)
{
	(void)state;
	struct env env;
	const struct env_spec spec = plain();
	assert_int_equal(env_make(&spec, &env, NULL), 0);
	assert_string_equal(env_get(env.vars, "PATH"), "/usr/bin");
	assert_string_equal(env_get(env.vars, "LC_TIME"), "C");
	assert_string_equal(env_get(env.vars, "HOME"), "/home/me");
	assert_string_equal(env_get(env.vars, "PWD"), "/home/me/shop");
	assert_string_equal(env_get(env.vars, "DRYDOCK_SESSION"), "shop-7f3a");
	static const char *const gone[] = {"AWS_SECRET_ACCESS_KEY",
					   "SSH_AUTH_SOCK",
					   "DBUS_SESSION_BUS_ADDRESS",
					   "DOCKER_HOST",
					   "XDG_RUNTIME_DIR",
					   "LD_PRELOAD",
					   "MODEL_KEY",
					   "EMPTY",
					   "MODE"};
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		assert_null(env_get(env.vars, gone[i]));
	assert_null(env.vars[env.n]);
	env_drop(&env);
}

static void the_proxy_variables_are_ours_and_missing_without_egress(void **state)
{
	(void)state;
	struct env env;
	struct env_spec spec = plain();
	assert_int_equal(env_make(&spec, &env, NULL), 0);
	assert_string_equal(env_get(env.vars, "http_proxy"), "http://127.0.0.1:8888");
	assert_string_equal(env_get(env.vars, "HTTPS_PROXY"), "http://127.0.0.1:8888");
	assert_string_equal(env_get(env.vars, "no_proxy"), "localhost,127.0.0.1,::1");
	assert_string_equal(env_get(env.vars, "NODE_USE_ENV_PROXY"), "1");
	env_drop(&env);
	spec.has_proxy = false;
	assert_int_equal(env_make(&spec, &env, NULL), 0);
	assert_null(env_get(env.vars, "http_proxy"));
	env_drop(&env);
}

static void presets_keep_and_set_but_the_users_own_value_wins(void **state)
{
	(void)state;
	struct env env;
	struct env_spec spec = plain();
	spec.keep = (const char *const[]){"MODEL_KEY", "NOT_SET", "SSH_AUTH_SOCK", NULL};
	spec.set = (const char *const[]){"DISABLE_TELEMETRY=1", "MODE=preset", NULL};
	assert_int_equal(env_make(&spec, &env, NULL), 0);
	assert_string_equal(env_get(env.vars, "MODEL_KEY"), "k");
	assert_string_equal(env_get(env.vars, "DISABLE_TELEMETRY"), "1");
	assert_string_equal(env_get(env.vars, "MODE"), "mine");
	assert_null(env_get(env.vars, "NOT_SET"));
	assert_null(env_get(env.vars, "SSH_AUTH_SOCK"));
	env_drop(&env);
}

static void a_flag_passes_or_sets_a_variable_and_wins(void **state)
{
	(void)state;
	struct env env;
	struct env_spec spec = plain();
	spec.set = (const char *const[]){"MODE=preset", NULL};
	spec.add = (const char *const[]){
		"AWS_SECRET_ACCESS_KEY", "MODE=flag", "EMPTY", "NEW=a=b", "no_proxy=*", NULL};
	assert_int_equal(env_make(&spec, &env, NULL), 0);
	assert_string_equal(env_get(env.vars, "AWS_SECRET_ACCESS_KEY"), "s3cret");
	assert_string_equal(env_get(env.vars, "MODE"), "flag");
	assert_string_equal(env_get(env.vars, "EMPTY"), "");
	assert_string_equal(env_get(env.vars, "NEW"), "a=b");
	assert_string_equal(env_get(env.vars, "no_proxy"), "*");
	env_drop(&env);
}

static void what_may_not_or_cannot_be_passed_is_an_error(void **state)
{
	(void)state;
	static const char *const bad[] = {"SSH_AUTH_SOCK", "DBUS_X=1", "DOCKER_HOST=x",
					  "NOT_SET",	   "=x",       ""};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct env env = {0};
		struct err err = {0};
		struct env_spec spec = plain();
		spec.add = (const char *const[]){bad[i], NULL};
		assert_int_equal(env_make(&spec, &env, &err), -EINVAL);
		assert_true(err.text[0] != '\0');
		assert_int_equal(env.n, 0);
	}
}

static void without_a_path_there_is_a_default_one(void **state)
{
	(void)state;
	struct env env;
	struct env_spec spec = plain();
	spec.from = (char *[]){"TERM=xterm", NULL};
	assert_int_equal(env_make(&spec, &env, NULL), 0);
	assert_non_null(env_get(env.vars, "PATH"));
	env_drop(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_keep_list_passes_and_nothing_else_does),
		cmocka_unit_test(the_proxy_variables_are_ours_and_missing_without_egress),
		cmocka_unit_test(presets_keep_and_set_but_the_users_own_value_wins),
		cmocka_unit_test(a_flag_passes_or_sets_a_variable_and_wins),
		cmocka_unit_test(what_may_not_or_cannot_be_passed_is_an_error),
		cmocka_unit_test(without_a_path_there_is_a_default_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
