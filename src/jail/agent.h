/* SPDX-License-Identifier: Apache-2.0 */
/* jail/agent.h - the last steps before the contained command: rights given up, then exec */
#pragma once
#include "base/err.h"
#include "jail/plan.h"

/**
 * agent_exec() - give up every right and execute the command
 * @tty:	slave of the agent's own terminal, or -1
 * @out_is_exec: set when everything held and only the exec itself failed
 *
 * Only returns on failure; a negative errno value then.
 */
int agent_exec(const struct jail_settings *settings, const struct plan *plan, int tty, int *out_is_exec,
	       struct err *err);
