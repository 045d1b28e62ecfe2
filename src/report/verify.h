/* SPDX-License-Identifier: Apache-2.0 */
/* report/verify.h - is an audit log as the egress wrote it? Follows its chain of hashes */
/*
 * What it proves: no line was changed, taken out, put in or moved by somebody who did not write everything after it anew.
 * There is no key: who can write the whole file can make another chain. Whoever wants to find that out keeps the last
 * hash elsewhere; verify prints it.
 */
#pragma once
#include "base/err.h"
#include "base/sha256.h"

#include <stdbool.h>
#include <stdint.h>

enum verify_state {
	VERIFY_SEALED,	 /* whole: the last record is the orderly end */
	VERIFY_UNSEALED, /* nothing wrong, but no end: the session runs, or the egress was killed, or the tail was cut off */
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
 *
 * Return: 0 with @out; or a negative errno value when it cannot be read.
 */
int verify_log(const char *path, struct verify *out, struct err *err);
