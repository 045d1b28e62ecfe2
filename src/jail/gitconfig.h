/* SPDX-License-Identifier: Apache-2.0 */
/* jail/gitconfig.h - looks at what a .git/config says after it was replaced while a session ran */
/*
 * git runs what its configuration names (core.fsmonitor, filters, aliases ...). In the moment
 * between a replacement from outside and the renewed mount (jail/renew.h), and later through a
 * descriptor that it opened then, the command may have written the file. What a user's own git
 * writes in daily work is known and runs nothing: branches, remotes, names. A file with anything
 * else that is new is moved away, and the last good one put back.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "jail/protect.h"

#include <limits.h>

enum { GITCONFIG_MAX_BYTES = 256 << 10 };

/** struct gitconfig - one file; start with gitconfig_begin(), end with gitconfig_end(). @path ""
 * when there is none */
struct gitconfig {
	char path[PATH_MAX];
	struct buf good;
};

/**
 * gitconfig_is_harmless() - does @now say nothing beyond @was but what makes git run nothing? Pure
 *
 * Source: git-config(1). A line counts as known when it stands in @was under the same section.
 */
bool gitconfig_is_harmless(struct span was, struct span now);

/** gitconfig_begin() - remember FOLDER/config as it is before the agent starts; no file is fine */
void gitconfig_begin(const char *folder, struct gitconfig *out);
void gitconfig_end(struct gitconfig *g);

/** gitconfig_watch() - have @inotify_fd wake when the file that is there now is written */
void gitconfig_watch(const struct gitconfig *g, int inotify_fd);

/**
 * gitconfig_check() - look at it now; what is harmless is good from now on
 * @moved:	told when it was not: the file went to @session_dir/moved/, and the good one is in
 * its place
 *
 * Return: 0; 1 when it was put back; a negative errno value when that failed.
 */
int gitconfig_check(struct gitconfig *g, const char *session_dir, protect_moved *moved, void *arg,
		    struct err *err);
