/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/view.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_LINKS = 16, MAX_MODULES = 256 };

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
		if (!strcmp(view->mounts[i].host, path))
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
		if (is_within(path, view->mounts[i].host))
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

static int add_toolchains(struct view *view, const char *home, struct err *err)
{
	char path[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < sizeof(toolchains) / sizeof(toolchains[0]); i++) {
		if (!join(path, home, toolchains[i]) || stat(path, &st) < 0)
			continue;
		int rc = add_mount(view, path, false, err);
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
		return snprintf(out, PATH_MAX, "%s", command) < PATH_MAX && stat(out, &st) == 0;
	for (const char *p = path ? path : ""; *p;) {
		size_t n = strcspn(p, ":");
		if (n > 0 && snprintf(out, PATH_MAX, "%.*s/%s", (int)n, p, command) < PATH_MAX &&
		    access(out, X_OK) == 0 && stat(out, &st) == 0 && S_ISREG(st.st_mode))
			return true;
		p += n + (p[n] == ':');
	}
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
	/* PREFIX/bin/program, PREFIX being neither the home nor its parent: the prefix is the package. */
	if (folder && !strcmp(folder, "/bin")) {
		*folder = '\0';
		if (!is_within(home, bin) && strlen(bin) > 1 && !strstr(bin, "/.local"))
			(void)snprintf(out, PATH_MAX, "%s", bin);
	}
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
		char *last = strrchr(at, '/');
		if (!is_shown(view, project, at)) {
			/* A link cannot be mounted alone: its folder is shown. */
			(void)snprintf(next, sizeof(next), "%.*s", (int)(last - at), at); /* shorter */
			int rc = is_within(home, next) ? 0 : add_mount(view, next, false, err);
			if (rc < 0)
				return rc;
		}
		int used = target[0] == '/' ? snprintf(next, sizeof(next), "%s", target)
					    : snprintf(next, sizeof(next), "%.*s/%s", (int)(last - at), at, target);
		if (used >= (int)sizeof(next))
			return 0;
		(void)snprintf(at, sizeof(at), "%s", next); /* same size */
	}
	AUTO(mem) char *real = realpath(at, NULL);
	if (!real || is_shown(view, project, real))
		return 0;
	package_of(real, home, package);
	return is_within(home, package) ? 0 : add_mount(view, package, false, err);
}

/* ".git" as a file says "gitdir: PATH/.git/worktrees/NAME"; the common folder is two levels up. */
static int add_worktree(struct view *view, const char *project, struct err *err)
{
	char path[PATH_MAX];
	struct stat st;
	if (!join(path, project, ".git") || lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	struct buf text = {.max = PATH_MAX};
	int rc = fs_read(path, &text, err);
	static const char start[] = "gitdir: ";
	size_t n = sizeof(start) - 1;
	if (rc == 0 && text.n > n && !memcmp(text.p, start, n) && buf_put(&text, "", 1)) {
		char *dir = (char *)text.p + n;
		dir[strcspn(dir, "\n")] = '\0';
		char *mark = strstr(dir, "/worktrees/");
		if (dir[0] == '/' && mark && !strstr(dir, "/../")) {
			*mark = '\0';
			static const char *const inside[] = {"hooks", "config", "config.worktree"};
			rc = is_shown(view, project, dir) ? 0 : add_mount(view, dir, true, err);
			for (size_t i = 0; rc == 0 && i < 3; i++)
				if (join(path, dir, inside[i]) && lstat(path, &st) == 0)
					rc = add_mount(view, path, false, err);
		}
	}
	buf_drop(&text);
	if (rc == 0 && !keep(&view->protected, &view->n_protected, ".git"))
		rc = out_of_memory(err);
	return rc;
}

static int add_modules(struct view *view, const char *project, struct err *err)
{
	static const char *const entries[] = {"hooks", "config"};
	char path[PATH_MAX], entry[PATH_MAX];
	if (!join(path, project, ".git/modules"))
		return 0;
	AUTO(dir) DIR *dir = opendir(path);
	struct dirent *e;
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		if (view->n_protected >= MAX_MODULES)
			return err_set(err, E2BIG, "'%s' holds more submodules than can be protected", path);
		for (size_t i = 0; i < 2; i++) {
			(void)snprintf(entry, sizeof(entry), ".git/modules/%s/%s", e->d_name, entries[i]);
			if (!keep(&view->protected, &view->n_protected, entry))
				return out_of_memory(err);
		}
	}
	return 0;
}

int view_collect(const char *home, const char *project, const char *command, const char *path,
		 struct view *out, struct err *err)
{
	struct view view = {0};
	int rc = add_toolchains(&view, home, err);
	if (rc == 0)
		rc = add_command(&view, home, project, command, path, err);
	if (rc == 0 && project)
		rc = add_worktree(&view, project, err);
	if (rc == 0 && project)
		rc = add_modules(&view, project, err);
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
