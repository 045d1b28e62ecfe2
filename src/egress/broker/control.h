/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/control.h - serves the control socket: who may ask, and how answers go out */
/*
 * Knows packets and connections, not what requests mean: struct control_calls does them. A connection whose answers or
 * records are not taken is closed; the broker never waits for one.
 */
#pragma once
#include "base/buf.h"
#include "base/loop.h"
#include "egress/wire/control.h"

enum { CONTROL_MAX_CLIENTS = 16 };

/**
 * struct control_calls - what the requests do; @arg is handed to each
 * @reload:	@policy_fd is borrowed. 0 with *out_rules, or a negative errno value with @err
 * @status, @flows: append text to @out
 * @close_flow, @refuse_ask: false when there is no such flow
 * @program:	the name is "" when it was not found
 * @naming:	is there a reader that answers with PROGRAM?
 * @stop:	ends the egress after the answer
 */
struct control_calls {
	int (*reload)(void *arg, int policy_fd, const char *name, uint64_t *out_rules, struct err *err);
	void (*status)(void *arg, struct buf *out);
	void (*flows)(void *arg, struct buf *out);
	bool (*close_flow)(void *arg, uint64_t flow);
	bool (*refuse_ask)(void *arg, uint64_t flow);
	void (*program)(void *arg, uint64_t flow, const char *name);
	void (*naming)(void *arg, bool is_named);
	void (*stop)(void *arg);
	void *arg;
};

struct control;

/**
 * control_new() - accept connections on @listen_fd
 * @listen_fd:	listening and non-blocking; not owned
 * @calls:	copied
 */
struct control *control_new(struct loop *loop, int listen_fd, const struct control_calls *calls, struct err *err);

/** control_free() - close all connections; NULL is fine */
void control_free(struct control *control);

/** control_record() - send one audit line to those who subscribed; NULL is fine */
void control_record(struct control *control, struct span line);
