/* SPDX-License-Identifier: Apache-2.0 */
/* egress/wire/messages.h - every message between processes of the egress, in one table */
/*
 * Three kinds of channel, all SOCK_SEQPACKET, one message a packet:
 *   main channel    worker  <-> broker     questions and connected descriptors
 *   names channel   broker  <-> resolver   names and addresses
 *   sockets channel resolver <-> broker    the resolver asks for a socket and waits for it
 *   listeners       jail    --> worker     listening sockets come in, one READY goes back
 * A message that is not for its channel, sender or state is a breach: the receiver shuts the egress.
 */
#pragma once
#include "egress/wire/reason.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum wire_party { FROM_WORKER, FROM_BROKER, FROM_RESOLVER, FROM_JAIL };

/* Receiver states that accept a message. */
enum wire_state { IN_START = 1 << 0, IN_SERVICE = 1 << 1 };

/* X(NAME, number, sender, payload, most descriptors carried, receiver states that accept it) */
#define WIRE_MESSAGES(X)                                                                           \
	/* main channel */                                                                         \
	X(HELLO, 1, FROM_BROKER, struct wire_hello, 0, IN_START)                                   \
	X(OPEN, 2, FROM_WORKER, struct wire_open, 0, IN_SERVICE)                                   \
	X(OPENED, 3, FROM_BROKER, struct wire_opened, 1, IN_SERVICE)                               \
	X(REFUSED, 4, FROM_BROKER, struct wire_refused, 0, IN_SERVICE)                             \
	X(CLOSE, 5, FROM_WORKER, struct wire_close, 0, IN_SERVICE)                                 \
	X(NOTE, 6, FROM_WORKER, struct wire_note, 0, IN_SERVICE)                                   \
	X(ASK_DNS, 7, FROM_WORKER, struct wire_ask_dns, 0, IN_SERVICE)                             \
	X(DNS_VERDICT, 8, FROM_BROKER, struct wire_dns_verdict, 0, IN_SERVICE)                     \
	X(TERMS, 9, FROM_BROKER, struct wire_terms, 0, IN_START)                                   \
	X(ASK_CLIENTS, 10, FROM_WORKER, struct wire_ask_clients, 0, IN_SERVICE)                    \
	X(CLIENTS, 11, FROM_BROKER, struct wire_clients, 0, IN_SERVICE)                            \
	/* names channel */                                                                        \
	X(RESOLVER_READY, 16, FROM_RESOLVER, struct wire_hello, 0, IN_START)                       \
	X(RESOLVE, 17, FROM_BROKER, struct wire_resolve, 0, IN_SERVICE)                            \
	X(RESOLVED, 18, FROM_RESOLVER, struct wire_resolved, 0, IN_SERVICE)                        \
	/* sockets channel */                                                                      \
	X(WANT_SOCKET, 24, FROM_RESOLVER, struct wire_want_socket, 0, IN_SERVICE)                  \
	X(SOCKET, 25, FROM_BROKER, struct wire_socket, 1, IN_SERVICE)                              \
	/* listeners */                                                                            \
	X(LISTENERS, 32, FROM_JAIL, struct wire_listeners, WIRE_MAX_LISTENERS, IN_START)           \
	X(READY, 33, FROM_WORKER, struct wire_hello, 0, IN_START)

enum wire_number {
#define X(NAME, number, sender, payload, fds, states) WIRE_##NAME = (number),
	WIRE_MESSAGES(X)
#undef X
};

enum {
	WIRE_VERSION = 1,
	WIRE_NAME_BYTES = 256,
	WIRE_MAX_ADDRESSES = 32,
	WIRE_MAX_LISTENERS = 32,
	WIRE_MAX_CLIENTS = 8,
	WIRE_TOKEN_BYTES = 128,
	WIRE_SESSION_BYTES = 40,
	WIRE_MAIN_FIRST = WIRE_HELLO, /* of the main channel */
	WIRE_MAIN_LAST = WIRE_CLIENTS,
};

/** struct wire_head - stands before every payload */
struct wire_head {
	uint16_t number;  /* enum wire_number */
	uint16_t version; /* WIRE_VERSION */
	uint32_t bytes;	  /* of the payload; fixed by the number */
};

/** Sent by the broker once rules are loaded and the resolver is ready; by others when they are ready */
struct wire_hello {
	uint32_t version; /* WIRE_VERSION */
	uint32_t pad;
};

/** How the worker learned the name */
enum wire_source {
	SEEN_IN_CONNECT = 1,
	SEEN_IN_HTTP = 2,	 /* absolute-form request */
	SEEN_IN_SOCKS = 3,
	SEEN_IN_DNS_TABLE = 4,	 /* transparent TCP to a synthetic address */
	SEEN_AS_ADDRESS = 5,	 /* transparent TCP to any other address: name is its text */
	SEEN_IN_DNS = 6,	 /* a DNS question */
	SEEN_SOURCES = 7,
};

/**
 * May this name and port be reached? Answered by exactly one OPENED or REFUSED with the same flow,
 * unless the worker sent CLOSE first (an answer may still cross it).
 */
struct wire_open {
	uint64_t flow;	    /* the worker's number for the upstream wanted; never used twice */
	uint16_t port;	    /* host byte order, 1 to 65535 */
	uint8_t seen_in;    /* enum wire_source */
	uint8_t name_n;	    /* bytes used in name, 1 to 255 */
	uint8_t client_v6;  /* 1: client address below is IPv6 */
	uint8_t pad[3];	    /* zero */
	uint16_t client_port; /* of the connection's client side, host order, 0 when unknown */
	uint16_t pad2;
	uint32_t pad3;
	uint8_t client[16];
	uint8_t name[WIRE_NAME_BYTES]; /* as received; the broker makes it canonical itself */
};
static_assert(sizeof(struct wire_open) == 296, "wire_open is a fixed 296-byte payload");

/** How the first bytes are judged (DESIGN: 443, 8443 tls; 80, 8080 http; else raw; rule options win) */
enum wire_judge { JUDGE_RAW = 0, JUDGE_TLS = 1, JUDGE_HTTP = 2 };
enum wire_bear { BEAR_ECH = 1 << 0, BEAR_NO_SNI = 1 << 1 };

/** Carries the connected socket, non-blocking. The broker keeps a duplicate until CLOSE */
struct wire_opened {
	uint64_t flow;
	uint8_t judge; /* enum wire_judge */
	uint8_t bears; /* enum wire_bear */
	uint8_t name_n;
	uint8_t pad[5];
	uint8_t name[WIRE_NAME_BYTES]; /* canonical: what SNI and Host must equal */
};

struct wire_refused {
	uint64_t flow;
	uint32_t reason; /* enum reason, not NONE */
	uint32_t origin_line;
	uint64_t decision; /* number of the audit record */
	char origin_file[WIRE_NAME_BYTES]; /* NUL-terminated, may be cut at the front; "" when no rule decided */
};

/** The flow is over. @reason: REASON_NONE after an orderly end, else what step 7 refused */
struct wire_close {
	uint64_t flow;
	uint32_t reason;
	uint8_t detail_n; /* for *-mismatch: the name that was seen instead */
	uint8_t pad[3];
	uint8_t detail[WIRE_NAME_BYTES];
};

/** Something refused before any flow was opened (malformed request, odd DNS name); for the audit log only */
struct wire_note {
	uint32_t reason;
	uint16_t port; /* 0 when none is known */
	uint8_t seen_in;
	uint8_t name_n;
	uint8_t name[WIRE_NAME_BYTES]; /* whatever is known, hostile bytes, may be empty */
};

/** Is this name allowed on any port? For a DNS answer; nothing is resolved */
struct wire_ask_dns {
	uint64_t ask; /* the worker's number, echoed */
	uint16_t type;
	uint8_t name_n;
	uint8_t pad[5];
	uint8_t name[WIRE_NAME_BYTES];
};

struct wire_dns_verdict {
	uint64_t ask;
	uint32_t reason;  /* REASON_NONE: allowed */
	uint8_t name_n;	  /* canonical name, when allowed */
	uint8_t is_wild;  /* allowed by a wildcard: new names under it are rate-limited by the worker */
	uint8_t pad[2];
	uint8_t name[WIRE_NAME_BYTES];
};

/**
 * How a sidecar's worker serves; sent before HELLO, and only when something differs from the defaults.
 * @pool_bits:	0, or the length of the prefix @pool that synthetic addresses come from: IPv4 only then
 */
struct wire_terms {
	uint8_t is_guarded;   /* 1: only clients that CLIENTS names are served, others are cut off */
	uint8_t tells_health; /* 1: a client with the listener's own address may ask for /health */
	uint8_t token_n;      /* bytes used in token; 0: proxy credentials are not looked at */
	uint8_t pool_bits;
	uint8_t pool[4];
	uint8_t token[WIRE_TOKEN_BYTES]; /* what Proxy-Authorization must hold when it is sent */
	char session[WIRE_SESSION_BYTES]; /* a-z 0-9 '-', NUL-terminated: what refusals name; "" when nobody could use it */
};

/** Which addresses has the session's agent now? Answered by exactly one CLIENTS; one question at a time */
struct wire_ask_clients {
	uint64_t ask; /* the worker's number, echoed */
};

struct wire_resolve {
	uint64_t ask;
	uint8_t name_n;
	uint8_t pad[7];
	uint8_t name[WIRE_NAME_BYTES]; /* canonical */
};

struct wire_address {
	uint8_t is_v6;
	uint8_t pad[3];
	uint32_t ttl_s;
	uint8_t bytes[16];
};

/** The agent's addresses; none when its name leads nowhere, or the resolver had no answer */
struct wire_clients {
	uint64_t ask;
	uint8_t n;
	uint8_t pad[7];
	struct wire_address clients[WIRE_MAX_CLIENTS]; /* ttl_s is zero */
};

enum wire_resolved_status { RESOLVED_OK = 0, RESOLVED_NO_SUCH_NAME = 1, RESOLVED_FAILED = 2 };
struct wire_resolved {
	uint64_t ask;
	uint16_t status; /* enum wire_resolved_status */
	uint16_t n_addresses;
	uint32_t pad;
	struct wire_address addresses[WIRE_MAX_ADDRESSES];
};

/** The resolver wants a socket connected to configured server @server */
struct wire_want_socket {
	uint32_t server; /* index into the list both were started with */
	uint8_t is_tcp;
	uint8_t pad[3];
};
struct wire_socket {
	uint32_t server;
	int32_t status; /* 0, or a negative errno value; then no descriptor comes with it */
};

enum wire_listener_kind {
	LISTEN_PROXY = 1,	/* TCP: CONNECT and absolute-form HTTP */
	LISTEN_TRANSPARENT = 2, /* TCP behind TPROXY: getsockname() is the destination that was asked for */
	LISTEN_DNS_UDP = 3,	/* IPV6_RECVPKTINFO is on */
	LISTEN_DNS_TCP = 4,
};
/** The listening sockets, in the order of @kind; sent once */
struct wire_listeners {
	uint8_t n;
	uint8_t kind[WIRE_MAX_LISTENERS]; /* enum wire_listener_kind */
	uint8_t pad[7];
};

/** union wire_payload - room for any payload */
union wire_payload {
#define X(NAME, number, sender, payload, fds, states) payload NAME;
	WIRE_MESSAGES(X)
#undef X
};
