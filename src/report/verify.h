/* SPDX-License-Identifier: Apache-2.0 */
/* report/verify.h - is an audit log as the egress wrote it? Follows its chain of hashes */
/*
 * What it proves: no line was changed, taken out, put in or moved by somebody who did not write everything after it anew.
 * There is no key: who can write the whole file can make another chain. Whoever wants to find that out keeps the last
 * hash elsewhere; verify prints it, and looks for one that was kept.
 */
#pragma once
#include "base/err.h"
#include "base/sha256.h"

#include <stdbool.h>
#include <stdint.h>

enum verify_state {
	VERIFY_SEALED,	 /* whole: the last records are the orderly end and its seal */
	VERIFY_UNSEALED, /* nothing wrong, but no seal: the session runs, or the egress was killed, or the tail was cut off */
	VERIFY_BROKEN,
};

/**
 * struct verify - what was found
 * @where:	VERIFY_BROKEN: file and line
 * @why:	VERIFY_BROKEN: in words
 * @n_lost:	records that the egress itself says it could not write
 * @n_dropped:	records written over because the log reached its size
 * @last_hash:	of the last line: what to keep elsewhere
 */
struct verify {
	enum verify_state state;
	char where[64];
	char why[160];
	uint64_t n_records, n_lost, n_dropped;
	char last_hash[SHA256_HEX_BYTES];
};

/**
 * verify_log() - check the log that begins in file @path (report/segments.h)
 * @kept:	a hash that was the last one once; a log in which no line has it is broken. NULL for none
 *
 * A log that is being written may turn to another file meanwhile: then it is read again, a few times.
 *
 * Return: 0 with @out; -EAGAIN when it turned every time; or another negative errno value when it cannot be read.
 */
int verify_log(const char *path, const char *kept, struct verify *out, struct err *err);

/** verify_is_hash() - is @text written as a hash is: 64 lower-case hex digits? */
bool verify_is_hash(const char *text);
