/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/sockets.h"
#include "base/own.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

int sockets_list(char ***out_paths, size_t *out_n, struct err *err)
{
	AUTO(file) FILE *f = fopen("/proc/net/unix", "re");
	if (!f)
		return err_set(err, errno, "reading /proc/net/unix");
	char **paths = NULL;
	size_t n = 0;
	AUTO(mem) char *line = NULL;
	size_t cap = 0;
	while (getline(&line, &cap, f) > 0) {
		/* Num RefCount Protocol Flags Type St Inode Path; connected ones repeat their listener's path */
		int at = -1;
		if (sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %n", &at) < 0 || at < 0 || line[at] != '/')
			continue;
		line[strcspn(line, "\n")] = '\0';
		char **grown = reallocarray(paths, n + 1, sizeof(*paths));
		char *copy = strdup(line + at);
		if (!grown || !copy) {
			free(copy);
			sockets_free(grown ? grown : paths, n);
			return err_set(err, ENOMEM, "reading /proc/net/unix");
		}
		paths = grown;
		bool is_known = false;
		for (size_t i = 0; i < n; i++)
			is_known |= !strcmp(paths[i], copy);
		if (is_known)
			free(copy);
		else
			paths[n++] = copy;
	}
	*out_paths = paths;
	*out_n = n;
	return 0;
}

void sockets_free(char **paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
}
