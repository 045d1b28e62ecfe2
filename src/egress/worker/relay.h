/* SPDX-License-Identifier: Apache-2.0 */
/* egress/worker/relay.h - copies both ways, with back-pressure and half-close */
/*
 * Each way is read only when all that was read before has been sent on: that is the back-pressure. Little is copied
 * through a shared buffer (two system calls); when a read fills that buffer the way turns to splice() through a lent
 * pipe, and back when the stream thins out. An idle relay holds no pipe and no buffer.
 * Sockets are watched once, edge-triggered, so a way that stops early remembers that more may be there.
 */
#pragma once
#include "egress/worker/pipes.h"

#include <stdbool.h>
#include <stdint.h>

struct flow;

enum { RELAY_COPY_BYTES = 16384, RELAY_TURN_BYTES = 4 << 20 };

enum relay_side { RELAY_UP, RELAY_DOWN };

/**
 * struct relay_way - one direction
 * @pipe:	lent while bytes are in it, else {-1, -1}
 * @is_readable: bytes or the end may be there (edge-triggered: kept until a read says otherwise)
 * @is_blocked:	the far side takes no more for now
 * @is_ending:	the source's FIN was announced: read until its end is seen
 * @is_hung:	nothing more passes the source in either direction
 * @has_ended:	the end was read	@is_shut: and passed on
 */
struct relay_way {
	struct pipe_pair pipe;
	uint32_t n_piped;
	bool is_readable, is_blocked, is_bulk, is_ending, is_hung, has_ended, is_shut;
};

struct relay {
	struct relay_way ways[2];
};

/** relay_init() - for a new flow: nothing lent */
void relay_init(struct relay *r);

/** relay_start() - FLOW_RELAY: from here on bytes move; f->in and f->out go first */
void relay_start(struct flow *f);

/** relay_ready() - @events of the client's (@is_client) or the upstream's socket */
void relay_ready(struct flow *f, bool is_client, uint32_t events);

/** relay_again() - go on where a turn's limit stopped it */
void relay_again(struct flow *f);

/** relay_drop() - give back pipes */
void relay_drop(struct flow *f);
