/* SPDX-License-Identifier: Apache-2.0 */
/* engine/owner.h - which program of a session made a connection */
/*
 * Two steps over /proc, without any right but that of having started the session: the tables of the jail's network
 * (/proc/PID/net of its pid 1) lead from a client's address to the number of its socket, and the descriptors of the
 * session's processes from that number to a process. The answer is a help for people, not a guard: a program can take
 * another one's name, give its socket away, or end before it is asked about. The work is bounded, so a session that is
 * busy enough stays without an answer; verdicts never depend on one.
 */
#pragma once
#include "net/endpoint.h"

#include <sys/types.h>

enum {
	OWNER_MAX_ROWS = 32768,	    /* of each table of sockets */
	OWNER_MAX_ENTRIES = 65536,  /* of /proc: all processes of the machine */
	OWNER_MAX_PROCESSES = 1024, /* of the session */
	OWNER_MAX_FDS = 16384,	    /* of all those together */
	OWNER_NAME_BYTES = 64,
	OWNER_EXE_BYTES = 512,
};

/** enum owner_protocol - whose tables are read */
enum owner_protocol { OWNER_TCP, OWNER_UDP };

/**
 * struct owner_socket - a socket as the proxy sees its peer
 * @client:	the peer's address and port. A UDP socket bound to no address is found by its port alone
 * @server:	what the client asked for, or port 0 when that is not known: one client port may serve several
 *		connections at once
 */
struct owner_socket {
	enum owner_protocol protocol;
	struct endpoint client, server;
};

/**
 * struct owner - a process of the session; of several that hold the socket the one with the lowest number, as it is
 *		mostly the one that made it
 * @pid:	as the host sees it
 * @name:	what it calls itself (proc_pid_comm(5)); any bytes, NUL-terminated: escape it where it is shown
 * @exe:	path of its program as the session sees it; empty when it cannot be read or is too long. Any bytes too
 */
struct owner {
	pid_t pid;
	char name[OWNER_NAME_BYTES];
	char exe[OWNER_EXE_BYTES];
};

/**
 * owner_find() - the process that holds @socket
 * @init_pid:	pid 1 of the session, as the host sees it; not reaped yet
 *
 * Takes milliseconds on a machine with many sockets and processes. Not to be called by a process that is inside.
 *
 * Return: true; false when nobody is found within the limits, and @out is untouched then.
 */
bool owner_find(pid_t init_pid, const struct owner_socket *socket, struct owner *out);
