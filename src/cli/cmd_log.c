/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_log.c - drydock log: what a session was allowed and refused */
#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/live.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/term.h"
#include "egress/wire/control.h"
#include "report/segments.h"
#include "report/verify.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>

enum {
	LINE_MAX_BYTES = RECORD_LINE_MAX_BYTES + 4096,
	NAME_CHARS = 80,
	TIME_BYTES = 8,
	COLUMN = 40
};

struct log_flags {
	bool is_json, only_denied, is_following, is_verifying, is_help;
	const char *host, *head;
	uint64_t since_ms;
	uint32_t limit;
	char since[CLOCK_TEXT_BYTES]; /* the same as a time in UTC; "" for none */
};

/* clang-format off */
#define AT(member) offsetof(struct log_flags, member)
static const struct option log_options[] = {
	{'f', "follow", NULL, "go on until the session ends", OPTION_FLAG, AT(is_following)},
	{0, "since", "TIME", "no older than 10m, 2h, 1d", OPTION_DURATION, AT(since_ms)},
	{0, "host", "GLOB", "only names like this, as in '*.example.com'", OPTION_TEXT, AT(host)},
	{0, "denied", NULL, "refusals only", OPTION_FLAG, AT(only_denied)},
	{0, "limit", "N", "the last N only", OPTION_COUNT, AT(limit)},
	{0, "json", NULL, "the records as they are, one JSON object a line", OPTION_FLAG, AT(is_json)},
	{0, "verify", NULL, "check that the log is as it was written (exit 3: it is not)", OPTION_FLAG, AT(is_verifying)},
	{0, "head", "HASH", "with --verify: the last hash as it was kept elsewhere must be in the log", OPTION_TEXT, AT(head)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_log_help(struct buf *out)
{
	(void)buf_putf(out,
		       "Usage: drydock log [OPTIONS] [SESSION]\n"
		       "       drydock log --verify [SESSION|FILE]\n\n"
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
	if (!strcmp(r->event, "seal"))
		return; /* it says nothing of its own */
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
	if (r->program[0]) {
		(void)buf_putf(out, "  %s", !strcmp(r->event, "program") ? "made the flow above: " : "from ");
		utf8_put_safe(out, span_of(r->program), NAME_CHARS);
	}
	put_bytes(out, r);
	if (r->rule[0]) {
		(void)buf_putf(out, "  by ");
		utf8_put_safe(out, span_of(r->rule), NAME_CHARS);
	}
	(void)buf_put(out, "\n", 1);
}

static bool is_wanted(const struct record *r, const struct log_flags *flags)
{
	return (!flags->only_denied || record_is_refusal(r)) &&
	       (!flags->host || fnmatch(flags->host, r->name, 0) == 0) &&
	       (!flags->since[0] || strcmp(r->time, flags->since) >= 0); /* both in UTC, of one length */
}

/* How many records match, so that the second reading knows where the last N begin. */
static uint64_t count(struct segments *log, const struct log_flags *flags)
{
	struct record_reader reader = segments_reader(log);
	const struct record *r;
	uint64_t n = 0;
	while ((r = record_next(&reader)))
		n += is_wanted(r, flags);
	record_reader_drop(&reader);
	return n;
}

static int print_one(const struct record *r, const struct log_flags *flags)
{
	AUTO(buf) struct buf line = {.max = LINE_MAX_BYTES};

	print_record(r, flags->is_json, &line);
	return term_put(STDOUT_FILENO, &line);
}

/* @out_seq: the number of the last record that was read */
static int print_all(struct segments *log, const struct log_flags *flags, uint64_t *out_seq)
{
	uint64_t skip = 0;
	if (flags->limit) {
		uint64_t n = count(log, flags);
		skip = n > flags->limit ? n - flags->limit : 0;
	}
	struct record_reader reader = segments_reader(log);
	const struct record *r;
	int code = EXIT_OK;
	while (code == EXIT_OK && (r = record_next(&reader))) {
		*out_seq = r->seq;
		if (is_wanted(r, flags) && !(skip && skip--))
			code = print_one(r, flags);
	}
	if (reader.n_bad && !flags->is_following) { /* the line being written now is none yet */
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

/* Goes on with what the egress says; a reader too slow for that is told so. */
static int follow(int egress, const struct log_flags *flags, uint64_t seen)
{
	AUTO(mem) struct control_packet *packet = malloc(sizeof(*packet));
	int code = EXIT_OK;

	while (packet && code == EXIT_OK && control_recv(egress, packet) == 1) {
		struct record r;
		fd_drop(&packet->fd);
		if (packet->head.number != CONTROL_RECORD || !record_read(packet->text, &r))
			continue;
		if (r.seq > seen && is_wanted(&r, flags))
			code = print_one(&r, flags);
		record_drop(&r);
	}
	return code;
}

/* The subscription begins before the file is read, so that nothing falls between the two. */
static int show(const struct place *place, const char *id, const char *path, const struct log_flags *flags)
{
	struct segments log;
	struct err err = {0};
	uint64_t seen = 0;
	AUTO(fd) int egress = -1;

	if (flags->is_following && session_is_live(&place->roots, id)) {
		egress = live_connect(&place->roots, id, &err);
		if (egress < 0 || control_ask(egress, CONTROL_SUBSCRIBE, 0, (struct span){0}, -1, NULL, NULL, &err) < 0) {
			term_error("cannot follow the log", &err, 0);
			return EXIT_FAILED;
		}
	}
	int rc = segments_open(path, &log, &err);
	if (rc < 0) {
		if (rc == -ENOENT)
			err_set(&err, 0, "session %s has no log: it had no egress (--no-net)", id);
		term_error(rc == -ENOENT ? "nothing to show" : "cannot read the log", &err, 0);
		return EXIT_FAILED;
	}
	int code = print_all(&log, flags, &seen);
	segments_close(&log);
	return code == EXIT_OK && egress >= 0 ? follow(egress, flags, seen) : code;
}

static void put_result(const struct verify *v, const char *path, bool is_json, struct buf *out)
{
	static const char *const words[] = {
		[VERIFY_SEALED] = "intact", [VERIFY_UNSEALED] = "unsealed", [VERIFY_BROKEN] = "broken"};
	struct json j = {.out = out};

	if (is_json) {
		json_open(&j, NULL, '{');
		json_u64(&j, "v", 1);
		json_str(&j, "file", path);
		json_str(&j, "result", words[v->state]);
		json_u64(&j, "records", v->n_records);
		json_u64(&j, "lost", v->n_lost);
		json_u64(&j, "dropped", v->n_dropped);
		json_str(&j, "last_hash", v->last_hash);
		if (v->state == VERIFY_BROKEN) {
			json_str(&j, "where", v->where);
			json_str(&j, "why", v->why);
		}
		json_close(&j, '}');
		(void)buf_put(out, "\n", 1);
		return;
	}
	utf8_put_safe(out, span_of(path), PATH_MAX);
	if (v->state == VERIFY_BROKEN) {
		(void)buf_putf(out, ": BROKEN\n  %s: %s\n", v->where, v->why);
		return;
	}
	(void)buf_putf(out, ": intact, %" PRIu64 " records", v->n_records);
	if (v->n_lost)
		(void)buf_putf(out, ", %" PRIu64 " lost while it could not be written", v->n_lost);
	if (v->n_dropped)
		(void)buf_putf(out, ", %" PRIu64 " written over at its size limit", v->n_dropped);
	(void)buf_putf(out, "\n  last hash %s\n", v->last_hash);
	if (v->state == VERIFY_UNSEALED)
		(void)buf_putf(out, "  not sealed: the session runs, or the egress was killed, or the end was cut off\n");
}

static int check_chain(const char *path, const struct log_flags *flags)
{
	struct verify v;
	struct err err = {0};
	AUTO(buf) struct buf out = {.max = LINE_MAX_BYTES};

	if (verify_log(path, flags->head, &v, &err) < 0) {
		term_error("cannot check the log", &err, 0);
		return EXIT_FAILED;
	}
	put_result(&v, path, flags->is_json, &out);
	int code = term_put(STDOUT_FILENO, &out);
	return code != EXIT_OK ? code : v.state == VERIFY_BROKEN ? EXIT_DENIED : EXIT_OK;
}

static int find_and_do(const char *wanted, const struct log_flags *flags)
{
	struct place place;
	struct err err = {0};
	char id[SESSION_ID_BYTES], path[PATH_MAX + 32];

	if (flags->is_verifying && wanted && strchr(wanted, '/'))
		return check_chain(wanted, flags);
	if (place_find(&place, &err) < 0) {
		term_error("cannot find your sessions", &err, 0);
		return EXIT_FAILED;
	}
	int rc = session_find(&place.roots, wanted, id, &err);
	if (rc < 0) {
		if (flags->is_verifying)
			(void)err_fix(&err, "for a file, write a path with a '/': ./%s", wanted ? wanted : "FILE");
		term_error("no such session", &err, 0);
		return rc == -ENOENT ? EXIT_NO_SESSION : EXIT_FAILED;
	}
	(void)snprintf(path, sizeof(path), "%s/%s/audit.jsonl", place.roots.state, id);
	return flags->is_verifying ? check_chain(path, flags) : show(&place, id, path, flags);
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
		return cmd_show_help("log");
	if (flags.head && (!flags.is_verifying || !verify_is_hash(flags.head))) {
		err_set(&err, 0, flags.is_verifying ? "--head takes a hash as --verify prints it, 64 digits of 0-9a-f"
						    : "--head belongs to --verify");
		return term_usage("log", &err);
	}
	if (flags.since_ms)
		clock_print(clock_wall_ms() - flags.since_ms, flags.since);
	return find_and_do(wanted, &flags);
}
