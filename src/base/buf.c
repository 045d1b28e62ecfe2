/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST_BYTES = 256 };

void buf_drop(struct buf *b)
{
	free(b->p);
	*b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->is_cut = false;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
	if (n > b->max || b->n > b->max - n) {
		b->is_cut = true;
		return NULL;
	}
	if (b->cap - b->n < n) {
		size_t cap = b->cap ? b->cap : BUF_FIRST_BYTES;
		while (cap < b->n + n)
			cap = cap > b->max / 2 ? b->max : cap * 2;
		if (cap > b->max)
			cap = b->max;
		uint8_t *grown = realloc(b->p, cap);
		if (!grown) {
			b->is_cut = true;
			return NULL;
		}
		b->p = grown;
		b->cap = cap;
	}
	return b->p + b->n;
}

bool buf_put(struct buf *b, const void *bytes, size_t n)
{
	if (n == 0)
		return true;
	uint8_t *room = buf_reserve(b, n);
	if (!room)
		return false;
	memcpy(room, bytes, n);
	b->n += n;
	return true;
}

bool buf_putf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	va_list again;
	va_copy(again, ap);
	int need = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	bool fits = false;
	if (need >= 0 && b->max < SIZE_MAX) {
		/* one byte more than is kept, for the NUL that vsnprintf insists on */
		size_t room_bytes = (size_t)need + 1;
		size_t max = b->max;
		b->max = max + 1;
		uint8_t *room = (size_t)need <= max && b->n <= max - (size_t)need
					? buf_reserve(b, room_bytes)
					: NULL;
		b->max = max;
		if (room) {
			(void)vsnprintf((char *)room, room_bytes, fmt, again); /* measured above */
			b->n += (size_t)need;
			fits = true;
		}
	}
	va_end(again);
	if (!fits)
		b->is_cut = true;
	return fits;
}

void buf_eat(struct buf *b, size_t n)
{
	assert(n <= b->n);
	if (n)
		memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}
