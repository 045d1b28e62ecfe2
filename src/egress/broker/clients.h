/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/clients.h - one look-up at a time of the addresses that the session's agent has */
#pragma once
#include "egress/wire/messages.h"
#include "net/name.h"

/**
 * struct clients - zeroed while nothing is asked
 * @name:	of the agent's container, not owned; NULL when this egress guards nothing
 * @ask:	the worker's question that waits, 0 for none
 * @resolve:	the resolver's question that it became
 */
struct clients {
	const struct name *name;
	uint64_t ask, resolve;
};

/**
 * clients_ask() - the worker asks
 * @number:	for the question to the resolver
 *
 * Return: false when it may not ask: nothing is guarded, a question waits already, or its number is 0.
 */
bool clients_ask(struct clients *clients, const struct wire_ask_clients *q, uint64_t number,
		 struct wire_resolve *out);

/**
 * clients_answer() - the resolver's answer, if it is to that question
 *
 * Return: false when it answers something else. A failed look-up is an answer without addresses.
 */
bool clients_answer(struct clients *clients, const struct wire_resolved *a, struct wire_clients *out);
