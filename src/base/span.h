/* SPDX-License-Identifier: Apache-2.0 */
/* base/span.h - borrowed bytes and a bounds-checked cursor over them */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** enum parse - what a parser says of the bytes it was given */
enum parse {
	PARSE_DONE, /* read whole; the out argument is written */
	PARSE_MORE, /* longer input may succeed; only stream parsers say this */
	PARSE_BAD,  /* no longer input can succeed */
};

/** struct span - bytes owned by somebody else; p may be NULL when n is 0 */
struct span {
	const uint8_t *p;
	size_t n;
};

/** span_of() - the bytes of a C string, without its NUL */
static inline struct span span_of(const char *text)
{
	return (struct span){.p = (const uint8_t *)text, .n = strlen(text)};
}

static inline struct span span_make(const void *p, size_t n)
{
	return (struct span){.p = p, .n = n};
}

static inline bool span_is(struct span a, const char *text)
{
	size_t n = strlen(text);
	return a.n == n && (n == 0 || memcmp(a.p, text, n) == 0);
}

/** span_is_nocase() - equal to @text but for ASCII case; locale plays no part */
bool span_is_nocase(struct span a, const char *text);

/** span_trim() - without leading and trailing spaces and tabs */
struct span span_trim(struct span a);

/**
 * struct cursor - reads a span from the front
 * @left:	bytes not yet read
 * @ran_out:	set when more was asked for than was left; sticks, and every later read gives zero
 */
struct cursor {
	struct span left;
	bool ran_out;
};

/** take() - the next @n bytes; an empty span once the cursor ran out */
static inline struct span take(struct cursor *c, size_t n)
{
	if (c->ran_out || n > c->left.n) {
		c->ran_out = true;
		return (struct span){0};
	}
	struct span out = {.p = c->left.p, .n = n};
	c->left.p += n;
	c->left.n -= n;
	return out;
}

static inline uint8_t take_u8(struct cursor *c)
{
	struct span s = take(c, 1);
	return s.n ? s.p[0] : 0;
}

static inline uint16_t take_u16(struct cursor *c)
{
	struct span s = take(c, 2);
	uint32_t value = s.n ? (uint32_t)s.p[0] << 8 | s.p[1] : 0;
	return (uint16_t)value;
}

static inline uint32_t take_u24(struct cursor *c)
{
	struct span s = take(c, 3);
	return s.n ? (uint32_t)s.p[0] << 16 | (uint32_t)s.p[1] << 8 | s.p[2] : 0;
}

static inline uint32_t take_u32(struct cursor *c)
{
	struct span s = take(c, 4);
	return s.n ? (uint32_t)s.p[0] << 24 | (uint32_t)s.p[1] << 16 | (uint32_t)s.p[2] << 8 | s.p[3]
		   : 0;
}
