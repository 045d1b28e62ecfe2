/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_inspect.c - drydock inspect: all that is known of one session */
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/live.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/policy_text.h"
#include "cli/term.h"
#include "report/meta.h"

#include <errno.h>

enum { OUT_MAX_BYTES = 4 << 20, POLICY_MAX_BYTES = 256 << 20, TEXT_CHARS = 2000 };

struct inspect_flags {
	bool is_json, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct inspect_flags, member)
static const struct option inspect_options[] = {
	{0, "json", NULL, "one JSON document", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_inspect_help(struct buf *out)
{
	/* constants: they fit */
	(void)buf_putf(out, "Usage: drydock inspect [OPTIONS] [SESSION]\n\n"
			    "What ran, with which layers, rules and mounts, and where its files are. Without "
			    "SESSION, the\nnewest.\n\n");
	options_print(inspect_options, out);
}

/* struct view - one session, looked at from all sides */
struct view {
	struct place place;
	char id[SESSION_ID_BYTES];
	char state_dir[PATH_MAX + 64];
	bool is_live, has_egress;
	pid_t supervisor;
	struct meta meta;
	size_t n_allow, n_deny, n_telemetry;
};

static void count_line(const struct policy_line *line, void *arg)
{
	struct view *v = arg;
	v->n_allow += line->is_rule && line->rule.action == RULE_ALLOW;
	v->n_deny += line->is_rule && line->rule.action == RULE_DENY;
	v->n_telemetry += line->is_rule && line->rule.action == RULE_TELEMETRY;
}

static int look(struct view *v, const char *wanted, struct err *err)
{
	AUTO(buf) struct buf policy = {.max = POLICY_MAX_BYTES};
	char path[PATH_MAX + 96];
	AUTO(fd) int pidfd = -1;

	int rc = place_find(&v->place, err);
	if (rc < 0)
		return -EINVAL; /* @err says it; -ENOENT means a session */
	rc = session_find(&v->place.roots, wanted, v->id, err);
	if (rc < 0)
		return rc;
	(void)snprintf(v->state_dir, sizeof(v->state_dir), "%s/%s", v->place.roots.state, v->id);
	(void)snprintf(path, sizeof(path), "%s/meta.json", v->state_dir);
	rc = meta_read(path, &v->meta, err);
	if (rc == -ENOENT)
		rc = err_set(err, EAGAIN, "session %s is just being made, or was killed as it was", v->id);
	if (rc == 0)
		rc = policy_text_read(v->place.roots.state, v->id, &policy, err);
	if (rc < 0)
		return rc == -ENOENT ? -EINVAL : rc;
	policy_text_each(buf_span(&policy), count_line, v);
	v->is_live = session_is_live(&v->place.roots, v->id);
	if (v->is_live && session_supervisor(&v->place.roots, v->id, &v->supervisor, &pidfd, NULL) < 0)
		v->is_live = false; /* it ended just now */
	AUTO(fd) int control = v->is_live ? live_connect(&v->place.roots, v->id, NULL) : -1;
	v->has_egress = control >= 0;
	return 0;
}

static const char *state_of(const struct view *v)
{
	return v->is_live ? "running" : v->meta.has_ended ? "ended" : "killed";
}

static void put_json_files(const struct view *v, struct json *j)
{
	static const char *const names[] = {"policy", "audit.jsonl", "meta.json"};
	static const char *const keys[] = {"policy", "log", "record"};
	char path[PATH_MAX + 96];
	json_open(j, "files", '{');
	json_str(j, "folder", v->state_dir);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", v->state_dir, names[i]);
		if (access(path, F_OK) == 0)
			json_str(j, keys[i], path);
	}
	json_close(j, '}');
}

static void put_json(const struct view *v, struct buf *out)
{
	const struct meta *m = &v->meta;
	struct json j = {.out = out};
	json_open(&j, NULL, '{');
	json_u64(&j, "v", 1);
	json_str(&j, "session", v->id);
	json_str(&j, "state", state_of(v));
	json_str(&j, "mode", m->mode);
	json_str(&j, "engine", m->engine);
	json_str(&j, "project", m->project);
	json_str(&j, "cwd", m->cwd);
	json_open(&j, "command", '[');
	for (size_t i = 0; i < m->n_argv; i++)
		json_str(&j, NULL, m->argv[i]);
	json_close(&j, ']');
	json_str(&j, "started", m->started);
	if (m->has_ended && !v->is_live) {
		json_str(&j, "ended", m->ended);
		json_i64(&j, "exit", m->exit_code);
		json_u64(&j, "refused", m->n_refused);
	}
	json_str(&j, "layers", m->layers);
	if (v->is_live) {
		json_i64(&j, "supervisor", v->supervisor);
		json_i64(&j, "pid", m->pid);
		json_bool(&j, "egress", v->has_egress);
	}
	json_open(&j, "rules", '{');
	json_u64(&j, "allow", v->n_allow);
	json_u64(&j, "deny", v->n_deny);
	json_u64(&j, "telemetry", v->n_telemetry);
	json_close(&j, '}');
	json_open(&j, "mounts", '[');
	for (size_t i = 0; i < m->n_mounts; i++) {
		json_open(&j, NULL, '{');
		json_str(&j, "path", m->mounts[i].path);
		json_bool(&j, "writable", m->mounts[i].is_writable);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	put_json_files(v, &j);
	json_close(&j, '}');
	(void)buf_put(out, "\n", 1); /* term_put() reports a cut */
}

static void put_field(struct buf *out, const char *label, const char *text)
{
	if (!text[0])
		return;
	(void)buf_putf(out, "  %-9s", label); /* term_put() reports a cut, here and below */
	utf8_put_safe(out, span_of(text), TEXT_CHARS);
	(void)buf_put(out, "\n", 1);
}

static void put_path(const struct view *v, struct buf *out, const char *label, const char *path)
{
	if (!path[0])
		return;
	(void)buf_putf(out, "  %-9s", label);
	term_put_path(out, path, v->place.home);
	(void)buf_put(out, "\n", 1);
}

static void put_text(const struct view *v, struct buf *out)
{
	const struct meta *m = &v->meta;
	(void)buf_putf(out, "session %s   %s   %s / %s\n", v->id, state_of(v), m->mode, m->engine);
	(void)buf_putf(out, "  %-9s", "command");
	for (size_t i = 0; i < m->n_argv; i++) {
		(void)buf_put(out, " ", i != 0);
		utf8_put_safe(out, span_of(m->argv[i]), TEXT_CHARS);
	}
	(void)buf_put(out, "\n", 1);
	put_path(v, out, "project", m->project);
	put_path(v, out, "folder", m->cwd);
	put_field(out, "started", m->started);
	if (m->has_ended && !v->is_live)
		(void)buf_putf(out, "  %-9s%s   exit %d   refused %llu\n", "ended", m->ended, m->exit_code,
			       (unsigned long long)m->n_refused);
	put_field(out, "layers", m->layers);
	if (v->is_live)
		(void)buf_putf(out, "  %-9ssupervisor %d, first process %lld; egress %s\n", "pids", (int)v->supervisor,
			       (long long)m->pid, v->has_egress ? "running" : "none");
	(void)buf_putf(out, "  %-9s%zu allow, %zu deny, %zu telemetry   (drydock rules %s --origin)\n", "rules",
		       v->n_allow, v->n_deny, v->n_telemetry, v->id);
	for (size_t i = 0; i < m->n_mounts; i++)
		put_path(v, out, m->mounts[i].is_writable ? "rw" : "ro", m->mounts[i].path);
	put_path(v, out, "files", v->state_dir);
}

int cmd_inspect(char **argv)
{
	struct inspect_flags flags = {0};
	static struct view v; /* big, and there is one */
	struct option_list words;
	struct err err = {0};
	AUTO(buf) struct buf out = {.max = OUT_MAX_BYTES};

	if (options_parse_all(inspect_options, &flags, argv, &words, &err) < 0)
		return term_usage("inspect", &err);
	if (flags.is_help)
		return cmd_show_help("inspect");
	if (words.n > 1) {
		err_set(&err, 0, "inspect takes one session, not '%s' too", words.items[1]);
		return term_usage("inspect", &err);
	}
	int rc = look(&v, words.n ? words.items[0] : NULL, &err);
	if (rc < 0) {
		term_error(rc == -ENOENT ? "no such session" : "cannot look at it", &err, 0);
		return rc == -ENOENT ? EXIT_NO_SESSION : EXIT_FAILED;
	}
	if (flags.is_json)
		put_json(&v, &out);
	else
		put_text(&v, &out);
	meta_drop(&v.meta);
	return term_put(STDOUT_FILENO, &out);
}
