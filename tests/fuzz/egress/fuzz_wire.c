/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a peer sends: a message that passes is of this channel, this sender, this state and this length. */
#include "egress/wire/chan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int ends[2] = {-1, -1};
	static struct chan_message m;
	const char *why = NULL;

	if (ends[0] < 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) < 0)
		abort();
	if (size < 1 || send(ends[0], data + 1, size - 1, 0) < 0)
		return 0;
	struct chan ch = {.fd = ends[1], .peer = (enum wire_party)(data[0] & 3),
			  .state = data[0] & 4 ? IN_START : IN_SERVICE, .first = WIRE_HELLO, .last = WIRE_DNS_VERDICT};
	switch (chan_recv(&ch, MSG_DONTWAIT, &m, &why)) {
	case CHAN_MESSAGE:
		assert(m.number >= ch.first && m.number <= ch.last && m.n_fds == 0);
		assert(size - 1 == sizeof(struct wire_head) + wire_payload_bytes((uint16_t)m.number));
		break;
	case CHAN_BREACH:
		assert(why);
		break;
	case CHAN_EMPTY:
	case CHAN_ENDED:
		break;
	}
	return 0;
}
