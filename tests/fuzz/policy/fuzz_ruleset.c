/* SPDX-License-Identifier: Apache-2.0 */
/* A policy loads whole or not at all; a loaded one answers any question. */
#include "policy/verdict.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const hosts[] = {"example.com", "a.example.com", "x", "a.b.c.d.e"};
	struct ruleset *set = NULL;
	struct err err = {0};

	if (ruleset_load(span_make(data, size), "fuzz", &set, &err) < 0) {
		assert(!set && err.text[0]);
		return 0;
	}
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct name name;
		struct addr a;
		assert(name_parse(span_of(hosts[i]), &name) == NAME_IS_HOST);
		struct verdict v = verdict_name(set, &name, 443);
		assert(v.kind != VERDICT_ALLOW || (v.origin.file && v.rule_id));
		assert(v.kind != VERDICT_ALLOW || verdict_name_any_port(set, &name).kind != VERDICT_NOT_ALLOWLISTED);
		assert(addr_parse(span_of("10.1.2.3"), &a));
		(void)verdict_resolved(set, v.options, &a, 443); /* must only not crash */
		v = verdict_addr(set, &a, 443);
		assert(v.kind != VERDICT_ALLOW || v.origin.file);
	}
	ruleset_free(set);
	return 0;
}
