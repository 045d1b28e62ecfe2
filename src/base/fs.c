/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

enum { READ_STEP_BYTES = 16384, TREE_MAX_DEPTH = 64 };

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
	if (n >= sizeof(part))
		return err_set(err, ENAMETOOLONG, "making folder '%s'", path);
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
	dev_t dev;
	size_t left;
};

static int remove_below(int dir_fd, const char *name, struct removal *job, int depth)
{
	if (job->left == 0 || depth > TREE_MAX_DEPTH)
		return -E2BIG;
	job->left--;
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	AUTO(fd) int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && fchmodat(dir_fd, name, 0700, 0) == 0)
		fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (job->dev && st.st_dev != job->dev)
		return -EXDEV;
	job->dev = st.st_dev;
	if ((st.st_mode & 0700) != 0700)
		(void)fchmod(fd, 0700); /* else nothing in it can go; where it may not, unlinking says so */
	AUTO(dir) DIR *dir = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 3));
	if (!dir)
		return -errno;
	struct dirent *entry;
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		int rc = remove_below(fd, entry->d_name, job, depth + 1);
		if (rc < 0)
			return rc;
	}
	return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int fs_remove_tree(int dir_fd, const char *name, size_t max_entries, struct err *err)
{
	struct removal job = {.left = max_entries};
	int rc = remove_below(dir_fd, name, &job, 0);
	return rc < 0 ? err_set(err, -rc, "removing '%s'", name) : 0;
}
