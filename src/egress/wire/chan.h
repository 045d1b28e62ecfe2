/* SPDX-License-Identifier: Apache-2.0 */
/* egress/wire/chan.h - send and receive one message, checked */
#pragma once
#include "egress/wire/messages.h"

enum { CHAN_MAX_FDS = WIRE_MAX_LISTENERS };

/**
 * struct chan - one end of a channel
 * @fd:		SOCK_SEQPACKET, owned by whoever made the struct
 * @peer:	the only sender whose messages are taken
 * @state:	IN_START or IN_SERVICE; set by the owner
 * @first, @last: numbers this channel may carry
 */
struct chan {
	int fd;
	enum wire_party peer;
	enum wire_state state;
	uint16_t first, last;
};

/** struct chan_message - one received message; fds are owned by the receiver of it */
struct chan_message {
	enum wire_number number;
	union wire_payload payload;
	int fds[CHAN_MAX_FDS];
	int n_fds;
};

enum chan_result {
	CHAN_MESSAGE, /* *out is written */
	CHAN_EMPTY,   /* nothing waiting (non-blocking) */
	CHAN_ENDED,   /* the peer closed, or the socket failed */
	CHAN_BREACH,  /* the peer sent what it may not: hostile. Its descriptors were closed */
};

/**
 * chan_recv() - receive one message
 * @flags:	0 or MSG_DONTWAIT
 * @why:	set on BREACH: what was wrong
 *
 * Checks version, number, exact length, sender, channel, state and descriptor count before the
 * payload is looked at; padding and reserved bytes are for the handler. Received descriptors are CLOEXEC.
 */
enum chan_result chan_recv(const struct chan *ch, int flags, struct chan_message *out,
			   const char **why);

/**
 * chan_send() - send one message with @n_fds descriptors (not consumed)
 * @payload:	exactly the struct that belongs to @number
 *
 * Return: 0; -EAGAIN when the socket is full (non-blocking); or a negative errno value.
 */
int chan_send(const struct chan *ch, enum wire_number number, const void *payload, const int *fds,
	      int n_fds, int flags);

/** wire_payload_bytes() - the fixed size of a message's payload; 0 for an unknown number */
size_t wire_payload_bytes(uint16_t number);
const char *wire_name(uint16_t number);
