/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A '*' at the end stands for any ending. */
static const char *const kept[] = {
	"PATH",
	"USER",
	"LOGNAME",
	"SHELL",
	"TERM",
	"COLORTERM",
	"TERM_PROGRAM",
	"TERM_PROGRAM_VERSION",
	"LANG",
	"LANGUAGE",
	"LC_*",
	"TZ",
	"EDITOR",
	"VISUAL",
	"PAGER",
	"LESS",
	"NO_COLOR",
	"FORCE_COLOR",
	"CLICOLOR",
	"CLICOLOR_FORCE",
	/* where toolchains live: folders that the jail shows */
	"NVM_DIR",
	"CARGO_HOME",
	"RUSTUP_HOME",
	"PYENV_ROOT",
	"BUN_INSTALL",
	"JAVA_HOME",
	"VIRTUAL_ENV",
	/* who commits */
	"GIT_AUTHOR_NAME",
	"GIT_AUTHOR_EMAIL",
	"GIT_COMMITTER_NAME",
	"GIT_COMMITTER_EMAIL",
	NULL,
};

/* They name sockets, sessions and displays of the host. */
static const char *const never[] = {
	"SSH_AUTH_SOCK",
	"SSH_AGENT_PID",
	"GPG_AGENT_INFO",
	"DBUS_*",
	"DOCKER_HOST",
	"CONTAINER_HOST",
	"XDG_RUNTIME_DIR",
	"XDG_SESSION_*",
	"WAYLAND_DISPLAY",
	"WAYLAND_SOCKET",
	"DISPLAY",
	"XAUTHORITY",
	"TMUX",
	"STY",
	"NOTIFY_SOCKET",
	"LISTEN_FDS",
	"LISTEN_PID",
	NULL,
};

static bool is_listed(const char *const *list, const char *name, size_t n)
{
	for (; list && *list; list++) {
		size_t len = strlen(*list);
		if ((*list)[len - 1] == '*' ? n >= len - 1 && !strncmp(*list, name, len - 1)
					    : n == len && !strncmp(*list, name, n))
			return true;
	}
	return false;
}

const char *env_get(char *const *vars, const char *name)
{
	size_t n = strlen(name);
	for (; *vars; vars++)
		if (!strncmp(*vars, name, n) && (*vars)[n] == '=')
			return *vars + n + 1;
	return NULL;
}

/* Adds or replaces. */
static int put(struct env *env, const char *name, size_t n, const char *value, struct err *err)
{
	char *var = NULL;
	if (asprintf(&var, "%.*s=%s", (int)n, name, value) < 0)
		return err_set(err, ENOMEM, "building the environment");
	for (size_t i = 0; i < env->n; i++)
		if (!strncmp(env->vars[i], var, n + 1)) {
			free(env->vars[i]);
			env->vars[i] = var;
			return 0;
		}
	if (env->n == ENV_MAX_VARS) {
		free(var);
		return err_set(err, E2BIG, "building the environment: over %d variables",
			       ENV_MAX_VARS);
	}
	env->vars[env->n++] = var;
	return 0;
}

static int put_named(struct env *env, const char *name, const char *value, struct err *err)
{
	return put(env, name, strlen(name), value, err);
}

static int check_name(const char *name, size_t n, const char *flag, struct err *err)
{
	if (n == 0 || n > 200 || memchr(name, '\n', n))
		return err_set(err, 0, "%s: '%.*s' is no variable name", flag, n > 40 ? 40 : (int)n,
			       name);
	if (!is_listed(never, name, n))
		return 0;
	err_set(err, 0, "%s %.*s: this variable is never passed into a session", flag, (int)n,
		name);
	return err_fix(err,
		       "leave it out; what it leads to on the host is not reachable from inside");
}

static int put_kept(const struct env_spec *spec, struct env *env, struct err *err)
{
	for (char *const *v = spec->from; *v; v++) {
		const char *equals = strchr(*v, '=');
		size_t n = equals ? (size_t)(equals - *v) : 0;
		if (!n || is_listed(never, *v, n) ||
		    (!is_listed(kept, *v, n) && !is_listed(spec->keep, *v, n)))
			continue;
		int rc = put(env, *v, n, equals + 1, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int put_set(const struct env_spec *spec, struct env *env, struct err *err)
{
	for (const char *const *v = spec->set; v && *v; v++) {
		const char *equals = strchr(*v, '=');
		size_t n = equals ? (size_t)(equals - *v) : 0;
		int rc = check_name(*v, n, "env", err);
		if (rc < 0)
			return rc;
		char name[256];
		(void)snprintf(name, sizeof(name), "%.*s", (int)n, *v);
		const char *own = env_get(spec->from, name);
		rc = put(env, *v, n, own ? own : equals + 1, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int put_proxy(struct env *env, struct err *err)
{
	static const char *const proxied[] = {"http_proxy", "https_proxy", "HTTP_PROXY",
					      "HTTPS_PROXY"};
	static const char *const direct[] = {"no_proxy", "NO_PROXY"};
	char url[64];
	int rc = 0;
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", ENV_PROXY_PORT);
	for (size_t i = 0; i < sizeof(proxied) / sizeof(proxied[0]) && rc == 0; i++)
		rc = put_named(env, proxied[i], url, err);
	for (size_t i = 0; i < sizeof(direct) / sizeof(direct[0]) && rc == 0; i++)
		rc = put_named(env, direct[i], "localhost,127.0.0.1,::1", err);
	return rc < 0 ? rc : put_named(env, "NODE_USE_ENV_PROXY", "1", err);
}

static int put_added(const struct env_spec *spec, struct env *env, struct err *err)
{
	for (const char *const *v = spec->add; v && *v; v++) {
		const char *equals = strchr(*v, '=');
		size_t n = equals ? (size_t)(equals - *v) : strlen(*v);
		int rc = check_name(*v, n, "-e", err);
		if (rc < 0)
			return rc;
		const char *value = equals ? equals + 1 : env_get(spec->from, *v);
		if (!value) {
			err_set(err, 0, "-e %s: it is not set here", *v);
			return err_fix(err, "-e %s=VALUE, or export it first", *v);
		}
		rc = put(env, *v, n, value, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int env_make(const struct env_spec *spec, struct env *out, struct err *err)
{
	struct env env = {0};
	int rc = put_kept(spec, &env, err);
	if (rc == 0 && !env_get(env.vars, "PATH"))
		rc = put_named(&env, "PATH", "/usr/local/bin:/usr/bin:/bin", err);
	if (rc == 0)
		rc = put_named(&env, "HOME", spec->home, err);
	if (rc == 0)
		rc = put_named(&env, "PWD", spec->cwd, err);
	if (rc == 0)
		rc = put_set(spec, &env, err);
	if (rc == 0 && spec->has_proxy)
		rc = put_proxy(&env, err);
	if (rc == 0 && spec->has_proxy)
		rc = put_named(&env, "DRYDOCK_HELP", "http://drydock.internal/", err);
	if (rc == 0)
		rc = put_named(&env, "DRYDOCK_SESSION", spec->session_id, err);
	if (rc == 0)
		rc = put_added(spec, &env, err);
	if (rc < 0) {
		env_drop(&env);
		return rc;
	}
	*out = env;
	return 0;
}

void env_drop(struct env *env)
{
	for (size_t i = 0; i < env->n; i++)
		free(env->vars[i]);
	*env = (struct env){0};
}
