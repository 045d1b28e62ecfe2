/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/worker/refuse.h"
#include "base/clock.h"
#include "base/own.h"
#include "egress/worker/denial.h"
#include "egress/worker/front.h"
#include "egress/worker/http.h"
#include "egress/worker/worker.h"

#include <errno.h>
#include <sys/socket.h>

enum { LINGER_MAX_BYTES = 1 << 20 };

static struct denial denial_of(const struct flow *f, const struct wire_refused *why)
{
	return (struct denial){
		.refused = why,
		.host = f->host ? span_of(f->host) : (struct span){0},
		.port = f->port,
		.wants_json = f->wants_json,
		.wall_ms = clock_wall_ms(),
		.session = f->w->session,
	};
}

static void say_and_end(struct flow *f, const void *bytes, size_t n)
{
	if (f->state != FLOW_LINGER)
		flow_enter(f, FLOW_LINGER);
	if (flow_say(f, bytes, n))
		refuse_go_on(f);
	else
		flow_close(f);
}

static void refuse_http(struct flow *f, const struct wire_refused *why)
{
	AUTO(buf) struct buf text = {.max = DENIAL_MAX_BYTES};
	struct denial d = denial_of(f, why);

	if (denial_http(&d, &text))
		say_and_end(f, text.p, text.n);
	else
		flow_reset(f);
}

static void refuse_tls(struct flow *f, uint8_t alert)
{
	uint8_t record[DENIAL_ALERT_BYTES];

	denial_tls(alert, record);
	say_and_end(f, record, sizeof(record));
}

static void refuse_ssh(struct flow *f, const struct wire_refused *why)
{
	AUTO(buf) struct buf text = {.max = DENIAL_MAX_BYTES};
	struct denial d = denial_of(f, why);

	if (denial_ssh(&d, &text))
		say_and_end(f, text.p, text.n);
	else
		flow_reset(f);
}

/* The client has to speak before it can be answered in its own protocol. */
static void wait_then_refuse(struct flow *f, const struct wire_refused *why, enum flow_wait wait)
{
	f->refusal = malloc(sizeof(*f->refusal));
	if (!f->refusal) {
		flow_reset(f);
		return;
	}
	*f->refusal = *why;
	f->waits_for = (uint8_t)wait;
	flow_enter(f, FLOW_LINGER);
	refuse_go_on(f);
}

static void refuse_transparent(struct flow *f, const struct wire_refused *why)
{
	switch (f->port) {
	case 80:
	case 8080:
		wait_then_refuse(f, why, WAIT_HEAD);
		break;
	case 443:
	case 8443:
		wait_then_refuse(f, why, WAIT_HELLO);
		break;
	case 22:
		refuse_ssh(f, why);
		break;
	default:
		flow_reset(f);
	}
}

/* So that the contained program can ask later what it was refused (help.h). */
static void note_for_help(struct flow *f, uint32_t reason)
{
	help_note(&f->w->help, f->host ? span_of(f->host) : (struct span){0}, f->port, reason, clock_wall_ms());
}

void refuse_flow(struct flow *f, const struct wire_refused *why)
{
	note_for_help(f, why->reason);
	if (f->http) {
		refuse_http(f, why); /* requests were read already: that is what it speaks */
		return;
	}
	switch ((enum flow_front)f->front) {
	case FRONT_PROXY:
	case FRONT_CONNECT:
		refuse_http(f, why);
		break;
	case FRONT_SOCKS:
		front_socks_refused(f, (enum reason)why->reason);
		break;
	case FRONT_TRANSPARENT:
		refuse_transparent(f, why);
		break;
	case FRONT_ADDRESS:
		if (f->port == 80 || f->port == 8080)
			refuse_transparent(f, why);
		else
			flow_reset(f);
		break;
	case FRONT_DNS:
		flow_close(f);
		break;
	}
}

void refuse_late(struct flow *f, enum reason reason, struct span seen, uint8_t alert)
{
	struct wire_refused why = {.reason = reason};

	note_for_help(f, reason);
	flow_end_upstream(f, reason, seen);
	if (f->http)
		refuse_http(f, &why);
	else if (alert)
		refuse_tls(f, alert);
	else
		flow_reset(f);
}

static void refuse_unasked(struct flow *f, enum reason reason, enum wire_source seen_in, struct span host)
{
	struct wire_refused why = {.reason = reason};

	asks_note(f->w, reason, seen_in, host, f->port);
	refuse_flow(f, &why);
}

void refuse_malformed(struct flow *f, enum wire_source seen_in, struct span host)
{
	refuse_unasked(f, REASON_MALFORMED, seen_in, host);
}

void refuse_stranger(struct flow *f, struct span host)
{
	flow_end_upstream(f, REASON_NONE, (struct span){0});
	refuse_unasked(f, REASON_WRONG_SESSION, SEEN_IN_HTTP, host);
}

void refuse_with_help(struct flow *f, const struct http_head *head)
{
	AUTO(buf) struct buf text = {.max = HELP_MAX_BYTES};

	if (help_page(&f->w->help, head, http_wants_json(head), &text))
		say_and_end(f, text.p, text.n);
	else
		flow_reset(f);
}

void refuse_until_help(struct flow *f)
{
	wait_then_refuse(f, &(struct wire_refused){.reason = REASON_MALFORMED}, WAIT_HEAD);
}

/* The request of a transparent flow to the help pages; false when it is none. */
static bool answer_help(struct flow *f)
{
	struct http_head head;
	const char *why;

	if (!f->named || !help_is_for(span_of(f->named->text)) ||
	    http_request_parse(buf_span(&f->in), &head, &why) != PARSE_DONE || !help_is_for(head.host))
		return false;
	f->waits_for = WAIT_NOTHING;
	mem_drop(&f->refusal);
	refuse_with_help(f, &head);
	return true;
}

/* What the client said so far is enough to answer it; false while it is not. */
static bool may_answer(struct flow *f, enum flow_read got)
{
	const char *why;
	struct tls_hello hello;
	struct http_head head;

	if (got == READ_END || got == READ_FULL)
		return true;
	if (f->waits_for == WAIT_HELLO)
		return front_tls_parse(f, &hello, &why) != PARSE_MORE;
	enum parse parsed = http_request_parse(buf_span(&f->in), &head, &why);
	if (parsed == PARSE_DONE)
		f->wants_json = http_wants_json(&head);
	return parsed != PARSE_MORE;
}

static void answer_waiting(struct flow *f)
{
	if (f->waits_for == WAIT_HEAD && answer_help(f))
		return;
	AUTO(mem) struct wire_refused *why = TAKE(f->refusal);
	bool is_tls = f->waits_for == WAIT_HELLO;

	f->waits_for = WAIT_NOTHING;
	buf_drop(&f->in);
	if (is_tls)
		refuse_tls(f, ALERT_ACCESS_DENIED);
	else
		refuse_http(f, why);
}

static void read_waited(struct flow *f)
{
	for (;;) {
		enum flow_read got = flow_fill(f, FLOW_FIRST_BYTES);
		if (got == READ_NONE) {
			(void)flow_watch(f); /* closed, when it cannot be watched */
			return;
		}
		if (got == READ_GONE || (got == READ_END && f->in.n == 0)) {
			flow_close(f);
			return;
		}
		if (may_answer(f, got)) {
			answer_waiting(f);
			return;
		}
	}
}

/* Closing with unread bytes makes an RST that may overtake the answer, so they are read and thrown away. */
static void throw_away(struct flow *f)
{
	for (;;) {
		ssize_t n = recv(f->client.fd, worker_scratch, WORKER_SCRATCH_BYTES, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			flow_close(f);
			return;
		}
		f->n_thrown += (uint32_t)n;
		if (f->n_thrown > LINGER_MAX_BYTES) {
			flow_reset(f);
			return;
		}
	}
}

void refuse_go_on(struct flow *f)
{
	if (f->waits_for != WAIT_NOTHING) {
		read_waited(f);
		return;
	}
	if (!flow_flush(f)) {
		flow_close(f);
		return;
	}
	if (f->out.n) {
		(void)flow_watch(f); /* closed, when it cannot be watched */
		return;
	}
	/* Who waits for an answer, and was read to the end, has nothing unread that could become an RST. */
	if (!f->http && !f->client_more && !f->in.n &&
	    (f->front == FRONT_CONNECT || f->front == FRONT_SOCKS)) {
		flow_close(f);
		return;
	}
	if (!f->lingers) {
		(void)shutdown(f->client.fd, SHUT_WR); /* the read below finds out if it is gone */
		f->lingers = true;
	}
	throw_away(f);
	if (f->state == FLOW_LINGER)
		(void)flow_watch(f); /* closed, when it cannot be watched */
}
