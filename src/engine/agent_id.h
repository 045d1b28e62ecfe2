/* SPDX-License-Identifier: Apache-2.0 */
/* engine/agent_id.h - which user and group a session's agent runs as */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Ids for the agent of a root session. Neither ordinary nor system users, systemd's dynamic users
 * (up to 65519), nobody (65534) nor the usual subordinate ids (from 100000) live here.
 */
enum { AGENT_ID_FIRST = 66000, AGENT_ID_LAST = 98999 };

/**
 * agent_id_pick() - an id that nobody has
 * @files:	passwd, group, subuid and subgid, as paths; a missing one is skipped.
 * NULL-terminated
 * @seed:	any number; equal seeds give equal ids, so pass a random one
 *
 * The files are read directly: no name service, which could load code or ask the network.
 *
 * Return: 0; -ENOSPC when all are taken; or a negative errno value.
 */
int agent_id_pick(const char *const *files, unsigned seed, uid_t *out, struct err *err);

/**
 * agent_id_is_named() - does a passwd file know user @id? Read directly, as above
 *
 * False when the file cannot be read.
 */
bool agent_id_is_named(const char *passwd, uid_t id);

/** agent_id_is_real_root() - uid 0 of the initial user namespace: its files need protection from
 * the agent */
bool agent_id_is_real_root(void);
