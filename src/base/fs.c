/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { READ_STEP_BYTES = 16384, TREE_MAX_DEPTH = 32 };

int fs_read_fd(int fd, const char *name_for_errors, struct buf *out, struct err *err)
{
	for (;;) {
		size_t room_bytes = out->max - out->n;
		if (room_bytes > READ_STEP_BYTES)
			room_bytes = READ_STEP_BYTES;
		uint8_t probe;
		uint8_t *room = room_bytes ? buf_reserve(out, room_bytes) : &probe;
		if (!room)
			return err_set(err, ENOMEM, "reading '%s'", name_for_errors);
		ssize_t got = read(fd, room, room_bytes ? room_bytes : 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(err, errno, "reading '%s'", name_for_errors);
		if (got == 0)
			return 0;
		if (!room_bytes)
			return err_set(err, EFBIG, "reading '%s': more than %zu bytes",
				       name_for_errors, out->max);
		out->n += (size_t)got;
	}
}

int fs_read(const char *path, struct buf *out, struct err *err)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_set(err, errno, "opening '%s'", path);
	return fs_read_fd(fd, path, out, err);
}

int fs_write_all(int fd, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	while (n) {
		ssize_t put = write(fd, p, n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

int fs_replace(const char *path, struct span content, mode_t mode, struct err *err)
{
	char temp[PATH_MAX];
	if (snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >= (int)sizeof(temp))
		return err_set(err, ENAMETOOLONG, "writing '%s'", path);
	AUTO(fd) int fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "writing '%s'", temp);

	int rc = fs_write_all(fd, content.p, content.n);
	if (rc == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(temp, path) < 0))
		rc = -errno;
	if (rc < 0) {
		(void)unlink(temp); /* the failure itself is what the caller must hear of */
		return err_set(err, -rc, "writing '%s'", path);
	}
	return 0;
}

int fs_make_dirs(const char *path, mode_t mode, struct err *err)
{
	char part[PATH_MAX];
	size_t n = strlen(path);
	if (n == 0 || n >= sizeof(part))
		return err_set(err, n ? ENAMETOOLONG : ENOENT, "making folder '%s'", path);
	memcpy(part, path, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		char was = part[i];
		part[i] = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return err_set(err, errno, "making folder '%s'", part);
		part[i] = was;
	}
	struct stat st;
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(err, ENOTDIR, "making folder '%s'", path);
	return 0;
}

int fs_make_private_dir(const char *path, struct err *err)
{
	if (mkdir(path, 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return err_set(err, errno, "making folder '%s'", path);
	struct stat st;
	if (lstat(path, &st) < 0)
		return err_set(err, errno, "looking at '%s'", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077)) {
		err_set(err, EPERM, "'%s' is not a private folder of yours", path);
		(void)err_fix(err, "chmod 700 '%s', or remove it if you did not make it", path);
		return -EPERM; /* also when nobody reads @err */
	}
	return 0;
}

struct removal {
	size_t left;	/* entries that may still be removed */
	int top_fd;	/* the tree's first folder */
	bool has_lifted; /* something was moved there from further down */
};

/*
 * The folder @name, readable and writable by its owner. openat2(2) keeps to one mount, also where a bind mount
 * has the same device; and a descriptor, not a name, is given the mode, so that no symlink is followed.
 */
static int open_folder(int dir_fd, const char *name, int *out_fd)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
			       .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH};
	AUTO(fd) int found = (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
	struct stat st;
	if (found < 0 || fstat(found, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IRWXU) != S_IRWXU) {
		char path[40];
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", found); /* 25 bytes at most */
		(void)chmod(path, S_IRWXU); /* what it would have opened fails below, and is told there */
	}
	int fd = openat(found, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*out_fd = fd;
	return 0;
}

/* Moves a folder that lies too deep to the top of the tree, under a name that is free there. */
static int lift(struct removal *job, int dir_fd, const char *name)
{
	for (; job->left; job->left--) {
		char lifted[40];
		(void)snprintf(lifted, sizeof(lifted), "lifted-%zu", job->left); /* 28 bytes at most */
		if (renameat2(dir_fd, name, job->top_fd, lifted, RENAME_NOREPLACE) == 0) {
			job->has_lifted = true;
			return 0;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -E2BIG;
}

static int remove_content(struct removal *job, int folder_fd, int depth);

static int remove_entry(struct removal *job, int dir_fd, const char *name, int depth)
{
	if (job->left == 0)
		return -E2BIG;
	job->left--;
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	AUTO(fd) int fd = -1;
	int rc = open_folder(dir_fd, name, &fd);
	if (rc < 0)
		return rc;
	if (depth == TREE_MAX_DEPTH)
		return lift(job, dir_fd, name);
	if (depth == 0)
		job->top_fd = fd;
	do {
		if (depth == 0)
			job->has_lifted = false;
		rc = remove_content(job, fd, depth);
	} while (rc == 0 && depth == 0 && job->has_lifted);
	if (rc < 0)
		return rc;
	return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int remove_content(struct removal *job, int folder_fd, int depth)
{
	/* opened anew: reading starts at the first entry, and the stream owns a descriptor of its own */
	AUTO(fd) int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return -errno;
	(void)fd_take(&fd); /* the stream's now */
	struct dirent *entry;
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		int rc = remove_entry(job, folder_fd, entry->d_name, depth + 1);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int fs_remove_tree(int dir_fd, const char *name, size_t max_entries, struct err *err)
{
	struct removal job = {.left = max_entries, .top_fd = -1};
	int rc = remove_entry(&job, dir_fd, name, 0);
	return rc < 0 ? err_set(err, -rc, "removing '%s'", name) : 0;
}
