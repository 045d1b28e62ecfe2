/* SPDX-License-Identifier: Apache-2.0 */
/* egress/worker/flow.h - the states of one connection */
#pragma once
#include "base/buf.h"
#include "base/loop.h"
#include "egress/wire/messages.h"
#include "egress/worker/asks.h"
#include "egress/worker/relay.h"
#include "net/addr.h"
#include "net/name.h"

#include <sys/queue.h>

struct worker;
struct http;
struct dns_ask;
struct named;

enum flow_state {
	FLOW_SNIFF,  /* first bytes are read until a name is known; no byte moves */
	FLOW_ASKED,  /* the broker decides and dials; nothing is read */
	FLOW_CHECK,  /* connected; the ClientHello is read and judged, none of it is sent */
	FLOW_ANSWER, /* the judged hello is sent; the client is not read until the server's answer shows whether... */
	FLOW_RETRY,  /* ...a second hello is due: it is read and judged, the server's bytes move down */
	FLOW_HTTP,   /* requests are judged one by one, bodies move (http.c) */
	FLOW_RELAY,  /* bytes move both ways unread */
	FLOW_DNS,    /* DNS over TCP: one question at a time (front_dns.c) */
	FLOW_LINGER, /* last words: a refusal, or the end of a response; what the client still sends is thrown away */
	FLOW_CLOSED, /* holds nothing; freed at the end of the loop's turn */
	FLOW_STATES,
};

/** enum flow_front - how the client came in, hence how it is told of a refusal */
enum flow_front {
	FRONT_PROXY,	   /* no request read yet, or one for http:// */
	FRONT_CONNECT,
	FRONT_SOCKS,
	FRONT_TRANSPARENT, /* a synthetic address: host is the name */
	FRONT_ADDRESS,	   /* any other address */
	FRONT_DNS,
};

/** FLOW_FIRST_BYTES - read at a time while the first bytes of a flow are awaited; most heads and hellos fit */
enum { FLOW_FIRST_BYTES = 4096 };

/** enum flow_wait - FLOW_LINGER: what has to be read before the refusal can be said */
enum flow_wait { WAIT_NOTHING, WAIT_HELLO, WAIT_HEAD };

TAILQ_HEAD(flow_list, flow);

/**
 * struct flow - one connection of the contained program
 * @client, @upstream: fd -1 while there is none. The broker keeps a duplicate of the upstream socket
 * @ask:	waits for the broker while FLOW_ASKED
 * @number:	of the upstream that is open, 0 when none is; goes into CLOSE
 * @in, @out:	bytes read from the client and not sent on; bytes that are due to the client
 * @host:	what was asked for, as received; canonical once OPENED. NULL when no longer needed
 * @refusal:	while the client is still to be told
 * @has_ended:	the client sent all it will send
 */
struct flow {
	TAILQ_ENTRY(flow) link;
	TAILQ_ENTRY(flow) again_link;
	struct worker *w;
	struct loop_source client, upstream;
	struct loop_timer timer;
	struct asker ask;
	uint64_t number;
	uint64_t active_ms;
	struct buf in, out;
	struct relay relay;
	char *host;
	struct http *http;
	struct named *named;
	struct dns_ask *dns; /* the question that waits for the broker */
	struct wire_refused *refusal;
	uint64_t held_for; /* the question to the broker that a held flow waits for (guard.h) */
	uint8_t client_address[16];
	uint16_t client_port;
	uint16_t port;
	uint8_t state; /* enum flow_state */
	uint8_t front; /* enum flow_front */
	uint8_t judge, bears;
	uint8_t waits_for; /* enum flow_wait */
	uint8_t socks;	   /* enum socks_version once it was greeted, else 0 */
	bool client_is_v6;
	bool wants_json;
	bool has_ended;
	bool is_again; /* in the worker's list of relays that have more to do */
	bool is_held;  /* in the guard's list of those whose address is being looked up */
	bool is_own;   /* it comes from the listener's own address */
	bool lingers;
	bool is_watched;       /* the client's socket is in the loop */
	bool client_out, upstream_out; /* the loop tells when they take bytes again */
	bool client_more, upstream_more; /* bytes, or the end, may be waiting */
	bool upstream_is_told; /* our end was sent there already */
	uint32_t n_thrown; /* bytes read after a refusal, and thrown away */
	uint32_t n_judged; /* FLOW_ANSWER: bytes at the start of @in that go first */
};

/** enum flow_read - what flow_fill() found */
enum flow_read {
	READ_SOME,
	READ_NONE, /* nothing there now */
	READ_END,  /* the client sent all it will send */
	READ_FULL, /* @in holds its maximum */
	READ_GONE, /* the connection failed */
};

/** flow_new() - take an accepted connection; consumes @fd in every case */
void flow_new(struct worker *w, int fd, enum wire_listener_kind kind,
	      const struct sockaddr_storage *peer);

/*
 * Sockets are edge-triggered: client_more and upstream_more are raised by events, and fall when a read finds the
 * socket empty or empties it. Room to write is watched for only once it ran out, since it is there nearly always.
 * The client's socket is watched only from when there is something to wait for: a flow whose first bytes say it
 * all and which is refused never costs an epoll_ctl().
 */

/** flow_enter() - change state, by the table in flow.c only, and set the state's time limit */
void flow_enter(struct flow *f, enum flow_state next);

/** flow_restart_limit() - the state's time limit counts from now */
void flow_restart_limit(struct flow *f);

/** flow_owes_first_bytes() - it has not said yet what it wants, or not all of it: nobody would miss it */
bool flow_owes_first_bytes(const struct flow *f);

/** flow_wait_out() - the far side of a way is full: have the loop tell when it takes bytes again */
void flow_wait_out(struct flow *f, bool is_client);

/** flow_watch() - have the loop tell of the client's socket; false (and closed) when it cannot. Twice is fine */
bool flow_watch(struct flow *f);

/** flow_ask() - FLOW_ASKED: may f->host, f->port be reached? @seen_in goes to the audit log */
void flow_ask(struct flow *f, enum wire_source seen_in);

/** flow_set_host() - copy @host; false when it is empty, too long for a question, or memory ran out */
bool flow_set_host(struct flow *f, struct span host);

/** flow_fill() - read once from the client into f->in, at most @most bytes; no system call when nothing can be there */
enum flow_read flow_fill(struct flow *f, size_t most);

/** flow_say() - send to the client; what does not fit now waits in f->out. False when the client is gone */
bool flow_say(struct flow *f, const void *bytes, size_t n);

/** flow_flush() - send what waits in f->out; false when the client is gone */
bool flow_flush(struct flow *f);

/** flow_again() - a turn's limit stopped it: it goes on when everybody else had a turn */
void flow_again(struct flow *f);

/** flow_end_upstream() - shut and close the upstream and tell the broker why; @seen may be empty */
void flow_end_upstream(struct flow *f, enum reason reason, struct span seen);

/** flow_close() - the end of a flow, in order */
void flow_close(struct flow *f);
/** flow_reset() - the end of a flow, by RST: the client must not take it for an orderly end */
void flow_reset(struct flow *f);

/** flow_name_is() - does @seen, bytes from a packet, name the host that was asked for? */
bool flow_name_is(const struct flow *f, struct span seen);
