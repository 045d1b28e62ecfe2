/* SPDX-License-Identifier: Apache-2.0 */
#include "base/own.h"
#include "egress/worker/front.h"
#include "egress/worker/refuse.h"
#include "egress/worker/worker.h"
#include "proto/socks.h"

enum { SOCKS5_NO_AUTH = 0, SOCKS5_NO_METHOD = 0xff };

static void reply_and_end(struct flow *f, enum socks_reply reply)
{
	uint8_t bytes[SOCKS_REPLY_MAX_BYTES];
	size_t n = socks_reply_write((enum socks_version)f->socks, reply, bytes);

	flow_enter(f, FLOW_LINGER);
	if (flow_say(f, bytes, n))
		refuse_go_on(f);
	else
		flow_close(f);
}

static void take_request(struct flow *f, const struct socks_request *r)
{
	f->port = r->port;
	if (r->refuse != SOCKS_GRANTED) {
		asks_note(f->w, REASON_MALFORMED, SEEN_IN_SOCKS, r->host, f->port);
		reply_and_end(f, r->refuse);
		return;
	}
	if (!flow_set_host(f, r->host)) {
		refuse_malformed(f, SEEN_IN_SOCKS, r->host);
		return;
	}
	buf_eat(&f->in, r->bytes);
	if (f->in.n == 0)
		buf_drop(&f->in);
	flow_ask(f, SEEN_IN_SOCKS);
}

/* SOCKS5 begins with a list of methods; the one that is taken asks for no password. */
static enum parse greet(struct flow *f)
{
	struct socks_greeting g;
	enum parse got = socks_greeting_parse(buf_span(&f->in), &g);
	uint8_t reply[] = {SOCKS_5, SOCKS5_NO_AUTH};

	if (got != PARSE_DONE)
		return got;
	if (!g.has_no_auth)
		reply[1] = SOCKS5_NO_METHOD;
	buf_eat(&f->in, g.bytes);
	f->socks = SOCKS_5;
	if (!flow_say(f, reply, sizeof(reply)) || !g.has_no_auth) {
		flow_close(f);
		return PARSE_MORE;
	}
	return PARSE_DONE;
}

/* MORE: read on, or the flow ended. */
static enum parse take_bytes(struct flow *f)
{
	struct socks_request r;
	enum parse got = PARSE_DONE;

	if (f->in.n == 0)
		return PARSE_MORE;
	if (f->socks == 0 && f->in.p[0] == SOCKS_5)
		got = greet(f);
	else if (f->socks == 0)
		f->socks = SOCKS_4A;
	if (got != PARSE_DONE || f->state != FLOW_SNIFF)
		return got;
	got = f->socks == SOCKS_5 ? socks5_request_parse(buf_span(&f->in), &r)
				  : socks4_request_parse(buf_span(&f->in), &r);
	if (got == PARSE_DONE)
		take_request(f, &r);
	return got;
}

void front_socks_read(struct flow *f)
{
	enum flow_read got = READ_SOME; /* the first byte, at least, is there */

	f->front = FRONT_SOCKS;
	while (got == READ_SOME) {
		enum parse parsed = take_bytes(f);
		if (f->state != FLOW_SNIFF)
			return;
		if (parsed == PARSE_BAD || f->in.n > SOCKS_MAX_BYTES) {
			asks_note(f->w, REASON_MALFORMED, SEEN_IN_SOCKS, (struct span){0}, 0);
			flow_reset(f);
			return;
		}
		got = flow_fill(f, SOCKS_MAX_BYTES);
	}
	if (got == READ_NONE)
		(void)flow_watch(f); /* closed, when it cannot be watched */
	else
		flow_close(f);
}

void front_socks_opened(struct flow *f)
{
	uint8_t bytes[SOCKS_REPLY_MAX_BYTES];
	size_t n = socks_reply_write((enum socks_version)f->socks, SOCKS_GRANTED, bytes);

	if (flow_say(f, bytes, n))
		front_judge(f);
	else
		flow_close(f);
}

void front_socks_refused(struct flow *f, enum reason reason)
{
	bool is_out_of_reach = reason == REASON_UNREACHABLE || reason == REASON_NO_SUCH_NAME;

	reply_and_end(f, is_out_of_reach ? SOCKS_UNREACHABLE : SOCKS_NOT_ALLOWED);
}
