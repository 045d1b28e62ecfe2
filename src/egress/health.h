/* SPDX-License-Identifier: Apache-2.0 */
/* egress/health.h - `drydock-egress health`: does the proxy of this network namespace answer? */
#pragma once
#include "net/endpoint.h"

enum { HEALTH_TABLE_MAX_BYTES = 1 << 22 };

/**
 * health_find_listener() - where somebody listens on @port
 * @table:	text of /proc/net/tcp
 *
 * Return: false when nobody does.
 */
bool health_find_listener(struct span table, uint16_t port, struct endpoint *out);

/** health_main() - exit status 0 when GET /health gets 200 from the listener on port 8888, else 1 and why */
int health_main(int argc, char **argv);
