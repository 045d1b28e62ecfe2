/* SPDX-License-Identifier: Apache-2.0 */
/* base/words.h - which known word did the user mean? */
#pragma once
#include "base/span.h"

/**
 * words_distance() - edit distance (insert, delete, replace, swap of neighbours), ASCII case ignored
 *
 * Texts of up to 40 bytes are compared; longer ones are 99 apart.
 */
unsigned words_distance(struct span a, struct span b);

/** words_closest() - the word of @known at most 2 edits (1 for words of 3 bytes or fewer) from @typed, or NULL */
const char *words_closest(struct span typed, const char *const *known, size_t n_known);
