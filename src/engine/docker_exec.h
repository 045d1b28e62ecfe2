/* SPDX-License-Identifier: Apache-2.0 */
/* engine/docker_exec.h - one more command in the agent's container of a running session */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/**
 * struct docker_exec - what to run; borrowed
 * @argv:	NULL-terminated; NULL for a shell: bash where the image has it, else sh
 * @env:	"NAME=VALUE", or "NAME" for the caller's own; over those of the container
 * @cwd:	NULL for that of the agent
 */
struct docker_exec {
	const char *session_id;
	char *const *argv;
	char *const *env;
	size_t n_env;
	const char *cwd;
	bool wants_tty;
};

/**
 * docker_exec() - become `docker exec`, with the agent's user, rights and environment
 *
 * Signals, terminal and exit code are docker's to pass on. Does not return when it worked.
 *
 * Return: -ENOENT when the session has no agent's container that runs; or another negative errno value.
 */
int docker_exec(const struct docker_exec *what, struct err *err);
