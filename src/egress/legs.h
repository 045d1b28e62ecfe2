/* SPDX-License-Identifier: Apache-2.0 */
/* egress/legs.h - the networks that a sidecar stands on */
#pragma once
#include "base/err.h"
#include "net/addr.h"

#include <stddef.h>

enum { LEGS_MAX = 16, LEG_NAME_BYTES = 16, LEGS_ROUTES_MAX_BYTES = 1 << 16 };

/** struct leg - one address of an interface */
struct leg {
	char name[LEG_NAME_BYTES];
	struct addr at;
	struct addr net; /* @at without its host bits */
	uint8_t bits;
};

/** legs_read() - every address of this network namespace; 0, or -E2BIG when there are more than LEGS_MAX */
int legs_read(struct leg out[LEGS_MAX], size_t *out_n, struct err *err);

/** legs_prefix_parse() - NET/BITS; host bits are cleared */
bool legs_prefix_parse(struct span in, struct addr *out_net, uint8_t *out_bits);
/** legs_prefix_print() - the text that legs_prefix_parse() reads */
enum { LEGS_PREFIX_TEXT_BYTES = ADDR_TEXT_BYTES + 5 };
void legs_prefix_print(const struct addr *net, uint8_t bits, char out[LEGS_PREFIX_TEXT_BYTES]);

/**
 * legs_default_route() - the interface that IPv4 leaves by when nothing else fits
 * @routes:	text of /proc/net/route
 *
 * Return: false when there is none.
 */
bool legs_default_route(struct span routes, char out[LEG_NAME_BYTES]);

/** legs_inside() - the IPv4 leg inside @net/@bits; NULL when there is none */
const struct leg *legs_inside(const struct leg *legs, size_t n, const struct addr *net, uint8_t bits);

/** legs_other() - the one IPv4 leg that is neither loopback nor called @name; NULL when there is none, or several */
const struct leg *legs_other(const struct leg *legs, size_t n, const char *name);
