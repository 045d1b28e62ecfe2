/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_trust.c - drydock trust: shows what a project's .drydock asks for, and asks whether to agree */
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/term.h"
#include "config/config.h"
#include "config/trust.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

enum { OUT_MAX_BYTES = 4 << 20, LINE_CHARS = RULE_LINE_MAX_BYTES, SHOWN_DOMAINS = 4, ANSWER_BYTES = 64 };

struct trust_flags {
	const char *hash;
	bool is_revoke, is_list, is_yes, no_input, is_json, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct trust_flags, member)
static const struct option trust_options[] = {
	{0, "yes", NULL, "agree without a question; needs --hash", OPTION_FLAG, AT(is_yes)},
	{0, "hash", "SHA256", "of the content that you have read", OPTION_TEXT, AT(hash)},
	{0, "revoke", NULL, "trust it no longer", OPTION_FLAG, AT(is_revoke)},
	{0, "list", NULL, "what you trust, and whether it is as it was", OPTION_FLAG, AT(is_list)},
	{0, "no-input", NULL, "ask nothing, also on a terminal", OPTION_FLAG, AT(no_input)},
	{0, "json", NULL, "with --list: one JSON document", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_trust_help(struct buf *out)
{
	/* constants: they fit */
	(void)buf_putf(out, "Usage: drydock trust [OPTIONS] [DIR]\n\n"
			    "Shows what the .drydock of a project asks for, or what changed since you trusted it, and "
			    "asks\nwhether to agree. Sessions read that file only as long as its content is the one "
			    "you agreed to.\n\n");
	options_print(trust_options, out);
	(void)buf_putf(out, "\nExit code: 0 trusted, 4 not trusted.\n");
}

/* struct review - one file, read once: what is shown is what is trusted */
struct review {
	const struct trust_flags *flags;
	struct place place;
	char path[PATH_MAX + 16];
	struct buf content;
	char hash[SHA256_HEX_BYTES];
	enum trust_state state;
	struct trust_record was;
};

static struct span next_line(struct span *left)
{
	const uint8_t *end = memchr(left->p, '\n', left->n);
	size_t n = end ? (size_t)(end - left->p) : left->n;
	struct span line = span_make(left->p, n);
	*left = span_make(left->p + n + (end != NULL), left->n - n - (end != NULL));
	return line;
}

/* struct saying - what each line of a file says; "" for comments */
struct saying {
	char (*lines)[RULE_LINE_MAX_BYTES + 1];
	size_t n;
};

static int read_saying(struct span text, struct saying *out)
{
	*out = (struct saying){.lines = calloc(CONFIG_PROJECT_MAX_LINES, sizeof(*out->lines))};
	if (!out->lines)
		return -ENOMEM;
	while (text.n && out->n < CONFIG_PROJECT_MAX_LINES)
		rulefile_words(next_line(&text), RULE_ALLOW, out->lines[out->n++]);
	return 0;
}

static bool says(const struct saying *text, const char *words)
{
	for (size_t i = 0; i < text->n; i++)
		if (!strcmp(text->lines[i], words))
			return true;
	return false;
}

/* "preset NAME": how many destinations it opens, and the first of them. */
static void put_preset(const struct review *r, const char *name, struct buf *out)
{
	const char *const wanted[] = {name, NULL};
	const struct config_input in = {
		.preset_dirs = r->place.preset_dirs, .home = r->place.home, .presets = wanted};
	struct config config;
	struct err err = {0};
	size_t n = 0;

	if (config_load(&in, &config, &err) < 0) {
		(void)buf_putf(out, "      "); /* term_put() reports a cut, here and below */
		utf8_put_safe(out, span_of(err.text), LINE_CHARS);
		(void)buf_put(out, "\n", 1);
		return;
	}
	(void)buf_putf(out, "      ");
	for (struct span left = buf_span(&config.policy); left.n;) {
		struct span line = next_line(&left);
		if (line.n < 6 || memcmp(line.p, "allow ", 6) != 0)
			continue;
		if (n++ < SHOWN_DOMAINS) {
			utf8_put_safe(out, span_make(line.p + 6, line.n - 6), LINE_CHARS);
			(void)buf_put(out, "  ", 2);
		}
	}
	if (n > SHOWN_DOMAINS)
		(void)buf_putf(out, "... (%zu in all; drydock check --help)", n);
	(void)buf_put(out, "\n", 1);
	config_drop(&config);
}

static void put_line(const struct review *r, char sign, const char *words, struct buf *out)
{
	(void)buf_putf(out, "  %s%c ", term_start(STDOUT_FILENO, sign == '+' ? TERM_GREEN : TERM_RED), sign);
	utf8_put_safe(out, span_of(words), LINE_CHARS);
	(void)buf_putf(out, "%s%s\n", strncmp(words, "allow *.", 8) ? "" : "   every name below it",
		       term_stop(STDOUT_FILENO));
	if (sign != '+' || strncmp(words, "preset ", 7) != 0)
		return;
	char names[RULE_LINE_MAX_BYTES + 1], *save = NULL;
	(void)snprintf(names, sizeof(names), "%s", words + 7);
	for (char *name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save))
		put_preset(r, name, out);
}

/* Lines of @these that @those do not have; returns how many. */
static size_t put_difference(const struct review *r, char sign, const struct saying *these,
			     const struct saying *those, struct buf *out)
{
	size_t n = 0;
	for (size_t i = 0; i < these->n; i++) {
		if (!these->lines[i][0] || says(those, these->lines[i]))
			continue;
		put_line(r, sign, these->lines[i], out);
		n++;
	}
	return n;
}

static int show(const struct review *r)
{
	AUTO(buf) struct buf out = {.max = OUT_MAX_BYTES};
	struct saying now = {0}, was = {0};

	if (read_saying(buf_span(&r->content), &now) < 0 || read_saying(buf_span(&r->was.content), &was) < 0) {
		free(now.lines);
		term_error("cannot compare", NULL, 0);
		return EXIT_FAILED;
	}
	term_put_path(&out, r->path, r->place.home);
	(void)buf_putf(&out, " %s (sha256 %.4s...%s). It asks for:\n",
		       r->state == TRUST_NEW ? "is new" : "changed since you trusted it", r->hash,
		       r->hash + SHA256_HEX_BYTES - 5); /* term_put() reports a cut, here and below */
	size_t n = put_difference(r, '+', &now, &was, &out);
	n += put_difference(r, '-', &was, &now, &out);
	free(now.lines);
	free(was.lines);
	if (n == 0)
		(void)buf_putf(&out, "  %s\n", r->state == TRUST_NEW ? "nothing" : "the same; comments changed");
	return term_put(STDOUT_FILENO, &out);
}

static int show_whole(const struct review *r)
{
	AUTO(buf) struct buf out = {.max = OUT_MAX_BYTES};
	for (struct span left = buf_span(&r->content); left.n;) {
		(void)buf_put(&out, "  | ", 4); /* term_put() reports a cut */
		utf8_put_safe(&out, next_line(&left), LINE_CHARS);
		(void)buf_put(&out, "\n", 1);
	}
	return term_put(STDOUT_FILENO, &out);
}

static bool may_ask(const struct trust_flags *flags)
{
	const char *ci = getenv("CI");
	return !flags->no_input && !(ci && *ci) && term_is_tty(STDIN_FILENO) && term_is_tty(STDERR_FILENO);
}

/* One line typed; false at the end of input. */
static bool read_answer(char out[ANSWER_BYTES])
{
	size_t n = 0;
	char c;
	while (read(STDIN_FILENO, &c, 1) == 1) {
		if (c == '\n') {
			out[n] = '\0';
			return true;
		}
		if (n < ANSWER_BYTES - 1)
			out[n++] = c;
	}
	return false;
}

static bool ask(const struct review *r)
{
	char answer[ANSWER_BYTES];
	for (;;) {
		static const char question[] = "Trust this file? [y]es  [v]iew  [N]o: ";
		if (write(STDERR_FILENO, question, sizeof(question) - 1) < 0 || !read_answer(answer))
			return false;
		if (!strcmp(answer, "y") || !strcmp(answer, "yes"))
			return true;
		if (strcmp(answer, "v") != 0 && strcmp(answer, "view") != 0)
			return false;
		(void)show_whole(r); /* the question comes again */
	}
}

/* Puts a path so that a shell takes it as one word. */
static void put_quoted(char *out, size_t max, const char *path)
{
	size_t n = 0;
	out[n++] = '\'';
	for (; *path && n + 6 < max; path++) {
		if (*path == '\'') {
			memcpy(out + n, "'\\''", 4);
			n += 4;
		} else {
			out[n++] = *path;
		}
	}
	out[n++] = '\'';
	out[n] = '\0';
}

static int not_trusted(const struct review *r, const char *why)
{
	struct err err = {0};
	char dir[2 * PATH_MAX];
	put_quoted(dir, sizeof(dir), r->place.project);
	err_set(&err, 0, "%s", why);
	bool has_room = strlen(dir) < 200; /* else: from within the project */
	(void)err_fix(&err, "drydock trust --yes --hash %s %s", r->hash, has_room ? dir : "");
	term_error("the project's .drydock is not trusted", &err, 0);
	return EXIT_NOT_TRUSTED;
}

static int grant(const struct review *r)
{
	struct err err = {0};
	if (trust_grant(r->place.trust_dir, r->path, buf_span(&r->content), &err) < 0) {
		term_error("cannot remember that", &err, 0);
		return EXIT_FAILED;
	}
	term_notice("trusted; sessions that start in this project from now on read it");
	return EXIT_OK;
}

static int decide(struct review *r)
{
	if (r->state == TRUST_OK) {
		term_notice("it is trusted, and as it was");
		return EXIT_OK;
	}
	int rc = show(r);
	if (rc != EXIT_OK)
		return rc;
	if (r->flags->is_yes)
		return strcmp(r->flags->hash, r->hash) == 0 ? grant(r)
							    : not_trusted(r, "its content is not the one of --hash");
	if (!may_ask(r->flags))
		return not_trusted(r, "there is no terminal to ask on");
	if (ask(r))
		return grant(r);
	term_notice("not trusted; sessions go on without it");
	return EXIT_NOT_TRUSTED;
}

static int review(struct review *r)
{
	struct err err = {0};
	int rc = trust_read_file(r->path, &r->content, &err);
	if (rc == -ENOENT) {
		err_set(&err, 0, "there is no '%s'", r->path);
		(void)err_fix(&err, "drydock init, or drydock allow --project RULE");
	}
	if (rc == 0)
		rc = config_check_project(r->path, buf_span(&r->content), &err);
	if (rc < 0) {
		term_error("nothing to trust", &err, 0);
		return EXIT_FAILED;
	}
	sha256_hex(buf_span(&r->content), r->hash);
	r->state = trust_look(r->place.trust_dir, r->path, buf_span(&r->content));
	if (r->state == TRUST_CHANGED && trust_read(r->place.trust_dir, r->path, &r->was, &err) < 0)
		r->state = TRUST_NEW; /* it went away meanwhile */
	return decide(r);
}

static int forget(const struct review *r)
{
	struct err err = {0};
	int rc = trust_revoke(r->place.trust_dir, r->path, &err);
	if (rc < 0 && rc != -ENOENT) {
		term_error("cannot revoke the trust", &err, 0);
		return EXIT_FAILED;
	}
	term_notice(rc == 0 ? "no longer trusted; running sessions go on as they are" : "it was not trusted");
	return EXIT_OK;
}

struct listing {
	struct buf out;
	struct json json;
	const struct place *place;
	bool is_json;
};

static void list_one(const struct trust_record *record, void *arg)
{
	static const char *const words[] = {
		[TRUST_NEW] = "gone", [TRUST_CHANGED] = "changed", [TRUST_OK] = "trusted"};
	struct listing *l = arg;
	AUTO(buf) struct buf now = {.max = TRUST_FILE_MAX_BYTES};
	enum trust_state state = trust_read_file(record->path, &now, NULL) < 0
					 ? TRUST_NEW
					 : trust_look(l->place->trust_dir, record->path, buf_span(&now));
	if (l->is_json) {
		json_open(&l->json, NULL, '{');
		json_str(&l->json, "file", record->path);
		json_str(&l->json, "hash", record->hash);
		json_str(&l->json, "since", record->since);
		json_str(&l->json, "state", words[state]);
		json_close(&l->json, '}');
		return;
	}
	/* term_put() reports a cut */
	(void)buf_putf(&l->out, "%-8s  %.10s  %.12s  ", words[state], record->since, record->hash);
	term_put_path(&l->out, record->path, l->place->home);
	(void)buf_put(&l->out, "\n", 1);
}

static int list(const struct review *r)
{
	struct err err = {0};
	struct listing l = {.out = {.max = OUT_MAX_BYTES}, .place = &r->place, .is_json = r->flags->is_json};
	l.json = (struct json){.out = &l.out};
	if (l.is_json) {
		json_open(&l.json, NULL, '{');
		json_u64(&l.json, "v", 1);
		json_open(&l.json, "trusted", '[');
	}
	int rc = trust_each(r->place.trust_dir, list_one, &l, &err);
	if (l.is_json) {
		json_close(&l.json, ']');
		json_close(&l.json, '}');
		(void)buf_put(&l.out, "\n", 1); /* term_put() reports a cut */
	}
	if (rc < 0)
		term_error("cannot list what is trusted", &err, 0);
	rc = rc < 0 ? EXIT_FAILED : term_put(STDOUT_FILENO, &l.out);
	buf_drop(&l.out);
	return rc;
}

static int check_flags(const struct trust_flags *flags, const struct option_list *words, struct err *err)
{
	if (words->n > 1)
		return err_set(err, 0, "trust takes one folder, not '%s' too", words->items[1]);
	if (flags->is_revoke + flags->is_list + flags->is_yes > 1)
		return err_set(err, 0, "only one of --yes, --revoke and --list");
	if (flags->is_yes != (flags->hash != NULL)) {
		err_set(err, 0, "--yes and --hash go together: agree to a content that was read, not to any");
		return err_fix(err, "drydock trust shows the file, and its hash");
	}
	return 0;
}

int cmd_trust(char **argv)
{
	struct trust_flags flags = {0};
	static struct review r; /* big, and there is one */
	struct option_list words;
	struct err err = {0};

	if (options_parse_all(trust_options, &flags, argv, &words, &err) < 0)
		return term_usage("trust", &err);
	if (flags.is_help)
		return cmd_show_help("trust");
	if (check_flags(&flags, &words, &err) < 0)
		return term_usage("trust", &err);
	r = (struct review){.flags = &flags,
			    .content = {.max = TRUST_FILE_MAX_BYTES},
			    .was = {.content = {.max = TRUST_FILE_MAX_BYTES}}};
	if (words.n && chdir(words.items[0]) < 0) {
		(void)err_set(&err, errno, "'%s'", words.items[0]);
		(void)err_fix(&err, "name the project's folder, or cd into it");
	}
	if (err.code < 0 || place_find(&r.place, &err) < 0) {
		term_error("cannot find the project", &err, 0);
		return EXIT_FAILED;
	}
	(void)snprintf(r.path, sizeof(r.path), "%s/.drydock", r.place.project);
	int code = flags.is_list ? list(&r) : flags.is_revoke ? forget(&r) : review(&r);
	buf_drop(&r.content);
	buf_drop(&r.was.content);
	return code;
}
