/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_why.c - drydock why: the last refusals, the rule that decided, and what would allow them */
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/term.h"
#include "egress/wire/reason.h"
#include "report/segments.h"
#include "report/summary.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

enum { OUT_MAX_BYTES = 1 << 20, LAST_DEFAULT = 5, LAST_MAX = 256, NAME_CHARS = 200, TEXT_BYTES = 700 };

struct why_flags {
	const char *session;
	uint32_t last;
	bool is_json, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct why_flags, member)
static const struct option why_options[] = {
	{'s', "session", "SESSION", "of this session; the newest otherwise", OPTION_TEXT, AT(session)},
	{0, "last", "N", "how many different refusals, the last ones; 5 otherwise", OPTION_COUNT, AT(last)},
	{0, "json", NULL, "one JSON document", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_why_help(struct buf *out)
{
	/* constants: they fit */
	(void)buf_putf(out, "Usage: drydock why [OPTIONS] [HOST]\n\n"
			    "Explains the last refusals of a session: the reason, the rule that decided, and what "
			    "would\nallow it. Inside a session the same is at http://drydock.internal/why\n\n");
	options_print(why_options, out);
	(void)buf_putf(out, "\nExit code: 0 nothing was refused, 3 something was, 6 no such session.\n");
}

/* One destination refused for one reason. */
struct refusal {
	struct summary_row row;
	char time[32];
	uint64_t seq, flow; /* of the last time */
	char program[48];   /* that asked, when it was found out */
};

struct refusals {
	struct refusal *rows;
	size_t n, max;
	uint64_t n_all;
};

static bool is_same(const struct refusal *f, const struct record *r)
{
	return f->row.port == r->port && !strncmp(f->row.name, r->name, sizeof(f->row.name) - 1) &&
	       !strncmp(f->row.reason, r->reason, sizeof(f->row.reason) - 1);
}

/* The row of this refusal; a new one takes the place of the one that is longest ago. */
static struct refusal *row_for(struct refusals *all, const struct record *r)
{
	struct refusal *oldest = NULL;
	for (size_t i = 0; i < all->n; i++) {
		if (is_same(&all->rows[i], r))
			return &all->rows[i];
		if (!oldest || all->rows[i].seq < oldest->seq)
			oldest = &all->rows[i];
	}
	struct refusal *row = all->n < all->max ? &all->rows[all->n++] : oldest;
	*row = (struct refusal){.row = {.port = r->port}};
	(void)snprintf(row->row.name, sizeof(row->row.name), "%s", r->name);
	(void)snprintf(row->row.reason, sizeof(row->row.reason), "%s", r->reason);
	return row;
}

/* It comes after the refusal of its flow. */
static void name_program(struct refusals *all, const struct record *r)
{
	for (size_t i = 0; r->flow && i < all->n; i++)
		if (all->rows[i].flow == r->flow)
			(void)snprintf(all->rows[i].program, sizeof(all->rows[i].program), "%s", r->program);
}

static void read_all(struct segments *log, const char *host, struct refusals *all)
{
	struct record_reader reader = segments_reader(log);
	const struct record *r;
	uint64_t n = 0;
	while ((r = record_next(&reader))) {
		n++;
		if (!strcmp(r->event, "program"))
			name_program(all, r);
		if (!record_is_refusal(r) || (host && strcasecmp(host, r->name) != 0))
			continue;
		struct refusal *row = row_for(all, r);
		row->row.count++;
		row->seq = n;
		row->flow = r->flow;
		if (r->program[0])
			(void)snprintf(row->program, sizeof(row->program), "%s", r->program);
		(void)snprintf(row->time, sizeof(row->time), "%s", r->time);
		(void)snprintf(row->row.rule, sizeof(row->row.rule), "%s", r->rule);
		all->n_all++;
	}
	record_reader_drop(&reader);
}

static int by_time(const void *a, const void *b)
{
	const struct refusal *x = a, *y = b;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static const char *sentence(const char *word)
{
	for (uint32_t i = 0; i < REASON_COUNT; i++)
		if (!strcmp(reason_word(i), word))
			return reason_text(i);
	return "a reason that this version does not know";
}

/* What no rule cures. */
static const struct {
	const char *reason, *text;
} advice[] = {
	{"telemetry-off", "nothing needs to be done: it is off on purpose"},
	{"denied-by-rule", "a deny rule wins over every allow: take it out of its file to allow this"},
	{"no-such-name", "it is allowed; look whether the name is spelt right and your DNS knows it"},
	{"unreachable", "it is allowed; look whether the host is up and your own network reaches it"},
	{"sni-mismatch", "the program asked for one name and spoke to another: allow that one too, if it is meant"},
	{"host-mismatch", "the program asked for one name and spoke to another: allow that one too, if it is meant"},
	{"malformed", "the request is wrong in itself; no rule changes that"},
	{"budget", "a limit is spent: give the rule a higher one, or allow it again"},
	{"closed-from-outside", "you closed or refused it"},
};

/* The command that would allow it, or what to know when there is none. */
static void remedy(const struct refusal *f, const char *live_id, char out[TEXT_BYTES], bool *out_is_command)
{
	char hint[SUMMARY_HINT_BYTES];
	*out_is_command = summary_hint(&f->row, hint);
	if (*out_is_command) {
		const char *quote = strpbrk(hint, " [") ? "'" : "";
		(void)snprintf(out, TEXT_BYTES, "drydock allow %s%s%s%s%s%s", live_id ? "--session " : "",
			       live_id ? live_id : "", live_id ? " " : "", quote, hint, quote);
		return;
	}
	(void)snprintf(out, TEXT_BYTES, "no rule would allow it");
	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++)
		if (!strcmp(advice[i].reason, f->row.reason))
			(void)snprintf(out, TEXT_BYTES, "%s", advice[i].text);
}

static void put_row(const struct refusal *f, const char *live_id, struct buf *out)
{
	char fix[TEXT_BYTES];
	bool is_command;
	const char *t = strchr(f->time, 'T');

	/* term_put() reports a cut, here and below */
	utf8_put_safe(out, span_make(t ? t + 1 : f->time, strnlen(t ? t + 1 : f->time, 8)), 8);
	(void)buf_putf(out, "  %sDENY%s   ", term_start(STDOUT_FILENO, TERM_RED), term_stop(STDOUT_FILENO));
	if (f->row.name[0])
		utf8_put_safe(out, span_of(f->row.name), NAME_CHARS);
	else
		(void)buf_putf(out, "(no name)");
	if (f->row.port)
		(void)buf_putf(out, ":%u", f->row.port);
	if (f->program[0]) {
		(void)buf_putf(out, "  ");
		utf8_put_safe(out, span_of(f->program), NAME_CHARS);
	}
	(void)buf_putf(out, "  x%" PRIu64 "\n  reason:  ", f->row.count);
	utf8_put_safe(out, span_of(f->row.reason), NAME_CHARS);
	(void)buf_putf(out, " - %s\n", sentence(f->row.reason));
	(void)buf_putf(out, "  rule:    ");
	utf8_put_safe(out, span_of(f->row.rule[0] ? f->row.rule : "none matches: what no rule allows is denied"),
		      NAME_CHARS);
	remedy(f, live_id, fix, &is_command);
	(void)buf_putf(out, "\n  %s %s\n", is_command ? "allow:  " : "note:   ", fix);
}

static void put_json(const struct refusals *all, const char *id, const char *live_id, struct buf *out)
{
	struct json j = {.out = out};
	json_open(&j, NULL, '{');
	json_u64(&j, "v", 1);
	json_str(&j, "session", id);
	json_bool(&j, "live", live_id != NULL);
	json_u64(&j, "count", all->n_all);
	json_open(&j, "refused", '[');
	for (size_t i = 0; i < all->n; i++) {
		const struct refusal *f = &all->rows[i];
		char fix[TEXT_BYTES];
		bool is_command;
		remedy(f, live_id, fix, &is_command);
		json_open(&j, NULL, '{');
		json_str(&j, "host", f->row.name);
		json_u64(&j, "port", f->row.port);
		json_str(&j, "reason", f->row.reason);
		json_str(&j, "text", sentence(f->row.reason));
		json_str(&j, "rule", f->row.rule);
		json_u64(&j, "times", f->row.count);
		json_str(&j, "last", f->time);
		json_str(&j, "program", f->program);
		json_str(&j, is_command ? "allow" : "note", fix);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	(void)buf_put(out, "\n", 1); /* term_put() reports a cut */
}

static int put_all(struct refusals *all, const struct why_flags *flags, const char *host, const char *id,
		   bool is_live)
{
	AUTO(buf) struct buf out = {.max = OUT_MAX_BYTES};
	if (all->n)
		qsort(all->rows, all->n, sizeof(*all->rows), by_time);
	if (flags->is_json) {
		put_json(all, id, is_live ? id : NULL, &out);
	} else if (all->n == 0) {
		char text[512];
		(void)snprintf(text, sizeof(text), "%.200s was refused in session %s", host ? host : "nothing", id);
		if (host)
			(void)snprintf(text, sizeof(text), "'%.200s' was not refused in session %s; see drydock check",
				       host, id);
		term_notice(text);
	}
	for (size_t i = 0; !flags->is_json && i < all->n; i++)
		put_row(&all->rows[i], is_live ? id : NULL, &out);
	int code = term_put(STDOUT_FILENO, &out);
	return code != EXIT_OK ? code : all->n ? EXIT_DENIED : EXIT_OK;
}

static int fail(const char *what, const struct err *err, int code)
{
	term_error(what, err, 0);
	return code;
}

static int explain(const struct why_flags *flags, const char *host)
{
	static struct place place; /* big, and there is one */
	struct err err = {0};
	char id[SESSION_ID_BYTES], path[PATH_MAX + 32];

	if (place_find(&place, &err) < 0)
		return fail("cannot find your sessions", &err, EXIT_FAILED);
	int rc = session_find(&place.roots, flags->session, id, &err);
	if (rc == -ENOENT && getenv("DRYDOCK_SESSION")) {
		err.fix[0] = '\0'; /* what helps outside */
		(void)err_fix(&err, "you are inside one: curl http://drydock.internal/why");
		return fail("no such session", &err, EXIT_NO_SESSION);
	}
	if (rc < 0)
		return fail("no such session", &err, rc == -ENOENT ? EXIT_NO_SESSION : EXIT_FAILED);
	(void)snprintf(path, sizeof(path), "%s/%s/audit.jsonl", place.roots.state, id);
	struct segments log = {0};
	rc = segments_open(path, &log, &err);
	if (rc < 0 && rc != -ENOENT)
		return fail("cannot read the log", &err, EXIT_FAILED);
	struct refusals all = {.max = flags->last ? flags->last : LAST_DEFAULT};
	AUTO(mem) struct refusal *rows = calloc(all.max, sizeof(*rows));
	all.rows = rows;
	if (rows && rc == 0) /* without egress there is no log: nothing was asked for */
		read_all(&log, host, &all);
	segments_close(&log);
	if (!rows)
		return fail("cannot read the log", NULL, EXIT_FAILED);
	return put_all(&all, flags, host, id, session_is_live(&place.roots, id));
}

int cmd_why(char **argv)
{
	struct why_flags flags = {0};
	struct option_list words;
	struct err err = {0};

	if (options_parse_all(why_options, &flags, argv, &words, &err) < 0)
		return term_usage("why", &err);
	if (flags.is_help)
		return cmd_show_help("why");
	if (words.n > 1)
		err_set(&err, 0, "why takes one host, not '%s' too", words.items[1]);
	else if (flags.last > LAST_MAX)
		err_set(&err, 0, "--last takes 1 to %d", LAST_MAX);
	if (err.code < 0)
		return term_usage("why", &err);
	return explain(&flags, words.n ? words.items[0] : NULL);
}
