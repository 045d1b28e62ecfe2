/* SPDX-License-Identifier: Apache-2.0 */
/* engine/docker_left.h - what earlier sessions left behind in docker's names and in their own folders */
#pragma once
#include "base/buf.h"

#include <stdbool.h>

/** docker_left_names() - append the names of all containers, one a line; nothing when docker does not answer */
void docker_left_names(struct buf *out);

/**
 * docker_left_is_taken() - is a container name of session @id in use, of whatever state? (agent, -egress, -net, -shell)
 * @names:	as docker_left_names() gives them
 */
bool docker_left_is_taken(struct span names, const char *id);

/** docker_left_tidy() - take away what only a running session's containers need of its folder: compose file, sockets */
void docker_left_tidy(const char *state_dir);
