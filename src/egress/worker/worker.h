/* SPDX-License-Identifier: Apache-2.0 */
/* egress/worker/worker.h - the process that reads what the contained program wrote; it opens nothing */
/*
 * One event loop, one thread. What reaches it comes from three sides: the jail's listeners and the connections
 * they give (hostile), the far servers (hostile), the broker (trusted to decide, its messages are checked).
 * Every right to reach anything is a descriptor that the broker passed; without the broker the worker ends.
 *
 *   accept -> front (first bytes to a name and port) -> asks (the broker) -> front (first bytes judged) -> relay
 *                                                                         -> denial, when refused
 */
#pragma once
#include "base/loop.h"
#include "egress/wire/chan.h"
#include "egress/worker/asks.h"
#include "egress/worker/flow.h"
#include "egress/worker/front.h"
#include "egress/worker/guard.h"
#include "egress/worker/help.h"
#include "egress/worker/names.h"
#include "egress/worker/pipes.h"

enum {
	WORKER_MAX_FLOWS = 8192,
	WORKER_MAX_ASKS = 256,	      /* questions without an answer; accepting pauses above */
	WORKER_SCRATCH_BYTES = 65536,
	WORKER_FIRST_BYTES_MS = 30000,
	WORKER_IDLE_MS = 2 * 3600 * 1000,
	WORKER_LINGER_MS = 2000,
	WORKER_RETRY_MS = 200, /* until accepting is tried again when the machine is out of something */
	WORKER_GIVE_WAY_MS = 1000,
};

/**
 * struct worker_settings - what differs between the program and its tests
 * @loop:	made before the sandbox was entered, which keeps no call for it
 * @broker_fd, @listeners_fd: its two channels; closed by the worker when it ends
 * @first_bytes_ms: a flow that has not said what it wants by then ends
 * @idle_ms:	a relayed flow without a byte for so long ends
 * @linger_ms:	how long a refused client may take to read why
 * @give_way_ms: while all max_flows are taken, one that still owes its first bytes after so long ends
 * @max_flows:	connections at once; more wait in the listeners' queues
 */
struct worker_settings {
	struct loop *loop;
	int broker_fd, listeners_fd;
	uint32_t first_bytes_ms, idle_ms, linger_ms, give_way_ms;
	size_t max_flows;
};

/** struct listener - one listening socket out of LISTENERS */
struct listener {
	struct loop_source source;
	struct worker *w;
	enum wire_listener_kind kind;
	bool is_watched;
};

struct worker {
	struct worker_settings set;
	struct loop *loop;
	struct asks asks;
	char session[WIRE_SESSION_BYTES]; /* for refusals; "" for none */
	struct loop_source broker_source, channel_source;
	struct chan channel; /* where the listeners come from; fd -1 once READY was sent */
	struct listener listeners[WIRE_MAX_LISTENERS];
	size_t n_listeners;
	bool has_hello, has_listeners, is_accepting;
	bool is_short_of_fds; /* accepting failed for want of something; retry_timer runs */
	struct loop_timer retry_timer;
	struct loop_timer again_timer; /* due at once while the list below is not empty */
	struct loop_timer room_timer;  /* runs while every place for a flow is taken */
	struct flow_list flows, dead;
	struct flow_list again; /* relays that had more than a turn's bytes */
	size_t n_flows;
	struct pipes pipes;
	struct names names;
	struct guard guard;
	struct help help;
	struct dns_ask_list dns_asks;
	const char *why_over; /* NULL while all is well */
	bool is_breach;
};

/** worker_scratch - WORKER_SCRATCH_BYTES for bytes that do not outlive the call that read them */
extern uint8_t worker_scratch[WORKER_SCRATCH_BYTES];

/** worker_main() - `drydock-egress worker`; the descriptors are those of egress/wire/fds.h. Returns the exit status */
int worker_main(int argc, char **argv);

/**
 * worker_run() - serve until the broker's channel ends
 *
 * No confinement: worker_main() and tests enter the sandbox, or not, before. Nothing is read from the jail
 * before HELLO from the broker and LISTENERS have both come; then READY goes out.
 *
 * Return: 0 when the broker ended in order; a negative errno value, with @err, on a breach or a failure.
 */
int worker_run(const struct worker_settings *set, struct err *err);

/** worker_over() - end the worker at the end of this turn; the first reason given stays, "" means in order */
void worker_over(struct worker *w, const char *why, bool is_breach);

/** worker_accept_check() - start or stop watching the listeners, as room for flows and asks demands */
void worker_accept_check(struct worker *w);
