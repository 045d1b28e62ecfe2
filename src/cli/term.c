/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/term.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/own.h"
#include "base/utf8.h"
#include "cli/exit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ERROR_MAX_BYTES = 8192, LINE_MAX_CHARS = 800, PATH_MAX_CHARS = 200 };

static enum { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER } colour_mode;

bool term_set_colour(const char *when)
{
	static const char *const words[] = {"auto", "always", "never"};
	for (unsigned i = 0; i < 3; i++)
		if (!strcmp(when, words[i])) {
			colour_mode = i;
			return true;
		}
	return false;
}

bool term_is_tty(int fd)
{
	return isatty(fd) == 1;
}

static bool is_set(const char *name)
{
	const char *value = getenv(name);
	return value && *value;
}

static bool has_colour(int fd)
{
	if (colour_mode != COLOUR_AUTO)
		return colour_mode == COLOUR_ALWAYS;
	const char *force = getenv("CLICOLOR_FORCE");
	if (force && *force && strcmp(force, "0") != 0)
		return true;
	const char *term = getenv("TERM");
	return !is_set("NO_COLOR") && term && strcmp(term, "dumb") != 0 && term_is_tty(fd);
}

const char *term_start(int fd, enum term_colour colour)
{
	static const char *const codes[] = {
		[TERM_PLAIN] = "",	   [TERM_BOLD] = "\033[1m",    [TERM_RED] = "\033[31m",
		[TERM_GREEN] = "\033[32m", [TERM_YELLOW] = "\033[33m",
	};
	return has_colour(fd) ? codes[colour] : "";
}

const char *term_stop(int fd)
{
	return has_colour(fd) ? "\033[0m" : "";
}

int term_put(int fd, const struct buf *text)
{
	return fs_write_all(fd, text->p, text->n) < 0 || text->is_cut ? EXIT_FAILED : EXIT_OK;
}

/* Error texts may quote what came from outside: keep their line breaks, escape the rest. */
static void put_lines(struct buf *out, const char *label, const char *text)
{
	(void)buf_putf(out, "  %-8s ", label); /* here and below: fits, or is cut and still read */
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		utf8_put_safe(out, span_make(line, n), LINE_MAX_CHARS);
		line += n + (line[n] == '\n');
		(void)buf_putf(out, *line ? "\n%*s" : "\n", 11, "");
	}
}

void term_error(const char *what, const struct err *err, int exit_code)
{
	AUTO(buf) struct buf out = {.max = ERROR_MAX_BYTES};
	(void)buf_putf(&out, "drydock: %serror:%s ", term_start(STDERR_FILENO, TERM_RED),
		       term_stop(STDERR_FILENO));
	utf8_put_safe(&out, span_of(what), LINE_MAX_CHARS);
	(void)buf_put(&out, "\n", 1);
	if (err && err->text[0])
		put_lines(&out, "because:", err->text);
	if (err && err->fix[0])
		put_lines(&out, "fix:", err->fix);
	if (exit_code)
		(void)buf_putf(&out, "  nothing was started. (exit %d)\n", exit_code);
	(void)fs_write_all(STDERR_FILENO, out.p, out.n); /* nowhere left to say it */
}

int term_usage(const char *command, const struct err *err)
{
	AUTO(buf) struct buf out = {.max = ERROR_MAX_BYTES};
	(void)buf_putf(&out, "drydock: %serror:%s ", term_start(STDERR_FILENO, TERM_RED),
		       term_stop(STDERR_FILENO));
	utf8_put_safe(&out, span_of(err->text), LINE_MAX_CHARS);
	(void)buf_put(&out, "\n", 1);
	if (err->fix[0])
		put_lines(&out, "fix:", err->fix);
	(void)buf_putf(&out, "  help:    drydock help%s%s\n", command ? " " : "",
		       command ? command : "");
	(void)fs_write_all(STDERR_FILENO, out.p, out.n); /* nowhere left to say it */
	return EXIT_USAGE;
}

void term_notice(const char *text)
{
	AUTO(buf) struct buf safe = {.max = ERROR_MAX_BYTES};
	utf8_put_safe(&safe, span_of(text), LINE_MAX_CHARS);
	log_line("%.*s", (int)safe.n, (const char *)safe.p);
}

void term_put_path(struct buf *out, const char *path, const char *home)
{
	size_t n = home ? strlen(home) : 0;
	bool is_below = n > 1 && !strncmp(path, home, n) && (path[n] == '/' || !path[n]);
	if (is_below)
		(void)buf_put(out, "~", 1); /* is_cut remembers */
	utf8_put_safe(out, span_of(is_below ? path + n : path), PATH_MAX_CHARS);
}
