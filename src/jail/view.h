/* SPDX-License-Identifier: Apache-2.0 */
/* jail/view.h - finds what a session shows: the project, toolchains, the command's own installation */
#pragma once
#include "base/err.h"
#include "jail/settings.h"

/** struct view - what was found; every string is owned. Start from `{0}` */
struct view {
	struct jail_mount *mounts;
	size_t n_mounts;
	char **masks; /* credentials inside of what is shown */
	size_t n_masks;
	char **protected; /* entries beyond the fixed list, relative to the project or absolute: of worktrees and submodules */
	size_t n_protected;
	char **strings; /* what mounts point into */
	size_t n_strings;
};

/**
 * view_project() - the git top level above @cwd, else @cwd itself; a real path
 *
 * Return: heap string, or NULL with @err set.
 */
char *view_project(const char *cwd, struct err *err);

/**
 * view_collect() - toolchains of @home that exist, the command's symlink chain and package folder, a git worktree's
 * common folder, submodules to protect
 * @command:	as typed; looked up in @path unless it holds a slash. One that is not found adds nothing: the jail
 *		says so when it runs it
 * @project:	NULL for none
 */
int view_collect(const char *home, const char *project, const char *command, const char *path,
		 struct view *out, struct err *err);
void view_drop(struct view *view);

/**
 * view_host() - what to mount for @path: where it leads when it is a symbolic link that lies in @home itself, else @path
 *
 * Nothing inside can put a link into the home, which is never shown writable. Deeper folders may have been (--mount), so
 * links there are not followed: they appear inside as the links they are.
 *
 * Return: heap string; NULL when memory ran out.
 */
char *view_host(const char *home, const char *path);
