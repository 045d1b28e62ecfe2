/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/tool.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { READ_BYTES = 16 << 10, LINE_MAX_CHARS = 400 };

static void add_owned(struct tool_args *args, char *text)
{
	if (!text || args->n == TOOL_MAX_ARGS) {
		args->is_cut = true;
		free(text);
		return;
	}
	args->items[args->n++] = text;
}

void tool_args_add(struct tool_args *args, ...)
{
	va_list list;
	va_start(list, args);
	for (const char *text; (text = va_arg(list, const char *));)
		add_owned(args, strdup(text));
	va_end(list);
}

void tool_args_addf(struct tool_args *args, const char *fmt, ...)
{
	char *text = NULL;
	va_list list;
	va_start(list, fmt);
	int n = vasprintf(&text, fmt, list);
	va_end(list);
	add_owned(args, n < 0 ? NULL : text);
}

void tool_args_drop(struct tool_args *args)
{
	while (args->n)
		free(args->items[--args->n]);
	*args = (struct tool_args){0};
}

bool tool_find(const char *name, char out[PATH_MAX])
{
	const char *path = getenv("PATH");
	for (path = path ? path : "/usr/local/bin:/usr/bin:/bin"; *path; path += *path == ':') {
		size_t n = strcspn(path, ":");
		int len = snprintf(out, PATH_MAX, "%.*s/%s", (int)n, path, name);
		bool is_absolute = *path == '/';
		struct stat st;
		path += n;
		if (is_absolute && len < PATH_MAX && stat(out, &st) == 0 && S_ISREG(st.st_mode) && access(out, X_OK) == 0)
			return true;
	}
	return false;
}

int tool_env_put(struct env *env, const char *name, const char *value, struct err *err)
{
	char *var = NULL;
	size_t n = strlen(name);
	if (asprintf(&var, "%s=%s", name, value) < 0)
		return err_set(err, ENOMEM, "building the environment");
	for (size_t i = 0; i < env->n; i++)
		if (!strncmp(env->vars[i], var, n + 1)) {
			free(env->vars[i]);
			env->vars[i] = var;
			return 0;
		}
	if (env->n == ENV_MAX_VARS) {
		free(var);
		return err_set(err, E2BIG, "building the environment: over %d variables", ENV_MAX_VARS);
	}
	env->vars[env->n++] = var;
	return 0;
}

int tool_env(char *const *from, struct env *out, struct err *err)
{
	static const char *const passed[] = {
		"PATH",		 "HOME",	      "USER",	       "LOGNAME",	  "TERM",
		"LANG",		 "LC_ALL",	      "LC_CTYPE",      "XDG_RUNTIME_DIR", "DOCKER_HOST",
		"DOCKER_CONFIG", "DOCKER_CONTEXT",    "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "DOCKER_API_VERSION",
	};
	struct env env = {0};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < sizeof(passed) / sizeof(passed[0]); i++) {
		const char *value = env_get(from, passed[i]);
		if (value)
			rc = tool_env_put(&env, passed[i], value, err);
	}
	if (rc == 0)
		rc = tool_env_put(&env, "DOCKER_CLI_HINTS", "false", err);
	if (rc < 0) {
		env_drop(&env);
		return rc;
	}
	*out = env;
	return 0;
}

int tool_start(const char *name, const struct tool_args *args, char *const *envp, int in_fd, struct tool *out,
	       struct err *err)
{
	struct tool t = TOOL_NONE;
	int out_pipe[2], err_pipe[2];

	if (args->is_cut)
		return err_set(err, E2BIG, "calling %s", name);
	t.name = name;
	t.out.max = t.err.max = TOOL_MAX_BYTES;
	AUTO(fd) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0)
		return err_set(err, errno, "opening '/dev/null'");
	if (pipe2(out_pipe, O_CLOEXEC) < 0)
		return err_set(err, errno, "making a pipe");
	AUTO(fd) int out_end = out_pipe[1];
	t.out_fd = out_pipe[0];
	if (pipe2(err_pipe, O_CLOEXEC) < 0) {
		fd_drop(&t.out_fd);
		return err_set(err, errno, "making a pipe");
	}
	AUTO(fd) int err_end = err_pipe[1];
	t.err_fd = err_pipe[0];
	const int fds[] = {in_fd < 0 ? null : in_fd, out_end, err_end};
	const struct proc_spec spec = {.exe_fd = -1, .path = args->items[0], .argv = args->items, .envp = envp, .fds = fds,
				       .n_fds = 3, .dies_with_parent = true};
	int rc = proc_start(&spec, &t.pid, &t.pidfd, err);
	if (rc < 0) {
		fd_drop(&t.out_fd);
		fd_drop(&t.err_fd);
		return rc;
	}
	*out = t;
	return 0;
}

/* What does not fit is read and forgotten, so that the program never waits for us. */
static void take_some(int *fd, struct buf *to)
{
	uint8_t bytes[READ_BYTES];
	ssize_t n = read(*fd, bytes, sizeof(bytes));
	if (n > 0)
		(void)buf_put(to, bytes, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		fd_drop(fd);
}

static int reap(struct tool *t)
{
	int status = 0;
	while (waitpid(t->pid, &status, 0) < 0 && errno == EINTR)
		;
	fd_drop(&t->pidfd);
	t->pid = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int tool_finish(struct tool *t, int *out_status, struct err *err)
{
	uint64_t end_ms = clock_now_ms() + TOOL_PATIENCE_MS;
	while (t->out_fd >= 0 || t->err_fd >= 0) {
		struct pollfd p[2] = {{.fd = t->out_fd, .events = POLLIN}, {.fd = t->err_fd, .events = POLLIN}};
		uint64_t now_ms = clock_now_ms();
		if (now_ms >= end_ms) {
			tool_drop(t);
			return err_set(err, ETIMEDOUT, "waiting for %s", t->name);
		}
		if (poll(p, 2, (int)(end_ms - now_ms)) < 0 && errno != EINTR)
			return err_set(err, errno, "waiting for %s", t->name);
		if (p[0].revents)
			take_some(&t->out_fd, &t->out);
		if (p[1].revents)
			take_some(&t->err_fd, &t->err);
	}
	*out_status = reap(t);
	return 0;
}

int tool_run(const char *name, const struct tool_args *args, char *const *envp, struct tool *out, int *out_status,
	     struct err *err)
{
	struct tool t;
	int rc = tool_start(name, args, envp, -1, &t, err);
	if (rc < 0)
		return rc;
	rc = tool_finish(&t, out_status, err);
	if (rc < 0) {
		tool_drop(&t);
		return rc;
	}
	*out = t;
	return 0;
}

void tool_drop(struct tool *t)
{
	if (t->pid > 0) {
		(void)kill(t->pid, SIGKILL); /* not reaped: the number is still its own */
		(void)reap(t);
	}
	fd_drop(&t->out_fd);
	fd_drop(&t->err_fd);
	buf_drop(&t->out);
	buf_drop(&t->err);
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct span tool_trim(struct span text)
{
	while (text.n && is_blank(text.p[0]))
		text = span_make(text.p + 1, text.n - 1);
	while (text.n && is_blank(text.p[text.n - 1]))
		text.n--;
	return text;
}

int tool_complain(const struct tool *t, struct err *err)
{
	AUTO(buf) struct buf safe = {.max = LINE_MAX_CHARS * 8};
	struct span text = tool_trim(buf_span(&t->err));
	const uint8_t *last = text.n ? memrchr(text.p, '\n', text.n) : NULL;
	if (last)
		text = span_make(last + 1, text.n - (size_t)(last + 1 - text.p));
	utf8_put_safe(&safe, text, LINE_MAX_CHARS);
	return err_set(err, 0, "%s: %.*s", t->name, (int)safe.n, safe.n ? (const char *)safe.p : "");
}
