/* SPDX-License-Identifier: Apache-2.0 */
/* engine/docker_file.h - the session's own compose file: command, environment, mounts and limits of its agent */
#pragma once
#include "base/buf.h"
#include "engine/compose.h"

enum { DOCKER_FILE_MAX_BYTES = 4 << 20, DOCKER_FILE_MAX_MOUNTS = 512 };

/**
 * struct docker_mounts - everything bound into the agent, each at its own path; strings are owned
 *
 * Made once and used twice: for the file, and to compare with what the container really got.
 */
struct docker_mounts {
	struct docker_mount {
		char *path;
		bool is_writable;
	} items[DOCKER_FILE_MAX_MOUNTS];
	size_t n;
};

/**
 * docker_mounts_make() - the project, the request's mounts that exist, and the project's protected entries read-only
 *
 * A protected entry that is a symbolic link, or lies behind one, is not mounted: what it leads to would be shown.
 *
 * Return: 0; -EPERM for a mount that holds docker's socket; or another negative errno value.
 */
int docker_mounts_make(const struct engine_request *request, struct docker_mounts *out, struct err *err);
void docker_mounts_drop(struct docker_mounts *mounts);

/**
 * enum docker_stdin - what the agent reads
 *
 * Docker passes the end of input on only to a container that was created attached, and compose creates it so for `run`
 * alone. A terminal has no end and /dev/null no beginning, so those two go the short way.
 */
enum docker_stdin { DOCKER_STDIN_NONE, DOCKER_STDIN_TTY, DOCKER_STDIN_STREAM };

/** struct docker_file - what goes in besides the request; borrowed */
struct docker_file {
	const struct engine_request *request;
	const struct docker_mounts *mounts;
	enum compose_kind kind;
	enum docker_stdin input;
	const char *user;	  /* "UID:GID" */
	const char *const *bound; /* host paths of the sidecar's own mounts, NULL-terminated; for v2 only */
};

/** docker_file_put() - the file as JSON, which is YAML; 0, or -E2BIG */
int docker_file_put(const struct docker_file *file, struct buf *out, struct err *err);
