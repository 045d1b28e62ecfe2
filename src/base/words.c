/* SPDX-License-Identifier: Apache-2.0 */
#include "base/words.h"

enum { WORDS_MAX_BYTES = 40, TOO_FAR = 99 };

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned words_distance(struct span a, struct span b)
{
	unsigned rows[3][WORDS_MAX_BYTES + 1];

	if (a.n > WORDS_MAX_BYTES || b.n > WORDS_MAX_BYTES)
		return TOO_FAR;
	for (unsigned j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned *now = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
		now[0] = i;
		for (unsigned j = 1; j <= b.n; j++) {
			bool is_same = lower(a.p[i - 1]) == lower(b.p[j - 1]);
			now[j] = least(least(up[j] + 1, now[j - 1] + 1), up[j - 1] + !is_same);
			if (i > 1 && j > 1 && lower(a.p[i - 1]) == lower(b.p[j - 2]) &&
			    lower(a.p[i - 2]) == lower(b.p[j - 1]))
				now[j] = least(now[j], up2[j - 2] + 1);
		}
	}
	return rows[a.n % 3][b.n];
}

const char *words_closest(struct span typed, const char *const *known, size_t n_known)
{
	const char *best = NULL;
	unsigned best_distance = typed.n <= 3 ? 2 : 3;

	for (size_t i = 0; i < n_known; i++) {
		unsigned d = words_distance(typed, span_of(known[i]));
		if (d < best_distance) {
			best_distance = d;
			best = known[i];
		}
	}
	return best;
}
