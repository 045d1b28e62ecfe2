/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/wild.h - how many different names below wildcard rules may be asked for */
/*
 * Below `*.example.com` the contained program chooses labels, and each new name that is resolved carries them to the
 * name servers of example.com. So new ones are counted, wherever they came from: CONNECT, a URI, SOCKS or DNS. A name
 * that was asked for before is free.
 */
#pragma once
#include "net/name.h"

enum {
	WILD_A_MINUTE = 120,
	WILD_A_SESSION = 4096,
	WILD_PLACES = 2 * WILD_A_SESSION,
	WILD_KEY_BYTES = 16, /* of a SHA-256: no two names that somebody can find share it */
};

/** struct wild - start from {0} */
struct wild {
	uint8_t (*seen)[WILD_KEY_BYTES]; /* open addressing over WILD_PLACES; NULL before the first name */
	size_t n_session, n_minute;
	uint64_t minute_started_ms;
};

void wild_drop(struct wild *w);

/** wild_take() - count @name if it is new; false when no new one may come now, or memory ran out */
bool wild_take(struct wild *w, const struct name *name, uint64_t now_ms);
