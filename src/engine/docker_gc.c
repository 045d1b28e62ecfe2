/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/docker_gc.h"
#include "base/own.h"
#include "engine/docker_cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_CHARS = 255, NO_FIELDS = 5 };

bool docker_gc_parse(struct span line, struct docker_gc_line *out)
{
	struct span fields[NO_FIELDS];

	for (size_t i = 0; i < NO_FIELDS; i++) {
		const uint8_t *tab = memchr(line.p, '\t', line.n);
		if (!tab != (i + 1 == NO_FIELDS))
			return false;
		fields[i] = span_make(line.p, tab ? (size_t)(tab - line.p) : line.n);
		size_t used = fields[i].n + (tab != NULL);
		line = span_make(line.p + used, line.n - used);
	}
	if (!fields[0].n || fields[0].n > NAME_MAX_CHARS || !fields[2].n)
		return false;
	*out = (struct docker_gc_line){fields[0], fields[1], fields[2], fields[3], fields[4]};
	return true;
}

static unsigned long long started_at(int pid)
{
	char path[64], text[512];
	unsigned long long started = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid); /* fits */
	AUTO(file) FILE *f = fopen(path, "re");
	if (!f || !fgets(text, sizeof(text), f))
		return 0;
	/* field 22, counted behind the name, which may hold anything */
	const char *p = strrchr(text, ')');
	for (int i = 0; p && i < 20; i++)
		p = strchr(p + 1, ' ');
	return p && sscanf(p, " %llu", &started) == 1 ? started : 0;
}

bool docker_gc_owner_lives(struct span owner)
{
	char text[128], boot[64] = "", now[64] = "";
	unsigned long long started;
	int pid;
	AUTO(file) FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	(void)snprintf(text, sizeof(text), "%.*s", (int)(owner.n < 127 ? owner.n : 127), owner.n ? (const char *)owner.p : "");
	if (sscanf(text, "%63[^:]:%d:%llu", boot, &pid, &started) != 3 || pid <= 0 || !started)
		return false;
	if (!f || fscanf(f, "%63s", now) != 1 || strcmp(boot, now) != 0)
		return false;
	return started_at(pid) == started;
}

static bool is_same(struct span a, struct span b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static bool protects(const struct docker_gc_line *l, bool is_forced)
{
	bool is_up = span_is(l->state, "running") || span_is(l->state, "paused") || span_is(l->state, "restarting");

	return docker_gc_owner_lives(l->owner) || (!is_forced && is_up && span_is(l->role, "agent"));
}

bool docker_gc_goes(const struct docker_gc_line *lines, size_t n, size_t i, bool is_forced)
{
	for (size_t k = 0; k < n; k++)
		if (is_same(lines[k].session, lines[i].session) && protects(&lines[k], is_forced))
			return false;
	return true;
}

static size_t read_lines(struct span text, struct docker_gc_line lines[DOCKER_GC_MAX])
{
	size_t n = 0;

	while (text.n && n < DOCKER_GC_MAX) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		size_t used = end ? (size_t)(end - text.p) : text.n;
		n += docker_gc_parse(span_make(text.p, used), &lines[n]);
		used += end != NULL;
		text = span_make(text.p + used, text.n - used);
	}
	return n;
}

static int list(const struct docker_cli *cli, const char *session, struct tool *out, struct err *err)
{
	static struct tool_args args; /* big; used and dropped here */

	docker_cli_begin(cli, &args, "ps", "--all", "--no-trunc", "--filter", NULL);
	if (session)
		tool_args_addf(&args, "label=dev.drydock.session=%s", session);
	else
		tool_args_add(&args, "label=dev.drydock.session", NULL);
	tool_args_add(&args, "--format",
		      "{{.Names}}\t{{.State}}\t{{.Label \"dev.drydock.session\"}}\t{{.Label \"dev.drydock.role\"}}\t"
		      "{{.Label \"dev.drydock.owner\"}}",
		      NULL);
	return docker_cli_call(cli, &args, out, NULL, err);
}

static int remove_one(const struct docker_cli *cli, const char *name, struct err *err)
{
	static struct tool_args args; /* big; used and dropped here */
	struct tool tool;

	docker_cli_begin(cli, &args, "rm", "--force", "--volumes", name, NULL);
	int rc = docker_cli_call(cli, &args, &tool, NULL, err);
	if (rc == 0)
		tool_drop(&tool);
	return rc;
}

int docker_gc(const char *session, bool is_forced, bool is_dry, docker_gc_seen *seen, void *arg, struct err *err)
{
	static struct docker_gc_line lines[DOCKER_GC_MAX];
	struct docker_cli cli = {0};
	struct tool tool;
	int n_gone = 0, rc = 0;

	/* who has no docker has no containers */
	if (docker_cli_find(&cli, NULL) < 0 || list(&cli, session, &tool, NULL) < 0) {
		docker_cli_drop(&cli);
		return 0;
	}
	size_t n = read_lines(buf_span(&tool.out), lines);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		char name[NAME_MAX_CHARS + 1];
		if (!docker_gc_goes(lines, n, i, is_forced))
			continue;
		(void)snprintf(name, sizeof(name), "%.*s", (int)lines[i].name.n, (const char *)lines[i].name.p);
		rc = is_dry ? 0 : remove_one(&cli, name, err);
		if (rc == 0 && seen)
			seen(name, arg);
		n_gone += rc == 0;
	}
	tool_drop(&tool);
	docker_cli_drop(&cli);
	return rc < 0 ? rc : n_gone;
}
