/* SPDX-License-Identifier: Apache-2.0 */
/* How the layers meet: classes, the lock, whose files are read, what wildcards may span, marks. */
#include "base/fs.h"
#include "base/own.h"
#include "config/config.h"
#include "config/trust.h"
#include "policy/verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/stat.h>

/* A fresh folder for each test: etc, user, user/presets, presets, project. */
struct place {
	char root[64];
	char etc[80], user[80], user_presets[100], presets[80], project[80];
	const char *preset_dirs[3];
	struct config_input in;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	if (!p)
		return -1;
	(void)strcpy(p->root, "/tmp/drydock-config-XXXXXX");
	if (!mkdtemp(p->root))
		return -1;
	(void)snprintf(p->etc, sizeof(p->etc), "%s/etc", p->root);
	(void)snprintf(p->user, sizeof(p->user), "%s/user", p->root);
	(void)snprintf(p->user_presets, sizeof(p->user_presets), "%s/presets", p->user);
	(void)snprintf(p->presets, sizeof(p->presets), "%s/presets", p->root);
	(void)snprintf(p->project, sizeof(p->project), "%s/project", p->root);
	if (mkdir(p->etc, 0755) || mkdir(p->user, 0755) || mkdir(p->user_presets, 0755) ||
	    mkdir(p->presets, 0755) || mkdir(p->project, 0755))
		return -1;
	p->preset_dirs[0] = p->presets;
	p->preset_dirs[1] = p->user_presets;
	p->in = (struct config_input){.preset_dirs = p->preset_dirs, .etc_dir = p->etc, .user_dir = p->user,
				      .project = p->project, .home = "/home/u"};
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	AUTO(fd) int tmp = open("/tmp", O_DIRECTORY | O_CLOEXEC);
	struct err err = {0};
	int rc = fs_remove_tree(tmp, p->root + strlen("/tmp/"), 1000, &err);
	free(p);
	return rc;
}

static void put_file(const char *folder, const char *name, const char *text)
{
	char path[300];
	struct err err = {0};
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(fs_replace(path, span_of(text), 0644, &err), 0);
}

static struct config loaded(const struct place *p)
{
	struct config config = {0};
	struct err err = {0};
	if (config_load(&p->in, &config, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

/* Loading fails, and the message holds @part; @out is untouched. */
static void assert_refused(const struct place *p, const char *part)
{
	struct config config = {.n_mounts = 77};
	struct err err = {0};
	assert_true(config_load(&p->in, &config, &err) < 0);
	if (!strstr(err.text, part))
		fail_msg("'%s' is not in: %s", part, err.text);
	assert_int_equal(config.n_mounts, 77);
}

static void assert_notice(const struct config *config, const char *part)
{
	for (size_t i = 0; i < config->notices.n; i++)
		if (strstr(config->notices.items[i], part))
			return;
	fail_msg("no notice says '%s'", part);
}

static struct verdict ask_port(const struct config *config, const char *host, uint16_t port, char origin[200])
{
	struct ruleset *set = NULL;
	struct err err = {0};
	struct name name;
	if (ruleset_load(buf_span(&config->policy), "policy", &set, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(name_parse(span_of(host), &name), NAME_IS_HOST);
	struct verdict v = verdict_name(set, &name, port);
	(void)snprintf(origin, 200, "%s:%u", v.origin.file ? v.origin.file : "", v.origin.line);
	v.origin.file = NULL;
	ruleset_free(set);
	return v;
}

static enum verdict_kind ask(const struct config *config, const char *host)
{
	char ignored[200];
	return ask_port(config, host, 443, ignored).kind;
}

static void assert_origin(const struct config *config, const char *host, const char *want)
{
	char origin[200];
	(void)ask_port(config, host, 443, origin);
	size_t n = strlen(origin), m = strlen(want);
	if (n < m || strcmp(origin + n - m, want) != 0)
		fail_msg("%s comes from %s, not %s", host, origin, want);
}

static void nothing_written_is_an_empty_policy(void **state)
{
	struct place *p = *state;
	struct config config = loaded(p);
	assert_int_equal(config.policy.n, 0);
	assert_int_equal(config.notices.n, 0);
	assert_int_equal(ask(&config, "a.example"), VERDICT_NOT_ALLOWLISTED);
	config_drop(&config);
	p->in = (struct config_input){0};
	config = loaded(p);
	assert_int_equal(config.policy.n, 0);
	config_drop(&config);
}

static void allows_of_all_layers_add_up_and_any_deny_wins(void **state)
{
	struct place *p = *state;
	static const char *const allow[] = {"flag.example", "both.example", NULL};
	static const char *const deny[] = {"user.example:80", NULL};
	char rules[200];
	put_file(p->etc, "config", "# first line\nallow etc.example\n");
	put_file(p->etc, "deny", "both.example\n");
	put_file(p->user, "allow", "user.example:80,443\n\nboth.example\n");
	put_file(p->root, "rules", "file.example\n");
	(void)snprintf(rules, sizeof(rules), "%s/rules", p->root);
	const char *files[] = {rules, NULL};
	p->in.allow = allow;
	p->in.deny = deny;
	p->in.allow_files = files;

	struct config config = loaded(p);
	char origin[200];
	assert_int_equal(ask(&config, "etc.example"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "user.example"), VERDICT_ALLOW);
	assert_int_equal(ask_port(&config, "user.example", 80, origin).kind, VERDICT_DENIED_BY_RULE);
	assert_string_equal(origin, "--deny:1");
	assert_int_equal(ask(&config, "flag.example"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "file.example"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "both.example"), VERDICT_DENIED_BY_RULE);
	assert_origin(&config, "etc.example", "/etc/config:2");
	assert_origin(&config, "user.example", "/user/allow:1");
	assert_origin(&config, "both.example", "/etc/deny:1");
	assert_origin(&config, "flag.example", "--allow:1");
	assert_origin(&config, "file.example", "/rules:1");
	config_drop(&config);
}

static void a_bad_line_anywhere_loads_nothing(void **state)
{
	struct place *p = *state;
	put_file(p->user, "allow", "a.example\nb.example privat\n");
	assert_refused(p, "/user/allow:2:11: unknown option 'privat'");
	put_file(p->user, "allow", "a.example\n");
	put_file(p->user, "config", "presett npm\n");
	assert_refused(p, "/user/config:1:1: unknown word 'presett' - did you mean 'preset'?");
	put_file(p->user, "config", "limit memory\n");
	assert_refused(p, "/user/config:1:");
	put_file(p->user, "config", "mount rw relative\n");
	assert_refused(p, "absolute path");
	put_file(p->user, "config", "env NAME\n");
	assert_refused(p, "NAME=VALUE");
	put_file(p->user, "config", "env A=1 B=2\n");
	assert_refused(p, "one NAME=VALUE");
	put_file(p->user, "config", "command claude\n");
	assert_refused(p, "belongs to presets");
	put_file(p->user, "deny", "*\n");
	put_file(p->user, "config", "");
	assert_refused(p, "/user/deny:1:1: ");
	static const char *const allow[] = {"a.example", "https://b.example", NULL};
	put_file(p->user, "deny", "");
	p->in.allow = allow;
	assert_refused(p, "--allow:2:1: ");
}

static void a_second_line_in_a_flag_is_no_second_rule(void **state)
{
	struct place *p = *state;
	static const char *const allow[] = {"a.example # x\nallow b.example", NULL};
	p->in.allow = allow;
	struct config config = loaded(p);
	assert_int_equal(ask(&config, "a.example"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "b.example"), VERDICT_NOT_ALLOWLISTED);
	config_drop(&config);
	static const char *const files[] = {"/dev/null\n", NULL};
	p->in.allow_files = files;
	assert_refused(p, "control character");
}

static void a_missing_allow_file_is_an_error(void **state)
{
	struct place *p = *state;
	static const char *const files[] = {"/nonexistent/rules", NULL};
	p->in.allow_files = files;
	assert_refused(p, "/nonexistent/rules");
}

static void a_file_that_others_can_write_is_refused(void **state)
{
	struct place *p = *state;
	char path[100];
	put_file(p->user, "allow", "a.example\n");
	(void)snprintf(path, sizeof(path), "%s/allow", p->user);
	assert_int_equal(chmod(path, 0664), 0);
	assert_refused(p, "can be written by others");
	assert_int_equal(chmod(path, 0646), 0);
	assert_refused(p, "can be written by others");
	assert_int_equal(chmod(path, 0644), 0);
	struct config config = loaded(p);
	assert_int_equal(ask(&config, "a.example"), VERDICT_ALLOW);
	config_drop(&config);
	if (geteuid() != 0) {
		print_message("a file of another user: skipped, only root can make one\n");
		return;
	}
	assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
	assert_refused(p, "belongs to another user");
}

static void the_users_own_presets_are_held_to_the_same(void **state)
{
	struct place *p = *state;
	static const char *const presets[] = {"mine", NULL};
	char path[150];
	put_file(p->user_presets, "mine", "preset mine\nallow a.example\n");
	p->in.presets = presets;
	struct config config = loaded(p);
	assert_int_equal(ask(&config, "a.example"), VERDICT_ALLOW);
	assert_origin(&config, "a.example", "preset:mine:2");
	config_drop(&config);
	(void)snprintf(path, sizeof(path), "%s/mine", p->user_presets);
	assert_int_equal(chmod(path, 0666), 0);
	assert_refused(p, "can be written by others");
}

static const char agent[] = "preset agent\ntitle An agent\ncommand agent agent-cli\n"
			    "allow api.example class=required risk=shared-write why=\"the API # 1\"\n"
			    "allow plain.example\n"
			    "allow login.example class=login\n"
			    "allow update.example class=update\n"
			    "allow more.example class=optional\n"
			    "telemetry t.api.example class=telemetry\n"
			    "deny bad.example\n"
			    "env A=preset\nenv B=\"two words\"\nkeep API_KEY OTHER_KEY\narg -c x.y=false \"one arg\"\narg -c\n"
			    "mount rw ~/.agent /var/lib/agent\nmount ro ~/.shared\nlimit memory 2G\n"
			    "source https://agent.example/docs\n";

static void a_preset_gives_its_default_classes(void **state)
{
	struct place *p = *state;
	put_file(p->presets, "agent", agent);
	put_file(p->presets, "agent~", "command agent\nallow backup.example\n");
	p->in.command = "agent-cli";
	struct config config = loaded(p);
	assert_int_equal(ask(&config, "api.example"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "plain.example"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "login.example"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "update.example"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(ask(&config, "more.example"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(ask(&config, "backup.example"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(ask(&config, "t.api.example"), VERDICT_TELEMETRY_OFF);
	assert_int_equal(ask(&config, "bad.example"), VERDICT_DENIED_BY_RULE);
	assert_origin(&config, "api.example", "preset:agent:4");
	assert_int_equal(config.n_sources, 1);
	assert_string_equal(config.sources[0].name, "agent");
	assert_int_equal(config.sources[0].n_allows, 3);
	assert_int_equal(config.env.n, 2);
	assert_string_equal(config.env.items[1], "B=two words");
	assert_int_equal(config.keep.n, 2);
	assert_int_equal(config.args.n, 4);
	assert_string_equal(config.args.items[2], "one arg");
	assert_string_equal(config.args.items[3], "-c");
	assert_int_equal(config.n_mounts, 3);
	assert_string_equal(config.mounts[0].path, "/home/u/.agent");
	assert_string_equal(config.mounts[1].path, "/var/lib/agent");
	assert_true(config.mounts[1].is_writable);
	assert_false(config.mounts[2].is_writable);
	assert_true(config.memory_bytes == 2ULL << 30);
	config_drop(&config);
	p->in.command = "agent-other";
	config = loaded(p);
	assert_int_equal(config.policy.n, 0);
	config_drop(&config);
}

static void further_classes_are_asked_for_by_name(void **state)
{
	struct place *p = *state;
	static const char *const presets[] = {"agent+update", "agent+optional", NULL};
	static const char *const wrong[] = {"agent+updat", NULL};
	static const char *const empty[] = {"agent+", NULL};
	put_file(p->presets, "agent", agent);
	p->in.presets = presets;
	struct config config = loaded(p);
	assert_int_equal(ask(&config, "update.example"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "more.example"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "api.example"), VERDICT_ALLOW);
	assert_int_equal(config.sources[0].n_allows, 5);
	config_drop(&config);
	p->in.presets = wrong;
	assert_refused(p, "no rule of class 'updat'");
	p->in.presets = empty;
	assert_refused(p, "a class is missing");
}

static void an_unknown_preset_is_named_with_the_closest(void **state)
{
	struct place *p = *state;
	static const char *const typo[] = {"agnet", NULL};
	static const char *const start[] = {"age", NULL};
	static const char *const path[] = {"../presets/agent", NULL};
	put_file(p->user_presets, "agent", agent);
	p->in.presets = typo;
	assert_refused(p, "unknown preset 'agnet' - did you mean 'agent'?");
	p->in.presets = start;
	assert_refused(p, "did you mean 'agent'?");
	p->in.presets = path;
	assert_refused(p, "is no preset's name");
	put_file(p->user, "config", "preset agent\n");
	p->in.presets = NULL;
	struct config config = loaded(p);
	assert_int_equal(ask(&config, "api.example"), VERDICT_ALLOW);
	config_drop(&config);
}

static void a_preset_is_named_as_its_file(void **state)
{
	struct place *p = *state;
	static const char *const presets[] = {"other", NULL};
	put_file(p->presets, "other", agent);
	p->in.presets = presets;
	assert_refused(p, "preset:other:1:8: a preset is named as its file is: 'other'");
}

static void the_users_own_values_win_over_a_presets(void **state)
{
	struct place *p = *state;
	put_file(p->presets, "agent", agent);
	put_file(p->etc, "config", "env A=etc\nenv C=etc\nlimit pids 100\nlimit memory 4G\n");
	put_file(p->user, "config", "env A=user\nlimit memory 1G\nlimit cpus 2\nmount ro ~/.agent\n");
	p->in.command = "agent";
	struct config config = loaded(p);
	assert_int_equal(config.env.n, 3);
	assert_string_equal(config.env.items[0], "A=user");
	assert_string_equal(config.env.items[1], "C=etc");
	assert_string_equal(config.env.items[2], "B=two words");
	assert_true(config.memory_bytes == 1ULL << 30);
	assert_int_equal(config.max_pids, 100);
	assert_int_equal(config.cpu_percent, 200);
	assert_int_equal(config.n_mounts, 3);
	assert_false(config.mounts[0].is_writable);
	assert_false(config.mounts[0].is_optional);
	config_drop(&config);
	put_file(p->user, "config", "limit memory 999999999T\n");
	assert_refused(p, "limit takes");
	p->in.home = NULL;
	put_file(p->user, "config", "mount rw ~/x\n");
	assert_refused(p, "home folder is not known");
}

static void a_lock_caps_what_lower_layers_allow(void **state)
{
	struct place *p = *state;
	static const char *const allow[] = {"flag.example", NULL};
	static const char *const deny[] = {"denied.example # x\nallow hidden.example", NULL};
	put_file(p->presets, "agent", agent);
	put_file(p->etc, "config", "allow etc.example\nlock\n");
	put_file(p->etc, "allow", "late.example\n");
	put_file(p->user, "allow", "user.example\n");
	put_file(p->user, "deny", "etc.example:80\n");
	p->in.command = "agent";
	p->in.allow = allow;
	p->in.deny = deny;
	struct config config = loaded(p);
	char origin[200];
	assert_int_equal(ask(&config, "etc.example"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "late.example"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "user.example"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(ask(&config, "flag.example"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(ask(&config, "api.example"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(ask(&config, "hidden.example"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(ask(&config, "t.api.example"), VERDICT_TELEMETRY_OFF);
	assert_int_equal(ask_port(&config, "etc.example", 80, origin).kind, VERDICT_DENIED_BY_RULE);
	assert_notice(&config, "lock in /etc/drydock left out 5 allow rules");
	config_drop(&config);
	put_file(p->user, "config", "lock\n");
	assert_refused(p, "belongs to the administrator");
}

static void a_lock_keeps_the_administrators_presets_as_he_named_them(void **state)
{
	struct place *p = *state;
	static const char *const presets[] = {"agent+optional", NULL};
	put_file(p->presets, "agent", agent);
	put_file(p->user_presets, "agent", "preset agent\nallow shadow.example\n");
	put_file(p->etc, "config", "preset agent+update\nlock\n");
	p->in.presets = presets;
	struct config config = loaded(p);
	assert_int_equal(ask(&config, "api.example"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "update.example"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "more.example"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(ask(&config, "shadow.example"), VERDICT_NOT_ALLOWLISTED);
	assert_notice(&config, "left out classes of preset 'agent'");
	config_drop(&config);
	put_file(p->etc, "config", "preset agent+update\n"); /* the twin without a lock */
	put_file(p->user_presets, "agent", "preset agent\nallow shadow.example\nallow x.example class=update\n"
					   "allow y.example class=optional\n");
	config = loaded(p);
	assert_int_equal(ask(&config, "shadow.example"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "y.example"), VERDICT_ALLOW);
	config_drop(&config);
}

static void a_wildcard_over_a_public_suffix_is_refused(void **state)
{
	struct place *p = *state;
	static const char *const wide[] = {"*.github.io", "*.s3.amazonaws.com", "*.co.uk", "*.blogspot.com"};
	const char *allow[] = {NULL, NULL};
	p->in.allow = allow;
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		allow[0] = wide[i];
		assert_refused(p, "public suffix");
	}
	allow[0] = "*.com";
	assert_refused(p, "--allow:1:1: ");
	static const char *const fine[] = {"*.project.github.io", "project.github.io", "*.bucket.s3.amazonaws.com",
					   "*.example.co.uk"};
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		allow[0] = fine[i];
		struct config config = loaded(p);
		assert_int_equal(config.sources[0].n_allows, 1);
		config_drop(&config);
	}
	static const char *const deny[] = {"*.github.io", NULL};
	p->in.deny = deny;
	struct config config = loaded(p);
	assert_int_equal(ask(&config, "x.github.io"), VERDICT_DENIED_BY_RULE);
	config_drop(&config);
}

static void an_international_name_is_taken_and_shown_in_ascii(void **state)
{
	struct place *p = *state;
	static const char *const allow[] = {"B\xc3\xbc" "cher.example:8443", "*.\xe4\xbe\x8b\xe3\x81\x88.example", NULL};
	p->in.allow = allow;
	struct config config = loaded(p);
	char origin[200];
	assert_int_equal(ask_port(&config, "xn--bcher-kva.example", 8443, origin).kind, VERDICT_ALLOW);
	assert_int_equal(ask(&config, "a.xn--r8jz45g.example"), VERDICT_ALLOW);
	assert_notice(&config, "is xn--bcher-kva.example");
	assert_notice(&config, "is *.xn--r8jz45g.example");
	config_drop(&config);
	const char *bad[] = {"\xff\xfe.example", NULL};
	p->in.allow = bad;
	assert_refused(p, "--allow:1:1: ");
	char longer[700];
	memset(longer, 'a', sizeof(longer));
	memcpy(longer, "\xc3\xbc", 2);
	(void)strcpy(longer + 680, ".example");
	bad[0] = longer;
	assert_refused(p, "no ASCII form");
}

static void an_untrusted_project_file_is_ignored_with_one_notice(void **state)
{
	struct place *p = *state;
	put_file(p->project, ".drydock", "allow project.example\nthis is no rule\n");
	struct config config = loaded(p);
	assert_int_equal(ask(&config, "project.example"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(config.notices.n, 1);
	assert_notice(&config, "/project/.drydock is not trusted and was ignored");
	config_drop(&config);
	p->in.project = NULL;
	config = loaded(p);
	assert_int_equal(config.notices.n, 0);
	config_drop(&config);
}

static void following_lines_share_one_mark(void **state)
{
	struct place *p = *state;
	put_file(p->user, "allow", "a.example\nb.example\n\n# gap\nc.example\n");
	struct config config = loaded(p);
	char want[400];
	(void)snprintf(want, sizeof(want),
		       "#line 1 \"%s/allow\"\nallow a.example:443\nallow b.example:443\n"
		       "#line 5 \"%s/allow\"\nallow c.example:443\n", p->user, p->user);
	assert_int_equal(config.policy.n, strlen(want));
	assert_memory_equal(config.policy.p, want, strlen(want));
	assert_origin(&config, "b.example", "/allow:2");
	assert_origin(&config, "c.example", "/allow:5");
	config_drop(&config);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Writes the project's file and trusts it. */
static void put_project(struct place *p, const char *text)
{
	char path[128], dir[96];
	put_file(p->project, ".drydock", text);
	(void)snprintf(path, sizeof(path), "%s/.drydock", p->project);
	(void)snprintf(dir, sizeof(dir), "%s/trust", p->root);
	assert_int_equal(trust_grant(dir, path, span_of(text), NULL), 0);
}

static void a_projects_limits_only_tighten(void **state)
{
	struct place *p = *state;
	char dir[96];
	(void)snprintf(dir, sizeof(dir), "%s/trust", p->root);
	p->in.trust_dir = dir;
	put_file(p->user, "config", "limit memory 2G\nlimit pids 100\n");
	put_project(p, "limit memory 4G\nlimit pids 50\nlimit cpus 2\n");
	struct config config = loaded(p);
	assert_true(config.memory_bytes == 2ULL << 30);
	assert_int_equal(config.max_pids, 50);
	assert_int_equal(config.cpu_percent, 200);
	config_drop(&config);
	p->in.trust_dir = NULL; /* not trusted: as if it were not there */
	config = loaded(p);
	assert_int_equal(config.max_pids, 100);
	assert_notice(&config, "is not trusted");
	config_drop(&config);
}

static void a_preset_of_the_project_alone_adds_only_allows(void **state)
{
	struct place *p = *state;
	const char *const wanted[] = {"tool", NULL};
	char dir[96];
	(void)snprintf(dir, sizeof(dir), "%s/trust", p->root);
	p->in.trust_dir = dir;
	put_file(p->presets, "tool",
		 "preset tool\nallow a.test\ndeny b.test\ntelemetry c.test\nenv A=b\nkeep K\narg x\nmount rw /srv\n"
		 "limit pids 7\nbudget conns=9\n");
	put_project(p, "preset tool\n");
	struct config config = loaded(p);
	assert_int_equal(ask(&config, "a.test"), VERDICT_ALLOW);
	assert_int_equal(ask(&config, "b.test"), VERDICT_NOT_ALLOWLISTED);
	assert_int_equal(config.env.n + config.keep.n + config.args.n + config.n_mounts + config.max_pids, 0);
	config_drop(&config);
	p->in.presets = wanted; /* the user names it too */
	config = loaded(p);
	assert_int_equal(ask(&config, "b.test"), VERDICT_DENIED_BY_RULE);
	assert_int_equal(config.env.n + config.keep.n + config.args.n + config.n_mounts, 4);
	assert_int_equal(config.max_pids, 7);
	config_drop(&config);
}

static void a_lock_caps_a_trusted_project_too(void **state)
{
	struct place *p = *state;
	char dir[96];
	(void)snprintf(dir, sizeof(dir), "%s/trust", p->root);
	p->in.trust_dir = dir;
	put_project(p, "allow a.test\n");
	struct config config = loaded(p);
	assert_int_equal(ask(&config, "a.test"), VERDICT_ALLOW);
	config_drop(&config);
	put_file(p->etc, "config", "lock\n");
	config = loaded(p);
	assert_int_equal(ask(&config, "a.test"), VERDICT_NOT_ALLOWLISTED);
	assert_notice(&config, "left out 1 allow rule");
	config_drop(&config);
}

static bool is_in_policy(const struct config *config, const char *text)
{
	return config->policy.n && memmem(config->policy.p, config->policy.n, text, strlen(text)) != NULL;
}

static void registries_of_the_users_own_settings_come_with_their_preset(void **state)
{
	struct place *p = *state;
	const char *wanted[] = {"npm", "pypi", "crates", "debian", NULL};
	char path[160];
	static const char *const names[] = {"npm", "pypi", "crates", "debian"};
	for (size_t i = 0; i < 4; i++)
		put_file(p->presets, names[i], "allow base.test\n");
	p->in.home = p->root;
	p->in.system_etc = p->etc;
	put_file(p->root, ".npmrc",
		 "; c\nregistry = https://npm.corp.example/path/\n@s:registry=http://u:hunter2@scope.example:8080\n"
		 "//npm.corp.example/:_authToken=https://token.example\nproxy=https://proxy.example\n"
		 "@t:registry=https://192.0.2.1/\n@u:registry=https://localhost:4873/\n");
	put_file(p->etc, "pip.conf",
		 "[global]\nindex-url = https://__token__:hunter2@pip.example/simple\nextra-index-url =\n"
		 "    https://one.example/simple\n    http://two.example/simple\ntrusted-host = https://no.example\n");
	(void)snprintf(path, sizeof(path), "%s/.cargo", p->root);
	assert_int_equal(mkdir(path, 0755), 0);
	put_file(path, "config.toml", "[source.m]\nregistry = \"sparse+https://cargo.example/index/\"\n"
				      "[registries.o]\nindex = \"https://o.example:8443/git\"\n# index = \"https://c.example\"\n");
	(void)snprintf(path, sizeof(path), "%s/apt", p->etc);
	assert_int_equal(mkdir(path, 0755), 0);
	put_file(path, "sources.list", "deb [signed-by=/x] http://deb.example/debian stable main\n#deb http://off.example/ x y\n");
	(void)snprintf(path, sizeof(path), "%s/apt/sources.list.d", p->etc);
	assert_int_equal(mkdir(path, 0755), 0);
	put_file(path, "a.sources", "Types: deb\nURIs: https://a.example/debian\n http://b.example/\nSuites: s\n");
	put_file(path, "a.bak", "deb http://bak.example/ s m\n");

	struct config config = loaded(p);
	assert_false(is_in_policy(&config, "corp.example"));
	config_drop(&config);
	p->in.presets = wanted;
	config = loaded(p);
	static const char *const there[] = {
		"allow npm.corp.example:443\n", "allow scope.example:8080\n", "allow pip.example:443\n",
		"allow one.example:443\n",	"allow two.example:80\n",     "allow cargo.example:443\n",
		"allow o.example:8443\n",	"allow deb.example:80\n",     "allow a.example:443\n",
		"allow b.example:80\n"};
	for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
		char bare[64];
		(void)snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(there[i], "\n"), there[i]);
		if (!is_in_policy(&config, bare))
			fail_msg("missing: %s", bare);
	}
	static const char *const not_there[] = {"hunter2", "token.example", "proxy.example", "192.0.2.1", "localhost",
						"no.example", "c.example:443\n#", "off.example", "bak.example"};
	for (size_t i = 0; i < sizeof(not_there) / sizeof(not_there[0]); i++)
		if (is_in_policy(&config, not_there[i]))
			fail_msg("there: %s", not_there[i]);
	assert_origin(&config, "npm.corp.example", "/.npmrc:2");
	config_drop(&config);

	put_file(p->etc, "config", "lock\npreset npm\n");
	config = loaded(p);
	assert_false(is_in_policy(&config, "corp.example"));
	config_drop(&config);
	put_file(p->etc, "config", "");
	(void)snprintf(path, sizeof(path), "%s/.npmrc", p->root);
	assert_int_equal(chmod(path, 0666), 0);
	config = loaded(p);
	assert_false(is_in_policy(&config, "corp.example"));
	assert_notice(&config, "can be written by others");
	config_drop(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registries_of_the_users_own_settings_come_with_their_preset),
		TEST(a_projects_limits_only_tighten),
		TEST(a_preset_of_the_project_alone_adds_only_allows),
		TEST(a_lock_caps_a_trusted_project_too),
		TEST(nothing_written_is_an_empty_policy),
		TEST(allows_of_all_layers_add_up_and_any_deny_wins),
		TEST(a_bad_line_anywhere_loads_nothing),
		TEST(a_second_line_in_a_flag_is_no_second_rule),
		TEST(a_missing_allow_file_is_an_error),
		TEST(a_file_that_others_can_write_is_refused),
		TEST(the_users_own_presets_are_held_to_the_same),
		TEST(a_preset_gives_its_default_classes),
		TEST(further_classes_are_asked_for_by_name),
		TEST(an_unknown_preset_is_named_with_the_closest),
		TEST(a_preset_is_named_as_its_file),
		TEST(the_users_own_values_win_over_a_presets),
		TEST(a_lock_caps_what_lower_layers_allow),
		TEST(a_lock_keeps_the_administrators_presets_as_he_named_them),
		TEST(a_wildcard_over_a_public_suffix_is_refused),
		TEST(an_international_name_is_taken_and_shown_in_ascii),
		TEST(an_untrusted_project_file_is_ignored_with_one_notice),
		TEST(following_lines_share_one_mark),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
