/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run() does what can be done until nothing moves; an event makes it run again.
 */
#include "egress/worker/http.h"
#include "base/own.h"
#include "egress/worker/http_rewrite.h"
#include "egress/worker/refuse.h"
#include "egress/worker/worker.h"
#include "proto/http_body.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

enum {
	DEFAULT_PORT = 80,
	STATUS_SWITCHING = 101,
	HEAD_OUT_MAX_BYTES = HTTP_HEAD_MAX_BYTES + 8192, /* a head may grow when it is written anew */
	MAX_INTERIM = 16,
	RUN_STEPS = 64, /* before others have their turn */
};

/**
 * struct http - one client connection's state between events
 * @is_fixed:	the host is the flow's; else each request names it
 * @is_busy:	between a request's head and the end of its response
 * @owes_head:	the first request has not come yet, or a part of the next is there
 * @to_server:	due to the upstream
 * @head:	bytes of a response head that is not whole yet
 * @has_head:	the response's head was passed on; its body moves
 * @closes:	the client's connection ends after this response
 * @server_keeps: the upstream can be used again after this response
 * @is_reused:	the upstream has answered before
 * @is_deaf:	the upstream takes no more bytes; its answer may still come
 */
struct http {
	bool is_fixed, is_busy, owes_head;
	bool has_head, closes, server_keeps, is_reused, is_deaf;
	bool to_head, wants_upgrade;
	uint8_t minor;
	uint8_t n_interim;
	struct http_body up, down;
	struct buf to_server, head;
};

/* What one step came to. */
enum step {
	STEP_ON,   /* something moved */
	STEP_WAIT, /* nothing to do before an event */
	STEP_OVER, /* the flow left FLOW_HTTP */
};

void http_free(struct http *h)
{
	if (!h)
		return;
	buf_drop(&h->to_server);
	buf_drop(&h->head);
	free(h);
}

bool http_wants_json(const struct http_head *head)
{
	const struct http_field *accept = http_field_find(head, "accept");

	return accept && (memmem(accept->value.p, accept->value.n, "application/json", 16) ||
			  memmem(accept->value.p, accept->value.n, "application/problem+json", 24));
}

static bool make(struct flow *f)
{
	if (f->http)
		return true;
	f->http = calloc(1, sizeof(*f->http));
	if (!f->http) {
		flow_close(f);
		return false;
	}
	f->http->is_fixed = f->front != FRONT_PROXY;
	f->http->owes_head = true;
	f->http->to_server.max = HEAD_OUT_MAX_BYTES;
	f->http->head.max = HTTP_HEAD_MAX_BYTES;
	f->out.max = HEAD_OUT_MAX_BYTES + WORKER_SCRATCH_BYTES;
	return true;
}

/* A request that cannot be served. Where the host is fixed the flow itself broke its rule. */
static void reject(struct flow *f, enum reason reason, struct span seen)
{
	if (f->http && f->http->is_fixed && f->number) {
		refuse_late(f, reason, seen, 0);
		return;
	}
	flow_end_upstream(f, REASON_NONE, (struct span){0});
	refuse_malformed(f, SEEN_IN_HTTP, seen);
}

/* The upstream broke off or answered nonsense. */
static enum step fail_server(struct flow *f, enum reason reason)
{
	struct wire_refused why = {.reason = REASON_UNREACHABLE};

	if (f->http->has_head || f->out.n) {
		flow_reset(f); /* the client has a part: it must not take it for the whole */
		return STEP_OVER;
	}
	flow_end_upstream(f, reason, (struct span){0});
	refuse_flow(f, &why);
	return STEP_OVER;
}

void http_take_head(struct flow *f, const struct http_head *head)
{
	if (help_is_for(head->host) && (!head->port || head->port == HELP_PORT)) {
		refuse_with_help(f, head);
		return;
	}
	f->port = head->port ? head->port : DEFAULT_PORT;
	f->wants_json = http_wants_json(head);
	if (flow_set_host(f, head->host))
		flow_ask(f, SEEN_IN_HTTP);
	else
		reject(f, REASON_MALFORMED, head->host);
}

static bool is_for_upstream(const struct flow *f, const struct http_head *head)
{
	return f->number && f->port == (head->port ? head->port : DEFAULT_PORT) &&
	       flow_name_is(f, head->host);
}

/* REASON_NONE: the request may be asked for, or served. */
static enum reason flaw(const struct flow *f, const struct http_head *head)
{
	if (head->form == HTTP_AUTHORITY || (!f->http->is_fixed && head->form != HTTP_ABSOLUTE))
		return REASON_MALFORMED;
	if (span_is(head->method, "TRACE") && head->framing != HTTP_NO_BODY)
		return REASON_MALFORMED;
	if (!f->http->is_fixed)
		return REASON_NONE;
	/* HTTP/1.0 may name no host: it gets the one that was asked for */
	if (head->host.n && (!flow_name_is(f, head->host) || (head->port && head->port != f->port)))
		return REASON_HOST_MISMATCH;
	return REASON_NONE;
}

static enum step serve(struct flow *f, const struct http_head *head)
{
	struct http *h = f->http;

	if (!http_rewrite_request(head, span_of(f->host), f->port, &h->to_server)) {
		reject(f, REASON_MALFORMED, head->host);
		return STEP_OVER;
	}
	h->is_busy = true;
	h->owes_head = false;
	h->has_head = false;
	h->is_deaf = false;
	h->n_interim = 0;
	h->minor = head->minor;
	h->closes = !head->keeps_alive;
	h->to_head = span_is(head->method, "HEAD");
	h->wants_upgrade = http_rewrite_upgrades(head);
	http_body_start(&h->up, head);
	buf_eat(&f->in, head->head_bytes);
	if (f->in.n == 0)
		buf_drop(&f->in);
	return STEP_ON;
}

static enum step take_request(struct flow *f, const struct http_head *head)
{
	enum reason reason = flaw(f, head);

	f->wants_json = http_wants_json(head);
	if (reason != REASON_NONE) {
		reject(f, reason, head->host);
		return STEP_OVER;
	}
	if (!f->http->is_fixed && !guard_bears(&f->w->guard, head)) {
		refuse_stranger(f, head->host);
		return STEP_OVER;
	}
	if (f->http->is_fixed ? f->number != 0 : is_for_upstream(f, head))
		return serve(f, head);
	if (f->http->is_fixed) {
		flow_close(f); /* the server went away between two requests: so do we */
		return STEP_OVER;
	}
	flow_end_upstream(f, REASON_NONE, (struct span){0});
	http_take_head(f, head);
	return STEP_OVER;
}

/* Between two exchanges a server has nothing to say: its end, or bytes that answer nothing, end it. */
static void watch_idle_server(struct flow *f)
{
	uint8_t byte;

	if (!f->number || !f->upstream_more)
		return;
	ssize_t n = recv(f->upstream.fd, &byte, sizeof(byte), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		f->upstream_more = false;
	else
		flow_end_upstream(f, REASON_NONE, (struct span){0});
}

/* A head that was begun has to be whole in time, however slowly its bytes come. */
static void await_rest(struct flow *f)
{
	if (f->http->owes_head)
		return;
	f->http->owes_head = true;
	flow_restart_limit(f);
}

static enum step next_request(struct flow *f)
{
	struct http_head head;
	const char *why;

	watch_idle_server(f);
	if (f->in.n) {
		switch (http_request_parse(buf_span(&f->in), &head, &why)) {
		case PARSE_DONE:
			return take_request(f, &head);
		case PARSE_BAD:
			reject(f, REASON_MALFORMED, (struct span){0});
			return STEP_OVER;
		case PARSE_MORE:
			break;
		}
	}
	if (f->http->is_fixed && !f->number) {
		flow_close(f);
		return STEP_OVER;
	}
	switch (f->has_ended ? READ_END : flow_fill(f, FLOW_FIRST_BYTES)) {
	case READ_SOME:
		return STEP_ON;
	case READ_NONE:
		if (f->in.n == 0)
			buf_drop(&f->in);
		else
			await_rest(f);
		return STEP_WAIT;
	case READ_FULL:
		reject(f, REASON_MALFORMED, (struct span){0});
		return STEP_OVER;
	case READ_END:
	case READ_GONE:
		break;
	}
	flow_close(f);
	return STEP_OVER;
}

/* Sends to the upstream; what does not fit now is kept. A server that takes no more may still answer. */
static bool send_up(struct flow *f, const uint8_t *bytes, size_t n)
{
	struct http *h = f->http;
	ssize_t put = 0;

	if (h->is_deaf)
		return true;
	if (h->to_server.n == 0) {
		put = send(f->upstream.fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (put < 0 && errno != EAGAIN && errno != EINTR)
			h->is_deaf = true;
		put = put < 0 ? 0 : put;
	}
	if (h->is_deaf || (size_t)put == n)
		return true;
	flow_wait_out(f, false);
	return buf_put(&h->to_server, bytes + put, n - (size_t)put);
}

static void flush_up(struct flow *f)
{
	struct http *h = f->http;

	while (h->to_server.n && !h->is_deaf) {
		ssize_t n =
			send(f->upstream.fd, h->to_server.p, h->to_server.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			flow_wait_out(f, false);
			return;
		}
		if (n < 0 && errno != EINTR)
			h->is_deaf = true;
		buf_eat(&h->to_server, n > 0 ? (size_t)n : 0);
	}
	buf_drop(&h->to_server);
}

/* Moves bytes of the request's body. */
static enum step body_up(struct flow *f)
{
	struct http *h = f->http;
	size_t used;

	if (h->up.is_over || h->to_server.n || h->is_deaf)
		return STEP_WAIT;
	if (f->in.n == 0) {
		switch (f->has_ended ? READ_END : flow_fill(f, WORKER_SCRATCH_BYTES)) {
		case READ_SOME:
			break;
		case READ_NONE:
			buf_drop(&f->in);
			return STEP_WAIT;
		case READ_FULL:
		case READ_END:
		case READ_GONE:
			flow_reset(f); /* the body will never be whole */
			return STEP_OVER;
		}
	}
	if (http_body_feed(&h->up, buf_span(&f->in), &used) == PARSE_BAD) {
		reject(f, REASON_MALFORMED, (struct span){0});
		return STEP_OVER;
	}
	if (!send_up(f, f->in.p, used)) {
		flow_reset(f);
		return STEP_OVER;
	}
	buf_eat(&f->in, used);
	return STEP_ON;
}

static enum step finish(struct flow *f)
{
	struct http *h = f->http;

	h->is_busy = false;
	h->is_reused = true;
	if (!h->server_keeps || !h->up.is_over || h->is_deaf)
		flow_end_upstream(f, REASON_NONE, (struct span){0});
	if (!h->closes && h->up.is_over)
		return STEP_ON;
	flow_end_upstream(f, REASON_NONE, (struct span){0});
	flow_enter(f, FLOW_LINGER);
	refuse_go_on(f);
	return STEP_OVER;
}

static enum step take_body(struct flow *f, struct span s)
{
	struct http *h = f->http;
	size_t used = 0;

	if (http_body_feed(&h->down, s, &used) == PARSE_BAD)
		return fail_server(f, REASON_MALFORMED);
	if (used && !flow_say(f, s.p, used)) {
		flow_close(f);
		return STEP_OVER;
	}
	if (!h->down.is_over)
		return STEP_ON;
	if (used < s.n)
		h->server_keeps = false; /* bytes after the answer answer nothing */
	return finish(f);
}

static enum step switch_protocols(struct flow *f, const struct http_head *head)
{
	struct http *h = f->http;
	AUTO(buf) struct buf text = {.max = HEAD_OUT_MAX_BYTES};
	struct span rest = span_make(h->head.p + head->head_bytes, h->head.n - head->head_bytes);

	if (!h->wants_upgrade || !h->up.is_over || h->to_server.n || !http_rewrite_upgrades(head))
		return fail_server(f, REASON_MALFORMED);
	if (!http_rewrite_response(head, h->minor, false, &text) || !flow_say(f, text.p, text.n) ||
	    (rest.n && !flow_say(f, rest.p, rest.n))) {
		flow_close(f);
		return STEP_OVER;
	}
	http_free(TAKE(f->http));
	relay_start(f);
	return STEP_OVER;
}

static enum step pass_head(struct flow *f, const struct http_head *head)
{
	struct http *h = f->http;
	AUTO(buf) struct buf text = {.max = HEAD_OUT_MAX_BYTES};
	bool is_interim = head->status < 200;

	if (is_interim && (h->minor == 0 || ++h->n_interim > MAX_INTERIM)) {
		if (h->n_interim > MAX_INTERIM)
			return fail_server(f, REASON_MALFORMED);
		return STEP_ON; /* HTTP/1.0 knows none */
	}
	if (head->framing == HTTP_CHUNKED && h->minor == 0)
		return fail_server(f, REASON_MALFORMED);
	if (!is_interim)
		h->closes |= head->framing == HTTP_UNTIL_CLOSE || (h->is_fixed && !head->keeps_alive);
	if (!http_rewrite_response(head, h->minor, h->closes, &text))
		return fail_server(f, REASON_MALFORMED);
	if (!flow_say(f, text.p, text.n)) {
		flow_close(f);
		return STEP_OVER;
	}
	return STEP_ON;
}

/* h->head starts with a response head, or a part of one. */
static enum step take_head(struct flow *f)
{
	struct http *h = f->http;
	struct http_head head;
	const char *why;

	switch (http_response_parse(buf_span(&h->head), h->to_head, &head, &why)) {
	case PARSE_MORE:
		return STEP_ON;
	case PARSE_BAD:
		return fail_server(f, REASON_MALFORMED);
	case PARSE_DONE:
		break;
	}
	if (head.status == STATUS_SWITCHING)
		return switch_protocols(f, &head);
	enum step next = pass_head(f, &head);
	if (next != STEP_ON)
		return next;
	if (head.status < 200) {
		buf_eat(&h->head, head.head_bytes);
		return h->head.n ? take_head(f) : STEP_ON; /* at most MAX_INTERIM deep */
	}
	h->has_head = true;
	h->server_keeps = head.keeps_alive;
	http_body_start(&h->down, &head);
	AUTO(buf) struct buf rest = h->head;
	h->head = (struct buf){.max = HTTP_HEAD_MAX_BYTES};
	return take_body(f, span_make(rest.p + head.head_bytes, rest.n - head.head_bytes));
}

static enum step server_has_ended(struct flow *f)
{
	struct http *h = f->http;

	f->upstream_more = false;
	h->server_keeps = false;
	if (h->has_head && h->down.framing == HTTP_UNTIL_CLOSE) {
		h->down.is_over = true;
		return finish(f);
	}
	if (!h->has_head && h->head.n == 0 && (h->is_fixed || h->is_reused)) {
		flow_close(f); /* what a client without a proxy sees, and knows how to retry */
		return STEP_OVER;
	}
	return fail_server(f, REASON_NONE);
}

/* Moves bytes of the response. */
static enum step read_down(struct flow *f)
{
	struct http *h = f->http;

	if (f->out.n || !f->upstream_more)
		return STEP_WAIT;
	ssize_t n = recv(f->upstream.fd, worker_scratch, WORKER_SCRATCH_BYTES, MSG_DONTWAIT);
	if (n < 0 && errno == EINTR)
		return STEP_ON;
	if (n < 0 || (n < (ssize_t)WORKER_SCRATCH_BYTES && !f->relay.ways[RELAY_DOWN].is_ending))
		f->upstream_more = false; /* the next byte is a new event */
	if (n < 0 && errno == EAGAIN)
		return STEP_WAIT;
	if (n < 0)
		return fail_server(f, REASON_NONE);
	if (n == 0)
		return server_has_ended(f);
	if (h->has_head)
		return take_body(f, span_make(worker_scratch, (size_t)n));
	if (!buf_put(&h->head, worker_scratch, (size_t)n))
		return fail_server(f, REASON_MALFORMED);
	return take_head(f);
}

static enum step exchange(struct flow *f)
{
	enum step up, down;

	flush_up(f);
	up = body_up(f);
	if (up == STEP_OVER)
		return up;
	down = read_down(f);
	if (down == STEP_OVER)
		return down;
	return up == STEP_ON || down == STEP_ON ? STEP_ON : STEP_WAIT;
}

static void run(struct flow *f)
{
	enum step next = STEP_ON;

	for (int i = 0; next == STEP_ON && i < RUN_STEPS; i++) {
		if (!flow_flush(f)) {
			flow_close(f);
			return;
		}
		next = f->http->is_busy ? exchange(f) : next_request(f);
	}
	if (next == STEP_ON)
		flow_again(f);
	if (next != STEP_OVER && !f->http->owes_head)
		f->active_ms = loop_now_ms(f->w->loop);
}

bool http_owes_head(const struct flow *f)
{
	return f->http && f->http->owes_head;
}

void http_start(struct flow *f)
{
	if (!make(f))
		return;
	flow_enter(f, FLOW_HTTP);
	f->http->is_reused = false;
	run(f);
}

void http_ready(struct flow *f, bool is_client, uint32_t events)
{
	if (is_client && events & (EPOLLHUP | EPOLLERR)) {
		flow_close(f); /* nobody to answer any more */
		return;
	}
	run(f);
}

void http_again(struct flow *f)
{
	run(f);
}
