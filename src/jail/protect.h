/* SPDX-License-Identifier: Apache-2.0 */
/* jail/protect.h - protected entries that appear during a session: they were not there before it, or were taken away */
#pragma once
#include "base/err.h"
#include "jail/plan.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/inotify.h>

enum {
	PROTECT_MAX_ENTRIES = 32,
	PROTECT_COMMON_ENTRIES = 4,
	PROTECT_EVENTS = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM,
};

/**
 * struct protect - which entries of plan_protected are missing
 * @is_agreed:	may the entry of this name stay, since the user knows what it says? NULL for none may
 * @common:	the common git folder of a worktree (gitdir.h), whose own levers are looked after as well; "" for none
 */
struct protect {
	const char *project; /* borrowed; NULL for none */
	bool (*is_agreed)(const char *entry, void *arg);
	void *arg;
	unsigned char was_missing[PROTECT_MAX_ENTRIES];
	char common[PATH_MAX];
	ino_t files[PROTECT_MAX_ENTRIES]; /* those that were there */
	unsigned char was_missing_in_common[PROTECT_COMMON_ENTRIES];
	int folder[PROTECT_MAX_ENTRIES]; /* the watch on each one's folder; 0 for none */
	int common_folder;
};

/** protect_in_common() - what in the common git folder of a worktree leads git elsewhere; relative to it, NULL-terminated */
extern const char *const protect_in_common[];

/** protect_begin() - look, before the agent starts */
void protect_begin(const char *project, struct protect *out);

/**
 * protect_watch() - an inotify descriptor that wakes when something appears where a protected entry could
 *
 * Return: the caller's descriptor, or -1 when there is nothing to watch or the kernel has no watch left: the look
 * at the end stays.
 */
int protect_watch(struct protect *p);

/**
 * protect_drain() - read what woke @watch_fd, and watch folders that have appeared; true when a look is due (also after
 * a write to a file that somebody else watches through @watch_fd)
 *
 * An entry that was taken away counts as missing from then on: only the host can do that, and nobody knows who makes it
 * anew. One that is replaced in a single step is the host's (jail/renew.h).
 */
bool protect_drain(struct protect *p, int watch_fd);

/**
 * protect_unwatch() - stop watching at @watch_fd; the descriptor stays the caller's
 *
 * Closing an inotify descriptor waits until the kernel has let go of its watches, 5 to 15 ms (fsnotify's reaper). The
 * wait is over by itself when they were removed a few milliseconds before, and the end of a session has such.
 */
void protect_unwatch(int watch_fd);

typedef void protect_replaced(const char *entry, void *arg);

/** protect_each_replaced() - entries that are other files than when the session began, but for agreed ones */
void protect_each_replaced(const struct protect *p, protect_replaced *replaced, void *arg);

typedef void protect_moved(const char *entry, const char *to, void *arg);

/**
 * protect_end() - move entries that appeared into @session_dir/moved/, and report each; during a session and after it
 *
 * Such an entry would run on the host (git hooks, editor tasks, agent settings), so it does not stay in the project.
 * A symbolic link on the way to one is moved itself, whatever it leads to. Modes that the command set on the way are
 * lent the owner's rights for the moment of the move. Where @session_dir is on another file system, the entry stays in
 * its folder under a random name.
 * Return: how many were moved; a negative errno value when one could not be, @err naming it.
 */
int protect_end(const struct protect *p, const char *session_dir, protect_moved *moved, void *arg,
		struct err *err);
