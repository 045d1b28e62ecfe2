/* SPDX-License-Identifier: Apache-2.0 */
#include "session/session.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/own.h"
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum {
	ID_TRIES = 64,
	RUNTIME_MAX_ENTRIES = 64,
	STATE_MAX_ENTRIES = 100000,
	META_MAX_BYTES = 1 << 20,
};

/* A folder of the caller's that nobody else can write; symlinks to one will do. */
static bool is_own_folder(const char *path, mode_t forbidden)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & forbidden);
}

static int check_home(const char *home, struct err *err)
{
	if (!home || home[0] != '/') {
		err_set(err, 0, "HOME is %s", home ? "not an absolute path" : "not set");
		return err_fix(err, "export HOME=/your/home");
	}
	if (!is_own_folder(home, 0)) {
		err_set(err, 0, "HOME is '%s', which is not a folder of yours", home);
		return err_fix(err, "set HOME to your own home folder (with sudo: sudo -H)");
	}
	return 0;
}

int session_roots_find(const struct session_env *env, struct session_roots *out, struct err *err)
{
	struct session_roots roots;
	int rc = check_home(env->home, err);
	if (rc < 0)
		return rc;
	bool has_state = env->xdg_state_home && env->xdg_state_home[0] == '/';
	int n = snprintf(roots.state, sizeof(roots.state), "%s%s/drydock/sessions",
			 has_state ? env->xdg_state_home : env->home,
			 has_state ? "" : "/.local/state");
	if (n >= (int)sizeof(roots.state))
		return err_set(err, ENAMETOOLONG, "the state folder's path");

	const char *run = env->xdg_runtime_dir;
	if (run && run[0] == '/' && is_own_folder(run, 077))
		n = snprintf(roots.runtime, sizeof(roots.runtime), "%s/drydock", run);
	else
		n = snprintf(roots.runtime, sizeof(roots.runtime), "%s/drydock-%u", env->tmp,
			     (unsigned)geteuid());
	if (n >= (int)sizeof(roots.runtime))
		return err_set(err, ENAMETOOLONG, "the runtime folder's path");
	*out = roots;
	return 0;
}

/* A signal that only wakes us up (a child ended, the window was resized) must not leave a folder behind. */
static int lock_whole(int fd)
{
	int rc;

	do
		rc = flock(fd, LOCK_EX);
	while (rc < 0 && errno == EINTR);
	return rc;
}

/* The runtime root, locked against others who make or sweep. */
static int runtime_lock(const struct session_roots *roots, int *out_fd, struct err *err)
{
	int rc = fs_make_private_dir(roots->runtime, err);
	if (rc < 0)
		return rc;
	AUTO(fd) int fd = open(roots->runtime, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || lock_whole(fd) < 0)
		return err_set(err, errno, "locking '%s'", roots->runtime);
	*out_fd = fd_take(&fd);
	return 0;
}

/* The caller holds the lock on @runtime_fd, so a folder without a held lock has no owner. */
static bool is_held(int runtime_fd, const char *id)
{
	AUTO(fd) int dir = openat(runtime_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return false;
	AUTO(fd) int lock = openat(dir, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) < 0;
}

static void sweep(int runtime_fd, const char *root, bool is_dry, session_removed *seen, void *arg)
{
	AUTO(dir) DIR *dir = fdopendir(fcntl(runtime_fd, F_DUPFD_CLOEXEC, 3));
	if (!dir)
		return;
	struct dirent *entry;
	while ((entry = readdir(dir))) {
		char path[PATH_MAX + 64];
		if (!session_id_is_valid(entry->d_name) || is_held(runtime_fd, entry->d_name))
			continue;
		/* what cannot be removed today is tried again at the next start */
		if (!is_dry && fs_remove_tree(runtime_fd, entry->d_name, RUNTIME_MAX_ENTRIES, NULL) < 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%.63s", root, entry->d_name); /* a valid id */
		if (seen)
			seen(path, arg);
	}
}

int session_sweep(const struct session_roots *roots, bool is_dry, session_removed *seen, void *arg,
		  struct err *err)
{
	AUTO(fd) int runtime_fd = -1;
	if (access(roots->runtime, F_OK) < 0 && errno == ENOENT)
		return 0;
	int rc = runtime_lock(roots, &runtime_fd, err);
	if (rc == 0)
		sweep(runtime_fd, roots->runtime, is_dry, seen, arg);
	return rc;
}

static void make_id(const char *name, char out[SESSION_ID_BYTES])
{
	char base[SESSION_NAME_MAX_BYTES + 1];
	size_t n = 0;

	for (; *name && n < SESSION_NAME_MAX_BYTES; name++) {
		char c = *name;
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		if (is_plain)
			base[n++] = c;
		else if (n && base[n - 1] != '-')
			base[n++] = '-';
	}
	while (n && base[n - 1] == '-')
		n--;
	base[n] = '\0';

	uint16_t number = 0;
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		number =
			(uint16_t)clock_wall_ms(); /* only uniqueness is asked, and it is checked */
	(void)snprintf(out, SESSION_ID_BYTES, "%.*s-%04x", SESSION_NAME_MAX_BYTES,
		       n ? base : "session", number);
}

/* 0, -EEXIST to try another id, or a failure. */
static int claim(const struct session_roots *roots, int runtime_fd, struct session *s,
		 struct err *err)
{
	(void)snprintf(s->state_dir, sizeof(s->state_dir), "%s/%s", roots->state, s->id);
	(void)snprintf(s->runtime_dir, sizeof(s->runtime_dir), "%s/%s", roots->runtime, s->id);
	if (mkdir(s->state_dir, 0700) < 0)
		return err_set(err, errno, "making folder '%s'", s->state_dir);
	if (mkdirat(runtime_fd, s->id, 0700) < 0) {
		int why = errno;
		(void)rmdir(s->state_dir); /* just made, still empty */
		return err_set(err, why, "making folder '%s'", s->runtime_dir);
	}
	char lock[sizeof(s->runtime_dir) + 8];
	(void)snprintf(lock, sizeof(lock), "%s/lock", s->runtime_dir);
	s->lock_fd = open(lock, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	/* waits at most for somebody who looks whether it is held (is_held), and lets go at once */
	if (s->lock_fd < 0 || lock_whole(s->lock_fd) < 0)
		return err_set(err, errno, "locking '%s'", lock);
	return 0;
}

int session_take_over(const struct session *session, struct err *err)
{
	char path[PATH_MAX + 32], text[64];
	uint64_t began;
	int rc = proc_start_time(getpid(), &began, err);
	if (rc < 0)
		return rc;
	(void)snprintf(path, sizeof(path), "%s/supervisor", session->runtime_dir);
	AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int n = snprintf(text, sizeof(text), "%d %" PRIu64 "\n", (int)getpid(), began);
	if (fd < 0)
		return err_set(err, errno, "writing '%s'", path);
	rc = fs_write_all(fd, text, (size_t)n);
	return rc < 0 ? err_set(err, -rc, "writing '%s'", path) : 0;
}

static int no_supervisor(const char *id, struct err *err)
{
	(void)err_set(err, 0, "session %s is over", id);
	return -ESRCH;
}

int session_supervisor(const struct session_roots *roots, const char *id, pid_t *out_pid, int *out_pidfd,
		       struct err *err)
{
	char path[PATH_MAX + 64];
	AUTO(buf) struct buf text = {.max = 128};
	uint64_t began, now;
	int pid;

	if (!session_is_live(roots, id))
		return no_supervisor(id, err);
	(void)snprintf(path, sizeof(path), "%s/%s/supervisor", roots->runtime, id);
	int rc = fs_read(path, &text, err);
	if (rc < 0 || !buf_put(&text, "", 1))
		return rc == -ENOENT ? no_supervisor(id, err) : rc < 0 ? rc : -ENOMEM;
	if (sscanf((const char *)text.p, "%d %" SCNu64, &pid, &began) != 2 || pid <= 1)
		return err_set(err, 0, "'%s' names no process", path);
	AUTO(fd) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* looked at after the descriptor was had: its process is the one that began then, or it is gone */
	if (pidfd < 0 || proc_start_time(pid, &now, NULL) < 0 || now != began)
		return no_supervisor(id, err);
	*out_pid = pid;
	*out_pidfd = fd_take(&pidfd);
	return 0;
}

int session_create(const struct session_roots *roots, const char *name, struct session *out,
		   struct err *err)
{
	return session_create_apart(roots, name, NULL, NULL, out, err);
}

int session_create_apart(const struct session_roots *roots, const char *name, bool (*is_taken)(const char *id, void *arg),
			 void *arg, struct session *out, struct err *err)
{
	struct session s = {.lock_fd = -1};
	AUTO(fd) int runtime_fd = -1;
	int rc = fs_make_dirs(roots->state, 0700, err);
	if (rc == 0)
		rc = runtime_lock(roots, &runtime_fd, err);
	if (rc < 0)
		return rc;
	sweep(runtime_fd, roots->runtime, false, NULL, NULL);

	rc = -EEXIST;
	for (int i = 0; i < ID_TRIES && rc == -EEXIST; i++) {
		make_id(name, s.id);
		rc = is_taken && is_taken(s.id, arg) ? -EEXIST : claim(roots, runtime_fd, &s, err);
	}
	if (rc == 0)
		rc = session_take_over(&s, err);
	if (rc < 0)
		return rc;
	*out = s;
	return 0;
}

/* Removes one entry of a root; the root itself is ours and private. */
static void remove_below(const char *root, const char *id, size_t max_entries)
{
	AUTO(fd) int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		(void)fs_remove_tree(fd, id, max_entries, NULL); /* the next sweep tries again */
}

void session_end(struct session *session)
{
	if (session->lock_fd < 0)
		return;
	char root[PATH_MAX];
	(void)snprintf(root, sizeof(root), "%.*s",
		       (int)(strlen(session->runtime_dir) - strlen(session->id)),
		       session->runtime_dir);
	remove_below(root, session->id, RUNTIME_MAX_ENTRIES);
	fd_drop(&session->lock_fd);
}

void session_forget(const struct session_roots *roots, const struct session *session)
{
	remove_below(roots->state, session->id, STATE_MAX_ENTRIES);
}

int session_keep(const struct session *session, struct err *err)
{
	return session_write(session, "keep", span_of(""), err);
}

bool session_is_live(const struct session_roots *roots, const char *id)
{
	AUTO(fd) int fd = open(roots->runtime, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 && is_held(fd, id);
}

bool session_is_alone(const struct session_roots *roots, const struct session *session)
{
	AUTO(dir) DIR *dir = opendir(roots->runtime);
	struct dirent *entry;
	while (dir && (entry = readdir(dir)))
		if (session_id_is_valid(entry->d_name) && strcmp(entry->d_name, session->id) != 0)
			return false;
	return dir != NULL;
}

bool session_id_is_valid(const char *id)
{
	size_t n = strlen(id);
	if (n == 0 || n >= SESSION_ID_BYTES || id[0] == '-')
		return false;
	return strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* True when today's look has been had; else remembers that it is being had now. */
static bool is_pruned_today(int state_fd, uint64_t now_ms)
{
	enum { DAY_S = 24 * 60 * 60 };
	struct stat st;
	time_t now = (time_t)(now_ms / 1000);
	if (fstatat(state_fd, ".pruned", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime <= now &&
	    now - st.st_mtime < DAY_S)
		return true;
	AUTO(fd)
	int fd = openat(state_fd, ".pruned", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	const struct timespec times[2] = {{.tv_sec = now}, {.tv_sec = now}};
	return fd < 0 ||
	       futimens(fd, times) < 0; /* cannot remember: better no look than one each time */
}

/* Ended, not marked `keep`, and not changed for @older_than_s seconds. */
static bool is_old(int state_fd, const struct session_roots *roots, const char *id, uint64_t now_s,
		   uint64_t older_than_s)
{
	struct stat st;
	char keep[SESSION_ID_BYTES + 8];
	if (!session_id_is_valid(id) || fstatat(state_fd, id, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode) || (uint64_t)st.st_mtime + older_than_s > now_s)
		return false;
	(void)snprintf(keep, sizeof(keep), "%.*s/keep", SESSION_ID_BYTES, id);
	return faccessat(state_fd, keep, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && !session_is_live(roots, id);
}

int session_remove_old(const struct session_roots *roots, uint64_t now_ms, uint64_t older_than_s, bool is_dry,
		       session_removed *seen, void *arg, struct err *err)
{
	AUTO(dir) DIR *dir = opendir(roots->state);
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : err_set(err, errno, "opening '%s'", roots->state);
	while ((entry = readdir(dir))) {
		char path[PATH_MAX + 64];
		if (!is_old(dirfd(dir), roots, entry->d_name, now_ms / 1000, older_than_s))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%.63s", roots->state, entry->d_name); /* a valid id */
		int rc = is_dry ? 0 : fs_remove_tree(dirfd(dir), entry->d_name, STATE_MAX_ENTRIES, err);
		if (rc < 0)
			return rc;
		if (seen)
			seen(path, arg);
	}
	return 0;
}

void session_prune(const struct session_roots *roots, uint64_t now_ms)
{
	AUTO(fd) int fd = open(roots->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || is_pruned_today(fd, now_ms))
		return;
	/* what cannot be removed today is tried again tomorrow */
	(void)session_remove_old(roots, now_ms, (uint64_t)SESSION_KEPT_DAYS * 24 * 60 * 60, false, NULL, NULL,
				 NULL);
}

static bool is_newer(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

int session_find(const struct session_roots *roots, const char *wanted,
		 char out_id[SESSION_ID_BYTES], struct err *err)
{
	if (wanted && !session_id_is_valid(wanted)) {
		(void)err_set(err, 0, "'%s' is no session id", wanted);
		(void)err_fix(err, "ids look like shop-7f3a; without one the newest is taken");
		return -ENOENT; /* also when nobody reads @err */
	}
	AUTO(dir) DIR *dir = opendir(roots->state);
	if (!dir && errno != ENOENT)
		return err_set(err, errno, "opening '%s'", roots->state);
	struct timespec newest = {0};
	char found[SESSION_ID_BYTES] = "";
	struct dirent *entry;
	while (dir && (entry = readdir(dir))) {
		struct stat st;
		if (!session_id_is_valid(entry->d_name) ||
		    (wanted && strncmp(entry->d_name, wanted, strlen(wanted)) != 0) ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		bool is_exact = wanted && !strcmp(entry->d_name, wanted);
		if (!is_exact && found[0] && !is_newer(&st.st_mtim, &newest))
			continue;
		newest = st.st_mtim;
		(void)memccpy(found, entry->d_name, '\0', sizeof(found)); /* valid ids fit */
		if (is_exact)
			break;
	}
	if (!found[0]) {
		(void)err_set(err, 0, wanted ? "no session '%s' in '%s'" : "no session%s in '%s' yet",
			      wanted ? wanted : "", roots->state);
		(void)err_fix(err, "see them all: drydock ls -a");
		return -ENOENT; /* also when nobody reads @err */
	}
	memcpy(out_id, found, sizeof(found));
	return 0;
}

static int by_age(const void *a, const void *b)
{
	const struct session_entry *x = a, *y = b;
	if (x->changed_s != y->changed_s)
		return x->changed_s < y->changed_s ? 1 : -1;
	return x->changed_ns < y->changed_ns ? 1 : x->changed_ns > y->changed_ns ? -1 : 0;
}

int session_list(const struct session_roots *roots, struct session_entry **out, size_t *out_n,
		 struct err *err)
{
	AUTO(dir) DIR *dir = opendir(roots->state);
	AUTO(mem) struct session_entry *list = NULL;
	size_t n = 0;

	if (!dir && errno != ENOENT)
		return err_set(err, errno, "opening '%s'", roots->state);
	AUTO(fd) int runtime =
		open(roots->runtime, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *entry;
	while (dir && (entry = readdir(dir)) && n < SESSION_LIST_MAX) {
		struct stat st;
		if (!session_id_is_valid(entry->d_name) ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		struct session_entry *grown = reallocarray(list, n + 1, sizeof(*list));
		if (!grown)
			return err_set(err, ENOMEM, "listing sessions");
		list = grown;
		list[n] = (struct session_entry){.changed_s = (uint64_t)st.st_mtim.tv_sec,
						 .changed_ns = (uint32_t)st.st_mtim.tv_nsec};
		(void)memccpy(list[n].id, entry->d_name, '\0', sizeof(list[n].id)); /* valid ids fit */
		list[n].is_live = runtime >= 0 && is_held(runtime, list[n].id);
		n++;
	}
	if (n)
		qsort(list, n, sizeof(*list), by_age);
	*out = TAKE(list);
	*out_n = n;
	return 0;
}

int session_find_live(const struct session_roots *roots, const char *wanted,
		      char out_id[SESSION_ID_BYTES], struct err *err)
{
	AUTO(mem) struct session_entry *list = NULL;
	size_t n = 0;
	const struct session_entry *found = NULL;

	int rc = wanted && !session_id_is_valid(wanted) ? session_find(roots, wanted, out_id, err)
							: session_list(roots, &list, &n, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		if (!list[i].is_live || (wanted && strncmp(list[i].id, wanted, strlen(wanted)) != 0))
			continue;
		bool is_exact = wanted && !strcmp(list[i].id, wanted);
		if (!found || is_exact)
			found = &list[i];
	}
	if (!found && wanted) {
		(void)err_set(err, 0, "no running session '%s'", wanted);
		(void)err_fix(err, "see what runs: drydock ls");
		return -ENOENT; /* also when nobody reads @err */
	}
	if (!found) {
		(void)err_set(err, 0, "no session is running");
		return -ENOENT;
	}
	memcpy(out_id, found->id, sizeof(found->id));
	return 0;
}

int session_write(const struct session *session, const char *name, struct span content,
		  struct err *err)
{
	char path[PATH_MAX + 64], temp[PATH_MAX + 64];
	(void)snprintf(path, sizeof(path), "%s/%s", session->state_dir, name);
	(void)snprintf(temp, sizeof(temp), "%s/.%s.new", session->state_dir, name);
	AUTO(fd) int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, errno, "writing '%s'", temp);
	int rc = fs_write_all(fd, content.p, content.n);
	if (rc == 0 && rename(temp, path) < 0)
		rc = -errno;
	if (rc < 0) {
		(void)unlink(temp); /* the failure itself is what the caller must hear of */
		return err_set(err, -rc, "writing '%s'", path);
	}
	return 0;
}

static void put_time(struct json *j, const char *key, uint64_t wall_ms)
{
	char text[CLOCK_TEXT_BYTES];
	clock_print(wall_ms, text);
	json_str(j, key, text);
}

int session_write_meta(const struct session *session, const struct session_meta *meta,
		       struct err *err)
{
	AUTO(buf) struct buf text = {.max = META_MAX_BYTES};
	struct json j = {.out = &text};
	json_open(&j, NULL, '{');
	json_u64(&j, "v", 1);
	json_str(&j, "session", session->id);
	json_str(&j, "mode", meta->mode ? meta->mode : "contain");
	json_str(&j, "engine", meta->engine);
	if (meta->project)
		json_str(&j, "project", meta->project);
	json_str(&j, "cwd", meta->cwd);
	json_open(&j, "command", '[');
	for (char *const *word = meta->argv; *word; word++)
		json_str(&j, NULL, *word);
	json_close(&j, ']');
	if (meta->layers)
		json_str(&j, "layers", meta->layers);
	if (meta->pid && !meta->ended_ms)
		json_i64(&j, "pid", meta->pid);
	json_open(&j, "mounts", '[');
	for (size_t i = 0; i < meta->n_mounts; i++) {
		json_open(&j, NULL, '{');
		json_str(&j, "path", meta->mounts[i].path);
		json_bool(&j, "writable", meta->mounts[i].is_writable);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	put_time(&j, "started", meta->started_ms);
	if (meta->ended_ms) {
		put_time(&j, "ended", meta->ended_ms);
		json_i64(&j, "exit", meta->exit_code);
		json_u64(&j, "refused", meta->n_refused);
	}
	json_close(&j, '}');
	(void)buf_put(&text, "\n", 1); /* is_cut remembers */
	if (text.is_cut)
		return err_set(err, E2BIG, "writing meta.json: the command line is too long");
	return session_write(session, "meta.json", buf_span(&text), err);
}
