/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/gitdir.h"
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 8, MAX_FOLDERS = 512 };

/* The one line of a small file, without its line feed. */
static bool read_line(const char *path, char out[PATH_MAX])
{
	struct buf text = {.max = PATH_MAX - 1};
	struct stat st;
	bool is_read = lstat(path, &st) == 0 && S_ISREG(st.st_mode) && fs_read(path, &text, NULL) == 0;
	if (is_read) {
		memcpy(out, text.p ? text.p : (const uint8_t *)"", text.n);
		out[text.n] = '\0';
		out[strcspn(out, "\n")] = '\0';
	}
	buf_drop(&text);
	return is_read && out[0];
}

static bool join(char out[PATH_MAX], const char *a, const char *b)
{
	return snprintf(out, PATH_MAX, "%s/%s", a, b) < PATH_MAX;
}

static bool has(const char *folder, const char *name, mode_t type)
{
	char path[PATH_MAX];
	struct stat st;
	return join(path, folder, name) && lstat(path, &st) == 0 && (st.st_mode & S_IFMT) == type;
}

bool gitdir_common(const char *project, char out[PATH_MAX])
{
	static const char start[] = "gitdir: ";
	char path[PATH_MAX], line[PATH_MAX], back[PATH_MAX];

	if (!join(path, project, ".git") || !read_line(path, line) ||
	    strncmp(line, start, sizeof(start) - 1) != 0)
		return false;
	AUTO(mem) char *own = realpath(line + sizeof(start) - 1, NULL);
	if (!own || line[sizeof(start) - 1] != '/')
		return false;
	/* own is COMMON/worktrees/NAME, and its gitdir names our .git again. */
	AUTO(mem) char *git = realpath(path, NULL);
	if (!git || !join(path, own, "gitdir") || !read_line(path, back))
		return false;
	AUTO(mem) char *named = realpath(back, NULL);
	if (!named || strcmp(named, git) != 0)
		return false;
	char *name = strrchr(own, '/');
	*name = '\0';
	char *worktrees = strrchr(own, '/');
	if (!worktrees || worktrees == own || strcmp(worktrees, "/worktrees") != 0)
		return false;
	*worktrees = '\0';
	if (!has(own, "HEAD", S_IFREG) || !has(own, "objects", S_IFDIR) || !has(own, "refs", S_IFDIR))
		return false;
	return snprintf(out, PATH_MAX, "%s", own) < PATH_MAX;
}

struct walk {
	const char *gitdir;
	gitdir_seen *seen;
	void *arg;
	int left;
};

static int see(const struct walk *w, const char *folder, const char *name, struct err *err)
{
	char entry[PATH_MAX];
	return join(entry, folder, name) ? w->seen(entry, w->arg, err) : 0;
}

static int see_all(const struct walk *w, const char *folder, const char *const *names, struct err *err)
{
	int rc = 0;
	for (; rc >= 0 && *names; names++)
		rc = see(w, folder, *names, err);
	return rc;
}

static int count(struct walk *w, const char *folder, struct err *err)
{
	if (w->left-- > 0)
		return 0;
	return err_set(err, E2BIG, "'%s/%s' holds more repositories than can be protected", w->gitdir, folder);
}

static int each_worktree(struct walk *w, struct err *err)
{
	static const char *const names[] = {"commondir", "gitdir", "config.worktree", NULL};
	char path[PATH_MAX], folder[PATH_MAX];
	AUTO(dir) DIR *dir = join(path, w->gitdir, "worktrees") ? opendir(path) : NULL;
	struct dirent *e;
	int rc = 0;

	while (rc >= 0 && dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.' || !join(folder, "worktrees", e->d_name))
			continue;
		rc = count(w, folder, err);
		if (rc >= 0)
			rc = see_all(w, folder, names, err);
	}
	return rc;
}

/* A folder with a HEAD is a repository; its modules, and any other folder, may hold more. */
static int each_module(struct walk *w, const char *folder, int depth, struct err *err)
{
	static const char *const names[] = {"hooks", "config", "config.worktree", "commondir", NULL};
	char path[PATH_MAX], below[PATH_MAX];

	if (depth > MAX_DEPTH || !join(path, w->gitdir, folder))
		return err_set(err, E2BIG, "'%s/%s' is nested too deep to protect", w->gitdir, folder);
	bool is_repository = has(path, "HEAD", S_IFREG);
	int rc = is_repository ? count(w, folder, err) : 0;
	if (rc >= 0 && is_repository)
		rc = see_all(w, folder, names, err);
	if (rc >= 0 && is_repository)
		return has(path, "modules", S_IFDIR) && join(below, folder, "modules")
			       ? each_module(w, below, depth + 1, err)
			       : 0;
	AUTO(dir) DIR *dir = opendir(path);
	struct dirent *e;
	while (rc >= 0 && dir && (e = readdir(dir)))
		if (e->d_name[0] != '.' && has(path, e->d_name, S_IFDIR) && join(below, folder, e->d_name))
			rc = each_module(w, below, depth + 1, err);
	return rc;
}

int gitdir_each(const char *gitdir, gitdir_seen *seen, void *arg, struct err *err)
{
	struct walk w = {.gitdir = gitdir, .seen = seen, .arg = arg, .left = MAX_FOLDERS};
	int rc = each_worktree(&w, err);

	if (rc >= 0 && has(gitdir, "modules", S_IFDIR))
		rc = each_module(&w, "modules", 0, err);
	return rc < 0 ? rc : 0;
}
