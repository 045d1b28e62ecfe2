/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/wire/reason.h"

static const struct {
	const char *word, *header, *text;
} reasons[] = {
#define X(NAME, word, header, text) {word, header, text},
	REASONS(X)
#undef X
};

const char *reason_word(uint32_t reason)
{
	return reason < REASON_COUNT ? reasons[reason].word : "unknown";
}

const char *reason_header(uint32_t reason)
{
	return reason < REASON_COUNT ? reasons[reason].header : "blocked-by-policy";
}

const char *reason_text(uint32_t reason)
{
	return reason < REASON_COUNT ? reasons[reason].text : "unknown";
}
