/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/outbox.h - messages that wait until their channel has room */
/*
 * The broker must never wait for a peer. What a full socket does not take is kept here in order; the owner
 * watches EPOLLOUT while outbox_is_waiting() and stops reading questions that would make it longer.
 */
#pragma once
#include "egress/wire/chan.h"

#include <stdbool.h>

struct outbox_item;

/** struct outbox - start from {.ch = channel} */
struct outbox {
	const struct chan *ch;
	struct outbox_item *first, *last;
};

/** outbox_drop() - forget what waits, closing its descriptors */
void outbox_drop(struct outbox *box);

/**
 * outbox_send() - send now, or keep a copy for later
 * @fd:		carried with the message, not consumed; -1 for none
 *
 * Return: 0; or a negative errno value: the channel is broken, or (-ETOOMANYREFS, -EMFILE, -ENOMEM)
 * this message could not be taken and nothing was sent.
 */
int outbox_send(struct outbox *box, enum wire_number number, const void *payload, int fd);

/** outbox_flush() - send what waits, as far as there is room; 0 or a negative errno value when broken */
int outbox_flush(struct outbox *box);

static inline bool outbox_is_waiting(const struct outbox *box)
{
	return box->first;
}
