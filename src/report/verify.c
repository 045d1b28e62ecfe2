/* SPDX-License-Identifier: Apache-2.0 */
#include "report/verify.h"
#include "base/json.h"
#include "base/own.h"
#include "report/record.h"
#include "report/segments.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 8, TURN_MS = 20, SEAL_BYTES = 1024 };

/*
 * struct chain - where the reader is
 * @kept:	the hash to be found; NULL for none, or when it was
 * @prev:	hash of the line before
 * @seq:	of the record before
 * @dropped:	hashes that "turn" records name: the chain may go on behind one of them
 * @resumes:	hash that the chain went on from where records are missing, to be found among @dropped; "" for none
 */
struct chain {
	struct verify *out;
	const char *kept;
	const char *file;
	uint64_t line;
	char prev[SHA256_HEX_BYTES];
	uint64_t seq;
	char dropped[SEGMENTS_MAX][SHA256_HEX_BYTES];
	size_t n_dropped;
	char resumes[SHA256_HEX_BYTES];
	uint64_t resumes_line;
	char resumes_file[16];
	bool is_cut_before; /* the line before was no record: a crash may have cut it */
	bool is_sealed;
	char seal[SEAL_BYTES]; /* how a seal of the line before has to read; "" when that was no end */
};

__attribute__((format(printf, 2, 3))) static bool broken(struct chain *c, const char *fmt, ...)
{
	va_list ap;

	c->out->state = VERIFY_BROKEN;
	(void)snprintf(c->out->where, sizeof(c->out->where), "%s:%" PRIu64, c->file, c->line);
	va_start(ap, fmt);
	(void)vsnprintf(c->out->why, sizeof(c->out->why), fmt, ap); /* constants and numbers: they fit */
	va_end(ap);
	return false;
}

bool verify_is_hash(const char *text)
{
	return strlen(text) == SHA256_HEX_BYTES - 1 && strspn(text, "0123456789abcdef") == SHA256_HEX_BYTES - 1;
}

static bool take_prev(struct chain *c, const char *said, bool is_first_of_file, uint64_t seq)
{
	if (!strcmp(said, c->prev))
		return true;
	if (!is_first_of_file || c->seq == 0)
		return broken(c, "this line does not follow the one before it: one of them was changed, put in or taken out");
	/* A file that begins after records that were written over: somebody later says so. */
	if (c->resumes[0])
		return broken(c, "records are missing before this line, a second time");
	memcpy(c->resumes, said, sizeof(c->resumes));
	c->resumes_line = c->line;
	(void)snprintf(c->resumes_file, sizeof(c->resumes_file), "%s", c->file);
	c->out->n_dropped += seq > c->seq ? seq - c->seq - 1 : 0;
	return true;
}

static uint64_t number_of(json_t *root, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(root, key));
	return n > 0 ? (uint64_t)n : 0;
}

static void take_turn(struct chain *c, json_t *root)
{
	const char *hash = json_string_value(json_object_get(root, "dropped_hash"));

	if (hash && verify_is_hash(hash) && c->n_dropped < SEGMENTS_MAX)
		memcpy(c->dropped[c->n_dropped++], hash, SHA256_HEX_BYTES);
}

static bool take_record(struct chain *c, struct record *r, bool is_first_of_file)
{
	json_t *root = r->parsed;
	const char *prev = json_string_value(json_object_get(root, "prev"));

	if (!prev || !verify_is_hash(prev) || !r->seq)
		return broken(c, "no record of drydock's");
	if (!take_prev(c, prev, is_first_of_file, r->seq))
		return false;
	if (!strcmp(r->event, "gap"))
		c->out->n_lost += number_of(root, "lost");
	if (!strcmp(r->event, "turn"))
		take_turn(c, root);
	c->is_sealed = !strcmp(r->event, "seal");
	if (c->is_sealed && strcmp(r->line, c->seal) != 0)
		return broken(c, "a seal that does not fit the end before it");
	c->seq = r->seq;
	c->is_cut_before = false;
	c->out->n_records++;
	return true;
}

/* A seal has nothing of its own to say: all of it follows from the end. */
static void expect_seal(struct chain *c, const struct record *r)
{
	AUTO(buf) struct buf text = {.max = SEAL_BYTES - 1};
	struct json j = {.out = &text};
	const char *session = json_string_value(json_object_get(r->parsed, "session"));

	c->seal[0] = '\0';
	if (strcmp(r->event, "end") != 0)
		return;
	json_open(&j, NULL, '{');
	json_u64(&j, "v", 1);
	json_str(&j, "time", r->time);
	json_str(&j, "session", session ? session : "");
	json_u64(&j, "seq", r->seq + 1);
	json_str(&j, "event", "seal");
	json_str(&j, "prev", c->prev);
	json_close(&j, '}');
	(void)snprintf(c->seal, sizeof(c->seal), "%.*s", (int)text.n, text.n ? (const char *)text.p : "");
}

static bool take_line(struct chain *c, char *line, size_t n, bool is_first_of_file)
{
	struct record r;

	c->line++;
	if (memchr(line, '\0', n))
		return broken(c, "a NUL byte, which no record has");
	bool is_good = record_read(line, &r);
	/* One that a crash cut short is told by its follower, which continues from just these bytes. */
	bool is_on = is_good ? take_record(c, &r, is_first_of_file)
		   : c->is_cut_before ? broken(c, "two lines that are no records")
				      : true;
	sha256_hex(span_make(line, n), c->prev);
	if (c->kept && !strcmp(c->kept, c->prev))
		c->kept = NULL;
	if (is_good) {
		expect_seal(c, &r);
		record_drop(&r);
	} else {
		c->is_cut_before = true;
		c->is_sealed = false;
		c->seal[0] = '\0';
	}
	return is_on;
}

static bool take_file(struct chain *c, FILE *in)
{
	AUTO(mem) char *line = NULL;
	size_t room = 0;
	ssize_t got;
	bool is_on = true, is_first = true;

	c->line = 0;
	while (is_on && (got = getline(&line, &room, in)) > 0) {
		bool is_whole = line[got - 1] == '\n';
		if (is_whole)
			line[--got] = '\0';
		if (got >= RECORD_LINE_MAX_BYTES)
			return broken(c, "line %" PRIu64 " is longer than any record", c->line + 1);
		is_on = take_line(c, line, (size_t)got, is_first);
		if (is_on && !is_whole)
			c->is_sealed = false;
		is_first = false;
	}
	return is_on;
}

/* The hash that the chain went on from must be one that a later record names as dropped. */
static bool check_dropped(struct chain *c)
{
	if (!c->resumes[0])
		return true;
	for (size_t i = 0; i < c->n_dropped; i++)
		if (!strcmp(c->dropped[i], c->resumes))
			return true;
	c->file = c->resumes_file;
	c->line = c->resumes_line;
	return broken(c, "records are missing before this line, and no later record says that they were dropped");
}

static bool check_kept(struct chain *c)
{
	if (!c->kept)
		return true;
	c->file = "log";
	c->line = 0;
	return broken(c, "no line has the hash that was kept: it was cut off, or all of it was written anew");
}

static void read_all(struct segments *s, const char *kept, struct verify *out)
{
	struct chain c = {.out = out, .kept = kept};
	bool is_on = true;

	*out = (struct verify){0};
	memset(c.prev, '0', SHA256_HEX_BYTES - 1);
	for (size_t i = 0; is_on && i < s->n; i++) {
		c.file = s->names[i];
		is_on = take_file(&c, s->files[i]);
	}
	if (is_on && check_dropped(&c) && check_kept(&c))
		out->state = c.is_sealed ? VERIFY_SEALED : VERIFY_UNSEALED;
	memcpy(out->last_hash, c.prev, sizeof(out->last_hash));
}

int verify_log(const char *path, const char *kept, struct verify *out, struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		struct segments before = {0}, after = {0};
		int rc = segments_open(path, &before, err);
		if (rc < 0)
			return rc;
		read_all(&before, kept, out);
		if (out->state == VERIFY_BROKEN)
			rc = segments_open(path, &after, err);
		bool is_same_still = segments_are_same(&before, &after);
		/* emptied a moment ago, and what was dropped is about to be said? Soon it is, or it was somebody else */
		bool may_turn = is_same_still && segments_has_empty(&after) && i < TRIES / 2;
		bool is_over = rc < 0 || out->state != VERIFY_BROKEN || (is_same_still && !may_turn);
		segments_close(&before);
		segments_close(&after);
		if (is_over)
			return rc;
		if (may_turn)
			(void)poll(NULL, 0, TURN_MS);
	}
	return err_set(err, EAGAIN, "'%s' goes on in another file faster than it is read: end the session first", path);
}
