/* SPDX-License-Identifier: Apache-2.0 */
/* engine/docker_cli.h - the docker command line, as the docker engine calls it */
#pragma once
#include "base/err.h"
#include "engine/tool.h"

#include <stdbool.h>

enum { DOCKER_MIN_MAJOR = 20, DOCKER_MIN_MINOR = 10 };

/** struct docker_cli - where docker is and what environment it gets; start from `struct docker_cli d = {0};` */
struct docker_cli {
	char program[PATH_MAX];
	struct env env;
};

/**
 * docker_cli_find() - docker, or why not
 *
 * Return: 0; -ENOENT; -EPERM for a docker that is podman in disguise.
 */
int docker_cli_find(struct docker_cli *out, struct err *err);
void docker_cli_drop(struct docker_cli *cli);

/** docker_cli_begin() - the words of a call: the program, then the texts up to NULL */
void docker_cli_begin(const struct docker_cli *cli, struct tool_args *args, ...) __attribute__((sentinel));

/**
 * docker_cli_call() - run it
 * @args:	dropped in any case
 * @out:	dropped by the caller on success
 * @out_status:	its exit status; NULL: a status that is not 0 is an error with what docker said
 */
int docker_cli_call(const struct docker_cli *cli, struct tool_args *args, struct tool *out, int *out_status,
		    struct err *err);

/** docker_cli_start() - the first half of docker_cli_call(): several can be under way at once */
int docker_cli_start(const struct docker_cli *cli, struct tool_args *args, struct tool *out, struct err *err);

/** docker_cli_ask_version() / docker_cli_read_version() - docker_cli_version() in two halves; the second drops @asked */
int docker_cli_ask_version(const struct docker_cli *cli, struct tool *out_asked, struct err *err);
int docker_cli_read_version(struct tool *asked, char out[32], struct err *err);

/**
 * docker_cli_version() - "20.10.24" of the daemon
 *
 * Return: 0; -EPERM for one that is too old; or another negative errno value when no daemon answers.
 */
int docker_cli_version(const struct docker_cli *cli, char out[32], struct err *err);

/** docker_cli_field() - the rest of the line "NAME=..." of @text; empty when there is none */
struct span docker_cli_field(struct span text, const char *name);
