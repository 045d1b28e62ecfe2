/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes_sent counts payload, retransmitted bytes again. bytes_received counts sequence numbers, so a FIN that came
 * in is one byte too many: CLOSE_WAIT, LAST_ACK and CLOSING say that it came. CLOSE is reached with it after an orderly end,
 * where our FIN was acknowledged too (SYN and FIN make bytes_acked two more than the payload), and without it after a reset.
 */
#include "egress/broker/counts.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

enum { /* enum tcp_ca_state's neighbour in the kernel: net/tcp_states.h, not exported to programs */
       STATE_CLOSE = 7,
       STATE_CLOSE_WAIT = 8,
       STATE_LAST_ACK = 9,
       STATE_CLOSING = 11,
};

static bool has_fin(const struct tcp_info *info, uint64_t up_bytes)
{
	switch (info->tcpi_state) {
	case STATE_CLOSE_WAIT:
	case STATE_LAST_ACK:
	case STATE_CLOSING:
		return true;
	case STATE_CLOSE:
		return info->tcpi_bytes_acked == up_bytes + 2;
	default:
		return false;
	}
}

void counts_read(int fd, uint64_t *out_up_bytes, uint64_t *out_down_bytes)
{
	struct tcp_info info = {0};
	socklen_t bytes = sizeof(info);

	*out_up_bytes = *out_down_bytes = 0;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) < 0)
		return;
	*out_up_bytes = info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
	*out_down_bytes = info.tcpi_bytes_received;
	if (*out_down_bytes && has_fin(&info, *out_up_bytes))
		*out_down_bytes -= 1;
}
