/* SPDX-License-Identifier: Apache-2.0 */
/* base/sha256.h - SHA-256 (FIPS 180-4), for chaining audit lines; not for secrets */
#pragma once
#include "base/span.h"

enum { SHA256_BYTES = 32, SHA256_BLOCK_BYTES = 64, SHA256_HEX_BYTES = 2 * SHA256_BYTES + 1 };

/**
 * struct sha256 - a running hash; start with sha256_init()
 * @state:	the eight working words
 * @total:	bytes hashed so far
 * @block:	the bytes of the block that is not full yet
 */
struct sha256 {
	uint32_t state[8];
	uint64_t total;
	uint8_t block[SHA256_BLOCK_BYTES];
};

void sha256_init(struct sha256 *h);
/** sha256_put() - hash @bytes too; any number of calls, of any length */
void sha256_put(struct sha256 *h, struct span bytes);
/** sha256_end() - the digest of everything put; @h must be initialised again before further use */
void sha256_end(struct sha256 *h, uint8_t out[SHA256_BYTES]);

/** sha256_hex() - the digest of @bytes as 64 lower-case hex digits and a NUL */
void sha256_hex(struct span bytes, char out[SHA256_HEX_BYTES]);
