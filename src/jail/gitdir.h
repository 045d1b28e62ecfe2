/* SPDX-License-Identifier: Apache-2.0 */
/* jail/gitdir.h - which files of a git repository lead git to run something on the host later */
#pragma once
#include "base/err.h"

#include <limits.h>
#include <stdbool.h>

/**
 * gitdir_common() - the common git folder of a linked worktree
 * @project:	whose .git may be a file "gitdir: COMMON/worktrees/NAME"
 * @out:	real path of COMMON, written on true
 *
 * The file may be a hostile one that names any folder, so COMMON counts only when it is a repository (HEAD, objects,
 * refs) whose worktrees/NAME/gitdir names this very project's .git: git-worktree(1) keeps the two in step.
 */
bool gitdir_common(const char *project, char out[PATH_MAX]);

typedef int gitdir_seen(const char *entry, void *arg, struct err *err);

/**
 * gitdir_each() - calls @seen for each entry below @gitdir, relative to it, that is to be read-only: commondir, gitdir
 * and config.worktree of its worktrees; hooks, config, config.worktree and commondir of its submodules, nested ones too
 *
 * hooks and config of @gitdir itself are not among them (plan_protected has them). An entry need not exist.
 * Return: 0; what @seen returned, when negative; -E2BIG when there are more than can be protected.
 */
int gitdir_each(const char *gitdir, gitdir_seen *seen, void *arg, struct err *err);
