/* SPDX-License-Identifier: Apache-2.0 */
/* '$' would begin a variable in any value of a compose file; it is doubled. */
#include "engine/docker_file.h"
#include "base/json.h"
#include "base/own.h"
#include "jail/plan.h"
#include "jail/gitdir.h"
#include "jail/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WORD_MAX_BYTES = 1 << 20 };

static bool is_same_or_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);
	return !strncmp(path, folder, n) && (!path[n] || path[n] == '/' || n == 1);
}

/* Docker's socket, or a folder that holds it. */
static bool shows_socket(const char *path)
{
	static const char *const sockets[] = {"/run/docker.sock", "/var/run/docker.sock", "/run/containerd",
					      "/run/podman/podman.sock"};
	for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++)
		if (is_same_or_below(sockets[i], path) || is_same_or_below(path, sockets[i]))
			return true;
	const char *slash = strrchr(path, '/');
	return slash && !strcmp(slash, "/docker.sock");
}

static int add(struct docker_mounts *m, const char *path, bool is_writable, struct err *err)
{
	for (size_t i = 0; i < m->n; i++)
		if (!strcmp(m->items[i].path, path)) {
			m->items[i].is_writable &= is_writable;
			return 0;
		}
	if (m->n == DOCKER_FILE_MAX_MOUNTS)
		return err_set(err, E2BIG, "mounting into the agent's container");
	char *copy = strdup(path);
	if (!copy)
		return err_set(err, ENOMEM, "mounting into the agent's container");
	m->items[m->n].path = copy;
	m->items[m->n++].is_writable = is_writable;
	return 0;
}

/* The common git folder of a worktree, when it lies outside of the project; false when there is none. */
static bool find_common(const struct engine_request *r, char out[PATH_MAX])
{
	return r->mode == ENGINE_CONTAIN && r->project && gitdir_common(r->project, out) && !is_same_or_below(out, r->project);
}

static int add_asked(const struct engine_request *r, struct docker_mounts *m, struct err *err)
{
	char common[PATH_MAX];
	int rc = r->project ? add(m, r->project, true, err) : 0;
	if (rc == 0 && find_common(r, common))
		rc = add(m, common, true, err);
	for (size_t i = 0; rc == 0 && i < r->n_mounts; i++) {
		struct stat st;
		const char *path = r->mounts[i].path;
		if (stat(path, &st) < 0) {
			if (r->mounts[i].is_optional)
				continue;
			return err_set(err, errno, "mounting '%s'", path);
		}
		rc = add(m, path, r->mounts[i].is_writable, err);
	}
	for (size_t i = 0; rc == 0 && r->mode == ENGINE_CONTAIN && i < m->n; i++)
		if (shows_socket(m->items[i].path)) {
			(void)err_set(err, 0, "the mount '%s' would show a container engine's socket, which is root on this machine",
				      m->items[i].path);
			return -EPERM;
		}
	return rc;
}

/* A real file or folder, reached without a link. */
static bool is_plain(const char *path)
{
	struct stat st;
	char real[PATH_MAX];
	return lstat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) && realpath(path, real) &&
	       !strcmp(real, path);
}

/* Each folder on the way is a mount of its own, so that none can be renamed away. */
static int protect_one(const char *project, const char *entry, struct docker_mounts *m, struct err *err)
{
	char path[PATH_MAX];
	int rc = 0;

	if (snprintf(path, sizeof(path), "%s%s%s", entry[0] == '/' ? "" : project, entry[0] == '/' ? "" : "/", entry) >=
		    (int)sizeof(path) ||
	    !is_same_or_below(path, project) || !is_plain(path))
		return 0;
	for (char *slash = path + strlen(project) + 1; rc == 0 && (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		rc = add(m, path, true, err);
		*slash = '/';
	}
	return rc < 0 ? rc : add(m, path, false, err);
}

static int add_protected(const struct engine_request *r, struct docker_mounts *m, struct err *err)
{
	struct view view = {0};
	char common[PATH_MAX];
	bool has_common = find_common(r, common);
	int rc = view_collect(r->home, r->project, "none/such", NULL, &view, err);

	for (size_t i = 1; rc == 0 && plan_protected[i]; i++) /* .git itself is worked in */
		rc = protect_one(r->project, plan_protected[i], m, err);
	for (size_t i = 0; rc == 0 && i < view.n_protected; i++)
		rc = protect_one(has_common && is_same_or_below(view.protected[i], common) ? common : r->project,
				 view.protected[i], m, err);
	view_drop(&view);
	return rc;
}

int docker_mounts_make(const struct engine_request *request, struct docker_mounts *out, struct err *err)
{
	*out = (struct docker_mounts){0};
	int rc = add_asked(request, out, err);
	if (rc == 0 && request->project && request->mode == ENGINE_CONTAIN)
		rc = add_protected(request, out, err);
	if (rc < 0)
		docker_mounts_drop(out);
	return rc;
}

void docker_mounts_drop(struct docker_mounts *m)
{
	while (m->n)
		free(m->items[--m->n].path);
}

static void put_value(struct json *j, const char *key, const char *text)
{
	AUTO(buf) struct buf doubled = {.max = WORD_MAX_BYTES};
	for (; *text; text++)
		(void)buf_put(&doubled, *text == '$' ? "$$" : text, *text == '$' ? 2 : 1); /* is_cut remembers */
	j->out->is_cut |= doubled.is_cut;
	json_text(j, key, buf_span(&doubled));
}

static void put_bind(struct json *j, const char *path, bool is_writable, enum compose_kind kind)
{
	json_open(j, NULL, '{');
	json_str(j, "type", "bind");
	put_value(j, "source", path);
	put_value(j, "target", path);
	if (!is_writable)
		json_bool(j, "read_only", true);
	if (kind == COMPOSE_V2) {
		/* a source that is gone is an error, not a folder made by root; v1 does so by itself */
		json_open(j, "bind", '{');
		json_bool(j, "create_host_path", false);
		json_close(j, '}');
	}
	json_close(j, '}');
}

/* What the host's variables say of programs and proxies is not true in a container. */
static bool is_passed(const char *var)
{
	static const char *const not_passed[] = {"PATH",	"PWD",	      "SHELL",	     "NVM_DIR",	   "CARGO_HOME",
						 "RUSTUP_HOME", "PYENV_ROOT", "BUN_INSTALL", "JAVA_HOME",  "VIRTUAL_ENV",
						 "HTTP_PROXY",	"HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY",
						 "all_proxy",	"NO_PROXY",   "no_proxy",    "NODE_USE_ENV_PROXY"};
	size_t n = strcspn(var, "=");
	for (size_t i = 0; i < sizeof(not_passed) / sizeof(not_passed[0]); i++)
		if (strlen(not_passed[i]) == n && !strncmp(var, not_passed[i], n))
			return false;
	return true;
}

static void put_environment(struct json *j, const struct engine_request *r)
{
	json_open(j, "environment", '{');
	for (char *const *v = r->envp; *v; v++) {
		char name[256];
		size_t n = strcspn(*v, "=");
		if (!is_passed(*v) || n >= sizeof(name))
			continue;
		(void)snprintf(name, sizeof(name), "%.*s", (int)n, *v);
		put_value(j, name, *v + n + 1);
	}
	json_close(j, '}');
}

static void put_limits(struct json *j, const struct engine_request *r)
{
	char text[32];
	if (r->memory_bytes) {
		(void)snprintf(text, sizeof(text), "%llub", (unsigned long long)r->memory_bytes);
		json_str(j, "mem_limit", text);
	}
	if (r->max_pids)
		json_u64(j, "pids_limit", r->max_pids);
	if (r->cpu_percent) {
		(void)snprintf(text, sizeof(text), "%u.%02u", r->cpu_percent / 100, r->cpu_percent % 100);
		json_str(j, "cpus", text);
	}
}

/* The home is empty but for what is mounted below it, and gone with the session. */
static void put_home(struct json *j, const struct docker_file *f)
{
	char text[PATH_MAX + 80];
	unsigned uid = 0, gid = 0;
	(void)sscanf(f->user, "%u:%u", &uid, &gid);
	(void)snprintf(text, sizeof(text), "%s:exec,uid=%u,gid=%u,mode=0700", f->request->home, uid, gid);
	json_open(j, "tmpfs", '[');
	put_value(j, NULL, text);
	json_close(j, ']');
}

static void put_sidecar(struct json *j, const struct docker_file *f)
{
	static const char *const targets[] = {"/etc/drydock/session/policy", "/var/lib/drydock", "/sock"};
	json_open(j, "drydock-egress", '{');
	json_open(j, "volumes", '[');
	for (size_t i = 0; f->bound[i]; i++) {
		json_open(j, NULL, '{');
		json_str(j, "type", "bind");
		put_value(j, "source", f->bound[i]);
		json_str(j, "target", targets[i]);
		if (i == 0)
			json_bool(j, "read_only", true);
		json_open(j, "bind", '{');
		json_bool(j, "create_host_path", false);
		json_close(j, '}');
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

static void put_agent(struct json *j, const struct docker_file *f)
{
	const struct engine_request *r = f->request;
	json_open(j, "drydock", '{');
	json_open(j, "command", '[');
	for (char *const *word = r->argv; *word; word++)
		put_value(j, NULL, *word);
	json_close(j, ']');
	json_bool(j, "tty", f->input == DOCKER_STDIN_TTY);
	json_bool(j, "stdin_open", f->input != DOCKER_STDIN_NONE);
	put_environment(j, r);
	json_open(j, "volumes", '[');
	for (size_t i = 0; i < f->mounts->n; i++)
		put_bind(j, f->mounts->items[i].path, f->mounts->items[i].is_writable, f->kind);
	json_close(j, ']');
	if (r->mode == ENGINE_CONTAIN)
		put_home(j, f);
	put_limits(j, r);
	json_close(j, '}');
}

int docker_file_put(const struct docker_file *f, struct buf *out, struct err *err)
{
	struct json j = {.out = out};
	if (strpbrk(f->request->home, ":,"))
		return err_set(err, 0, "HOME '%s' holds ':' or ',', which a mount of it cannot say", f->request->home);
	json_open(&j, NULL, '{');
	json_open(&j, "services", '{');
	put_agent(&j, f);
	if (f->kind == COMPOSE_V2 && f->bound)
		put_sidecar(&j, f);
	json_close(&j, '}');
	json_close(&j, '}');
	(void)buf_put(out, "\n", 1);
	return out->is_cut ? err_set(err, E2BIG, "writing the session's compose file") : 0;
}
