/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_exec.c - drydock exec and shell: one more command in a session that runs */
#include "base/own.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/term.h"
#include "engine/docker_exec.h"
#include "engine/env.h"
#include "engine/supervise.h"
#include "jail/join.h"
#include "report/meta.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENV_ROOM = JOIN_MAX_ENV + OPTIONS_LIST_MAX + 1 };

/** struct owned - settings made here, until the command has its copy */
struct owned {
	char *items[OPTIONS_LIST_MAX];
	size_t n;
};

struct exec_flags {
	struct option_list env;
	const char *chdir;
	bool is_tty, is_pipe, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct exec_flags, member)
static const struct option exec_options[] = {
	{'t', "tty", NULL, "give it a terminal; the default when you have one", OPTION_FLAG, AT(is_tty)},
	{'T', "no-tty", NULL, "give it none", OPTION_FLAG, AT(is_pipe)},
	{'e', "env", "NAME[=VALUE]", "set a variable, or let yours through", OPTION_LIST, AT(env)},
	{'C', "chdir", "DIR", "start there, as the session sees it", OPTION_TEXT, AT(chdir)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_exec_help(struct buf *out)
{
	(void)buf_putf(out, "Usage: drydock exec [OPTIONS] SESSION [--] COMMAND [ARG...]\n\n"
			    "Runs COMMAND in a session that runs, with the rights of its agent and its environment.\n\n");
	options_print(exec_options, out);
	(void)buf_putf(out, "\nExit code: the command's own; 128+N after signal N; 125 nothing ran; 126 not executable;\n"
			    "127 not found inside; 6 no such session.\n");
}

void cmd_shell_help(struct buf *out)
{
	(void)buf_putf(out, "Usage: drydock shell [OPTIONS]\n"
			    "       drydock shell SESSION\n\n"
			    "Opens your shell in a new session, with the options of run, or in one that runs.\n"
			    "See: drydock help run\n"); /* constants: they fit, here and above */
}

static void on_notice(void *arg, const char *text)
{
	(void)arg;
	term_notice(text);
}

/* The session's own variables, then what was given here; a later one takes the place of an earlier one of its name. */
static size_t set(char **env, size_t n, char *setting)
{
	size_t name_n = strcspn(setting, "=") + 1;
	for (size_t i = 0; i < n; i++)
		if (!strncmp(env[i], setting, name_n)) {
			env[i] = setting;
			return n;
		}
	env[n] = setting;
	return n + 1;
}

static int make_env(const struct join *join, const struct exec_flags *flags, char *out[ENV_ROOM], struct owned *made, struct err *err)
{
	size_t n = 0;
	for (; n < join->n_env; n++)
		out[n] = join->envp[n];
	for (size_t i = 0; i < flags->env.n; i++) {
		const char *item = flags->env.items[i];
		const char *own = strchr(item, '=') ? NULL : getenv(item);
		AUTO(mem) char *setting = NULL;
		if (!strchr(item, '=') && !own)
			continue; /* as with run: a variable that is not set is not made */
		if (asprintf(&setting, own ? "%s=%s" : "%s", item, own) < 0) {
			setting = NULL;
			return err_set(err, ENOMEM, "making the environment");
		}
		made->items[made->n] = TAKE(setting);
		n = set(out, n, made->items[made->n++]);
	}
	out[n] = NULL;
	return 0;
}

static int report_exec(const char *name, int exec_errno)
{
	struct err err = {0};
	err_set(&err, exec_errno, "%s", strchr(name, '/') ? name : "looked for it in the session's PATH");
	term_error("cannot execute it inside the session", &err, 0);
	return exec_errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

static bool wants_tty(const struct exec_flags *flags)
{
	return flags->is_tty || (!flags->is_pipe && term_is_tty(STDIN_FILENO) && term_is_tty(STDOUT_FILENO));
}

static int run_joined(const struct join *join, const struct exec_flags *flags, char **argv)
{
	char *env[ENV_ROOM];
	struct owned made = {0};
	struct jail jail;
	struct err err = {0};
	const struct engine_watch watch = {.notice = on_notice};
	struct engine_result result = {.exit_code = EXIT_FAILED};

	int rc = make_env(join, flags, env, &made, &err);
	const struct join_command command = {
		.argv = argv,
		.envp = env,
		.cwd = flags->chdir ? flags->chdir : join->cwd,
		.wants_pty = wants_tty(flags),
	};
	if (rc == 0)
		rc = join_start(join, &command, &jail, &err);
	while (made.n)
		free(made.items[--made.n]);
	if (rc < 0) {
		term_error("cannot enter the session", &err, EXIT_NOTHING_RAN);
		return EXIT_NOTHING_RAN;
	}
	if (jail.exec_errno) {
		jail_kill(&jail);
		return report_exec(argv[0], jail.exec_errno);
	}
	if (supervise_run(&jail, -1, NULL, 0, &watch, &result, &err) < 0)
		term_error("lost the command; it was killed", &err, 0);
	return result.exit_code;
}

/* A session in a container has nothing to join; docker goes in. @argv: NULL for a shell of the image's own */
static int run_in_container(const char *id, const struct exec_flags *flags, char **argv)
{
	struct err err = {0};
	const struct docker_exec what = {
		.session_id = id,
		.argv = argv,
		.env = (char *const *)(uintptr_t)flags->env.items,
		.n_env = flags->env.n,
		.cwd = flags->chdir,
		.wants_tty = wants_tty(flags),
	};
	if (docker_exec(&what, &err) == -ENOENT)
		(void)err_set(&err, 0, "session %s is still starting", id);
	term_error("cannot enter the session", &err, EXIT_NOTHING_RAN);
	return EXIT_NOTHING_RAN;
}

/* Its record says so; one that cannot be read yet is that of a session which is just being made. */
static bool is_in_container(const struct place *place, const char *id)
{
	struct meta meta = {0};
	char path[PATH_MAX + 96];

	(void)snprintf(path, sizeof(path), "%s/%s/meta.json", place->roots.state, id);
	bool is = meta_read(path, &meta, NULL) == 0 && strcmp(meta.engine, "native") != 0;
	meta_drop(&meta);
	return is;
}

/* @is_shell: @argv is the user's own shell, which an image need not have */
static int find_and_run(const char *wanted, const struct exec_flags *flags, char **argv, bool is_shell)
{
	struct place place;
	struct join join = {0};
	struct err err = {0};
	char id[SESSION_ID_BYTES], path[PATH_MAX + 64];

	int rc = place_find(&place, &err);
	if (rc < 0) {
		term_error("cannot find your sessions", &err, 0);
		return EXIT_NOTHING_RAN;
	}
	rc = session_find_live(&place.roots, wanted, id, &err);
	if (rc < 0) {
		term_error("no such session runs", &err, 0);
		return rc == -ENOENT ? EXIT_NO_SESSION : EXIT_NOTHING_RAN;
	}
	(void)snprintf(path, sizeof(path), "%s/%s/join", place.roots.runtime, id);
	rc = join_read(path, &join, &err);
	if (rc == -ENOENT && is_in_container(&place, id))
		return run_in_container(id, flags, is_shell ? NULL : argv);
	if (rc < 0) {
		if (rc == -ENOENT)
			(void)err_set(&err, 0, "session %s is still starting", id);
		term_error("cannot enter the session", &err, EXIT_NOTHING_RAN);
		return EXIT_NOTHING_RAN;
	}
	int code = run_joined(&join, flags, argv);
	join_drop(&join);
	return code;
}

int cmd_exec(char **argv)
{
	struct exec_flags flags = {0};
	struct err err = {0};
	char **rest;

	if (options_parse(exec_options, &flags, argv, &rest, &err) < 0)
		return term_usage("exec", &err);
	if (flags.is_help)
		return cmd_show_help("exec");
	const char *wanted = *rest;
	if (wanted && options_parse(exec_options, &flags, rest + 1, &rest, &err) < 0)
		return term_usage("exec", &err);
	if (!wanted || !*rest) {
		err_set(&err, 0, wanted ? "exec: no command given" : "exec: no session given");
		(void)err_fix(&err, "drydock exec SESSION -- COMMAND; see drydock ls");
		return term_usage("exec", &err);
	}
	if (flags.is_tty && flags.is_pipe) {
		err_set(&err, 0, "exec: either --tty or --no-tty");
		return term_usage("exec", &err);
	}
	return find_and_run(wanted, &flags, rest, false);
}

/* A first word that is no option is a session; else the options are those of run. */
int cmd_shell(char **argv)
{
	const char *own = getenv("SHELL");
	char *shell = own && *own == '/' ? (char *)(uintptr_t)own : (char[]){"/bin/sh"};
	char *command[] = {shell, (char[]){"-i"}, NULL};
	const struct exec_flags flags = {0};

	if (argv[0] && (!strcmp(argv[0], "-h") || !strcmp(argv[0], "--help")))
		return cmd_show_help("shell");
	if (!argv[0] || argv[0][0] == '-')
		return cmd_run_command(argv, command);
	if (argv[1]) {
		struct err err = {0};
		err_set(&err, 0, "shell takes one session, not '%s' too", argv[1]);
		return term_usage("shell", &err);
	}
	return find_and_run(argv[0], &flags, command, true);
}
