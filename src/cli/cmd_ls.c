/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_ls.c - drydock ls: the sessions that run, and with -a those that ended */
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/term.h"
#include "report/meta.h"

#include <errno.h>

enum { OUT_MAX_BYTES = 16 << 20, TEXT_CHARS = 200, COMMAND_CHARS = 60, COLUMNS = 7 };

struct ls_flags {
	bool is_all, is_json, is_quiet, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct ls_flags, member)
static const struct option ls_options[] = {
	{'a', "all", NULL, "those that ended, too", OPTION_FLAG, AT(is_all)},
	{'q', "quiet", NULL, "the ids alone", OPTION_FLAG, AT(is_quiet)},
	{0, "json", NULL, "one JSON document", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_ls_help(struct buf *out)
{
	/* constants: they fit */
	(void)buf_putf(out, "Usage: drydock ls [OPTIONS]\n\nLists sessions, the newest first.\n\n");
	options_print(ls_options, out);
}

static const char *state_of(const struct session_entry *entry, const struct meta *meta)
{
	return entry->is_live ? "running" : meta->has_ended ? "ended" : "killed";
}

static void put_json(struct json *j, const struct session_entry *entry, const struct meta *m)
{
	json_open(j, NULL, '{');
	json_str(j, "session", entry->id);
	json_str(j, "state", state_of(entry, m));
	json_str(j, "mode", m->mode);
	json_str(j, "engine", m->engine);
	json_str(j, "project", m->project);
	json_open(j, "command", '[');
	for (size_t i = 0; i < m->n_argv; i++)
		json_str(j, NULL, m->argv[i]);
	json_close(j, ']');
	json_str(j, "started", m->started);
	if (m->has_ended && !entry->is_live) {
		json_str(j, "ended", m->ended);
		json_i64(j, "exit", m->exit_code);
		json_u64(j, "refused", m->n_refused);
	}
	json_close(j, '}');
}

/* One cell: padded on a terminal, ended by a tab where a program reads. */
static void put_cell(struct buf *out, const char *text, size_t width, bool is_table)
{
	size_t start = out->n;
	utf8_put_safe(out, span_of(text), TEXT_CHARS); /* term_put() reports a cut, here and below */
	size_t used = out->n - start;
	if (is_table)
		(void)buf_putf(out, "%*s", used < width ? (int)(width - used) : 2, "");
	else
		(void)buf_put(out, "\t", 1);
}

static void put_command(struct buf *out, const struct meta *m)
{
	AUTO(buf) struct buf words = {.max = 64 << 10};
	for (size_t i = 0; i < m->n_argv && !words.is_cut; i++)
		(void)buf_putf(&words, "%s%s", i ? " " : "", m->argv[i]);
	utf8_put_safe(out, buf_span(&words), COMMAND_CHARS);
	(void)buf_put(out, "\n", 1);
}

/* "2026-11-23T16:51:36.042Z" without its fraction. */
static const char *short_time(const char *time, char out[32])
{
	(void)snprintf(out, 32, "%.10s %.8s", time, strlen(time) > 11 ? time + 11 : "");
	return out;
}

static void put_row(struct buf *out, const struct session_entry *entry, const struct meta *m, const char *home,
		    bool is_table)
{
	char exit_code[16] = "-", time[32];
	AUTO(buf) struct buf project = {.max = 4096};
	if (m->has_ended && !entry->is_live)
		(void)snprintf(exit_code, sizeof(exit_code), "%d", m->exit_code);
	put_cell(out, entry->id, 20, is_table);
	put_cell(out, state_of(entry, m), 9, is_table);
	put_cell(out, exit_code, 6, is_table);
	put_cell(out, m->engine, 8, is_table);
	put_cell(out, short_time(m->started, time), 21, is_table);
	if (m->project[0])
		term_put_path(&project, m->project, home);
	/* escaped once already: a tab or a newline is none any more */
	size_t n = project.n;
	(void)buf_putf(out, "%.*s", (int)n, project.p ? (const char *)project.p : "");
	(void)buf_putf(out, is_table ? "%*s" : "\t", n < 24 ? (int)(24 - n) : 2, "");
	put_command(out, m);
}

/* A session that is just being made has no record yet. */
static void read_meta(const struct place *place, const char *id, struct meta *out)
{
	char path[PATH_MAX + 32];
	(void)snprintf(path, sizeof(path), "%s/%s/meta.json", place->roots.state, id);
	if (meta_read(path, out, NULL) < 0)
		*out = (struct meta){.mode = "", .engine = "", .project = "", .cwd = "", .layers = "",
				     .started = "", .ended = ""};
}

static int list(const struct ls_flags *flags, const struct place *place, struct err *err)
{
	AUTO(mem) struct session_entry *entries = NULL;
	AUTO(buf) struct buf out = {.max = OUT_MAX_BYTES};
	struct json j = {.out = &out};
	bool is_table = term_is_tty(STDOUT_FILENO);
	size_t n = 0, n_shown = 0;

	int rc = session_list(&place->roots, &entries, &n, err);
	if (rc < 0)
		return rc;
	if (flags->is_json) {
		json_open(&j, NULL, '{');
		json_u64(&j, "v", 1);
		json_open(&j, "sessions", '[');
	}
	for (size_t i = 0; i < n; i++) {
		if (!entries[i].is_live && !flags->is_all)
			continue;
		struct meta meta;
		if (!n_shown++ && is_table && !flags->is_json && !flags->is_quiet)
			(void)buf_putf(&out, "%-20s%-9s%-6s%-8s%-21s%-24s%s\n", "SESSION", "STATE", "EXIT",
				       "ENGINE", "STARTED (UTC)", "PROJECT", "COMMAND");
		read_meta(place, entries[i].id, &meta);
		if (flags->is_json)
			put_json(&j, &entries[i], &meta);
		else if (flags->is_quiet)
			(void)buf_putf(&out, "%s\n", entries[i].id);
		else
			put_row(&out, &entries[i], &meta, place->home, is_table);
		meta_drop(&meta);
	}
	if (flags->is_json) {
		json_close(&j, ']');
		json_close(&j, '}');
		(void)buf_put(&out, "\n", 1);
	} else if (n_shown == 0 && !flags->is_quiet) {
		term_notice(flags->is_all || n == 0 ? "there are no sessions"
						    : "no session is running; those that ended: drydock ls -a");
	}
	return term_put(STDOUT_FILENO, &out);
}

int cmd_ls(char **argv)
{
	struct ls_flags flags = {0};
	static struct place place; /* big, and there is one */
	struct option_list words;
	struct err err = {0};

	if (options_parse_all(ls_options, &flags, argv, &words, &err) < 0)
		return term_usage("ls", &err);
	if (flags.is_help)
		return cmd_show_help("ls");
	if (words.n) {
		err_set(&err, 0, "ls takes no argument, not '%s'", words.items[0]);
		(void)err_fix(&err, "one session: drydock inspect %.64s", words.items[0]);
		return term_usage("ls", &err);
	}
	int rc = place_find(&place, &err);
	if (rc == 0)
		rc = list(&flags, &place, &err);
	if (rc < 0) {
		term_error("cannot list your sessions", &err, 0);
		return EXIT_FAILED;
	}
	return rc;
}
