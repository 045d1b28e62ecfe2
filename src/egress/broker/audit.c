/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/broker/audit.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { TAIL_BYTES = 2 * AUDIT_LINE_MAX_BYTES };

static const char first_prev[] = "0000000000000000000000000000000000000000000000000000000000000000";
static_assert(sizeof(first_prev) == SHA256_HEX_BYTES, "as long as a digest");

/* The number that a line of ours gives as its seq; 0 when it is no such line. No text of a line can hold the key. */
static uint64_t seq_of(struct span line)
{
	static const char key[] = "\"seq\":";
	const uint8_t *at = line.n ? memmem(line.p, line.n, key, sizeof(key) - 1) : NULL;
	uint64_t seq = 0;

	if (!at)
		return 0;
	for (at += sizeof(key) - 1; at < line.p + line.n && *at >= '0' && *at <= '9'; at++)
		seq = seq * 10 + (uint64_t)(*at - '0');
	return seq;
}

static int read_first(struct audit_segment *s, uint8_t *room, struct err *err)
{
	ssize_t got = pread(s->fd, room, TAIL_BYTES, 0);
	if (got < 0)
		return err_set(err, errno, "reading the start of the audit log");
	const uint8_t *end = memchr(room, '\n', (size_t)got);
	s->first_seq = seq_of(span_make(room, end ? (size_t)(end - room) : (size_t)got));
	return 0;
}

/* What a file holds already: its first and last record, and the hash of the last line. */
static int look_at(struct audit_segment *s, bool *out_needs_newline, struct err *err)
{
	struct stat st;

	*out_needs_newline = false;
	if (fstat(s->fd, &st) < 0)
		return err_set(err, errno, "looking at the audit log");
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return 0;
	AUTO(mem) uint8_t *tail = malloc(TAIL_BYTES);
	if (!tail)
		return err_set(err, ENOMEM, "reading the end of the audit log");
	off_t from = st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0;
	ssize_t got = pread(s->fd, tail, TAIL_BYTES, from);
	if (got < 0) {
		err_set(err, errno, "reading the end of the audit log, to continue its chain");
		return err_fix(err, "open it for reading too, or give a new file");
	}
	size_t end = (size_t)got;
	*out_needs_newline = end && tail[end - 1] != '\n';
	if (end && !*out_needs_newline)
		end--;
	size_t start = end;
	while (start && tail[start - 1] != '\n')
		start--;
	if (start == 0 && from > 0)
		return err_set(
			err, 0,
			"the audit log's last line is longer than %d bytes: not a log of drydock",
			(int)TAIL_BYTES);
	sha256_hex(span_make(tail + start, end - start), s->last_hash);
	s->last_seq = seq_of(span_make(tail + start, end - start));
	s->bytes = (uint64_t)st.st_size;
	return read_first(s, tail, err);
}

/* Go on behind what the segment holds. */
static void continue_in(struct audit *a, size_t at, bool needs_newline)
{
	const struct audit_segment *s = &a->segments[at];

	a->now = at;
	a->fd = s->fd;
	a->needs_newline = needs_newline;
	a->seq = s->last_seq > a->seq ? s->last_seq : a->seq;
	if (s->bytes)
		memcpy(a->prev, s->last_hash, sizeof(a->prev));
}

int audit_init(struct audit *a, int fd, const char *session, struct err *err)
{
	bool needs_newline;

	*a = (struct audit){.fd = fd, .n_segments = 1, .segments[0] = {.fd = fd}};
	(void)snprintf(a->session, sizeof(a->session), "%s", session); /* longer ids were refused */
	memcpy(a->prev, first_prev, sizeof(first_prev));
	if (fd < 0)
		return 0;
	int rc = look_at(&a->segments[0], &needs_newline, err);
	if (rc == 0)
		continue_in(a, 0, needs_newline);
	return rc;
}

int audit_segments(struct audit *a, const int *fds, size_t n_fds, uint64_t most_bytes, struct err *err)
{
	size_t newest = 0;
	bool needs_newline = a->needs_newline;

	assert(n_fds < AUDIT_SEGMENTS && a->n_segments == 1);
	for (size_t i = 1; i <= n_fds; i++) {
		bool is_cut;
		a->segments[i] = (struct audit_segment){.fd = fds[i - 1]};
		int rc = look_at(&a->segments[i], &is_cut, err);
		if (rc < 0)
			return rc;
		if (a->segments[i].bytes && a->segments[i].last_seq > a->segments[newest].last_seq) {
			newest = i;
			needs_newline = is_cut;
		}
	}
	a->n_segments = n_fds + 1;
	a->most_bytes = most_bytes;
	continue_in(a, newest, needs_newline);
	return 0;
}

/* The file is full: the next one, without what it held. */
static void turn(struct audit *a)
{
	size_t next = a->now + 1 < a->n_segments ? a->now + 1 : 1;

	a->dropped = a->segments[next];
	if (a->dropped.bytes && ftruncate(a->dropped.fd, 0) < 0)
		return; /* a full file is better than none: go on in this one */
	a->segments[next] = (struct audit_segment){.fd = a->dropped.fd};
	a->now = next;
	a->fd = a->dropped.fd;
	a->needs_newline = false;
	a->is_turning = true;
}

/* @a->time is set before. */
static void put_head_again(const struct audit *a, struct json *j, uint64_t seq, const char *event)
{
	json_open(j, NULL, '{');
	json_u64(j, "v", AUDIT_VERSION);
	json_str(j, "time", a->time);
	json_str(j, "session", a->session);
	json_u64(j, "seq", seq);
	json_str(j, "event", event);
}

static void put_head(struct audit *a, struct json *j, uint64_t seq, const char *event)
{
	clock_print(clock_wall_ms(), a->time);
	put_head_again(a, j, seq, event);
}

static void put_address(struct json *j, const char *key, const struct addr *addr)
{
	char text[ADDR_TEXT_BYTES];

	if (!addr)
		return;
	addr_print(addr, text);
	json_str(j, key, text);
}

static void put_rule(struct json *j, const struct audit_record *r)
{
	char rule[1024];
	size_t n = strlen(r->rule_file);
	/* the end of a path says more than its start */
	const char *file = n > 900 ? r->rule_file + (n - 900) : r->rule_file;

	(void)snprintf(rule, sizeof(rule), "%s:%u", file, r->rule_line); /* fits: cut above */
	json_str(j, "rule", rule);
}

static void put_record(struct json *j, const struct audit_record *r)
{
	if (r->has_flow)
		json_u64(j, "flow", r->flow);
	if (r->protocol)
		json_str(j, "protocol", r->protocol);
	if (r->name.n)
		json_text(j, "name", r->name);
	if (r->port)
		json_u64(j, "port", r->port);
	if (r->has_verdict)
		json_str(j, "verdict", r->is_allowed ? "allow" : "deny");
	if (r->reason)
		json_str(j, "reason", r->reason);
	if (r->rule_file)
		put_rule(j, r);
	put_address(j, "address", r->address);
	if (r->program)
		json_text(j, "program", span_of(r->program));
	if (r->via)
		json_str(j, "via", r->via);
	put_address(j, "client", r->client);
	if (r->client && r->client_port)
		json_u64(j, "client_port", r->client_port);
	if (r->has_counts) {
		json_u64(j, "up", r->up_bytes);
		json_u64(j, "down", r->down_bytes);
		json_u64(j, "ms", r->ms);
	}
	if (r->detail.n)
		json_text(j, "seen", r->detail);
	if (r->error)
		json_str(j, "error", r->error);
}

/* Nobody else writes the log, so its last bytes are ours; those of a pipe are gone. */
static bool take_back(int fd, size_t bytes)
{
	off_t end = lseek(fd, 0, SEEK_END);

	return end >= (off_t)bytes && ftruncate(fd, end - (off_t)bytes) == 0;
}

/* Ends the line and appends it whole or, as far as the file allows, not at all. */
static bool append(struct audit *a, struct json *j)
{
	struct buf *line = j->out;
	json_str(j, "prev", a->prev);
	json_close(j, '}');
	size_t n = line->n;
	if (!buf_put(line, "\n", 1) || line->is_cut)
		return false;
	if (a->needs_newline && fs_write_all(a->fd, "\n", 1) < 0)
		return false;
	a->needs_newline = false;
	size_t put = 0;
	while (put < line->n) {
		ssize_t got = write(a->fd, line->p + put, line->n - put);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		put += (size_t)got;
	}
	if (put < line->n) {
		int why = errno;
		if (put && !take_back(a->fd, put))
			a->needs_newline = true;
		errno = why;
		return false;
	}
	sha256_hex(span_make(line->p, n), a->prev);
	struct audit_segment *s = &a->segments[a->now];
	s->bytes += line->n;
	s->last_seq = a->seq;
	s->first_seq = s->first_seq ? s->first_seq : a->seq;
	memcpy(s->last_hash, a->prev, sizeof(s->last_hash));
	line->n = n;
	return true;
}

static bool append_gap(struct audit *a)
{
	AUTO(buf) struct buf line = {.max = AUDIT_LINE_MAX_BYTES};
	struct json j = {.out = &line};

	a->seq++;
	put_head(a, &j, a->seq, "gap");
	json_u64(&j, "lost", a->lost);
	if (!append(a, &j)) {
		a->seq--;
		return false;
	}
	a->lost = 0;
	return true;
}

static bool append_turn(struct audit *a)
{
	AUTO(buf) struct buf line = {.max = AUDIT_LINE_MAX_BYTES};
	struct json j = {.out = &line};

	a->seq++;
	put_head(a, &j, a->seq, "turn");
	if (a->dropped.bytes) {
		json_u64(&j, "dropped_first", a->dropped.first_seq);
		json_u64(&j, "dropped_last", a->dropped.last_seq);
		json_str(&j, "dropped_hash", a->dropped.last_hash);
	}
	if (!append(a, &j)) {
		a->seq--;
		return false;
	}
	a->is_turning = false;
	return true;
}

/* What must stand before the next record; false while even that cannot be written. */
static bool prepare(struct audit *a)
{
	bool is_full = a->n_segments > 1 && a->segments[a->now].bytes + AUDIT_LINE_MAX_BYTES > a->most_bytes;

	if (a->fd < 0)
		return true;
	if (is_full && a->segments[a->now].bytes)
		turn(a);
	return (!a->is_turning || append_turn(a)) && (!a->lost || append_gap(a));
}

uint64_t audit_write(struct audit *a, const struct audit_record *r)
{
	AUTO(buf) struct buf line = {.max = AUDIT_LINE_MAX_BYTES};
	struct json j = {.out = &line};

	if (a->fd < 0 && !a->tee)
		return ++a->seq;
	errno = 0;
	bool may_put = prepare(a);
	a->seq++;
	put_head(a, &j, a->seq, r->event);
	put_record(&j, r);
	bool is_put = a->fd < 0 || (may_put && append(a, &j));
	if (a->tee)
		a->tee(a->tee_arg, buf_span(&line));
	if (is_put)
		return a->seq;
	if (a->lost++ == 0)
		log_line(
			"the audit log cannot be written (%s): decisions go on, the gap is counted",
			errno ? strerror(errno) : "a record is too long");
	return a->seq;
}

void audit_end(struct audit *a, const char *reason)
{
	AUTO(buf) struct buf line = {.max = AUDIT_LINE_MAX_BYTES};
	struct json j = {.out = &line};

	(void)audit_write(a, &(struct audit_record){.event = "end", .reason = reason});
	if (a->fd < 0 || a->lost)
		return; /* a log that is not whole is not sealed */
	put_head_again(a, &j, ++a->seq, "seal");
	if (!append(a, &j))
		log_line("the audit log cannot be sealed (%s)", strerror(errno));
}
