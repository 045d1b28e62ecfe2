/* SPDX-License-Identifier: Apache-2.0 */
/* egress/worker/guard.h - a sidecar serves its own session's agent and nobody else */
/*
 * On the bridge that sessions share, anybody can open a connection to any sidecar. So a guarded worker looks at where a
 * connection comes from before it reads a byte of it: the agent's name is looked up anew (by broker and resolver) when the
 * last answer is older than GUARD_FRESH_MS or does not hold the address. Connections that wait for the answer are held
 * unread; questions go out one at a time and one answer serves all that were held when it was asked. Whoever is not the
 * agent is cut off without a word. The listener's own address, from where the health check comes, gets /health only.
 * The token is the second lock: wrong credentials are refused, missing ones are borne, since some clients drop them.
 */
#pragma once
#include "base/loop.h"
#include "egress/worker/flow.h"
#include "proto/http_head.h"

enum {
	GUARD_FRESH_MS = 1000,
	GUARD_NOTES_A_MINUTE = 10, /* of strangers, in the audit log */
	GUARD_CREDENTIALS_BYTES = 256,
};

/** struct guard - zeroed, then guard_init(); everything is let in until guard_set() */
struct guard {
	bool is_on, tells_health, is_asking;
	struct flow_list held; /* in the order of their questions, by again_link */
	uint64_t asked, fresh_until_ms;
	struct addr clients[WIRE_MAX_CLIENTS];
	size_t n_clients;
	char credentials[GUARD_CREDENTIALS_BYTES]; /* base64 of drydock:TOKEN; "" for none */
	uint64_t minute_started_ms;
	size_t n_notes;
};

void guard_init(struct guard *guard);

/** guard_set() - serve on these terms; false when they mean nothing */
bool guard_set(struct guard *guard, const struct wire_terms *terms);

/** guard_admit() - may a new flow be read? False: it is held or closed, and is not the caller's any more */
bool guard_admit(struct flow *f);

/** guard_take() - the answer to ASK_CLIENTS; false when nobody asked for it */
bool guard_take(struct worker *w, const struct wire_clients *answer);

/** guard_forget() - a held flow ends */
void guard_forget(struct flow *f);

/** guard_bears() - the request carries no proxy credentials but this session's */
bool guard_bears(const struct guard *guard, const struct http_head *head);

/** guard_is_health() - GET /health from the listener's own address */
bool guard_is_health(const struct flow *f, const struct http_head *head);
