/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/broker/flows.h"
#include "base/own.h"

#include <assert.h>

#define BIT(state) (1u << (state))

static const uint8_t upstream_next[] = {
	[UPSTREAM_WAITING] = BIT(UPSTREAM_RESOLVING) | BIT(UPSTREAM_DIALLING) | BIT(UPSTREAM_ASKING),
	[UPSTREAM_ASKING] = BIT(UPSTREAM_WAITING),
	[UPSTREAM_RESOLVING] = BIT(UPSTREAM_DIALLING),
	[UPSTREAM_DIALLING] = BIT(UPSTREAM_OPEN),
	[UPSTREAM_OPEN] = 0,
};
static_assert(sizeof(upstream_next) == UPSTREAM_STATES, "every state says where it may go");

void flows_init(struct flows *f)
{
	f->n = f->n_half_open = f->n_asking = 0;
	for (size_t i = 0; i < UPSTREAM_STATES; i++)
		TAILQ_INIT(&f->by_state[i]);
	for (size_t i = 0; i < FLOWS_BUCKETS; i++)
		f->buckets[i].lh_first = NULL;
}

static struct upstream_bucket *bucket_of(struct flows *f, uint64_t flow)
{
	return &f->buckets[(flow * 0x9e3779b97f4a7c15U >> 32) % FLOWS_BUCKETS];
}

static bool is_half_open(enum upstream_state state)
{
	return state == UPSTREAM_RESOLVING || state == UPSTREAM_DIALLING;
}

struct upstream *flows_add(struct flows *f, uint64_t flow)
{
	struct upstream *u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->flow = flow;
	u->fd = -1;
	u->flows = f;
	u->state = UPSTREAM_WAITING;
	TAILQ_INSERT_TAIL(&f->by_state[UPSTREAM_WAITING], u, in_state);
	LIST_INSERT_HEAD(bucket_of(f, flow), u, in_bucket);
	f->n++;
	return u;
}

struct upstream *flows_find(struct flows *f, uint64_t flow)
{
	struct upstream *u;

	LIST_FOREACH(u, bucket_of(f, flow), in_bucket)
	if (u->flow == flow)
		return u;
	return NULL;
}

struct upstream *flows_find_ask(struct flows *f, uint64_t ask)
{
	struct upstream *u;

	TAILQ_FOREACH(u, &f->by_state[UPSTREAM_RESOLVING], in_state)
	if (u->ask == ask)
		return u;
	return NULL;
}

void upstream_enter(struct upstream *u, enum upstream_state state)
{
	struct flows *f = u->flows;

	assert(upstream_next[u->state] & BIT(state));
	TAILQ_REMOVE(&f->by_state[u->state], u, in_state);
	f->n_half_open += (size_t)is_half_open(state) - (size_t)is_half_open(u->state);
	f->n_asking += (size_t)(state == UPSTREAM_ASKING) - (size_t)(u->state == UPSTREAM_ASKING);
	u->state = state;
	TAILQ_INSERT_TAIL(&f->by_state[state], u, in_state);
}

void flows_remove(struct upstream *u)
{
	struct flows *f = u->flows;

	TAILQ_REMOVE(&f->by_state[u->state], u, in_state);
	LIST_REMOVE(u, in_bucket);
	f->n -= 1;
	f->n_half_open -= (size_t)is_half_open(u->state);
	f->n_asking -= (size_t)(u->state == UPSTREAM_ASKING);
	dial_cancel(u->dial);
	via_cancel(u->via);
	fd_drop(&u->fd);
	free(u);
}
