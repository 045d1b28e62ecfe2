/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/cgroup.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { DEFAULT_PIDS = 4096, PERIOD_US = 100000, STALE_AFTER_S = 60 };

__attribute__((format(printf, 3, 4))) static bool write_value(const char *folder, const char *file,
							       const char *fmt, ...)
{
	char path[CGROUP_PATH_BYTES + 64], value[64];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (snprintf(path, sizeof(path), "%s/%s", folder, file) >= (int)sizeof(path))
		return false;
	AUTO(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, value, (size_t)n) == n;
}

static uint32_t max_pids(const struct jail_settings *s)
{
	return s->max_pids ? s->max_pids : DEFAULT_PIDS;
}

/* The folder of our own v2 cgroup ("0::/path" in /proc/self/cgroup), without its last part. */
static bool find_v2_parent(char out[CGROUP_PATH_BYTES])
{
	struct buf text = {.max = 16384};
	bool is_found = false;
	if (fs_read("/proc/self/cgroup", &text, NULL) == 0 && buf_put(&text, "", 1)) {
		char *line = strstr((char *)text.p, "0::/");
		if (line && (line == (char *)text.p || line[-1] == '\n')) {
			line[strcspn(line, "\n")] = '\0';
			char *last = strrchr(line + 3, '/');
			*last = '\0';
			is_found = snprintf(out, CGROUP_PATH_BYTES, "/sys/fs/cgroup%s", line + 3) <
				   CGROUP_PATH_BYTES;
		}
	}
	buf_drop(&text);
	return is_found;
}

static bool has_controllers(const char *parent)
{
	char path[CGROUP_PATH_BYTES + 32];
	struct buf text = {.max = 4096};
	(void)snprintf(path, sizeof(path), "%s/cgroup.subtree_control", parent); /* has room */
	bool has = fs_read(path, &text, NULL) == 0 && buf_put(&text, "", 1) &&
		   strstr((char *)text.p, "memory") && strstr((char *)text.p, "pids");
	buf_drop(&text);
	return has;
}

static bool make_v2(const struct jail_settings *s, struct cgroup *out)
{
	char parent[CGROUP_PATH_BYTES], *folder = out->folders[0];
	if (!find_v2_parent(parent) || !has_controllers(parent))
		return false;
	if (snprintf(folder, CGROUP_PATH_BYTES, "%s/drydock-%s.scope", parent, s->session_id) >=
		    CGROUP_PATH_BYTES ||
	    mkdir(folder, 0755) < 0)
		return false;
	out->n_folders = 1;
	bool is_set = write_value(folder, "pids.max", "%u", max_pids(s));
	if (s->memory_bytes)
		is_set = is_set && write_value(folder, "memory.max", "%" PRIu64, s->memory_bytes);
	if (s->cpu_percent)
		is_set = is_set && write_value(folder, "cpu.max", "%" PRIu64 " %d",
					       (uint64_t)s->cpu_percent * PERIOD_US / 100, PERIOD_US);
	return is_set;
}

static bool make_v1_folder(const struct jail_settings *s, const char *controller, struct cgroup *out)
{
	char *folder = out->folders[out->n_folders];
	(void)snprintf(folder, CGROUP_PATH_BYTES, "/sys/fs/cgroup/%s/drydock-%s", controller,
		       s->session_id); /* ids are short */
	if (mkdir(folder, 0755) < 0)
		return false;
	out->n_folders++;
	return true;
}

static bool make_v1(const struct jail_settings *s, struct cgroup *out)
{
	bool is_set = make_v1_folder(s, "pids", out) &&
		      write_value(out->folders[out->n_folders - 1], "pids.max", "%u", max_pids(s));
	if (is_set && s->memory_bytes)
		is_set = make_v1_folder(s, "memory", out) &&
			 write_value(out->folders[out->n_folders - 1], "memory.limit_in_bytes", "%" PRIu64,
				     s->memory_bytes);
	if (is_set && s->cpu_percent)
		is_set = make_v1_folder(s, "cpu", out) &&
			 write_value(out->folders[out->n_folders - 1], "cpu.cfs_quota_us", "%" PRIu64,
				     (uint64_t)s->cpu_percent * PERIOD_US / 100);
	return is_set;
}

/* No process is in it; one that cannot be read is not ours. */
static bool is_empty(const char *folder)
{
	char path[CGROUP_PATH_BYTES + 320];
	AUTO(buf) struct buf text = {.max = 65536};
	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", folder); /* has room */
	return fs_read(path, &text, NULL) == 0 && text.n == 0;
}

/*
 * A supervisor that was killed could not remove its folder. One that is older than a start takes and holds no
 * process any more goes now; rmdir(2) refuses the others.
 */
static void sweep_below(const char *parent, bool is_dry, cgroup_left *seen, void *arg)
{
	AUTO(dir) DIR *dir = opendir(parent);
	struct dirent *e;
	struct stat st;

	while (dir && (e = readdir(dir))) {
		char folder[CGROUP_PATH_BYTES + 256];
		if (strncmp(e->d_name, "drydock-", 8) != 0 ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode) ||
		    (uint64_t)st.st_ctime + STALE_AFTER_S >= clock_wall_ms() / 1000)
			continue;
		(void)snprintf(folder, sizeof(folder), "%s/%s", parent, e->d_name); /* has room */
		bool is_gone = is_dry ? is_empty(folder) : unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR) == 0;
		if (is_gone && seen)
			seen(folder, arg);
	}
}

static void sweep(const char *made)
{
	char parent[CGROUP_PATH_BYTES];
	(void)snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(made, '/') - made), made); /* shorter */
	sweep_below(parent, false, NULL, NULL);
}

void cgroup_sweep(bool is_dry, cgroup_left *seen, void *arg)
{
	static const char *const v1[] = {"/sys/fs/cgroup/pids", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu"};
	char parent[CGROUP_PATH_BYTES];
	if (find_v2_parent(parent))
		sweep_below(parent, is_dry, seen, arg);
	for (size_t i = 0; geteuid() == 0 && i < sizeof(v1) / sizeof(v1[0]); i++)
		sweep_below(v1[i], is_dry, seen, arg);
}

void cgroup_make(const struct jail_settings *settings, struct cgroup *out)
{
	*out = (struct cgroup){0};
	bool is_v2 = make_v2(settings, out);
	if (!is_v2)
		cgroup_remove(out);
	if (!is_v2 && !make_v1(settings, out)) {
		cgroup_remove(out);
		(void)snprintf(out->text, sizeof(out->text), "cgroup:off (not delegated; rlimits)");
		return;
	}
	out->has_tasks = !is_v2;
	for (int i = 0; i < out->n_folders; i++)
		sweep(out->folders[i]);
	char memory[32] = "";
	if (settings->memory_bytes)
		(void)snprintf(memory, sizeof(memory), "%" PRIu64 "M, ", settings->memory_bytes >> 20);
	(void)snprintf(out->text, sizeof(out->text), "cgroup(%s: %s%u pids)", is_v2 ? "v2" : "v1", memory,
		       max_pids(settings)); /* all short */
}

int cgroup_add(const struct cgroup *cgroup, pid_t pid, struct err *err)
{
	for (int i = 0; i < cgroup->n_folders; i++)
		if (!write_value(cgroup->folders[i], "cgroup.procs", "%d", pid))
			return err_set(err, errno, "moving the session into '%s'", cgroup->folders[i]);
	return 0;
}

int cgroup_enter(const struct cgroup *cgroup, struct err *err)
{
	for (int i = 0; i < cgroup->n_folders; i++)
		if (!write_value(cgroup->folders[i], "tasks", "0"))
			return err_set(err, errno, "entering '%s'", cgroup->folders[i]);
	return 0;
}

void cgroup_remove(struct cgroup *cgroup)
{
	for (int i = 0; i < cgroup->n_folders; i++)
		(void)rmdir(cgroup->folders[i]); /* gc finds what is still busy */
	cgroup->n_folders = 0;
}

int cgroup_rlimits(const struct jail_settings *settings, const struct cgroup *cgroup, struct err *err)
{
	struct rlimit none = {0, 0};
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return err_set(err, errno, "switching off core files");
	if (cgroup->n_folders)
		return 0;
	/* Set inside the user namespace it counts only the session's processes. */
	struct rlimit pids = {max_pids(settings), max_pids(settings)}, hard;
	if (getrlimit(RLIMIT_NPROC, &hard) == 0 && hard.rlim_max < pids.rlim_max)
		pids.rlim_cur = pids.rlim_max = hard.rlim_max;
	if (setrlimit(RLIMIT_NPROC, &pids) < 0)
		return err_set(err, errno, "limiting the number of processes");
	struct rlimit data = {settings->memory_bytes, settings->memory_bytes};
	if (settings->memory_bytes && setrlimit(RLIMIT_DATA, &data) < 0)
		return err_set(err, errno, "limiting memory");
	return 0;
}
