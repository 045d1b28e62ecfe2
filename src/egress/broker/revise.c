/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/revise.c - what the user changes under flows that live: new rules, answers to asks, closing one */
#include "base/json.h"
#include "egress/broker/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Only what no rule speaks of: a deny rule is the user's answer already. */
bool broker_may_ask(const struct broker *b, enum reason reason)
{
	return b->set.ask_ms && b->flows.n_asking + b->n_dns_asks < BROKER_MAX_ASKS &&
	       (reason == REASON_NOT_ALLOWLISTED || reason == REASON_PORT_NOT_ALLOWED);
}

/* All wait equally long, so the timer stands at the oldest. */
static void set_ask_timer(struct broker *b)
{
	struct upstream *u = TAILQ_FIRST(&b->flows.by_state[UPSTREAM_ASKING]);
	struct dns_ask *d = TAILQ_FIRST(&b->dns_asks);
	uint64_t first_ms = u ? u->asked_ms : UINT64_MAX;

	if (d && d->asked_ms < first_ms)
		first_ms = d->asked_ms;
	if (first_ms == UINT64_MAX)
		loop_timer_clear(b->set.loop, &b->ask_timer);
	else if (loop_timer_set(b->set.loop, &b->ask_timer, first_ms + b->set.ask_ms) < 0)
		broker_end(b, "broker", "has no memory for its timers");
}

void broker_hold(struct broker *b, struct upstream *u)
{
	struct audit_record r = broker_record_of(u, "ask");

	upstream_enter(u, UPSTREAM_ASKING);
	u->asked_ms = loop_now_ms(b->set.loop);
	r.has_verdict = false;
	(void)audit_write(b->set.audit, &r);
	set_ask_timer(b);
}

bool broker_hold_dns(struct broker *b, const struct wire_ask_dns *q)
{
	struct dns_ask *d = malloc(sizeof(*d));
	if (!d)
		return false;
	*d = (struct dns_ask){.question = *q, .asked_ms = loop_now_ms(b->set.loop)};
	TAILQ_INSERT_TAIL(&b->dns_asks, d, link);
	b->n_dns_asks++;
	const struct audit_record r = {.event = "ask", .protocol = "dns", .name = span_make(q->name, q->name_n)};
	(void)audit_write(b->set.audit, &r);
	set_ask_timer(b);
	return true;
}

static void drop_dns_ask(struct broker *b, struct dns_ask *d)
{
	TAILQ_REMOVE(&b->dns_asks, d, link);
	b->n_dns_asks--;
	free(d);
}

void broker_drop_asks(struct broker *b)
{
	struct dns_ask *d;

	while ((d = TAILQ_FIRST(&b->dns_asks)))
		drop_dns_ask(b, d);
	loop_timer_clear(b->set.loop, &b->ask_timer);
}

/* Decides a question that waited, with the rules of now. */
static void answer_dns_ask(struct broker *b, struct dns_ask *d)
{
	struct question asked;

	question_decide_dns(b->set.rules, span_make(d->question.name, d->question.name_n), &asked);
	broker_dns_answer(b, &d->question, &asked);
	drop_dns_ask(b, d);
}

void broker_asks_over(struct loop_timer *timer)
{
	struct broker *b = container_of(timer, struct broker, ask_timer);
	uint64_t now_ms = loop_now_ms(b->set.loop);
	struct upstream *u;
	struct dns_ask *d;

	while ((u = TAILQ_FIRST(&b->flows.by_state[UPSTREAM_ASKING])) && now_ms - u->asked_ms >= b->set.ask_ms)
		broker_refuse(b, u, REASON_NOT_ALLOWLISTED, NULL, NULL);
	while ((d = TAILQ_FIRST(&b->dns_asks)) && now_ms - d->asked_ms >= b->set.ask_ms)
		answer_dns_ask(b, d);
	set_ask_timer(b);
}

/* shutdown(2) on our duplicate ends the worker's copy too: both are one socket. */
static void cut(struct upstream *u, enum reason reason)
{
	if (u->cut != REASON_NONE)
		return;
	u->cut = reason;
	(void)shutdown(u->fd, SHUT_RDWR); /* fails only when it is over already */
}

/* Why an open flow may not go on under the verdict it has now; REASON_NONE when it may. */
static enum reason flaw_of_open(const struct broker *b, const struct upstream *u, const struct question *asked)
{
	if (asked->reason != REASON_NONE)
		return asked->reason;
	if (!u->is_literal && !u->is_via && !verdict_resolved(b->set.rules, u->verdict.options, &u->address, u->port))
		return REASON_PRIVATE_ADDRESS;
	/* its first bytes were judged otherwise, or not at all */
	bool is_same = question_judge(u->verdict.options, u->port) == (enum wire_judge)u->judge &&
		       question_bears(u->verdict.options) == u->bears;
	return is_same ? REASON_NONE : REASON_CLOSED;
}

/* Judges one flow anew; true when it was shut. */
static bool revise(struct broker *b, struct upstream *u, bool is_other_proxy)
{
	struct question asked;

	question_decide(b->set.rules, span_make(u->name.text, u->name.n), u->port, &asked);
	u->verdict = asked.verdict; /* the old one points into rules that go away */
	switch (u->state) {
	case UPSTREAM_ASKING:
		if (asked.reason == REASON_NONE && broker_take_name(b, &asked) && broker_take_budgets(b, &u->verdict))
			upstream_enter(u, UPSTREAM_WAITING);
		else if (asked.reason != REASON_NOT_ALLOWLISTED && asked.reason != REASON_PORT_NOT_ALLOWED)
			broker_refuse(b, u, asked.reason == REASON_NONE ? REASON_BUDGET : asked.reason, NULL, NULL);
		return false;
	case UPSTREAM_WAITING:
	case UPSTREAM_RESOLVING:
	case UPSTREAM_DIALLING:
		if (asked.reason != REASON_NONE)
			broker_refuse(b, u, asked.reason, NULL, NULL);
		else if (is_other_proxy && u->is_via && u->state != UPSTREAM_WAITING)
			broker_refuse(b, u, REASON_UNREACHABLE, NULL, "there is another upstream proxy now");
		else
			return false;
		return true;
	case UPSTREAM_OPEN: {
		enum reason flaw = flaw_of_open(b, u, &asked);
		if (flaw == REASON_NONE || u->cut != REASON_NONE)
			return false;
		cut(u, flaw);
		return true;
	}
	case UPSTREAM_STATES:
		break;
	}
	return false;
}

size_t broker_reload(struct broker *b, const struct ruleset *rules)
{
	struct upstream *u, *next_u;
	struct dns_ask *d, *next_d;
	size_t n_shut = 0;

	bool is_other_proxy = !proxy_equal(ruleset_proxy(b->set.rules), ruleset_proxy(rules));
	b->set.rules = rules;
	proxy_print(ruleset_proxy(rules), b->via_text);
	b->is_starting = true; /* until all are judged, none may start */
	for (size_t state = 0; state < UPSTREAM_STATES; state++)
		for (u = TAILQ_FIRST(&b->flows.by_state[state]); u; u = next_u) {
			next_u = TAILQ_NEXT(u, in_state);
			n_shut += revise(b, u, is_other_proxy);
		}
	for (d = TAILQ_FIRST(&b->dns_asks); d; d = next_d) {
		struct question asked;
		next_d = TAILQ_NEXT(d, link);
		question_decide_dns(rules, span_make(d->question.name, d->question.name_n), &asked);
		if (asked.reason != REASON_NOT_ALLOWLISTED && asked.reason != REASON_PORT_NOT_ALLOWED)
			answer_dns_ask(b, d);
	}
	b->is_starting = false;
	set_ask_timer(b);
	broker_start_waiting(b);
	if (!b->poll_timer.slot && loop_timer_set(b->set.loop, &b->poll_timer, loop_now_ms(b->set.loop)) < 0)
		broker_end(b, "broker", "has no memory for its timers"); /* budgets may be new */
	return n_shut;
}

bool broker_close_flow(struct broker *b, uint64_t flow)
{
	struct upstream *u = flows_find(&b->flows, flow);

	if (!u)
		return false;
	if (u->state == UPSTREAM_OPEN)
		cut(u, REASON_CLOSED);
	else
		broker_refuse(b, u, REASON_CLOSED, NULL, NULL);
	return true;
}

bool broker_refuse_ask(struct broker *b, uint64_t flow)
{
	struct upstream *u = flows_find(&b->flows, flow), *next_u;
	struct dns_ask *d, *next_d;

	if (!u || u->state != UPSTREAM_ASKING)
		return false;
	const struct name name = u->name;
	for (u = TAILQ_FIRST(&b->flows.by_state[UPSTREAM_ASKING]); u; u = next_u) {
		next_u = TAILQ_NEXT(u, in_state);
		if (span_is(span_make(u->name.text, u->name.n), name.text))
			broker_refuse(b, u, REASON_CLOSED, NULL, NULL);
	}
	for (d = TAILQ_FIRST(&b->dns_asks); d; d = next_d) {
		next_d = TAILQ_NEXT(d, link);
		if (span_is(span_make(d->question.name, d->question.name_n), name.text))
			answer_dns_ask(b, d);
	}
	set_ask_timer(b);
	return true;
}

static const char *state_word(enum upstream_state state)
{
	static const char *const words[UPSTREAM_STATES] = {
		[UPSTREAM_WAITING] = "waiting",	    [UPSTREAM_ASKING] = "asking", [UPSTREAM_RESOLVING] = "resolving",
		[UPSTREAM_DIALLING] = "connecting", [UPSTREAM_OPEN] = "open",
	};
	return words[state];
}

static void put_flow(struct broker *b, struct upstream *u, struct json *j)
{
	char address[ADDR_TEXT_BYTES];

	if (u->fd >= 0)
		broker_count(b, u);
	json_open(j, NULL, '{');
	json_u64(j, "v", AUDIT_VERSION);
	json_u64(j, "flow", u->flow);
	json_str(j, "state", u->cut == REASON_NONE ? state_word(u->state) : "closing");
	json_str(j, "protocol", broker_protocol_word(u->seen_in));
	json_text(j, "name", span_make(u->name.text, u->name.n));
	json_u64(j, "port", u->port);
	if (u->fd >= 0) {
		addr_print(&u->address, address);
		json_str(j, "address", address);
	}
	if (u->client_port) {
		addr_print(&u->client, address);
		json_str(j, "client", address);
		json_u64(j, "client_port", u->client_port);
	}
	if (u->program[0])
		json_str(j, "program", u->program);
	json_u64(j, "up", u->up_bytes);
	json_u64(j, "down", u->down_bytes);
	json_u64(j, "ms", loop_now_ms(b->set.loop) - u->started_ms);
	json_close(j, '}');
	(void)buf_put(j->out, "\n", 1); /* a list too long is cut, and the one who asked is told */
}

void broker_list(struct broker *b, struct buf *out)
{
	struct json j = {.out = out};
	struct upstream *u;

	for (size_t state = 0; state < UPSTREAM_STATES; state++)
		TAILQ_FOREACH(u, &b->flows.by_state[state], in_state)
		{
			j.needs_comma = false;
			put_flow(b, u, &j);
		}
}

void broker_count_flows(const struct broker *b, size_t *out_all, size_t *out_asking)
{
	*out_all = b->flows.n;
	*out_asking = b->flows.n_asking + b->n_dns_asks;
}
