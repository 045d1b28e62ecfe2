/* SPDX-License-Identifier: Apache-2.0 */
/* cli/main.c - finds the command and hands over */
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/term.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct command {
	const char *name;
	int (*run)(char **argv);
} commands[] = {
#define X(name, group, text) {#name, cmd_##name},
	COMMANDS(X)
#undef X
		{"__probe", cmd_probe},
	{"__complete", cmd_complete},
	{NULL, NULL},
};

/* A descriptor 0, 1 or 2 that is closed would be taken by the next file that is opened. */
static int have_std_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", O_RDWR) != fd) /* 0 to 2 are inherited */
			return -1;
	return 0;
}

static int unknown_command(const char *word)
{
	struct err err = {0};
	const char *near = options_suggest(word, cmd_names());
	err_set(&err, 0,
		near ? "unknown command '%s' - did you mean '%s'?" : "unknown command '%s'", word,
		near);
	(void)err_fix(&err, "to run a program: drydock run -- %s ...", word);
	return term_usage(NULL, &err);
}

struct global_flags {
	bool is_help, is_version;
	const char *colour;
};

/* clang-format off */
#define AT(member) offsetof(struct global_flags, member)
static const struct option global_options[] = {
	{'h', "help", NULL, "", OPTION_FLAG, AT(is_help)},
	{'V', "version", NULL, "", OPTION_FLAG, AT(is_version)},
	{0, "color", "WHEN", "", OPTION_TEXT, AT(colour)},
	{0},
};
/* clang-format on */

int main(int argc, char **argv)
{
	struct global_flags flags = {.colour = "auto"};
	struct err err = {0};
	char **rest = argv;
	char *none[] = {NULL};

	if (have_std_descriptors() < 0)
		return EXIT_NOTHING_RAN;
	log_name("drydock");
	if (options_parse(global_options, &flags, argc ? argv + 1 : none, &rest, &err) < 0)
		return term_usage(NULL, &err);
	if (!term_set_colour(flags.colour)) {
		err_set(&err, 0, "--color takes auto, always or never, not '%s'", flags.colour);
		return term_usage(NULL, &err);
	}
	if (flags.is_version)
		return cmd_version(none);
	if (flags.is_help || !*rest) {
		int rc = cmd_help(none);
		return flags.is_help ? rc : EXIT_USAGE;
	}
	for (const struct command *c = commands; c->name; c++)
		if (!strcmp(c->name, *rest))
			return c->run(rest + 1);
	return unknown_command(*rest);
}
