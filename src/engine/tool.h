/* SPDX-License-Identifier: Apache-2.0 */
/* engine/tool.h - runs a program of the machine, such as docker, and collects what it says */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "engine/env.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum { TOOL_MAX_BYTES = 1 << 20, TOOL_PATIENCE_MS = 120000, TOOL_MAX_ARGS = 1024 };

/**
 * struct tool_args - a command line, NULL-terminated; owned copies. Start from `struct tool_args a = {0};`
 * @is_cut:	memory ran out or there were over TOOL_MAX_ARGS; tool_start() then refuses
 */
struct tool_args {
	char *items[TOOL_MAX_ARGS + 1];
	size_t n;
	bool is_cut;
};

/** tool_args_add() - append copies of the texts, up to a NULL */
void tool_args_add(struct tool_args *args, ...) __attribute__((sentinel));
/** tool_args_addf() - append one formatted text */
void tool_args_addf(struct tool_args *args, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tool_args_drop(struct tool_args *args);

/**
 * struct tool - a running program; start from `struct tool t = TOOL_NONE;`
 * @name:	for messages; borrowed
 * @out, @err:	what it wrote so far; past TOOL_MAX_BYTES the rest is dropped
 */
struct tool {
	const char *name;
	pid_t pid;
	int pidfd, out_fd, err_fd;
	struct buf out, err;
};
#define TOOL_NONE                                                                                                        \
	{                                                                                                                \
		.pid = -1, .pidfd = -1, .out_fd = -1, .err_fd = -1                                                       \
	}

/**
 * tool_find() - the absolute path of @name in the caller's PATH
 *
 * Only absolute folders of PATH are looked at: a project cannot bring its own.
 *
 * Return: false when there is none.
 */
bool tool_find(const char *name, char out[PATH_MAX]);

/**
 * tool_env() - the environment such programs get: of the caller's only what finds the engine (DOCKER_HOST, DOCKER_CONTEXT,
 * DOCKER_CONFIG ...), HOME, PATH and the locale
 *
 * Return: 0 or a negative errno value. @out is to be dropped with env_drop().
 */
int tool_env(char *const *from, struct env *out, struct err *err);

/** tool_env_put() - add or replace one variable; 0 or a negative errno value */
int tool_env_put(struct env *env, const char *name, const char *value, struct err *err);

/**
 * tool_start() - start it with nothing on its standard input
 * @in_fd:	its standard input; -1 for nothing. Not consumed
 * @args:	the first is the path
 *
 * It dies with this process.
 */
int tool_start(const char *name, const struct tool_args *args, char *const *envp, int in_fd, struct tool *out,
	       struct err *err);

/**
 * tool_finish() - read until it ends
 * @out_status:	its exit code, 128+N after signal N
 *
 * Return: 0; -ETIMEDOUT after TOOL_PATIENCE_MS (it is killed then); or another negative errno value.
 */
int tool_finish(struct tool *tool, int *out_status, struct err *err);

/** tool_run() - tool_start() and tool_finish(); on success @out is to be dropped */
int tool_run(const char *name, const struct tool_args *args, char *const *envp, struct tool *out, int *out_status,
	     struct err *err);

/** tool_drop() - kill it if it still runs, and free */
void tool_drop(struct tool *tool);

/** tool_trim() - @text without blanks and line ends around it */
struct span tool_trim(struct span text);

/** tool_complain() - "NAME: the last line of what it said on stderr" as @err; returns a negative errno value */
int tool_complain(const struct tool *tool, struct err *err);
