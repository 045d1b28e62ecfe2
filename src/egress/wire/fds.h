/* SPDX-License-Identifier: Apache-2.0 */
/* egress/wire/fds.h - which descriptor number is what when a process of the egress is executed */
#pragma once

/*
 * Each process is executed anew with exactly these descriptors; 0 to 2 are standard input (/dev/null), output
 * (/dev/null) and diagnostics. A number called optional is closed when its owner has no use for it.
 */
enum worker_fd {
	WORKER_FD_BROKER = 3,	 /* main channel */
	WORKER_FD_LISTENERS = 4, /* takes WIRE_LISTENERS, answers WIRE_READY */
	WORKER_FD_NULL = 5,	 /* /dev/null, given up when descriptors run out */
	WORKER_FD_FIRST_FREE = 6,
};

/* The broker starts the other two itself, once its rules are good, and so makes the channels. */
enum broker_fd {
	BROKER_FD_EXE = 3,   /* this program: worker and resolver are executed from it */
	BROKER_FD_NULL = 4,  /* /dev/null */
	BROKER_FD_RULES = 5, /* policy text, read to its end */
	BROKER_FD_AUDIT = 6, /* optional: audit log, in append mode */
	BROKER_FD_AUDIT_MORE = 7, /* optional: up to 3 more files for it */
	BROKER_FD_HOSTS = 10, /* optional: hosts file, for the resolver */
	BROKER_FD_JAIL = 11,  /* optional: the jail's channel, for the worker as WORKER_FD_LISTENERS */
	BROKER_FD_CONTROL = 12, /* optional: listening control socket (wire/control.h) */
	BROKER_FD_TOKEN = 13, /* optional: the session's token, read to its end */
	BROKER_FD_BOUND = 14, /* stand-alone: the first of --bound N TCP sockets, bound, not yet listening */
};

enum resolver_fd {
	RESOLVER_FD_NAMES = 3,
	RESOLVER_FD_SOCKETS = 4,
	RESOLVER_FD_NULL = 5,  /* stands in where c-ares wants a socket before it has one */
	RESOLVER_FD_HOSTS = 6, /* optional: hosts file, read to its end before confinement */
	RESOLVER_FD_FIRST_FREE = 7,
};
