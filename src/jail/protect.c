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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static int exists(const char *project, const char *entry)
{
	const char *last;
	struct stat st;
	AUTO(fd) int dir = open_folder(project, entry, &last);
	return dir >= 0 && fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

void protect_begin(const char *project, struct protect *out)
{
	*out = (struct protect){.project = project};
	for (size_t i = 0; project && plan_protected[i] && i < PROTECT_MAX_ENTRIES; i++)
		out->was_missing[i] = !exists(project, plan_protected[i]);
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

	for (size_t i = 0; p->project && plan_protected[i] && i < PROTECT_MAX_ENTRIES; i++) {
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
