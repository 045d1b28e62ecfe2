/* SPDX-License-Identifier: Apache-2.0 */
/* egress/sidecar.h - `drydock-egress sidecar`: the first process of a sidecar's container */
#pragma once

enum { SIDECAR_PORT = 8888 };

/**
 * sidecar_main() - find out where this container stands, then do as `serve` does
 *
 * Bridge: the proxy listens on the inner leg only, serves the agent only (worker/guard.h), and no rule opens an
 * address of a network that the container is on. Sealed (--holder): the listening sockets come from the holder.
 *
 * Return: exit status; after success this program is the broker, and its status counts.
 */
int sidecar_main(int argc, char **argv);
