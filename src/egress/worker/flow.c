/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/worker/flow.h"
#include "base/clock.h"
#include "base/own.h"
#include "egress/worker/denial.h"
#include "egress/worker/front.h"
#include "egress/worker/guard.h"
#include "egress/worker/http.h"
#include "egress/worker/refuse.h"
#include "egress/worker/worker.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

/* What an event means depends on the flow's state. */
#define WATCHED_EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLET)
#define READING_EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)

enum { IN_MAX_BYTES = 65536 + 4096 };

#define BIT(n) (uint16_t)(1u << (n))

static const uint16_t flow_next[] = {
	[FLOW_SNIFF] = BIT(FLOW_ASKED) | BIT(FLOW_LINGER) | BIT(FLOW_DNS) | BIT(FLOW_CLOSED),
	[FLOW_ASKED] = BIT(FLOW_CHECK) | BIT(FLOW_HTTP) | BIT(FLOW_RELAY) | BIT(FLOW_LINGER) |
		       BIT(FLOW_CLOSED),
	[FLOW_CHECK] = BIT(FLOW_ANSWER) | BIT(FLOW_LINGER) | BIT(FLOW_CLOSED),
	[FLOW_ANSWER] = BIT(FLOW_RETRY) | BIT(FLOW_RELAY) | BIT(FLOW_CLOSED),
	[FLOW_RETRY] = BIT(FLOW_RELAY) | BIT(FLOW_LINGER) | BIT(FLOW_CLOSED),
	/* a request for another host is a new question */
	[FLOW_HTTP] = BIT(FLOW_ASKED) | BIT(FLOW_RELAY) | BIT(FLOW_LINGER) | BIT(FLOW_CLOSED),
	[FLOW_RELAY] = BIT(FLOW_CLOSED),
	[FLOW_DNS] = BIT(FLOW_CLOSED),
	[FLOW_LINGER] = BIT(FLOW_CLOSED),
	[FLOW_CLOSED] = 0,
};
static_assert(sizeof(flow_next) / sizeof(flow_next[0]) == FLOW_STATES, "every state says where it may go");

static uint32_t limit_ms(const struct flow *f)
{
	const struct worker_settings *set = &f->w->set;

	switch ((enum flow_state)f->state) {
	case FLOW_SNIFF:
	case FLOW_CHECK:
	case FLOW_RETRY:
	case FLOW_DNS:
		return set->first_bytes_ms;
	case FLOW_LINGER:
		return f->waits_for == WAIT_NOTHING ? set->linger_ms : set->first_bytes_ms;
	case FLOW_HTTP:
		return http_owes_head(f) ? set->first_bytes_ms : set->idle_ms;
	case FLOW_ASKED: /* the broker answers every question; its time limits are its own */
	case FLOW_ANSWER:
	case FLOW_RELAY:
	case FLOW_CLOSED:
	case FLOW_STATES:
		break;
	}
	return set->idle_ms;
}

static void set_timer(struct flow *f, uint64_t at_ms)
{
	if (loop_timer_set(f->w->loop, &f->timer, at_ms) < 0)
		worker_over(f->w, "out of memory for a timer", false);
}

/* Bytes only note the time; whether a limit is really over is found out here. */
static void timer_fired(struct loop_timer *timer)
{
	struct flow *f = container_of(timer, struct flow, timer);
	uint64_t due_ms = f->active_ms + limit_ms(f);

	if (due_ms > loop_now_ms(f->w->loop))
		set_timer(f, due_ms);
	else
		flow_close(f);
}

void flow_restart_limit(struct flow *f)
{
	f->active_ms = loop_now_ms(f->w->loop);
	set_timer(f, f->active_ms + limit_ms(f));
}

bool flow_owes_first_bytes(const struct flow *f)
{
	switch ((enum flow_state)f->state) {
	case FLOW_SNIFF:
	case FLOW_CHECK:
	case FLOW_RETRY:
		return true;
	case FLOW_DNS:
		return f->dns == NULL;
	case FLOW_HTTP:
		return http_owes_head(f);
	case FLOW_LINGER:
		return f->waits_for != WAIT_NOTHING;
	case FLOW_ASKED:
	case FLOW_ANSWER:
	case FLOW_RELAY:
	case FLOW_CLOSED:
	case FLOW_STATES:
		break;
	}
	return false;
}

void flow_enter(struct flow *f, enum flow_state next)
{
	assert(flow_next[f->state] & BIT(next));
	f->state = (uint8_t)next;
	if (next != FLOW_CLOSED)
		flow_restart_limit(f);
}

static void ready(struct flow *f, bool is_client, uint32_t events)
{
	if (events & READING_EVENTS)
		*(is_client ? &f->client_more : &f->upstream_more) = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		f->relay.ways[is_client ? RELAY_UP : RELAY_DOWN].is_ending = true;
	switch ((enum flow_state)f->state) {
	case FLOW_SNIFF:
		front_proxy_read(f);
		break;
	case FLOW_ASKED:
		if (events & (EPOLLHUP | EPOLLERR))
			flow_close(f); /* nobody waits for the answer any more */
		break;
	case FLOW_ANSWER:
		if (is_client && events & (EPOLLHUP | EPOLLERR))
			flow_close(f); /* nobody waits for the answer any more */
		else
			front_tls_answered(f);
		break;
	case FLOW_CHECK:
	case FLOW_RETRY:
		front_tls_read(f);
		break;
	case FLOW_HTTP:
		http_ready(f, is_client, events);
		break;
	case FLOW_RELAY:
		relay_ready(f, is_client, events);
		break;
	case FLOW_DNS:
		front_dns_read(f);
		break;
	case FLOW_LINGER:
		refuse_go_on(f);
		break;
	case FLOW_CLOSED:
	case FLOW_STATES:
		break;
	}
}

static void client_ready(struct loop_source *source, uint32_t events)
{
	ready(container_of(source, struct flow, client), true, events);
}

static void upstream_ready(struct loop_source *source, uint32_t events)
{
	ready(container_of(source, struct flow, upstream), false, events);
}

static void keep_host(struct flow *f, const struct wire_opened *o)
{
	mem_drop(&f->host);
	f->host = strndup((const char *)o->name, o->name_n);
}

static void opened(struct asker *a, const struct wire_opened *o, int fd)
{
	struct flow *f = container_of(a, struct flow, ask);

	f->number = o->flow;
	f->upstream.fd = fd;
	f->upstream_more = f->upstream_out = f->upstream_is_told = false;
	f->relay.ways[RELAY_DOWN].is_ending = false;
	f->judge = o->judge;
	f->bears = o->bears;
	keep_host(f, o);
	/* edge-triggered: what is there already is announced by the first event */
	if (!f->host || loop_add(f->w->loop, &f->upstream, WATCHED_EVENTS) < 0) {
		flow_close(f);
		return;
	}
	if (!flow_watch(f))
		return;
	switch ((enum flow_front)f->front) {
	case FRONT_CONNECT:
		front_connect_opened(f);
		break;
	case FRONT_SOCKS:
		front_socks_opened(f);
		break;
	case FRONT_PROXY:
		http_start(f);
		break;
	case FRONT_TRANSPARENT:
	case FRONT_ADDRESS:
		front_judge(f);
		break;
	case FRONT_DNS:
		break; /* asks for no upstream */
	}
}

static void refused(struct asker *a, const struct wire_refused *why)
{
	refuse_flow(container_of(a, struct flow, ask), why);
}

void flow_new(struct worker *w, int fd, enum wire_listener_kind kind,
	      const struct sockaddr_storage *peer)
{
	struct flow *f = calloc(1, sizeof(*f));
	struct addr client = {0};

	if (!f) {
		(void)close(fd);
		return;
	}
	f->w = w;
	f->client = (struct loop_source){fd, client_ready};
	f->client_more = true;
	f->upstream = (struct loop_source){-1, upstream_ready};
	f->timer.fire = timer_fired;
	f->ask.opened = opened;
	f->ask.refused = refused;
	f->in.max = IN_MAX_BYTES;
	f->out.max = IN_MAX_BYTES;
	relay_init(&f->relay);
	if (addr_from_sockaddr(peer, &client, &f->client_port)) {
		f->client_is_v6 = client.is_v6;
		memcpy(f->client_address, client.bytes, sizeof(f->client_address));
	}
	f->state = FLOW_SNIFF;
	f->active_ms = loop_now_ms(w->loop);
	TAILQ_INSERT_TAIL(&w->flows, f, link);
	w->n_flows++;
	set_timer(f, f->active_ms + limit_ms(f));
	switch (kind) {
	case LISTEN_PROXY:
		f->front = FRONT_PROXY;
		if (guard_admit(f))
			front_proxy_read(f);
		break;
	case LISTEN_TRANSPARENT:
		front_transparent_start(f);
		break;
	case LISTEN_DNS_TCP:
		f->front = FRONT_DNS;
		flow_enter(f, FLOW_DNS);
		(void)flow_watch(f); /* closed, when it cannot be watched */
		break;
	case LISTEN_DNS_UDP:
		assert(false && "datagrams are no connections");
	}
}

void flow_wait_out(struct flow *f, bool is_client)
{
	bool *has_out = is_client ? &f->client_out : &f->upstream_out;
	struct loop_source *source = is_client ? &f->client : &f->upstream;

	if (*has_out)
		return;
	*has_out = true;
	if (is_client && !f->is_watched)
		return; /* flow_watch() asks for it */
	/* a change reports what is true by then: no edge is lost */
	if (loop_change(f->w->loop, source, WATCHED_EVENTS | EPOLLOUT) < 0)
		worker_over(f->w, "a connection cannot be watched", false);
}

bool flow_watch(struct flow *f)
{
	if (f->is_watched)
		return true;
	uint32_t events = f->client_out ? WATCHED_EVENTS | EPOLLOUT : WATCHED_EVENTS;
	if (loop_add(f->w->loop, &f->client, events) < 0) {
		flow_close(f);
		return false;
	}
	f->is_watched = true;
	return true;
}

bool flow_set_host(struct flow *f, struct span host)
{
	if (host.n == 0 || host.n >= WIRE_NAME_BYTES)
		return false;
	mem_drop(&f->host);
	f->host = strndup((const char *)host.p, host.n);
	return f->host && strlen(f->host) == host.n;
}

void flow_ask(struct flow *f, enum wire_source seen_in)
{
	struct wire_open q = {
		.port = f->port,
		.seen_in = (uint8_t)seen_in,
		.name_n = (uint8_t)strlen(f->host),
		.client_v6 = f->client_is_v6,
		.client_port = f->client_port,
	};
	memcpy(q.client, f->client_address, sizeof(q.client));
	memcpy(q.name, f->host, q.name_n);
	flow_enter(f, FLOW_ASKED);
	asks_open(f->w, &f->ask, &q);
}

enum flow_read flow_fill(struct flow *f, size_t most)
{
	size_t left = f->in.max - f->in.n;
	if (left == 0)
		return READ_FULL;
	if (!f->client_more)
		return READ_NONE;
	if (most > left)
		most = left;
	uint8_t *room = buf_reserve(&f->in, most);
	if (!room)
		return READ_GONE;
	ssize_t n;
	do
		n = recv(f->client.fd, room, most, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		return READ_GONE;
	if (n < 0 || (n < (ssize_t)most && !f->relay.ways[RELAY_UP].is_ending))
		f->client_more = false; /* the next byte is a new event */
	if (n < 0)
		return READ_NONE;
	if (n == 0) {
		f->has_ended = true;
		return READ_END;
	}
	f->in.n += (size_t)n;
	return READ_SOME;
}

bool flow_flush(struct flow *f)
{
	while (f->out.n) {
		ssize_t n = send(f->client.fd, f->out.p, f->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			flow_wait_out(f, true);
			return true;
		}
		if (n < 0 && errno != EINTR)
			return false;
		buf_eat(&f->out, n > 0 ? (size_t)n : 0);
	}
	buf_drop(&f->out);
	return true;
}

bool flow_say(struct flow *f, const void *bytes, size_t n)
{
	ssize_t put = 0;

	if (f->out.n == 0) {
		put = send(f->client.fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (put < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		put = put < 0 ? 0 : put;
	}
	if ((size_t)put == n)
		return true;
	flow_wait_out(f, true);
	return buf_put(&f->out, (const uint8_t *)bytes + put, n - (size_t)put);
}

void flow_again(struct flow *f)
{
	if (f->is_again)
		return;
	f->is_again = true;
	TAILQ_INSERT_TAIL(&f->w->again, f, again_link);
}

void flow_end_upstream(struct flow *f, enum reason reason, struct span seen)
{
	struct wire_close c = {.flow = f->number, .reason = reason};

	if (!f->number)
		return;
	c.detail_n = (uint8_t)(seen.n > UINT8_MAX ? UINT8_MAX : seen.n);
	if (c.detail_n)
		memcpy(c.detail, seen.p, c.detail_n);
	/* the broker's duplicate would hold the FIN back, and keep the socket in our epoll set */
	if (!f->upstream_is_told || !f->relay.ways[RELAY_DOWN].has_ended)
		(void)shutdown(f->upstream.fd, SHUT_RDWR); /* it may be over already */
	loop_drop(f->w->loop, &f->upstream);
	fd_drop(&f->upstream.fd);
	asks_tell(f->w, WIRE_CLOSE, &c);
	f->number = 0;
}

static void drop_question(struct flow *f)
{
	struct wire_close c = {.flow = f->ask.number};

	if (!c.flow)
		return;
	asks_forget(f->w, &f->ask);
	asks_tell(f->w, WIRE_CLOSE, &c);
}

void flow_close(struct flow *f)
{
	struct worker *w = f->w;

	if (f->state == FLOW_CLOSED)
		return;
	flow_enter(f, FLOW_CLOSED);
	drop_question(f);
	front_dns_close(f);
	guard_forget(f);
	flow_end_upstream(f, REASON_NONE, (struct span){0});
	/* nobody else has this socket: closing it ends the watching too */
	fd_drop(&f->client.fd);
	loop_drop(w->loop, &f->client);
	loop_timer_clear(w->loop, &f->timer);
	relay_drop(f);
	http_free(TAKE(f->http));
	if (f->named)
		f->named->n_flows--;
	if (f->is_again)
		TAILQ_REMOVE(&w->again, f, again_link);
	buf_drop(&f->in);
	buf_drop(&f->out);
	mem_drop(&f->host);
	mem_drop(&f->refusal);
	TAILQ_REMOVE(&w->flows, f, link);
	TAILQ_INSERT_TAIL(&w->dead, f, link);
	w->n_flows--;
	worker_accept_check(w);
}

void flow_reset(struct flow *f)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	if (f->state != FLOW_CLOSED)
		(void)setsockopt(f->client.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)); /* then it is a FIN */
	flow_close(f);
}

bool flow_name_is(const struct flow *f, struct span seen)
{
	struct span host = span_of(f->host);
	struct name name;
	struct addr asked, other;

	switch (name_parse(seen, &name)) {
	case NAME_IS_HOST:
		return host.n == name.n && memcmp(host.p, name.text, name.n) == 0;
	case NAME_IS_ADDRESS:
		return addr_parse(host, &asked) && addr_parse(seen, &other) && addr_equal(&asked, &other);
	case NAME_IS_BAD:
		break;
	}
	return false;
}
