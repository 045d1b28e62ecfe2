/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/view.h"
#include "base/own.h"
#include "jail/gitdir.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_LINKS = 16 };

/* Folders of the home that hold programs, not secrets. */
static const char *const toolchains[] = {
	".nvm", ".cargo", ".rustup", ".bun", ".deno/bin", ".pyenv", ".rbenv", ".volta", ".fnm", ".asdf", ".sdkman",
	".goenv", "go/bin", ".npm-global", ".local/bin", ".local/share/mise", ".local/share/fnm",
	".local/share/uv", ".local/share/pnpm", ".local/share/claude", ".opencode/bin", ".local/lib",
};

/* What must not be read although it lies within. */
static const char *const credentials[] = {".cargo/credentials.toml", ".cargo/credentials",
					  ".local/share/uv/credentials"};

static int out_of_memory(struct err *err)
{
	return err_set(err, ENOMEM, "collecting what the jail shows");
}

static char *keep(char ***list, size_t *n, const char *text)
{
	char **grown = reallocarray(*list, *n + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	*list = grown;
	char *copy = strdup(text);
	if (copy)
		grown[(*n)++] = copy;
	return copy;
}

static int add_mount(struct view *view, const char *path, bool is_writable, struct err *err)
{
	for (size_t i = 0; i < view->n_mounts; i++)
		if (!strcmp(view->mounts[i].inside, path))
			return 0;
	struct jail_mount *grown = reallocarray(view->mounts, view->n_mounts + 1, sizeof(*grown));
	char *copy = grown ? keep(&view->strings, &view->n_strings, path) : NULL;
	if (grown)
		view->mounts = grown;
	if (!copy)
		return out_of_memory(err);
	grown[view->n_mounts++] = (struct jail_mount){
		.host = copy, .inside = copy, .is_writable = is_writable, .is_optional = true};
	return 0;
}

static bool is_within(const char *path, const char *parent)
{
	size_t n = strlen(parent);
	return !strncmp(path, parent, n) && (path[n] == '/' || path[n] == '\0');
}

/* Shown already: system folders, the project, an earlier mount. */
static bool is_shown(const struct view *view, const char *project, const char *path)
{
	static const char *const system_dirs[] = {"/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/opt",
						  "/nix", "/gnu"};
	for (size_t i = 0; i < sizeof(system_dirs) / sizeof(system_dirs[0]); i++)
		if (is_within(path, system_dirs[i]))
			return true;
	for (size_t i = 0; i < view->n_mounts; i++)
		if (is_within(path, view->mounts[i].inside))
			return true;
	return project && is_within(path, project);
}

static bool join(char out[PATH_MAX], const char *a, const char *b)
{
	return snprintf(out, PATH_MAX, "%s/%s", a, b) < PATH_MAX;
}

char *view_project(const char *cwd, struct err *err)
{
	AUTO(mem) char *real = realpath(cwd, NULL);
	if (!real) {
		err_set(err, errno, "finding the folder '%s'", cwd);
		return NULL;
	}
	char top[PATH_MAX], probe[PATH_MAX];
	if (snprintf(top, sizeof(top), "%s", real) >= (int)sizeof(top))
		return TAKE(real);
	for (char *slash = top + strlen(top); slash > top; slash = strrchr(top, '/')) {
		*slash = '\0';
		struct stat st;
		if (top[0] && join(probe, top, ".git") && lstat(probe, &st) == 0 &&
		    (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode))) {
			char *found = strdup(top);
			if (!found)
				(void)out_of_memory(err);
			return found;
		}
	}
	return TAKE(real);
}

char *view_host(const char *home, const char *path)
{
	struct stat st;
	size_t n = strlen(home);
	bool is_in_home = is_within(path, home) && path[n] == '/' && !strchr(path + n + 1, '/');
	bool is_link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
	char *real = is_in_home && is_link ? realpath(path, NULL) : NULL;
	return real ? real : strdup(path);
}

/* A toolchain that a link in the home leads to is shown where programs look for it. */
static int add_toolchain(struct view *view, const char *home, const char *path, struct err *err)
{
	int rc = add_mount(view, path, false, err);
	AUTO(mem) char *host = rc < 0 ? NULL : view_host(home, path);
	if (rc < 0 || !host)
		return rc < 0 ? rc : out_of_memory(err);
	char *kept = strcmp(host, path) != 0 ? keep(&view->strings, &view->n_strings, host) : NULL;
	if (strcmp(host, path) != 0 && !kept)
		return out_of_memory(err);
	if (kept && !is_within(home, kept)) /* a link to the home itself shows nothing */
		view->mounts[view->n_mounts - 1].host = kept;
	return 0;
}

static int add_toolchains(struct view *view, const char *home, struct err *err)
{
	char path[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < sizeof(toolchains) / sizeof(toolchains[0]); i++) {
		if (!join(path, home, toolchains[i]) || stat(path, &st) < 0)
			continue;
		int rc = add_toolchain(view, home, path, err);
		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < sizeof(credentials) / sizeof(credentials[0]); i++)
		if (join(path, home, credentials[i]) && lstat(path, &st) == 0 &&
		    !keep(&view->masks, &view->n_masks, path))
			return out_of_memory(err);
	return 0;
}

static bool find_command(const char *command, const char *path, char out[PATH_MAX])
{
	struct stat st;
	if (strchr(command, '/'))
		return snprintf(out, PATH_MAX, "%s", command) < PATH_MAX && access(out, X_OK) == 0 &&
		       stat(out, &st) == 0 && S_ISREG(st.st_mode);
	for (const char *p = path ? path : ""; *p;) {
		size_t n = strcspn(p, ":");
		if (n > 0 && snprintf(out, PATH_MAX, "%.*s/%s", (int)n, p, command) < PATH_MAX &&
		    access(out, X_OK) == 0 && stat(out, &st) == 0 && S_ISREG(st.st_mode))
			return true;
		p += n + (p[n] == ':');
	}
	return false;
}

static bool is_installation(const char *prefix)
{
	static const char *const parts[] = {"lib", "lib64", "libexec", "share"};
	char path[PATH_MAX];
	struct stat st;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (join(path, prefix, parts[i]) && stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
		    join(path, prefix, ".git") && lstat(path, &st) < 0)
			return true;
	return false;
}

/* The folder to show for a program file: its node_modules tree, its package, or the file alone. */
static void package_of(const char *file, const char *home, char out[PATH_MAX])
{
	(void)snprintf(out, PATH_MAX, "%s", file); /* paths given are shorter than PATH_MAX */
	char *modules = strstr(out, "/node_modules/");
	if (modules) {
		/* Packages find their dependencies beside them: the whole tree, which holds installed programs only. */
		modules[strlen("/node_modules")] = '\0';
		return;
	}
	char bin[PATH_MAX];
	(void)snprintf(bin, sizeof(bin), "%s", file);
	char *last = strrchr(bin, '/');
	if (!last)
		return;
	*last = '\0';
	char *folder = strrchr(bin, '/');
	/* PREFIX/bin/program with PREFIX/lib or so beside it: an installation. A bin folder alone may be anything. */
	if (folder && !strcmp(folder, "/bin")) {
		*folder = '\0';
		if (!is_within(home, bin) && strlen(bin) > 1 && !strstr(bin, "/.local") && is_installation(bin))
			(void)snprintf(out, PATH_MAX, "%s", bin);
	}
}

/* True when the name itself is in the project, however its folder was written; so too when that cannot be told. */
static bool lies_in(const char *path, const char *project)
{
	char folder[PATH_MAX];
	const char *last = strrchr(path, '/');
	if (!project)
		return false;
	(void)snprintf(folder, sizeof(folder), "%.*s/", (int)(last - path), path); /* shorter */
	AUTO(mem) char *real = realpath(folder, NULL);
	return !real || is_within(path, project) || is_within(real, project);
}

/* Every link of the chain is shown at its own path, and what it ends at with its package. */
static int add_command(struct view *view, const char *home, const char *project, const char *command,
		       const char *path, struct err *err)
{
	char at[PATH_MAX], package[PATH_MAX];
	if (!find_command(command, path, at) || at[0] != '/')
		return 0;
	for (int i = 0; i < MAX_LINKS; i++) {
		char target[PATH_MAX], next[PATH_MAX];
		ssize_t n = readlink(at, target, sizeof(target) - 1);
		if (n < 0)
			break;
		target[n] = '\0';
		if (lies_in(at, project))
			return 0; /* what the command can write does not decide what else is shown */
		char *last = strrchr(at, '/');
		/* The link alone becomes a link again; what else lies in its folder stays hidden. */
		int rc = is_shown(view, project, at) ? 0 : add_mount(view, at, false, err);
		if (rc < 0)
			return rc;
		int used = target[0] == '/' ? snprintf(next, sizeof(next), "%s", target)
					    : snprintf(next, sizeof(next), "%.*s/%s", (int)(last - at), at, target);
		if (used >= (int)sizeof(next))
			return 0;
		(void)snprintf(at, sizeof(at), "%s", next); /* same size */
	}
	AUTO(mem) char *real = lies_in(at, project) ? NULL : realpath(at, NULL);
	if (!real || is_shown(view, project, real))
		return 0;
	package_of(real, home, package);
	return is_within(home, package) ? 0 : add_mount(view, package, false, err);
}

/* An entry of @base, absolute, or relative to the project when @base is "". */
struct adding {
	struct view *view;
	const char *base;
};

static int add_protected(const char *entry, void *arg, struct err *err)
{
	const struct adding *a = arg;
	char path[PATH_MAX];
	if (!join(path, a->base, entry))
		return 0; /* longer than any path the kernel would open */
	return keep(&a->view->protected, &a->view->n_protected, path) ? 0 : out_of_memory(err);
}

/* What of the project's repository, and of the one it is a worktree of, would run on the host later. */
static int add_git(struct view *view, const char *project, struct err *err)
{
	static const char *const own[] = {"hooks", "config", "config.worktree"};
	char path[PATH_MAX];
	struct stat st;
	if (!join(path, project, ".git") || lstat(path, &st) < 0)
		return 0;
	if (S_ISDIR(st.st_mode)) {
		struct adding a = {view, ".git"};
		return gitdir_each(path, add_protected, &a, err);
	}
	if (!keep(&view->protected, &view->n_protected, ".git"))
		return out_of_memory(err);
	char common[PATH_MAX];
	if (!gitdir_common(project, common))
		return 0;
	struct adding a = {view, common};
	int rc = is_shown(view, project, common) ? 0 : add_mount(view, common, true, err);
	for (size_t i = 0; rc == 0 && i < 3; i++)
		rc = add_protected(own[i], &a, err);
	return rc < 0 ? rc : gitdir_each(common, add_protected, &a, err);
}

int view_collect(const char *home, const char *project, const char *command, const char *path,
		 struct view *out, struct err *err)
{
	struct view view = {0};
	int rc = add_toolchains(&view, home, err);
	if (rc == 0)
		rc = add_command(&view, home, project, command, path, err);
	if (rc == 0 && project)
		rc = add_git(&view, project, err);
	if (rc < 0)
		view_drop(&view);
	else
		*out = view;
	return rc;
}

static void drop_list(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void view_drop(struct view *view)
{
	drop_list(view->masks, view->n_masks);
	drop_list(view->protected, view->n_protected);
	drop_list(view->strings, view->n_strings);
	free(view->mounts);
	*view = (struct view){0};
}
