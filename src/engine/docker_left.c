/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/docker_left.h"
#include "base/fs.h"
#include "base/own.h"
#include "engine/compose.h"
#include "engine/docker_cli.h"
#include "engine/egress.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { TIDY_MAX_ENTRIES = 64 };

void docker_left_names(struct buf *out)
{
	static struct tool_args args; /* big; used and dropped here */
	struct docker_cli cli;
	struct tool tool;

	if (docker_cli_find(&cli, NULL) < 0)
		return;
	docker_cli_begin(&cli, &args, "ps", "--all", "--format", "{{.Names}}", NULL);
	if (docker_cli_call(&cli, &args, &tool, NULL, NULL) == 0) {
		(void)buf_put(out, tool.out.p, tool.out.n); /* a name that is missing here is met again when docker refuses it */
		tool_drop(&tool);
	}
	docker_cli_drop(&cli);
}

bool docker_left_is_taken(struct span names, const char *id)
{
	char ours[COMPOSE_SHELL + 1][COMPOSE_NAME_BYTES];

	for (int role = COMPOSE_AGENT; role <= COMPOSE_SHELL; role++)
		compose_name(id, (enum compose_role)role, ours[role]);
	while (names.n) {
		const uint8_t *end = memchr(names.p, '\n', names.n);
		size_t n = end ? (size_t)(end - names.p) : names.n;
		for (int role = COMPOSE_AGENT; role <= COMPOSE_SHELL; role++)
			if (span_is(span_make(names.p, n), ours[role]))
				return true;
		n += end != NULL;
		names = span_make(names.p + n, names.n - n);
	}
	return false;
}

void docker_left_tidy(const char *state_dir)
{
	AUTO(fd) int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return;
	/* the log has its name in the session's folder too, so these folders hold nothing that counts */
	(void)unlinkat(dir, "docker-compose.session.yml", 0);
	(void)fs_remove_tree(dir, "egress", TIDY_MAX_ENTRIES, NULL); /* what stays behind goes with the record */
	(void)fs_remove_tree(dir, "sock", TIDY_MAX_ENTRIES, NULL);
	egress_tidy(state_dir);
}
