/* SPDX-License-Identifier: Apache-2.0 */
/* egress/worker/names.h - the synthetic addresses that DNS answers with, and the names they stand for */
/*
 * One table a session. A name keeps its address while it is asked for or a flow uses it, and the address is
 * given to no other name until ten minutes after the last answer with it (clients cache longer than the TTL).
 * The same 32 bits stand for the name in both families: 198.18.0.0/15, and the end of fd64:7279:646f:636b::/96.
 */
#pragma once
#include "net/addr.h"
#include "net/name.h"

#include <sys/queue.h>

enum {
	NAMES_TTL_S = 60,
	NAMES_KEEP_MS = 10 * 60 * 1000,
	NAMES_MAX = 16384,
	NAMES_WILD_A_MINUTE = 120,
	NAMES_WILD_A_SESSION = 4096,
	NAMES_BUCKETS = 4096,
	NAMES_POOL_BITS = 15, /* of the default, 198.18.0.0/15 */
	NAMES_POOL_MIN_BITS = 8,
	NAMES_POOL_MAX_BITS = 17, /* a longer prefix holds fewer than NAMES_MAX addresses */
};

struct named;
LIST_HEAD(named_bucket, named);
TAILQ_HEAD(named_queue, named);

/**
 * struct named - a name with its address
 * @slot:	offset into the pool; its first and last address stand for nobody
 * @n_flows:	that use the address now
 * @given_ms:	of the last answer
 * @allowed_ms:	when the broker last said yes
 */
struct named {
	LIST_ENTRY(named) by_name, by_slot;
	TAILQ_ENTRY(named) by_age;
	uint32_t slot;
	uint32_t n_flows;
	uint64_t given_ms, allowed_ms;
	uint8_t n;
	char text[]; /* canonical, NUL-terminated */
};

/** struct names - zeroed, then names_init(). Allocated as part of struct worker */
struct names {
	struct named_bucket names[NAMES_BUCKETS], slots[NAMES_BUCKETS];
	struct named_queue by_age; /* oldest answer first */
	uint8_t pool[4];
	unsigned pool_bits;
	bool has_v6; /* names have an IPv6 address too */
	size_t n;
	uint32_t next_slot;
	size_t n_wild_minute, n_wild_session;
	uint64_t minute_started_ms;
};

void names_init(struct names *names);

/**
 * names_use_pool() - addresses come from the IPv4 prefix @pool/@bits, and there are no IPv6 ones
 *
 * For a network namespace without the jail's routes, where only 127.0.0.0/8 is local. Before the first name.
 *
 * Return: false when @bits is not from NAMES_POOL_MIN_BITS to NAMES_POOL_MAX_BITS, or bits below it are set.
 */
bool names_use_pool(struct names *names, const uint8_t pool[4], unsigned bits);

void names_drop(struct names *names);

/** names_fresh() - the entry of @name if the broker allowed it less than a TTL ago, else NULL */
struct named *names_fresh(struct names *names, const struct name *name, uint64_t now_ms);

/**
 * names_give() - the entry of an allowed name, made when there is none
 *
 * Return: NULL when nothing may be given: too many new names under wildcards, every slot in use, no memory.
 */
struct named *names_give(struct names *names, const struct name *name, bool is_wild, uint64_t now_ms);

/** names_find() - whom a synthetic address stands for, NULL when for none */
struct named *names_find(struct names *names, const struct addr *a);

/** names_address() - the address of @named in the family asked for */
struct addr names_address(const struct names *names, const struct named *named, bool is_v6);
