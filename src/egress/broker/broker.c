/* SPDX-License-Identifier: Apache-2.0 */
#include "base/own.h"
#include "egress/broker/counts.h"
#include "egress/broker/inside.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

enum { MESSAGES_A_TURN = 64 }; /* of one channel, before others get a turn */

void broker_end(struct broker *b, const char *who, const char *what)
{
	if (!b->why_over[0])
		(void)snprintf(b->why_over, sizeof(b->why_over), "the %s %s", who, what); /* fits */
}

static void breach(struct broker *b, const char *who, const char *what)
{
	char text[160];

	(void)snprintf(text, sizeof(text), "broke the protocol (%s)", what); /* a cut is fine */
	broker_end(b, who, text);
}

/* Watches a channel for reading while it may be read, for writing while something waits to be sent. */
static void watch(struct broker *b, struct loop_source *source, uint32_t *was, uint32_t events)
{
	if (*was == events)
		return;
	*was = events;
	if (loop_change(b->set.loop, source, events) < 0)
		broker_end(b, "broker", "cannot watch its channels");
}

static void send_worker(struct broker *b, enum wire_number number, const void *payload)
{
	if (outbox_send(&b->to_worker, number, payload, -1) < 0)
		broker_end(b, "worker", "cannot be answered");
	/* while answers wait, no further question is read: the queue cannot outgrow the flows */
	watch(b, &b->worker_source, &b->worker_events,
	      outbox_is_waiting(&b->to_worker) ? EPOLLOUT : EPOLLIN);
}

const char *broker_protocol_word(uint8_t seen_in)
{
	static const char *const words[SEEN_SOURCES] = {
		[SEEN_IN_CONNECT] = "connect",	   [SEEN_IN_HTTP] = "http",
		[SEEN_IN_SOCKS] = "socks5",	   [SEEN_IN_DNS_TABLE] = "transparent",
		[SEEN_AS_ADDRESS] = "transparent", [SEEN_IN_DNS] = "dns",
	};
	return seen_in < SEEN_SOURCES ? words[seen_in] : NULL;
}

struct audit_record broker_record_of(const struct upstream *u, const char *event)
{
	return (struct audit_record){
		.event = event,
		.flow = u->flow,
		.has_flow = true,
		.protocol = broker_protocol_word(u->seen_in),
		.name = span_make(u->name.text, u->name.n),
		.port = u->port,
		.has_verdict = true,
		.rule_file = u->verdict.origin.file,
		.rule_line = u->verdict.origin.line,
		.program = u->program[0] ? u->program : NULL,
		.via = u->is_via ? ((struct broker *)u->owner)->via_text : NULL,
		.client = u->client_port ? &u->client : NULL,
		.client_port = u->client_port,
	};
}

static void send_held(struct loop_timer *timer)
{
	struct broker *b = container_of(timer, struct broker, held_timer);
	struct wire_refused r;

	while (held_take_due(&b->held, loop_now_ms(b->set.loop), &r))
		send_worker(b, WIRE_REFUSED, &r);
	if (b->held.n && loop_timer_set(b->set.loop, timer, b->held.due_ms[0]) < 0)
		broker_end(b, "broker", "has no memory for its timers");
}

static bool hold(struct broker *b, const struct wire_refused *r)
{
	if (!held_put(&b->held, r, loop_now_ms(b->set.loop)))
		return false;
	if (b->held.n == 1)
		send_held(&b->held_timer); /* nothing is due: it sets the timer */
	return true;
}

/* @may_be_named: the connection is there to be looked up, and was not before */
static void send_refused(struct broker *b, uint64_t flow, enum reason reason,
			 const struct verdict *v, uint64_t decision, bool may_be_named)
{
	struct wire_refused r = {.flow = flow, .reason = reason, .decision = decision};

	if (v->origin.file) {
		size_t n = strlen(v->origin.file);
		size_t most = sizeof(r.origin_file) - 1;
		memcpy(r.origin_file, v->origin.file + (n > most ? n - most : 0),
		       n > most ? most : n);
		r.origin_line = v->origin.line;
	}
	if (!b->is_named || !may_be_named || !hold(b, &r))
		send_worker(b, WIRE_REFUSED, &r);
}

void broker_note_program(struct broker *b, uint64_t flow, const char *name)
{
	struct upstream *u = flows_find(&b->flows, flow);
	struct wire_refused r;

	if (u)
		(void)snprintf(u->program, sizeof(u->program), "%s", name); /* shorter: checked */
	if (held_take(&b->held, flow, &r))
		send_worker(b, WIRE_REFUSED, &r);
}

void broker_set_named(struct broker *b, bool is_named)
{
	b->is_named = is_named;
}

/* The end of an upstream that never opened. */
void broker_refuse(struct broker *b, struct upstream *u, enum reason reason,
		   const struct addr *address, const char *error)
{
	struct audit_record r = broker_record_of(u, "refuse");

	r.reason = reason_word(reason);
	r.address = address;
	r.error = error;
	send_refused(b, u->flow, reason, &u->verdict, audit_write(b->set.audit, &r), u->client_port && !u->program[0]);
	flows_remove(u);
	broker_start_waiting(b);
}

static bool is_limited(const struct broker *b, const struct upstream *u)
{
	return rule_budget_is_set(&u->verdict.budget) || rule_budget_is_set(ruleset_budget(b->set.rules));
}

static void opened(struct broker *b, struct upstream *u, int fd, const struct addr *at)
{
	struct wire_opened o = {.flow = u->flow,
				.judge = (uint8_t)question_judge(u->verdict.options, u->port),
				.bears = question_bears(u->verdict.options),
				.name_n = u->name.n};
	struct audit_record r = broker_record_of(u, "open");

	u->judge = o.judge;
	u->bears = o.bears;
	memcpy(o.name, u->name.text, u->name.n);
	u->fd = fd;
	u->address = *at;
	int rc = outbox_send(&b->to_worker, WIRE_OPENED, &o, fd);
	if (rc == -ETOOMANYREFS || rc == -EMFILE || rc == -ENOMEM) {
		broker_refuse(b, u, REASON_UNREACHABLE, at, "this machine has no descriptors left");
		return;
	}
	if (rc < 0) {
		broker_end(b, "worker", "cannot be answered");
		return;
	}
	watch(b, &b->worker_source, &b->worker_events,
	      outbox_is_waiting(&b->to_worker) ? EPOLLOUT : EPOLLIN);
	upstream_enter(u, UPSTREAM_OPEN);
	r.is_allowed = true;
	r.reason = reason_word(REASON_NONE);
	r.address = at;
	(void)audit_write(b->set.audit, &r);
	if (is_limited(b, u) && !b->poll_timer.slot)
		(void)loop_timer_set(
			b->set.loop, &b->poll_timer,
			loop_now_ms(b->set.loop) +
				BROKER_POLL_MS); /* else tried again at the next open */
	broker_start_waiting(b);
}

static bool is_closed(const struct broker *b, const struct addr *a)
{
	for (size_t i = 0; i < b->set.n_closed; i++)
		if (addr_in_prefix(a, &b->set.closed[i].net, b->set.closed[i].bits))
			return true;
	return false;
}

const char *broker_judge(const struct broker *b, const struct upstream *u, const struct addr *at)
{
	if (is_closed(b, at))
		return "of a network of the session's own";
	/* an address that was asked for has passed the address rules already; the proxy's is the user's own choice */
	if (u->is_literal || u->is_via || verdict_resolved(b->set.rules, u->verdict.options, at, u->port))
		return NULL;
	return addr_class_word(addr_classify(at));
}

static void tunnelled(void *owner, const char *why)
{
	struct upstream *u = owner;
	struct broker *b = u->owner;
	int fd = u->fd;

	u->via = NULL;
	if (why) {
		broker_refuse(b, u, REASON_UNREACHABLE, &u->address, why);
		return;
	}
	counts_read(fd, &u->skip_up, &u->skip_down);
	struct addr at = u->address;
	opened(b, u, fd, &at);
}

static void ask_proxy(struct broker *b, struct upstream *u, int fd, const struct addr *at)
{
	u->fd = fd;
	u->address = *at;
	u->via = via_start(b->set.loop, fd, &u->name, u->port, ruleset_proxy(b->set.rules)->auth, tunnelled, u);
	if (!u->via)
		broker_refuse(b, u, REASON_UNREACHABLE, at, "out of memory");
}

static void dialled(void *owner, int fd, const struct addr *at, int error)
{
	struct upstream *u = owner;
	struct broker *b = u->owner;

	u->dial = NULL;
	const char *flaw = fd >= 0 ? broker_judge(b, u, at) : NULL; /* rules may have changed meanwhile */
	if (flaw) {
		(void)close(fd);
		broker_refuse(b, u, REASON_PRIVATE_ADDRESS, at, flaw);
	} else if (fd < 0)
		broker_refuse(b, u, REASON_UNREACHABLE, at, strerror(-error));
	else if (u->is_via)
		ask_proxy(b, u, fd, at);
	else
		opened(b, u, fd, at);
}

/* Step 5b and 6: every address must be of a class that the rule opens, and then one of them is dialled. */
static void check_and_dial(struct broker *b, struct upstream *u, const struct addr *addresses,
			   size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *flaw = broker_judge(b, u, &addresses[i]);
		if (flaw) {
			broker_refuse(b, u, REASON_PRIVATE_ADDRESS, &addresses[i], flaw);
			return;
		}
	}
	upstream_enter(u, UPSTREAM_DIALLING);
	u->dial = dial_start(b->set.loop, addresses, n, u->dial_port, dialled, u);
	if (!u->dial)
		broker_refuse(b, u, REASON_UNREACHABLE, NULL, "out of memory");
}

static void watch_names(struct broker *b)
{
	watch(b, &b->names_source, &b->names_events,
	      EPOLLIN | (outbox_is_waiting(&b->to_names) ? EPOLLOUT : 0U));
}

/* One that asks for the same name already. */
static const struct upstream *find_same_question(const struct broker *b, const struct name *name)
{
	const struct upstream *u;

	TAILQ_FOREACH(u, &b->flows.by_state[UPSTREAM_RESOLVING], in_state)
	{
		if (u->asked_name.n == name->n && memcmp(u->asked_name.text, name->text, name->n) == 0)
			return u;
	}
	return NULL;
}

static void start_resolving(struct broker *b, struct upstream *u)
{
	struct wire_resolve q = {.ask = b->last_ask + 1, .name_n = u->asked_name.n};
	const struct upstream *same = find_same_question(b, &u->asked_name);

	memcpy(q.name, u->asked_name.text, u->asked_name.n);
	u->ask = same ? same->ask : q.ask;
	u->asked_ms = loop_now_ms(b->set.loop);
	upstream_enter(u, UPSTREAM_RESOLVING);
	if (same)
		return; /* its answer is ours too */
	b->last_ask++;
	if (outbox_send(&b->to_names, WIRE_RESOLVE, &q, -1) < 0)
		broker_end(b, "resolver", "cannot be asked");
	watch_names(b);
	if (!b->resolve_timer.slot &&
	    loop_timer_set(b->set.loop, &b->resolve_timer,
			   loop_now_ms(b->set.loop) + BROKER_RESOLVE_MS) < 0)
		broker_refuse(b, u, REASON_UNREACHABLE, NULL, "out of memory");
}

static void no_such_name(struct broker *b, struct upstream *u)
{
	if (u->is_via)
		broker_refuse(b, u, REASON_UNREACHABLE, NULL, "the upstream proxy's name does not exist");
	else
		broker_refuse(b, u, REASON_NO_SUCH_NAME, NULL, NULL);
}

/* Itself or the upstream proxy: what is to be dialled for @u, or NULL and what is to be resolved is in @u. */
static const struct addr *find_target(struct broker *b, struct upstream *u, size_t *out_n)
{
	const struct proxy *proxy = ruleset_proxy(b->set.rules);

	*out_n = 1;
	u->is_via = !u->has_address && proxy_is_for(proxy, &u->name);
	u->asked_name = u->is_via ? proxy->name : u->name;
	u->dial_port = u->is_via ? proxy->port : u->port;
	if (u->has_address)
		return &u->address;
	if (u->is_via && proxy->has_address)
		return &proxy->address;
	return cache_find(&b->cache, &u->asked_name, loop_now_ms(b->set.loop), out_n);
}

/* Takes the next ones in turn as long as not too many are half open. */
void broker_start_waiting(struct broker *b)
{
	struct upstream *u;

	if (b->is_starting)
		return;
	b->is_starting = true;
	while (!b->why_over[0] && b->flows.n_half_open < BROKER_MAX_HALF_OPEN &&
	       (u = TAILQ_FIRST(&b->flows.by_state[UPSTREAM_WAITING]))) {
		size_t n;
		const struct addr *known = find_target(b, u, &n);
		if (known && n == 0)
			no_such_name(b, u);
		else if (known)
			check_and_dial(b, u, known, n);
		else
			start_resolving(b, u);
	}
	b->is_starting = false;
}

static struct addr address_of(bool is_v6, const uint8_t bytes[16])
{
	struct addr a = {.is_v6 = is_v6};
	struct addr out;
	struct sockaddr_storage ss;
	uint16_t port;

	memcpy(a.bytes, bytes, is_v6 ? 16 : 4);
	(void)addr_to_sockaddr(&a, 0, &ss);
	return addr_from_sockaddr(&ss, &out, &port) ? out : a; /* v4-mapped becomes v4 */
}

static const char *open_flaw(struct broker *b, const struct wire_open *q)
{
	static const uint8_t zero[3];

	if (q->port == 0 || q->name_n == 0)
		return "OPEN without a port or a name";
	if (q->seen_in == 0 || q->seen_in >= SEEN_SOURCES || q->seen_in == SEEN_IN_DNS ||
	    q->client_v6 > 1)
		return "OPEN with a number that means nothing";
	if (memcmp(q->pad, zero, sizeof(zero)) != 0 || q->pad2 || q->pad3)
		return "OPEN with padding that is not zero";
	if (flows_find(&b->flows, q->flow))
		return "OPEN of a flow that lives";
	return NULL;
}

static void refuse_at_once(struct broker *b, const struct wire_open *q,
			   const struct question *asked, enum reason reason, const char *error)
{
	struct addr client = address_of(q->client_v6, q->client);
	struct audit_record r = {
		.event = "refuse",
		.flow = q->flow,
		.has_flow = true,
		.protocol = broker_protocol_word(q->seen_in),
		.name = asked->name.n ? span_make(asked->name.text, asked->name.n)
				      : span_make(q->name, q->name_n),
		.port = q->port,
		.has_verdict = true,
		.reason = reason_word(reason),
		.rule_file = asked->verdict.origin.file,
		.rule_line = asked->verdict.origin.line,
		.client = q->client_port ? &client : NULL,
		.client_port = q->client_port,
		.error = error,
	};
	send_refused(b, q->flow, reason, &asked->verdict, audit_write(b->set.audit, &r), q->client_port);
}

static void take_open(struct broker *b, const struct wire_open *q)
{
	const char *flaw = open_flaw(b, q);
	if (flaw) {
		breach(b, "worker", flaw);
		return;
	}
	struct question asked;
	uint64_t now_ms = loop_now_ms(b->set.loop);
	question_decide(b->set.rules, span_make(q->name, q->name_n), q->port, &asked);
	bool may_ask = broker_may_ask(b, asked.reason);
	if (asked.reason != REASON_NONE && !may_ask) {
		refuse_at_once(b, q, &asked, asked.reason, NULL);
		return;
	}
	if (b->flows.n >= b->set.max_flows) {
		refuse_at_once(b, q, &asked, REASON_BUDGET, "too many flows at once");
		return;
	}
	if (!may_ask && !broker_take_name(b, &asked)) {
		refuse_at_once(b, q, &asked, REASON_BUDGET, "too many new names below wildcard rules");
		return;
	}
	if (!may_ask && !broker_take_budgets(b, &asked.verdict)) {
		refuse_at_once(b, q, &asked, REASON_BUDGET, NULL);
		return;
	}
	struct upstream *u = flows_add(&b->flows, q->flow);
	if (!u) {
		refuse_at_once(b, q, &asked, REASON_UNREACHABLE, "out of memory");
		return;
	}
	u->owner = b;
	u->started_ms = now_ms;
	u->verdict = asked.verdict;
	u->name = asked.name;
	u->has_address = asked.has_address;
	u->is_literal = asked.is_literal;
	u->address = asked.address;
	u->seen_in = q->seen_in;
	u->port = q->port;
	u->client = address_of(q->client_v6, q->client);
	u->client_port = q->client_port;
	if (may_ask)
		broker_hold(b, u);
	else
		broker_start_waiting(b);
}

void broker_count(struct broker *b, struct upstream *u)
{
	uint64_t up, down;

	counts_read(u->fd, &up, &down);
	up -= up < u->skip_up ? up : u->skip_up;
	down -= down < u->skip_down ? down : u->skip_down;
	up = up > u->up_bytes ? up : u->up_bytes;
	down = down > u->down_bytes ? down : u->down_bytes;
	budget_add(&b->budget, u->verdict.rule_id, up - u->up_bytes, down - u->down_bytes);
	budget_add(&b->budget, BUDGET_SESSION_ID, up - u->up_bytes, down - u->down_bytes);
	u->up_bytes = up;
	u->down_bytes = down;
}

bool broker_take_budgets(struct broker *b, const struct verdict *v)
{
	uint64_t now_ms = loop_now_ms(b->set.loop);
	const struct verdict session = {.budget = *ruleset_budget(b->set.rules), .rule_id = BUDGET_SESSION_ID};

	return budget_take(&b->budget, v, now_ms) && budget_take(&b->budget, &session, now_ms);
}

bool broker_take_name(struct broker *b, const struct question *asked)
{
	return asked->has_address || asked->verdict.is_exact ||
	       wild_take(&b->wild, &asked->name, loop_now_ms(b->set.loop));
}

/* The one record at the end of a flow. @reason: what the worker's step 7 refused, or REASON_NONE */
static void finish(struct broker *b, struct upstream *u, enum reason reason, struct span seen)
{
	if (u->state == UPSTREAM_ASKING && reason == REASON_NONE)
		reason = REASON_NOT_ALLOWLISTED; /* nobody answered in time */
	struct audit_record r = broker_record_of(u, reason == REASON_NONE ? "close" : "refuse");

	if (u->fd >= 0) {
		broker_count(b, u);
		(void)shutdown(u->fd, SHUT_RDWR); /* it may have ended by itself */
		r.address = &u->address;
	}
	r.is_allowed = reason == REASON_NONE;
	r.reason = reason_word(reason == REASON_NONE ? u->cut : reason);
	r.has_counts = true;
	r.up_bytes = u->up_bytes;
	r.down_bytes = u->down_bytes;
	r.ms = loop_now_ms(b->set.loop) - u->started_ms;
	r.detail = seen;
	(void)audit_write(b->set.audit, &r);
	flows_remove(u);
}

static void take_close(struct broker *b, const struct wire_close *q)
{
	if (q->reason >= REASON_COUNT) {
		breach(b, "worker", "CLOSE with an unknown reason");
		return;
	}
	struct upstream *u = flows_find(&b->flows, q->flow);
	if (!u)
		return; /* it crossed our REFUSED */
	finish(b, u, (enum reason)q->reason, span_make(q->detail, q->detail_n));
	broker_start_waiting(b);
}

static void take_note(struct broker *b, const struct wire_note *q)
{
	if (q->reason == REASON_NONE || q->reason >= REASON_COUNT || q->seen_in >= SEEN_SOURCES) {
		breach(b, "worker", "NOTE with a number that means nothing");
		return;
	}
	struct audit_record r = {
		.event = "note",
		.protocol = broker_protocol_word(q->seen_in),
		.name = span_make(q->name, q->name_n),
		.port = q->port,
		.has_verdict = true,
		.reason = reason_word(q->reason),
	};
	(void)audit_write(b->set.audit, &r);
}

static void take_ask_dns(struct broker *b, const struct wire_ask_dns *q)
{
	struct question asked;

	question_decide_dns(b->set.rules, span_make(q->name, q->name_n), &asked);
	if (!broker_may_ask(b, asked.reason) || !broker_hold_dns(b, q))
		broker_dns_answer(b, q, &asked);
}

void broker_dns_answer(struct broker *b, const struct wire_ask_dns *q, const struct question *asked)
{
	struct wire_dns_verdict v = {.ask = q->ask, .reason = asked->reason};

	if (asked->reason == REASON_NONE) {
		v.name_n = asked->name.n;
		memcpy(v.name, asked->name.text, asked->name.n);
		v.is_wild = !asked->verdict.is_exact;
	}
	struct audit_record r = {
		.event = "dns",
		.protocol = "dns",
		.name = asked->name.n ? span_make(asked->name.text, asked->name.n)
				     : span_make(q->name, q->name_n),
		.has_verdict = true,
		.is_allowed = asked->reason == REASON_NONE,
		.reason = reason_word(asked->reason),
		.rule_file = asked->verdict.origin.file,
		.rule_line = asked->verdict.origin.line,
	};
	(void)audit_write(b->set.audit, &r);
	send_worker(b, WIRE_DNS_VERDICT, &v);
}

static void take_ask_clients(struct broker *b, const struct wire_ask_clients *q)
{
	struct wire_resolve resolve;

	if (!clients_ask(&b->clients, q, b->last_ask + 1, &resolve)) {
		breach(b, "worker", "ASK_CLIENTS out of turn");
		return;
	}
	b->last_ask++;
	if (outbox_send(&b->to_names, WIRE_RESOLVE, &resolve, -1) < 0)
		broker_end(b, "resolver", "cannot be asked");
	watch_names(b);
}

static void take_from_worker(struct broker *b, const struct chan_message *m)
{
	switch (m->number) {
	case WIRE_OPEN:
		take_open(b, &m->payload.OPEN);
		break;
	case WIRE_CLOSE:
		take_close(b, &m->payload.CLOSE);
		break;
	case WIRE_NOTE:
		take_note(b, &m->payload.NOTE);
		break;
	case WIRE_ASK_DNS:
		take_ask_dns(b, &m->payload.ASK_DNS);
		break;
	case WIRE_ASK_CLIENTS:
		take_ask_clients(b, &m->payload.ASK_CLIENTS);
		break;
	case WIRE_TERMS:
	case WIRE_CLIENTS:
	case WIRE_HELLO:
	case WIRE_OPENED:
	case WIRE_REFUSED:
	case WIRE_DNS_VERDICT:
	case WIRE_RESOLVER_READY:
	case WIRE_RESOLVE:
	case WIRE_RESOLVED:
	case WIRE_WANT_SOCKET:
	case WIRE_SOCKET:
	case WIRE_LISTENERS:
	case WIRE_READY:
		breach(b, "worker",
		       "a message that is not the worker's"); /* chan_recv() took none such */
		break;
	}
}

static void resolver_is_ready(struct broker *b)
{
	struct wire_hello hello = {.version = WIRE_VERSION};

	b->names.state = IN_SERVICE;
	b->worker.state = IN_SERVICE;
	if (b->set.terms)
		send_worker(b, WIRE_TERMS, b->set.terms);
	send_worker(b, WIRE_HELLO, &hello);
}

static void take_resolved(struct broker *b, const struct wire_resolved *a)
{
	struct addr addresses[WIRE_MAX_ADDRESSES];
	static_assert((int)WIRE_MAX_ADDRESSES <= (int)DIAL_MAX_ADDRESSES,
		      "every address can be dialled");

	if (a->status > RESOLVED_FAILED || a->n_addresses > WIRE_MAX_ADDRESSES) {
		breach(b, "resolver", "RESOLVED with a number that means nothing");
		return;
	}
	uint32_t ttl_s = UINT32_MAX;
	for (size_t i = 0; i < a->n_addresses; i++) {
		ttl_s = a->addresses[i].ttl_s < ttl_s ? a->addresses[i].ttl_s : ttl_s;
		if (a->addresses[i].is_v6 > 1) {
			breach(b, "resolver", "RESOLVED with a number that means nothing");
			return;
		}
		addresses[i] = address_of(a->addresses[i].is_v6, a->addresses[i].bytes);
	}
	struct wire_clients clients;
	if (clients_answer(&b->clients, a, &clients)) {
		send_worker(b, WIRE_CLIENTS, &clients);
		return;
	}
	bool is_unknown = a->status == RESOLVED_NO_SUCH_NAME || a->n_addresses == 0;
	struct upstream *u = flows_find_ask(&b->flows, a->ask);
	if (u && a->status != RESOLVED_FAILED)
		cache_put(&b->cache, &u->asked_name, addresses, is_unknown ? 0 : a->n_addresses, ttl_s,
			  loop_now_ms(b->set.loop));
	/* all who wait for this answer; none, when the worker gave up meanwhile. Each goes on to another state */
	for (; u && !b->why_over[0]; u = flows_find_ask(&b->flows, a->ask)) {
		if (a->status == RESOLVED_FAILED)
			broker_refuse(b, u, REASON_UNREACHABLE, NULL,
				      "the resolver got no answer from any DNS server");
		else if (is_unknown)
			no_such_name(b, u);
		else
			check_and_dial(b, u, addresses, a->n_addresses);
	}
}

static void take_want_socket(struct broker *b, const struct wire_want_socket *q)
{
	if (q->server >= b->set.n_servers || q->is_tcp > 1) {
		breach(b, "resolver", "WANT_SOCKET for a server that is not configured");
		return;
	}
	const struct endpoint *server = &b->set.servers[q->server];
	AUTO(fd) int fd = dial_socket(&server->at, server->port, q->is_tcp);
	struct wire_socket s = {.server = q->server, .status = fd < 0 ? fd : 0};
	/* the resolver waits for each one, so there is room for the answer */
	if (chan_send(&b->sockets, WIRE_SOCKET, &s, &fd, fd < 0 ? 0 : 1, MSG_DONTWAIT) < 0)
		broker_end(b, "resolver", "cannot be answered");
	if (fd < 0)
		fd = -1; /* a negative errno value is no descriptor to close */
}

static void take_from_resolver(struct broker *b, const struct chan_message *m)
{
	if (m->number == WIRE_RESOLVER_READY)
		resolver_is_ready(b);
	else if (m->number == WIRE_RESOLVED)
		take_resolved(b, &m->payload.RESOLVED);
	else if (m->number == WIRE_WANT_SOCKET)
		take_want_socket(b, &m->payload.WANT_SOCKET);
	else
		breach(b, "resolver", "a message that is not the resolver's");
}

static void read_channel(struct broker *b, const struct chan *ch, const char *who,
			 void (*handle)(struct broker *, const struct chan_message *))
{
	for (int i = 0; i < MESSAGES_A_TURN && !b->why_over[0]; i++) {
		struct chan_message m;
		const char *why = "";
		switch (chan_recv(ch, MSG_DONTWAIT, &m, &why)) {
		case CHAN_MESSAGE:
			handle(b, &m);
			if (ch == &b->worker && outbox_is_waiting(&b->to_worker))
				return;
			break;
		case CHAN_EMPTY:
			return;
		case CHAN_ENDED:
			broker_end(b, who, "ended");
			return;
		case CHAN_BREACH:
			breach(b, who, why);
			return;
		}
	}
}

static void worker_ready(struct loop_source *source, uint32_t events)
{
	struct broker *b = container_of(source, struct broker, worker_source);

	if (events & EPOLLOUT) {
		if (outbox_flush(&b->to_worker) < 0)
			broker_end(b, "worker", "cannot be answered");
		watch(b, source, &b->worker_events,
		      outbox_is_waiting(&b->to_worker) ? EPOLLOUT : EPOLLIN);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_channel(b, &b->worker, "worker", take_from_worker);
}

static void names_ready(struct loop_source *source, uint32_t events)
{
	struct broker *b = container_of(source, struct broker, names_source);

	if (events & EPOLLOUT) {
		if (outbox_flush(&b->to_names) < 0)
			broker_end(b, "resolver", "cannot be asked");
		watch_names(b);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_channel(b, &b->names, "resolver", take_from_resolver);
}

static void sockets_ready(struct loop_source *source, uint32_t events)
{
	struct broker *b = container_of(source, struct broker, sockets_source);

	(void)events;
	read_channel(b, &b->sockets, "resolver", take_from_resolver);
}

/* Regularly while flows of rules with a budget are open. */
static void poll_budgets(struct loop_timer *timer)
{
	struct broker *b = container_of(timer, struct broker, poll_timer);
	uint64_t now_ms = loop_now_ms(b->set.loop);
	struct upstream *u;
	bool is_needed = false;

	TAILQ_FOREACH(u, &b->flows.by_state[UPSTREAM_OPEN], in_state)
	{
		if (u->cut != REASON_NONE || !is_limited(b, u))
			continue;
		broker_count(b, u);
		is_needed = true;
	}
	bool is_session_spent =
		budget_is_spent(&b->budget, BUDGET_SESSION_ID, ruleset_budget(b->set.rules), now_ms);
	/* a second pass: what one flow spent ends its sisters too */
	TAILQ_FOREACH(u, &b->flows.by_state[UPSTREAM_OPEN], in_state)
	{
		if (u->cut == REASON_NONE &&
		    (is_session_spent ||
		     budget_is_spent(&b->budget, u->verdict.rule_id, &u->verdict.budget, now_ms))) {
			u->cut = REASON_BUDGET;
			(void)shutdown(u->fd, SHUT_RDWR); /* fails only when it is over already */
		}
	}
	if (is_needed && loop_timer_set(b->set.loop, timer, now_ms + BROKER_POLL_MS) < 0)
		broker_end(b, "broker", "has no memory for its timers");
}

/* The resolver gives up by itself; this is for one that does not. */
static void end_stuck_questions(struct loop_timer *timer)
{
	struct broker *b = container_of(timer, struct broker, resolve_timer);
	uint64_t now_ms = loop_now_ms(b->set.loop);
	struct upstream *u;

	while ((u = TAILQ_FIRST(&b->flows.by_state[UPSTREAM_RESOLVING])) &&
	       now_ms - u->asked_ms >= BROKER_RESOLVE_MS)
		broker_refuse(b, u, REASON_UNREACHABLE, NULL, "the resolver did not answer in time");
	if (u && loop_timer_set(b->set.loop, timer, u->asked_ms + BROKER_RESOLVE_MS) < 0)
		broker_end(b, "broker", "has no memory for its timers");
}

struct broker *broker_new(const struct broker_settings *settings, struct err *err)
{
	struct broker *b = calloc(1, sizeof(*b));
	if (!b) {
		err_set(err, ENOMEM, "starting the broker");
		return NULL;
	}
	b->set = *settings;
	flows_init(&b->flows);
	cache_init(&b->cache);
	TAILQ_INIT(&b->dns_asks);
	proxy_print(ruleset_proxy(settings->rules), b->via_text);
	b->budget.begun_ms = loop_now_ms(settings->loop);
	b->clients.name = settings->agent;
	b->worker = (struct chan){settings->worker_fd, FROM_WORKER, IN_START, WIRE_MAIN_FIRST,
				  WIRE_MAIN_LAST};
	b->names = (struct chan){settings->names_fd, FROM_RESOLVER, IN_START, WIRE_RESOLVER_READY,
				 WIRE_RESOLVED};
	b->sockets = (struct chan){settings->sockets_fd, FROM_RESOLVER, IN_SERVICE,
				   WIRE_WANT_SOCKET, WIRE_SOCKET};
	b->to_worker.ch = &b->worker;
	b->to_names.ch = &b->names;
	b->worker_source = (struct loop_source){settings->worker_fd, worker_ready};
	b->names_source = (struct loop_source){settings->names_fd, names_ready};
	b->sockets_source = (struct loop_source){settings->sockets_fd, sockets_ready};
	b->worker_events = b->names_events = EPOLLIN;
	b->poll_timer.fire = poll_budgets;
	b->ask_timer.fire = broker_asks_over;
	b->resolve_timer.fire = end_stuck_questions;
	b->held_timer.fire = send_held;
	int rc = loop_add(settings->loop, &b->worker_source, EPOLLIN);
	if (rc == 0)
		rc = loop_add(settings->loop, &b->names_source, EPOLLIN);
	if (rc == 0)
		rc = loop_add(settings->loop, &b->sockets_source, EPOLLIN);
	if (rc < 0) {
		err_set(err, -rc, "watching the broker's channels");
		broker_free(b);
		return NULL;
	}
	return b;
}

void broker_free(struct broker *b)
{
	if (!b)
		return;
	struct upstream *u;
	for (size_t state = 0; state < UPSTREAM_STATES; state++)
		while ((u = TAILQ_FIRST(&b->flows.by_state[state])))
			finish(b, u, REASON_NONE, (struct span){0});
	loop_drop(b->set.loop, &b->worker_source);
	loop_drop(b->set.loop, &b->names_source);
	loop_drop(b->set.loop, &b->sockets_source);
	loop_timer_clear(b->set.loop, &b->poll_timer);
	loop_timer_clear(b->set.loop, &b->resolve_timer);
	loop_timer_clear(b->set.loop, &b->held_timer);
	broker_drop_asks(b);
	outbox_drop(&b->to_worker);
	outbox_drop(&b->to_names);
	budget_drop(&b->budget);
	cache_drop(&b->cache);
	wild_drop(&b->wild);
	free(b);
}

const char *broker_why_over(const struct broker *b)
{
	return b->why_over[0] ? b->why_over : NULL;
}
