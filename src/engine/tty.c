/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/tty.h"

#include <errno.h>
#include <sys/ioctl.h>

int tty_raw(struct tty *tty)
{
	if (tcgetattr(tty->fd, &tty->saved) < 0)
		return -errno;
	struct termios raw = tty->saved;
	cfmakeraw(&raw);
	if (tcsetattr(tty->fd, TCSADRAIN, &raw) < 0)
		return -errno;
	tty->is_raw = true;
	return 0;
}

void tty_restore(struct tty *tty)
{
	if (tty->is_raw)
		(void)tcsetattr(tty->fd, TCSADRAIN, &tty->saved); /* the terminal may be gone */
	tty->is_raw = false;
}

bool tty_copy_size(int from, int to)
{
	struct winsize size;
	return ioctl(from, TIOCGWINSZ, &size) == 0 && ioctl(to, TIOCSWINSZ, &size) == 0;
}
