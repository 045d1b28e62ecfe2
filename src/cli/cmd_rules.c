/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_rules.c - drydock rules: the rules a session has, or the next one would have, and where each comes from */
#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/launch.h"
#include "cli/policy_text.h"
#include "cli/term.h"
#include "policy/verdict.h"

#include <errno.h>
#include <stdlib.h>

enum { POLICY_MAX_BYTES = 256 << 20, LINE_CHARS = 700, FILE_CHARS = 300, RULE_COLUMN = 44 };

struct rules_flags {
	struct launch_flags run;
	const char *command;
	bool is_effective, has_origin, is_json, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct rules_flags, member)
static const struct option rules_options[] = {
	{0, "effective", NULL, "only those that decide something: not expired, and no deny beats them", OPTION_FLAG, AT(is_effective)},
	{0, "origin", NULL, "where each was written: FILE:LINE", OPTION_FLAG, AT(has_origin)},
	{0, "for", "COMMAND", "with the preset that `run COMMAND` would choose", OPTION_TEXT, AT(command)},
	{'a', "allow", "RULE", "as for run", OPTION_LIST, AT(run.allow)},
	{0, "deny", "RULE", "as for run", OPTION_LIST, AT(run.deny)},
	{'p', "preset", "NAME", "as for run", OPTION_LIST, AT(run.presets)},
	{0, "allow-file", "FILE", "as for run", OPTION_LIST, AT(run.allow_files)},
	{0, "no-project", NULL, "as for run", OPTION_FLAG, AT(run.no_project)},
	{'C', "chdir", "DIR", "as for run", OPTION_TEXT, AT(run.chdir)},
	{0, "json", NULL, "one JSON document", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_rules_help(struct buf *out)
{
	/* constants: they fit */
	(void)buf_putf(out, "Usage: drydock rules [OPTIONS] [SESSION]\n\n"
			    "The rules of a session, or, without SESSION, those that a session started here would "
			    "have.\n\n");
	options_print(rules_options, out);
}

/* struct listing - what each line is shown with */
struct listing {
	const struct rules_flags *flags;
	const struct ruleset *set;
	bool is_expired; /* these lines are listed because they ended */
	uint64_t now_s;
	struct buf out;
	struct json json;
};

enum line_state { LINE_IN_FORCE, LINE_EXPIRED, LINE_DENIED };
static const char *const state_words[] = {
	[LINE_IN_FORCE] = "in-force", [LINE_EXPIRED] = "expired", [LINE_DENIED] = "denied"};

/* An allow of one host whose every port a deny rule takes away. */
static bool is_denied(const struct ruleset *set, const struct rule *rule)
{
	if (rule->action != RULE_ALLOW || rule->subject != RULE_HOST)
		return false;
	for (size_t i = 0; i < rule->n_ports; i++)
		for (unsigned port = rule->ports[i].first; port <= rule->ports[i].last; port++)
			if (verdict_name(set, &rule->name, (uint16_t)port).kind == VERDICT_ALLOW)
				return false;
	return true;
}

static enum line_state state_of(const struct listing *l, const struct policy_line *line)
{
	if (l->is_expired)
		return LINE_EXPIRED;
	if (!line->is_rule)
		return LINE_IN_FORCE;
	if (line->rule.budget.until_s && line->rule.budget.until_s <= l->now_s)
		return LINE_EXPIRED;
	return is_denied(l->set, &line->rule) ? LINE_DENIED : LINE_IN_FORCE;
}

static const char *action_of(const struct policy_line *line)
{
	static const char *const words[] = {
		[RULE_ALLOW] = "allow", [RULE_DENY] = "deny", [RULE_TELEMETRY] = "telemetry"};
	return line->is_rule ? words[line->rule.action] : "budget";
}

static void list_json(struct listing *l, const struct policy_line *line, enum line_state state)
{
	json_open(&l->json, NULL, '{');
	json_str(&l->json, "action", action_of(line));
	json_text(&l->json, "rule", line->text);
	json_str(&l->json, "state", state_words[state]);
	json_text(&l->json, "file", line->file);
	json_u64(&l->json, "line", line->line);
	json_close(&l->json, '}');
}

static void list_line(const struct policy_line *line, void *arg)
{
	struct listing *l = arg;
	enum line_state state = state_of(l, line);
	if (l->flags->is_effective && state != LINE_IN_FORCE)
		return;
	if (l->flags->is_json) {
		list_json(l, line, state);
		return;
	}
	bool is_off = state != LINE_IN_FORCE || !line->is_rule || line->rule.action != RULE_ALLOW;
	size_t start = l->out.n;
	utf8_put_safe(&l->out, line->text, LINE_CHARS); /* term_put() reports a cut, here and below */
	size_t used = l->out.n - start;
	if (is_off && state != LINE_IN_FORCE)
		(void)buf_putf(&l->out, "   (%s)", state == LINE_DENIED ? "a deny rule beats it" : "expired");
	if (l->flags->has_origin) {
		(void)buf_putf(&l->out, "%*s  ", used < RULE_COLUMN ? (int)(RULE_COLUMN - used) : 0, "");
		utf8_put_safe(&l->out, line->file, FILE_CHARS);
		(void)buf_putf(&l->out, ":%u", line->line);
	}
	(void)buf_put(&l->out, "\n", 1);
}

static int list(const struct rules_flags *flags, struct span policy, struct span expired, const char *session,
		struct err *err)
{
	struct ruleset *set = NULL;
	int rc = ruleset_load(policy, "policy", &set, err);
	if (rc < 0)
		return rc;
	struct listing l = {.flags = flags, .set = set, .now_s = clock_wall_ms() / 1000,
			    .out = {.max = POLICY_MAX_BYTES}};
	l.json = (struct json){.out = &l.out};
	if (flags->is_json) {
		json_open(&l.json, NULL, '{');
		json_u64(&l.json, "v", 1);
		if (session)
			json_str(&l.json, "session", session);
		json_bool(&l.json, "locked", config_is_locked(policy));
		json_open(&l.json, "rules", '[');
	}
	policy_text_each(policy, list_line, &l);
	l.is_expired = true;
	policy_text_each(expired, list_line, &l);
	if (flags->is_json) {
		json_close(&l.json, ']');
		json_close(&l.json, '}');
		(void)buf_put(&l.out, "\n", 1);
	} else if (l.out.n == 0) {
		term_notice("no rules: nothing is reachable");
	}
	int code = term_put(STDOUT_FILENO, &l.out);
	buf_drop(&l.out);
	ruleset_free(set);
	return code;
}

static int fail(const struct err *err, int code)
{
	term_error(code == EXIT_NO_SESSION ? "no such session" : "cannot read the rules", err, 0);
	return code;
}

static int list_session(const struct rules_flags *flags, const char *wanted)
{
	static struct place place; /* big, and there is one */
	AUTO(buf) struct buf policy = {.max = POLICY_MAX_BYTES};
	char id[SESSION_ID_BYTES];
	struct err err = {0};

	int rc = place_find(&place, &err);
	if (rc < 0)
		return fail(&err, EXIT_FAILED);
	rc = session_find(&place.roots, wanted, id, &err);
	if (rc < 0)
		return fail(&err, rc == -ENOENT ? EXIT_NO_SESSION : EXIT_FAILED);
	rc = policy_text_read(place.roots.state, id, &policy, &err);
	if (rc == 0)
		rc = list(flags, buf_span(&policy), (struct span){0}, id, &err);
	return rc < 0 ? fail(&err, EXIT_FAILED) : rc;
}

static int list_next(const struct rules_flags *flags)
{
	static struct launch launch; /* big, and there is one */
	struct err err = {0};
	char *command[] = {flags->command ? strdup(flags->command) : NULL, NULL};

	launch = (struct launch){0};
	int rc = launch_load(&launch, &flags->run, command[0] ? command : NULL, &err);
	for (size_t i = 0; rc == 0 && i < launch.config.notices.n; i++)
		term_notice(launch.config.notices.items[i]);
	if (rc == 0)
		rc = list(flags, buf_span(&launch.config.policy), buf_span(&launch.config.expired), NULL, &err);
	launch_drop(&launch, false);
	free(command[0]);
	return rc < 0 ? fail(&err, EXIT_FAILED) : rc;
}

int cmd_rules(char **argv)
{
	static struct rules_flags flags;
	struct option_list words;
	struct err err = {0};

	flags = (struct rules_flags){.run = {.status_fd = -1}};
	if (options_parse_all(rules_options, &flags, argv, &words, &err) < 0)
		return term_usage("rules", &err);
	if (flags.is_help)
		return cmd_show_help("rules");
	if (words.n > 1) {
		err_set(&err, 0, "rules takes one session, not '%s' too", words.items[1]);
		return term_usage("rules", &err);
	}
	return words.n ? list_session(&flags, words.items[0]) : list_next(&flags);
}
