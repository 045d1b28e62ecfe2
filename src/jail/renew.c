/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/renew.h"
#include "base/own.h"
#include "confine/privs.h"
#include "jail/mounts.h"
#include "jail/protect.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/wait.h>
#include <unistd.h>

struct renew_path {
	char *path;
	bool is_read_only;
};

/** struct outcome - what the child says; @i: of the place that failed, @last: that was mounted again */
struct outcome {
	int n_renewed, rc;
	size_t i, last;
};

int renew_keep(const struct plan *plan, uid_t fs_uid, gid_t fs_gid, struct renew *out, struct err *err)
{
	*out = (struct renew){.fs_uid = fs_uid, .fs_gid = fs_gid};
	out->paths = calloc(plan->n_steps + 1, sizeof(*out->paths));
	for (size_t i = 0; out->paths && i < plan->n_steps; i++) {
		const struct step *step = &plan->steps[i];
		if (step->kind != STEP_PIN && step->kind != STEP_PROTECT)
			continue;
		struct renew_path *p = &out->paths[out->n];
		*p = (struct renew_path){strdup(step->inside), step->kind == STEP_PROTECT};
		if (!p->path)
			break;
		out->n++;
	}
	if (out->paths && (!out->n || out->paths[out->n - 1].path))
		return 0;
	renew_drop(out);
	return err_set(err, ENOMEM, "remembering what is protected");
}

void renew_drop(struct renew *renew)
{
	while (renew->n)
		free(renew->paths[--renew->n].path);
	free(renew->paths);
	*renew = (struct renew){0};
}

void renew_watch(const struct renew *renew, int inotify_fd)
{
	for (size_t i = 0; i < renew->n; i++) {
		char *path = renew->paths[i].path, *slash = strrchr(path, '/');
		if (slash == path)
			continue;
		*slash = '\0'; /* a second watch on the same folder is the first */
		(void)inotify_add_watch(inotify_fd, path, PROTECT_EVENTS);
		*slash = '/';
	}
}

/* Groups stay ours: what the agent's ids may open is enough for its own project. */
static int enter(const struct renew *renew, int init_pidfd)
{
	if (privs_hide(NULL) < 0 || setns(init_pidfd, CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -errno;
	(void)setfsgid(renew->fs_gid); /* without a result: what they open shows */
	(void)setfsuid(renew->fs_uid);
	return 0;
}

_Noreturn static void run_child(const struct renew *renew, int init_pidfd, int out_fd)
{
	struct outcome o = {.rc = enter(renew, init_pidfd)};

	for (; o.rc == 0 && o.i < renew->n; o.i++) {
		int rc = mounts_renew(renew->paths[o.i].path, renew->paths[o.i].is_read_only);
		if (rc < 0) {
			o.rc = rc;
			break;
		}
		o.n_renewed += rc;
		o.last = rc ? o.i : o.last;
	}
	_exit(write(out_fd, &o, sizeof(o)) != (ssize_t)sizeof(o));
}

int renew_mounts(const struct renew *renew, int init_pidfd, const char **out_path, struct err *err)
{
	struct outcome o;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, errno, "protecting the project's files again");
	AUTO(fd) int rd = ends[0];
	AUTO(fd) int wr = ends[1];
	pid_t child = fork();
	if (child == 0)
		run_child(renew, init_pidfd, wr);
	if (child < 0)
		return err_set(err, errno, "protecting the project's files again");
	fd_drop(&wr);
	bool is_told = read(rd, &o, sizeof(o)) == (ssize_t)sizeof(o);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (!is_told)
		return err_set(err, ECHILD, "protecting the project's files again");
	if (o.rc < 0)
		return err_set(err, -o.rc, "protecting '%s' again, which was replaced from outside",
			       o.i < renew->n ? renew->paths[o.i].path : "");
	if (o.n_renewed)
		*out_path = renew->paths[o.last].path;
	return o.n_renewed;
}
