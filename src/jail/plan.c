/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order: the root and the system, then kernel file systems, then what the user shows (toolchains, state, the
 * project), then what is taken back from it (protected entries, sockets), then the files drydock answers for.
 */
#include "jail/plan.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What git, editors, shells and agents run on the host later, out of a project. */
const char *const plan_protected[] = {
	".git", ".git/hooks", ".git/config", ".git/config.worktree", ".git/commondir", ".drydock", ".envrc", ".vscode", ".idea",
	".mcp.json", ".claude/settings.json", ".claude/settings.local.json", ".claude/hooks", ".codex",
	".gemini/settings.json", NULL,
};

enum { ROOT_BYTES = 4 << 20 };
#define TMP_BYTES (2ull << 30)

struct maker {
	struct plan *plan;
	const struct jail_settings *settings;
	bool is_full; /* memory ran out */
};

static struct step *add(struct maker *m, enum step_kind kind, const char *inside, const char *host)
{
	struct plan *plan = m->plan;
	if (plan->n_steps % 32 == 0) {
		struct step *grown = reallocarray(plan->steps, plan->n_steps + 32, sizeof(*grown));
		if (!grown) {
			m->is_full = true;
			static struct step nowhere;
			return &nowhere;
		}
		plan->steps = grown;
	}
	struct step *step = &plan->steps[plan->n_steps++];
	*step = (struct step){.kind = kind, .inside = strdup(inside), .host = host ? strdup(host) : NULL};
	m->is_full |= !step->inside || (host && !step->host);
	return step;
}

/* True when @path is @parent or lies below it. */
static bool is_within(const char *path, const char *parent)
{
	size_t n = strlen(parent);
	if (!strcmp(parent, "/"))
		return true;
	return !strncmp(path, parent, n) && (path[n] == '/' || path[n] == '\0');
}

static bool is_system(const char *path)
{
	return is_within(path, "/usr") || is_within(path, "/etc") || is_within(path, "/opt") ||
	       is_within(path, "/nix") || is_within(path, "/gnu");
}

static int check_project(const struct jail_settings *s, struct err *err)
{
	static const char *const never[] = {"/usr", "/etc", "/opt", "/proc", "/sys", "/dev", "/run", "/bin",
					    "/sbin", "/lib", "/lib64", "/boot", "/var", "/home", "/root",
					    "/tmp", "/var/tmp"};
	const char *p = s->project;

	if (!p)
		return 0;
	if (p[0] != '/')
		return err_set(err, EINVAL, "the project '%s' is not an absolute path", p);
	if (is_within(s->home, p)) {
		err_set(err, 0, "the project '%s' %s the home folder, and with it keys and settings", p,
			strcmp(p, s->home) ? "holds" : "is");
		return err_fix(err, "cd into one project's folder, or name it: drydock run -C DIR ...");
	}
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		if (!strcmp(p, never[i]) || (i <= 7 && is_within(p, never[i]))) {
			err_set(err, 0, "the project '%s' is part of the system, or shared by all its users", p);
			return err_fix(err, "cd into a project's folder, or name it: drydock run -C DIR ...");
		}
	}
	return 0;
}

static int check_mounts(const struct jail_settings *s, struct err *err)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct jail_mount *m = &s->mounts[i];
		if (m->host[0] != '/' || m->inside[0] != '/')
			return err_set(err, EINVAL, "the mount '%s' is not an absolute path", m->host);
		if (is_within(s->home, m->host) || is_within(s->home, m->inside)) {
			err_set(err, 0, "the mount '%s' shows the whole home folder", m->host);
			return err_fix(err, "mount the folders that are needed, one by one");
		}
	}
	return 0;
}

static void add_root(struct maker *m)
{
	static const char *const system_dirs[] = {"/usr", "/etc", "/opt", "/nix", "/gnu"};
	static const char *const links[] = {"/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"};

	add(m, STEP_TMPFS, "/", NULL)->size_bytes = ROOT_BYTES;
	for (size_t i = 0; i < sizeof(system_dirs) / sizeof(system_dirs[0]); i++)
		add(m, STEP_BIND, system_dirs[i], system_dirs[i])->is_optional = true;
	/* A link into /usr on merged systems, a folder of its own elsewhere: the step finds out. */
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		add(m, STEP_BIND, links[i], links[i])->is_optional = true;
	add(m, STEP_DIR, "/var", NULL);
	add(m, STEP_LINK, "/var/run", "../run");
	static const char *const empty[] = {"/tmp", "/run", "/var/tmp"};
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		struct step *tmp = add(m, STEP_TMPFS, empty[i], NULL);
		tmp->is_writable = true;
		tmp->size_bytes = TMP_BYTES;
	}
	add(m, STEP_PROC, "/proc", NULL);
	/* Root's files as the host sees it: their modes hold nobody who is root inside as well. */
	static const char *const of_root[] = {"/proc/acpi", "/proc/asound", "/proc/driver", "/proc/mtrr",
					      "/proc/pressure", "/proc/scsi"};
	for (size_t i = 0; m->settings->agent_uid == 0 && i < sizeof(of_root) / sizeof(of_root[0]); i++)
		add(m, STEP_PROTECT, of_root[i], NULL)->is_optional = true;
	add(m, STEP_SYS, "/sys", NULL);
	add(m, STEP_DEV, "/dev", NULL);
	struct step *home = add(m, STEP_TMPFS, m->settings->home, NULL);
	home->is_writable = true;
	home->size_bytes = TMP_BYTES;
}

static void add_bind(struct maker *m, const struct jail_mount *mount)
{
	struct step *step = add(m, STEP_BIND, mount->inside, mount->host);
	step->is_writable = mount->is_writable;
	step->is_optional = mount->is_optional;
	step->is_idmapped = m->settings->agent_uid != m->settings->uid && !is_system(mount->host);
}

/* The entry read-only, and every folder on the way to it pinned, so that none can be renamed away. */
static void add_protected(struct maker *m, const char *entry)
{
	char path[PATH_MAX];
	const char *base = m->settings->project;
	bool is_absolute = entry[0] == '/';

	for (size_t i = 0; is_absolute && i < m->settings->n_mounts; i++)
		if (is_within(entry, m->settings->mounts[i].inside))
			base = m->settings->mounts[i].inside;
	if ((is_absolute && !is_within(entry, base)) ||
	    snprintf(path, sizeof(path), "%s%s%s", is_absolute ? "" : base, is_absolute ? "" : "/", entry) >=
		    (int)sizeof(path))
		return; /* not shown at all, or longer than any path the kernel would open */
	for (char *slash = path + strlen(base) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		bool is_pinned = false;
		for (size_t i = 0; i < m->plan->n_steps && !m->is_full; i++)
			is_pinned |= m->plan->steps[i].kind == STEP_PIN &&
				     !strcmp(m->plan->steps[i].inside, path);
		if (!is_pinned)
			add(m, STEP_PIN, path, NULL)->is_optional = true;
		*slash = '/';
	}
	add(m, STEP_PROTECT, path, NULL)->is_optional = true;
}

/*
 * The mounts and the project, parents first: a path is longer than that of any folder above it. Among equals the
 * order given holds, the project before all, so that what was asked for last lies on top.
 */
static void add_binds(struct maker *m)
{
	const struct jail_settings *s = m->settings;
	struct jail_mount project = {.host = s->project, .inside = s->project, .is_writable = true};
	size_t n_left = s->n_mounts + (s->project != NULL), at_least = 0;

	while (n_left > 0) {
		size_t next = SIZE_MAX;
		for (size_t i = 0; i <= s->n_mounts; i++) {
			const struct jail_mount *mount = i ? &s->mounts[i - 1] : &project;
			size_t n = mount->inside ? strlen(mount->inside) : 0;
			if (n && n == at_least) {
				add_bind(m, mount);
				n_left--;
			} else if (n > at_least && n < next) {
				next = n;
			}
		}
		at_least = next;
	}
}

static void add_all_protected(struct maker *m)
{
	const struct jail_settings *s = m->settings;
	if (!s->project)
		return;
	/* .git itself is only for protect: as a folder the agent works in it, as a file view adds it. */
	for (size_t i = 1; plan_protected[i]; i++)
		add_protected(m, plan_protected[i]);
	for (size_t i = 0; i < s->n_protected; i++)
		add_protected(m, s->protected[i]);
}

/* Is @inside covered by what a step after number @after puts there? */
static bool is_covered(const struct plan *plan, size_t after, size_t n_steps, const char *inside)
{
	for (size_t i = after + 1; i < n_steps; i++)
		if ((plan->steps[i].kind == STEP_BIND || plan->steps[i].kind == STEP_TMPFS) &&
		    is_within(inside, plan->steps[i].inside))
			return true;
	return false;
}

/*
 * A host socket stays connectable through a read-only mount; only covering it closes it, at every path that shows it.
 * A socket in the project or in a folder mounted read-write is the user's own doing.
 */
static void add_masks(struct maker *m, const char *const *sockets, size_t n_sockets)
{
	size_t n_steps = m->plan->n_steps;

	for (size_t i = 0; i < n_sockets; i++) {
		for (size_t j = 0; j < n_steps && !m->is_full; j++) {
			const struct step *step = &m->plan->steps[j];
			char inside[PATH_MAX];
			if (step->kind != STEP_BIND || step->is_writable || !is_within(sockets[i], step->host) ||
			    snprintf(inside, sizeof(inside), "%s%s", step->inside,
				     sockets[i] + strlen(step->host)) >= (int)sizeof(inside))
				continue;
			if (!is_covered(m->plan, j, n_steps, inside))
				add(m, STEP_MASK, inside, NULL)->is_optional = true;
		}
	}
}

/* An id that nobody has would break ssh, git and Node: it gets a name. */
static void add_accounts(struct maker *m)
{
	const struct jail_settings *s = m->settings;
	char text[PATH_MAX + 256];

	if (!s->is_unnamed)
		return;
	(void)snprintf(text, sizeof(text),
		       "root:x:0:0:root:/root:/bin/sh\nagent:x:%u:%u:agent:%s:/bin/bash\n"
		       "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		       s->agent_uid, s->agent_gid, s->home); /* has room */
	add(m, STEP_FILE, "/etc/passwd", text)->is_optional = true;
	(void)snprintf(text, sizeof(text), "root:x:0:\nagent:x:%u:\nnogroup:x:65534:\n", s->agent_gid);
	add(m, STEP_FILE, "/etc/group", text)->is_optional = true;
}

int plan_make(const struct jail_settings *settings, const char *const *sockets, size_t n_sockets,
	      struct plan **out, struct err *err)
{
	if (!settings->home || settings->home[0] != '/' || !strcmp(settings->home, "/"))
		return err_set(err, EINVAL, "HOME is '%s', not an absolute path below /",
			       settings->home ? settings->home : "");
	int rc = check_project(settings, err);
	if (rc == 0)
		rc = check_mounts(settings, err);
	if (rc < 0)
		return rc;
	struct maker m = {.plan = calloc(1, sizeof(struct plan)), .settings = settings};
	if (!m.plan)
		return err_set(err, ENOMEM, "planning the jail");
	add_root(&m);
	add_binds(&m);
	add_all_protected(&m);
	for (size_t i = 0; i < settings->n_masks; i++)
		add(&m, STEP_MASK, settings->masks[i], NULL)->is_optional = true;
	add_masks(&m, sockets, n_sockets);
	add(&m, STEP_FILE, "/etc/resolv.conf", "nameserver 127.0.0.1\noptions edns0\n")->is_optional = true;
	add_accounts(&m);
	char hosts[512];
	(void)snprintf(hosts, sizeof(hosts), "127.0.0.1 localhost\n::1 localhost\n127.0.0.1 %s\n",
		       settings->session_id); /* ids are short */
	add(&m, STEP_FILE, "/etc/hosts", hosts)->is_optional = true;
	if (m.is_full) {
		plan_free(m.plan);
		return err_set(err, ENOMEM, "planning the jail");
	}
	*out = m.plan;
	return 0;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->n_steps; i++) {
		free(plan->steps[i].inside);
		free(plan->steps[i].host);
	}
	free(plan->steps);
	free(plan);
}

void plan_print(const struct plan *plan, struct buf *out)
{
	static const char *const words[STEP_KINDS] = {
		[STEP_TMPFS] = "tmpfs",	    [STEP_DIR] = "dir",	  [STEP_LINK] = "link",
		[STEP_BIND] = "bind",	    [STEP_PROTECT] = "protect", [STEP_PIN] = "pin",
		[STEP_MASK] = "mask",	    [STEP_PROC] = "proc",	  [STEP_SYS] = "sys",
		[STEP_DEV] = "dev",	    [STEP_FILE] = "file",
	};
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct step *s = &plan->steps[i];
		(void)buf_putf(out, "%-8s%s %s", words[s->kind], s->is_writable ? "rw" : "ro",
			       s->inside); /* is_cut remembers */
		if (s->kind == STEP_LINK || (s->kind == STEP_BIND && strcmp(s->host, s->inside) != 0))
			(void)buf_putf(out, " <- %s", s->host);
		(void)buf_putf(out, "%s%s\n", s->is_idmapped ? " idmapped" : "",
			       s->is_optional ? " (if there)" : "");
	}
}
