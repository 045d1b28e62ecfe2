/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_version.c - drydock version */
#include "base/json.h"
#include "base/own.h"
#include "build_config.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/term.h"

struct version_flags {
	bool is_json, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct version_flags, member)
static const struct option version_options[] = {
	{0, "json", NULL, "one JSON document", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_version_help(struct buf *out)
{
	(void)buf_putf(out, "Usage: drydock version [--json]\n\n"); /* constants: they fit */
	options_print(version_options, out);
}

int cmd_version(char **argv)
{
	struct version_flags flags = {0};
	struct err err = {0};
	AUTO(buf) struct buf out = {.max = 8192};
	char **rest;

	if (options_parse(version_options, &flags, argv, &rest, &err) < 0)
		return term_usage("version", &err);
	if (*rest) {
		err_set(&err, 0, "version takes no argument, not '%s'", *rest);
		return term_usage("version", &err);
	}
	if (flags.is_help) {
		cmd_version_help(&out);
	} else if (flags.is_json) {
		struct json j = {.out = &out};
		json_open(&j, NULL, '{');
		json_u64(&j, "v", 1);
		json_str(&j, "version", DRYDOCK_VERSION);
		json_close(&j, '}');
		(void)buf_put(&out, "\n", 1);
	} else {
		(void)buf_putf(&out, "drydock %s\n", DRYDOCK_VERSION);
	}
	return term_put(STDOUT_FILENO, &out);
}
