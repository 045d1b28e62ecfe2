/* SPDX-License-Identifier: Apache-2.0 */
/* report/record.h - reads an audit log back, one record at a time */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { RECORD_LINE_MAX_BYTES = 64 << 10 };

/**
 * struct record - one line of audit.jsonl; strings are never NULL, "" when the line has none
 *
 * Text is as the agent's side wrote it: escape it (utf8_put_safe) before showing it.
 */
struct record {
	const char *time, *event, *protocol, *name, *verdict, *reason, *rule, *address, *seen, *program, *client;
	uint16_t port, client_port;
	uint64_t seq, flow, up_bytes, down_bytes, ms;
	bool has_counts;
	const char *line; /* the raw line without its newline */
	void *parsed;	  /* what the strings live in */
};

/**
 * struct record_reader - start from `struct record_reader r = {.in = file};`
 * @more, @n_more: files to go on with, in order; the caller's
 * @n_bad:	lines that are no record (cut short, or not JSON); they are skipped
 */
struct record_reader {
	FILE *in;
	FILE *const *more;
	size_t n_more;
	char *line;
	uint64_t n_bad;
	struct record now;
};

/**
 * record_read() - one record from a line in memory, without its newline
 * @out:	borrows @line; record_drop() it
 *
 * Return: false when the line is no record.
 */
bool record_read(const char *line, struct record *out);
void record_drop(struct record *r);

/** record_next() - the next record, valid until the next call; NULL at the end */
const struct record *record_next(struct record_reader *reader);

/** record_reader_drop() - free what reading took; the file stays open */
void record_reader_drop(struct record_reader *reader);

/** record_is_refusal() - something was asked for and not given */
bool record_is_refusal(const struct record *r);
