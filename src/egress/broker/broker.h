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
#include "base/loop.h"
#include "egress/broker/audit.h"
#include "net/endpoint.h"
#include "policy/ruleset.h"

enum {
	BROKER_MAX_FLOWS = 8192,
	BROKER_MAX_HALF_OPEN = 256, /* being resolved or dialled; more wait their turn */
	BROKER_MAX_SERVERS = 8,
	BROKER_RESOLVE_MS = 40000, /* longer than the resolver takes to give up by itself */
	BROKER_POLL_MS = 1000,
};

/**
 * struct broker_settings - everything is borrowed and must outlive the broker
 * @worker_fd, @names_fd, @sockets_fd: the broker's ends of its channels
 * @servers:	DNS servers that the resolver may be given sockets to
 * @max_flows:	at most BROKER_MAX_FLOWS; fewer when few descriptors may be open
 */
struct broker_settings {
	struct loop *loop;
	const struct ruleset *rules;
	struct audit *audit;
	int worker_fd, names_fd, sockets_fd;
	const struct endpoint *servers;
	size_t n_servers;
	size_t max_flows;
};

struct broker;

/** broker_new() - watch the channels; NULL with @err set on failure */
struct broker *broker_new(const struct broker_settings *settings, struct err *err);

/** broker_free() - end every flow, with its audit record; NULL is fine */
void broker_free(struct broker *broker);

/**
 * broker_why_over() - NULL while the egress works; else what ended it, for people: a peer that went
 * away or broke the protocol. Nothing is answered any more then
 */
const char *broker_why_over(const struct broker *broker);
