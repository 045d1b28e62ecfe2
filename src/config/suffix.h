/* SPDX-License-Identifier: Apache-2.0 */
/* config/suffix.h - which part of a name its owner registered (public suffix list) */
#pragma once
#include <stddef.h>

/** suffix_registrable() - "a.b.example.co.uk" to "example.co.uk"; "" for a public suffix, an address, or no list at all */
void suffix_registrable(const char *name, char *out, size_t bytes);
