/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_gc.c - drydock gc: removes what killed sessions left, and the records of old ones */
#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/term.h"
#include "engine/agreed.h"
#include "engine/docker_gc.h"
#include "engine/docker_left.h"
#include "jail/cgroup.h"
#include "jail/protect_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_MAX_BYTES = 8 << 20 };

struct gc_flags {
	uint64_t older_than_ms;
	bool is_dry, is_json, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct gc_flags, member)
static const struct option gc_options[] = {
	{'n', "dry-run", NULL, "only say what would go", OPTION_FLAG, AT(is_dry)},
	{0, "older-than", "TIME", "records of sessions that ended longer ago: 7d, 12h; 30d otherwise", OPTION_DURATION, AT(older_than_ms)},
	{0, "json", NULL, "one JSON document", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_gc_help(struct buf *out)
{
	/* constants: they fit */
	(void)buf_putf(out, "Usage: drydock gc [OPTIONS]\n\n"
			    "Removes what sessions that were killed have left (runtime folders, cgroups,\ncontainers), moves "
			    "away what their commands made in protected places, and removes\nthe records of sessions that "
			    "ended long ago. What runs, and what was started with --keep, "
			    "stays.\n\n");
	options_print(gc_options, out);
}

/* struct removal - what is said of each thing that goes */
struct removal {
	const struct place *place;
	bool is_json, is_dry;
	const char *kind;
	size_t n;
	struct buf out;
	struct json json;
};

static void on_removed(const char *path, void *arg)
{
	struct removal *r = arg;
	r->n++;
	if (r->is_json) {
		json_open(&r->json, NULL, '{');
		json_str(&r->json, "kind", r->kind);
		json_str(&r->json, "path", path);
		json_close(&r->json, '}');
		return;
	}
	(void)buf_putf(&r->out, "%-8s ", r->kind); /* term_put() reports a cut, here and below */
	term_put_path(&r->out, path, r->place->home);
	(void)buf_put(&r->out, "\n", 1);
}

/* Of its session's folder goes what only containers need: drydock-ID, drydock-ID-egress, drydock-ID-net. */
static void tidy_folder(const struct removal *r, const char *name)
{
	static const char *const endings[] = {"-egress", "-net"};
	char dir[PATH_MAX];
	if (r->is_dry || strncmp(name, "drydock-", 8) != 0 || strchr(name, '/') || name[8] == '.')
		return;
	int n = snprintf(dir, sizeof(dir), "%s/%s", r->place->roots.state, name + 8);
	if (n >= (int)sizeof(dir))
		return;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		size_t len = strlen(endings[i]);
		if ((size_t)n > len && !strcmp(dir + (size_t)n - len, endings[i]))
			dir[(size_t)n - len] = '\0';
	}
	docker_left_tidy(dir);
}

static void on_container(const char *name, void *arg)
{
	struct removal *r = arg;
	r->n++;
	tidy_folder(r, name);
	if (!r->is_json) {
		(void)buf_putf(&r->out, "%-8s %s\n", r->kind, name); /* term_put() reports a cut */
		return;
	}
	json_open(&r->json, NULL, '{');
	json_str(&r->json, "kind", r->kind);
	json_str(&r->json, "name", name);
	json_close(&r->json, '}');
}

static void on_moved(const char *entry, const char *to, void *arg)
{
	struct removal *r = arg;

	(void)entry; /* it is the end of @to */
	r->kind = "moved";
	on_removed(to, r);
}

/* What the commands of killed sessions left in projects, to run on this machine later. */
static int move_protected(struct removal *r, const char *id, struct err *err)
{
	static struct protect_record record; /* big, and there is one */
	char dir[PATH_MAX];

	(void)snprintf(dir, sizeof(dir), "%s/%s", r->place->roots.state, id); /* has room */
	int rc = protect_record_read(dir, &record, err);
	if (rc == -ENOENT || r->is_dry)
		return 0;
	if (rc < 0)
		return rc;
	struct agreed agreed = {record.project, r->place->trust_dir};
	record.protect.is_agreed = agreed_is;
	record.protect.arg = &agreed;
	rc = protect_end(&record.protect, dir, on_moved, r, err);
	if (rc >= 0)
		protect_record_drop(dir);
	return rc < 0 ? rc : 0;
}

/* A container that is still there may have an agent in it. */
static int move_all_protected(struct removal *r, struct err *err)
{
	struct session_entry *entries;
	AUTO(buf) struct buf names = {.max = OUT_MAX_BYTES};
	size_t n;
	int failed = 0;

	int rc = session_list(&r->place->roots, &entries, &n, err);
	if (rc < 0)
		return rc;
	docker_left_names(&names);
	for (size_t i = 0; i < n; i++) {
		if (entries[i].is_live || docker_left_is_taken(buf_span(&names), entries[i].id))
			continue;
		rc = move_protected(r, entries[i].id, err);
		failed = rc < 0 ? rc : failed;
	}
	free(entries);
	return failed;
}

static int collect(const struct gc_flags *flags, struct removal *r, struct err *err)
{
	const struct session_roots *roots = &r->place->roots;
	uint64_t older_than_s = flags->older_than_ms ? flags->older_than_ms / 1000
						     : (uint64_t)SESSION_KEPT_DAYS * 24 * 60 * 60;
	r->kind = "runtime";
	int rc = session_sweep(roots, flags->is_dry, on_removed, r, err);
	r->kind = "cgroup";
	if (rc == 0)
		cgroup_sweep(flags->is_dry, on_removed, r);
	r->kind = "container";
	if (rc == 0)
		rc = docker_gc(NULL, false, flags->is_dry, on_container, r, err);
	if (rc == 0)
		rc = move_all_protected(r, err);
	r->kind = "record";
	return rc < 0 ? rc
		      : session_remove_old(roots, clock_wall_ms(), older_than_s, flags->is_dry, on_removed, r, err);
}

static int gc(const struct gc_flags *flags)
{
	static struct place place; /* big, and there is one */
	struct removal r = {.place = &place, .is_json = flags->is_json, .is_dry = flags->is_dry, .out = {.max = OUT_MAX_BYTES}};
	struct err err = {0};

	r.json = (struct json){.out = &r.out};
	int rc = place_find(&place, &err);
	if (flags->is_json) {
		json_open(&r.json, NULL, '{');
		json_u64(&r.json, "v", 1);
		json_bool(&r.json, "dry_run", flags->is_dry);
		json_open(&r.json, "removed", '[');
	}
	if (rc == 0)
		rc = collect(flags, &r, &err);
	if (flags->is_json) {
		json_close(&r.json, ']');
		json_close(&r.json, '}');
		(void)buf_put(&r.out, "\n", 1);
	} else if (r.n == 0 && rc == 0) {
		term_notice("there is nothing to remove");
	} else if (flags->is_dry) {
		term_notice("nothing was removed: --dry-run");
	}
	int code = term_put(STDOUT_FILENO, &r.out);
	buf_drop(&r.out);
	if (rc < 0) {
		term_error("cannot remove everything", &err, 0);
		return EXIT_FAILED;
	}
	return code;
}

int cmd_gc(char **argv)
{
	struct gc_flags flags = {0};
	struct option_list words;
	struct err err = {0};

	if (options_parse_all(gc_options, &flags, argv, &words, &err) < 0)
		return term_usage("gc", &err);
	if (flags.is_help)
		return cmd_show_help("gc");
	if (words.n) {
		err_set(&err, 0, "gc takes no argument, not '%s'", words.items[0]);
		return term_usage("gc", &err);
	}
	return gc(&flags);
}
