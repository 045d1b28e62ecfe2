/* SPDX-License-Identifier: Apache-2.0 */
/* cli/term.h - what people read: errors, notices, colour */
#pragma once
#include "base/buf.h"
#include "base/err.h"

enum term_colour { TERM_PLAIN, TERM_BOLD, TERM_RED, TERM_GREEN, TERM_YELLOW };

/** term_set_colour() - `--color`: "auto", "always" or "never"; false for another word */
bool term_set_colour(const char *when);

/**
 * term_start() / term_stop() - the escape sequences around coloured text, "" where @fd gets none
 *
 * Colour shows only on a terminal that can (TERM is not "dumb") and while NO_COLOR is unset or
 * empty; CLICOLOR_FORCE=1 and --color override. Colour never stands alone: the words say the same.
 */
const char *term_start(int fd, enum term_colour colour);
const char *term_stop(int fd);

/** term_is_tty() - is @fd a terminal? */
bool term_is_tty(int fd);

/**
 * term_error() - on stderr: what failed, because of what, and the fix
 * @what:	"cannot start the session"
 * @err:	NULL when @what says it all
 * @exit_code:	shown at the end when nothing was started (125); 0 leaves that line out
 */
void term_error(const char *what, const struct err *err, int exit_code);

/** term_usage() - on stderr: a mistake on the command line and where help is; returns EXIT_USAGE */
int term_usage(const char *command, const struct err *err);

/** term_notice() - on stderr: "drydock: text" */
void term_notice(const char *text);

/** term_put() - write all of @text to @fd; 0 or EXIT_FAILED (a full disk, a closed pipe) */
int term_put(int fd, const struct buf *text);

/** term_put_path() - append a path, escaped, with the home written '~' */
void term_put_path(struct buf *out, const char *path, const char *home);
