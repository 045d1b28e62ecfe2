/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_learn.c - drydock learn: the narrowest rules that would have let a session through */
#include "base/json.h"
#include "base/fs.h"
#include "base/own.h"
#include "base/utf8.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/term.h"
#include "config/rulefile.h"
#include "config/suffix.h"
#include "report/digest.h"
#include "report/segments.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>

enum { OUT_MAX_BYTES = 1 << 20, PRESET_MAX_BYTES = 1 << 20, NAME_CHARS = 120, KNOWN_BYTES = 160 };

struct learn_flags {
	const char *write, *group;
	uint32_t min_count;
	bool is_suggesting, no_telemetry, is_json, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct learn_flags, member)
static const struct option learn_options[] = {
	{0, "suggest", NULL, "only say what would be written (the default)", OPTION_FLAG, AT(is_suggesting)},
	{0, "write", "WHERE", "project (.drydock) or user (your own rules)", OPTION_TEXT, AT(write)},
	{0, "group", "domain", "in order of registrable domains, with what a wildcard would add", OPTION_TEXT, AT(group)},
	{0, "min-count", "N", "only what was asked for at least N times", OPTION_COUNT, AT(min_count)},
	{0, "exclude-telemetry", NULL, "do not list telemetry, which is never proposed", OPTION_FLAG, AT(no_telemetry)},
	{0, "json", NULL, "one JSON document", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_learn_help(struct buf *out)
{
	/* constants: they fit */
	(void)buf_putf(out, "Usage: drydock learn [OPTIONS] [SESSION]\n\n"
			    "Turns what a session was refused for want of a rule, and what you allowed for that session alone,\n"
			    "into lasting rules. Read them before you agree: the agent chose what to ask for. Without SESSION,\n"
			    "of the newest.\n\n");
	options_print(learn_options, out);
}

/** struct wish - one destination that no lasting rule spoke of; @rule is "" when it cannot be a rule */
struct wish {
	const struct digest_host *host;
	uint64_t n; /* how often it was asked for */
	char rule[RULE_TEXT_BYTES];
	char domain[NAME_MAX_BYTES + 1]; /* registrable, by the public suffix list; "" when it has none */
	char known[KNOWN_BYTES];	 /* what presets say of it */
	bool is_telemetry;
	bool is_required; /* @known is of a preset that needs the host, and none that merely may use it */
};

struct learn {
	struct place place;
	char id[SESSION_ID_BYTES];
	struct digest digest;
	struct wish *wishes;
	size_t n_wishes;
};

/* --- what presets know of a host ------------------------------------------------------------ */

static struct span word_after(struct span line, const char *key)
{
	const uint8_t *at = line.n ? memmem(line.p, line.n, key, strlen(key)) : NULL;
	if (!at)
		return (struct span){0};
	at += strlen(key);
	size_t n = 0;
	while (at + n < line.p + line.n && at[n] > ' ')
		n++;
	return span_make(at, n);
}

static bool is_about(const struct rule *rule, const struct name *name)
{
	return (rule->subject == RULE_HOST && !strcmp(rule->name.text, name->text)) ||
	       (rule->subject == RULE_BELOW && name_is_below(name, &rule->name));
}

static void look_in_line(struct wish *w, const struct name *name, const char *preset, struct span line)
{
	struct rule rule;
	struct policy_error err;

	if (w->is_required || rule_parse(line, &rule, &err) != PARSE_DONE || !is_about(&rule, name))
		return;
	struct span class = word_after(line, "class="), risk = word_after(line, "risk=");
	w->is_telemetry |= rule.action == RULE_TELEMETRY;
	w->is_required = span_is(class, "required");
	if (w->known[0] && !w->is_required)
		return;
	(void)snprintf(w->known, sizeof(w->known), "preset %.40s%s%.*s%s%.*s", preset, class.n ? "+" : "", (int)class.n,
		       class.n ? (const char *)class.p : "", risk.n ? ", risk " : "", (int)risk.n,
		       risk.n ? (const char *)risk.p : ""); /* cut is fine: it is shown */
}

static void look_in_file(struct learn *l, const char *path, const char *preset)
{
	AUTO(buf) struct buf text = {.max = PRESET_MAX_BYTES};

	if (fs_read(path, &text, NULL) < 0)
		return; /* nothing is known, then */
	for (size_t i = 0; i < l->n_wishes; i++) {
		struct name name;
		struct span left = buf_span(&text);
		if (name_parse(span_of(l->wishes[i].host->name), &name) != NAME_IS_HOST)
			continue;
		while (left.n) {
			const uint8_t *end = memchr(left.p, '\n', left.n);
			size_t n = end ? (size_t)(end - left.p) : left.n;
			look_in_line(&l->wishes[i], &name, preset, span_make(left.p, n));
			left = span_make(left.p + n + (end != NULL), left.n - n - (end != NULL));
		}
	}
}

static void look_in_presets(struct learn *l)
{
	for (size_t i = 0; l->place.preset_dirs[i]; i++) {
		AUTO(dir) DIR *dir = opendir(l->place.preset_dirs[i]);
		struct dirent *entry;
		while (dir && (entry = readdir(dir))) {
			char path[PATH_MAX + 256];
			(void)snprintf(path, sizeof(path), "%s/%s", l->place.preset_dirs[i], entry->d_name);
			if (entry->d_name[0] != '.')
				look_in_file(l, path, entry->d_name);
		}
	}
}

/* --- from refusals to wishes ---------------------------------------------------------------- */

/* Never refused, since a rule of this session alone allowed it: the next session would have to be told again. */
static bool is_granted(const struct digest_host *h)
{
	return !h->n_refused && h->port && !strncmp(h->rule, "session:", strlen("session:"));
}

static uint64_t count_asked(const struct digest_host *h)
{
	return is_granted(h) ? h->n_allowed : h->n_refused;
}

static bool is_wanted(const struct digest_host *h, const struct learn_flags *flags)
{
	bool is_telemetry = !strcmp(h->reason, "telemetry-off");
	bool is_open = is_granted(h) || !strcmp(h->reason, "not-allowlisted") || !strcmp(h->reason, "port-not-allowed");
	uint64_t n = count_asked(h);

	return n && n >= flags->min_count && (is_open || (is_telemetry && !flags->no_telemetry));
}

/* A DNS question is told by its connection where there was one; else it stands for port 443. */
static bool is_told_otherwise(const struct digest *d, const struct digest_host *h)
{
	for (size_t i = 0; h->port == 0 && i < d->n_hosts; i++)
		if (d->hosts[i].port && !strcmp(d->hosts[i].name, h->name))
			return true;
	return false;
}

static void make_wish(struct wish *w, const struct digest_host *h)
{
	char text[DIGEST_NAME_BYTES + 16];

	*w = (struct wish){.host = h, .n = count_asked(h), .is_telemetry = !strcmp(h->reason, "telemetry-off")};
	(void)snprintf(text, sizeof(text), "allow %s:%u", h->name, h->port ? h->port : 443U);
	if (rulefile_rule(text, RULE_ALLOW, w->rule, NULL) < 0)
		w->rule[0] = '\0'; /* what was asked for is no name that a rule can hold */
	suffix_registrable(h->name, w->domain, sizeof(w->domain));
}

static int by_domain(const void *a, const void *b)
{
	const struct wish *x = a, *y = b;
	int order = strcmp(x->domain, y->domain);
	return order ? order : strcmp(x->host->name, y->host->name);
}

static int collect(struct learn *l, const struct learn_flags *flags, struct err *err)
{
	l->wishes = calloc(l->digest.n_hosts + 1, sizeof(*l->wishes));
	if (!l->wishes)
		return err_set(err, ENOMEM, "collecting what was refused");
	for (size_t i = 0; i < l->digest.n_hosts; i++) {
		const struct digest_host *h = &l->digest.hosts[i];
		if (is_wanted(h, flags) && !is_told_otherwise(&l->digest, h))
			make_wish(&l->wishes[l->n_wishes++], h);
	}
	look_in_presets(l);
	if (flags->group)
		qsort(l->wishes, l->n_wishes, sizeof(*l->wishes), by_domain);
	return 0;
}

static int read_session(struct learn *l, const char *wanted, struct err *err)
{
	char path[PATH_MAX + 64];
	struct segments log;

	int rc = place_find(&l->place, err);
	if (rc < 0)
		return -EINVAL; /* @err says it; -ENOENT means a session */
	rc = session_find(&l->place.roots, wanted, l->id, err);
	if (rc < 0)
		return rc;
	(void)snprintf(path, sizeof(path), "%s/%s/audit.jsonl", l->place.roots.state, l->id);
	rc = segments_open(path, &log, err);
	if (rc < 0)
		return rc == -ENOENT ? err_set(err, 0, "session %s has no log: it had no egress (--no-net)", l->id) : rc;
	struct record_reader reader = segments_reader(&log);
	const struct record *record;
	while ((record = record_next(&reader)))
		digest_add(&l->digest, record);
	record_reader_drop(&reader);
	segments_close(&log);
	digest_sort(&l->digest);
	return 0;
}

/* --- what is said, and written --------------------------------------------------------------- */

static bool may_be_written(const struct wish *w)
{
	return w->rule[0] && !w->is_telemetry;
}

static size_t count_below(const struct learn *l, const char *domain)
{
	size_t n = 0;
	for (size_t i = 0; i < l->n_wishes; i++)
		n += !strcmp(l->wishes[i].domain, domain);
	return n;
}

static void put_wish(const struct wish *w, struct buf *out)
{
	size_t start = out->n;

	(void)buf_putf(out, may_be_written(w) ? "" : "# ");
	if (w->rule[0])
		(void)buf_putf(out, "%s", w->rule);
	else
		utf8_put_safe(out, span_of(w->host->name), NAME_CHARS);
	size_t used = out->n - start;
	(void)buf_putf(out, "%*s  # x%llu", used < 44 ? (int)(44 - used) : 0, "", (unsigned long long)w->n);
	if (is_granted(w->host))
		(void)buf_putf(out, ", allowed in that session alone");
	if (w->is_telemetry)
		(void)buf_putf(out, ", telemetry: stays refused");
	else if (!w->rule[0])
		(void)buf_putf(out, ", no name that a rule could hold");
	if (w->known[0]) {
		(void)buf_putf(out, ", ");
		utf8_put_safe(out, span_of(w->known), KNOWN_BYTES);
	} else if (!w->is_telemetry)
		(void)buf_putf(out, ", in no preset");
	(void)buf_putf(out, "\n");
}

static void put_text(const struct learn *l, const struct learn_flags *flags, struct buf *out)
{
	const char *domain = NULL;

	(void)buf_putf(out, "# What session %s asked for without a lasting rule\n", l->id);
	for (size_t i = 0; i < l->n_wishes; i++) {
		const struct wish *w = &l->wishes[i];
		if (flags->group && w->domain[0] && (!domain || strcmp(domain, w->domain) != 0)) {
			domain = w->domain;
			(void)buf_putf(out, "\n# %s: %zu asked for; a wildcard *.%s would allow every other name below it too\n", domain,
				       count_below(l, domain), domain);
		}
		put_wish(w, out);
	}
	if (!l->n_wishes)
		(void)buf_putf(out, "# nothing: every destination it asked for has a rule\n");
}

static void put_json(const struct learn *l, struct buf *out)
{
	struct json j = {.out = out};

	json_open(&j, NULL, '{');
	json_u64(&j, "v", 1);
	json_str(&j, "session", l->id);
	json_open(&j, "rules", '[');
	for (size_t i = 0; i < l->n_wishes; i++) {
		const struct wish *w = &l->wishes[i];
		json_open(&j, NULL, '{');
		json_str(&j, "rule", w->rule);
		json_str(&j, "name", w->host->name);
		json_u64(&j, "port", w->host->port);
		json_u64(&j, "count", w->n);
		json_bool(&j, "granted", is_granted(w->host));
		json_str(&j, "reason", w->host->reason);
		json_str(&j, "domain", w->domain);
		json_str(&j, "known", w->known);
		json_bool(&j, "proposed", may_be_written(w));
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	(void)buf_put(out, "\n", 1);
}

static int write_rules(const struct learn *l, const char *where, struct err *err)
{
	bool is_project = !strcmp(where, "project");
	char path[PATH_MAX + 16], text[PATH_MAX + 128], comment[64];
	size_t n = 0, n_added = 0;
	AUTO(mem) const char **lines = calloc(l->n_wishes + 1, sizeof(*lines));

	if (!lines)
		return err_set(err, ENOMEM, "writing the rules");
	for (size_t i = 0; i < l->n_wishes; i++)
		if (may_be_written(&l->wishes[i]))
			lines[n++] = l->wishes[i].rule;
	(void)snprintf(path, sizeof(path), "%s/%s", is_project ? l->place.project : l->place.user_dir,
		       is_project ? ".drydock" : "allow");
	(void)snprintf(comment, sizeof(comment), "learned from %s", l->id);
	if (!is_project && fs_make_dirs(l->place.user_dir, 0700, err) < 0)
		return err->code;
	const struct rulefile edit = {.path = path,
				      .bare = RULE_ALLOW,
				      .mode = is_project ? 0644 : 0600,
				      .lines = lines,
				      .comment = comment,
				      .head = is_project ? "# What this project's agent may reach. Review with: drydock rules\n" : NULL};
	int rc = n ? rulefile_add(&edit, &n_added, err) : 0;
	if (rc < 0)
		return rc;
	(void)snprintf(text, sizeof(text), "%zu rule%s added to %s%s", n_added, n_added == 1 ? "" : "s", path,
		       is_project && n_added ? "; agree to them: drydock trust" : "");
	term_notice(text);
	return 0;
}

static int learn(struct learn *l, const struct learn_flags *flags, const char *wanted)
{
	AUTO(buf) struct buf out = {.max = OUT_MAX_BYTES};
	struct err err = {0};

	int rc = read_session(l, wanted, &err);
	if (rc < 0) {
		term_error(rc == -ENOENT ? "no such session" : "cannot read the session", &err, 0);
		return rc == -ENOENT ? EXIT_NO_SESSION : EXIT_FAILED;
	}
	rc = collect(l, flags, &err);
	if (rc == 0 && flags->write)
		rc = write_rules(l, flags->write, &err);
	if (rc < 0) {
		term_error("cannot learn from the session", &err, 0);
		return EXIT_FAILED;
	}
	if (flags->is_json)
		put_json(l, &out);
	else
		put_text(l, flags, &out);
	return term_put(STDOUT_FILENO, &out);
}

int cmd_learn(char **argv)
{
	struct learn_flags flags = {0};
	struct learn l = {0};
	struct err err = {0};
	char **rest;

	if (options_parse(learn_options, &flags, argv, &rest, &err) < 0)
		return term_usage("learn", &err);
	const char *wanted = *rest;
	if (wanted && options_parse(learn_options, &flags, rest + 1, &rest, &err) < 0)
		return term_usage("learn", &err);
	if (flags.is_help)
		return cmd_show_help("learn");
	bool is_where = !flags.write || !strcmp(flags.write, "project") || !strcmp(flags.write, "user");
	if (!is_where || (flags.group && strcmp(flags.group, "domain") != 0) || (wanted && *rest)) {
		err_set(&err, 0,
			!is_where    ? "--write takes project or user, not '%s'"
			: flags.group ? "--group takes domain, not '%s'"
				      : "learn takes one session, not '%s' too",
			!is_where ? flags.write : flags.group ? flags.group : *rest);
		return term_usage("learn", &err);
	}
	int code = learn(&l, &flags, wanted);
	free(l.wishes);
	digest_drop(&l.digest);
	return code;
}
