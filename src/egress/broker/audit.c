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

/* Hashes the last line of what is in the log already. */
static int continue_chain(struct audit *a, off_t size, struct err *err)
{
	AUTO(mem) uint8_t *tail = malloc(TAIL_BYTES);
	if (!tail)
		return err_set(err, ENOMEM, "reading the end of the audit log");
	off_t from = size > TAIL_BYTES ? size - TAIL_BYTES : 0;
	ssize_t got = pread(a->fd, tail, TAIL_BYTES, from);
	if (got < 0) {
		err_set(err, errno, "reading the end of the audit log, to continue its chain");
		return err_fix(err, "open it for reading too, or give a new file");
	}
	size_t end = (size_t)got;
	a->needs_newline = end && tail[end - 1] != '\n';
	if (end && !a->needs_newline)
		end--;
	size_t start = end;
	while (start && tail[start - 1] != '\n')
		start--;
	if (start == 0 && from > 0)
		return err_set(
			err, 0,
			"the audit log's last line is longer than %d bytes: not a log of drydock",
			(int)TAIL_BYTES);
	sha256_hex(span_make(tail + start, end - start), a->prev);
	return 0;
}

int audit_init(struct audit *a, int fd, const char *session, struct err *err)
{
	*a = (struct audit){.fd = fd};
	(void)snprintf(a->session, sizeof(a->session), "%s", session); /* longer ids were refused */
	memcpy(a->prev, first_prev, sizeof(first_prev));
	struct stat st;
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return err_set(err, errno, "looking at the audit log");
	return S_ISREG(st.st_mode) && st.st_size > 0 ? continue_chain(a, st.st_size, err) : 0;
}

static void put_head(const struct audit *a, struct json *j, uint64_t seq, const char *event)
{
	char time[CLOCK_TEXT_BYTES];

	clock_print(clock_wall_ms(), time);
	json_open(j, NULL, '{');
	json_u64(j, "v", AUDIT_VERSION);
	json_str(j, "time", time);
	json_str(j, "session", a->session);
	json_u64(j, "seq", seq);
	json_str(j, "event", event);
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
	line->n = n;
	return true;
}

static bool append_gap(struct audit *a)
{
	AUTO(buf) struct buf line = {.max = AUDIT_LINE_MAX_BYTES};
	struct json j = {.out = &line};

	put_head(a, &j, a->seq + 1, "gap");
	json_u64(&j, "lost", a->lost);
	if (!append(a, &j))
		return false;
	a->seq++;
	a->lost = 0;
	return true;
}

uint64_t audit_write(struct audit *a, const struct audit_record *r)
{
	AUTO(buf) struct buf line = {.max = AUDIT_LINE_MAX_BYTES};
	struct json j = {.out = &line};

	if (a->fd < 0 && !a->tee)
		return ++a->seq;
	if (a->lost && !append_gap(a)) {
		a->lost++;
		return ++a->seq;
	}
	a->seq++;
	put_head(a, &j, a->seq, r->event);
	put_record(&j, r);
	errno = 0;
	bool is_put = a->fd < 0 || append(a, &j);
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
