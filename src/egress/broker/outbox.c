/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/broker/outbox.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

struct outbox_item {
	struct outbox_item *next;
	enum wire_number number;
	int fd;
	_Alignas(8) uint8_t payload[];
};

static void item_free(struct outbox_item *item)
{
	fd_drop(&item->fd);
	free(item);
}

void outbox_drop(struct outbox *box)
{
	while (box->first) {
		struct outbox_item *item = box->first;
		box->first = item->next;
		item_free(item);
	}
	box->last = NULL;
}

static int keep(struct outbox *box, enum wire_number number, const void *payload, int fd)
{
	size_t bytes = wire_payload_bytes((uint16_t)number);
	struct outbox_item *item = malloc(sizeof(*item) + bytes);
	if (!item)
		return -ENOMEM;
	*item = (struct outbox_item){.number = number, .fd = -1};
	if (fd >= 0) {
		item->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (item->fd < 0) {
			int why = errno;
			free(item);
			return -why;
		}
	}
	memcpy(item->payload, payload, bytes);
	if (box->last)
		box->last->next = item;
	else
		box->first = item;
	box->last = item;
	return 0;
}

int outbox_send(struct outbox *box, enum wire_number number, const void *payload, int fd)
{
	if (!box->first) {
		int rc = chan_send(box->ch, number, payload, &fd, fd >= 0 ? 1 : 0, MSG_DONTWAIT);
		if (rc != -EAGAIN)
			return rc;
	}
	return keep(box, number, payload, fd);
}

int outbox_flush(struct outbox *box)
{
	while (box->first) {
		struct outbox_item *item = box->first;
		int rc = chan_send(box->ch, item->number, item->payload, &item->fd,
				   item->fd >= 0 ? 1 : 0, MSG_DONTWAIT);
		if (rc == -EAGAIN)
			return 0;
		if (rc < 0)
			return rc;
		box->first = item->next;
		if (!box->first)
			box->last = NULL;
		item_free(item);
	}
	return 0;
}
