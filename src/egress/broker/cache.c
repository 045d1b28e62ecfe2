/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/broker/cache.h"

#include <stdlib.h>
#include <string.h>

struct cache_entry {
	LIST_ENTRY(cache_entry) in_bucket;
	TAILQ_ENTRY(cache_entry) in_order;
	uint64_t until_ms;
	struct name name;
	size_t n;
	struct addr addresses[];
};

void cache_init(struct cache *c)
{
	*c = (struct cache){0};
	TAILQ_INIT(&c->order);
}

static void forget(struct cache *c, struct cache_entry *e)
{
	LIST_REMOVE(e, in_bucket);
	TAILQ_REMOVE(&c->order, e, in_order);
	free(e);
	c->n--;
}

void cache_drop(struct cache *c)
{
	while (!TAILQ_EMPTY(&c->order))
		forget(c, TAILQ_FIRST(&c->order));
}

/* Names are allowed ones: whoever could choose many of them for one bucket would only slow himself. */
static struct cache_bucket *bucket(struct cache *c, const struct name *name)
{
	uint32_t h = 0x811c9dc5u;
	for (size_t i = 0; i < name->n; i++)
		h = (h ^ (uint8_t)name->text[i]) * 0x01000193u; /* FNV-1a */
	return &c->buckets[h % CACHE_BUCKETS];
}

static struct cache_entry *find(struct cache *c, const struct name *name)
{
	struct cache_entry *e = LIST_FIRST(bucket(c, name));
	while (e && (e->name.n != name->n || memcmp(e->name.text, name->text, name->n) != 0))
		e = LIST_NEXT(e, in_bucket);
	return e;
}

const struct addr *cache_find(struct cache *c, const struct name *name, uint64_t now_ms, size_t *out_n)
{
	struct cache_entry *e = find(c, name);
	if (!e)
		return NULL;
	if (e->until_ms <= now_ms) {
		forget(c, e);
		return NULL;
	}
	*out_n = e->n;
	return e->addresses;
}

void cache_put(struct cache *c, const struct name *name, const struct addr *addresses, size_t n, uint32_t ttl_s,
	       uint64_t now_ms)
{
	struct cache_entry *old = find(c, name);
	if (old)
		forget(c, old);
	if (n == 0)
		ttl_s = CACHE_NEGATIVE_S;
	if (n > WIRE_MAX_ADDRESSES || ttl_s == 0)
		return;
	if (c->n >= CACHE_MAX_NAMES)
		forget(c, TAILQ_FIRST(&c->order));
	struct cache_entry *e = malloc(sizeof(*e) + n * sizeof(*addresses));
	if (!e)
		return; /* asked again next time */
	e->until_ms = now_ms + 1000ull * (ttl_s < CACHE_MAX_TTL_S ? ttl_s : CACHE_MAX_TTL_S);
	e->name = *name;
	e->n = n;
	if (n)
		memcpy(e->addresses, addresses, n * sizeof(*addresses));
	LIST_INSERT_HEAD(bucket(c, name), e, in_bucket);
	TAILQ_INSERT_TAIL(&c->order, e, in_order);
	c->n++;
}
