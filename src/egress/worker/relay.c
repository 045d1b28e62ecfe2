/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/worker/relay.h"
#include "base/own.h"
#include "egress/worker/worker.h"

#include <errno.h>
#include <fcntl.h>

/* What one step of a way came to. */
enum step {
	STEP_ON,   /* do the next */
	STEP_WAIT, /* nothing more until an event, or the end was passed on */
	STEP_DEAD, /* a socket failed: the whole flow ends */
};

/* One way with its two ends, for as long as it is pumped. */
struct pump {
	struct flow *f;
	struct relay_way *way;
	struct buf *held;
	int from, to;
	size_t moved;
};

void relay_init(struct relay *r)
{
	for (size_t i = 0; i < 2; i++)
		r->ways[i] = (struct relay_way){.pipe = {-1, -1}};
}

static void give_back(struct flow *f, struct relay_way *way)
{
	pipes_return(&f->w->pipes, &way->pipe, way->n_piped == 0);
	way->n_piped = 0;
}

void relay_drop(struct flow *f)
{
	for (size_t i = 0; i < 2; i++)
		give_back(f, &f->relay.ways[i]);
}

static enum step failed(struct pump *p)
{
	if (errno == EINTR)
		return STEP_ON;
	if (errno != EAGAIN)
		return STEP_DEAD;
	p->way->is_blocked = true;
	flow_wait_out(p->f, p->to == p->f->client.fd);
	return STEP_WAIT;
}

static enum step send_held(struct pump *p)
{
	ssize_t n = send(p->to, p->held->p, p->held->n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return failed(p);
	if ((size_t)n == p->held->n)
		buf_drop(p->held);
	else
		buf_eat(p->held, (size_t)n);
	return STEP_ON;
}

static enum step send_piped(struct pump *p)
{
	ssize_t n = splice(p->way->pipe.out, NULL, p->to, NULL, p->way->n_piped,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0)
		return failed(p);
	p->way->n_piped -= (uint32_t)n;
	return STEP_ON;
}

/* @n is what a read from the source gave. */
static enum step after_read(struct pump *p, ssize_t n)
{
	if (n > 0) {
		p->moved += (size_t)n;
		return STEP_ON;
	}
	if (n == 0) {
		p->way->has_ended = true;
		p->way->is_readable = false;
		return STEP_ON;
	}
	if (errno == EINTR)
		return STEP_ON;
	if (errno != EAGAIN)
		return STEP_DEAD;
	p->way->is_readable = false;
	if (p->moved < RELAY_COPY_BYTES)
		p->way->is_bulk = false;
	return STEP_WAIT;
}

static enum step read_to_pipe(struct pump *p)
{
	ssize_t n = splice(p->from, NULL, p->way->pipe.in, NULL, PIPE_BYTES,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n > 0)
		p->way->n_piped = (uint32_t)n;
	return after_read(p, n);
}

static enum step read_and_copy(struct pump *p, size_t most)
{
	ssize_t n = recv(p->from, worker_scratch, most, MSG_DONTWAIT);
	enum step next = after_read(p, n);
	if (n <= 0)
		return next;
	/* A short read emptied the socket: the next byte is a new event. A FIN that came with it was announced. */
	if ((size_t)n < most && !p->way->is_ending)
		p->way->is_readable = false;
	if ((size_t)n == most)
		p->way->is_bulk = true;
	ssize_t put = send(p->to, worker_scratch, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (put < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return STEP_DEAD;
		put = 0;
	}
	p->held->max = WORKER_SCRATCH_BYTES;
	if (put < n && !buf_put(p->held, worker_scratch + put, (size_t)(n - put)))
		return STEP_DEAD;
	return STEP_ON;
}

/* Once both ways have ended the flow is closed, which says it to both sides. */
static bool is_last(const struct pump *p)
{
	const struct relay_way *ways = p->f->relay.ways;

	return ways[p->way == &ways[RELAY_UP] ? RELAY_DOWN : RELAY_UP].is_shut;
}

static enum step pass_end(struct pump *p)
{
	if (!p->way->is_shut && !is_last(p) && shutdown(p->to, SHUT_WR) < 0 && errno != ENOTCONN)
		return STEP_DEAD;
	if (!p->way->is_shut && !is_last(p) && p->to == p->f->upstream.fd)
		p->f->upstream_is_told = true;
	p->way->is_shut = true;
	return STEP_WAIT;
}

static enum step pump_step(struct pump *p)
{
	struct relay_way *way = p->way;

	if (p->held->n)
		return send_held(p);
	if (way->n_piped)
		return send_piped(p);
	if (way->has_ended)
		return pass_end(p);
	if (!way->is_readable)
		return STEP_WAIT;
	if (way->is_bulk && (way->pipe.in >= 0 || pipes_lend(&p->f->w->pipes, &way->pipe)))
		return read_to_pipe(p);
	return read_and_copy(p, way->is_bulk ? WORKER_SCRATCH_BYTES : RELAY_COPY_BYTES);
}

/* Moves what can be moved one way; false when the flow is over. */
static bool pump(struct flow *f, enum relay_side side)
{
	bool is_up = side == RELAY_UP;
	struct pump p = {
		.f = f,
		.way = &f->relay.ways[side],
		.held = is_up ? &f->in : &f->out,
		.from = is_up ? f->client.fd : f->upstream.fd,
		.to = is_up ? f->upstream.fd : f->client.fd,
	};
	enum step next = STEP_ON;

	while (next == STEP_ON && p.moved < RELAY_TURN_BYTES)
		next = pump_step(&p);
	if (p.moved)
		f->active_ms = loop_now_ms(f->w->loop);
	if (next == STEP_DEAD)
		return false;
	if (next == STEP_ON)
		flow_again(f);
	if (!p.way->n_piped && !(next == STEP_ON && p.way->is_bulk))
		give_back(f, p.way);
	return true;
}

/* All of it was read and ours was not sent, so this was no orderly end (RST, or the broker cut it): nothing can be sent
 * there any more. The event may have come before the end was read, and does not come again. */
static bool is_hung(const struct relay_way *from, const struct relay_way *to)
{
	return from->is_hung && from->has_ended && from->is_shut && !to->is_shut;
}

static void run(struct flow *f, bool up, bool down)
{
	struct relay_way *ways = f->relay.ways;

	if ((up && !pump(f, RELAY_UP)) || (down && !pump(f, RELAY_DOWN)))
		flow_reset(f);
	else if (ways[RELAY_UP].is_shut && ways[RELAY_DOWN].is_shut)
		flow_close(f);
	else if (is_hung(&ways[RELAY_UP], &ways[RELAY_DOWN]) || is_hung(&ways[RELAY_DOWN], &ways[RELAY_UP]))
		flow_reset(f);
}

void relay_start(struct flow *f)
{
	flow_enter(f, FLOW_RELAY);
	f->relay.ways[RELAY_UP].is_readable = f->client_more && !f->has_ended;
	f->relay.ways[RELAY_UP].has_ended = f->has_ended;
	f->relay.ways[RELAY_DOWN].is_readable = f->upstream_more;
	mem_drop(&f->host);
	run(f, true, true);
}

void relay_ready(struct flow *f, bool is_client, uint32_t events)
{
	struct relay_way *from = &f->relay.ways[is_client ? RELAY_UP : RELAY_DOWN];
	struct relay_way *to = &f->relay.ways[is_client ? RELAY_DOWN : RELAY_UP];
	bool reads = false, writes = false;

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		from->is_readable = !from->has_ended;
		from->is_ending |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
		from->is_hung |= (events & (EPOLLHUP | EPOLLERR)) != 0;
		reads = from->is_readable && !from->is_blocked;
	}
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR) && to->is_blocked) {
		to->is_blocked = false;
		writes = true;
	}
	run(f, is_client ? reads : writes, is_client ? writes : reads);
}

void relay_again(struct flow *f)
{
	run(f, true, true);
}
