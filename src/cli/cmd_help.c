/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_help.c - drydock help: the program's page, or a command's */
#include "base/own.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/term.h"

enum { HELP_MAX_BYTES = 16 << 10 };

static const struct page {
	const char *name, *group, *text;
	void (*print)(struct buf *out);
} pages[] = {
#define X(name, group, text) {#name, group, text, cmd_##name##_help},
	COMMANDS(X)
#undef X
		{0},
};

const char *const *cmd_names(void)
{
	static const char *const names[] = {
#define X(name, group, text) #name,
		COMMANDS(X)
#undef X
			NULL};
	return names;
}

static void print_program(struct buf *out)
{
	/* all constants: they fit */
	(void)buf_putf(out,
		       "drydock - run an AI agent (or any command) in a jail whose only way out is "
		       "an allowlist\n\nUsage: drydock COMMAND [OPTIONS]\n");
	const char *group = "";
	for (const struct page *p = pages; p->name; p++) {
		if (strcmp(group, p->group) != 0)
			(void)buf_putf(out, "\n%s\n", p->group);
		group = p->group;
		(void)buf_putf(out, "  %-11s %s\n", p->name, p->text);
	}
	(void)buf_putf(
		out,
		"\nOptions: -h/--help, -V/--version, --color auto|always|never\n\n"
		"Nothing is reachable unless a rule allows it. Private, loopback and metadata "
		"addresses,\n"
		"IP literals and names that resolve to them are refused unless a rule opens them "
		"by name.\n"
		"Exit codes of `run`: the command's own; 125 = drydock failed and nothing ran.\n"
		"See `drydock help COMMAND`, `man drydock`, `man 5 drydock-policy`.\n");
}

bool cmd_print_help(const char *name, struct buf *out)
{
	if (!name) {
		print_program(out);
		return true;
	}
	for (const struct page *p = pages; p->name; p++)
		if (!strcmp(p->name, name)) {
			p->print(out);
			return true;
		}
	return false;
}

const char *cmd_text(const char *name)
{
	for (const struct page *p = pages; p->name; p++)
		if (!strcmp(p->name, name))
			return p->text;
	return NULL;
}

int cmd_show_help(const char *name)
{
	AUTO(buf) struct buf out = {.max = HELP_MAX_BYTES};
	(void)cmd_print_help(name, &out); /* a command knows its own name */
	return term_put(STDOUT_FILENO, &out);
}

void cmd_help_help(struct buf *out)
{
	(void)buf_putf(out, "Usage: drydock help [COMMAND]\n");
}

int cmd_help(char **argv)
{
	AUTO(buf) struct buf out = {.max = HELP_MAX_BYTES};
	struct err err = {0};

	if (argv[0] && argv[1]) {
		err_set(&err, 0, "help takes one command");
		return term_usage(NULL, &err);
	}
	if (!cmd_print_help(argv[0], &out)) {
		const char *near = options_suggest(argv[0], cmd_names());
		err_set(&err, 0,
			near ? "unknown command '%s' - did you mean '%s'?" : "unknown command '%s'",
			argv[0], near);
		return term_usage(NULL, &err);
	}
	return term_put(STDOUT_FILENO, &out);
}
