/* SPDX-License-Identifier: Apache-2.0 */
/* engine/publish.h - ports of a session that the user's own machine may connect to */
/*
 * A process of its own holds the listening sockets, made on 127.0.0.1 of the machine, and then enters the jail's network:
 * what it accepts comes from outside, what it connects to is inside. It copies bytes and understands none; the egress has
 * no part in it, so nothing leaves by this way but to whoever connected.
 */
#pragma once
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PUBLISH_MAX_PORTS = 16, PUBLISH_MAX_CONNECTIONS = 128 };

/** struct publish_port - @host_port of the machine leads to @port of the session; both not 0 */
struct publish_port {
	uint16_t host_port, port;
};

/** struct publish - start from PUBLISH_NONE */
struct publish {
	int fds[PUBLISH_MAX_PORTS]; /* listening, until publish_start() */
	struct publish_port ports[PUBLISH_MAX_PORTS];
	size_t n;
	pid_t pid;
	int pidfd;
};
#define PUBLISH_NONE                                                                               \
	{                                                                                          \
		.pid = -1, .pidfd = -1                                                             \
	}

/**
 * publish_bind() - take the ports, before anything starts
 *
 * Return: 0; -EADDRINUSE with @err naming the port; or another negative errno value, and none is held.
 */
int publish_bind(const struct publish_port *ports, size_t n, struct publish *out, struct err *err);

/** publish_start() - begin to serve a jail; it ends with the caller's thread. 0 or a negative errno value */
int publish_start(struct publish *p, int init_pidfd, struct err *err);

/** publish_end() - end it, and give the ports back; fine when there is none */
void publish_end(struct publish *p);
