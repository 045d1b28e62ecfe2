/* SPDX-License-Identifier: Apache-2.0 */
/* jail/plan.h - settings to an ordered list of steps; pure, so it can be printed and tested */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "jail/settings.h"

struct plan;

/**
 * plan_make() - the steps that build a jail
 * @sockets, @n_sockets: host paths of listening UNIX sockets (jail/sockets.h reads /proc/net/unix)
 *
 * Refuses (negative errno, @err with the fix): a project that is "/", the home or an ancestor of it; a mount that
 * would show a hidden place; a relative path.
 */
int plan_make(const struct jail_settings *settings, const char *const *sockets, size_t n_sockets,
	      struct plan **out, struct err *err);
void plan_free(struct plan *plan);

/** plan_print() - one line a step, for `drydock run --dry-run` */
void plan_print(const struct plan *plan, struct buf *out);
