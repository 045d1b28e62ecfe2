/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/docker_cli.h"
#include "base/own.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

extern char **environ;

/* Distributions install podman under docker's name as a small script. */
static bool is_podman(const char *program)
{
	char text[512];
	AUTO(file) FILE *in = fopen(program, "re");
	size_t n = in ? fread(text, 1, sizeof(text) - 1, in) : 0;
	text[n] = '\0';
	return text[0] == '#' && strstr(text, "podman");
}

int docker_cli_find(struct docker_cli *out, struct err *err)
{
	*out = (struct docker_cli){0};
	if (!tool_find("docker", out->program)) {
		(void)err_set(err, 0, "docker is not installed");
		(void)err_fix(err, "apt-get install docker.io docker-compose, or leave out --engine docker");
		return -ENOENT;
	}
	if (is_podman(out->program)) {
		(void)err_set(err, 0,
			      "'%s' is podman: on its internal networks names leave by the gateway's DNS and the host answers",
			      out->program);
		(void)err_fix(err, "install docker, or use the native engine");
		return -EPERM;
	}
	return tool_env(environ, &out->env, err);
}

void docker_cli_drop(struct docker_cli *cli)
{
	env_drop(&cli->env);
}

void docker_cli_begin(const struct docker_cli *cli, struct tool_args *args, ...)
{
	*args = (struct tool_args){0};
	tool_args_add(args, cli->program, NULL);
	va_list list;
	va_start(list, args);
	for (const char *text; (text = va_arg(list, const char *));)
		tool_args_add(args, text, NULL);
	va_end(list);
}

int docker_cli_call(const struct docker_cli *cli, struct tool_args *args, struct tool *out, int *out_status,
		    struct err *err)
{
	int status = 0;
	int rc = tool_run("docker", args, cli->env.vars, out, &status, err);
	tool_args_drop(args);
	if (rc == 0 && !out_status && status != 0) {
		rc = tool_complain(out, err);
		tool_drop(out);
	}
	if (rc == 0 && out_status)
		*out_status = status;
	return rc;
}

int docker_cli_start(const struct docker_cli *cli, struct tool_args *args, struct tool *out, struct err *err)
{
	int rc = tool_start("docker", args, cli->env.vars, -1, out, err);
	tool_args_drop(args);
	return rc;
}

int docker_cli_ask_version(const struct docker_cli *cli, struct tool *out_asked, struct err *err)
{
	static struct tool_args args; /* big; used and dropped here */

	docker_cli_begin(cli, &args, "version", "--format", "{{.Server.Version}}", NULL);
	return docker_cli_start(cli, &args, out_asked, err);
}

static int check_version(const char *version, struct err *err)
{
	unsigned major = 0, minor = 0;

	if (sscanf(version, "%u.%u", &major, &minor) != 2)
		return err_set(err, 0, "docker's version is not understood: '%s'", version);
	if (major > DOCKER_MIN_MAJOR || (major == DOCKER_MIN_MAJOR && minor >= DOCKER_MIN_MINOR))
		return 0;
	(void)err_set(err, 0, "docker %s is too old: %d.%d is the first that can be contained", version, DOCKER_MIN_MAJOR,
		      DOCKER_MIN_MINOR);
	return -EPERM;
}

int docker_cli_read_version(struct tool *asked, char out[32], struct err *err)
{
	int status = 0;
	int rc = tool_finish(asked, &status, err);
	if (rc == 0 && status != 0) {
		rc = tool_complain(asked, err);
		(void)err_fix(err, "start the docker daemon, or leave out --engine docker");
		(void)err_add(err, "no docker engine answers");
	}
	if (rc == 0) {
		struct span text = tool_trim(buf_span(&asked->out));
		(void)snprintf(out, 32, "%.*s", text.n > 31 ? 31 : (int)text.n, text.n ? (const char *)text.p : "");
		rc = check_version(out, err);
	}
	tool_drop(asked);
	return rc;
}

int docker_cli_version(const struct docker_cli *cli, char out[32], struct err *err)
{
	struct tool asked;
	int rc = docker_cli_ask_version(cli, &asked, err);
	return rc < 0 ? rc : docker_cli_read_version(&asked, out, err);
}

struct span docker_cli_field(struct span text, const char *name)
{
	size_t len = strlen(name);
	while (text.n) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) : text.n;
		if (n > len && !memcmp(text.p, name, len) && text.p[len] == '=')
			return span_make(text.p + len + 1, n - len - 1);
		n += end != NULL;
		text = span_make(text.p + n, text.n - n);
	}
	return (struct span){0};
}
