/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is compared and what is sent on are the same bytes: f->in holds them from the first on, nothing is taken
 * out of it before the hello was judged, and those very bytes are what the upstream gets before anything else.
 *
 * A server may ask for a second ClientHello (HelloRetryRequest), and may go by the name in that one. So the client
 * is not read on until the server's first bytes say which it is, which costs nobody a round trip but early data; a
 * second hello is judged like the first. There is no third (RFC 8446 section 4.1.4).
 */
#include "egress/worker/denial.h"
#include "egress/worker/front.h"
#include "egress/worker/refuse.h"
#include "egress/worker/worker.h"

#include <errno.h>

enum parse front_tls_parse(struct flow *f, struct tls_hello *out, const char **why)
{
	static_assert((int)WORKER_SCRATCH_BYTES >= (int)TLS_HELLO_MAX_BYTES, "a whole hello fits");
	return tls_hello_parse(buf_span(&f->in), worker_scratch, out, why);
}

static bool host_is_address(const struct flow *f)
{
	struct addr a;

	return addr_parse(span_of(f->host), &a);
}

static void judge(struct flow *f, const struct tls_hello *hello)
{
	struct span sni = span_make(hello->sni, hello->sni_n);

	if (hello->has_ech && !(f->bears & BEAR_ECH)) {
		refuse_late(f, REASON_ECH_REFUSED, sni, ALERT_ACCESS_DENIED);
		return;
	}
	/* A literal cannot stand in SNI (RFC 6066 section 3): who was allowed an address sends none. */
	if (!hello->has_sni && !(f->bears & BEAR_NO_SNI) && !host_is_address(f)) {
		refuse_late(f, REASON_NO_SNI, sni, ALERT_MISSING_EXTENSION);
		return;
	}
	if (hello->has_sni && !flow_name_is(f, sni)) {
		refuse_late(f, REASON_SNI_MISMATCH, sni, ALERT_ACCESS_DENIED);
		return;
	}
	if (f->state == FLOW_RETRY) {
		relay_start(f);
		return;
	}
	f->n_judged = (uint32_t)hello->bytes;
	flow_enter(f, FLOW_ANSWER);
	front_tls_answered(f);
}

/* Sends the hello that was judged; false while some of it is left, or when the flow ended. */
static bool send_judged(struct flow *f)
{
	while (f->n_judged) {
		ssize_t n = send(f->upstream.fd, f->in.p, f->n_judged, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			flow_wait_out(f, false);
			return false;
		}
		if (n < 0) {
			flow_reset(f);
			return false;
		}
		f->n_judged -= (uint32_t)n;
		buf_eat(&f->in, (size_t)n);
	}
	if (f->in.n == 0)
		buf_drop(&f->in);
	return true;
}

void front_tls_answered(struct flow *f)
{
	uint8_t answer[TLS_ANSWER_BYTES];
	bool is_retry = false, ends = f->relay.ways[RELAY_DOWN].is_ending;

	if (!flow_flush(f)) {
		flow_close(f);
		return;
	}
	if (!send_judged(f) || !f->upstream_more)
		return;
	ssize_t n;
	do
		n = recv(f->upstream.fd, answer, sizeof(answer), MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		f->upstream_more = false;
		return;
	}
	if (n < 0) {
		flow_reset(f);
		return;
	}
	/* whatever it is but a beginning of what may be a retry, the relay knows how to end or go on with it */
	if (n > 0 && tls_answer_parse(span_make(answer, (size_t)n), &is_retry) == PARSE_MORE && !ends)
		return; /* the next byte is a new event */
	if (!is_retry) {
		relay_start(f);
		return;
	}
	flow_enter(f, FLOW_RETRY);
	front_tls_read(f);
}

/* What the server says while the second hello is awaited; false when the flow ended. */
static bool pass_down(struct flow *f)
{
	while (f->upstream_more && f->out.n == 0) {
		ssize_t n = recv(f->upstream.fd, worker_scratch, WORKER_SCRATCH_BYTES, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			f->upstream_more = false;
			return true;
		}
		if (n < 0) {
			flow_reset(f);
			return false;
		}
		if (n == 0 || !flow_say(f, worker_scratch, (size_t)n)) {
			flow_close(f);
			return false;
		}
	}
	return true;
}

static enum parse parse_due(struct flow *f, struct tls_hello *out, const char **why)
{
	return f->state == FLOW_RETRY ? tls_retry_parse(buf_span(&f->in), worker_scratch, out, why)
				      : front_tls_parse(f, out, why);
}

void front_tls_read(struct flow *f)
{
	struct tls_hello hello;
	const char *why;
	enum flow_read got = READ_SOME; /* bytes may have come with the request before */

	if (!flow_flush(f)) {
		flow_close(f);
		return;
	}
	if (f->state == FLOW_RETRY && !pass_down(f))
		return;
	while (got == READ_SOME) {
		switch (parse_due(f, &hello, &why)) {
		case PARSE_DONE:
			judge(f, &hello);
			return;
		case PARSE_BAD:
			refuse_late(f, REASON_NOT_TLS, (struct span){0}, ALERT_DECODE_ERROR);
			return;
		case PARSE_MORE:
			break;
		}
		got = flow_fill(f, FLOW_FIRST_BYTES);
	}
	if (got == READ_FULL)
		refuse_late(f, REASON_NOT_TLS, (struct span){0}, ALERT_DECODE_ERROR);
	else if (got == READ_GONE || got == READ_END)
		flow_close(f);
}
