/* SPDX-License-Identifier: Apache-2.0 */
/* report/board.h - decisions folded by destination, newest last: what a live view shows */
#pragma once
#include "report/record.h"

#include <stddef.h>

enum { BOARD_MAX_ROWS = 400, BOARD_NAME_BYTES = 256, BOARD_WORD_BYTES = 40 };

enum board_verdict { BOARD_ALLOW, BOARD_DENY, BOARD_ASK };

/**
 * struct board_row - one destination of one session
 * @name:	as asked for, unescaped; the port is 0 of a DNS question
 * @time:	of the last decision, as in the record
 * @count:	decisions folded into the row
 * @flow:	BOARD_ASK: the flow that waits, 0 for a DNS question
 * @program:	what made it, where that is known
 */
struct board_row {
	unsigned session;
	enum board_verdict verdict;
	char name[BOARD_NAME_BYTES];
	uint16_t port;
	char time[BOARD_WORD_BYTES], protocol[BOARD_WORD_BYTES], reason[BOARD_WORD_BYTES], program[BOARD_WORD_BYTES];
	uint64_t count, up_bytes, down_bytes, flow, last_flow;
};

/** struct board - start from {0}; rows[0] is the one that was quiet for longest */
struct board {
	struct board_row *rows;
	size_t n_rows;
	uint64_t n_allowed, n_denied;
};

/**
 * board_add() - take one record of session number @session
 *
 * Records that decide nothing change nothing. When there are BOARD_MAX_ROWS rows the one quiet for longest goes, one that
 * asks as the last.
 *
 * Return: true when something changed.
 */
bool board_add(struct board *b, unsigned session, const struct record *r);

void board_drop(struct board *b);

/** board_count_asks() - rows that wait for the user */
size_t board_count_asks(const struct board *b);
