/* SPDX-License-Identifier: Apache-2.0 */
/* egress/worker/help.h - http://drydock.internal/: what a contained program may know of its own refusals */
/*
 * The name is synthetic: it leads nowhere, no question about it reaches the broker, and what it says is what this
 * session's program was told before. The allowlist is not among it, nor is anything of another session.
 *   /            what to do when something is refused
 *   /policy      this session's refusals
 *   /why?host=X  those of one host
 */
#pragma once
#include "base/buf.h"
#include "egress/wire/messages.h"
#include "proto/http_head.h"

#include <stdbool.h>

enum { HELP_ROWS = 32, HELP_HOST_BYTES = 80, HELP_MAX_BYTES = 16384, HELP_PORT = 80 };

/** struct help_row - one destination refused for one reason; @host holds plain characters only */
struct help_row {
	char host[HELP_HOST_BYTES];
	uint16_t port; /* 0 of a DNS question */
	uint8_t reason;
	uint32_t times;
	uint64_t last_ms; /* wall clock */
};

/** struct help - zeroed to begin with; when it is full the row that is longest ago goes */
struct help {
	struct help_row rows[HELP_ROWS];
	size_t n;
	uint64_t n_refused;
};

/** help_is_for() - is @host, bytes from a packet, the name of these pages? */
bool help_is_for(struct span host);

/** help_note() - remember a refusal; @host is any bytes */
void help_note(struct help *help, struct span host, uint16_t port, uint32_t reason, uint64_t wall_ms);

/** help_page() - append a whole HTTP/1.1 response to @head; false when it does not fit @out */
bool help_page(const struct help *help, const struct http_head *head, bool wants_json, struct buf *out);
