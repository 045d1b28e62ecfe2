/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/made.h"
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *ending_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *dot = *name ? strchr(name + 1, '.') : NULL;
	return dot && dot[1] ? strrchr(name, '.') : NULL;
}

static const char *first_content(const char *path)
{
	return !strcmp(ending_of(path), ".json") ? "{}\n" : "";
}

static int remember(struct made *made, const char *path, bool is_file, struct err *err)
{
	char *copy = made->n < MADE_MAX ? strdup(path) : NULL;
	if (!copy)
		return err_set(err, ENOMEM, "making '%s'", path);
	made->is_file[made->n] = is_file;
	made->paths[made->n++] = copy;
	return 0;
}

static int make_file(struct made *made, const char *path, struct err *err)
{
	AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return errno == EEXIST ? 0 : err_set(err, errno, "making '%s'", path);
	const char *content = first_content(path);
	int rc = fs_write_all(fd, content, strlen(content));
	if (rc < 0)
		return err_set(err, -rc, "writing '%s'", path);
	return remember(made, path, true, err);
}

int made_add(struct made *made, const char *path, struct err *err)
{
	char part[PATH_MAX];
	size_t n = strlen(path);
	if (n >= sizeof(part))
		return err_set(err, ENAMETOOLONG, "making '%s'", path);
	if (access(path, F_OK) == 0)
		return 0;
	bool is_file = ending_of(path) != NULL;
	memcpy(part, path, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		if (is_file && i == n)
			return make_file(made, path, err);
		char was = part[i];
		part[i] = '\0';
		int rc = mkdir(part, 0700) == 0 ? remember(made, part, false, err)
			 : errno == EEXIST	? 0
						: err_set(err, errno, "making folder '%s'", part);
		part[i] = was;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool is_unchanged(const char *path)
{
	AUTO(buf) struct buf text = {.max = 16};
	struct stat st;
	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < 16 &&
	       fs_read(path, &text, NULL) == 0 && span_is(buf_span(&text), first_content(path));
}

void made_keep(struct made *made)
{
	while (made->n)
		free(made->paths[--made->n]);
}

void made_undo(struct made *made)
{
	while (made->n) {
		char *path = made->paths[--made->n];
		if (!made->is_file[made->n])
			(void)rmdir(path); /* refused, as wanted, when something is in it */
		else if (is_unchanged(path))
			(void)unlink(path); /* somebody else may have been faster */
		free(path);
	}
}
