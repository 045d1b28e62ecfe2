/* SPDX-License-Identifier: Apache-2.0 */
/* engine/native.c - a session in namespaces of this machine: egress, jail, supervision, in that order */
#include "engine/agent_id.h"
#include "engine/egress.h"
#include "engine/engine.h"
#include "engine/supervise.h"
#include "jail/plan.h"
#include "jail/settings.h"
#include "jail/start.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

struct engine_session {
	struct jail jail;
	struct egress egress;
};

/* Everything a plan is made of; what it borrows lives in the request or here. */
struct native {
	struct jail_settings settings;
	struct jail_mount *mounts;
	struct plan *plan;
};

static void native_drop(struct native *n)
{
	plan_free(n->plan);
	free(n->mounts);
	*n = (struct native){0};
}

static int choose_ids(const struct engine_request *request, struct jail_settings *s, struct err *err)
{
	s->uid = s->agent_uid = geteuid();
	s->gid = s->agent_gid = getegid();
	s->as_root = request->as_root;
	if (request->as_root || !agent_id_is_real_root())
		return 0;
	static const char *const files[] = {"/etc/passwd", "/etc/group", "/etc/subuid", "/etc/subgid",
					    NULL};
	unsigned seed = 0;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return err_set(err, errno, "choosing a user id for the agent");
	uid_t id;
	int rc = agent_id_pick(files, seed, &id, err);
	if (rc < 0)
		return rc;
	s->agent_uid = id;
	s->agent_gid = id;
	return 0;
}

static int native_make(const struct engine_request *request, struct native *out, struct err *err)
{
	struct native n = {.settings = {
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
	int rc = choose_ids(request, &n.settings, err);
	if (rc == 0) {
		n.mounts = calloc(request->n_mounts + 1, sizeof(*n.mounts));
		if (!n.mounts)
			rc = err_set(err, ENOMEM, "planning the session");
	}
	for (size_t i = 0; rc == 0 && i < request->n_mounts; i++)
		n.mounts[i] = (struct jail_mount){
			.host = request->mounts[i].path,
			.inside = request->mounts[i].path,
			.is_writable = request->mounts[i].is_writable,
			.is_optional = request->mounts[i].is_optional,
		};
	n.settings.mounts = n.mounts;
	n.settings.n_mounts = request->n_mounts;
	if (rc == 0)
		rc = plan_make(&n.settings, NULL, 0, &n.plan, err);
	if (rc < 0) {
		native_drop(&n);
		return rc;
	}
	*out = n;
	return 0;
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

static int native_start(const struct engine_request *request, struct engine_session **out,
			int *out_exec_errno, struct err *err)
{
	const struct egress_spec spec = {
		.session_id = request->session_id,
		.state_dir = request->state_dir,
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
	*session = (struct engine_session){.egress = EGRESS_NONE};
	if (request->has_egress)
		rc = egress_start(&spec, &session->egress, err);
	if (rc == 0) {
		rc = jail_start(&n.settings, n.plan, session->egress.jail_fd, &session->jail, err);
		if (rc < 0 && request->has_egress) {
			egress_end(&session->egress); /* its last words are in its log now */
			egress_explain(&spec, err);
		}
	}
	native_drop(&n);
	*out_exec_errno = rc == 0 ? session->jail.exec_errno : 0;
	if (rc == 0 && *out_exec_errno)
		jail_kill(&session->jail);
	if (rc < 0 || *out_exec_errno) {
		egress_end(&session->egress);
		free(session);
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

static int native_stay(struct engine_session *session, const struct engine_watch *watch,
		       struct engine_result *out, struct err *err)
{
	return supervise_run(&session->jail, session->egress.pidfd, watch, out, err);
}

static void native_end(struct engine_session *session, const struct engine_watch *watch)
{
	(void)watch;
	if (!session)
		return;
	egress_end(&session->egress);
	free(session);
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
