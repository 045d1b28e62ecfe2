/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/live.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/own.h"
#include "config/config.h"
#include "egress/wire/control.h"
#include "policy/ruleset.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { POLICY_MAX_BYTES = 256 << 20 };

static const char origin[] = "session";

int live_connect(const struct session_roots *roots, const char *id, struct err *err)
{
	char path[PATH_MAX + 64];

	if (!session_is_live(roots, id)) {
		(void)err_set(err, 0, "session %s is over", id);
		(void)err_fix(err, "see what runs: drydock ls");
		return -ENOENT;
	}
	(void)snprintf(path, sizeof(path), "%s/%s/ctl.sock", roots->runtime, id);
	int fd = control_connect(path, err);
	if (fd == -ENOENT || fd == -ECONNREFUSED) {
		(void)err_set(err, 0, "session %s has no egress to speak to: it runs with --no-net, or its proxy died", id);
		return -ENOTCONN;
	}
	return fd;
}

/* How many lines were added before: the next number of the origin. */
static unsigned count_added(struct span policy)
{
	unsigned n = 0;
	char mark[32];
	size_t mark_n = (size_t)snprintf(mark, sizeof(mark), " \"%s\"\n", origin);

	for (const uint8_t *p = policy.p; policy.n; p++) {
		p = memmem(p, policy.n - (size_t)(p - policy.p), mark, mark_n);
		if (!p)
			break;
		n++;
	}
	return n;
}

/* Each line gets a mark of its own, so that counting marks counts lines. */
static bool put_lines(struct buf *out, struct span lines, unsigned n)
{
	while (lines.n) {
		const uint8_t *end = memchr(lines.p, '\n', lines.n);
		size_t line_n = end ? (size_t)(end - lines.p) : lines.n;
		if (line_n && !buf_putf(out, "#line %u \"%s\"\n%.*s\n", ++n, origin, (int)line_n, (const char *)lines.p))
			return false;
		size_t used = end ? line_n + 1 : line_n;
		lines = span_make(lines.p + used, lines.n - used);
	}
	return true;
}

static int check(struct span policy, struct span lines, struct err *err)
{
	struct ruleset *added = NULL;
	bool is_locked = policy.n >= sizeof(CONFIG_LOCK_MARK) - 1 &&
			 memcmp(policy.p, CONFIG_LOCK_MARK, sizeof(CONFIG_LOCK_MARK) - 1) == 0;
	int rc = ruleset_load(lines, origin, &added, err);

	if (rc < 0)
		return rc;
	bool has_allows = ruleset_count(added, RULE_ALLOW) > 0;
	ruleset_free(added);
	if (!is_locked || !has_allows)
		return 0;
	(void)err_set(err, EACCES, "the administrator's lock in /etc/drydock");
	(void)err_fix(err, "ask your administrator to add the rule there");
	return -EACCES;
}

/* The egress reads the file that readers will see; when it says no, the old content comes back. */
static int put_in_force(int control, const char *path, struct span was, struct span now, uint64_t *out_rules,
			struct err *err)
{
	int rc = fs_replace(path, now, 0600, err);
	if (rc < 0)
		return rc;
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	rc = fd < 0 ? err_set(err, errno, "opening '%s'", path)
		    : control_ask(control, CONTROL_RELOAD, 0, span_of(origin), fd, NULL, out_rules, err);
	if (rc < 0)
		(void)fs_replace(path, was, 0600, NULL); /* the error that matters is known */
	return rc;
}

int live_add_rules(const struct session_roots *roots, const char *id, struct span lines, uint64_t *out_rules,
		   struct err *err)
{
	char dir[PATH_MAX + 32], path[PATH_MAX + 64];
	AUTO(buf) struct buf was = {.max = POLICY_MAX_BYTES};
	AUTO(buf) struct buf now = {.max = POLICY_MAX_BYTES};

	AUTO(fd) int control = live_connect(roots, id, err);
	if (control < 0)
		return control;
	(void)snprintf(dir, sizeof(dir), "%s/%s", roots->state, id);
	(void)snprintf(path, sizeof(path), "%s/policy", dir);
	AUTO(fd) int lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0 || flock(lock, LOCK_EX) < 0) /* two commands at once: one after the other */
		return err_set(err, errno, "locking '%s'", dir);
	int rc = fs_read(path, &was, err);
	if (rc == 0)
		rc = check(buf_span(&was), lines, err);
	if (rc < 0)
		return rc;
	bool is_whole = was.n == 0 || was.p[was.n - 1] == '\n';
	if (!buf_put(&now, was.p, was.n) || (!is_whole && !buf_put(&now, "\n", 1)) ||
	    !put_lines(&now, lines, count_added(buf_span(&was))))
		return err_set(err, ENOMEM, "adding to the policy of session %s", id);
	return put_in_force(control, path, buf_span(&was), buf_span(&now), out_rules, err);
}
