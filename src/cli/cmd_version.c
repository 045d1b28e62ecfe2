/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_version.c - drydock version */
#include "base/json.h"
#include "base/own.h"
#include "build_config.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/term.h"

#define VERSION_OPTIONS(is_json, is_help)                                                          \
	{                                                                                          \
		{0, "json", NULL, "one JSON document", OPTION_FLAG, is_json},                      \
		{'h', "help", NULL, "this text", OPTION_FLAG, is_help}, {0},                       \
	}

void cmd_version_help(struct buf *out)
{
	const struct option table[] = VERSION_OPTIONS(NULL, NULL);
	(void)buf_putf(out, "Usage: drydock version [--json]\n\n"); /* constants: they fit */
	options_print(table, out);
}

int cmd_version(char **argv)
{
	bool is_json = false, is_help = false;
	const struct option table[] = VERSION_OPTIONS(&is_json, &is_help);
	struct err err = {0};
	AUTO(buf) struct buf out = {.max = 8192};
	char **rest;

	if (options_parse(table, argv, &rest, &err) < 0)
		return term_usage("version", &err);
	if (*rest) {
		err_set(&err, 0, "version takes no argument, not '%s'", *rest);
		return term_usage("version", &err);
	}
	if (is_help) {
		cmd_version_help(&out);
	} else if (is_json) {
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
