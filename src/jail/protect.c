/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/protect.h"
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_TIMES = 99 }; /* one entry moved out of one project */

/* The folder of an entry below the project, no symbolic link on the way; -1 when it is not there. */
static int open_folder(const char *project, const char *entry, const char **out_last)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(entry, '/');
	*out_last = slash ? slash + 1 : entry;
	(void)snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - entry) : 1,
		       slash ? entry : "."); /* entries are short */
	AUTO(fd) int root = open(project, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	return root < 0 ? -1 : (int)syscall(SYS_openat2, root, folder, &how, sizeof(how));
}

/* A .git that is a folder is the project's own; one that is a file or a link leads git elsewhere. */
static int exists(const char *project, const char *entry)
{
	const char *last;
	struct stat st;
	AUTO(fd) int dir = open_folder(project, entry, &last);
	if (dir < 0 || fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return strcmp(entry, ".git") != 0 || !S_ISDIR(st.st_mode);
}

void protect_begin(const char *project, struct protect *out)
{
	*out = (struct protect){.project = project};
	for (size_t i = 0; project && i < PROTECT_MAX_ENTRIES && plan_protected[i]; i++)
		out->was_missing[i] = !exists(project, plan_protected[i]);
}

/* Only what stands at a path that plan_protected names is of interest; other names come and go all the time. */
static bool is_named(const char *name)
{
	for (size_t i = 0; plan_protected[i]; i++) {
		const char *p = plan_protected[i];
		for (size_t n; *p; p += n + (p[n] == '/')) {
			n = strcspn(p, "/");
			if (strlen(name) == n && !strncmp(name, p, n))
				return true;
		}
	}
	return false;
}

static void add_watches(const struct protect *p, int fd)
{
	const char *last;

	for (size_t i = 0; i < PROTECT_MAX_ENTRIES && plan_protected[i]; i++) {
		AUTO(fd) int dir = p->was_missing[i] ? open_folder(p->project, plan_protected[i], &last) : -1;
		char path[32];
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
		if (dir >= 0) /* a second watch on the same folder is the first */
			(void)inotify_add_watch(fd, path, IN_CREATE | IN_MOVED_TO);
	}
	(void)inotify_add_watch(fd, p->project, IN_CREATE | IN_MOVED_TO);
}

int protect_watch(const struct protect *p)
{
	int fd = p->project ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : -1;
	if (fd >= 0)
		add_watches(p, fd);
	return fd;
}

bool protect_drain(const struct protect *p, int watch_fd)
{
	_Alignas(struct inotify_event) char events[4096];
	bool is_due = false;
	ssize_t n;

	while ((n = read(watch_fd, events, sizeof(events))) > 0) {
		for (char *at = events; at < events + n;) {
			struct inotify_event e;
			memcpy(&e, at, sizeof(e));
			is_due |= (e.mask & IN_Q_OVERFLOW) || (e.len && is_named(at + sizeof(e)));
			at += sizeof(e) + e.len;
		}
	}
	if (is_due)
		add_watches(p, watch_fd);
	return is_due;
}

void protect_unwatch(int watch_fd)
{
	/* numbered from 1 (inotify(7)); those of folders that came and went count on, and are left to close() */
	for (int i = 1; watch_fd >= 0 && i <= PROTECT_MAX_ENTRIES; i++)
		(void)inotify_rm_watch(watch_fd, i);
}

static int move_out(const char *project, const char *entry, const char *session_dir, char to[PATH_MAX],
		    struct err *err)
{
	char folder[PATH_MAX];
	const char *last;
	if (snprintf(folder, sizeof(folder), "%s/moved", session_dir) >= (int)sizeof(folder) ||
	    snprintf(to, PATH_MAX, "%s/", folder) >= PATH_MAX)
		return err_set(err, ENAMETOOLONG, "moving '%s' out of the project", entry);
	int rc = fs_make_dirs(folder, 0700, err);
	if (rc < 0)
		return rc;
	size_t n = strlen(to);
	if (n + strlen(entry) >= PATH_MAX)
		return err_set(err, ENAMETOOLONG, "moving '%s' out of the project", entry);
	for (size_t i = 0; i <= strlen(entry); i++)
		to[n + i] = entry[i] == '/' ? '+' : entry[i];
	struct stat st;
	n = strlen(to);
	for (int again = 2; lstat(to, &st) == 0; again++)
		if (again > MAX_TIMES || n + 8 > PATH_MAX || snprintf(to + n, PATH_MAX - n, ".%d", again) < 0)
			return err_set(err, EEXIST, "moving '%s' out of the project once more", entry);
	AUTO(fd) int dir = open_folder(project, entry, &last);
	if (dir < 0)
		return err_set(err, errno, "opening the folder of '%s'", entry);
	if (renameat(dir, last, AT_FDCWD, to) == 0)
		return 0;
	/* Another file system: disarm it where it stands, under a name that nothing looks for. */
	if (errno == EXDEV) {
		char aside[NAME_MAX];
		(void)snprintf(aside, sizeof(aside), "%s.drydock-moved", last); /* entries are short */
		(void)snprintf(to, PATH_MAX, "%s/%.*s%s", project, (int)(last - entry), entry, aside);
		if (renameat(dir, last, dir, aside) == 0)
			return 0;
	}
	return err_set(err, errno, "moving '%s' out of the project", entry);
}

int protect_end(const struct protect *p, const char *session_dir, protect_moved *moved, void *arg,
		struct err *err)
{
	int n_moved = 0, failed = 0;

	for (size_t i = 0; p->project && i < PROTECT_MAX_ENTRIES && plan_protected[i]; i++) {
		char to[PATH_MAX];
		if (!p->was_missing[i] || !exists(p->project, plan_protected[i]))
			continue;
		int rc = move_out(p->project, plan_protected[i], session_dir, to, err);
		if (rc < 0) {
			failed = rc;
			continue;
		}
		moved(plan_protected[i], to, arg);
		n_moved++;
	}
	return failed ? failed : n_moved;
}
