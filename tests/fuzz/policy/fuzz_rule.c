/* SPDX-License-Identifier: Apache-2.0 */
/* A rule that is read prints to a text that gives the same rule back. */
#include "policy/rule.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rule rule, again;
	struct policy_error why = {0};
	char text[RULE_TEXT_BYTES], text_again[RULE_TEXT_BYTES];

	if (rule_parse(span_make(data, size), &rule, &why) != PARSE_DONE) {
		assert(why.column >= 1 && why.column <= size + 1 && why.text[0]);
		return 0;
	}
	rule_print(&rule, text);
	assert(rule_parse(span_of(text), &again, &why) == PARSE_DONE);
	rule_print(&again, text_again);
	assert(!strcmp(text, text_again));
	return 0;
}
