/* SPDX-License-Identifier: Apache-2.0 */
#include "report/record.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *root, const char *key)
{
	const char *text = json_string_value(json_object_get(root, key));
	return text ? text : "";
}

static uint64_t number_of(const json_t *root, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(root, key));
	return n > 0 ? (uint64_t)n : 0;
}

void record_drop(struct record *r)
{
	json_decref(r->parsed);
	*r = (struct record){0};
}

/*
 * One line into reader->line without its newline; false at the end. What is longer than any record
 * is read to its end and left empty, so that it counts as a bad line.
 */
static bool read_line(struct record_reader *reader)
{
	if (!reader->line) {
		reader->line = malloc(RECORD_LINE_MAX_BYTES);
		if (!reader->line)
			return false;
	}
	size_t n = 0;
	bool is_long = false;
	int c;
	while ((c = getc(reader->in)) != EOF && c != '\n') {
		if (n < RECORD_LINE_MAX_BYTES - 1)
			reader->line[n++] = (char)c;
		else
			is_long = true;
	}
	reader->line[is_long ? 0 : n] = '\0';
	if (c != EOF || n > 0)
		return true;
	if (reader->n_more == 0)
		return false;
	reader->in = *reader->more++;
	reader->n_more--;
	return read_line(reader);
}

bool record_read(const char *line, struct record *out)
{
	json_t *root = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(root)) {
		json_decref(root);
		return false;
	}
	uint64_t port = number_of(root, "port");
	*out = (struct record){
		.time = text_of(root, "time"),
		.event = text_of(root, "event"),
		.protocol = text_of(root, "protocol"),
		.name = text_of(root, "name"),
		.verdict = text_of(root, "verdict"),
		.reason = text_of(root, "reason"),
		.rule = text_of(root, "rule"),
		.address = text_of(root, "address"),
		.seen = text_of(root, "seen"),
		.program = text_of(root, "program"),
		.client = text_of(root, "client"),
		.client_port = (uint16_t)(number_of(root, "client_port") <= UINT16_MAX ? number_of(root, "client_port") : 0),
		.port = port <= UINT16_MAX ? (uint16_t)port : 0,
		.seq = number_of(root, "seq"),
		.flow = number_of(root, "flow"),
		.up_bytes = number_of(root, "up"),
		.down_bytes = number_of(root, "down"),
		.ms = number_of(root, "ms"),
		.has_counts = json_object_get(root, "up") != NULL,
		.line = line,
		.parsed = root,
	};
	return true;
}

const struct record *record_next(struct record_reader *reader)
{
	record_drop(&reader->now);
	while (read_line(reader)) {
		if (record_read(reader->line, &reader->now))
			return &reader->now;
		reader->n_bad++;
	}
	return NULL;
}

void record_reader_drop(struct record_reader *reader)
{
	record_drop(&reader->now);
	free(reader->line);
	*reader = (struct record_reader){0};
}

bool record_is_refusal(const struct record *r)
{
	return !strcmp(r->verdict, "deny");
}
