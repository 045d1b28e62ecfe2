/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/legs.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>

static void clear_host_bits(struct addr *a, unsigned bits)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
		if (kept < 8)
			a->bytes[i] &= (uint8_t)(0xff00U >> kept);
	}
}

static uint8_t count_bits(const struct addr *mask)
{
	uint8_t n = 0;

	for (size_t i = 0; i < 16; i++)
		n = (uint8_t)(n + __builtin_popcount(mask->bytes[i]));
	return n;
}

static bool read_leg(const struct ifaddrs *from, struct leg *out)
{
	struct sockaddr_storage ss = {0};
	struct addr mask;
	uint16_t port;

	if (!from->ifa_addr || !from->ifa_netmask ||
	    (from->ifa_addr->sa_family != AF_INET && from->ifa_addr->sa_family != AF_INET6))
		return false;
	size_t bytes = from->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
							    : sizeof(struct sockaddr_in6);
	memcpy(&ss, from->ifa_addr, bytes);
	if (!addr_from_sockaddr(&ss, &out->at, &port))
		return false;
	memcpy(&ss, from->ifa_netmask, bytes);
	ss.ss_family = from->ifa_addr->sa_family; /* not every libc fills it in */
	if (!addr_from_sockaddr(&ss, &mask, &port))
		return false;
	(void)snprintf(out->name, sizeof(out->name), "%s", from->ifa_name); /* IFNAMSIZ fits */
	out->bits = count_bits(&mask);
	out->net = out->at;
	clear_host_bits(&out->net, out->bits);
	return true;
}

int legs_read(struct leg out[LEGS_MAX], size_t *out_n, struct err *err)
{
	struct ifaddrs *list;
	size_t n = 0;
	int rc = 0;

	if (getifaddrs(&list) < 0)
		return err_set(err, errno, "listing the network's addresses");
	for (const struct ifaddrs *i = list; rc == 0 && i; i = i->ifa_next) {
		struct leg leg = {0};
		if (!read_leg(i, &leg))
			continue;
		if (n == LEGS_MAX)
			rc = err_set(err, E2BIG, "listing the network's addresses");
		else
			out[n++] = leg;
	}
	freeifaddrs(list);
	if (rc == 0)
		*out_n = n;
	return rc;
}

bool legs_prefix_parse(struct span in, struct addr *out_net, uint8_t *out_bits)
{
	const uint8_t *slash = memchr(in.p, '/', in.n);
	struct addr net;
	unsigned bits = 0;

	if (!slash || !addr_parse(span_make(in.p, (size_t)(slash - in.p)), &net))
		return false;
	struct span digits = span_make(slash + 1, in.n - (size_t)(slash - in.p) - 1);
	for (size_t i = 0; i < digits.n; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9' || i > 2)
			return false;
		bits = bits * 10 + (digits.p[i] - '0');
	}
	if (!digits.n || bits > (net.is_v6 ? 128 : 32))
		return false;
	clear_host_bits(&net, bits);
	*out_net = net;
	*out_bits = (uint8_t)bits;
	return true;
}

void legs_prefix_print(const struct addr *net, uint8_t bits, char out[LEGS_PREFIX_TEXT_BYTES])
{
	char text[ADDR_TEXT_BYTES];

	addr_print(net, text);
	(void)snprintf(out, LEGS_PREFIX_TEXT_BYTES, "%s/%u", text, bits); /* fits */
}

bool legs_default_route(struct span routes, char out[LEG_NAME_BYTES])
{
	while (routes.n) {
		const uint8_t *end = memchr(routes.p, '\n', routes.n);
		size_t n = end ? (size_t)(end - routes.p) : routes.n;
		char line[256], name[LEG_NAME_BYTES];
		unsigned long to, mask;
		(void)snprintf(line, sizeof(line), "%.*s", (int)(n < 255 ? n : 255), (const char *)routes.p);
		/* Iface Destination Gateway Flags RefCnt Use Metric Mask */
		if (sscanf(line, "%15s %8lx %*x %*x %*d %*d %*d %8lx", name, &to, &mask) == 3 && !to && !mask) {
			memcpy(out, name, sizeof(name));
			return true;
		}
		n += end != NULL;
		routes = span_make(routes.p + n, routes.n - n);
	}
	return false;
}

const struct leg *legs_inside(const struct leg *legs, size_t n, const struct addr *net, uint8_t bits)
{
	for (size_t i = 0; i < n; i++)
		if (!legs[i].at.is_v6 && addr_in_prefix(&legs[i].at, net, bits))
			return &legs[i];
	return NULL;
}

const struct leg *legs_other(const struct leg *legs, size_t n, const char *name)
{
	const struct leg *found = NULL;

	for (size_t i = 0; i < n; i++) {
		if (legs[i].at.is_v6 || addr_classify(&legs[i].at) == ADDR_LOOPBACK ||
		    strcmp(legs[i].name, name) == 0)
			continue;
		if (found)
			return NULL;
		found = &legs[i];
	}
	return found;
}
