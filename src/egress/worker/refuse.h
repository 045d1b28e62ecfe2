/* SPDX-License-Identifier: Apache-2.0 */
/* egress/worker/refuse.h - tells a client that it was refused, in the language it speaks */
/*
 *   proxy port, http://    a response with the reason (denial.h)
 *   SOCKS                  its reply code
 *   transparent 80, 8080   the same response, once a request was read
 *   transparent 443, 8443  a TLS alert, once the hello was read (names only)
 *   transparent 22         an SSH disconnect with the reason (names only)
 *   anything else          RST
 */
#pragma once
#include "egress/worker/flow.h"
#include "proto/http_head.h"

/** refuse_flow() - the broker said no, or the flow broke a rule of ours before anything was asked */
void refuse_flow(struct flow *f, const struct wire_refused *why);

/**
 * refuse_late() - step 7: the first bytes do not agree. Ends the upstream with @reason and @seen, tells the client
 * @alert: TLS alert to send, 0 for none
 */
void refuse_late(struct flow *f, enum reason reason, struct span seen, uint8_t alert);

/** refuse_malformed() - NOTE for the log, a refusal for the client. @host: what is known, may be empty */
void refuse_malformed(struct flow *f, enum wire_source seen_in, struct span host);

/** refuse_stranger() - the request carries another session's token; as refuse_malformed() */
void refuse_stranger(struct flow *f, struct span host);

/** refuse_with_help() - answer @head, whose host is that of the help pages, with one of them */
void refuse_with_help(struct flow *f, const struct http_head *head);

/** refuse_until_help() - a transparent flow to the help pages: answer the request that comes */
void refuse_until_help(struct flow *f);

/** refuse_go_on() - FLOW_LINGER: say the rest, then read on until the client has closed or linger_ms is over */
void refuse_go_on(struct flow *f);
