/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_preset.c - drydock preset: the ready-made groups of rules, and what one of them holds */
#include "base/fs.h"
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/term.h"
#include "config/rulefile.h"

#include <errno.h>
#include <stdlib.h>

enum { PRESETS_MAX = 512, NAME_BYTES = 65, FILE_MAX_BYTES = 1 << 20, OUT_MAX_BYTES = 8 << 20, TEXT_CHARS = 400 };

struct preset_flags {
	bool is_json, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct preset_flags, member)
static const struct option preset_options[] = {
	{0, "json", NULL, "one JSON document", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_preset_help(struct buf *out)
{
	/* constants: they fit */
	(void)buf_putf(out, "Usage: drydock preset ls [--json]\n"
			    "       drydock preset show NAME [--json]\n\n"
			    "Lists the ready-made groups of rules, or shows what one holds. `run -p NAME` takes one; "
			    "its classes\n'required' and 'login' are on, others come with NAME+CLASS.\n\n");
	options_print(preset_options, out);
}

/* The next word of a line; quotes hold it together. Empty at the end or at a comment. */
static struct span next_word(struct span *left)
{
	while (left->n && (left->p[0] == ' ' || left->p[0] == '\t' || left->p[0] == '\r'))
		*left = span_make(left->p + 1, left->n - 1);
	struct span word = {.p = left->p};
	if (left->n && left->p[0] == '#')
		left->n = 0;
	bool is_quoted = false;
	while (left->n && (is_quoted || (left->p[0] != ' ' && left->p[0] != '\t' && left->p[0] != '\r'))) {
		is_quoted ^= left->p[0] == '"';
		word.n++;
		*left = span_make(left->p + 1, left->n - 1);
	}
	return word;
}

static struct span next_line(struct span *left)
{
	const uint8_t *end = memchr(left->p, '\n', left->n);
	size_t n = end ? (size_t)(end - left->p) : left->n;
	struct span line = span_make(left->p, n);
	*left = span_make(left->p + n + (end != NULL), left->n - n - (end != NULL));
	return line;
}

/* The value of KEY=VALUE among the words of a line, without quotes; empty when there is none. */
static struct span value_of(struct span line, const char *key)
{
	size_t n = strlen(key);
	for (struct span word = next_word(&line); word.n; word = next_word(&line)) {
		if (word.n <= n || memcmp(word.p, key, n) != 0 || word.p[n] != '=')
			continue;
		struct span value = span_make(word.p + n + 1, word.n - n - 1);
		bool is_quoted = value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"';
		return is_quoted ? span_make(value.p + 1, value.n - 2) : value;
	}
	return (struct span){0};
}

static bool is_rule_word(struct span word)
{
	return span_is(word, "allow") || span_is(word, "deny") || span_is(word, "telemetry");
}

/* struct preset - one file */
struct preset {
	char name[NAME_BYTES];
	char path[PATH_MAX + 128];
	struct buf text;
};

static bool is_preset_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
	return n > 0 && n < NAME_BYTES && name[n] == '\0' && name[0] != '-';
}

/* Reads @name from the last folder that has it. */
static int read_preset(const struct place *place, const char *name, struct preset *out, struct err *err)
{
	out->path[0] = '\0';
	for (size_t d = 0; place->preset_dirs[d]; d++) {
		char path[PATH_MAX + 128];
		int n = snprintf(path, sizeof(path), "%s/%s", place->preset_dirs[d], name);
		if (n < (int)sizeof(path) && access(path, F_OK) == 0)
			memcpy(out->path, path, sizeof(path));
	}
	if (!out->path[0])
		return -ENOENT;
	(void)snprintf(out->name, sizeof(out->name), "%s", name);
	out->text = (struct buf){.max = FILE_MAX_BYTES};
	return fs_read(out->path, &out->text, err);
}

/* What follows the first line that begins with @word; empty when there is none. */
static struct span rest_of(const struct preset *p, const char *word)
{
	for (struct span text = buf_span(&p->text); text.n;) {
		struct span line = next_line(&text);
		if (span_is(next_word(&line), word))
			return span_trim(line);
	}
	return (struct span){0};
}

static size_t count_rules(const struct preset *p, const char *action)
{
	size_t n = 0;
	for (struct span text = buf_span(&p->text); text.n;) {
		struct span line = next_line(&text);
		n += span_is(next_word(&line), action);
	}
	return n;
}

/* The gravest risk of any rule: what a reader of the list should see. */
static const char *risk_of(const struct preset *p)
{
	static const char *const grades[] = {"none", "publish", "shared-write", "anycast-storage"};
	size_t worst = 0;
	for (struct span text = buf_span(&p->text); text.n;) {
		struct span risk = value_of(next_line(&text), "risk");
		for (size_t i = worst; i < sizeof(grades) / sizeof(grades[0]); i++)
			if (span_is(risk, grades[i]))
				worst = i;
	}
	return grades[worst];
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static size_t find_names(const struct place *place, char names[PRESETS_MAX][NAME_BYTES])
{
	size_t n = 0;
	for (size_t d = 0; place->preset_dirs[d]; d++) {
		AUTO(dir) DIR *dir = opendir(place->preset_dirs[d]);
		struct dirent *e;
		while (dir && (e = readdir(dir)) && n < PRESETS_MAX) {
			bool is_known = !is_preset_name(e->d_name);
			for (size_t i = 0; i < n && !is_known; i++)
				is_known = !strcmp(names[i], e->d_name);
			if (!is_known)
				(void)snprintf(names[n++], NAME_BYTES, "%.64s", e->d_name);
		}
	}
	qsort(names, n, NAME_BYTES, by_name);
	return n;
}

static void put_words(struct json *j, struct span words)
{
	for (struct span word = next_word(&words); word.n; word = next_word(&words))
		json_text(j, NULL, word);
}

static void list_one(const struct preset *p, bool is_json, struct json *j, struct buf *out)
{
	struct span title = rest_of(p, "title"), command = rest_of(p, "command");
	if (is_json) {
		json_open(j, NULL, '{');
		json_str(j, "name", p->name);
		json_text(j, "title", title);
		json_open(j, "commands", '[');
		put_words(j, command);
		json_close(j, ']');
		json_u64(j, "allow", count_rules(p, "allow"));
		json_u64(j, "telemetry", count_rules(p, "telemetry"));
		json_str(j, "risk", risk_of(p));
		json_str(j, "file", p->path);
		json_close(j, '}');
		return;
	}
	bool is_table = term_is_tty(STDOUT_FILENO); /* term_put() reports a cut */
	(void)buf_putf(out, is_table ? "%-16s %3zu rules  %-16s " : "%s\t%zu\t%s\t", p->name, count_rules(p, "allow"),
		       risk_of(p));
	utf8_put_safe(out, title, TEXT_CHARS);
	if (command.n) {
		(void)buf_putf(out, is_table ? "   (run -- " : "\t");
		utf8_put_safe(out, command, TEXT_CHARS);
		(void)buf_putf(out, is_table ? ")" : "");
	}
	(void)buf_put(out, "\n", 1);
}

static int list(const struct place *place, bool is_json)
{
	static char names[PRESETS_MAX][NAME_BYTES];
	AUTO(buf) struct buf out = {.max = OUT_MAX_BYTES};
	struct json j = {.out = &out};
	size_t n = find_names(place, names);
	int code = EXIT_OK;

	if (is_json) {
		json_open(&j, NULL, '{');
		json_u64(&j, "v", 1);
		json_open(&j, "presets", '[');
	}
	for (size_t i = 0; i < n; i++) {
		static struct preset p; /* big, and there is one */
		struct err err = {0};
		if (read_preset(place, names[i], &p, &err) == 0) {
			list_one(&p, is_json, &j, &out);
		} else {
			term_error("a preset cannot be read", &err, 0);
			code = EXIT_FAILED;
		}
		buf_drop(&p.text);
	}
	if (is_json) {
		json_close(&j, ']');
		json_close(&j, '}');
		(void)buf_put(&out, "\n", 1);
	}
	int rc = term_put(STDOUT_FILENO, &out);
	return rc != EXIT_OK ? rc : code;
}

static void show_rule_json(struct json *j, struct span line)
{
	static const char *const keys[] = {"class", "risk", "why"};
	struct span left = line, action = next_word(&left), subject = next_word(&left);
	json_open(j, NULL, '{');
	json_text(j, "action", action);
	json_text(j, "subject", subject);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct span value = value_of(line, keys[i]);
		if (value.n)
			json_text(j, keys[i], value);
		else if (i == 0 && span_is(action, "allow"))
			json_str(j, "class", "required");
	}
	json_close(j, '}');
}

static void show_json(const struct preset *p, struct buf *out)
{
	static const char *const lists[] = {"command", "env", "keep", "arg", "mount", "source"};
	struct json j = {.out = out};
	json_open(&j, NULL, '{');
	json_u64(&j, "v", 1);
	json_str(&j, "name", p->name);
	json_text(&j, "title", rest_of(p, "title"));
	json_str(&j, "file", p->path);
	json_open(&j, "rules", '[');
	for (struct span text = buf_span(&p->text); text.n;) {
		struct span line = next_line(&text), left = line;
		if (is_rule_word(next_word(&left)))
			show_rule_json(&j, line);
	}
	json_close(&j, ']');
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		json_open(&j, lists[i], '[');
		for (struct span text = buf_span(&p->text); text.n;) {
			struct span line = next_line(&text);
			if (span_is(next_word(&line), lists[i]))
				json_text(&j, NULL, span_trim(line));
		}
		json_close(&j, ']');
	}
	json_close(&j, '}');
	(void)buf_put(out, "\n", 1); /* term_put() reports a cut */
}

static int show(const struct place *place, const char *name, bool is_json)
{
	static struct preset p; /* big, and there is one */
	static char names[PRESETS_MAX][NAME_BYTES];
	const char *words[PRESETS_MAX + 1] = {0};
	AUTO(buf) struct buf out = {.max = OUT_MAX_BYTES};
	struct err err = {0};

	int rc = is_preset_name(name) ? read_preset(place, name, &p, &err) : -ENOENT;
	if (rc == -ENOENT) {
		size_t n = find_names(place, names);
		for (size_t i = 0; i < n; i++)
			words[i] = names[i];
		const char *near = options_suggest(name, words);
		err_set(&err, 0, near ? "unknown preset '%.64s' - did you mean '%s'?" : "unknown preset '%.64s'", name,
			near);
		(void)err_fix(&err, "see them all: drydock preset ls");
	}
	if (rc < 0) {
		term_error("no such preset", &err, 0);
		buf_drop(&p.text);
		return EXIT_FAILED;
	}
	if (is_json)
		show_json(&p, &out);
	for (struct span text = buf_span(&p.text); !is_json && text.n;) {
		utf8_put_safe(&out, next_line(&text), RULE_LINE_MAX_BYTES); /* term_put() reports a cut */
		(void)buf_put(&out, "\n", 1);
	}
	buf_drop(&p.text);
	return term_put(STDOUT_FILENO, &out);
}

int cmd_preset(char **argv)
{
	static struct place place; /* big, and there is one */
	static const char *const actions[] = {"ls", "show", NULL};
	struct preset_flags flags = {0};
	struct option_list words;
	struct err err = {0};

	if (options_parse_all(preset_options, &flags, argv, &words, &err) < 0)
		return term_usage("preset", &err);
	if (flags.is_help)
		return cmd_show_help("preset");
	const char *action = words.n ? words.items[0] : "ls";
	bool is_ls = !strcmp(action, "ls"), is_show = !strcmp(action, "show");
	const char *near = options_suggest(action, actions);
	if (!is_ls && !is_show)
		err_set(&err, 0, near ? "preset does not know '%.64s' - did you mean '%s'?" : "preset takes ls or show, not '%.64s'",
			action, near);
	else if (words.n > (is_ls ? 1U : 2U))
		err_set(&err, 0, "preset %s takes no '%.64s'", action, words.items[is_ls ? 1 : 2]);
	else if (is_show && words.n < 2)
		err_set(&err, 0, "preset show takes the name of one: drydock preset show npm");
	if (err.code < 0)
		return term_usage("preset", &err);
	if (place_find(&place, &err) < 0) {
		term_error("cannot find the presets", &err, 0);
		return EXIT_FAILED;
	}
	return is_ls ? list(&place, flags.is_json) : show(&place, words.items[1], flags.is_json);
}
