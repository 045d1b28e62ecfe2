/* SPDX-License-Identifier: Apache-2.0 */
/* engine/native.c - a session in namespaces of this machine: egress, jail, supervision, in that
 * order */
#include "engine/agent_id.h"
#include "engine/attribute.h"
#include "engine/egress.h"
#include "engine/engine.h"
#include "engine/guard.h"
#include "engine/supervise.h"
#include "engine/env.h"
#include "jail/join.h"
#include "jail/plan.h"
#include "base/own.h"
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

struct engine_session {
	struct jail jail;
	struct egress egress;
	struct publish publish;
	struct guard guard;
	char state_dir[PATH_MAX];
	const char *runtime_dir; /* the request's; NULL for none */
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

static void session_free(struct engine_session *s)
{
	guard_drop(&s->guard);
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
	*session = (struct engine_session){.egress = EGRESS_NONE, .publish = PUBLISH_NONE, .guard = GUARD_NONE};
	session->runtime_dir = request->runtime_dir;
	(void)snprintf(session->state_dir, PATH_MAX, "%s", request->state_dir);
	rc = guard_begin(&session->guard, request, err);
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
			rc = guard_mounts(&session->guard, n.plan, n.settings.agent_uid, n.settings.agent_gid,
					  session->jail.init_pidfd, err);
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
		guard_forget(&session->guard);
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

/* False ends the watching; the session is over then. */
static bool on_guard(void *arg)
{
	struct engine_session *session = arg;
	bool is_kept = guard_ready(&session->guard);

	if (!is_kept)
		(void)jail_signal(&session->jail, SIGKILL); /* over already, else */
	return is_kept;
}

static bool on_decision(void *arg)
{
	return attribute_ready(arg) == 0;
}

static int native_stay(struct engine_session *session, const struct engine_watch *watch,
		       struct engine_result *out, struct err *err)
{
	int fd = guard_watch(&session->guard, watch);
	struct attribute attribute = ATTRIBUTE_NONE;
	if (session->egress.pidfd >= 0)
		attribute_begin(&attribute, session->runtime_dir, session->jail.init_pid);
	const struct supervise_also also[] = {{fd, on_guard, session}, {attribute.fd, on_decision, &attribute}};
	int rc = supervise_run(&session->jail, session->egress.pidfd, also, 2, watch, out, err);
	attribute_end(&attribute);
	guard_unwatch(&session->guard);
	return rc;
}

static void native_end(struct engine_session *session, const struct engine_watch *watch)
{
	if (!session)
		return;
	publish_end(&session->publish);
	egress_end(&session->egress);
	egress_tidy(session->state_dir);
	guard_end(&session->guard, watch);
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
