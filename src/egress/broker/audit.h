/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/audit.h - the one writer of the audit log */
/*
 * One JSON object a line. Every line carries `prev`, the SHA-256 of the line before it (without its
 * newline), so that a line taken out or changed later breaks the chain; the first has 64 zeros. Appending
 * to a log that is there continues its chain. A failed write stops no decision: what is lost is counted,
 * said once, and recorded as {"event":"gap","lost":N} as soon as writing works again.
 *
 * An orderly end is two lines: {"event":"end"}, and {"event":"seal"}, in which nothing is free to say: its time and session
 * are those of the end, its number is the next. So a change of the last record shows as well.
 *
 * A log may go on in more files (audit_segments()). The first is never written over, so that no flood of records can wash
 * away how a session began; the others are used in turn. A file begins with {"event":"turn"}, which continues
 * the chain of the file before; when it took the place of older records, it names them: "dropped_first", "dropped_last", and
 * "dropped_hash", with which the record after them can still be checked.
 */
#pragma once
#include "base/clock.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/span.h"
#include "net/addr.h"

enum { AUDIT_SEGMENTS = 4, AUDIT_SEGMENT_BYTES = 64 << 20 };
enum { AUDIT_VERSION = 1, AUDIT_LINE_MAX_BYTES = 8192, AUDIT_SESSION_MAX_BYTES = 64 };

/** struct audit_segment - one file of the log, and the records in it; first_seq 0: none */
struct audit_segment {
	int fd;
	uint64_t bytes;
	uint64_t first_seq, last_seq;
	char last_hash[SHA256_HEX_BYTES];
};

/**
 * struct audit - an open log
 * @fd:		borrowed; -1 writes nothing (decisions are still numbered)
 * @time:	of the last record
 * @seq:	number of the last record, from 1 on
 * @lost:	records that could not be written since the last good write
 * @segments, @n_segments, @now: files of the log, @now the one being written
 * @most_bytes: of a segment; 0 for no limit
 * @is_turning:	the new file's first record is not written yet; @dropped is what was there before
 * @tee:	NULL, or gets each line as well, without its newline, also while the log cannot be written
 * @needs_newline: the last bytes of the log are a line cut short, which the next record must not join
 */
struct audit {
	int fd;
	char session[AUDIT_SESSION_MAX_BYTES + 1];
	char time[CLOCK_TEXT_BYTES];
	char prev[SHA256_HEX_BYTES];
	uint64_t seq;
	uint64_t lost;
	bool needs_newline;
	struct audit_segment segments[AUDIT_SEGMENTS];
	size_t n_segments, now;
	uint64_t most_bytes;
	bool is_turning;
	struct audit_segment dropped;
	void (*tee)(void *arg, struct span line);
	void *tee_arg;
};

/**
 * struct audit_record - one decision; what is zero is left out of the line
 * @event:	"open", "close", "refuse", "dns", "note", "start" or "end"
 * @protocol:	how the name came in; NULL for none
 * @name:	canonical, or hostile bytes as received: escaped here
 * @is_allowed:	verdict "allow", else "deny"; neither for start and end
 * @reason:	a word of enum reason, or for start and end what happened
 * @rule_file, @rule_line: the rule that decided; NULL when none did
 * @address:	dialled, or refused; NULL for none
 * @via:	the upstream proxy; NULL for none
 * @client:	where the flow came from; NULL when unknown
 * @detail:	the name seen instead, for mismatches; hostile bytes
 * @error:	what the machine or the resolver said, for people; NULL for none
 */
struct audit_record {
	const char *event;
	uint64_t flow;
	bool has_flow;
	const char *protocol;
	struct span name;
	uint16_t port;
	bool has_verdict;
	bool is_allowed;
	const char *reason;
	const char *rule_file;
	unsigned rule_line;
	const struct addr *address;
	const char *program; /* who made the flow; NULL when unknown */
	const char *via;
	const struct addr *client;
	uint16_t client_port;
	bool has_counts;
	uint64_t up_bytes;
	uint64_t down_bytes;
	uint64_t ms;
	struct span detail;
	const char *error;
};

/**
 * audit_init() - start on @fd, which is in append mode
 * @fd:		-1 for no log. When it is a file that holds lines, it must be readable: the chain goes on
 *		from the last one
 * @session:	id for every line; printable, at most AUDIT_SESSION_MAX_BYTES
 *
 * Return: 0 or a negative errno value.
 */
int audit_init(struct audit *a, int fd, const char *session, struct err *err);

/**
 * audit_segments() - go on in these files when the first has @most_bytes; after audit_init(), before any record
 * @fds:	borrowed, as the first: in append mode, readable; up to AUDIT_SEGMENTS - 1
 *
 * What they hold of an earlier run is continued.
 *
 * Return: 0 or a negative errno value.
 */
int audit_segments(struct audit *a, const int *fds, size_t n_fds, uint64_t most_bytes, struct err *err);

/** audit_write() - append one record; returns its number */
uint64_t audit_write(struct audit *a, const struct audit_record *r);

/** audit_end() - the orderly end of the log, for @reason, and its seal */
void audit_end(struct audit *a, const char *reason);
