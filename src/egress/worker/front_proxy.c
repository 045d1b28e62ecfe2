/* SPDX-License-Identifier: Apache-2.0 */
#include "base/own.h"
#include "egress/worker/front.h"
#include "egress/worker/guard.h"
#include "egress/worker/http.h"
#include "egress/worker/refuse.h"
#include "egress/worker/worker.h"
#include "proto/socks.h"

static void take_connect(struct flow *f, const struct http_head *head)
{
	f->front = FRONT_CONNECT;
	f->port = head->port;
	f->wants_json = http_wants_json(head);
	if (!flow_set_host(f, head->host)) {
		refuse_malformed(f, SEEN_IN_CONNECT, head->host);
		return;
	}
	/* what follows the head is the tunnel's already */
	if (head->head_bytes == f->in.n)
		buf_drop(&f->in);
	else
		buf_eat(&f->in, head->head_bytes);
	flow_ask(f, SEEN_IN_CONNECT);
}

static void tell_health(struct flow *f)
{
	static const char well[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
				   "Connection: close\r\n\r\nok\n";

	flow_enter(f, FLOW_LINGER);
	if (flow_say(f, well, sizeof(well) - 1))
		refuse_go_on(f);
	else
		flow_close(f);
}

static void take_head(struct flow *f, const struct http_head *head)
{
	if (guard_is_health(f, head)) {
		tell_health(f);
		return;
	}
	if (f->is_own && f->w->guard.is_on) {
		flow_reset(f); /* the sidecar itself has no errand outside */
		return;
	}
	if (!guard_bears(&f->w->guard, head)) {
		refuse_stranger(f, head->host);
		return;
	}
	switch (head->form) {
	case HTTP_AUTHORITY:
		take_connect(f, head);
		break;
	case HTTP_ABSOLUTE:
		http_take_head(f, head);
		break;
	case HTTP_ORIGIN:
	case HTTP_ASTERISK:
		/* a request to the proxy itself: no name to judge */
		refuse_malformed(f, SEEN_IN_HTTP, head->host);
		break;
	}
}

void front_proxy_read(struct flow *f)
{
	struct http_head head;
	const char *why;

	for (;;) {
		enum flow_read got = flow_fill(f, FLOW_FIRST_BYTES);
		if (got == READ_NONE) {
			(void)flow_watch(f); /* closed, when it cannot be watched */
			return;
		}
		if (got == READ_GONE || got == READ_END) {
			flow_close(f);
			return;
		}
		if (f->in.p[0] == SOCKS_4A || f->in.p[0] == SOCKS_5) {
			if (f->is_own && f->w->guard.is_on)
				flow_reset(f);
			else
				front_socks_read(f);
			return;
		}
		switch (http_request_parse(buf_span(&f->in), &head, &why)) {
		case PARSE_DONE:
			take_head(f, &head);
			return;
		case PARSE_BAD:
			refuse_malformed(f, SEEN_IN_HTTP, (struct span){0});
			return;
		case PARSE_MORE:
			break;
		}
	}
}

void front_connect_opened(struct flow *f)
{
	static const char granted[] = "HTTP/1.1 200 Connection established\r\n\r\n";

	if (flow_say(f, granted, sizeof(granted) - 1))
		front_judge(f);
	else
		flow_close(f);
}

void front_judge(struct flow *f)
{
	switch ((enum wire_judge)f->judge) {
	case JUDGE_RAW:
		relay_start(f);
		break;
	case JUDGE_TLS:
		flow_enter(f, FLOW_CHECK);
		front_tls_read(f);
		break;
	case JUDGE_HTTP:
		http_start(f);
		break;
	}
}
