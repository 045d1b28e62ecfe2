/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/dial.h - connects to one of several checked addresses, families raced (RFC 8305) */
#pragma once
#include "base/loop.h"
#include "net/addr.h"

enum {
	DIAL_MAX_ADDRESSES = 32,
	DIAL_STAGGER_MS = 250, /* RFC 8305 section 5: Connection Attempt Delay */
	DIAL_WHOLE_MS = 10000,
};

/**
 * struct dial - a race in progress; start with dial_start()
 * @done:	called once, never from within dial_start(): with the connected, non-blocking socket (the
 *		callee's from then on) and the address it leads to; or with @fd -1, the last address tried and the
 *		negative errno value of the last failure (-ETIMEDOUT when time ran out). The dial is gone by then
 * @owner:	handed to @done
 */
struct dial;

typedef void dial_done(void *owner, int fd, const struct addr *at, int error);

/**
 * dial_start() - connect to the first of @addresses that answers
 * @addresses:	1 to DIAL_MAX_ADDRESSES, all of them allowed; tried IPv6 first and then by turns
 * @port:	host order
 *
 * Return: the dial, or NULL when memory ran out.
 */
struct dial *dial_start(struct loop *loop, const struct addr *addresses, size_t n, uint16_t port,
			dial_done *done, void *owner);

/** dial_cancel() - stop; @done is not called. NULL is fine */
void dial_cancel(struct dial *dial);

/** dial_socket() - a non-blocking socket on its way to @at: a descriptor, or a negative errno value */
int dial_socket(const struct addr *at, uint16_t port, bool is_tcp);
