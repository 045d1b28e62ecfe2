/* SPDX-License-Identifier: Apache-2.0 */
/* session/session.h - a contained session on disk: id, state folder, runtime folder and its lock */
/*
 *   STATE/sessions/ID/   policy, meta.json, audit.jsonl: what stays as evidence
 *   RUNTIME/ID/lock      held by flock(2) as long as the session lives; the folder goes with it
 *   RUNTIME/ID/supervisor  process id of who holds it, and when that process began
 * Whoever makes or sweeps runtime folders holds flock on RUNTIME itself, so a folder that is just
 * being made is never taken for one left by a killed session.
 */
#pragma once
#include "base/err.h"
#include "base/span.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	SESSION_NAME_MAX_BYTES = 24,
	SESSION_ID_BYTES = SESSION_NAME_MAX_BYTES + sizeof("-7f3a"),
	SESSION_KEPT_DAYS =
		30, /* state folders of ended sessions; those marked `keep` stay for good */
};

/**
 * struct session_env - what decides where sessions live; borrowed
 * @home:	$HOME; must be absolute and a folder of the caller's
 * @xdg_state_home, @xdg_runtime_dir: the variables, NULL when unset; a relative one is ignored, as
 *		the XDG specification says
 * @tmp:	"/tmp"; holds the runtime folder when there is no usable $XDG_RUNTIME_DIR
 */
struct session_env {
	const char *home;
	const char *xdg_state_home;
	const char *xdg_runtime_dir;
	const char *tmp;
};

/** struct session_roots - the two folders all sessions of one user are under */
struct session_roots {
	char state[PATH_MAX - 64];   /* .../drydock/sessions */
	char runtime[PATH_MAX - 64]; /* $XDG_RUNTIME_DIR/drydock or /tmp/drydock-UID */
};

struct session {
	char id[SESSION_ID_BYTES];
	char state_dir[PATH_MAX];
	char runtime_dir[PATH_MAX];
	int lock_fd; /* -1: no runtime folder is held */
};

/**
 * session_roots_find() - where this user's sessions live; makes nothing
 *
 * Return: 0, or a negative errno value when @env->home cannot be trusted.
 */
int session_roots_find(const struct session_env *env, struct session_roots *out, struct err *err);

/**
 * session_create() - a new id, its two folders (0700) and its lock
 * @name:	what the id begins with, usually the project's base name; anything but a-z 0-9 is
 *		made '-', so any text will do
 *
 * Removes the runtime folders of sessions that died without tidying up. @out is to be ended with
 * session_end().
 *
 * Return: 0 or a negative errno value.
 */
int session_create(const struct session_roots *roots, const char *name, struct session *out,
		   struct err *err);

/**
 * session_create_apart() - session_create() with an id that is free elsewhere too
 * @is_taken:	says so of an id, a container's name for one; another id is tried then
 */
int session_create_apart(const struct session_roots *roots, const char *name, bool (*is_taken)(const char *id, void *arg),
			 void *arg, struct session *out, struct err *err);

/**
 * session_take_over() - the calling process is the supervisor from now on (it was forked with the lock)
 *
 * session_create() has said so of its caller.
 */
int session_take_over(const struct session *session, struct err *err);

/**
 * session_supervisor() - the process that stays with a running session
 * @out_pidfd:	a pidfd of it, the caller's: what is signalled through it is that process and no later one of its number
 *
 * Return: 0; -ESRCH when there is none; or another negative errno value.
 */
int session_supervisor(const struct session_roots *roots, const char *id, pid_t *out_pid, int *out_pidfd,
		       struct err *err);

/** session_end() - remove the runtime folder and let the lock go; the state folder stays */
void session_end(struct session *session);

/** session_forget() - remove the state folder too: for sessions that are nobody's evidence */
void session_forget(const struct session_roots *roots, const struct session *session);

/** session_keep() - mark the state folder as one that is never removed on its own */
int session_keep(const struct session *session, struct err *err);

/**
 * session_prune() - remove state folders of sessions that ended over SESSION_KEPT_DAYS ago
 *
 * Looks once a day (the file ".pruned" remembers), so that starting a session costs the same
 * however many there were.
 */
void session_prune(const struct session_roots *roots, uint64_t now_ms);

/** session_removed() - one folder that was removed, or would be; @path is whole */
typedef void session_removed(const char *path, void *arg);

/**
 * session_sweep() - remove the runtime folders of sessions that were killed
 * @is_dry:	only say which
 *
 * Return: 0 or a negative errno value.
 */
int session_sweep(const struct session_roots *roots, bool is_dry, session_removed *seen, void *arg,
		  struct err *err);

/**
 * session_remove_old() - remove state folders of sessions that ended more than @older_than_s seconds ago
 *
 * Those marked `keep` stay, as does all of a session that runs.
 */
int session_remove_old(const struct session_roots *roots, uint64_t now_ms, uint64_t older_than_s, bool is_dry,
		       session_removed *seen, void *arg, struct err *err);

/**
 * session_write() - replace file @name of the state folder as a whole
 *
 * Unlike fs_replace() it does not wait for the disk: the record of a session may be lost with the
 * machine's power, but never half written for a reader.
 */
int session_write(const struct session *session, const char *name, struct span content,
		  struct err *err);

/**
 * session_find() - the session somebody means
 * @wanted:	an id, or its beginning; NULL for the newest. Of several that fit the newest is
 * taken
 *
 * Return: 0 with @out_id; -ENOENT when there is none; or another negative errno value.
 */
int session_find(const struct session_roots *roots, const char *wanted,
		 char out_id[SESSION_ID_BYTES], struct err *err);

/**
 * struct session_entry - one session of a list
 * @changed_s:	when its state folder last changed, seconds since 1970: what "newest" goes by
 */
struct session_entry {
	char id[SESSION_ID_BYTES];
	bool is_live;
	uint64_t changed_s;
	uint32_t changed_ns;
};

enum { SESSION_LIST_MAX = 10000 };

/**
 * session_list() - all sessions that have a state folder, newest first
 * @out:	the caller's to free(); the newest SESSION_LIST_MAX when there are more. NULL for none
 *
 * Return: 0 or a negative errno value.
 */
int session_list(const struct session_roots *roots, struct session_entry **out, size_t *out_n,
		 struct err *err);

/** session_find_live() - as session_find(), but only sessions that run are looked at */
int session_find_live(const struct session_roots *roots, const char *wanted,
		      char out_id[SESSION_ID_BYTES], struct err *err);

/** session_is_live() - its runtime folder is there and its lock is held */
bool session_is_live(const struct session_roots *roots, const char *id);

/** session_is_alone() - no other session of this user has a runtime folder */
bool session_is_alone(const struct session_roots *roots, const struct session *session);

/** session_id_is_valid() - could be an id or the beginning of one: a-z 0-9 '-', no path */
bool session_id_is_valid(const char *id);

/** struct session_mount - a host path that the session was shown */
struct session_mount {
	const char *path;
	bool is_writable;
};

/**
 * struct session_meta - what meta.json says
 * @mode:	"contain" or "dood"; NULL for contain
 * @engine:	"native" or "docker"
 * @pid:	of the session's first process, as the host sees it; 0 when it is not known
 * @mounts:	beside the project
 * @argv:	the command, NULL-terminated
 * @ended_ms:	0 while it runs; then @exit_code counts
 */
struct session_meta {
	const char *mode;
	const char *engine;
	const char *project; /* NULL for none */
	const char *cwd;
	char *const *argv;
	const char *layers;
	pid_t pid;
	const struct session_mount *mounts;
	size_t n_mounts;
	uint64_t started_ms, ended_ms;
	int exit_code;
	uint64_t n_refused;
};

/** session_write_meta() - replace meta.json of the state folder */
int session_write_meta(const struct session *session, const struct session_meta *meta,
		       struct err *err);
