/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_init.c - drydock init: writes a project's .drydock with comments, and trusts it */
#include "base/fs.h"
#include "base/own.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/term.h"
#include "config/config.h"
#include "config/trust.h"
#include "report/segments.h"
#include "report/summary.h"

#include <errno.h>
#include <fcntl.h>

enum { LINES_MAX = 512, LINE_BYTES = SUMMARY_HINT_BYTES + 32, HEAD_MAX_BYTES = 8192 };

struct init_flags {
	struct option_list presets;
	const char *from;
	bool is_dry, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct init_flags, member)
static const struct option init_options[] = {
	{'p', "preset", "NAME", "a ready-made group of rules (repeat)", OPTION_LIST, AT(presets)},
	{0, "from-learn", "SESSION", "a rule for each destination that this session was refused", OPTION_TEXT, AT(from)},
	{'n', "dry-run", NULL, "print what would be written", OPTION_FLAG, AT(is_dry)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_init_help(struct buf *out)
{
	/* constants: they fit */
	(void)buf_putf(out, "Usage: drydock init [OPTIONS]\n\n"
			    "Writes a .drydock with comments into this project and trusts it: what it holds is your "
			    "own word.\nPresets that suit the project's files are written as comments.\n\n");
	options_print(init_options, out);
	(void)buf_putf(out, "\nExit code: 0 done, 1 there is one already, 6 no such session.\n");
}

/* struct drafting - the file that is being made */
struct drafting {
	struct place place;
	char path[PATH_MAX + 16];
	char lines[LINES_MAX][LINE_BYTES];
	const char *list[LINES_MAX + 1];
	size_t n;
	struct buf head;
};

/* What a project's files say of its ecosystem. */
static const struct {
	const char *file, *preset;
} signs[] = {
	{"package.json", "npm"},   {"yarn.lock", "yarn"},	{"pnpm-lock.yaml", "pnpm"}, {"bun.lockb", "bun"},
	{"pyproject.toml", "pypi"}, {"requirements.txt", "pypi"}, {"setup.py", "pypi"},	    {"uv.lock", "uv"},
	{"Cargo.toml", "crates"},  {"go.mod", "go"},		{"pom.xml", "maven"},	    {"build.gradle", "gradle"},
	{"build.gradle.kts", "gradle"}, {"Gemfile", "rubygems"}, {"environment.yml", "conda"},
};

static bool is_asked_for(const struct init_flags *flags, const char *preset)
{
	for (size_t i = 0; i < flags->presets.n; i++)
		if (!strcmp(flags->presets.items[i], preset))
			return true;
	return false;
}

/* All constants and names of presets: they fit. */
static void draft_head(struct drafting *d, const struct init_flags *flags)
{
	(void)buf_putf(&d->head,
		       "# What this project's agent may reach. Read only when trusted: drydock trust\n"
		       "# Lines: allow HOST[:PORT], preset NAME, limit memory 8G, budget up=1G. See drydock-policy(5).\n");
	bool has_any = false;
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		char path[PATH_MAX + 64];
		bool is_repeat = i && !strcmp(signs[i - 1].preset, signs[i].preset) && has_any;
		(void)snprintf(path, sizeof(path), "%s/%s", d->place.project, signs[i].file);
		if (access(path, F_OK) != 0 || is_asked_for(flags, signs[i].preset) || is_repeat)
			continue;
		if (!has_any)
			(void)buf_putf(&d->head, "#\n# This project's files suggest:\n");
		has_any = true;
		(void)buf_putf(&d->head, "#   preset %-8s   because of %s\n", signs[i].preset, signs[i].file);
	}
	(void)buf_putf(&d->head, "\n%s", flags->presets.n || flags->from ? "" : "# allow api.example.com:443\n");
}

static int add_line(struct drafting *d, const char *action, const char *text, struct err *err)
{
	if (d->n == LINES_MAX)
		return err_set(err, 0, "more than %d rules: too many to review", LINES_MAX);
	if (snprintf(d->lines[d->n], LINE_BYTES, "%s %s", action, text) >= LINE_BYTES)
		return err_set(err, ENAMETOOLONG, "'%.80s'", text);
	d->list[d->n] = d->lines[d->n];
	d->n++;
	return 0;
}

/* Do the presets exist, with the classes that are asked for? */
static int check_presets(const struct drafting *d, const struct init_flags *flags, struct err *err)
{
	const struct config_input in = {.preset_dirs = d->place.preset_dirs, .home = d->place.home,
					.presets = flags->presets.items};
	struct config config;
	int rc = config_load(&in, &config, err);
	if (rc == 0)
		config_drop(&config);
	return rc;
}

/* A rule for each destination that was refused for want of one. */
static int add_refused(struct drafting *d, const char *wanted, struct err *err)
{
	char id[SESSION_ID_BYTES], path[PATH_MAX + 64];
	struct summary summary = {0};
	struct segments log = {0};
	const struct record *r;

	int rc = session_find(&d->place.roots, wanted, id, err);
	if (rc < 0)
		return rc;
	(void)snprintf(path, sizeof(path), "%s/%s/audit.jsonl", d->place.roots.state, id);
	rc = segments_open(path, &log, err);
	if (rc < 0) {
		(void)err_set(err, 0, "session %s has no log that can be read", id);
		return -EINVAL;
	}
	struct record_reader reader = segments_reader(&log);
	while ((r = record_next(&reader)))
		summary_add(&summary, r);
	record_reader_drop(&reader);
	segments_close(&log);
	for (size_t i = 0; rc == 0 && i < summary.n_rows; i++) {
		char hint[SUMMARY_HINT_BYTES];
		const char *reason = summary.rows[i].reason;
		bool is_missing = !strcmp(reason, "not-allowlisted") || !strcmp(reason, "port-not-allowed");
		if (is_missing && summary_hint(&summary.rows[i], hint))
			rc = add_line(d, "allow", hint, err);
	}
	summary_drop(&summary);
	return rc;
}

static int draft(struct drafting *d, const struct init_flags *flags, struct err *err)
{
	int rc = place_find(&d->place, err);
	if (rc < 0)
		return -EINVAL; /* -ENOENT means a session */
	if (!d->place.project[0]) {
		(void)err_set(err, 0, "there is no project here");
		return -EINVAL;
	}
	(void)snprintf(d->path, sizeof(d->path), "%s/.drydock", d->place.project);
	if (faccessat(AT_FDCWD, d->path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		(void)err_set(err, 0, "'%s' is there already", d->path);
		(void)err_fix(err, "add to it: drydock allow --project RULE; review it: drydock trust");
		return -EEXIST;
	}
	rc = check_presets(d, flags, err);
	for (size_t i = 0; rc == 0 && i < flags->presets.n; i++)
		rc = add_line(d, "preset", flags->presets.items[i], err);
	if (rc < 0)
		return -EINVAL;
	if (flags->from)
		rc = add_refused(d, flags->from, err);
	draft_head(d, flags);
	return rc;
}

/* The file has a head even when it has no line yet. */
static int print_draft(const struct drafting *d)
{
	AUTO(buf) struct buf out = {.max = HEAD_MAX_BYTES + sizeof(d->lines)};
	(void)buf_put(&out, d->head.p, d->head.n); /* term_put() reports a cut, here and below */
	for (size_t i = 0; i < d->n; i++)
		(void)buf_putf(&out, "%s\n", d->lines[i]);
	return term_put(STDOUT_FILENO, &out);
}

static int write_draft(struct drafting *d, struct err *err)
{
	AUTO(buf) struct buf content = {.max = HEAD_MAX_BYTES + sizeof(d->lines)};
	bool is_put = buf_put(&content, d->head.p, d->head.n);
	for (size_t i = 0; is_put && i < d->n; i++)
		is_put = buf_putf(&content, "%s\n", d->lines[i]);
	if (!is_put)
		return err_set(err, ENOMEM, "writing '%s'", d->path);
	int rc = config_check_project(d->path, buf_span(&content), err);
	if (rc < 0)
		return rc;
	/* made anew, and never through a link that appeared meanwhile */
	AUTO(fd) int fd = open(d->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set(err, errno, "making '%s'", d->path);
	rc = fs_write_all(fd, content.p, content.n);
	if (rc < 0)
		return err_set(err, -rc, "writing '%s'", d->path);
	return trust_grant(d->place.trust_dir, d->path, buf_span(&content), err);
}

int cmd_init(char **argv)
{
	static struct init_flags flags;
	static struct drafting d; /* big, and there is one */
	struct option_list words;
	struct err err = {0};

	flags = (struct init_flags){0};
	if (options_parse_all(init_options, &flags, argv, &words, &err) < 0)
		return term_usage("init", &err);
	if (flags.is_help)
		return cmd_show_help("init");
	if (words.n) {
		err_set(&err, 0, "init takes no argument, not '%s'", words.items[0]);
		return term_usage("init", &err);
	}
	d.head = (struct buf){.max = HEAD_MAX_BYTES};
	int rc = draft(&d, &flags, &err);
	if (rc == 0 && !flags.is_dry)
		rc = write_draft(&d, &err);
	int code = rc == 0 ? print_draft(&d) : rc == -ENOENT ? EXIT_NO_SESSION : EXIT_FAILED;
	buf_drop(&d.head);
	if (rc < 0) {
		term_error(rc == -ENOENT ? "no such session" : "cannot write a .drydock", &err, 0);
		return code;
	}
	term_notice(flags.is_dry ? "nothing was written: --dry-run"
				 : "written to .drydock and trusted; commit it for those who share the project");
	return code;
}
