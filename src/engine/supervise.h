/* SPDX-License-Identifier: Apache-2.0 */
/* engine/supervise.h - stays with a running jail: terminal, signals, time limit, the egress's death
 */
#pragma once
#include "base/err.h"
#include "engine/engine.h"
#include "jail/start.h"

enum {
	SUPERVISE_MAX_ALSO = 2,
	SUPERVISE_TWICE_MS = 2000,  /* a second SIGINT within this time kills */
	SUPERVISE_GRACE_MS = 10000, /* from SIGTERM, SIGHUP or the time limit to the kill */
};

/** struct supervise_also - one more descriptor to watch meanwhile; fd -1 for none. @ready false: not any more */
struct supervise_also {
	int fd;
	bool (*ready)(void *arg);
	void *arg;
};

/**
 * supervise_run() - until the jail has ended
 * @egress_pidfd: -1 when there is none; not consumed
 *
 * With a pty: the user's terminal (descriptors 0 and 1) is raw meanwhile, and restored on return.
 * The jail is reaped and its descriptors closed.
 */
int supervise_run(struct jail *jail, int egress_pidfd, const struct supervise_also *also, size_t n_also,
		  const struct engine_watch *watch, struct engine_result *out, struct err *err);
