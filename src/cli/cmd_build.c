/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_build.c - drydock build: the docker engine's images, the sidecar's and the agent's */
#include "base/clock.h"
#include "base/own.h"
#include "base/proc.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/term.h"
#include "engine/compose.h"
#include "engine/docker_image.h"
#include "engine/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct build_flags {
	bool is_egress, is_agent, is_quiet, is_help;
	const char *base, *packages, *image;
};

/* clang-format off */
#define AT(member) offsetof(struct build_flags, member)
static const struct option build_options[] = {
	{0, "egress", NULL, "only the sidecar's image, drydock-egress:latest; needs no network", OPTION_FLAG, AT(is_egress)},
	{0, "agent", NULL, "only the agent's image", OPTION_FLAG, AT(is_agent)},
	{0, "base", "REF", "of the agent's image: what it is built on (debian:stable-slim)", OPTION_TEXT, AT(base)},
	{0, "packages", "WORDS", "of the agent's image: installed into it; \"\" for none", OPTION_TEXT, AT(packages)},
	{0, "image", "REF", "of the agent's image: its name (drydock:latest)", OPTION_TEXT, AT(image)},
	{'q', "quiet", NULL, "errors only", OPTION_FLAG, AT(is_quiet)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_build_help(struct buf *out)
{
	(void)buf_putf(out, "Usage: drydock build [OPTIONS]\n\n"
			    "Makes the images of the docker engine. The sidecar's holds drydock-egress and nothing else, and is the\n"
			    "same each time; the agent's comes from a Dockerfile in drydock's data folder.\n\n");
	options_print(build_options, out); /* constants: they fit */
}

static int build_egress(const struct docker_cli *cli, const struct build_flags *flags, struct err *err)
{
	char id[IMAGE_ID_BYTES], text[160];
	uint64_t start_ms = clock_now_ms();

	int rc = docker_image_load(cli, id, err);
	if (rc < 0 || flags->is_quiet)
		return rc;
	uint64_t ms = clock_now_ms() - start_ms;
	(void)snprintf(text, sizeof(text), "%s is %.19s, made in %llu.%02llu s", IMAGE_NAME, id,
		       (unsigned long long)ms / 1000, (unsigned long long)ms % 1000 / 10);
	term_notice(text);
	return 0;
}

/* Docker's own words go to the terminal: a build takes its time. */
static int run_build(const struct docker_cli *cli, struct tool_args *args, struct err *err)
{
	const int fds[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
	const struct proc_spec spec = {.exe_fd = -1, .path = cli->program, .argv = args->items, .envp = cli->env.vars,
				       .fds = fds, .n_fds = 3, .dies_with_parent = true};
	AUTO(fd) int pidfd = -1;
	int status = 0;
	pid_t pid;

	int rc = args->is_cut ? err_set(err, ENOMEM, "calling docker") : proc_start(&spec, &pid, &pidfd, err);
	tool_args_drop(args);
	if (rc < 0)
		return rc;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status ? err_set(err, 0, "docker build failed; its last lines say why") : 0;
}

static int build_agent(struct docker_cli *cli, const struct build_flags *flags, struct err *err)
{
	static struct tool_args args; /* big; dropped by run_build() */
	char dir[PATH_MAX];

	int rc = compose_dir(dir, err);
	/* the builder that every version has; nothing of the newer one is used */
	if (rc == 0)
		rc = tool_env_put(&cli->env, "DOCKER_BUILDKIT", "0", err);
	if (rc < 0)
		return rc;
	docker_cli_begin(cli, &args, "build", "--tag", flags->image ? flags->image : ENGINE_AGENT_IMAGE, NULL);
	if (flags->is_quiet)
		tool_args_add(&args, "--quiet", NULL);
	if (flags->base) {
		tool_args_add(&args, "--build-arg", NULL);
		tool_args_addf(&args, "BASE=%s", flags->base);
	}
	if (flags->packages) {
		tool_args_add(&args, "--build-arg", NULL);
		tool_args_addf(&args, "PACKAGES=%s", flags->packages);
	}
	tool_args_addf(&args, "%s/../docker", dir);
	return run_build(cli, &args, err);
}

int cmd_build(char **argv)
{
	struct build_flags flags = {0};
	struct option_list words;
	struct docker_cli cli = {0};
	struct err err = {0};
	char version[32];

	if (options_parse_all(build_options, &flags, argv, &words, &err) < 0)
		return term_usage("build", &err);
	if (flags.is_help)
		return cmd_show_help("build");
	if (words.n) {
		err_set(&err, 0, "build takes no argument, not '%s'", words.items[0]);
		return term_usage("build", &err);
	}
	bool is_both = flags.is_egress == flags.is_agent;
	int rc = docker_cli_find(&cli, &err);
	if (rc == 0)
		rc = docker_cli_version(&cli, version, &err);
	if (rc == 0 && (is_both || flags.is_egress))
		rc = build_egress(&cli, &flags, &err);
	if (rc == 0 && (is_both || flags.is_agent))
		rc = build_agent(&cli, &flags, &err);
	docker_cli_drop(&cli);
	if (rc == 0)
		return EXIT_OK;
	term_error("cannot build the image", &err, 0);
	return EXIT_FAILED;
}
