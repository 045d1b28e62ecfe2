/* SPDX-License-Identifier: Apache-2.0 */
/* egress/worker/denial.h - what a refused client is told */
#pragma once
#include "base/buf.h"
#include "egress/wire/messages.h"

enum { DENIAL_MAX_BYTES = 8192 };

/**
 * struct denial - one refusal
 * @refused:	reason, rule and number of the audit record (0: none is known)
 * @host, @port: what was asked for: hostile bytes, may be empty and 0
 * @wants_json:	RFC 9457 instead of plain text
 * @to_head:	answers a HEAD request: no body
 * @wall_ms:	clock_wall_ms()
 * @session:	a running session's id, in which `drydock allow` works at once; "" for none
 */
struct denial {
	const struct wire_refused *refused;
	struct span host;
	uint16_t port;
	bool wants_json;
	bool to_head;
	uint64_t wall_ms;
	const char *session;
};

/**
 * denial_http() - append a whole HTTP/1.1 response: 403 for a refusal by policy, 400 for a malformed request,
 * 502 when the name is allowed but cannot be reached. Pure. False when it does not fit @out
 */
bool denial_http(const struct denial *d, struct buf *out);

enum { ALERT_ACCESS_DENIED = 49, ALERT_DECODE_ERROR = 50, ALERT_MISSING_EXTENSION = 109, ALERT_UNRECOGNIZED_NAME = 112 };
enum { DENIAL_ALERT_BYTES = 7 };
/** denial_tls() - a fatal alert record (RFC 8446 section 6) */
void denial_tls(uint8_t alert, uint8_t out[DENIAL_ALERT_BYTES]);

/** denial_ssh() - append an SSH version line and a DISCONNECT with the reason (RFC 4253 sections 4.2, 11.1) */
bool denial_ssh(const struct denial *d, struct buf *out);
