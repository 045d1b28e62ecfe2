/* SPDX-License-Identifier: Apache-2.0 */
/* report/summary.h - what a session was refused, folded, and what would allow it */
#pragma once
#include "base/buf.h"
#include "report/record.h"

enum {
	SUMMARY_MAX_ROWS = 256,
	SUMMARY_TEXT_BYTES = 256,
	SUMMARY_SHOWN_ROWS = 10,
	SUMMARY_HINT_BYTES = SUMMARY_TEXT_BYTES + 32
};

/**
 * struct summary_row - one destination refused for one reason
 * @name:	as asked for, unescaped
 * @port:	0 for a DNS question
 */
struct summary_row {
	char name[SUMMARY_TEXT_BYTES];
	char reason[32];
	char rule[SUMMARY_TEXT_BYTES];
	uint16_t port;
	uint64_t count;
};

/**
 * struct summary - start from `struct summary s = {0};`
 * @n_refused:	refusals in all, those that found no row included
 * @n_lost:	refusals that found no row
 */
struct summary {
	struct summary_row *rows;
	size_t n_rows;
	uint64_t n_refused, n_allowed, n_lost;
};

/** summary_add() - count one record */
void summary_add(struct summary *s, const struct record *r);
void summary_drop(struct summary *s);

/**
 * summary_hint() - the rule that would allow a row, for `drydock run -a '...'`
 *
 * Return: false when no rule would help, or when the name holds anything but a-z 0-9 . - _ : (it is
 * the agent's text, and people paste hints into shells).
 */
bool summary_hint(const struct summary_row *row, char out[SUMMARY_HINT_BYTES]);

/** summary_print() - the lines shown at the end of a session; nothing when nothing was refused */
void summary_print(const struct summary *s, const char *session_id, struct buf *out);
