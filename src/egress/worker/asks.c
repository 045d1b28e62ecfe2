/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/worker/asks.h"
#include "egress/worker/worker.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

static void channel_failed(struct worker *w, int rc)
{
	bool has_ended = rc == -EPIPE || rc == -ECONNRESET;

	worker_over(w, has_ended ? "" : "the broker's channel failed", false);
}

/* One queued message: its number, then its payload. */
static void enqueue(struct worker *w, enum wire_number number, const void *payload)
{
	struct asks *asks = &w->asks;
	uint16_t n = (uint16_t)number;
	bool was_empty = asks->queue.n == 0;

	if (!buf_put(&asks->queue, &n, sizeof(n)) ||
	    !buf_put(&asks->queue, payload, wire_payload_bytes(n))) {
		worker_over(w, "the broker takes no more messages", false);
		return;
	}
	if (was_empty && loop_change(w->loop, &w->broker_source, EPOLLIN | EPOLLOUT) < 0)
		worker_over(w, "the broker's channel cannot be watched", false);
	worker_accept_check(w);
}

void asks_tell(struct worker *w, enum wire_number number, const void *payload)
{
	if (w->asks.queue.n) {
		enqueue(w, number, payload);
		return;
	}
	int rc = chan_send(&w->asks.chan, number, payload, NULL, 0, MSG_DONTWAIT);
	if (rc == -EAGAIN)
		enqueue(w, number, payload);
	else if (rc < 0)
		channel_failed(w, rc);
}

void asks_flush(struct worker *w)
{
	struct asks *asks = &w->asks;
	size_t used = 0;

	while (used < asks->queue.n) {
		uint16_t number;
		memcpy(&number, asks->queue.p + used, sizeof(number));
		const uint8_t *payload = asks->queue.p + used + sizeof(number);
		int rc = chan_send(&asks->chan, (enum wire_number)number, payload, NULL, 0, MSG_DONTWAIT);
		if (rc == -EAGAIN)
			break;
		if (rc < 0) {
			channel_failed(w, rc);
			return;
		}
		used += sizeof(number) + wire_payload_bytes(number);
	}
	buf_eat(&asks->queue, used);
	if (asks->queue.n)
		return;
	buf_drop(&asks->queue);
	if (loop_change(w->loop, &w->broker_source, EPOLLIN) < 0)
		worker_over(w, "the broker's channel cannot be watched", false);
	worker_accept_check(w);
}

static struct asker_list *bucket(struct asks *asks, uint64_t number)
{
	return &asks->buckets[number % ASKS_BUCKETS];
}

static void wait_for(struct worker *w, struct asker *a)
{
	assert(a->number == 0);
	a->number = ++w->asks.last;
	LIST_INSERT_HEAD(bucket(&w->asks, a->number), a, link);
	w->asks.n_waiting++;
	worker_accept_check(w);
}

void asks_open(struct worker *w, struct asker *a, struct wire_open *question)
{
	wait_for(w, a);
	question->flow = a->number;
	asks_tell(w, WIRE_OPEN, question);
}

void asks_dns(struct worker *w, struct asker *a, struct wire_ask_dns *question)
{
	wait_for(w, a);
	question->ask = a->number;
	asks_tell(w, WIRE_ASK_DNS, question);
}

void asks_forget(struct worker *w, struct asker *a)
{
	if (!a->number)
		return;
	LIST_REMOVE(a, link);
	a->number = 0;
	w->asks.n_waiting--;
	worker_accept_check(w);
}

void asks_note(struct worker *w, enum reason reason, enum wire_source seen_in, struct span name,
	       uint16_t port)
{
	struct wire_note note = {.reason = reason, .port = port, .seen_in = (uint8_t)seen_in};

	note.name_n = (uint8_t)(name.n > UINT8_MAX ? UINT8_MAX : name.n);
	if (note.name_n)
		memcpy(note.name, name.p, note.name_n);
	asks_tell(w, WIRE_NOTE, &note);
}

/* Whoever waits for @number waits no longer. */
static struct asker *claim(struct worker *w, uint64_t number)
{
	struct asker *a;

	for (a = LIST_FIRST(bucket(&w->asks, number)); a && a->number != number; a = LIST_NEXT(a, link))
		;
	if (a)
		asks_forget(w, a);
	return a;
}

static void take_opened(struct worker *w, struct chan_message *m)
{
	const struct wire_opened *o = &m->payload.OPENED;

	if (m->n_fds != 1 || o->judge > JUDGE_HTTP || o->name_n == 0) {
		for (int i = 0; i < m->n_fds; i++)
			(void)close(m->fds[i]);
		worker_over(w, "OPENED without a socket or a meaning", true);
		return;
	}
	struct asker *a = claim(w, o->flow);
	if (a && a->opened)
		a->opened(a, o, m->fds[0]);
	else
		(void)close(m->fds[0]); /* the client left meanwhile; CLOSE was sent */
}

void asks_take(struct worker *w, struct chan_message *m)
{
	struct asker *a;

	if (m->number == WIRE_OPENED) {
		take_opened(w, m);
	} else if (m->number == WIRE_REFUSED) {
		m->payload.REFUSED.origin_file[WIRE_NAME_BYTES - 1] = '\0';
		a = claim(w, m->payload.REFUSED.flow);
		if (a && a->refused)
			a->refused(a, &m->payload.REFUSED);
	} else if (m->number == WIRE_DNS_VERDICT) {
		a = claim(w, m->payload.DNS_VERDICT.ask);
		if (a && a->dns)
			a->dns(a, &m->payload.DNS_VERDICT);
	} else {
		worker_over(w, "a message that is not for the worker", true);
	}
}

void asks_drop(struct asks *asks)
{
	buf_drop(&asks->queue);
}
