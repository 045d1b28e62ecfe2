/* SPDX-License-Identifier: Apache-2.0 */
/* engine/env.h - the environment an agent gets: a keep-list, what presets and flags add, the proxy
 */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { ENV_MAX_VARS = 512, ENV_PROXY_PORT = 8888 };

/** struct env - NAME=VALUE strings, owned, NULL-terminated: ready for execve(2) */
struct env {
	char *vars[ENV_MAX_VARS + 1];
	size_t n;
};

/**
 * struct env_spec - what goes in; borrowed, lists NULL-terminated
 * @from:	the caller's environment
 * @keep:	further names let through (a preset's `keep` lines)
 * @set:	"NAME=VALUE" of presets; a variable the caller has set himself keeps his value
 * @add:	`-e`: "NAME=VALUE", or "NAME" to let the caller's value through; wins over
 * everything
 * @has_proxy:	set the proxy variables
 */
struct env_spec {
	char *const *from;
	const char *const *keep;
	const char *const *set;
	const char *const *add;
	const char *home;
	const char *cwd;
	const char *session_id;
	bool has_proxy;
};

/**
 * env_make() - build it
 *
 * Names of sockets and sessions of the host (SSH_AUTH_SOCK, DBUS_*, DOCKER_HOST, XDG_RUNTIME_DIR
 * ...) are never let through, not even on demand: what they lead to is not inside.
 *
 * Return: 0; -EINVAL for a variable that may not or cannot be passed; -E2BIG; -ENOMEM.
 */
int env_make(const struct env_spec *spec, struct env *out, struct err *err);
void env_drop(struct env *env);

/** env_get() - the value of @name in a NULL-terminated list, or NULL */
const char *env_get(char *const *vars, const char *name);
