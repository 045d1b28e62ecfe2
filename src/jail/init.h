/* SPDX-License-Identifier: Apache-2.0 */
/* jail/init.h - pid 1 inside: reaps, forwards signals, reports the exit status */
#pragma once
#include <sys/types.h>

/** init_block_signals() - from here on signals wait for init_run(); returns a signalfd or a negative errno value */
int init_block_signals(void);

/**
 * init_run() - pid 1's life: enters its own filter, then waits
 * @agent:	the command, leader of its own session
 *
 * Ends when the agent has, with its exit code (128+N after signal N); the kernel then ends everything else.
 */
_Noreturn void init_run(int signal_fd, pid_t agent);
