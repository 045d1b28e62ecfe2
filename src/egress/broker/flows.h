/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/flows.h - the broker's side of every flow, found by the worker's number */
#pragma once
#include "egress/broker/dial.h"
#include "egress/broker/via.h"
#include "egress/wire/control.h"
#include "egress/wire/messages.h"
#include "net/name.h"
#include "policy/verdict.h"

#include <sys/queue.h>

enum upstream_state {
	UPSTREAM_WAITING,   /* allowed; too many are half open */
	UPSTREAM_ASKING,    /* no rule allows it; the user may yet */
	UPSTREAM_RESOLVING, /* RESOLVE sent */
	UPSTREAM_DIALLING,
	UPSTREAM_OPEN, /* OPENED sent */
	UPSTREAM_STATES,
};

/**
 * struct upstream - the far side of one flow
 * @flow:	the worker's number
 * @asked_name, @dial_port: what is resolved and dialled: the name and port themselves, or the upstream proxy's
 * @ask:	the number RESOLVE went out with; never used twice, so a late answer finds nothing
 * @name:	canonical; of an address rule, the address's text
 * @has_address: @address is to be dialled and nothing is resolved
 * @is_literal:	an address rule allowed @address, and @name is only its text
 * @fd:		UPSTREAM_OPEN: our descriptor of the connected socket; else -1
 * @is_via:	reached through the upstream proxy: @address is the proxy's, and of no class that a rule could open
 * @via:	UPSTREAM_DIALLING: the talk with the proxy, on @fd
 * @skip_up, @skip_down: bytes that were spoken with the proxy, and are nobody's
 * @up_bytes, @down_bytes: what budgets have been told so far
 * @judge, @bears: what OPENED told the worker
 * @cut:	why the broker ended it before the worker did; REASON_NONE else
 */
struct upstream {
	TAILQ_ENTRY(upstream) in_state;
	LIST_ENTRY(upstream) in_bucket;
	enum upstream_state state;
	uint64_t flow;
	uint64_t ask;
	struct name asked_name;
	uint16_t dial_port;
	uint64_t started_ms;
	uint64_t asked_ms;
	struct verdict verdict;
	struct name name;
	bool has_address;
	bool is_literal;
	uint8_t seen_in;
	uint16_t port;
	struct addr address;
	struct addr client;
	uint16_t client_port;
	int fd;
	struct dial *dial;
	bool is_via;
	struct via *via;
	uint64_t skip_up, skip_down;
	uint64_t up_bytes, down_bytes;
	uint8_t judge, bears;
	enum reason cut;
	char program[CONTROL_PROGRAM_BYTES]; /* who made it, when that was said; else "" */
	struct flows *flows;
	void *owner;
};

TAILQ_HEAD(upstream_list, upstream);
LIST_HEAD(upstream_bucket, upstream);

enum { FLOWS_BUCKETS = 2048 };

/** struct flows - start with flows_init() */
struct flows {
	size_t n, n_half_open, n_asking;
	struct upstream_list by_state[UPSTREAM_STATES];
	struct upstream_bucket buckets[FLOWS_BUCKETS];
};

void flows_init(struct flows *f);

/** flows_add() - a new upstream, in UPSTREAM_WAITING; NULL when memory ran out */
struct upstream *flows_add(struct flows *f, uint64_t flow);

struct upstream *flows_find(struct flows *f, uint64_t flow);

/** flows_find_ask() - the one that waits for the answer to @ask, or NULL */
struct upstream *flows_find_ask(struct flows *f, uint64_t ask);

/** upstream_enter() - change state; asserts that the change is one of the table in flows.c */
void upstream_enter(struct upstream *u, enum upstream_state state);

/** flows_remove() - forget it: stop its dial, close its descriptor */
void flows_remove(struct upstream *u);
