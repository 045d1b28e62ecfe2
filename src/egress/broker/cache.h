/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/cache.h - answers of the resolver that are still valid */
#pragma once
#include "egress/wire/messages.h"
#include "net/addr.h"
#include "net/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

enum { CACHE_MAX_NAMES = 512, CACHE_MAX_TTL_S = 300, CACHE_NEGATIVE_S = 5, CACHE_BUCKETS = 256 };

struct cache_entry;
LIST_HEAD(cache_bucket, cache_entry);
TAILQ_HEAD(cache_order, cache_entry);

/**
 * struct cache - start with cache_init()
 *
 * That a name does not exist is kept for CACHE_NEGATIVE_S (the resolver does not tell the SOA minimum of RFC 2308; five
 * seconds are below what zones say, and enough for a program that asks in a loop). That no server answered is not kept.
 * An answer is kept for the smallest TTL of its addresses, CACHE_MAX_TTL_S at most; one with TTL 0 is not kept. Whether
 * an address may be dialled is decided anew at each use: the cache only saves the question.
 */
struct cache {
	size_t n;
	struct cache_bucket buckets[CACHE_BUCKETS];
	struct cache_order order; /* oldest first */
};

void cache_init(struct cache *c);
void cache_drop(struct cache *c);

/** cache_find() - the addresses of @name, valid at @now_ms, or NULL; none (*out_n 0) when the name
 * is known not to exist; the cache's, until it is called again */
const struct addr *cache_find(struct cache *c, const struct name *name, uint64_t now_ms, size_t *out_n);

/** cache_put() - keep an answer of at most WIRE_MAX_ADDRESSES, 0 for a name that does not exist; replaces an older one. Without memory nothing is kept */
void cache_put(struct cache *c, const struct name *name, const struct addr *addresses, size_t n, uint32_t ttl_s,
	       uint64_t now_ms);
