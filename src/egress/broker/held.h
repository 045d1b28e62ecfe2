/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/held.h - refusals that wait a moment until it is known which program made the connection */
/*
 * A program that is refused often ends at once, and then nobody can say any more who it was. So where a supervisor
 * looks that up, the worker hears of a refusal when the supervisor has answered, or HELD_MS later.
 */
#pragma once
#include "egress/wire/messages.h"

#include <stdbool.h>
#include <stddef.h>

enum { HELD_MAX = 64, HELD_MS = 25 };

/** struct held - oldest first; start from {0} */
struct held {
	struct wire_refused items[HELD_MAX];
	uint64_t due_ms[HELD_MAX];
	size_t n;
};

/** held_put() - keep @r; false when there is no room, and it is to be sent now */
bool held_put(struct held *held, const struct wire_refused *r, uint64_t now_ms);

/** held_take() - give back the refusal of @flow; false when none is held */
bool held_take(struct held *held, uint64_t flow, struct wire_refused *out);

/** held_take_due() - give back the oldest if it has waited long enough */
bool held_take_due(struct held *held, uint64_t now_ms, struct wire_refused *out);
