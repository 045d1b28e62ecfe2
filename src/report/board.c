/* SPDX-License-Identifier: Apache-2.0 */
#include "report/board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void board_drop(struct board *b)
{
	free(b->rows);
	*b = (struct board){0};
}

size_t board_count_asks(const struct board *b)
{
	size_t n = 0;
	for (size_t i = 0; i < b->n_rows; i++)
		n += b->rows[i].verdict == BOARD_ASK;
	return n;
}

/* Cut to the field; what is longer than a host name can be is no host that somebody would allow. */
static void copy(char *out, size_t bytes, const char *text)
{
	(void)snprintf(out, bytes, "%s", text);
}

static struct board_row *find(struct board *b, unsigned session, const struct record *r)
{
	for (size_t i = b->n_rows; i-- > 0;) {
		struct board_row *row = &b->rows[i];
		if (row->session == session && row->port == r->port &&
		    strncmp(row->name, r->name, sizeof(row->name) - 1) == 0)
			return row;
	}
	return NULL;
}

static void remove_row(struct board *b, size_t at)
{
	b->n_rows--;
	memmove(&b->rows[at], &b->rows[at + 1], (b->n_rows - at) * sizeof(*b->rows));
}

static void make_room(struct board *b)
{
	size_t at = 0;

	if (b->n_rows < BOARD_MAX_ROWS)
		return;
	while (at < b->n_rows - 1 && b->rows[at].verdict == BOARD_ASK)
		at++;
	remove_row(b, at);
}

static struct board_row *append(struct board *b, unsigned session, const struct record *r)
{
	if (!b->rows)
		b->rows = calloc(BOARD_MAX_ROWS, sizeof(*b->rows));
	if (!b->rows)
		return NULL;
	make_room(b);
	struct board_row *row = &b->rows[b->n_rows++];
	*row = (struct board_row){.session = session, .port = r->port};
	copy(row->name, sizeof(row->name), r->name);
	return row;
}

/* A row with news goes to the end. */
static struct board_row *move_last(struct board *b, struct board_row *row)
{
	struct board_row kept = *row;

	remove_row(b, (size_t)(row - b->rows));
	b->rows[b->n_rows] = kept;
	return &b->rows[b->n_rows++];
}

static bool decide(const struct record *r, enum board_verdict *out)
{
	if (!strcmp(r->event, "ask"))
		*out = BOARD_ASK;
	else if (!strcmp(r->event, "open") || (!strcmp(r->event, "dns") && !record_is_refusal(r)))
		*out = BOARD_ALLOW;
	else if (!strcmp(r->event, "refuse") || !strcmp(r->event, "dns") || !strcmp(r->event, "note"))
		*out = BOARD_DENY;
	else
		return false;
	return true;
}

static bool add_bytes(struct board *b, unsigned session, const struct record *r)
{
	struct board_row *row = r->has_counts ? find(b, session, r) : NULL;
	if (!row)
		return false;
	row->up_bytes += r->up_bytes;
	row->down_bytes += r->down_bytes;
	return true;
}

/* Says who made the flow that a row saw last. */
static bool name_program(struct board *b, unsigned session, const struct record *r)
{
	for (size_t i = b->n_rows; r->flow && i-- > 0;)
		if (b->rows[i].session == session && b->rows[i].last_flow == r->flow) {
			copy(b->rows[i].program, sizeof(b->rows[i].program), r->program);
			return true;
		}
	return false;
}

bool board_add(struct board *b, unsigned session, const struct record *r)
{
	enum board_verdict verdict;

	if (!strcmp(r->event, "program"))
		return name_program(b, session, r);
	bool has_bytes = add_bytes(b, session, r);
	if (!decide(r, &verdict))
		return has_bytes;
	bool is_dns = !strcmp(r->event, "dns");
	struct board_row *row = find(b, session, r);
	if (is_dns && verdict == BOARD_ALLOW && !row)
		return false; /* the connection that follows says more */
	if (!is_dns || verdict == BOARD_DENY)
		*(verdict == BOARD_ALLOW ? &b->n_allowed : &b->n_denied) += verdict != BOARD_ASK;
	row = row ? move_last(b, row) : append(b, session, r);
	if (!row)
		return false;
	row->verdict = verdict;
	row->flow = verdict == BOARD_ASK ? r->flow : 0;
	row->last_flow = r->flow;
	row->count++;
	copy(row->time, sizeof(row->time), r->time);
	copy(row->protocol, sizeof(row->protocol), r->protocol);
	copy(row->reason, sizeof(row->reason), verdict == BOARD_DENY ? r->reason : "");
	if (r->program[0])
		copy(row->program, sizeof(row->program), r->program);
	return true;
}
