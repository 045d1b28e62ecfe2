/* SPDX-License-Identifier: Apache-2.0 */
/* jail/netlink.h - builds netlink messages in a fixed buffer and hears the kernel's answers */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NETLINK_MAX_BYTES = 8192 };

/** struct netlink - a batch under construction; start from `{.fd = socket}` */
struct netlink {
	int fd;
	uint8_t bytes[NETLINK_MAX_BYTES] __attribute__((aligned(8)));
	size_t n;
	size_t message; /* where the running message starts */
	uint32_t seq;	/* of the last message */
	unsigned n_acks; /* messages that will be answered */
};

/** netlink_begin() - start a message with @head, its family's fixed part */
void netlink_begin(struct netlink *nl, uint16_t type, uint16_t flags, const void *head, size_t head_n);
/** netlink_end() - the running message is complete */
void netlink_end(struct netlink *nl);

/** netlink_put() / _u32 (host order) / _be32 / _text - one attribute */
void netlink_put(struct netlink *nl, uint16_t type, const void *p, size_t n);
void netlink_put_u32(struct netlink *nl, uint16_t type, uint32_t v);
void netlink_put_be32(struct netlink *nl, uint16_t type, uint32_t v);
void netlink_put_text(struct netlink *nl, uint16_t type, const char *text);

/** netlink_nest() - open an attribute that holds others; pass the result to netlink_unnest() */
size_t netlink_nest(struct netlink *nl, uint16_t type);
void netlink_unnest(struct netlink *nl, size_t nest);

/** netlink_send() - send the batch and wait for every answer; 0 or the first negative errno value */
int netlink_send(struct netlink *nl);
