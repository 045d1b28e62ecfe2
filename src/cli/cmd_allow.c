/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_allow.c - drydock allow, drydock deny: one more rule, for you, this project or a running session */
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/launch.h"
#include "cli/live.h"
#include "cli/term.h"
#include "config/rulefile.h"
#include "config/trust.h"
#include "policy/verdict.h"

#include <errno.h>

enum { OUT_MAX_BYTES = 128 << 10, RULE_MAX_WORDS = 16 };

enum scope { SCOPE_USER, SCOPE_PROJECT, SCOPE_SESSION };
static const char *const scope_words[] = {"user", "project", "session"};

struct allow_flags {
	const char *session, *comment;
	bool is_project, is_user, is_once, is_dry, is_removal, is_json, is_help;
	uint64_t for_ms;
};

/* clang-format off */
#define AT(member) offsetof(struct allow_flags, member)
static const struct option allow_options[] = {
	{0, "user", NULL, "in your own rules, for every session from now on (the default)", OPTION_FLAG, AT(is_user)},
	{0, "project", NULL, "in this project's .drydock", OPTION_FLAG, AT(is_project)},
	{'s', "session", "SESSION", "in this running session, at once, and nowhere else", OPTION_TEXT, AT(session)},
	{0, "for", "TIME", "it ends after 10m, 2h, 7d", OPTION_DURATION, AT(for_ms)},
	{0, "once", NULL, "one connection of a running session; the newest without --session", OPTION_FLAG, AT(is_once)},
	{0, "comment", "TEXT", "written behind the rule", OPTION_TEXT, AT(comment)},
	{0, "remove", NULL, "take the rule out of the file instead", OPTION_FLAG, AT(is_removal)},
	{'n', "dry-run", NULL, "say what would be written, and where", OPTION_FLAG, AT(is_dry)},
	{0, "json", NULL, "one JSON document", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* A deny rule has no end and no count. */
static const struct option deny_options[] = {
	{0, "user", NULL, "in your own rules, for every session from now on (the default)", OPTION_FLAG, AT(is_user)},
	{'s', "session", "SESSION", "in this running session, at once, and nowhere else", OPTION_TEXT, AT(session)},
	{0, "comment", "TEXT", "written behind the rule", OPTION_TEXT, AT(comment)},
	{0, "remove", NULL, "take the rule out of the file instead", OPTION_FLAG, AT(is_removal)},
	{'n', "dry-run", NULL, "say what would be written, and where", OPTION_FLAG, AT(is_dry)},
	{0, "json", NULL, "one JSON document", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0, "project", NULL, NULL, OPTION_FLAG, AT(is_project)},
	{0},
};
/* clang-format on */

void cmd_allow_help(struct buf *out)
{
	/* constants: they fit, here and below */
	(void)buf_putf(out, "Usage: drydock allow [OPTIONS] RULE...\n\n"
			    "Adds rules: HOST, HOST:PORT, *.HOST, with the options of drydock-policy(5) behind "
			    "them.\nRunning sessions go on as they are unless --session names one.\n\n");
	options_print(allow_options, out);
	(void)buf_putf(out, "\nExit code: 0 done, 3 refused by the administrator's lock, 6 no such session.\n");
}

void cmd_deny_help(struct buf *out)
{
	(void)buf_putf(out, "Usage: drydock deny [OPTIONS] RULE...\n\n"
			    "Adds rules that refuse: they win over every rule that allows. Without ports they mean "
			    "all.\nRunning sessions go on as they are unless --session names one.\n\n");
	options_print(deny_options, out);
	(void)buf_putf(out, "\nExit code: 0 done, 6 no such session.\n");
}

/*
 * struct allowing - one command
 * @rules:	canonical, NULL-terminated
 * @path:	of the file, or of nothing when @scope is a session
 */
struct allowing {
	const struct allow_flags *flags;
	enum rule_action action;
	enum scope scope;
	char rules[OPTIONS_LIST_MAX][RULE_TEXT_BYTES];
	const char *lines[OPTIONS_LIST_MAX + 1];
	size_t n_rules, n_changed;
	enum trust_state state; /* of a project's file */
	struct place place;
	char path[PATH_MAX + 16];
	char session[SESSION_ID_BYTES];
};

/* What --for and --once put behind each rule. */
static void put_limits(const struct allow_flags *flags, char out[64])
{
	char time[CLOCK_TEXT_BYTES];
	out[0] = '\0';
	if (flags->for_ms) {
		clock_print(clock_wall_ms() + flags->for_ms + 999, time);
		(void)snprintf(out, 64, " until=%.19sZ", time);
	}
	if (flags->is_once)
		(void)snprintf(out + strlen(out), 64 - strlen(out), " conns=1");
}

/* Words that are options ("private", "up=5M") belong to the rule before them. */
static int read_rules(struct allowing *a, const struct option_list *words, struct err *err)
{
	char limits[64];
	put_limits(a->flags, limits);
	for (size_t i = 0; i < words->n;) {
		AUTO(buf) struct buf text = {.max = RULE_LINE_MAX_BYTES};
		size_t used = 1;
		(void)buf_putf(&text, "%s", words->items[i]); /* is_cut is looked at below */
		while (i + used < words->n && rule_is_option(span_of(words->items[i + used])))
			(void)buf_putf(&text, " %s", words->items[i + used++]);
		(void)buf_put(&text, limits, strlen(limits) + 1);
		if (text.is_cut)
			return err_set(err, 0, "a rule has at most %d bytes", RULE_LINE_MAX_BYTES);
		if (rulefile_rule((const char *)text.p, a->action, a->rules[a->n_rules], err) < 0)
			return err->code;
		a->lines[a->n_rules] = a->rules[a->n_rules];
		a->n_rules++;
		i += used;
	}
	return 0;
}

static int check_flags(const struct allow_flags *flags, enum rule_action action, struct err *err)
{
	if (action == RULE_DENY && flags->is_project) {
		err_set(err, 0, "a project's .drydock may only add allows");
		return err_fix(err, "put it in your own rules: drydock deny RULE");
	}
	if (flags->is_user + flags->is_project + (flags->session || flags->is_once) > 1)
		return err_set(err, 0, "only one of --user, --project and --session%s",
			       flags->is_once ? " (--once is for a running session)" : "");
	if (flags->is_removal && (flags->session || flags->is_once)) {
		err_set(err, 0, "rules of a running session only add up");
		return err_fix(err, "deny wins: drydock deny --session SESSION RULE");
	}
	if (flags->is_removal && (flags->for_ms || flags->comment))
		return err_set(err, 0, "--remove goes with neither --for nor --comment");
	if (flags->for_ms && flags->is_project) {
		err_set(err, 0, "--for: a file that others share has no use for a rule that ends");
		return err_fix(err, "drydock allow --user --for 10m RULE");
	}
	return 0;
}

/* Whether /etc/drydock says `lock`: then only it may allow. */
static int look_for_lock(const struct place *place, bool *out, struct err *err)
{
	const struct config_input in = {
		.etc_dir = "/etc/drydock", .home = place->home, .preset_dirs = place->preset_dirs};
	struct config config;
	int rc = config_load(&in, &config, err);
	if (rc < 0)
		return rc;
	*out = config_is_locked(buf_span(&config.policy));
	config_drop(&config);
	return 0;
}

/* What a project's file could not hold is refused before it is written. */
static int check_project_rules(const struct allowing *a, struct err *err)
{
	for (size_t i = 0; i < a->n_rules; i++)
		if (config_check_project("rule", span_of(a->rules[i]), err) < 0)
			return err->code;
	return 0;
}

static int make_path(struct allowing *a, struct err *err)
{
	const char *name = a->action == RULE_ALLOW ? "allow" : "deny";
	if (a->scope == SCOPE_USER) {
		(void)snprintf(a->path, sizeof(a->path), "%s/%s", a->place.user_dir, name); /* has room */
		return a->flags->is_dry ? 0 : fs_make_dirs(a->place.user_dir, 0700, err);
	}
	if (!a->place.project[0])
		return err_set(err, 0, "there is no project here");
	(void)snprintf(a->path, sizeof(a->path), "%s/.drydock", a->place.project);
	return a->flags->is_removal ? 0 : check_project_rules(a, err);
}

static int change_file(struct allowing *a, struct err *err)
{
	const struct rulefile edit = {
		.path = a->path,
		.bare = a->scope == SCOPE_USER && a->action == RULE_DENY ? RULE_DENY : RULE_ALLOW,
		.mode = a->scope == SCOPE_USER ? 0600 : 0644,
		.lines = a->lines,
		.comment = a->flags->comment,
		.head = a->scope == SCOPE_PROJECT
				? "# What this project's agent may reach. See drydock-policy(5); review: drydock trust\n"
				: NULL,
	};
	if (a->flags->is_dry)
		return 0;
	if (a->scope == SCOPE_PROJECT)
		return trust_edit(a->place.trust_dir, &edit, a->flags->is_removal, &a->n_changed, &a->state, err);
	return a->flags->is_removal ? rulefile_remove(&edit, &a->n_changed, err)
				    : rulefile_add(&edit, &a->n_changed, err);
}

static int change_session(struct allowing *a, struct err *err)
{
	AUTO(buf) struct buf lines = {.max = OUT_MAX_BYTES};
	int rc = session_find_live(&a->place.roots, a->flags->session, a->session, err);
	if (rc < 0 || a->flags->is_dry)
		return rc;
	for (size_t i = 0; i < a->n_rules; i++)
		(void)buf_putf(&lines, "%s\n", a->rules[i]); /* is_cut is looked at below */
	if (lines.is_cut)
		return err_set(err, E2BIG, "too many rules at once");
	rc = live_add_rules(&a->place.roots, a->session, buf_span(&lines), NULL, err);
	if (rc == 0)
		a->n_changed = a->n_rules;
	return rc;
}

/* A rule that allows changes nothing where another one denies: say so, once for each. */
static void note_denied(const struct allowing *a, const struct ruleset *set)
{
	struct policy_error ignored;
	struct rule rule;
	for (size_t i = 0; i < a->n_rules; i++) {
		if (rule_parse(span_of(a->rules[i]), &rule, &ignored) != PARSE_DONE || rule.subject != RULE_HOST)
			continue;
		struct verdict v = verdict_name(set, &rule.name, rule.ports[0].first);
		if (v.kind != VERDICT_DENIED_BY_RULE && v.kind != VERDICT_TELEMETRY_OFF)
			continue;
		char text[PATH_MAX + 512];
		(void)snprintf(text, sizeof(text), "%s stays refused: %s:%u denies it, and deny wins",
			       rule.name.text, v.origin.file ? v.origin.file : "?", v.origin.line);
		term_notice(text);
	}
}

/* Reads all rules as the next session would: a mistake elsewhere is better heard of now. */
static void look_at_effect(const struct allowing *a)
{
	static struct launch launch; /* big, and there is one */
	const struct launch_flags flags = {.status_fd = -1};
	struct ruleset *set = NULL;
	struct err err = {0};

	launch = (struct launch){0};
	int rc = launch_load(&launch, &flags, NULL, &err);
	if (rc == 0)
		rc = ruleset_load(buf_span(&launch.config.policy), "policy", &set, &err);
	if (rc < 0)
		term_error("the rule is written, but sessions cannot start", &err, 0);
	else if (a->action == RULE_ALLOW && !a->flags->is_removal)
		note_denied(a, set);
	ruleset_free(set);
	launch_drop(&launch, false);
}

static void put_json(const struct allowing *a, struct buf *out)
{
	struct json j = {.out = out};
	json_open(&j, NULL, '{');
	json_u64(&j, "v", 1);
	json_str(&j, "action", a->action == RULE_ALLOW ? "allow" : "deny");
	json_str(&j, "scope", scope_words[a->scope]);
	if (a->scope == SCOPE_SESSION)
		json_str(&j, "session", a->session);
	else
		json_str(&j, "file", a->path);
	json_bool(&j, "dry_run", a->flags->is_dry);
	json_bool(&j, "removed", a->flags->is_removal);
	json_u64(&j, "changed", a->n_changed);
	json_open(&j, "rules", '[');
	for (size_t i = 0; i < a->n_rules; i++)
		json_str(&j, NULL, a->rules[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	(void)buf_put(out, "\n", 1); /* term_put() reports a cut */
}

/* A file is read when a session starts: one that runs is told of nothing. */
static void note_running(const struct allowing *a)
{
	char id[SESSION_ID_BYTES];
	if (a->scope == SCOPE_SESSION || a->n_changed == 0 || a->flags->is_removal ||
	    session_find_live(&a->place.roots, NULL, id, NULL) < 0)
		return;
	log_line("sessions that run go on with their old rules; for this one too: drydock %s --session %s ...",
		 a->action == RULE_ALLOW ? "allow" : "deny", id);
}

static int report(const struct allowing *a)
{
	AUTO(buf) struct buf out = {.max = OUT_MAX_BYTES};
	if (a->flags->is_json) {
		put_json(a, &out);
		return term_put(STDOUT_FILENO, &out);
	}
	for (size_t i = 0; i < a->n_rules; i++)
		(void)buf_putf(&out, "%s\n", a->rules[i]); /* term_put() reports a cut */
	AUTO(buf) struct buf where = {.max = PATH_MAX + 256};
	if (a->scope == SCOPE_SESSION)
		(void)buf_putf(&where, "session %s", a->session);
	else
		term_put_path(&where, a->path, a->place.home);
	const char *what = a->flags->is_removal ? "removed from" : "added to";
	if (a->flags->is_dry)
		log_line("would be %s %.*s: --dry-run", what, (int)where.n, (const char *)where.p);
	else if (a->n_changed == 0)
		log_line("%.*s %s; nothing was changed", (int)where.n, (const char *)where.p,
			 a->flags->is_removal ? "has no such rule" : "says so already");
	else
		log_line("%s %.*s", what, (int)where.n, (const char *)where.p);
	note_running(a);
	if (a->scope == SCOPE_PROJECT && !a->flags->is_dry && a->state != TRUST_OK)
		term_notice("the project's .drydock is not trusted yet: review it with drydock trust");
	return term_put(STDOUT_FILENO, &out);
}

static int fail(const struct allowing *a, int rc, const struct err *err)
{
	char what[128];
	(void)snprintf(what, sizeof(what), "cannot %s it", a->action == RULE_ALLOW ? "allow" : "deny");
	term_error(what, err, 0);
	if (rc == -EACCES)
		return EXIT_DENIED;
	return rc == -ENOENT && a->scope == SCOPE_SESSION ? EXIT_NO_SESSION : EXIT_FAILED;
}

static int act(struct allowing *a)
{
	struct err err = {0};
	bool is_locked = false;

	int rc = place_find(&a->place, &err);
	if (rc == 0 && a->action == RULE_ALLOW && a->scope != SCOPE_SESSION && !a->flags->is_removal)
		rc = look_for_lock(&a->place, &is_locked, &err);
	if (rc == 0 && is_locked) {
		err_set(&err, 0, "the administrator's lock in /etc/drydock");
		(void)err_fix(&err, "ask your administrator to add the rule there");
		rc = -EACCES;
	}
	if (rc == 0 && a->scope == SCOPE_SESSION) {
		rc = change_session(a, &err);
	} else if (rc == 0) {
		rc = make_path(a, &err);
		if (rc == 0)
			rc = change_file(a, &err);
		if (rc == 0 && a->n_changed)
			look_at_effect(a);
	}
	return rc < 0 ? fail(a, rc, &err) : report(a);
}

static int run(enum rule_action action, const struct option *options, char **argv)
{
	static struct allow_flags flags;
	static struct allowing a; /* big, and there is one */
	const char *name = action == RULE_ALLOW ? "allow" : "deny";
	struct option_list words;
	struct err err = {0};

	flags = (struct allow_flags){0};
	a = (struct allowing){.flags = &flags, .action = action};
	if (options_parse_all(options, &flags, argv, &words, &err) < 0)
		return term_usage(name, &err);
	if (flags.is_help)
		return cmd_show_help(name);
	if (words.n == 0) {
		err_set(&err, 0, "%s: no rule given", name);
		(void)err_fix(&err, "drydock %s api.example.com", name);
		return term_usage(name, &err);
	}
	if (check_flags(&flags, action, &err) < 0 || read_rules(&a, &words, &err) < 0)
		return term_usage(name, &err);
	a.scope = flags.session || flags.is_once ? SCOPE_SESSION : flags.is_project ? SCOPE_PROJECT : SCOPE_USER;
	return act(&a);
}

int cmd_allow(char **argv)
{
	return run(RULE_ALLOW, allow_options, argv);
}

int cmd_deny(char **argv)
{
	return run(RULE_DENY, deny_options, argv);
}
