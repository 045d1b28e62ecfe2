/* SPDX-License-Identifier: Apache-2.0 */
/* report/meta.h - reads a session's meta.json back */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { META_MAX_WORDS = 256, META_MAX_MOUNTS = 256 };

/**
 * struct meta - what ran, when, and how it ended; strings are never NULL, "" when the file has none
 *
 * Paths and words are as they were: escape them (utf8_put_safe) before showing them. The strings live in @parsed.
 * @argv:	the first META_MAX_WORDS words of the command
 * @pid:	of the session's first process while it runs; 0 otherwise
 * @has_ended:	@ended and @exit_code count; false for a session that runs, or was killed
 */
struct meta {
	const char *mode, *engine, *project, *cwd, *layers, *started, *ended;
	const char *argv[META_MAX_WORDS];
	size_t n_argv;
	struct {
		const char *path;
		bool is_writable;
	} mounts[META_MAX_MOUNTS];
	size_t n_mounts;
	int64_t pid;
	int exit_code;
	uint64_t n_refused;
	bool has_ended;
	void *parsed;
};

/**
 * meta_read() - read one
 * @path:	".../meta.json"
 * @out:	written on success; end with meta_drop()
 *
 * Return: 0; -ENOENT; -EINVAL for what is no such file; or another negative errno value.
 */
int meta_read(const char *path, struct meta *out, struct err *err);
void meta_drop(struct meta *meta);
