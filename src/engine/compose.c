/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/compose.h"
#include "build_config.h"
#include "engine/egress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_program(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Where docker looks for its plugins, in its order. */
static bool find_plugin(char out[PATH_MAX])
{
	static const char *const dirs[] = {"/usr/local/lib/docker", "/usr/local/libexec/docker", "/usr/lib/docker",
					   "/usr/libexec/docker"};
	const char *config = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

	if (config && config[0] == '/')
		(void)snprintf(out, PATH_MAX, "%s/cli-plugins/docker-compose", config);
	else
		(void)snprintf(out, PATH_MAX, "%s/.docker/cli-plugins/docker-compose", home ? home : "");
	if (out[0] == '/' && is_program(out))
		return true;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		(void)snprintf(out, PATH_MAX, "%s/cli-plugins/docker-compose", dirs[i]);
		if (is_program(out))
			return true;
	}
	return false;
}

int compose_find(struct compose *out, struct err *err)
{
	char other[PATH_MAX];

	if (find_plugin(out->program)) {
		out->kind = COMPOSE_V2;
		return 0;
	}
	if (tool_find("docker-compose", out->program)) {
		out->kind = COMPOSE_V1;
		return 0;
	}
	if (tool_find("podman-compose", other)) {
		(void)err_set(err, 0, "podman-compose is not used: it attaches a container to two networks where one was asked "
				      "for, and starts the agent before the proxy is healthy");
		(void)err_fix(err, "install docker's compose: apt-get install docker-compose");
		return -EPERM;
	}
	(void)err_set(err, 0, "docker's compose is not installed");
	(void)err_fix(err, "apt-get install docker-compose, or use the native engine, which needs no container");
	return -ENOENT;
}

int compose_dir(char out[PATH_MAX], struct err *err)
{
	char dir[PATH_MAX - 64], build[PATH_MAX];
	struct stat st;
	int rc = egress_self_dir(dir, sizeof(dir), err);

	if (rc < 0)
		return rc;
	(void)snprintf(build, sizeof(build), "%s/build.ninja", dir);
	(void)snprintf(out, PATH_MAX, "%s/../%s", dir, stat(build, &st) == 0 ? "data/compose" : "share/drydock/compose");
	if (stat(out, &st) < 0)
		(void)snprintf(out, PATH_MAX, "%s/compose", DRYDOCK_DATADIR);
	char real[PATH_MAX];
	if (!realpath(out, real)) {
		err_set(err, errno, "looking for the compose files in '%s'", out);
		return err_fix(err, "install drydock again");
	}
	(void)strcpy(out, real);
	return 0;
}

int compose_choose(bool is_contain, bool is_dood, enum engine_mode *out, struct err *err)
{
	if (is_contain == is_dood) {
		err_set(err, 0, is_dood ? "contain and dood at once: exactly one overlay stands over the base file"
					: "neither contain nor dood: exactly one overlay stands over the base file");
		return err_fix(err, "--mode contain");
	}
	*out = is_dood ? ENGINE_DOOD : ENGINE_CONTAIN;
	return 0;
}

void compose_name(const char *session_id, enum compose_role role, char out[COMPOSE_NAME_BYTES])
{
	static const char *const endings[] = {
		[COMPOSE_AGENT] = "", [COMPOSE_SIDECAR] = "-egress", [COMPOSE_HOLDER] = "-net", [COMPOSE_SHELL] = "-shell"};
	(void)snprintf(out, COMPOSE_NAME_BYTES, "drydock-%s%s", session_id, endings[role]);
}

static const char *overlay(const struct compose_spec *spec)
{
	if (spec->mode == ENGINE_DOOD)
		return "docker-compose.dood.yml";
	return spec->topology == ENGINE_SEALED ? "docker-compose.sealed.yml" : "docker-compose.contain.yml";
}

int compose_vars(const struct compose_spec *spec, char *const *from, struct env *env, struct err *err)
{
	static const char *const switches[] = {"DISABLE_TELEMETRY", "DISABLE_ERROR_REPORTING",
					       "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"};
	char agent[COMPOSE_NAME_BYTES], sidecar[COMPOSE_NAME_BYTES], holder[COMPOSE_NAME_BYTES];

	compose_name(spec->session_id, COMPOSE_AGENT, agent);
	compose_name(spec->session_id, COMPOSE_SIDECAR, sidecar);
	compose_name(spec->session_id, COMPOSE_HOLDER, holder);
	const bool is_contain = spec->mode == ENGINE_CONTAIN;
	char profile[PATH_MAX + 16] = "";
	if (is_contain && compose_dir(profile, err) < 0)
		return err->code;
	(void)strcat(profile, "/seccomp.json");
	const struct {
		const char *name, *value;
	} vars[] = {
		{"COMPOSE_PROGRESS", "quiet"},
		{"COMPOSE_IGNORE_ORPHANS", "1"},
		{"DRYDOCK_SESSION", spec->session_id},
		{"DRYDOCK_OWNER", spec->owner},
		{"DRYDOCK_NAME", agent},
		{"DRYDOCK_IMAGE", spec->image},
		{"DRYDOCK_USER", spec->user},
		{"DRYDOCK_PROJECT", spec->project},
		{"DRYDOCK_CWD", spec->cwd},
		{"DRYDOCK_SIDECAR_NAME", is_contain ? sidecar : NULL},
		{"DRYDOCK_HOLDER_NAME", is_contain ? holder : NULL},
		{"DRYDOCK_SECCOMP", is_contain ? profile : NULL},
		{"DRYDOCK_SIDECAR_USER", spec->sidecar_user},
		{"DRYDOCK_TOKEN", spec->token},
		{"DRYDOCK_INNER_SUBNET", spec->inner_subnet},
		{"DRYDOCK_EGRESS_FILTER_FILE", spec->policy},
		{"DRYDOCK_EGRESS_DIR", spec->egress_dir},
		{"DRYDOCK_SOCK_DIR", spec->sock_dir},
		{"DRYDOCK_PORTS", spec->ports},
		{"DRYDOCK_DOCKER_SOCK", spec->docker_sock},
		{"DRYDOCK_DOCKER_GID", spec->docker_gid},
	};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < sizeof(vars) / sizeof(vars[0]); i++)
		if (vars[i].value)
			rc = tool_env_put(env, vars[i].name, vars[i].value, err);
	for (size_t i = 0; rc == 0 && i < sizeof(switches) / sizeof(switches[0]); i++) {
		const char *own = env_get(from, switches[i]);
		if (own)
			rc = tool_env_put(env, switches[i], own, err);
	}
	return rc;
}

int compose_args(const struct compose *compose, const struct compose_spec *spec, const char *session_file,
		 struct tool_args *out, struct err *err)
{
	char dir[PATH_MAX];
	int rc = compose_dir(dir, err);

	if (rc < 0)
		return rc;
	tool_args_add(out, compose->program, "--env-file", NULL);
	tool_args_addf(out, "%s/empty.env", dir);
	tool_args_add(out, "--project-name", NULL);
	tool_args_addf(out, "drydock-%s", spec->session_id);
	tool_args_add(out, "--file", NULL);
	tool_args_addf(out, "%s/docker-compose.yml", dir);
	tool_args_add(out, "--file", NULL);
	tool_args_addf(out, "%s/%s", dir, overlay(spec));
	if (session_file)
		tool_args_add(out, "--file", session_file, NULL);
	return 0;
}
