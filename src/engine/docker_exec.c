/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/docker_exec.h"
#include "engine/compose.h"
#include "engine/docker_cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check_runs(const struct docker_cli *cli, const char *agent, struct err *err)
{
	static struct tool_args args; /* big; used and dropped here */
	struct tool tool;
	int status = 0;

	docker_cli_begin(cli, &args, "inspect", "--type", "container", "--format", "{{.State.Running}}", agent, NULL);
	int rc = docker_cli_call(cli, &args, &tool, &status, err);
	if (rc < 0)
		return rc;
	bool runs = status == 0 && span_is(tool_trim(buf_span(&tool.out)), "true");
	tool_drop(&tool);
	if (runs)
		return 0;
	(void)err_set(err, 0, "the agent's container '%s' does not run", agent);
	return -ENOENT;
}

static void put_words(struct tool_args *args, const struct docker_cli *cli, const struct docker_exec *what,
		      const char *agent)
{
	static const char shell[] = "if command -v bash >/dev/null; then exec bash -i; else exec sh -i; fi";

	docker_cli_begin(cli, args, "exec", "--interactive", NULL);
	if (what->wants_tty)
		tool_args_add(args, "--tty", NULL);
	for (size_t i = 0; i < what->n_env; i++) {
		bool has_value = strchr(what->env[i], '=');
		const char *own = has_value ? NULL : getenv(what->env[i]);
		if (!has_value && !own)
			continue; /* as with run: a variable that is not set is not made */
		tool_args_add(args, "--env", NULL);
		tool_args_addf(args, own ? "%s=%s" : "%s", what->env[i], own);
	}
	if (what->cwd)
		tool_args_add(args, "--workdir", what->cwd, NULL);
	tool_args_add(args, agent, NULL);
	if (!what->argv)
		tool_args_add(args, "sh", "-c", shell, NULL);
	for (size_t i = 0; what->argv && what->argv[i]; i++)
		tool_args_add(args, what->argv[i], NULL);
}

int docker_exec(const struct docker_exec *what, struct err *err)
{
	static struct tool_args args; /* big, and there is one */
	struct docker_cli cli = {0};
	char agent[COMPOSE_NAME_BYTES];

	compose_name(what->session_id, COMPOSE_AGENT, agent);
	int rc = docker_cli_find(&cli, err);
	if (rc == 0)
		rc = check_runs(&cli, agent, err);
	if (rc == 0) {
		args = (struct tool_args){0};
		put_words(&args, &cli, what, agent);
		if (args.is_cut) {
			rc = err_set(err, E2BIG, "the command for '%s'", agent);
		} else {
			(void)execve(cli.program, args.items, cli.env.vars);
			rc = err_set(err, errno, "executing '%s'", cli.program); /* it returns on failure only */
		}
	}
	tool_args_drop(&args);
	docker_cli_drop(&cli);
	return rc;
}
