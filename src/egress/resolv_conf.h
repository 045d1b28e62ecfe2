/* SPDX-License-Identifier: Apache-2.0 */
/* egress/resolv_conf.h - the DNS servers of this machine, as resolv.conf(5) names them */
#pragma once
#include "net/endpoint.h"

enum { RESOLV_CONF_MAX_BYTES = 65536, DNS_PORT = 53 };

/**
 * resolv_conf_read() - the addresses of `nameserver` lines, port 53, in order
 * @max:	further ones are left out
 *
 * As libc does: lines that make no sense are skipped, and without any server it is 127.0.0.1. An address with a zone
 * id (fe80::1%eth0) is skipped too.
 *
 * Return: how many were written to @out; at least 1 as long as @max is.
 */
size_t resolv_conf_read(struct span text, struct endpoint *out, size_t max);
