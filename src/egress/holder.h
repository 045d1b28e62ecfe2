/* SPDX-License-Identifier: Apache-2.0 */
/* egress/holder.h - `drydock-egress holder`: makes and keeps the listening sockets of a sealed session */
/*
 * It is the first process of a container without any network but lo, whose network namespace the agent joins. The agent
 * has no way out of there; what it connects to on lo are these sockets, and the sidecar, in another container, accepts
 * from them: it gets them over a unix socket in a folder that only the two see, one sidecar at a time. While none is
 * there connections wait in the sockets' queues, and no way leads around them. The holder reads nothing that the
 * agent sends.
 */
#pragma once
#include "base/span.h"
#include "egress/wire/messages.h"

/** struct holder_ports - ports of transparent listeners, each once */
struct holder_ports {
	uint16_t ports[WIRE_MAX_LISTENERS];
	size_t n;
};

/**
 * holder_ports_parse() - decimal ports with commas between them
 *
 * 53 (DNS) and 8888 (the proxy) are always held and may be named; the rest fit into one LISTENERS message.
 */
bool holder_ports_parse(struct span in, struct holder_ports *out);

/** holder_main() - exit status; ends on SIGTERM, or when it cannot hold what it was told to */
int holder_main(int argc, char **argv);
