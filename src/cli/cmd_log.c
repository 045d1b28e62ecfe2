/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_log.c - drydock log: what a session was allowed and refused */
#include "base/own.h"
#include "base/utf8.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/term.h"
#include "report/record.h"

#include <errno.h>
#include <inttypes.h>

enum {
	LINE_MAX_BYTES = RECORD_LINE_MAX_BYTES + 4096,
	NAME_CHARS = 80,
	TIME_BYTES = 8,
	COLUMN = 40
};

struct log_flags {
	bool is_json, only_denied, is_help;
	uint32_t limit;
};

/* clang-format off */
#define AT(member) offsetof(struct log_flags, member)
static const struct option log_options[] = {
	{0, "denied", NULL, "refusals only", OPTION_FLAG, AT(only_denied)},
	{0, "limit", "N", "the last N only", OPTION_COUNT, AT(limit)},
	{0, "json", NULL, "the records as they are, one JSON object a line", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_log_help(struct buf *out)
{
	(void)buf_putf(out,
		       "Usage: drydock log [OPTIONS] [SESSION]\n\n"
		       "One line per decision. SESSION is an id or its beginning; without it, the "
		       "newest.\n\n"); /* constants: they fit */
	options_print(log_options, out);
}

/* "2026-11-23T16:51:36.042Z" is shown as "16:51:36". */
static void put_time(struct buf *out, const char *time)
{
	const char *t = strchr(time, 'T');
	if (t && strlen(t) > TIME_BYTES)
		utf8_put_safe(out, span_make(t + 1, TIME_BYTES), TIME_BYTES);
	else
		utf8_put_safe(out, span_of(time), CHAR_MAX);
}

static void put_bytes(struct buf *out, const struct record *r)
{
	if (r->has_counts)
		(void)buf_putf(out, "  up %" PRIu64 " down %" PRIu64 " in %" PRIu64 " ms",
			       r->up_bytes, r->down_bytes, r->ms);
}

/* Unchecked puts: a line fits, since every part of it is capped; is_cut is looked at by the writer.
 */
static void print_record(const struct record *r, bool is_json, struct buf *out)
{
	if (is_json) {
		(void)buf_putf(out, "%s\n", r->line);
		return;
	}
	bool is_denied = record_is_refusal(r);
	put_time(out, r->time);
	const char *word = is_denied ? "DENY" : r->verdict[0] ? r->verdict : r->event;
	(void)buf_putf(out, "  %s", term_start(STDOUT_FILENO, is_denied ? TERM_RED : TERM_PLAIN));
	utf8_put_safe(out, span_of(word), 8);
	(void)buf_putf(out, "%s%*s", term_stop(STDOUT_FILENO),
		       strlen(word) < 7 ? (int)(7 - strlen(word)) : 1, "");
	size_t start = out->n;
	utf8_put_safe(out, span_of(r->name), NAME_CHARS);
	if (r->port)
		(void)buf_putf(out, ":%u", r->port);
	size_t used = out->n - start;
	(void)buf_putf(out, "%*s  ", used < COLUMN ? (int)(COLUMN - used) : 0, "");
	utf8_put_safe(out, span_of(r->protocol), NAME_CHARS);
	if (r->verdict[0]) {
		(void)buf_putf(out, "  %s", is_denied ? "" : r->event);
	}
	if (is_denied || !r->verdict[0]) {
		(void)buf_putf(out, " ");
		utf8_put_safe(out, span_of(r->reason), NAME_CHARS);
	}
	if (r->address[0]) {
		(void)buf_putf(out, "  ");
		utf8_put_safe(out, span_of(r->address), NAME_CHARS);
	}
	if (r->seen[0]) {
		(void)buf_putf(out, "  seen ");
		utf8_put_safe(out, span_of(r->seen), NAME_CHARS);
	}
	put_bytes(out, r);
	if (r->rule[0]) {
		(void)buf_putf(out, "  by ");
		utf8_put_safe(out, span_of(r->rule), NAME_CHARS);
	}
	(void)buf_put(out, "\n", 1);
}

/* How many records match, so that the second reading knows where the last N begin. */
static uint64_t count(FILE *in, const struct log_flags *flags)
{
	struct record_reader reader = {.in = in};
	const struct record *r;
	uint64_t n = 0;
	while ((r = record_next(&reader)))
		n += !flags->only_denied || record_is_refusal(r);
	record_reader_drop(&reader);
	rewind(in);
	return n;
}

static int print_all(FILE *in, const struct log_flags *flags)
{
	uint64_t skip = 0;
	if (flags->limit) {
		uint64_t n = count(in, flags);
		skip = n > flags->limit ? n - flags->limit : 0;
	}
	AUTO(buf) struct buf line = {.max = LINE_MAX_BYTES};
	struct record_reader reader = {.in = in};
	const struct record *r;
	int code = EXIT_OK;
	while (code == EXIT_OK && (r = record_next(&reader))) {
		if ((flags->only_denied && !record_is_refusal(r)) || (skip && skip--))
			continue;
		buf_clear(&line);
		print_record(r, flags->is_json, &line);
		code = term_put(STDOUT_FILENO, &line);
	}
	if (reader.n_bad) {
		char text[96];
		(void)snprintf(text, sizeof(text),
			       "%" PRIu64 " lines of the log are damaged and were skipped",
			       reader.n_bad);
		term_notice(text);
		code = EXIT_FAILED;
	}
	record_reader_drop(&reader);
	return code;
}

static int show(const char *wanted, const struct log_flags *flags)
{
	struct place place;
	struct err err = {0};
	char id[SESSION_ID_BYTES], path[PATH_MAX + 32];

	if (place_find(&place, &err) < 0) {
		term_error("cannot find your sessions", &err, 0);
		return EXIT_FAILED;
	}
	int rc = session_find(&place.roots, wanted, id, &err);
	if (rc < 0) {
		term_error("no such session", &err, 0);
		return rc == -ENOENT ? EXIT_NO_SESSION : EXIT_FAILED;
	}
	(void)snprintf(path, sizeof(path), "%s/%s/audit.jsonl", place.roots.state, id);
	AUTO(file) FILE *in = fopen(path, "re");
	if (!in && errno == ENOENT) {
		err_set(&err, 0, "session %s has no log: it had no egress (--no-net)", id);
		term_error("nothing to show", &err, 0);
		return EXIT_FAILED;
	}
	if (!in) {
		err_set(&err, errno, "opening '%s'", path);
		term_error("cannot read the log", &err, 0);
		return EXIT_FAILED;
	}
	return print_all(in, flags);
}

int cmd_log(char **argv)
{
	struct log_flags flags = {0};
	struct err err = {0};
	char **rest;

	if (options_parse(log_options, &flags, argv, &rest, &err) < 0)
		return term_usage("log", &err);
	const char *wanted = *rest;
	/* options may stand behind the session, too */
	if (wanted && options_parse(log_options, &flags, rest + 1, &rest, &err) < 0)
		return term_usage("log", &err);
	if (wanted && *rest) {
		err_set(&err, 0, "log takes one session, not '%s' too", *rest);
		return term_usage("log", &err);
	}
	if (flags.is_help)
		return cmd_help((char *[]){(char[]){"log"}, NULL});
	return show(wanted, &flags);
}
