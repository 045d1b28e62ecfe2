/* SPDX-License-Identifier: Apache-2.0 */
/* egress/worker/asks.h - questions to the broker, and who waits for which answer */
/*
 * Neither side may wait for the other: what the channel does not take is queued here and sent when it has room.
 * The queue is bounded by what may be open at once (flows, DNS questions); should it fill all the same, the
 * worker ends, which shuts the egress.
 */
#pragma once
#include "base/buf.h"
#include "egress/wire/chan.h"

#include <sys/queue.h>

struct worker;
struct asker;
LIST_HEAD(asker_list, asker);

enum { ASKS_BUCKETS = 256, ASKS_QUEUE_MAX_BYTES = 16 << 20 };

/**
 * struct asker - somebody who waits; embed it. @number is 0 while nothing is asked
 * @opened:	the answer to OPEN; @fd is the receiver's
 * @refused:	the other answer to OPEN
 * @dns:	the answer to ASK_DNS
 */
struct asker {
	LIST_ENTRY(asker) link;
	uint64_t number;
	void (*opened)(struct asker *, const struct wire_opened *, int fd);
	void (*refused)(struct asker *, const struct wire_refused *);
	void (*dns)(struct asker *, const struct wire_dns_verdict *);
};

struct asks {
	struct chan chan;
	uint64_t last; /* number given out last; none is used twice */
	size_t n_waiting;
	struct buf queue;
	struct asker_list buckets[ASKS_BUCKETS];
};

/** asks_open() - send OPEN; @question's flow is filled in. The asker's opened or refused is called, once */
void asks_open(struct worker *w, struct asker *a, struct wire_open *question);

/** asks_dns() - send ASK_DNS; the asker's dns is called, once */
void asks_dns(struct worker *w, struct asker *a, struct wire_ask_dns *question);

/** asks_forget() - no longer wait; an answer that comes all the same is dropped, its descriptor closed */
void asks_forget(struct worker *w, struct asker *a);

/** asks_tell() - CLOSE or NOTE: nobody answers */
void asks_tell(struct worker *w, enum wire_number number, const void *payload);

/** asks_note() - NOTE with @name, which may be longer than fits: it is cut */
void asks_note(struct worker *w, enum reason reason, enum wire_source seen_in, struct span name,
	       uint16_t port);

/** asks_flush() - send what is queued, as far as there is room */
void asks_flush(struct worker *w);

/** asks_take() - hand one message of the broker to whom it is for */
void asks_take(struct worker *w, struct chan_message *m);

void asks_drop(struct asks *asks);
