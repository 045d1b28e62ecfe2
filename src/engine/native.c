/* SPDX-License-Identifier: Apache-2.0 */
/* engine/native.c - a session in namespaces of this machine: egress, jail, supervision, in that
 * order */
#include "engine/agent_id.h"
#include "engine/agreed.h"
#include "engine/attribute.h"
#include "engine/egress.h"
#include "engine/engine.h"
#include "engine/supervise.h"
#include "engine/env.h"
#include "jail/gitconfig.h"
#include "jail/gitdir.h"
#include "jail/join.h"
#include "jail/plan.h"
#include "base/own.h"
#include "jail/protect.h"
#include "jail/protect_record.h"
#include "jail/renew.h"
#include "jail/settings.h"
#include "jail/sockets.h"
#include "jail/start.h"
#include "jail/view.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { KEEP_TRIES = 8 };

struct engine_session {
	struct jail jail;
	struct egress egress;
	struct publish publish;
	struct protect protect;
	struct agreed agreed; /* what protect asks */
	struct renew renew;
	struct gitconfig gitconfigs[2]; /* the project's, and of a worktree the common one */
	bool is_replaced;		/* something was, from outside: the command may have written in it */
	int watch_fd; /* of protect, or -1 */
	char state_dir[PATH_MAX];
	const char *runtime_dir; /* the request's; NULL for none */
	char project[PATH_MAX]; /* what protect borrows */
};

/* Everything a plan is made of; what it borrows lives in the request or here. */
struct native {
	struct jail_settings settings;
	struct view view;
	struct jail_mount *mounts; /* the view's, then the request's: later ones lie on top */
	char **hosts;		   /* what the request's lead to */
	size_t n_hosts;
	struct plan *plan;
};

static void native_drop(struct native *n)
{
	plan_free(n->plan);
	free(n->mounts);
	while (n->n_hosts)
		free(n->hosts[--n->n_hosts]);
	free(n->hosts);
	view_drop(&n->view);
	*n = (struct native){0};
}

static int choose_ids(const struct engine_request *request, struct jail_settings *s,
		      struct err *err)
{
	s->uid = s->agent_uid = geteuid();
	s->gid = s->agent_gid = getegid();
	s->as_root = request->as_root;
	s->is_unnamed = !agent_id_is_named("/etc/passwd", s->uid);
	if (request->as_root || !agent_id_is_real_root())
		return 0;
	static const char *const files[] = {"/etc/passwd", "/etc/group", "/etc/subuid",
					    "/etc/subgid", NULL};
	unsigned seed = 0;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return err_set(err, errno, "choosing a user id for the agent");
	uid_t id;
	int rc = agent_id_pick(files, seed, &id, err);
	if (rc < 0)
		return rc;
	s->agent_uid = id;
	s->is_unnamed = true;
	s->agent_gid = id;
	return 0;
}

static int collect_mounts(const struct engine_request *request, struct native *n, struct err *err)
{
	int rc = view_collect(request->home, request->project, request->argv[0],
			      env_get(request->envp, "PATH"), &n->view, err);
	if (rc < 0)
		return rc;
	size_t n_seen = n->view.n_mounts;
	n->mounts = calloc(n_seen + request->n_mounts + 1, sizeof(*n->mounts));
	n->hosts = calloc(request->n_mounts + 1, sizeof(*n->hosts));
	if (!n->mounts || !n->hosts)
		return err_set(err, ENOMEM, "planning the session");
	for (size_t i = 0; i < n_seen; i++)
		n->mounts[i] = n->view.mounts[i];
	for (size_t i = 0; i < request->n_mounts; i++) {
		char *host = view_host(request->home, request->mounts[i].path);
		if (!host)
			return err_set(err, ENOMEM, "planning the session");
		n->hosts[n->n_hosts++] = host;
		n->mounts[n_seen + i] = (struct jail_mount){
			.host = host,
			.inside = request->mounts[i].path,
			.is_writable = request->mounts[i].is_writable,
			.is_optional = request->mounts[i].is_optional,
		};
	}
	n->settings.mounts = n->mounts;
	n->settings.n_mounts = n_seen + request->n_mounts;
	n->settings.masks = (const char *const *)n->view.masks;
	n->settings.n_masks = n->view.n_masks;
	n->settings.protected = (const char *const *)n->view.protected;
	n->settings.n_protected = n->view.n_protected;
	return 0;
}

static int make_plan(struct native *n, struct err *err)
{
	char **sockets = NULL;
	size_t n_sockets = 0;
	int rc = sockets_list(&sockets, &n_sockets, err);
	if (rc < 0)
		return rc;
	rc = plan_make(&n->settings, (const char *const *)sockets, n_sockets, &n->plan, err);
	sockets_free(sockets, n_sockets);
	return rc;
}

static int native_make(const struct engine_request *request, struct native *out, struct err *err)
{
	*out = (struct native){.settings = {
				       .session_id = request->session_id,
				       .home = request->home,
				       .project = request->project,
				       .cwd = request->cwd,
				       .session_dir = request->state_dir,
				       .argv = request->argv,
				       .envp = request->envp,
				       .net = request->has_egress ? JAIL_NET_PROXY : JAIL_NET_NONE,
				       .wants_pty = request->wants_pty,
				       .memory_bytes = request->memory_bytes,
				       .max_pids = request->max_pids,
				       .cpu_percent = request->cpu_percent,
			       }};
	int rc = choose_ids(request, &out->settings, err);
	if (rc == 0)
		rc = collect_mounts(request, out, err);
	if (rc == 0)
		rc = make_plan(out, err);
	if (rc < 0)
		native_drop(out);
	return rc;
}

static int native_plan(const struct engine_request *request, struct buf *out, struct err *err)
{
	struct native n;
	int rc = native_make(request, &n, err);
	if (rc < 0)
		return rc;
	plan_print(n.plan, out);
	native_drop(&n);
	return 0;
}

/* Ways in, for the user: `exec` and published ports. */
static int open_doors(struct engine_session *session, const struct engine_request *request, const struct native *n,
		      struct err *err)
{
	char path[PATH_MAX + 8];

	if (request->runtime_dir) {
		(void)snprintf(path, sizeof(path), "%s/join", request->runtime_dir);
		int rc = join_write(path, &session->jail, &n->settings, n->plan, err);
		if (rc < 0)
			return rc;
	}
	return publish_start(&session->publish, session->jail.init_pidfd, err);
}

static void remember_gitconfigs(struct engine_session *s)
{
	char folder[PATH_MAX + 8];

	(void)snprintf(folder, sizeof(folder), "%s/.git", s->project);
	gitconfig_begin(folder, &s->gitconfigs[0]);
	if (gitdir_common(s->project, folder))
		gitconfig_begin(folder, &s->gitconfigs[1]);
}

static void session_free(struct engine_session *s)
{
	renew_drop(&s->renew);
	for (size_t i = 0; i < 2; i++)
		gitconfig_end(&s->gitconfigs[i]);
	free(s);
}

static int native_start(const struct engine_request *request, struct engine_session **out,
			int *out_exec_errno, struct err *err)
{
	const struct egress_spec spec = {
		.session_id = request->session_id,
		.state_dir = request->state_dir,
		.runtime_dir = request->runtime_dir,
		.ask_ms = request->ask_ms,
		.resolver = request->resolver,
		.hosts = request->hosts,
	};
	struct native n;
	int rc = native_make(request, &n, err);
	if (rc < 0)
		return rc;
	struct engine_session *session = malloc(sizeof(*session));
	if (!session) {
		native_drop(&n);
		return err_set(err, ENOMEM, "starting the session");
	}
	*session = (struct engine_session){.egress = EGRESS_NONE, .publish = PUBLISH_NONE, .watch_fd = -1};
	session->runtime_dir = request->runtime_dir;
	(void)snprintf(session->state_dir, PATH_MAX, "%s", request->state_dir);
	(void)snprintf(session->project, PATH_MAX, "%s", request->project ? request->project : "");
	protect_begin(request->project ? session->project : NULL, &session->protect);
	session->agreed = (struct agreed){session->project, request->trust_dir};
	if (request->project)
		remember_gitconfigs(session);
	session->protect.is_agreed = agreed_is;
	session->protect.arg = &session->agreed;
	rc = protect_record_write(&session->protect, request->state_dir, err);
	if (rc == 0 && request->n_publish)
		rc = publish_bind(request->publish, request->n_publish, &session->publish, err);
	if (rc == 0 && request->has_egress)
		rc = egress_start(&spec, &session->egress, err);
	if (rc == 0) {
		rc = jail_start(&n.settings, n.plan, session->egress.jail_fd, &session->jail, err);
		if (rc < 0 && request->has_egress) {
			egress_end(&session->egress); /* its last words are in its log now */
			egress_explain(&spec, err);
		}
	}
	if (rc == 0 && !session->jail.exec_errno) {
		rc = open_doors(session, request, &n, err);
		if (rc == 0)
			rc = renew_keep(n.plan, n.settings.agent_uid, n.settings.agent_gid, &session->renew, err);
		if (rc < 0)
			jail_kill(&session->jail);
	}
	native_drop(&n);
	*out_exec_errno = rc == 0 ? session->jail.exec_errno : 0;
	if (rc == 0 && *out_exec_errno)
		jail_kill(&session->jail);
	if (rc < 0 || *out_exec_errno) {
		publish_end(&session->publish);
		egress_end(&session->egress);
		protect_record_drop(session->state_dir);
		session_free(session);
		return rc;
	}
	*out = session;
	return 0;
}

static pid_t native_pid(const struct engine_session *session)
{
	return session->jail.init_pid;
}

static const char *native_layers(const struct engine_session *session)
{
	return session->jail.layers;
}

static void on_moved(const char *entry, const char *to, void *arg)
{
	const struct engine_watch *watch = arg;
	char text[2 * PATH_MAX];
	(void)snprintf(
		text, sizeof(text),
		"the command made %s in the project, which would run on this machine: moved to %s "
		"(if you made it yourself, put it back when the session is over)",
		entry, to);
	watch->notice(watch->arg, text);
}

/* What appeared in a protected place, and what woke us to look. */
struct appearance {
	struct engine_session *session;
	struct engine_watch watch;
	int fd;
	bool has_failed; /* said once; the look at the end says it again */
};

static void on_config_moved(const char *path, const char *to, void *arg)
{
	const struct engine_watch *watch = arg;
	char text[2 * PATH_MAX + 256];

	(void)snprintf(text, sizeof(text),
		       "'%s' was replaced or written while the session ran, and says what may run programs: moved to %s, and the "
		       "one from before is back (if it was you, put yours back when the session is over)",
		       path, to);
	watch->notice(watch->arg, text);
}

/* 1 when one was put back, and with it came a file without a mount. */
static int check_gitconfigs(struct engine_session *s, struct engine_watch *watch, struct err *err)
{
	int n = 0;

	for (size_t i = 0; s->is_replaced && i < 2; i++) {
		int rc = gitconfig_check(&s->gitconfigs[i], s->state_dir, on_config_moved, watch, err);
		if (rc < 0)
			return rc;
		n |= rc;
	}
	return n;
}

/* Mounts again what was replaced, and says so unless the user did it through drydock. */
static int renew_and_tell(struct appearance *a, bool is_first, struct err *err)
{
	char text[2 * PATH_MAX];
	const char *path;
	size_t n_project = strlen(a->session->project);
	int n = renew_mounts(&a->session->renew, a->session->jail.init_pidfd, &path, err);

	if (n <= 0)
		return n;
	for (size_t i = 0; i < 2; i++)
		gitconfig_watch(&a->session->gitconfigs[i], a->fd);
	a->session->is_replaced = true;
	if (!is_first || (strlen(path) > n_project && agreed_is(path + n_project + 1, &a->session->agreed)))
		return n;
	(void)snprintf(text, sizeof(text),
		       "'%s' was replaced by a program outside of the session and is protected again; for a moment the command "
		       "could write it: read it before you use it",
		       path);
	a->watch.notice(a->watch.arg, text);
	return n;
}

/* False when the agent could write what runs on the host: the session is over then. */
static bool keep_protected(struct appearance *a)
{
	struct err err = {0};
	int rc = 1;

	for (int i = 0; rc == 1 && i < KEEP_TRIES; i++) {
		rc = renew_and_tell(a, i == 0, &err);
		if (rc >= 0)
			rc = check_gitconfigs(a->session, &a->watch, &err);
	}
	if (rc == 0)
		return true;
	a->watch.notice(a->watch.arg, rc < 0 ? err.text : "git's configuration is written again and again");
	a->watch.notice(a->watch.arg, "the session is stopped: the command could write what runs on this machine");
	(void)jail_signal(&a->session->jail, SIGKILL); /* over already, else */
	return false;
}

static bool on_appeared(void *arg)
{
	struct appearance *a = arg;
	struct err err = {0};

	if (!protect_drain(&a->session->protect, a->fd) || a->has_failed)
		return true;
	if (protect_end(&a->session->protect, a->session->state_dir, on_moved, &a->watch, &err) < 0) {
		a->watch.notice(a->watch.arg, err.text);
		a->has_failed = true;
	}
	return keep_protected(a);
}

static bool on_decision(void *arg)
{
	return attribute_ready(arg) == 0;
}

static int native_stay(struct engine_session *session, const struct engine_watch *watch,
		       struct engine_result *out, struct err *err)
{
	int fd = session->watch_fd = protect_watch(&session->protect);
	if (fd >= 0)
		renew_watch(&session->renew, fd);
	struct appearance appearance = {.session = session, .watch = *watch, .fd = fd};
	struct attribute attribute = ATTRIBUTE_NONE;
	if (session->egress.pidfd >= 0)
		attribute_begin(&attribute, session->runtime_dir, session->jail.init_pid);
	const struct supervise_also also[] = {{fd, on_appeared, &appearance}, {attribute.fd, on_decision, &attribute}};
	int rc = supervise_run(&session->jail, session->egress.pidfd, also, 2, watch, out, err);
	attribute_end(&attribute);
	protect_unwatch(fd); /* native_end() closes it, when that costs nothing any more */
	return rc;
}

static void native_end(struct engine_session *session, const struct engine_watch *watch)
{
	struct err err = {0};
	struct engine_watch moved = *watch;

	if (!session)
		return;
	publish_end(&session->publish);
	egress_end(&session->egress);
	egress_tidy(session->state_dir);
	if (protect_end(&session->protect, session->state_dir, on_moved, &moved, &err) < 0)
		watch->notice(watch->arg, err.text);
	else
		protect_record_drop(session->state_dir);
	if (check_gitconfigs(session, &moved, &err) < 0)
		watch->notice(watch->arg, err.text);
	fd_drop(&session->watch_fd);
	session_free(session);
}

const struct engine engine_native = {
	.name = "native",
	.plan = native_plan,
	.start = native_start,
	.pid = native_pid,
	.layers = native_layers,
	.stay = native_stay,
	.end = native_end,
};
