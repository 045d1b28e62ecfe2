/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_report.c - drydock report: a session on one page, to show to somebody */
#include "base/fs.h"
#include "base/own.h"
#include "base/proc.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/policy_text.h"
#include "cli/term.h"
#include "report/pages.h"
#include "report/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/wait.h>

enum { POLICY_MAX_BYTES = 256 << 20 };

struct report_flags {
	const char *output, *format;
	bool is_opening, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct report_flags, member)
static const struct option report_options[] = {
	{'o', "output", "FILE", "write it there; - for standard output", OPTION_TEXT, AT(output)},
	{0, "format", "WORD", "html (the default), md or json", OPTION_TEXT, AT(format)},
	{0, "open", NULL, "show it with xdg-open", OPTION_FLAG, AT(is_opening)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_report_help(struct buf *out)
{
	/* constants: they fit */
	(void)buf_putf(out, "Usage: drydock report [OPTIONS] [SESSION]\n\n"
			    "What a session reached, what it was refused, which rules it did not need, and whether its log\n"
			    "is intact. Without SESSION, of the newest. Without --output, in the session's folder; the path\n"
			    "is printed.\n\n");
	options_print(report_options, out);
}

struct format {
	const char *word, *file;
	void (*put)(const struct page *page, struct buf *out);
};

static const struct format formats[] = {
	{"html", "report.html", page_html}, {"md", "report.md", page_markdown}, {"json", "report.json", page_json}};

/** struct report - all that a page borrows from */
struct report {
	struct place place;
	char id[SESSION_ID_BYTES];
	char state_dir[PATH_MAX + 64];
	struct meta meta;
	struct digest digest;
	struct verify chain;
	struct page_rule unused[PAGE_MAX_UNUSED];
	struct page page;
};

static void report_drop(struct report *r)
{
	for (size_t i = 0; i < r->page.n_unused; i++) {
		free(r->unused[i].text);
		free(r->unused[i].origin);
	}
	digest_drop(&r->digest);
	meta_drop(&r->meta);
}

static void look_at_rule(const struct policy_line *line, void *arg)
{
	struct report *r = arg;
	AUTO(mem) char *text = NULL;
	AUTO(mem) char *origin = NULL;

	if (!line->is_rule || line->rule.action != RULE_ALLOW)
		return;
	r->page.n_allows++;
	if (asprintf(&origin, "%.*s:%u", (int)line->file.n, (const char *)line->file.p, line->line) < 0) {
		origin = NULL;
		return;
	}
	if (r->page.n_unused == PAGE_MAX_UNUSED || digest_has_used(&r->digest, origin))
		return;
	if (asprintf(&text, "%.*s", (int)line->text.n, (const char *)line->text.p) < 0) {
		text = NULL;
		return;
	}
	r->unused[r->page.n_unused++] = (struct page_rule){.text = TAKE(text), .origin = TAKE(origin)};
}

static int read_log(struct report *r, struct err *err)
{
	char path[PATH_MAX + 96];
	struct segments log;

	(void)snprintf(path, sizeof(path), "%s/audit.jsonl", r->state_dir);
	int rc = segments_open(path, &log, err);
	if (rc == -ENOENT)
		return 0; /* it had no egress */
	if (rc < 0)
		return rc;
	struct record_reader reader = segments_reader(&log);
	const struct record *record;
	while ((record = record_next(&reader)))
		digest_add(&r->digest, record);
	record_reader_drop(&reader);
	segments_close(&log);
	digest_sort(&r->digest);
	r->page.has_log = true;
	return verify_log(path, NULL, &r->chain, err);
}

static int read_session(struct report *r, const char *wanted, struct err *err)
{
	AUTO(buf) struct buf policy = {.max = POLICY_MAX_BYTES};
	char path[PATH_MAX + 96];

	int rc = place_find(&r->place, err);
	if (rc < 0)
		return -EINVAL; /* @err says it; -ENOENT means a session */
	rc = session_find(&r->place.roots, wanted, r->id, err);
	if (rc < 0)
		return rc;
	(void)snprintf(r->state_dir, sizeof(r->state_dir), "%s/%s", r->place.roots.state, r->id);
	(void)snprintf(path, sizeof(path), "%s/meta.json", r->state_dir);
	rc = meta_read(path, &r->meta, err);
	if (rc == 0)
		rc = read_log(r, err);
	if (rc == 0)
		rc = policy_text_read(r->place.roots.state, r->id, &policy, err);
	if (rc < 0)
		return rc == -ENOENT ? -EINVAL : rc;
	bool is_live = session_is_live(&r->place.roots, r->id);
	r->page.id = r->id;
	r->page.state = is_live ? "running" : r->meta.has_ended ? "ended" : "killed";
	r->page.meta = &r->meta;
	r->page.digest = &r->digest;
	r->page.chain = &r->chain;
	r->page.unused = r->unused;
	policy_text_each(buf_span(&policy), look_at_rule, r);
	return 0;
}

static void show(const char *path)
{
	const char *argv[] = {"xdg-open", path, NULL};
	pid_t pid = fork();

	if (pid == 0) {
		(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
		term_notice("there is no xdg-open to show it with: open the file yourself");
		_exit(EXIT_FAILED);
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0); /* it says itself what went wrong */
}

static int write_out(const struct report *r, const struct report_flags *flags, const struct format *format)
{
	AUTO(buf) struct buf out = {.max = PAGE_MAX_BYTES};
	char path[PATH_MAX + 128];
	struct err err = {0};

	format->put(&r->page, &out);
	if (flags->output && !strcmp(flags->output, "-"))
		return term_put(STDOUT_FILENO, &out);
	if (out.is_cut) {
		err_set(&err, 0, "the report would have more than %d bytes", PAGE_MAX_BYTES);
		term_error("cannot write the report", &err, 0);
		return EXIT_FAILED;
	}
	if (flags->output)
		(void)snprintf(path, sizeof(path), "%s", flags->output);
	else
		(void)snprintf(path, sizeof(path), "%s/%s", r->state_dir, format->file);
	if (fs_replace(path, buf_span(&out), 0600, &err) < 0) {
		term_error("cannot write the report", &err, 0);
		return EXIT_FAILED;
	}
	AUTO(buf) struct buf line = {.max = sizeof(path) + 2};
	(void)buf_putf(&line, "%s\n", path);
	int code = term_put(STDOUT_FILENO, &line);
	if (flags->is_opening)
		show(path);
	return code;
}

static const struct format *find_format(const char *word)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!strcmp(word, formats[i].word))
			return &formats[i];
	return NULL;
}

int cmd_report(char **argv)
{
	static struct report report; /* big, and there is one */
	struct report_flags flags = {.format = "html"};
	struct err err = {0};
	char **rest;

	if (options_parse(report_options, &flags, argv, &rest, &err) < 0)
		return term_usage("report", &err);
	const char *wanted = *rest;
	if (wanted && options_parse(report_options, &flags, rest + 1, &rest, &err) < 0)
		return term_usage("report", &err);
	if (flags.is_help)
		return cmd_show_help("report");
	const struct format *format = find_format(flags.format);
	if (!format || (wanted && *rest)) {
		err_set(&err, 0, format ? "report takes one session, not '%s' too" : "--format takes html, md or json, not '%s'",
			format ? *rest : flags.format);
		return term_usage("report", &err);
	}
	int rc = read_session(&report, wanted, &err);
	if (rc < 0)
		term_error(rc == -ENOENT ? "no such session" : "cannot read the session", &err, 0);
	int code = rc == -ENOENT ? EXIT_NO_SESSION : rc < 0 ? EXIT_FAILED : write_out(&report, &flags, format);
	report_drop(&report);
	return code;
}
