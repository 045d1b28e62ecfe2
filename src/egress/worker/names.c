/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/worker/names.h"

#include <assert.h>
#include <stdlib.h>

static const uint8_t pool_v4[4] = {198, 18};
static const uint8_t pool_v6[12] = {0xfd, 0x64, 0x72, 0x79, 0x64, 0x6f, 0x63, 0x6b};

void names_init(struct names *names)
{
	TAILQ_INIT(&names->by_age);
	names->next_slot = 1;
	memcpy(names->pool, pool_v4, sizeof(pool_v4));
	names->pool_bits = NAMES_POOL_BITS;
	names->has_v6 = true;
}

/* As many addresses as the pool has. */
static uint32_t pool_size(const struct names *names)
{
	return 1u << (32 - names->pool_bits);
}

static uint32_t number_of(const uint8_t v4[4])
{
	return (uint32_t)v4[0] << 24 | (uint32_t)v4[1] << 16 | (uint32_t)v4[2] << 8 | v4[3];
}

bool names_use_pool(struct names *names, const uint8_t pool[4], unsigned bits)
{
	if (bits < NAMES_POOL_MIN_BITS || bits > NAMES_POOL_MAX_BITS ||
	    number_of(pool) & ((1u << (32 - bits)) - 1))
		return false;
	memcpy(names->pool, pool, sizeof(names->pool));
	names->pool_bits = bits;
	names->has_v6 = false;
	return true;
}

void names_drop(struct names *names)
{
	struct named *e;

	while ((e = TAILQ_FIRST(&names->by_age))) {
		TAILQ_REMOVE(&names->by_age, e, by_age);
		free(e);
	}
	*names = (struct names){0};
}

/* FNV-1a: the contained program chooses the names, but only among allowed ones, and the table is small. */
static struct named_bucket *name_bucket(struct names *names, struct span name)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ name.p[i]) * 16777619u;
	return &names->names[h % NAMES_BUCKETS];
}

static struct named_bucket *slot_bucket(struct names *names, uint32_t slot)
{
	return &names->slots[slot % NAMES_BUCKETS];
}

static struct named *by_name(struct names *names, const struct name *name)
{
	struct named *e;

	LIST_FOREACH (e, name_bucket(names, span_make(name->text, name->n)), by_name)
		if (e->n == name->n && memcmp(e->text, name->text, name->n) == 0)
			return e;
	return NULL;
}

static struct named *by_slot(struct names *names, uint32_t slot)
{
	struct named *e;

	LIST_FOREACH (e, slot_bucket(names, slot), by_slot)
		if (e->slot == slot)
			return e;
	return NULL;
}

static void touch(struct names *names, struct named *e, uint64_t now_ms)
{
	e->given_ms = now_ms;
	TAILQ_REMOVE(&names->by_age, e, by_age);
	TAILQ_INSERT_TAIL(&names->by_age, e, by_age);
}

struct named *names_fresh(struct names *names, const struct name *name, uint64_t now_ms)
{
	struct named *e = by_name(names, name);

	if (!e || now_ms - e->allowed_ms >= NAMES_TTL_S * 1000)
		return NULL;
	touch(names, e, now_ms);
	return e;
}

static bool wild_may_grow(struct names *names, uint64_t now_ms)
{
	if (now_ms - names->minute_started_ms >= 60 * 1000) {
		names->minute_started_ms = now_ms;
		names->n_wild_minute = 0;
	}
	if (names->n_wild_minute >= NAMES_WILD_A_MINUTE || names->n_wild_session >= NAMES_WILD_A_SESSION)
		return false;
	names->n_wild_minute++;
	names->n_wild_session++;
	return true;
}

static void forget(struct names *names, struct named *e)
{
	LIST_REMOVE(e, by_name);
	LIST_REMOVE(e, by_slot);
	TAILQ_REMOVE(&names->by_age, e, by_age);
	free(e);
	names->n--;
}

/* Entries whose ten minutes are over go; those in use stay, as if asked for now. */
static void forget_old(struct names *names, uint64_t now_ms)
{
	struct named *e;

	while ((e = TAILQ_FIRST(&names->by_age)) && now_ms - e->given_ms >= NAMES_KEEP_MS) {
		if (e->n_flows)
			touch(names, e, now_ms);
		else
			forget(names, e);
	}
}

static uint32_t take_slot(struct names *names)
{
	uint32_t last = pool_size(names) - 2;

	static_assert(NAMES_MAX < (1 << (32 - NAMES_POOL_MAX_BITS)) - 2, "a free slot is always found");
	while (by_slot(names, names->next_slot))
		names->next_slot = names->next_slot < last ? names->next_slot + 1 : 1;
	uint32_t slot = names->next_slot;
	names->next_slot = slot < last ? slot + 1 : 1;
	return slot;
}

struct named *names_give(struct names *names, const struct name *name, bool is_wild, uint64_t now_ms)
{
	struct named *e = by_name(names, name);

	if (e) {
		e->allowed_ms = now_ms;
		touch(names, e, now_ms);
		return e;
	}
	forget_old(names, now_ms);
	if (names->n == NAMES_MAX || (is_wild && !wild_may_grow(names, now_ms)))
		return NULL;
	e = malloc(sizeof(*e) + name->n + 1u);
	if (!e)
		return NULL;
	*e = (struct named){.slot = take_slot(names), .given_ms = now_ms, .allowed_ms = now_ms, .n = name->n};
	memcpy(e->text, name->text, name->n);
	e->text[name->n] = '\0';
	LIST_INSERT_HEAD(name_bucket(names, span_make(name->text, name->n)), e, by_name);
	LIST_INSERT_HEAD(slot_bucket(names, e->slot), e, by_slot);
	TAILQ_INSERT_TAIL(&names->by_age, e, by_age);
	names->n++;
	return e;
}

struct named *names_find(struct names *names, const struct addr *a)
{
	const uint8_t *v4 = a->is_v6 ? a->bytes + sizeof(pool_v6) : a->bytes;
	uint32_t slot = number_of(v4) ^ number_of(names->pool);

	bool is_ours = (!a->is_v6 || (names->has_v6 && memcmp(a->bytes, pool_v6, sizeof(pool_v6)) == 0)) &&
		       slot < pool_size(names);
	return is_ours ? by_slot(names, slot) : NULL;
}

struct addr names_address(const struct names *names, const struct named *named, bool is_v6)
{
	struct addr a = {.is_v6 = is_v6};
	uint8_t *v4 = is_v6 ? a.bytes + sizeof(pool_v6) : a.bytes;
	uint32_t number = number_of(names->pool) | named->slot;

	if (is_v6)
		memcpy(a.bytes, pool_v6, sizeof(pool_v6));
	for (int i = 0; i < 4; i++)
		v4[i] = (uint8_t)(number >> (24 - 8 * i));
	return a;
}
