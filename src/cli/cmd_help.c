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

/* What is no command's own. */
static const struct topic {
	const char *name, *text;
} topics[] = {
	{"policy",
	 "Rules, one a line; in files, in --allow and in drydock allow (all of it: man 5 drydock-policy)\n\n"
	 "  example.com                     this host, port 443\n"
	 "  *.example.com:443,8443          every name below it, and not the name itself\n"
	 "  git.example.com:22              another port: bytes are passed on unread\n"
	 "  gitlab.corp.example private     it may resolve to a private address\n"
	 "  10.1.2.0/24:5432                addresses, written on purpose\n"
	 "  host.drydock.internal:11434     a service on your own loopback\n"
	 "  api.example.com up=50M conns=200 until=2030-01-01T00:00:00Z    limits\n"
	 "  deny gist.example.com           wins over every rule that allows\n"
	 "  preset npm pypi                 ready-made groups: drydock preset ls\n\n"
	 "Files: /etc/drydock, ~/.config/drydock/{config,allow,deny}, the project's .drydock when it is trusted.\n"
	 "Allows add up; any deny wins; what no rule allows is refused, and not even resolved.\n"},
	{"exit-codes",
	 "run, exec, shell: the command's own code, and\n"
	 "  124 time limit   125 nothing was run   126 not executable   127 not found inside   128+N signal N\n"
	 "other commands:\n"
	 "  0 success   1 failure   2 mistake on the command line   3 the policy says no\n"
	 "  4 the project's file is not trusted   5 this machine cannot contain   6 no such session\n"},
	{"files",
	 "  /etc/drydock/, ~/.config/drydock/            rules: config, allow, deny, presets/\n"
	 "  ./.drydock                                   the project's, read when trusted\n"
	 "  ~/.local/state/drydock/sessions/ID/          policy, audit.jsonl, meta.json of each session\n"
	 "  ~/.local/state/drydock/trust/                which project files you agreed to\n"
	 "  $XDG_RUNTIME_DIR/drydock/ID/                 a running session's lock and control socket\n"},
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
		"See `drydock help COMMAND`, `drydock help policy`, `man drydock`, `man 5 drydock-policy`.\n");
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
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		if (!strcmp(topics[i].name, name))
			return buf_put(out, topics[i].text, strlen(topics[i].text));
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
	(void)buf_putf(out, "Usage: drydock help [COMMAND|TOPIC]\n\nTopics:");
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		(void)buf_putf(out, " %s", topics[i].name); /* constants: they fit */
	(void)buf_put(out, "\n", 1);
}

int cmd_help(char **argv)
{
	AUTO(buf) struct buf out = {.max = HELP_MAX_BYTES};
	struct err err = {0};

	if (argv[0] && argv[1]) {
		err_set(&err, 0, "help takes one command or topic");
		return term_usage(NULL, &err);
	}
	if (!cmd_print_help(argv[0], &out)) {
		const char *words[sizeof(topics) / sizeof(topics[0]) + 1] = {0};
		for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
			words[i] = topics[i].name;
		const char *near = options_suggest(argv[0], cmd_names());
		near = near ? near : options_suggest(argv[0], words);
		err_set(&err, 0,
			near ? "unknown command '%s' - did you mean '%s'?" : "unknown command '%s'",
			argv[0], near);
		return term_usage(NULL, &err);
	}
	return term_put(STDOUT_FILENO, &out);
}
