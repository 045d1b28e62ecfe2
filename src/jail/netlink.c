/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/netlink.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

/* What is built here is fixed in size: running over the buffer is a bug of ours. */
static uint8_t *room(struct netlink *nl, size_t n)
{
	size_t aligned = (n + 3) & ~(size_t)3;
	assert(nl->n + aligned <= NETLINK_MAX_BYTES);
	uint8_t *p = nl->bytes + nl->n;
	memset(p, 0, aligned);
	nl->n += aligned;
	return p;
}

void netlink_begin(struct netlink *nl, uint16_t type, uint16_t flags, const void *head, size_t head_n)
{
	nl->message = nl->n;
	struct nlmsghdr h = {.nlmsg_type = type, .nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST),
			     .nlmsg_seq = ++nl->seq};
	nl->n_acks += (flags & NLM_F_ACK) != 0;
	memcpy(room(nl, sizeof(h)), &h, sizeof(h));
	if (head_n)
		memcpy(room(nl, head_n), head, head_n);
}

void netlink_end(struct netlink *nl)
{
	uint32_t n = (uint32_t)(nl->n - nl->message);
	memcpy(nl->bytes + nl->message, &n, sizeof(n)); /* nlmsg_len stands first */
}

void netlink_put(struct netlink *nl, uint16_t type, const void *p, size_t n)
{
	struct nlattr a = {.nla_len = (uint16_t)(sizeof(a) + n), .nla_type = type};
	uint8_t *to = room(nl, sizeof(a) + n);
	memcpy(to, &a, sizeof(a));
	if (n)
		memcpy(to + sizeof(a), p, n);
}

void netlink_put_u32(struct netlink *nl, uint16_t type, uint32_t v)
{
	netlink_put(nl, type, &v, sizeof(v));
}

void netlink_put_be32(struct netlink *nl, uint16_t type, uint32_t v)
{
	netlink_put_u32(nl, type, htonl(v));
}

void netlink_put_text(struct netlink *nl, uint16_t type, const char *text)
{
	netlink_put(nl, type, text, strlen(text) + 1);
}

size_t netlink_nest(struct netlink *nl, uint16_t type)
{
	size_t at = nl->n;
	netlink_put(nl, type | NLA_F_NESTED, NULL, 0);
	return at;
}

void netlink_unnest(struct netlink *nl, size_t nest)
{
	uint16_t n = (uint16_t)(nl->n - nest);
	memcpy(nl->bytes + nest, &n, sizeof(n)); /* nla_len stands first */
}

int netlink_send(struct netlink *nl)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	uint8_t answer[NETLINK_MAX_BYTES] __attribute__((aligned(8)));
	unsigned n_heard = 0;

	if (sendto(nl->fd, nl->bytes, nl->n, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	while (n_heard < nl->n_acks) {
		ssize_t got = recv(nl->fd, answer, sizeof(answer), 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		size_t left = (size_t)got;
		for (const uint8_t *p = answer; left >= sizeof(struct nlmsghdr);) {
			struct nlmsghdr h;
			struct nlmsgerr e;
			memcpy(&h, p, sizeof(h));
			if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > left)
				return -EPROTO;
			if (h.nlmsg_type == NLMSG_ERROR) {
				memcpy(&e, p + sizeof(h), sizeof(e.error));
				if (e.error)
					return e.error;
				n_heard++;
			}
			size_t step = NLMSG_ALIGN(h.nlmsg_len);
			p += step;
			left = step < left ? left - step : 0;
		}
	}
	nl->n = 0;
	nl->n_acks = 0;
	return 0;
}
