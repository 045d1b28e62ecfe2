/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/launch.h"
#include "cli/term.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* The command, then what its preset inserts, then the user's arguments. */
static int make_argv(struct launch *l, char **argv, struct err *err)
{
	size_t n = 0;
	while (argv[n])
		n++;
	l->argv = calloc(n + l->config.args.n + 1, sizeof(*l->argv));
	if (!l->argv)
		return err_set(err, ENOMEM, "building the command line");
	size_t at = 0;
	l->argv[at++] = argv[0];
	for (size_t i = 0; i < l->config.args.n; i++)
		l->argv[at++] = l->config.args.items[i];
	for (size_t i = 1; i < n; i++)
		l->argv[at++] = argv[i];
	return 0;
}

/* --once: each rule of --allow holds for one connection. */
static int make_once(struct launch *l, const struct launch_flags *flags, struct err *err)
{
	for (size_t i = 0; flags->is_once && i < flags->allow.n; i++)
		if (asprintf(&l->once[i], "%s conns=1", flags->allow.items[i]) < 0) {
			l->once[i] = NULL;
			return err_set(err, ENOMEM, "reading the rules");
		}
	return 0;
}

int launch_load(struct launch *l, const struct launch_flags *flags, char **argv, struct err *err)
{
	if (flags->chdir && chdir(flags->chdir) < 0)
		return err_set(err, errno, "-C '%s'", flags->chdir);
	int rc = place_find(&l->place, err);
	if (rc < 0)
		return rc;
	if (flags->bare) {
		l->place.project[0] = '\0';
		(void)strcpy(l->place.cwd, "/");
	}
	rc = make_once(l, flags, err);
	if (rc < 0)
		return rc;
	const struct config_input input = {
		.preset_dirs = l->place.preset_dirs,
		.etc_dir = "/etc/drydock",
		.user_dir = l->place.user_dir,
		.project = flags->no_project || !l->place.project[0] ? NULL : l->place.project,
		.trust_dir = l->place.trust_dir,
		.home = l->place.home,
		.system_etc = "/etc",
		.command = argv && *argv ? base_name(*argv) : NULL,
		.presets = flags->presets.items,
		.allow = flags->is_once ? (const char *const *)l->once : flags->allow.items,
		.deny = flags->deny.items,
		.allow_files = flags->allow_files.items,
	};
	rc = config_load(&input, &l->config, err);
	if (rc < 0)
		(void)err_fix(err, "correct it there; how rules are written: drydock help policy");
	return rc < 0 || !argv ? rc : make_argv(l, argv, err);
}

static int add_mount(struct launch *l, const char *path, bool is_writable, bool is_optional,
		     struct err *err)
{
	struct engine_request *r = &l->request;
	if (r->n_mounts == LAUNCH_MAX_MOUNTS)
		return err_set(err, 0, "more than %d mounts", LAUNCH_MAX_MOUNTS);
	l->mounts[r->n_mounts++] = (struct engine_mount){path, is_writable, is_optional};
	return 0;
}

/* "ro:PATH" or "rw:PATH" */
static int add_flag_mount(struct launch *l, const char *text, struct err *err)
{
	bool is_writable = !strncmp(text, "rw:", 3);
	if ((!is_writable && strncmp(text, "ro:", 3) != 0) || !text[3]) {
		err_set(err, 0, "--mount takes ro:PATH or rw:PATH, not '%s'", text);
		return err_fix(err, "--mount ro:%s", text);
	}
	char *path = realpath(text + 3, NULL);
	if (!path)
		return err_set(err, errno, "--mount '%s'", text + 3);
	l->mount_paths[l->n_mount_paths++] = path;
	return add_mount(l, path, is_writable, false, err);
}

static int make_mounts(struct launch *l, const struct launch_flags *flags, struct err *err)
{
	for (size_t i = 0; i < l->config.n_mounts; i++) {
		const struct config_mount *m = &l->config.mounts[i];
		int rc = 0;
		if (m->is_writable && m->is_optional && !flags->dry_run)
			rc = made_add(&l->made, m->path, err);
		if (rc == 0)
			rc = add_mount(l, m->path, m->is_writable, m->is_optional, err);
		if (rc < 0)
			return err_add(err, "preparing the agent's own state");
	}
	for (size_t i = 0; i < flags->mounts.n; i++) {
		int rc = add_flag_mount(l, flags->mounts.items[i], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int make_env(struct launch *l, const struct launch_flags *flags, const char *session_id,
		    struct err *err)
{
	/* lists that execve(2) would take end with NULL; those of a config count */
	const char **lists = calloc(l->config.keep.n + l->config.env.n + 2, sizeof(*lists));
	if (!lists)
		return err_set(err, ENOMEM, "building the environment");
	const char **set = lists + l->config.keep.n + 1;
	for (size_t i = 0; i < l->config.keep.n; i++)
		lists[i] = l->config.keep.items[i];
	for (size_t i = 0; i < l->config.env.n; i++)
		set[i] = l->config.env.items[i];
	const struct env_spec spec = {
		.from = environ,
		.keep = lists,
		.set = set,
		.add = flags->env.items,
		.home = l->place.home,
		.cwd = l->place.cwd,
		.session_id = session_id,
		.has_proxy = !flags->no_net && !l->choice.is_docker, /* a container's are in the compose files */
	};
	int rc = env_make(&spec, &l->env, err);
	free(lists);
	return rc;
}

static bool is_within(const char *path, const char *folder)
{
	size_t n = strlen(folder);
	return !strncmp(path, folder, n) &&
	       (path[n] == '/' || !path[n] || (n && folder[n - 1] == '/'));
}

/*
 * Where rules and records live must not be writable inside: the command could widen the next
 * session, or rewrite what is known of this one.
 */
static int check_writable(const struct launch *l, const char *shown, struct err *err)
{
	const char *const own[] = {l->place.user_dir, l->place.trust_dir, l->place.roots.state, l->place.roots.runtime};
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		char real[PATH_MAX];
		const char *path =
			realpath(own[i], real) ? real : own[i]; /* not made yet: as named */
		if (!is_within(path, shown) && !is_within(shown, path))
			continue;
		err_set(err, 0, "'%s' would be writable inside, and with it drydock's own '%s'",
			shown, path);
		return err_fix(err, "work in a project's own folder (cd, or -C DIR); of a --mount: show one that does not hold it, "
				    "or show it read-only");
	}
	return 0;
}

static int check_own_folders(const struct launch *l, struct err *err)
{
	const struct engine_request *r = &l->request;
	int rc = r->project ? check_writable(l, r->project, err) : 0;
	for (size_t i = 0; rc == 0 && i < r->n_mounts; i++)
		if (r->mounts[i].is_writable) {
			char real[PATH_MAX]; /* a link in the home is followed: view_host() */
			rc = check_writable(l, r->mounts[i].path, err);
			if (rc == 0 && realpath(r->mounts[i].path, real))
				rc = check_writable(l, real, err);
		}
	return rc;
}

static bool read_port(const char **text, uint16_t *out)
{
	char *end;
	unsigned long n = strtoul(*text, &end, 10);

	if (**text < '1' || **text > '9' || n > UINT16_MAX)
		return false;
	*out = (uint16_t)n;
	*text = end;
	return true;
}

/* PORT or HOST:PORT, both ports. */
static int make_publish(struct launch *l, const struct launch_flags *flags, struct err *err)
{
	if (flags->publish.n > PUBLISH_MAX_PORTS)
		return err_set(err, 0, "more than %d times --publish", PUBLISH_MAX_PORTS);
	if (flags->publish.n && l->choice.is_docker)
		return err_set(err, 0, "--publish belongs to the native engine; with docker, publish ports of a container of your own");
	for (size_t i = 0; i < flags->publish.n; i++) {
		const char *text = flags->publish.items[i];
		struct publish_port *p = &l->publish[i];
		bool is_good = read_port(&text, &p->host_port);
		p->port = p->host_port;
		if (is_good && *text == ':') {
			text++;
			is_good = read_port(&text, &p->port);
		}
		if (!is_good || *text)
			return err_set(err, 0, "--publish takes PORT or HOST:PORT, 1 to 65535 each, not '%s'",
				       flags->publish.items[i]);
	}
	l->request.publish = l->publish;
	l->request.n_publish = flags->publish.n;
	return 0;
}

int launch_make(struct launch *l, const struct launch_flags *flags, const char *session_id,
		const char *state_dir, struct err *err)
{
	int rc = make_env(l, flags, session_id, err);
	if (rc < 0)
		return rc;
	const struct config *c = &l->config;
	l->request = (struct engine_request){
		.session_id = session_id,
		.state_dir = state_dir,
		.home = l->place.home,
		.project = l->place.project[0] ? l->place.project : NULL,
		.cwd = l->place.cwd,
		.trust_dir = l->place.trust_dir,
		.mounts = l->mounts,
		.argv = l->argv,
		.envp = l->env.vars,
		.as_root = flags->as_root,
		.has_egress = !flags->no_net,
		.mode = l->choice.mode,
		.topology = l->choice.topology,
		.image = l->choice.image,
		.wants_pty = !flags->is_detached && term_is_tty(STDIN_FILENO) && term_is_tty(STDOUT_FILENO),
		.resolver = flags->resolver,
		.hosts = flags->hosts,
		.memory_bytes = flags->memory_bytes ? flags->memory_bytes : c->memory_bytes,
		.max_pids = flags->max_pids ? flags->max_pids : c->max_pids,
		.cpu_percent = flags->cpu_percent ? flags->cpu_percent : c->cpu_percent,
	};
	rc = make_publish(l, flags, err);
	if (rc == 0)
		rc = make_mounts(l, flags, err);
	return rc < 0 ? rc : check_own_folders(l, err);
}

void launch_drop(struct launch *l, bool may_undo)
{
	if (may_undo)
		made_undo(&l->made);
	else
		made_keep(&l->made);
	while (l->n_mount_paths)
		free(l->mount_paths[--l->n_mount_paths]);
	for (size_t i = 0; i < OPTIONS_LIST_MAX; i++) {
		free(l->once[i]);
		l->once[i] = NULL;
	}
	free(l->argv);
	l->argv = NULL;
	env_drop(&l->env);
	config_drop(&l->config);
}
