/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/broker.h - answers the worker's questions and hands out connected sockets */
/*
 * What happens to one OPEN:
 *
 *   name made canonical -> verdict of the rules -> budget -> resolved -> class of every address
 *   -> dialled -> OPENED, or REFUSED at the first step that says no
 *
 * Each end is one audit record. The broker keeps its own descriptor of every socket it hands out
 * until CLOSE: the kernel's counters on it are what audit and budgets go by, and shutdown(2) on it
 * ends a flow whose budget is spent, whatever the worker does.
 */
#pragma once
#include "base/buf.h"
#include "base/loop.h"
#include "egress/broker/audit.h"
#include "egress/wire/messages.h"
#include "net/endpoint.h"
#include "net/name.h"
#include "policy/ruleset.h"

enum {
	BROKER_MAX_FLOWS = 8192,
	BROKER_MAX_HALF_OPEN = 256, /* being resolved or dialled; more wait their turn */
	BROKER_MAX_SERVERS = 8,
	BROKER_MAX_CLOSED = 16,
	BROKER_RESOLVE_MS = 40000, /* longer than the resolver takes to give up by itself */
	BROKER_POLL_MS = 500,
	BROKER_MAX_ASKS = 64,
};

/** struct broker_closed - addresses that no rule opens: the networks a sidecar itself is on */
struct broker_closed {
	struct addr net;
	uint8_t bits;
};

/**
 * struct broker_settings - everything is borrowed and must outlive the broker
 * @worker_fd, @names_fd, @sockets_fd: the broker's ends of its channels
 * @servers:	DNS servers that the resolver may be given sockets to
 * @max_flows:	at most BROKER_MAX_FLOWS; fewer when few descriptors may be open
 * @ask_ms:	how long a name that no rule allows waits for the user to allow it; 0: it is refused at once
 * @terms:	how the worker is to serve; NULL for the defaults
 * @agent:	whose addresses ASK_CLIENTS is answered with; NULL when nothing is guarded
 * @closed:	refused whatever a rule says, for a name and as a literal
 */
struct broker_settings {
	struct loop *loop;
	const struct ruleset *rules;
	struct audit *audit;
	int worker_fd, names_fd, sockets_fd;
	const struct endpoint *servers;
	size_t n_servers;
	size_t max_flows;
	uint64_t ask_ms;
	const struct wire_terms *terms;
	const struct name *agent;
	const struct broker_closed *closed;
	size_t n_closed;
};

struct broker;

/** broker_new() - watch the channels; NULL with @err set on failure */
struct broker *broker_new(const struct broker_settings *settings, struct err *err);

/** broker_free() - end every flow, with its audit record; NULL is fine */
void broker_free(struct broker *broker);

/**
 * broker_reload() - go on with other rules
 * @rules:	borrowed, must outlive the broker or the next reload; the old ones are not used any more on return
 *
 * Every flow is judged again: one that the new rules refuse, or whose first bytes they would have judged otherwise, is
 * shut at once; one that waited for the user goes on when they allow it.
 *
 * Return: how many flows were shut.
 */
size_t broker_reload(struct broker *broker, const struct ruleset *rules);

/** broker_close_flow() - shut one flow; false when it is not there */
bool broker_close_flow(struct broker *broker, uint64_t flow);

/** broker_refuse_ask() - refuse a flow that waits for the user now, and others for the same name; false when none does */
bool broker_refuse_ask(struct broker *broker, uint64_t flow);

/** broker_list() - append one JSON line a flow */
void broker_list(struct broker *broker, struct buf *out);

/**
 * broker_set_named() - does somebody answer each record of a connection with broker_note_program()?
 *
 * While it is so, the worker hears of a refusal when the program is known, or HELD_MS later (egress/broker/held.h).
 */
void broker_set_named(struct broker *broker, bool is_named);

/** broker_note_program() - who made a flow, for its later records; "" for unknown */
void broker_note_program(struct broker *broker, uint64_t flow, const char *name);

/** broker_count_flows() - how many there are, and how many wait for the user */
void broker_count_flows(const struct broker *broker, size_t *out_all, size_t *out_asking);

/**
 * broker_why_over() - NULL while the egress works; else what ended it, for people: a peer that went
 * away or broke the protocol. Nothing is answered any more then
 */
const char *broker_why_over(const struct broker *broker);
