/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/screen.h"
#include "base/fs.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { DRAW_MAX_BYTES = 1 << 20 };

static struct termios was;
static bool is_entered;

static void put(const char *text)
{
	(void)fs_write_all(STDOUT_FILENO, text, strlen(text)); /* a terminal that is gone shows nothing */
}

void screen_leave(void)
{
	if (!is_entered)
		return;
	is_entered = false;
	put("\033[?25h\033[?1049l");
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
}

int screen_enter(struct err *err)
{
	static bool is_registered;
	struct termios raw;

	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &was) < 0)
		return err_set(err, ENOTTY, "taking over the terminal");
	raw = was;
	cfmakeraw(&raw);
	raw.c_lflag |= ISIG; /* Ctrl-C stays what it is */
	raw.c_oflag |= OPOST;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) < 0)
		return err_set(err, errno, "taking over the terminal");
	if (!is_registered && atexit(screen_leave) == 0)
		is_registered = true;
	is_entered = true;
	put("\033[?1049h\033[?25l");
	return 0;
}

void screen_size(unsigned *out_columns, unsigned *out_rows)
{
	struct winsize size;
	bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row;

	*out_columns = is_known ? size.ws_col : 80;
	*out_rows = is_known ? size.ws_row : 24;
}

static int next_byte(int timeout_ms)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	unsigned char c;

	if (poll(&in, 1, timeout_ms) <= 0)
		return -1;
	return read(STDIN_FILENO, &c, 1) == 1 ? c : -1;
}

int screen_read_key(void)
{
	unsigned char c;
	ssize_t got = read(STDIN_FILENO, &c, 1);

	if (got <= 0)
		return got < 0 && (errno == EINTR || errno == EAGAIN) ? SCREEN_NONE : -1;
	if (c == '\r' || c == '\n')
		return SCREEN_ENTER;
	if (c == 127 || c == 8)
		return SCREEN_BACKSPACE;
	if (c != 27)
		return c;
	if (next_byte(30) != '[')
		return SCREEN_ESCAPE;
	int which = next_byte(30);
	return which == 'A' ? SCREEN_UP : which == 'B' ? SCREEN_DOWN : SCREEN_NONE;
}

void screen_draw(const struct buf *text)
{
	struct buf out = {.max = DRAW_MAX_BYTES};
	const uint8_t *p = text->p, *end = text->p + text->n;

	(void)buf_putf(&out, "\033[H");
	while (p < end) {
		const uint8_t *newline = memchr(p, '\n', (size_t)(end - p));
		size_t n = newline ? (size_t)(newline - p) : (size_t)(end - p);
		(void)buf_put(&out, p, n);
		(void)buf_putf(&out, "\033[K%s", newline && newline + 1 < end ? "\r\n" : "");
		p += n + (newline != NULL);
	}
	(void)buf_putf(&out, "\033[J");
	if (!out.is_cut)
		(void)fs_write_all(STDOUT_FILENO, out.p, out.n);
	buf_drop(&out);
}
