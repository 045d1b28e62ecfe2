/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/broker/held.h"

#include <string.h>

bool held_put(struct held *held, const struct wire_refused *r, uint64_t now_ms)
{
	if (held->n == HELD_MAX)
		return false;
	held->items[held->n] = *r;
	held->due_ms[held->n++] = now_ms + HELD_MS;
	return true;
}

static void take(struct held *held, size_t i, struct wire_refused *out)
{
	*out = held->items[i];
	held->n--;
	memmove(&held->items[i], &held->items[i + 1], (held->n - i) * sizeof(held->items[0]));
	memmove(&held->due_ms[i], &held->due_ms[i + 1], (held->n - i) * sizeof(held->due_ms[0]));
}

bool held_take(struct held *held, uint64_t flow, struct wire_refused *out)
{
	for (size_t i = 0; i < held->n; i++)
		if (held->items[i].flow == flow) {
			take(held, i, out);
			return true;
		}
	return false;
}

bool held_take_due(struct held *held, uint64_t now_ms, struct wire_refused *out)
{
	if (!held->n || held->due_ms[0] > now_ms)
		return false;
	take(held, 0, out);
	return true;
}
