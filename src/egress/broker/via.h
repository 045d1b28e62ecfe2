/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/via.h - asks an upstream proxy for a tunnel (CONNECT, RFC 9110 section 9.3.6) */
/*
 * The proxy's answer is hostile bytes, and the broker parses none. It compares the first 12 with the status of success,
 * counts line ends up to the empty line, within a limit, and leaves every byte behind it for the worker.
 */
#pragma once
#include "base/loop.h"
#include "net/addr.h"
#include "net/name.h"

enum { VIA_WHOLE_MS = 15000, VIA_HEAD_MAX_BYTES = 16384 };

struct via;

/**
 * typedef via_done - called once, never from within via_start(); the via is gone by then
 * @owner:	as given
 * @why:	NULL: @fd is a tunnel; else why it is none, for people, and valid during the call
 */
typedef void via_done(void *owner, const char *why);

/**
 * via_start() - speak to the proxy on a connected socket
 * @fd:		non-blocking; borrowed until @done
 * @host:	a name or an address, of the far end
 * @auth:	for "Proxy-Authorization: Basic", "" for none
 *
 * Return: NULL when memory ran out.
 */
struct via *via_start(struct loop *loop, int fd, const struct name *host, uint16_t port, const char *auth, via_done *done,
		      void *owner);

/** via_cancel() - stop; @done is not called. NULL is fine */
void via_cancel(struct via *via);
