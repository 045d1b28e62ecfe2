/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/worker/front.h"
#include "egress/worker/refuse.h"
#include "egress/worker/worker.h"

#include <sys/socket.h>

enum { PORT_DNS = 53 };

/* TPROXY left the socket's own address what the client asked for. */
static bool destination(const struct flow *f, struct addr *out, uint16_t *out_port)
{
	struct sockaddr_storage ss = {0};
	socklen_t n = sizeof(ss);

	return getsockname(f->client.fd, (struct sockaddr *)&ss, &n) == 0 &&
	       addr_from_sockaddr(&ss, out, out_port);
}

void front_transparent_start(struct flow *f)
{
	struct addr to;
	char text[ADDR_TEXT_BYTES];

	if (!destination(f, &to, &f->port) || f->port == 0) {
		flow_reset(f);
		return;
	}
	if (f->port == PORT_DNS) {
		f->front = FRONT_DNS;
		flow_enter(f, FLOW_DNS);
		(void)flow_watch(f); /* closed, when it cannot be watched */
		return;
	}
	f->named = names_find(&f->w->names, &to);
	addr_print(&to, text);
	if (f->named)
		f->named->n_flows++;
	f->front = f->named ? FRONT_TRANSPARENT : FRONT_ADDRESS;
	if (f->named && f->port == HELP_PORT && help_is_for(span_of(f->named->text))) {
		refuse_until_help(f);
		return;
	}
	if (flow_set_host(f, span_of(f->named ? f->named->text : text)))
		flow_ask(f, f->named ? SEEN_IN_DNS_TABLE : SEEN_AS_ADDRESS);
	else
		flow_reset(f);
}
