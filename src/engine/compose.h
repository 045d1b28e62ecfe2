/* SPDX-License-Identifier: Apache-2.0 */
/* engine/compose.h - the compose files of a session: which, with which variables, and how compose is called */
/*
 * The base file and exactly one overlay make a project: docker-compose.contain.yml (or docker-compose.sealed.yml, the
 * contained mode's other topology) or docker-compose.dood.yml. `run` adds a file of its own for the session, because
 * a command, an environment and a list of mounts are no variables. Compose reads no .env and no COMPOSE_* variable: a
 * project cannot speak to it.
 */
#pragma once
#include "base/err.h"
#include "engine/engine.h"
#include "engine/tool.h"

/** enum compose_kind - v2 is a plugin of docker, v1 the older program in Python */
enum compose_kind { COMPOSE_V1, COMPOSE_V2 };

/** struct compose - compose on this machine */
struct compose {
	enum compose_kind kind;
	char program[PATH_MAX];
};

/**
 * compose_find() - v2 when it is installed, else v1
 *
 * Return: 0; -ENOENT with the fix; -EPERM when it is podman-compose, with the reason.
 */
int compose_find(struct compose *out, struct err *err);

/** compose_dir() - the folder of the compose files: installed, or beside a build folder */
int compose_dir(char out[PATH_MAX], struct err *err);

/**
 * compose_choose() - the mode that an overlay stands for
 * @is_contain, @is_dood: which overlays were asked for
 *
 * Return: 0; -EINVAL when it is none of them, or both.
 */
int compose_choose(bool is_contain, bool is_dood, enum engine_mode *out, struct err *err);

/**
 * struct compose_spec - the values of the variables; borrowed. NULL leaves a variable to its default, or unset
 * @session_id:	names containers and labels
 * @user, @sidecar_user: "UID:GID"
 * @inner_subnet: of drydock_internal
 * @policy:	the effective allowlist
 * @egress_dir:	holds the audit log and the control socket
 * @sock_dir, @ports: topology sealed only
 * @docker_sock, @docker_gid: mode dood only
 */
struct compose_spec {
	enum engine_mode mode;
	enum engine_topology topology;
	const char *session_id, *owner, *user, *sidecar_user, *image, *project, *cwd, *token;
	const char *inner_subnet, *policy, *egress_dir, *sock_dir, *ports, *docker_sock, *docker_gid;
};

enum { COMPOSE_NAME_BYTES = 64 };

/** enum compose_role - the containers of a session; the shell's name is only kept free */
enum compose_role { COMPOSE_AGENT, COMPOSE_SIDECAR, COMPOSE_HOLDER, COMPOSE_SHELL };

/** compose_name() - a container's name: drydock-ID, drydock-ID-egress, drydock-ID-net, drydock-ID-shell */
void compose_name(const char *session_id, enum compose_role role, char out[COMPOSE_NAME_BYTES]);

/**
 * compose_vars() - set the variables of the files
 * @from:	the caller's environment: the three switches of telemetry are passed on
 */
int compose_vars(const struct compose_spec *spec, char *const *from, struct env *env, struct err *err);

/**
 * compose_args() - the beginning of a command line: program, project, files
 * @session_file: the session's own file; NULL for none
 */
int compose_args(const struct compose *compose, const struct compose_spec *spec, const char *session_file,
		 struct tool_args *out, struct err *err);
