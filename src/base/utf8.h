/* SPDX-License-Identifier: Apache-2.0 */
/* base/utf8.h - reads and writes UTF-8, and knows which characters can fool a reader */
#pragma once
#include "base/buf.h"

enum { UTF8_REPLACEMENT = 0xfffd };

/**
 * utf8_take() - the first code point of @text, which moves on past it
 *
 * @text must not be empty. A byte that starts no well-formed sequence (RFC 3629: overlong,
 * surrogate, above U+10FFFF, cut short) is skipped alone and reads as UTF8_REPLACEMENT.
 */
uint32_t utf8_take(struct span *text);

/** utf8_put() - write @c, a code point, as 1 to 4 bytes; returns how many */
size_t utf8_put(uint32_t c, uint8_t out[4]);

/**
 * utf8_may_mislead() - true for C0 and C1 controls, DEL, and the bidirectional, zero-width, tag
 * and other invisible characters that change how a line is shown rather than what it says
 */
bool utf8_may_mislead(uint32_t c);

/**
 * utf8_put_safe() - append hostile text for a terminal
 * @max_chars:	at most this many characters; "..." marks a cut
 *
 * What may mislead is written \xHH below U+0080 and \u{H...} from there on, a byte that is no UTF-8 \xHH;
 * a backslash doubles, so the result is unambiguous.
 */
void utf8_put_safe(struct buf *out, struct span text, size_t max_chars);
