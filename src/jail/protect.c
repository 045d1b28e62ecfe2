/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/protect.h"
#include "base/fs.h"
#include "base/own.h"
#include "jail/gitdir.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_TIMES = 99 }; /* one entry moved out of one project under a number; then under random names */

/* What in the common git folder of a worktree leads git elsewhere; relative to that folder. */
const char *const protect_in_common[] = {"hooks", "config", "config.worktree", "commondir", NULL};
static_assert(sizeof(protect_in_common) / sizeof(protect_in_common[0]) - 1 == PROTECT_COMMON_ENTRIES, "each has its own flag");

/* struct spot - a name in a folder that has to go so that an entry is there no more */
struct spot {
	int dir;
	char name[NAME_MAX + 1];
	size_t n_entry; /* of the entry's bytes, how many lead to it: all, or up to a symbolic link on the way */
};

/* struct loan - a folder's mode as the command set it, while the owner's rights are lent to it; mode 0 may be one */
struct loan {
	bool is_lent;
	mode_t was;
};

/* The owner may always give himself a right back: what the command took away must not hide an entry. */
static struct loan lend(int fd)
{
	char path[32];
	struct stat st;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode) || (st.st_mode & 0700) == 0700 ||
	    chmod(path, (st.st_mode & 07777) | 0700) < 0)
		return (struct loan){0};
	return (struct loan){true, st.st_mode & 07777};
}

static void give_back(int fd, struct loan loan)
{
	char path[32];
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (loan.is_lent)
		(void)chmod(path, loan.was); /* the entry is gone, which is what mattered */
}

static bool look(int dir, const char *name, bool may_lend, struct stat *out)
{
	if (fstatat(dir, name, out, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	if (errno != EACCES || !may_lend)
		return false;
	struct loan loan = lend(dir);
	bool is_seen = fstatat(dir, name, out, AT_SYMLINK_NOFOLLOW) == 0;
	give_back(dir, loan);
	return is_seen;
}

/*
 * Walks to @entry of @root, a name at a time and through no symbolic link: one that stands on the way is itself what
 * has to go, since programs of the host would follow it. A .git that is a folder is the project's own; one that is a
 * file or a link leads git elsewhere. Ends at once where nothing is. out->dir is the caller's.
 */
static bool find(const char *root, const char *entry, bool may_lend, struct spot *out)
{
	AUTO(fd) int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (const char *p = entry; dir >= 0;) {
		struct spot spot = {.n_entry = (size_t)(p - entry) + strcspn(p, "/")};
		struct stat st;
		bool is_last = entry[spot.n_entry] == '\0';
		(void)snprintf(spot.name, sizeof(spot.name), "%.*s", (int)strcspn(p, "/"), p); /* entries are short */
		if (!look(dir, spot.name, may_lend, &st) || (is_last && !strcmp(entry, ".git") && S_ISDIR(st.st_mode)))
			return false;
		if (is_last || S_ISLNK(st.st_mode)) {
			*out = spot;
			out->dir = fd_take(&dir);
			return true;
		}
		struct loan loan = may_lend ? lend(dir) : (struct loan){0};
		int next = openat(dir, spot.name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		give_back(dir, loan);
		fd_drop(&dir);
		dir = next;
		p = entry + spot.n_entry + 1;
	}
	return false;
}

/* @out_file: which one, when it is asked for; 0 when that cannot be told */
static bool exists(const char *root, const char *entry, ino_t *out_file)
{
	struct spot spot;
	struct stat st;
	if (!find(root, entry, false, &spot))
		return false;
	if (out_file)
		*out_file = fstatat(spot.dir, spot.name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
	fd_drop(&spot.dir);
	return true;
}

/* The folder of an entry below the project, no symbolic link on the way; -1 when it is not there. */
static int open_folder(const char *project, const char *entry)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(entry, '/');
	(void)snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - entry) : 1,
		       slash ? entry : "."); /* entries are short */
	AUTO(fd) int root = open(project, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	return root < 0 ? -1 : (int)syscall(SYS_openat2, root, folder, &how, sizeof(how));
}

void protect_begin(const char *project, struct protect *out)
{
	*out = (struct protect){.project = project};
	for (size_t i = 0; project && i < PROTECT_MAX_ENTRIES && plan_protected[i]; i++)
		out->was_missing[i] = !exists(project, plan_protected[i], &out->files[i]);
	if (!project || !gitdir_common(project, out->common))
		out->common[0] = '\0';
	for (size_t i = 0; out->common[0] && protect_in_common[i]; i++)
		out->was_missing_in_common[i] = !exists(out->common, protect_in_common[i], NULL);
}

/* Only what stands at a path that plan_protected names is of interest; other names come and go all the time. */
static bool is_named(const char *name)
{
	for (size_t i = 0; protect_in_common[i]; i++)
		if (!strcmp(name, protect_in_common[i]))
			return true;
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

static void add_watches(struct protect *p, int fd)
{
	for (size_t i = 0; i < PROTECT_MAX_ENTRIES && plan_protected[i]; i++) {
		AUTO(fd) int dir = open_folder(p->project, plan_protected[i]);
		char path[32];
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
		/* a second watch on the same folder is the first */
		p->folder[i] = dir < 0 ? 0 : inotify_add_watch(fd, path, PROTECT_EVENTS);
	}
	(void)inotify_add_watch(fd, p->project, PROTECT_EVENTS);
	p->common_folder = p->common[0] ? inotify_add_watch(fd, p->common, PROTECT_EVENTS) : 0;
}

int protect_watch(struct protect *p)
{
	int fd = p->project ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : -1;
	if (fd >= 0)
		add_watches(p, fd);
	return fd;
}

static bool is_last_name(const char *entry, const char *name)
{
	const char *slash = strrchr(entry, '/');
	return !strcmp(slash ? slash + 1 : entry, name);
}

static void take_away(struct protect *p, int folder, const char *name)
{
	for (size_t i = 0; i < PROTECT_MAX_ENTRIES && plan_protected[i]; i++)
		if (p->folder[i] == folder && is_last_name(plan_protected[i], name))
			p->was_missing[i] = true;
	for (size_t i = 0; p->common_folder == folder && protect_in_common[i]; i++)
		if (!strcmp(protect_in_common[i], name))
			p->was_missing_in_common[i] = true;
}

bool protect_drain(struct protect *p, int watch_fd)
{
	_Alignas(struct inotify_event) char events[4096];
	bool is_due = false;
	ssize_t n;

	while ((n = read(watch_fd, events, sizeof(events))) > 0) {
		for (char *at = events; at < events + n;) {
			struct inotify_event e;
			memcpy(&e, at, sizeof(e));
			is_due |= (e.mask & (IN_Q_OVERFLOW | IN_MODIFY)) || (e.len && is_named(at + sizeof(e)));
			if (e.len && e.mask & (IN_DELETE | IN_MOVED_FROM))
				take_away(p, e.wd, at + sizeof(e));
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

/* A free path in @session_dir/moved: the entry's, then with a number, then one that cannot be taken before. */
static int choose_place(const char *entry, const char *session_dir, uint64_t random, char to[PATH_MAX], struct err *err)
{
	char name[NAME_MAX + 1];
	struct stat st;
	int rc = snprintf(to, PATH_MAX, "%s/moved", session_dir) < PATH_MAX ? fs_make_dirs(to, 0700, err)
									    : err_set(err, ENAMETOOLONG, "'%s'", entry);
	if (rc < 0)
		return rc;
	(void)snprintf(name, sizeof(name), "%.*s", NAME_MAX, entry); /* entries are short */
	for (char *c = name; *c; c++)
		*c = *c == '/' ? '+' : *c;
	int n = snprintf(to, PATH_MAX, "%s/moved/%s", session_dir, name);
	for (int again = 2; n < PATH_MAX && again <= MAX_TIMES && lstat(to, &st) == 0; again++)
		n = snprintf(to, PATH_MAX, "%s/moved/%s.%d", session_dir, name, again);
	if (n < PATH_MAX && lstat(to, &st) == 0)
		n = snprintf(to, PATH_MAX, "%s/moved/%s.%016" PRIx64, session_dir, name, random);
	return n < PATH_MAX ? 0 : err_set(err, ENAMETOOLONG, "moving '%s' out of the project", entry);
}

/* Another file system: disarm it where it stands, under a name that nothing looks for and nobody could take before. */
static int put_aside(const char *root, const char *entry, const struct spot *spot, uint64_t random, char to[PATH_MAX])
{
	char aside[NAME_MAX + 1];
	if (snprintf(aside, sizeof(aside), "%s.drydock-moved.%016" PRIx64, spot->name, random) >= (int)sizeof(aside) ||
	    snprintf(to, PATH_MAX, "%s/%.*s%s", root, (int)(strlen(entry) - strlen(spot->name)), entry, aside) >=
		    PATH_MAX)
		return -ENAMETOOLONG;
	return renameat(spot->dir, spot->name, spot->dir, aside) < 0 ? -errno : 0;
}

static int move_out(const char *root, const char *entry, const struct spot *spot, const char *session_dir,
		    char to[PATH_MAX], struct err *err)
{
	uint64_t random;
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_set(err, errno, "moving '%s' out of the project", entry);
	int rc = choose_place(entry, session_dir, random, to, err);
	if (rc < 0)
		return rc;
	/* A folder that changes its parent must be writable itself, and so must the one that holds it. */
	struct loan loan = lend(spot->dir);
	AUTO(fd) int self = openat(spot->dir, spot->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct loan self_loan = lend(self);
	rc = renameat(spot->dir, spot->name, AT_FDCWD, to) < 0 ? -errno : 0;
	if (rc == -EXDEV)
		rc = put_aside(root, entry, spot, random, to);
	give_back(self, self_loan);
	give_back(spot->dir, loan);
	return rc < 0 ? err_set(err, -rc, "moving '%s' out of the project", entry) : 0;
}

struct ending {
	const char *session_dir;
	protect_moved *moved;
	void *arg;
	int n_moved, failed;
};

static bool is_agreed(const struct protect *p, const char *entry)
{
	return p->is_agreed && p->is_agreed(entry, p->arg);
}

static void end_entry(const char *root, const char *entry, struct ending *e, struct err *err)
{
	struct spot spot;
	char to[PATH_MAX], what[PATH_MAX];
	if (!find(root, entry, true, &spot))
		return;
	(void)snprintf(what, sizeof(what), "%.*s", (int)spot.n_entry, entry); /* entries are short */
	int rc = move_out(root, what, &spot, e->session_dir, to, err);
	fd_drop(&spot.dir);
	if (rc < 0) {
		e->failed = rc;
		return;
	}
	e->moved(what, to, e->arg);
	e->n_moved++;
}

int protect_end(const struct protect *p, const char *session_dir, protect_moved *moved, void *arg,
		struct err *err)
{
	struct ending e = {.session_dir = session_dir, .moved = moved, .arg = arg};

	for (size_t i = 0; p->project && i < PROTECT_MAX_ENTRIES && plan_protected[i]; i++)
		if (p->was_missing[i] && !is_agreed(p, plan_protected[i]))
			end_entry(p->project, plan_protected[i], &e, err);
	for (size_t i = 0; p->project && p->common[0] && protect_in_common[i]; i++)
		if (p->was_missing_in_common[i])
			end_entry(p->common, protect_in_common[i], &e, err);
	return e.failed ? e.failed : e.n_moved;
}

void protect_each_replaced(const struct protect *p, protect_replaced *replaced, void *arg)
{
	for (size_t i = 0; p->project && i < PROTECT_MAX_ENTRIES && plan_protected[i]; i++) {
		ino_t file;
		if (p->files[i] && !p->was_missing[i] && exists(p->project, plan_protected[i], &file) && file != p->files[i] &&
		    !is_agreed(p, plan_protected[i]))
			replaced(plan_protected[i], arg);
	}
}
