/* SPDX-License-Identifier: Apache-2.0 */
/* report/digest.h - a whole audit log, summed up by destination and by rule */
#pragma once
#include "report/record.h"

#include <stddef.h>

enum {
	DIGEST_MAX_HOSTS = 512,
	DIGEST_MAX_RULES = 1024,
	DIGEST_MAX_MARKS = 96, /* of one host, on the timeline */
	DIGEST_NAME_BYTES = 256,
	DIGEST_WORD_BYTES = 48,
};

/** struct digest_mark - one flow or refusal: when it began, counted from the first record, and how long it lasted */
struct digest_mark {
	uint64_t at_ms, ms;
	bool is_refusal;
};

/**
 * struct digest_host - one name and port (0: DNS questions)
 * @reason, @rule: of the last refusal, or, when there was none, the rule that allowed
 * @n_marks:	at most DIGEST_MAX_MARKS are kept
 */
struct digest_host {
	char name[DIGEST_NAME_BYTES];
	uint16_t port;
	uint64_t n_allowed, n_refused, up_bytes, down_bytes, last_flow;
	char reason[DIGEST_WORD_BYTES], rule[DIGEST_NAME_BYTES], program[DIGEST_WORD_BYTES];
	char first[DIGEST_WORD_BYTES], last[DIGEST_WORD_BYTES];
	struct digest_mark marks[DIGEST_MAX_MARKS];
	size_t n_marks;
};

/** struct digest_rule - a rule by its origin, "FILE:LINE", and how often it allowed */
struct digest_rule {
	char origin[DIGEST_NAME_BYTES];
	uint64_t n;
};

/**
 * struct digest - start from {0}
 * @n_more:	destinations that found no room: counted in the sums, not shown
 * @span_ms:	from the first record to the last
 */
struct digest {
	struct digest_host *hosts;
	size_t n_hosts;
	uint64_t n_more;
	struct digest_rule *rules;
	size_t n_rules;
	uint64_t n_records, n_allowed, n_refused, n_reloads, n_lost, up_bytes, down_bytes;
	uint64_t begun_ms, span_ms;
};

/** digest_add() - take one record; what finds no memory is counted as one more */
void digest_add(struct digest *d, const struct record *r);

/** digest_sort() - hosts that carried most first, then those refused most often */
void digest_sort(struct digest *d);

/** digest_has_used() - did the rule at this origin allow anything? */
bool digest_has_used(const struct digest *d, const char *origin);
void digest_drop(struct digest *d);
