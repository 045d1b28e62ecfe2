/* SPDX-License-Identifier: Apache-2.0 */
/* base/buf.h - bytes that grow to a maximum given at birth */
#pragma once
#include "base/span.h"

/**
 * struct buf - growing bytes; start from `struct buf b = {.max = N};`
 * @p:		heap block, NULL while empty; not NUL-terminated
 * @n:		bytes used
 * @cap:	bytes the block can hold
 * @max:	never grows past this many bytes; below SIZE_MAX
 * @is_cut:	something did not fit, or memory ran out; sticks until buf_clear()
 */
struct buf {
	uint8_t *p;
	size_t n;
	size_t cap;
	size_t max;
	bool is_cut;
};

/** buf_drop() - free the block; leaves an empty buf with the same maximum; the cleanup of AUTO(buf) */
void buf_drop(struct buf *b);

/** buf_clear() - forget the bytes, keep the block */
void buf_clear(struct buf *b);

/**
 * buf_reserve() - make room for @n more bytes
 *
 * Return: where they go (add to b->n what was written), or NULL when the maximum or memory
 * forbids it; is_cut is then set.
 */
uint8_t *buf_reserve(struct buf *b, size_t n);

/** buf_put() - append all of @bytes or, when they do not fit, nothing; false in that case */
bool buf_put(struct buf *b, const void *bytes, size_t n);

/** buf_putf() - append formatted text, all or nothing, without the NUL */
bool buf_putf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** buf_eat() - drop the first @n bytes; @n is at most b->n */
void buf_eat(struct buf *b, size_t n);

static inline struct span buf_span(const struct buf *b)
{
	return (struct span){.p = b->p, .n = b->n};
}
