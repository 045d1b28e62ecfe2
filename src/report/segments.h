/* SPDX-License-Identifier: Apache-2.0 */
/* report/segments.h - the files that an audit log is made of, in the order of their records */
#pragma once
#include "base/err.h"
#include "report/record.h"

#include <stddef.h>
#include <stdio.h>

enum { SEGMENTS_MAX = 4 };

/** struct segments - start from {0} */
struct segments {
	FILE *files[SEGMENTS_MAX];
	char names[SEGMENTS_MAX][16]; /* "audit.jsonl", "audit.jsonl.2": for people */
	uint64_t first_seqs[SEGMENTS_MAX];
	size_t n;
};

/**
 * segments_open() - open FILE and, where they are, FILE.1 to FILE.3
 * @path:	FILE, the first of the log
 *
 * Return: 0; -ENOENT when FILE is not there; or another negative errno value.
 */
int segments_open(const char *path, struct segments *out, struct err *err);
void segments_close(struct segments *s);

/** segments_are_same() - do both begin with the same records in the same files? Not so when the log turned between */
bool segments_are_same(const struct segments *a, const struct segments *b);

/** segments_has_empty() - is there a file without a record? One that is not used yet, or whose records are being dropped */
bool segments_has_empty(const struct segments *s);

/** segments_reader() - a reader from the first record to the last; record_reader_drop() it before the files are closed */
struct record_reader segments_reader(struct segments *s);
