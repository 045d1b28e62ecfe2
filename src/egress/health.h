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

/**
 * health_find_control() - the control socket that a broker of this network namespace listens on
 * @table:	text of /proc/net/unix
 *
 * For a sealed session's sidecar, whose other listeners are in the holder's namespace. False when there is none.
 */
bool health_find_control(struct span table, char *out, size_t max);

/**
 * health_main() - is the egress well?
 *
 * Return: exit status 0 when GET /health gets 200 from the listener on port 8888 or, where nobody listens there, the
 * broker's control socket tells its status; else 1, and why.
 */
int health_main(int argc, char **argv);
