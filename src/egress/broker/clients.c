/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/broker/clients.h"

#include <string.h>

bool clients_ask(struct clients *clients, const struct wire_ask_clients *q, uint64_t number,
		 struct wire_resolve *out)
{
	if (!clients->name || clients->ask || !q->ask)
		return false;
	clients->ask = q->ask;
	clients->resolve = number;
	*out = (struct wire_resolve){.ask = number, .name_n = clients->name->n};
	memcpy(out->name, clients->name->text, clients->name->n);
	return true;
}

bool clients_answer(struct clients *clients, const struct wire_resolved *a, struct wire_clients *out)
{
	if (!clients->ask || a->ask != clients->resolve)
		return false;
	*out = (struct wire_clients){.ask = clients->ask};
	if (a->status == RESOLVED_OK)
		for (size_t i = 0; i < a->n_addresses && out->n < WIRE_MAX_CLIENTS; i++) {
			out->clients[out->n] = a->addresses[i];
			out->clients[out->n++].ttl_s = 0;
		}
	clients->ask = clients->resolve = 0;
	return true;
}
