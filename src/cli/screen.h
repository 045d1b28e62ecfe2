/* SPDX-License-Identifier: Apache-2.0 */
/* cli/screen.h - a terminal taken over for a while: raw keys, the alternate screen, lines drawn in place */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

enum screen_key { SCREEN_NONE, SCREEN_UP = 256, SCREEN_DOWN, SCREEN_ENTER, SCREEN_ESCAPE, SCREEN_BACKSPACE };

/**
 * screen_enter() - stdin in raw mode, stdout on its alternate screen
 *
 * It is given back at exit, on SIGTERM, SIGINT and SIGHUP as well when the caller ends by screen_leave() then.
 *
 * Return: 0 or a negative errno value: stdin or stdout is no terminal.
 */
int screen_enter(struct err *err);
void screen_leave(void);

/** screen_size() - columns and rows; 80 by 24 where the terminal does not say */
void screen_size(unsigned *out_columns, unsigned *out_rows);

/** screen_read_key() - the next key from stdin: a byte, one of enum screen_key, or SCREEN_NONE; -1 at the end */
int screen_read_key(void);

/** screen_draw() - show @text, lines without control characters other than colour; the rest of the screen is cleared */
void screen_draw(const struct buf *text);
