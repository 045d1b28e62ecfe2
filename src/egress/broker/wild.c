/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/broker/wild.h"
#include "base/sha256.h"

#include <stdlib.h>

void wild_drop(struct wild *w)
{
	free(w->seen);
	*w = (struct wild){0};
}

static void key_of(const struct name *name, uint8_t out[WILD_KEY_BYTES])
{
	uint8_t digest[SHA256_BYTES];
	struct sha256 h;

	sha256_init(&h);
	sha256_put(&h, span_make(name->text, name->n));
	sha256_end(&h, digest);
	memcpy(out, digest, WILD_KEY_BYTES);
}

/* Where @key is, or goes. Half of the places stay free, so one is always found. */
static uint8_t *place_of(struct wild *w, const uint8_t key[WILD_KEY_BYTES])
{
	static const uint8_t none[WILD_KEY_BYTES];
	size_t i = (size_t)key[0] << 8 | key[1];

	for (;; i++) {
		uint8_t *place = w->seen[i % WILD_PLACES];
		if (memcmp(place, key, WILD_KEY_BYTES) == 0 || memcmp(place, none, WILD_KEY_BYTES) == 0)
			return place;
	}
}

static bool may_grow(struct wild *w, uint64_t now_ms)
{
	if (now_ms - w->minute_started_ms >= 60 * 1000) {
		w->minute_started_ms = now_ms;
		w->n_minute = 0;
	}
	return w->n_minute < WILD_A_MINUTE && w->n_session < WILD_A_SESSION;
}

bool wild_take(struct wild *w, const struct name *name, uint64_t now_ms)
{
	uint8_t key[WILD_KEY_BYTES];

	if (!w->seen)
		w->seen = calloc(WILD_PLACES, WILD_KEY_BYTES);
	if (!w->seen)
		return false;
	key_of(name, key);
	uint8_t *place = place_of(w, key);
	if (memcmp(place, key, WILD_KEY_BYTES) == 0)
		return true;
	if (!may_grow(w, now_ms))
		return false;
	memcpy(place, key, WILD_KEY_BYTES);
	w->n_minute++;
	w->n_session++;
	return true;
}
