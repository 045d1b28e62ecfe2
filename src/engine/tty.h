/* SPDX-License-Identifier: Apache-2.0 */
/* engine/tty.h - the user's terminal while an agent has it: raw mode, and back on every way out */
#pragma once
#include <stdbool.h>
#include <termios.h>

/**
 * struct tty - start from `struct tty t = {.fd = -1};`
 * @fd:		the terminal, borrowed; -1 while there is none
 * @saved:	its settings before tty_raw()
 */
struct tty {
	int fd;
	bool is_raw;
	struct termios saved;
};

/** tty_raw() - every key goes to the agent; 0 or a negative errno value */
int tty_raw(struct tty *tty);

/** tty_restore() - as it was before tty_raw(); fine when it is not raw */
void tty_restore(struct tty *tty);

/** tty_copy_size() - give terminal @to the rows and columns of @from; false when either is none */
bool tty_copy_size(int from, int to);
