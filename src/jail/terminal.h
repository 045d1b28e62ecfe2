/* SPDX-License-Identifier: Apache-2.0 */
/* jail/terminal.h - the command's own terminal: made inside a jail, its master passed out */
#pragma once
#include "base/err.h"

/**
 * terminal_make() - a terminal of the jail's own devpts
 * @pty_wr:	socket on which the master goes out
 *
 * It begins with the size of the caller's standard input. Return: the slave, the caller's; or a negative errno value.
 */
int terminal_make(int pty_wr, struct err *err);

/** terminal_receive() - the master that terminal_make() sent; -1 when none came */
int terminal_receive(int pty_rd);
