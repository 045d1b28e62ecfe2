/* SPDX-License-Identifier: Apache-2.0 */
/* config/trust.h - which content of which project file the user has read and agreed to */
/*
 * A record is a file DIR/SHA256(path) that holds the path, the hash of the content, the date, and a copy of the content,
 * so that a later change can be shown as a difference. DIR is private to the user and is never shown in a jail.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "config/rulefile.h"

#include <limits.h>
#include <stdbool.h>

enum { TRUST_FILE_MAX_BYTES = 256 << 10, TRUST_SINCE_BYTES = 32 };

enum trust_state {
	TRUST_NEW,     /* never trusted */
	TRUST_CHANGED, /* another content was trusted */
	TRUST_OK,
};

/**
 * struct trust_record - start from `struct trust_record r = {.content = {.max = TRUST_FILE_MAX_BYTES}};`, end with
 * buf_drop(&r.content)
 * @path:	of the project's file
 * @since:	when it was trusted, RFC 3339 in UTC
 */
struct trust_record {
	char path[PATH_MAX];
	char hash[SHA256_HEX_BYTES];
	char since[TRUST_SINCE_BYTES];
	struct buf content;
};

/**
 * trust_read_file() - a project's file as it stands now
 * @path:	".../.drydock"
 *
 * Return: 0; -ENOENT; -ELOOP for a symbolic link, -EINVAL for what is no file, or another negative errno value.
 */
int trust_read_file(const char *path, struct buf *out, struct err *err);

/** trust_look() - is this content of @path trusted? A record that cannot be read trusts nothing */
enum trust_state trust_look(const char *dir, const char *path, struct span content);

/**
 * trust_grant() - remember that the user agreed to this content
 *
 * Makes @dir, private, when it is missing. Return: 0 or a negative errno value.
 */
int trust_grant(const char *dir, const char *path, struct span content, struct err *err);

/** trust_revoke() - forget @path; 0, -ENOENT when it was not trusted, or another negative errno value */
int trust_revoke(const char *dir, const char *path, struct err *err);

/** trust_read() - what was trusted of @path; 0, -ENOENT, or another negative errno value */
int trust_read(const char *dir, const char *path, struct trust_record *out, struct err *err);

typedef void trust_seen(const struct trust_record *record, void *arg);

/** trust_each() - calls @seen for every record; 0 or a negative errno value */
int trust_each(const char *dir, trust_seen *seen, void *arg, struct err *err);

/**
 * trust_edit() - change a project's file by the user's own hand: what was trusted before stays trusted, and so is a
 * file that is made
 * @is_removal:	rulefile_remove() instead of rulefile_add()
 * @out_state:	of the new content
 *
 * Return: 0 or a negative errno value.
 */
int trust_edit(const char *dir, const struct rulefile *edit, bool is_removal, size_t *out_changed,
	       enum trust_state *out_state, struct err *err);
