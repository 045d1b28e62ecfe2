/* SPDX-License-Identifier: Apache-2.0 */
/* Layers, presets and refusals, read from folders that the test makes. */
#include "config/config.h"
#include "base/fs.h"
#include "base/own.h"
#include "policy/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>

static char root[64], etc_dir[80], user_dir[80], preset_dir[80];
static const char *preset_dirs[] = {preset_dir, NULL};

static void put(const char *folder, const char *name, const char *text)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(fs_replace(path, span_of(text), 0600, NULL), 0);
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(root, sizeof(root), "/tmp/drydock-config-XXXXXX");
	assert_non_null(mkdtemp(root));
	(void)snprintf(etc_dir, sizeof(etc_dir), "%s/etc", root);
	(void)snprintf(user_dir, sizeof(user_dir), "%s/user", root);
	(void)snprintf(preset_dir, sizeof(preset_dir), "%s/presets", root);
	assert_int_equal(mkdir(etc_dir, 0700) | mkdir(user_dir, 0700) | mkdir(preset_dir, 0700), 0);
	put(preset_dir, "agent", "preset agent\ncommand agent agent2\nallow api.example:443 class=required\n"
				 "allow login.example class=login\nallow more.example class=optional\n"
				 "telemetry t.example\nenv QUIET=1\nkeep API_KEY\narg -c a -c b\nmount rw ~/.agent\n");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	AUTO(fd) int dir = open("/tmp", O_RDONLY | O_DIRECTORY);
	return fs_remove_tree(dir, root + 5, 100, NULL);
}

static int load(struct config_input in, struct config *out, struct err *err)
{
	in.preset_dirs = preset_dirs;
	in.etc_dir = etc_dir;
	in.user_dir = user_dir;
	in.home = "/home/tester";
	return config_load(&in, out, err);
}

static enum verdict_kind verdict(const struct config *c, const char *host)
{
	struct ruleset *set = NULL;
	struct err err = {0};
	struct name name;
	if (ruleset_load(buf_span(&c->policy), "policy", &set, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(name_parse(span_of(host), &name), NAME_IS_HOST);
	enum verdict_kind kind = verdict_name(set, &name, 443).kind;
	ruleset_free(set);
	return kind;
}

static void nothing_written_allows_nothing(void **state)
{
	(void)state;
	struct config c;
	assert_int_equal(load((struct config_input){0}, &c, NULL), 0);
	assert_int_equal(verdict(&c, "api.example"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(c.n_sources, 0);
	config_drop(&c);
}

static void layers_add_up_and_any_deny_wins(void **state)
{
	(void)state;
	const char *const allow[] = {"flag.example", NULL}, *const deny[] = {"user.example", NULL};
	struct config c;
	put(etc_dir, "allow", "etc.example\n");
	put(user_dir, "allow", "user.example\nkept.example # mine\n");
	put(user_dir, "deny", "etc.example\n");
	assert_int_equal(load((struct config_input){.allow = allow, .deny = deny}, &c, NULL), 0);
	assert_int_equal(verdict(&c, "flag.example"), VERDICT_ALLOW);
	assert_int_equal(verdict(&c, "kept.example"), VERDICT_ALLOW);
	assert_int_equal(verdict(&c, "user.example"), VERDICT_DENIED_BY_RULE);
	assert_int_equal(verdict(&c, "etc.example"), VERDICT_DENIED_BY_RULE);
	config_drop(&c);
}

static void a_preset_comes_by_the_commands_name(void **state)
{
	(void)state;
	struct config c;
	assert_int_equal(load((struct config_input){.command = "agent2"}, &c, NULL), 0);
	assert_int_equal(verdict(&c, "api.example"), VERDICT_ALLOW);
	assert_int_equal(verdict(&c, "login.example"), VERDICT_ALLOW);
	assert_int_equal(verdict(&c, "more.example"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(verdict(&c, "t.example"), VERDICT_TELEMETRY_OFF);
	assert_string_equal(c.env.items[0], "QUIET=1");
	assert_string_equal(c.keep.items[0], "API_KEY");
	assert_int_equal(c.args.n, 4);
	assert_string_equal(c.args.items[2], "-c");
	assert_string_equal(c.mounts[0].path, "/home/tester/.agent");
	assert_true(c.mounts[0].is_writable && c.mounts[0].is_optional);
	assert_string_equal(c.sources[0].name, "agent");
	assert_int_equal(c.sources[0].n_allows, 2);
	config_drop(&c);
	assert_int_equal(load((struct config_input){.command = "other"}, &c, NULL), 0);
	assert_int_equal(verdict(&c, "api.example"), VERDICT_NOT_ALLOWLISTED);
	config_drop(&c);
}

static void classes_are_added_by_name(void **state)
{
	(void)state;
	const char *const presets[] = {"agent+optional", NULL}, *const wrong[] = {"agnet", NULL};
	struct config c;
	struct err err = {0};
	assert_int_equal(load((struct config_input){.presets = presets}, &c, NULL), 0);
	assert_int_equal(verdict(&c, "more.example"), VERDICT_ALLOW);
	assert_int_equal(verdict(&c, "api.example"), VERDICT_ALLOW);
	config_drop(&c);
	assert_true(load((struct config_input){.presets = wrong}, &c, &err) < 0);
	assert_non_null(strstr(err.text, "did you mean 'agent'"));
}

static void the_administrators_lock_caps_all(void **state)
{
	(void)state;
	const char *const allow[] = {"flag.example", NULL};
	struct config c;
	put(etc_dir, "config", "lock\n");
	put(etc_dir, "allow", "etc.example\n");
	put(user_dir, "allow", "user.example\n");
	assert_int_equal(load((struct config_input){.allow = allow, .command = "agent"}, &c, NULL), 0);
	assert_int_equal(verdict(&c, "etc.example"), VERDICT_ALLOW);
	assert_int_equal(verdict(&c, "user.example"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(verdict(&c, "flag.example"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(verdict(&c, "api.example"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(c.notices.n, 1);
	config_drop(&c);
}

static void wrong_lines_load_nothing_and_say_where(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"*.github.io\n", ":1:1: '*.github.io' spans"},
		{"*.s3.amazonaws.com\n", "public suffix"},
		{"a.example\nalow b.example\n", ":2:1: unknown word 'alow' - did you mean 'allow'?"},
		{"lock\n", "administrator"},
		{"env X\n", ":1:5: env takes NAME=VALUE"},
		{"mount rx /a\n", ":1:7: mount takes"},
		{"limit memory lots\n", "limit takes"},
		{"a.example:99999\n", ":1:11: "},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config c;
		struct err err = {0};
		put(user_dir, "allow", rows[i][0]);
		if (load((struct config_input){0}, &c, &err) == 0)
			fail_msg("taken: %s", rows[i][0]);
		if (!strstr(err.text, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], err.text);
	}
}

static void a_wildcard_below_one_owners_name_is_fine(void **state)
{
	(void)state;
	struct config c;
	put(user_dir, "allow", "*.example.com\n*.debian.org:80\n*.npmjs.org\nb\xc3\xbc" "cher.example\n");
	assert_int_equal(load((struct config_input){0}, &c, NULL), 0);
	assert_int_equal(verdict(&c, "a.b.example.com"), VERDICT_ALLOW);
	assert_int_equal(verdict(&c, "xn--bcher-kva.example"), VERDICT_ALLOW);
	config_drop(&c);
}

static void a_file_that_others_can_write_is_refused(void **state)
{
	(void)state;
	struct config c;
	struct err err = {0};
	char path[128];
	put(user_dir, "allow", "a.example\n");
	(void)snprintf(path, sizeof(path), "%s/allow", user_dir);
	assert_int_equal(chmod(path, 0666), 0);
	assert_true(load((struct config_input){0}, &c, &err) < 0);
	assert_non_null(strstr(err.text, "written by others"));
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(load((struct config_input){0}, &c, NULL), 0);
	config_drop(&c);
}

static void a_projects_file_is_told_of_and_not_read(void **state)
{
	(void)state;
	struct config c;
	put(root, ".drydock", "evil.example\n");
	assert_int_equal(load((struct config_input){.project = root}, &c, NULL), 0);
	assert_int_equal(verdict(&c, "evil.example"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(c.notices.n, 1);
	config_drop(&c);
}

static void every_shipped_preset_loads(void **state)
{
	(void)state;
	const char *const shipped[] = {SHIPPED_PRESETS, NULL};
	AUTO(dir) DIR *dir = opendir(SHIPPED_PRESETS);
	assert_non_null(dir);
	struct dirent *e;
	size_t n = 0;
	while ((e = readdir(dir))) {
		char wanted[300];
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(wanted, sizeof(wanted), "%s+all", e->d_name);
		const char *const presets[] = {wanted, NULL};
		struct config_input in = {.preset_dirs = shipped, .etc_dir = "/nonexistent", .home = "/home/t",
					  .presets = presets};
		struct config c;
		struct err err = {0};
		if (config_load(&in, &c, &err) < 0)
			fail_msg("%s: %s", e->d_name, err.text);
		(void)verdict(&c, "example.com"); /* the policy text parses */
		config_drop(&c);
		n++;
	}
	assert_true(n >= 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_written_allows_nothing), TEST(layers_add_up_and_any_deny_wins),
		TEST(a_preset_comes_by_the_commands_name), TEST(classes_are_added_by_name),
		TEST(the_administrators_lock_caps_all), TEST(wrong_lines_load_nothing_and_say_where),
		TEST(a_wildcard_below_one_owners_name_is_fine), TEST(a_file_that_others_can_write_is_refused),
		TEST(a_projects_file_is_told_of_and_not_read), TEST(every_shipped_preset_loads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
