/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/sockets.h"
#include "base/own.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

enum { SOCKETS_MAX = 100000 };

struct list {
	char **paths;
	size_t n, room;
	char folder[PATH_MAX], real[PATH_MAX]; /* the last folder and what it really is */
};

/* Takes links out of the path's folder: what is shown is compared by real paths. The last name is the socket's own. */
static char *make_real(struct list *list, const char *path)
{
	const char *last = strrchr(path, '/');
	size_t n = (size_t)(last - path);
	char *out = NULL;
	if (n >= PATH_MAX)
		return strdup(path);
	if (strncmp(list->folder, path, n) != 0 || list->folder[n]) {
		(void)snprintf(list->folder, sizeof(list->folder), "%.*s", (int)n, path); /* has room */
		if (!realpath(n ? list->folder : "/", list->real))
			(void)snprintf(list->real, sizeof(list->real), "%s", list->folder); /* gone, or not ours to enter */
		if (!strcmp(list->real, "/"))
			list->real[0] = '\0';
	}
	return asprintf(&out, "%s%s", list->real, last) < 0 ? NULL : out;
}

static int add(struct list *list, const char *path, struct err *err)
{
	if (list->n == SOCKETS_MAX) {
		err_set(err, E2BIG, "more than %d UNIX sockets listen on this machine", SOCKETS_MAX);
		return err_fix(err, "one program leaks them: see ss -xl");
	}
	if (list->n == list->room) {
		char **grown = reallocarray(list->paths, list->room + 64, sizeof(*grown));
		if (!grown)
			return err_set(err, ENOMEM, "reading /proc/net/unix");
		list->paths = grown;
		list->room += 64;
	}
	char *real = make_real(list, path);
	if (!real)
		return err_set(err, ENOMEM, "reading /proc/net/unix");
	list->paths[list->n++] = real;
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Connected sockets repeat their listener's path. */
static void drop_doubles(struct list *list)
{
	size_t n = 0;
	if (list->n)
		qsort(list->paths, list->n, sizeof(*list->paths), by_text);
	for (size_t i = 0; i < list->n; i++) {
		if (n && !strcmp(list->paths[n - 1], list->paths[i]))
			free(list->paths[i]);
		else
			list->paths[n++] = list->paths[i];
	}
	list->n = n;
}

int sockets_list(char ***out_paths, size_t *out_n, struct err *err)
{
	AUTO(file) FILE *f = fopen("/proc/net/unix", "re");
	if (!f)
		return err_set(err, errno, "reading /proc/net/unix");
	struct list list = {.folder = "?"};
	AUTO(mem) char *line = NULL;
	size_t cap = 0;
	int rc = 0;
	while (rc == 0 && getline(&line, &cap, f) > 0) {
		/* Num RefCount Protocol Flags Type St Inode Path */
		int at = -1;
		if (sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %n", &at) < 0 || at < 0 || line[at] != '/')
			continue;
		line[strcspn(line, "\n")] = '\0';
		rc = add(&list, line + at, err);
	}
	if (rc < 0) {
		sockets_free(list.paths, list.n);
		return rc;
	}
	drop_doubles(&list);
	*out_paths = list.paths;
	*out_n = list.n;
	return 0;
}

void sockets_free(char **paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
}
