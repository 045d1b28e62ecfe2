/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/worker/worker.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "confine/privs.h"
#include "egress/wire/fds.h"
#include "egress/worker/http.h"
#include "egress/worker/sandbox.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

enum {
	KEEPALIVE_S = 120,
	KEEPALIVE_STEP_S = 30,
	DEFER_S = 30,
	FDS_BESIDE_FLOWS = 128, /* channels, listeners, pipes, and some in passing */
	FDS_A_FLOW = 2,
};

uint8_t worker_scratch[WORKER_SCRATCH_BYTES];

void worker_over(struct worker *w, const char *why, bool is_breach)
{
	if (w->why_over)
		return;
	w->why_over = why;
	w->is_breach = is_breach;
}

static bool may_accept(const struct worker *w)
{
	return w->has_hello && w->has_listeners && !w->is_short_of_fds && !w->why_over &&
	       w->n_flows < w->set.max_flows && w->asks.n_waiting < WORKER_MAX_ASKS &&
	       w->asks.queue.n == 0;
}

static void watch_room(struct worker *w)
{
	if (w->n_flows < w->set.max_flows || w->room_timer.slot)
		return;
	if (loop_timer_set(w->loop, &w->room_timer, loop_now_ms(w->loop) + w->set.give_way_ms) < 0)
		worker_over(w, "out of memory for a timer", false);
}

/* Every place is taken: who takes one and says nothing makes room for those who wait to say something. */
static void make_room(struct loop_timer *timer)
{
	struct worker *w = container_of(timer, struct worker, room_timer);
	uint64_t now_ms = loop_now_ms(w->loop);
	struct flow *next;

	if (w->n_flows < w->set.max_flows)
		return;
	for (struct flow *f = TAILQ_FIRST(&w->flows); f; f = next) {
		next = TAILQ_NEXT(f, link);
		if (flow_owes_first_bytes(f) && now_ms - f->active_ms >= w->set.give_way_ms)
			flow_close(f);
	}
	watch_room(w);
}

void worker_accept_check(struct worker *w)
{
	bool may = may_accept(w);

	watch_room(w);
	if (may == w->is_accepting)
		return;
	w->is_accepting = may;
	for (size_t i = 0; i < w->n_listeners; i++) {
		struct loop_source *s = &w->listeners[i].source;
		if (!may)
			loop_drop(w->loop, s);
		else if (loop_add(w->loop, s, EPOLLIN) < 0)
			worker_over(w, "a listener cannot be watched", false);
	}
}

static void retry_accept(struct loop_timer *timer)
{
	struct worker *w = container_of(timer, struct worker, retry_timer);

	w->is_short_of_fds = false;
	worker_accept_check(w);
}

/* Out of descriptors or memory: the queue of the listener keeps who comes, and nothing spins. */
static void pause_accept(struct worker *w)
{
	w->is_short_of_fds = true;
	worker_accept_check(w);
	if (loop_timer_set(w->loop, &w->retry_timer, loop_now_ms(w->loop) + WORKER_RETRY_MS) < 0)
		worker_over(w, "out of memory for a timer", false);
}

static void accept_one(struct listener *l)
{
	struct sockaddr_storage peer = {0};
	socklen_t n = sizeof(peer);
	int fd = accept4(l->source.fd, (struct sockaddr *)&peer, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		flow_new(l->w, fd, l->kind, &peer);
		return;
	}
	switch (errno) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		pause_accept(l->w);
		break;
	case EBADF:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP:
		worker_over(l->w, "a listener failed", false);
		break;
	default:
		break; /* nobody there after all, or that one connection failed (accept(2)) */
	}
}

/* One a turn: listeners are level-triggered, and asking whether there is another costs as much as the next turn. */
static void listener_ready(struct loop_source *source, uint32_t events)
{
	struct listener *l = container_of(source, struct listener, source);

	(void)events;
	if (l->kind == LISTEN_DNS_UDP)
		front_dns_udp(l);
	else
		accept_one(l);
}

/* What accepted sockets inherit. None of it matters to who may reach what, so a kernel may refuse. */
static void tune(const struct listener *l)
{
	int fd = l->source.fd, on = 1, idle_s = KEEPALIVE_S, step_s = KEEPALIVE_STEP_S, defer_s = DEFER_S;

	if (l->kind == LISTEN_DNS_UDP)
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &step_s, sizeof(step_s));
	/* a proxy's client speaks first: wake up for the first bytes, not for the connection */
	if (l->kind == LISTEN_PROXY)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_s, sizeof(defer_s));
}

static bool take_listeners(struct worker *w, const struct chan_message *m)
{
	const struct wire_listeners *l = &m->payload.LISTENERS;

	for (int i = 0; i < m->n_fds; i++)
		w->listeners[i] = (struct listener){.source = {m->fds[i], listener_ready}, .w = w};
	w->n_listeners = (size_t)m->n_fds;
	if (l->n == 0 || l->n != m->n_fds)
		return false;
	for (size_t i = 0; i < w->n_listeners; i++) {
		if (l->kind[i] < LISTEN_PROXY || l->kind[i] > LISTEN_DNS_TCP)
			return false;
		w->listeners[i].kind = (enum wire_listener_kind)l->kind[i];
		tune(&w->listeners[i]);
	}
	return true;
}

static void end_channel(struct worker *w)
{
	loop_drop(w->loop, &w->channel_source);
	fd_drop(&w->channel_source.fd);
}

/* Both sides are there: whoever waits for the network may start. */
static void check_ready(struct worker *w)
{
	struct wire_hello hello = {.version = WIRE_VERSION};

	if (!w->has_hello || !w->has_listeners)
		return;
	for (size_t i = 0; w->guard.is_on && i < w->n_listeners; i++)
		if (w->listeners[i].kind != LISTEN_PROXY) {
			worker_over(w, "a listener that cannot be guarded", true);
			return;
		}
	worker_accept_check(w);
	if (chan_send(&w->channel, WIRE_READY, &hello, NULL, 0, MSG_DONTWAIT) < 0)
		worker_over(w, "whoever handed over the listeners cannot be told", false);
	end_channel(w);
}

static void channel_ready(struct loop_source *source, uint32_t events)
{
	struct worker *w = container_of(source, struct worker, channel_source);
	struct chan_message m;
	const char *why = "";

	(void)events;
	switch (chan_recv(&w->channel, MSG_DONTWAIT, &m, &why)) {
	case CHAN_MESSAGE:
		if (w->has_listeners || !take_listeners(w, &m)) {
			worker_over(w, "LISTENERS that mean nothing", true);
			return;
		}
		w->has_listeners = true;
		check_ready(w);
		break;
	case CHAN_EMPTY:
		break;
	case CHAN_ENDED:
		worker_over(w, "the session ended before it was served", false);
		break;
	case CHAN_BREACH:
		worker_over(w, why, true);
		break;
	}
}

static void take_terms(struct worker *w, const struct wire_terms *t)
{
	static const char usual[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t n = strnlen(t->session, WIRE_SESSION_BYTES);
	bool is_good = guard_set(&w->guard, t) && n < WIRE_SESSION_BYTES &&
		       (!t->pool_bits || names_use_pool(&w->names, t->pool, t->pool_bits));

	if (is_good && strspn(t->session, usual) == n)
		memcpy(w->session, t->session, n + 1);
	if (!is_good)
		worker_over(w, "TERMS that mean nothing", true);
}

static void take_from_broker(struct worker *w, struct chan_message *m)
{
	if (m->number == WIRE_TERMS) {
		take_terms(w, &m->payload.TERMS);
		return;
	}
	if (m->number == WIRE_CLIENTS) {
		if (!guard_take(w, &m->payload.CLIENTS))
			worker_over(w, "CLIENTS that mean nothing", true);
		return;
	}
	if (m->number != WIRE_HELLO) {
		asks_take(w, m);
		return;
	}
	w->has_hello = true;
	w->asks.chan.state = IN_SERVICE;
	check_ready(w);
}

/* One message a turn, as with listeners. */
static void broker_ready(struct loop_source *source, uint32_t events)
{
	struct worker *w = container_of(source, struct worker, broker_source);
	struct chan_message m;
	const char *why = "";

	if (events & EPOLLOUT)
		asks_flush(w);
	switch (chan_recv(&w->asks.chan, MSG_DONTWAIT, &m, &why)) {
	case CHAN_MESSAGE:
		take_from_broker(w, &m);
		break;
	case CHAN_EMPTY:
		break;
	case CHAN_ENDED:
		worker_over(w, "", false);
		break;
	case CHAN_BREACH:
		worker_over(w, why, true);
		break;
	}
}

/* Flows that had more than a turn's bytes go on after everybody else had a turn. */
static void go_on(struct worker *w)
{
	struct flow_list now = TAILQ_HEAD_INITIALIZER(now);
	struct flow *f;

	TAILQ_CONCAT(&now, &w->again, again_link);
	while ((f = TAILQ_FIRST(&now))) {
		TAILQ_REMOVE(&now, f, again_link);
		f->is_again = false;
		if (f->state == FLOW_RELAY)
			relay_again(f);
		else if (f->state == FLOW_HTTP)
			http_again(f);
	}
	if (!TAILQ_EMPTY(&w->again) && loop_timer_set(w->loop, &w->again_timer, 0) < 0)
		worker_over(w, "out of memory for a timer", false);
}

/* Set only so that the loop does not sleep; go_on() comes after each of its turns. */
static void wake_only(struct loop_timer *timer)
{
	(void)timer;
}

/* A flow is freed only here, so that nobody up the call chain holds a pointer to it. */
static void bury(struct worker *w)
{
	struct flow *f;

	while ((f = TAILQ_FIRST(&w->dead))) {
		TAILQ_REMOVE(&w->dead, f, link);
		free(f);
	}
}

static void close_all(struct worker *w)
{
	struct flow *f;

	while ((f = TAILQ_FIRST(&w->flows)))
		flow_close(f);
	bury(w);
	front_dns_drop(w);
	if (w->is_accepting)
		for (size_t i = 0; i < w->n_listeners; i++)
			loop_drop(w->loop, &w->listeners[i].source);
	for (size_t i = 0; i < w->n_listeners; i++)
		fd_drop(&w->listeners[i].source.fd);
	end_channel(w);
	loop_drop(w->loop, &w->broker_source);
	fd_drop(&w->broker_source.fd);
	loop_timer_clear(w->loop, &w->retry_timer);
	loop_timer_clear(w->loop, &w->again_timer);
	loop_timer_clear(w->loop, &w->room_timer);
	pipes_drop(&w->pipes);
	names_drop(&w->names);
	asks_drop(&w->asks);
	free(w);
}

static struct worker *start(const struct worker_settings *set, struct err *err)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w) {
		err_set(err, ENOMEM, "starting the worker");
		return NULL;
	}
	w->set = *set;
	w->loop = set->loop;
	w->asks.chan =
		(struct chan){set->broker_fd, FROM_BROKER, IN_START, WIRE_MAIN_FIRST, WIRE_MAIN_LAST};
	w->asks.queue.max = ASKS_QUEUE_MAX_BYTES;
	w->channel = (struct chan){set->listeners_fd, FROM_JAIL, IN_START, WIRE_LISTENERS, WIRE_READY};
	w->broker_source = (struct loop_source){set->broker_fd, broker_ready};
	w->channel_source = (struct loop_source){set->listeners_fd, channel_ready};
	w->retry_timer.fire = retry_accept;
	w->again_timer.fire = wake_only;
	w->room_timer.fire = make_room;
	TAILQ_INIT(&w->flows);
	TAILQ_INIT(&w->dead);
	TAILQ_INIT(&w->again);
	names_init(&w->names);
	guard_init(&w->guard);
	int rc = loop_add(w->loop, &w->broker_source, EPOLLIN);
	if (rc == 0)
		rc = loop_add(w->loop, &w->channel_source, EPOLLIN);
	if (rc < 0) {
		err_set(err, -rc, "watching the worker's channels");
		close_all(w);
		return NULL;
	}
	return w;
}

int worker_run(const struct worker_settings *set, struct err *err)
{
	struct worker *w = start(set, err);
	if (!w)
		return err->code;
	int rc = 0;
	while (rc == 0 && !w->why_over) {
		rc = loop_turn(w->loop);
		go_on(w);
		bury(w);
	}
	if (rc < 0)
		rc = err_set(err, -rc, "waiting for events");
	else if (w->is_breach)
		rc = err_set(err, EPROTO, "a peer broke the protocol (%s)", w->why_over);
	else if (w->why_over[0])
		rc = err_set(err, 0, "%s", w->why_over);
	close_all(w);
	return rc;
}

/* As many flows as there may be descriptors. */
static int room_for_flows(size_t *out, struct err *err)
{
	uint64_t most;
	int rc = privs_raise_nofile(&most, err);

	if (rc < 0)
		return rc;
	if (most <= FDS_BESIDE_FLOWS) {
		err_set(err, EMFILE, "only %llu descriptors may be open", (unsigned long long)most);
		return err_fix(err, "raise the hard limit: ulimit -Hn 20000");
	}
	uint64_t n = (most - FDS_BESIDE_FLOWS) / FDS_A_FLOW;
	*out = n < WORKER_MAX_FLOWS ? (size_t)n : WORKER_MAX_FLOWS;
	return 0;
}

int worker_main(int argc, char **argv)
{
	struct err err = {0};
	struct worker_settings set = {
		.broker_fd = WORKER_FD_BROKER,
		.listeners_fd = WORKER_FD_LISTENERS,
		.first_bytes_ms = WORKER_FIRST_BYTES_MS,
		.idle_ms = WORKER_IDLE_MS,
		.linger_ms = WORKER_LINGER_MS,
		.give_way_ms = WORKER_GIVE_WAY_MS,
	};

	(void)argc;
	(void)argv; /* nothing to choose: the descriptors are fixed and the limits are ours */
	log_name("drydock-egress worker");
	(void)signal(SIGPIPE, SIG_IGN); /* splice(2) has no MSG_NOSIGNAL; write errors are handled where they happen */
	set.loop = room_for_flows(&set.max_flows, &err) < 0 ? NULL : loop_new(&err);
	int rc = set.loop ? worker_sandbox_enter(&err) : err.code;
	if (rc == 0)
		rc = worker_run(&set, &err);
	loop_free(set.loop);
	if (rc < 0)
		log_line("%s", err.text);
	return rc < 0;
}
