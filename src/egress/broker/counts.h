/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/counts.h - how many bytes a connection carried, by the kernel's own count */
#pragma once
#include <stdint.h>

/**
 * counts_read() - payload bytes sent and received on a TCP socket so far (TCP_INFO)
 *
 * Retransmissions, SYN and FIN are not counted. Both are 0 when @fd is no TCP socket.
 */
void counts_read(int fd, uint64_t *out_up_bytes, uint64_t *out_down_bytes);
