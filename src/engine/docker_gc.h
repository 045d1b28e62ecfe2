/* SPDX-License-Identifier: Apache-2.0 */
/* engine/docker_gc.h - removes containers of sessions whose command line is gone */
/*
 * Containers are known by their labels, whatever they are called. What protects a session: its command line, by the label
 * that says which process that was, and an agent that runs. A sidecar or holder protects nothing, nor does an agent that has
 * ended. Networks are shared by all sessions and never removed.
 */
#pragma once
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>

enum { DOCKER_GC_MAX = 1024 /* containers looked at, at once */ };

/** struct docker_gc_line - one container of a session, as docker ps tells; spans point into its output */
struct docker_gc_line {
	struct span name, state, session, role, owner;
};

/** docker_gc_parse() - "NAME STATE SESSION ROLE OWNER", tabs between; false when it is no such line */
bool docker_gc_parse(struct span line, struct docker_gc_line *out);

/** docker_gc_owner_lives() - the process of a label BOOT-ID:PID:START-TIME is there; false for what is no such label */
bool docker_gc_owner_lives(struct span owner);

/**
 * docker_gc_goes() - is container @i one to remove?
 * @is_forced:	an agent that runs without its command line protects nothing either
 */
bool docker_gc_goes(const struct docker_gc_line *lines, size_t n, size_t i, bool is_forced);

/** docker_gc_seen() - a container that was removed, or would be */
typedef void docker_gc_seen(const char *name, void *arg);

/**
 * docker_gc() - remove what nobody protects
 * @session:	of this session only; NULL for all
 * @seen:	may be NULL
 *
 * Return: how many; 0 also where docker is not installed or no daemon answers; a negative errno value when docker does
 * answer and the removal failed.
 */
int docker_gc(const char *session, bool is_forced, bool is_dry, docker_gc_seen *seen, void *arg, struct err *err);
