/* SPDX-License-Identifier: Apache-2.0 */
/* jail/netns.h - the jail's network: lo, every address local, every TCP connection to one socket */
#pragma once
#include "base/err.h"
#include "egress/wire/messages.h"

/* A port below 1024: what runs inside cannot bind it, so nobody but the egress can stand behind TPROXY. */
enum { NETNS_TRANSPARENT_PORT = 1, NETNS_PROXY_PORT = 8888, NETNS_DNS_PORT = 53 };

/** netns_set_up_lo() - lo up and nothing else: for sessions without any network */
int netns_set_up_lo(struct err *err);

/**
 * netns_set_up() - lo up, local default routes for IPv4 and IPv6, and the rules: TCP to any address that is not
 * loopback goes to NETNS_TRANSPARENT_PORT; UDP (but DNS and loopback) and ICMP echo fail at send()
 *
 * Runs in the new network namespace with CAP_NET_ADMIN over it. One netlink batch; nothing is executed.
 * Source: nf_tables(7) netlink uapi, Documentation/networking/tproxy.rst.
 */
int netns_set_up(struct err *err);

/** netns_listen() - make the listening sockets of a session; @out_fds are the caller's, @out names their kinds */
int netns_listen(int out_fds[WIRE_MAX_LISTENERS], struct wire_listeners *out, struct err *err);
