/* SPDX-License-Identifier: Apache-2.0 */
/* base/fs.h - atomic replace, whole-file reads, folders made with a mode, bounded removal of a tree */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

/**
 * fs_read() - append a whole file to @out
 * @path:	any path; "/dev/fd/N" works too
 *
 * Return: 0; -EFBIG when it does not fit out->max; or a negative errno value. @err says which file.
 */
int fs_read(const char *path, struct buf *out, struct err *err);

/** fs_read_fd() - append everything that can be read from @fd to @out; as fs_read() */
int fs_read_fd(int fd, const char *name_for_errors, struct buf *out, struct err *err);

/** fs_write_all() - write(2) until all is written; 0 or a negative errno value */
int fs_write_all(int fd, const void *bytes, size_t n);

/**
 * fs_replace() - replace a file as a whole: temporary file beside it, fsync, rename
 *
 * A reader sees the old content or the new one, also after a crash.
 */
int fs_replace(const char *path, struct span content, mode_t mode, struct err *err);

/**
 * fs_make_dirs() - mkdir -p; folders that are made get @mode, those that exist are left alone
 *
 * Return: 0; -ENOTDIR when something else is in the place of one; or a negative errno value.
 */
int fs_make_dirs(const char *path, mode_t mode, struct err *err);

/**
 * fs_make_private_dir() - a 0700 folder that is ours: made, or checked (owner, mode, no symlink)
 *
 * Return: 0; -EPERM when something else is in its place.
 */
int fs_make_private_dir(const char *path, struct err *err);

/**
 * fs_remove_tree() - remove @name below the folder @dir_fd, of any depth
 * @max_entries: gives up (-E2BIG) after that many entries
 *
 * Never follows a symlink and never enters a mount (-EXDEV), bind mounts included. Folders that their owner may
 * not read or write, as module caches have them, go too. Not made for a tree that others change meanwhile.
 */
int fs_remove_tree(int dir_fd, const char *name, size_t max_entries, struct err *err);
