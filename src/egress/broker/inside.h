/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/inside.h - the broker's own state, for the files that make it up: broker.c and revise.c */
#pragma once
#include "egress/broker/broker.h"
#include "egress/broker/budget.h"
#include "egress/broker/cache.h"
#include "egress/broker/clients.h"
#include "egress/broker/dial.h"
#include "egress/broker/flows.h"
#include "egress/broker/held.h"
#include "egress/broker/outbox.h"
#include "egress/broker/question.h"
#include "egress/broker/wild.h"
#include "egress/wire/chan.h"

/** struct dns_ask - a DNS question that waits for the user (broker_settings, ask_ms) */
struct dns_ask {
	TAILQ_ENTRY(dns_ask) link;
	struct wire_ask_dns question;
	uint64_t asked_ms;
};
TAILQ_HEAD(dns_ask_list, dns_ask);

struct broker {
	struct broker_settings set;
	struct chan worker, names, sockets;
	struct loop_source worker_source, names_source, sockets_source;
	struct outbox to_worker, to_names;
	uint32_t worker_events, names_events;
	struct loop_timer poll_timer, resolve_timer;
	struct budget budget;
	struct cache cache;
	struct wild wild;
	struct clients clients;
	uint64_t last_ask;
	bool is_starting; /* broker_start_waiting() runs: what it refuses must not start it again */
	char why_over[200];
	struct flows flows;
	char via_text[PROXY_TEXT_BYTES]; /* the upstream proxy, for records */
	bool is_named; /* somebody looks up which program made a connection */
	struct held held;
	struct loop_timer held_timer;
	struct loop_timer ask_timer;
	struct dns_ask_list dns_asks; /* questions that wait for the user, oldest first */
	size_t n_dns_asks;
};

/** broker_end() - nothing is answered any more; the first reason stays */
void broker_end(struct broker *b, const char *who, const char *what);

const char *broker_protocol_word(uint8_t seen_in);

/** broker_record_of() - an audit record of @u with all that is known of it */
struct audit_record broker_record_of(const struct upstream *u, const char *event);

/** broker_refuse() - the end of an upstream that never opened; @u is gone then, and another may start */
void broker_refuse(struct broker *b, struct upstream *u, enum reason reason, const struct addr *address,
		   const char *error);

/** broker_judge() - why an address may not be dialled for @u; NULL when it may */
const char *broker_judge(const struct broker *b, const struct upstream *u, const struct addr *at);

/** broker_start_waiting() - take the next ones in turn, as long as not too many are half open */
void broker_start_waiting(struct broker *b);

/** broker_count() - tell budgets what @u carried since the last time */
void broker_count(struct broker *b, struct upstream *u);

/** broker_take_budgets() - count one more connection for the rule of @v and for the session; false when one is spent */
bool broker_take_budgets(struct broker *b, const struct verdict *v);

/** broker_take_name() - count a new name below a wildcard; false when there are too many. Before budgets are taken */
bool broker_take_name(struct broker *b, const struct question *asked);

/** broker_dns_answer() - send the verdict on a DNS question, and record it */
void broker_dns_answer(struct broker *b, const struct wire_ask_dns *q, const struct question *asked);

/** broker_may_ask() - is the answer one that the user may still turn, and is there room to wait? */
bool broker_may_ask(const struct broker *b, enum reason reason);

/** broker_hold() - @u waits for the user */
void broker_hold(struct broker *b, struct upstream *u);

/** broker_hold_dns() - the question waits for the user; false when memory ran out */
bool broker_hold_dns(struct broker *b, const struct wire_ask_dns *q);

/** broker_asks_over() - the timer that refuses what waited too long */
void broker_asks_over(struct loop_timer *timer);

/** broker_drop_asks() - forget the questions that wait */
void broker_drop_asks(struct broker *b);
