/* SPDX-License-Identifier: Apache-2.0 */
/* Every preset that is shipped loads, with every class it has, and keeps to the rules for presets. */
#include "base/fs.h"
#include "base/own.h"
#include "config/config.h"
#include "policy/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char folder[] = SHIPPED_PRESETS;

static struct config loaded(const char *preset, const char *command)
{
	const char *dirs[] = {folder, NULL};
	const char *presets[] = {preset, NULL};
	struct config_input in = {.preset_dirs = dirs, .home = "/home/u", .presets = preset ? presets : NULL,
				  .command = command};
	struct config config = {0};
	struct err err = {0};
	if (config_load(&in, &config, &err) < 0)
		fail_msg("%s: %s", preset ? preset : command, err.text);
	return config;
}

static struct ruleset *rules_of(const struct config *config)
{
	struct ruleset *set = NULL;
	struct err err = {0};
	if (ruleset_load(buf_span(&config->policy), "policy", &set, &err) < 0)
		fail_msg("%s", err.text);
	return set;
}

/* The host may be reached at 443 with the preset's default classes, by a rule of that preset. */
static enum verdict_kind ask(const struct config *config, const char *host)
{
	struct ruleset *set = rules_of(config);
	struct name name;
	assert_int_equal(name_parse(span_of(host), &name), NAME_IS_HOST);
	enum verdict_kind kind = verdict_name(set, &name, 443).kind;
	ruleset_free(set);
	return kind;
}

static void assert_has(const struct text_list *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->items[i], text))
			return;
	fail_msg("'%s' is missing", text);
}

static void every_preset_loads_with_all_its_classes(void **state)
{
	(void)state;
	AUTO(dir) DIR *dir = opendir(folder);
	struct dirent *e;
	size_t n = 0;
	assert_non_null(dir);
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		char all[300];
		(void)snprintf(all, sizeof(all), "%s+all", e->d_name);
		struct config config = loaded(all, NULL);
		struct ruleset *set = rules_of(&config);
		assert_true(ruleset_count(set, RULE_ALLOW) > 0);
		assert_int_equal(config.n_sources, 1);
		assert_string_equal(config.sources[0].name, e->d_name);
		assert_int_equal(config.sources[0].n_allows, ruleset_count(set, RULE_ALLOW));
		ruleset_free(set);
		config_drop(&config);
		n++;
	}
	assert_true(n >= 30);
}

/* A multi-tenant object store, or everything of a provider that has one, is a way out for data. */
static void no_preset_opens_an_object_store(void **state)
{
	(void)state;
	static const char *const stores[] = {"storage.googleapis.com", "x.s3.amazonaws.com", "x.blob.core.windows.net",
					     "x.r2.cloudflarestorage.com", "gist.github.com", "x.github.io",
					     "metadata.google.internal"};
	AUTO(dir) DIR *dir = opendir(folder);
	struct dirent *e;
	assert_non_null(dir);
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		char all[300];
		(void)snprintf(all, sizeof(all), "%s+all", e->d_name);
		struct config config = loaded(all, NULL);
		for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
			if (ask(&config, stores[i]) == VERDICT_ALLOW)
				fail_msg("%s opens %s", e->d_name, stores[i]);
		config_drop(&config);
	}
}

static void the_command_chooses_claude_code(void **state)
{
	(void)state;
	struct config config = loaded(NULL, "claude");
	assert_int_equal(ask(&config, "api.anthropic.com"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "claude.ai"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "downloads.claude.ai"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(ask(&config, "statsig.anthropic.com"), VERDICT_TELEMETRY_OFF);
	assert_int_equal(ask(&config, "o1.ingest.sentry.io"), VERDICT_TELEMETRY_OFF);
	assert_has(&config.env, "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL=1");
	assert_has(&config.env, "DISABLE_TELEMETRY=1");
	assert_has(&config.keep, "ANTHROPIC_API_KEY");
	assert_int_equal(config.n_mounts, 2);
	assert_string_equal(config.mounts[0].path, "/home/u/.claude");
	assert_string_equal(config.mounts[1].path, "/home/u/.claude.json");
	assert_true(config.mounts[0].is_writable && config.mounts[0].is_optional);
	config_drop(&config);
}

static void the_command_chooses_codex_with_its_arguments(void **state)
{
	(void)state;
	struct config config = loaded(NULL, "codex");
	assert_int_equal(ask(&config, "api.openai.com"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "ab.chatgpt.com"), VERDICT_TELEMETRY_OFF);
	assert_int_equal(ask(&config, "github.com"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(config.args.n, 10);
	assert_string_equal(config.args.items[0], "-c");
	assert_string_equal(config.args.items[1], "analytics.enabled=false");
	assert_string_equal(config.args.items[8], "-c");
	assert_has(&config.args, "check_for_update_on_startup=false");
	assert_has(&config.keep, "OPENAI_API_KEY");
	assert_has(&config.keep, "CODEX_API_KEY");
	config_drop(&config);
}

static void no_other_command_chooses_a_preset(void **state)
{
	(void)state;
	struct config config = loaded(NULL, "true");
	assert_int_equal(config.n_sources, 0);
	assert_int_equal(config.policy.n, 0);
	config_drop(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_preset_loads_with_all_its_classes),
		cmocka_unit_test(no_preset_opens_an_object_store),
		cmocka_unit_test(the_command_chooses_claude_code),
		cmocka_unit_test(the_command_chooses_codex_with_its_arguments),
		cmocka_unit_test(no_other_command_chooses_a_preset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
