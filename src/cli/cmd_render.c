/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_render.c - drydock render: what the docker engine would hand to compose, merged; nothing runs */
#include "base/fs.h"
#include "base/own.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/term.h"
#include "engine/compose.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

struct render_flags {
	struct option_list modes;
	const char *topology, *folder, *image;
	bool is_json, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct render_flags, member)
static const struct option render_options[] = {
	{0, "mode", "MODE", "contain (the default) or dood", OPTION_LIST, AT(modes)},
	{0, "topology", "NAME", "of mode contain: bridge (the default) or sealed", OPTION_TEXT, AT(topology)},
	{0, "image", "REF", "the agent's image (drydock:latest)", OPTION_TEXT, AT(image)},
	{'o', "output", "DIR", "write DIR/docker-compose.yml instead of printing", OPTION_TEXT, AT(folder)},
	{0, "json", NULL, "as JSON (compose v2 only)", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_render_help(struct buf *out)
{
	(void)buf_putf(out,
		       "Usage: drydock render compose [OPTIONS]\n\n"
		       "Prints the compose files of the docker engine as one: the base file and the overlay of the mode, with\n"
		       "the values of a session named 'example' in this project. Needs compose, and no daemon.\n\n");
	options_print(render_options, out); /* constants: they fit */
}

static int read_flags(const struct render_flags *flags, struct compose_spec *spec, struct err *err)
{
	bool is_contain = flags->modes.n == 0, is_dood = false;

	for (size_t i = 0; i < flags->modes.n; i++) {
		const char *mode = flags->modes.items[i];
		is_contain |= !strcmp(mode, "contain");
		is_dood |= !strcmp(mode, "dood");
		if (strcmp(mode, "contain") != 0 && strcmp(mode, "dood") != 0 && strcmp(mode, "none") != 0)
			return err_set(err, 0, "--mode takes contain or dood, not '%s'", mode);
	}
	int rc = compose_choose(is_contain, is_dood, &spec->mode, err);
	if (rc < 0 || !flags->topology)
		return rc;
	if (spec->mode == ENGINE_DOOD)
		return err_set(err, 0, "--topology is a matter of mode contain: dood has no network of its own");
	if (!strcmp(flags->topology, "sealed"))
		spec->topology = ENGINE_SEALED;
	else if (strcmp(flags->topology, "bridge") != 0)
		return err_set(err, 0, "--topology takes bridge or sealed, not '%s'", flags->topology);
	return 0;
}

/* Compose's own answer: what it would do, or why not. */
static int ask(const struct compose_spec *spec, bool is_json, struct tool *out, struct err *err)
{
	static struct tool_args args; /* big, and there is one */
	struct compose compose;
	struct env env = {0};
	int status = 0;

	int rc = compose_find(&compose, err);
	if (rc == 0 && is_json && compose.kind == COMPOSE_V1)
		rc = err_set(err, 0, "--json needs compose v2, and this machine has v1");
	if (rc == 0)
		rc = tool_env(environ, &env, err);
	if (rc == 0)
		rc = compose_vars(spec, environ, &env, err);
	if (rc == 0)
		rc = compose_args(&compose, spec, NULL, &args, err);
	if (rc == 0) {
		tool_args_add(&args, "config", is_json ? "--format" : NULL, "json", NULL);
		rc = tool_run("compose", &args, env.vars, out, &status, err);
	}
	if (rc == 0 && status != 0) {
		rc = tool_complain(out, err);
		tool_drop(out);
	}
	tool_args_drop(&args);
	env_drop(&env);
	return rc;
}

static int write_to(const char *folder, const struct buf *text, struct err *err)
{
	char path[PATH_MAX];

	int rc = fs_make_dirs(folder, 0755, err);
	if (rc == 0 && snprintf(path, sizeof(path), "%s/docker-compose.yml", folder) >= (int)sizeof(path))
		return err_set(err, ENAMETOOLONG, "writing into '%s'", folder);
	return rc < 0 ? rc : fs_replace(path, buf_span(text), 0644, err);
}

static int render(const struct render_flags *flags, struct compose_spec *spec, struct err *err)
{
	static struct place place; /* big, and there is one */
	char user[32], policy[PATH_MAX + 32], egress_dir[PATH_MAX + 32], sock_dir[PATH_MAX + 32];
	struct tool tool = TOOL_NONE;

	int rc = place_find(&place, err);
	if (rc < 0)
		return rc;
	(void)snprintf(user, sizeof(user), "%u:%u", geteuid(), getegid());
	(void)snprintf(policy, sizeof(policy), "%s/example/policy", place.roots.state);
	(void)snprintf(egress_dir, sizeof(egress_dir), "%s/example/egress", place.roots.state);
	(void)snprintf(sock_dir, sizeof(sock_dir), "%s/example/sock", place.roots.state);
	spec->session_id = "example";
	spec->user = user;
	spec->image = flags->image;
	spec->project = place.project[0] ? place.project : place.cwd;
	spec->cwd = place.cwd;
	if (spec->mode == ENGINE_CONTAIN) {
		spec->sidecar_user = geteuid() == 0 ? NULL : user;
		spec->token = "TOKEN";
		spec->policy = policy;
		spec->egress_dir = egress_dir;
		spec->inner_subnet = spec->topology == ENGINE_BRIDGE ? "172.30.0.0/24" : NULL;
		spec->sock_dir = spec->topology == ENGINE_SEALED ? sock_dir : NULL;
		spec->ports = spec->topology == ENGINE_SEALED ? "80,443" : NULL;
	}
	rc = ask(spec, flags->is_json, &tool, err);
	if (rc < 0)
		return rc;
	if (flags->folder)
		rc = write_to(flags->folder, &tool.out, err);
	else if (term_put(STDOUT_FILENO, &tool.out) != 0)
		rc = err_set(err, EPIPE, "writing the result");
	tool_drop(&tool);
	return rc;
}

int cmd_render(char **argv)
{
	struct render_flags flags = {0};
	struct compose_spec spec = {0};
	struct option_list words = {0};
	struct err err = {0};

	if (options_parse_all(render_options, &flags, argv, &words, &err) < 0)
		return term_usage("render", &err);
	if (flags.is_help)
		return cmd_show_help("render");
	if (words.n != 1 || strcmp(words.items[0], "compose") != 0)
		(void)err_set(&err, 0, "render what? `drydock render compose`");
	if (err.code || read_flags(&flags, &spec, &err) < 0)
		return term_usage("render", &err);
	if (render(&flags, &spec, &err) == 0)
		return EXIT_OK;
	term_error("cannot render", &err, 0);
	return EXIT_FAILED;
}
