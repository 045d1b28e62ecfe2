/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/guard.h"
#include "base/own.h"
#include "jail/gitdir.h"
#include "jail/protect_record.h"

#include <stdio.h>
#include <string.h>

enum {
	TRIES_AT_ONCE = 8, /* renewals in a row */
	MAX_PUT_BACK = 24, /* of git's configuration in one session ... */
	MAX_TOLD = 3,	   /* ... and how many are told: the command must not fill the screen */
	TEXT_BYTES = 2 * PATH_MAX + 256,
};

static void remember_gitconfigs(struct guard *g)
{
	char folder[PATH_MAX + 8];

	(void)snprintf(folder, sizeof(folder), "%s/.git", g->project);
	gitconfig_begin(folder, &g->gitconfigs[0]);
	if (gitdir_common(g->project, folder))
		gitconfig_begin(folder, &g->gitconfigs[1]);
}

int guard_begin(struct guard *g, const struct engine_request *r, struct err *err)
{
	bool has_project = r->project && r->mode == ENGINE_CONTAIN;

	(void)snprintf(g->project, sizeof(g->project), "%s", has_project ? r->project : "");
	(void)snprintf(g->state_dir, sizeof(g->state_dir), "%s", r->state_dir);
	g->agreed = (struct agreed){g->project, r->trust_dir};
	protect_begin(has_project ? g->project : NULL, &g->protect);
	g->protect.is_agreed = agreed_is;
	g->protect.arg = &g->agreed;
	if (has_project)
		remember_gitconfigs(g);
	return protect_record_write(&g->protect, g->state_dir, err);
}

int guard_mounts(struct guard *g, const struct plan *plan, uid_t agent_uid, gid_t agent_gid,
		 int init_pidfd, struct err *err)
{
	g->init_pidfd = init_pidfd;
	return renew_keep(plan, agent_uid, agent_gid, &g->renew, err);
}

static void watch_gitconfigs(const struct guard *g)
{
	for (size_t i = 0; i < 2; i++)
		gitconfig_watch(&g->gitconfigs[i], g->fd);
}

int guard_watch(struct guard *g, const struct engine_watch *watch)
{
	g->watch = *watch;
	g->fd = g->project[0] ? protect_watch(&g->protect) : -1;
	if (g->fd >= 0)
		renew_watch(&g->renew, g->fd);
	return g->fd;
}

void guard_unwatch(struct guard *g)
{
	protect_unwatch(g->fd);
}

static void on_moved(const char *entry, const char *to, void *arg)
{
	const struct engine_watch *watch = arg;
	char text[TEXT_BYTES];

	(void)snprintf(text, sizeof(text),
		       "the command made %s in the project, which would run on this machine: moved "
		       "to %s (if you made it yourself, "
		       "put it back when the session is over)",
		       entry, to);
	watch->notice(watch->arg, text);
}

static void on_config_moved(const char *path, const char *to, void *arg)
{
	const struct guard *g = arg;
	char text[TEXT_BYTES];

	if (g->n_put_back >= MAX_TOLD)
		return;
	(void)snprintf(
		text, sizeof(text),
		"'%s' was replaced or written while the session ran, and says what may run "
		"programs: moved to %s, and the "
		"one from before is back (if it was you, put yours back when the session is over)",
		path, to);
	g->watch.notice(g->watch.arg, text);
}

/* 1 when one was put back, and with it came a file without a mount. */
static int check_gitconfigs(struct guard *g, struct err *err)
{
	int n = 0;

	for (size_t i = 0; g->is_replaced && i < 2; i++) {
		int rc = gitconfig_check(&g->gitconfigs[i], g->state_dir, on_config_moved, g, err);
		if (rc < 0)
			return rc;
		n |= rc;
	}
	g->n_put_back += n > 0;
	return n;
}

static void tell_replaced(const struct guard *g, const char *path)
{
	char text[TEXT_BYTES];

	(void)snprintf(text, sizeof(text),
		       "'%s' was replaced by a program outside of the session%s: read it before "
		       "you use it",
		       path,
		       g->init_pidfd >= 0
			       ? " and is protected again; for a moment the command could write it"
			       : ", and the command can write it from now on");
	g->watch.notice(g->watch.arg, text);
}

/* In a container nothing is mounted again; that it was replaced is said once. */
static void on_replaced(const char *entry, void *arg)
{
	struct guard *g = arg;

	if (!g->is_replaced)
		tell_replaced(g, entry);
	g->is_replaced = true;
}

/* How many were mounted again. What the user did through drydock is not told. */
static int renew(struct guard *g, bool is_first, struct err *err)
{
	const char *path;
	size_t n_project = strlen(g->project);

	if (g->init_pidfd < 0) {
		protect_each_replaced(&g->protect, on_replaced, g);
		return 0;
	}
	int n = renew_mounts(&g->renew, g->init_pidfd, &path, err);
	if (n <= 0)
		return n;
	g->is_replaced = true;
	if (is_first && !(strlen(path) > n_project && agreed_is(path + n_project + 1, &g->agreed)))
		tell_replaced(g, path);
	return n;
}

static bool keep(struct guard *g)
{
	struct err err = {0};
	int rc = 1;

	for (int i = 0; rc == 1 && i < TRIES_AT_ONCE && g->n_put_back < MAX_PUT_BACK; i++) {
		rc = renew(g, i == 0, &err);
		if (rc >= 0) {
			if (g->is_replaced)
				watch_gitconfigs(
					g); /* the file that is there now; before it is read */
			rc = check_gitconfigs(g, &err);
		}
	}
	if (rc == 0)
		return true;
	g->watch.notice(g->watch.arg,
			rc < 0 ? err.text : "git's configuration is written again and again");
	g->watch.notice(
		g->watch.arg,
		"the session is stopped: the command could write what runs on this machine");
	return false;
}

bool guard_ready(struct guard *g)
{
	struct err err = {0};

	if (!protect_drain(&g->protect, g->fd))
		return true;
	if (protect_end(&g->protect, g->state_dir, on_moved, &g->watch, &err) < 0)
		g->watch.notice(g->watch.arg, err.text);
	return keep(g);
}

void guard_end(struct guard *g, const struct engine_watch *watch)
{
	struct err err = {0};

	g->watch = *watch;
	if (protect_end(&g->protect, g->state_dir, on_moved, &g->watch, &err) < 0)
		watch->notice(watch->arg, err.text);
	else
		protect_record_drop(g->state_dir);
	if (g->init_pidfd < 0)
		protect_each_replaced(&g->protect, on_replaced, g);
	if (check_gitconfigs(g, &err) < 0)
		watch->notice(watch->arg, err.text);
}

void guard_forget(const struct guard *g)
{
	protect_record_drop(g->state_dir);
}

void guard_drop(struct guard *g)
{
	renew_drop(&g->renew);
	for (size_t i = 0; i < 2; i++)
		gitconfig_end(&g->gitconfigs[i]);
	fd_drop(&g->fd);
}
