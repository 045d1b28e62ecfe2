/* SPDX-License-Identifier: Apache-2.0 */
/* egress/wire/fds.h - which descriptor number is what when a process of the egress is executed */
#pragma once

/*
 * main starts each process anew with exactly these descriptors (struct proc_spec); 0 to 2 are
 * standard input (/dev/null), output (/dev/null) and diagnostics.
 */
enum worker_fd {
	WORKER_FD_BROKER = 3,	 /* main channel */
	WORKER_FD_LISTENERS = 4, /* takes WIRE_LISTENERS, answers WIRE_READY */
	WORKER_FD_NULL = 5,	 /* /dev/null, given up when descriptors run out */
	WORKER_FD_FIRST_FREE = 6,
};

enum broker_fd {
	BROKER_FD_WORKER = 3,
	BROKER_FD_NAMES = 4,
	BROKER_FD_SOCKETS = 5,
	BROKER_FD_RULES = 6,
	BROKER_FD_AUDIT = 7,
};

enum resolver_fd {
	RESOLVER_FD_NAMES = 3,
	RESOLVER_FD_SOCKETS = 4,
	RESOLVER_FD_NULL = 5,
};
