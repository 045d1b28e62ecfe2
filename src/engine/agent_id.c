/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/agent_id.h"
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 16 << 20, N_IDS = AGENT_ID_LAST - AGENT_ID_FIRST + 1 };

static void mark(uint8_t *taken, unsigned long long first, unsigned long long count)
{
	unsigned long long end;
	if (__builtin_add_overflow(first, count, &end) || end > AGENT_ID_LAST + 1ULL)
		end = AGENT_ID_LAST + 1ULL;
	for (unsigned long long id = first < AGENT_ID_FIRST ? AGENT_ID_FIRST : first; id < end;
	     id++)
		taken[id - AGENT_ID_FIRST] = 1;
}

/*
 * passwd: name:x:UID:GID:...   group: name:x:GID:...   subuid: name:FIRST:COUNT
 * A number in the second field means subuid; else every number in fields three and four is an id.
 */
static void mark_line(char *line, uint8_t *taken)
{
	char *rest = line;
	const char *name = strsep(&rest, ":");
	const char *second = rest ? strsep(&rest, ":") : NULL;
	const char *third = rest ? strsep(&rest, ":") : NULL;
	const char *fourth = rest ? strsep(&rest, ":") : NULL;
	if (!name || !second || !third)
		return;
	if (second[0] >= '0' && second[0] <= '9')
		mark(taken, strtoull(second, NULL, 10), strtoull(third, NULL, 10));
	else
		mark(taken, strtoull(third, NULL, 10), 1);
	if (fourth && fourth[0] >= '0' && fourth[0] <= '9')
		mark(taken, strtoull(fourth, NULL, 10), 1);
}

static int mark_file(const char *path, uint8_t *taken, struct err *err)
{
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	AUTO(buf) struct buf text = {.max = FILE_MAX_BYTES};
	int rc = fs_read(path, &text, err);
	if (rc < 0)
		return rc;
	if (!buf_put(&text, "", 1))
		return err_set(err, ENOMEM, "reading '%s'", path);
	char *rest = (char *)text.p;
	while (rest)
		mark_line(strsep(&rest, "\n"), taken);
	return 0;
}

int agent_id_pick(const char *const *files, unsigned seed, uid_t *out, struct err *err)
{
	uint8_t taken[N_IDS] = {0};
	for (; *files; files++) {
		int rc = mark_file(*files, taken, err);
		if (rc < 0)
			return err_add(err, "choosing a user id for the agent");
	}
	for (unsigned i = 0; i < N_IDS; i++) {
		unsigned at = (seed % N_IDS + i) % N_IDS;
		if (!taken[at]) {
			*out = AGENT_ID_FIRST + at;
			return 0;
		}
	}
	return err_set(err, ENOSPC, "choosing a user id for the agent: %d to %d are all in use",
		       AGENT_ID_FIRST, AGENT_ID_LAST);
}

bool agent_id_is_named(const char *passwd, uid_t id)
{
	AUTO(file) FILE *f = fopen(passwd, "re");
	const struct passwd *entry = NULL;

	while (f && (entry = fgetpwent(f)) && entry->pw_uid != id)
		;
	return entry != NULL;
}

bool agent_id_is_real_root(void)
{
	if (geteuid() != 0)
		return false;
	AUTO(buf) struct buf map = {.max = 4096};
	unsigned inside = 1, outside = 1, count = 0;
	/* Unreadable: take the careful answer. */
	if (fs_read("/proc/self/uid_map", &map, NULL) < 0 || !buf_put(&map, "", 1) ||
	    sscanf((char *)map.p, "%u %u %u", &inside, &outside, &count) != 3)
		return true;
	return inside == 0 && outside == 0 && count == UINT32_MAX;
}
