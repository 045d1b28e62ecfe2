/* SPDX-License-Identifier: Apache-2.0 */
/* cli/made.h - an agent's state that does not exist yet: made for the session, removed if unused */
/*
 * A preset says `mount rw ~/.claude`. Before the agent's first run the host has no such folder;
 * without it what the agent stores (a login) would be lost with the session. So the folder is made,
 * as the agent itself would have made it. A path whose last part has an ending (~/.claude.json) is
 * a file: "{}" for .json, else empty. What is still as it was made when the session ends is removed
 * again.
 */
#pragma once
#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { MADE_MAX = 32 };

/** struct made - what was made, in order; start from `struct made m = {0};` */
struct made {
	char *paths[MADE_MAX];
	bool is_file[MADE_MAX];
	size_t n;
};

/**
 * made_add() - make @path unless it exists, with the folders above it that are missing
 *
 * Return: 0 or a negative errno value.
 */
int made_add(struct made *made, const char *path, struct err *err);

/** made_undo() - remove what is unchanged, newest first, and free the list */
void made_undo(struct made *made);

/** made_keep() - leave everything and free the list */
void made_keep(struct made *made);
