/* SPDX-License-Identifier: Apache-2.0 */
/* egress/resolver/resolver.h - turns names that a rule allowed into addresses */
/*
 * DNS replies are untrusted bytes, and this process is the only one that reads them. It makes no socket: c-ares is told
 * to use sockets that the broker connected to the configured servers and sent over. c-ares wants a descriptor
 * before it names the server, so it first gets a duplicate of /dev/null, which the socket then replaces.
 */
#pragma once
#include "base/loop.h"
#include "egress/resolver/hosts.h"
#include "net/endpoint.h"

enum {
	RESOLVER_MAX_SERVERS = 8,
	RESOLVER_MAX_LOOKUPS = 512,
	RESOLVER_TIMEOUT_MS = 5000, /* for the first try; the second waits twice as long */
	RESOLVER_TRIES = 2,
};

/** struct resolver_settings - everything is borrowed and must outlive the resolver */
struct resolver_settings {
	struct loop *loop;
	const struct hosts *hosts;
	const struct endpoint *servers;
	size_t n_servers;
	int names_fd, sockets_fd, null_fd;
};

struct resolver;

/** resolver_new() - set c-ares up and watch the names channel; NULL with @err set on failure */
struct resolver *resolver_new(const struct resolver_settings *settings, struct err *err);
void resolver_free(struct resolver *r);

/** resolver_serve() - tell the broker that questions may come; 0 or a negative errno value */
int resolver_serve(struct resolver *r);

/** resolver_is_over() - the broker is gone, or broke the protocol (*out_why is set then, else NULL) */
bool resolver_is_over(const struct resolver *r, const char **out_why);
