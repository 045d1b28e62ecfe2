/* SPDX-License-Identifier: Apache-2.0 */
/* A host name is canonical: it reads as itself again. What is an address is not a name. */
#include "net/addr.h"
#include "net/name.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct name name, again;
	struct addr a, b;

	switch (name_parse(span_make(data, size), &name)) {
	case NAME_IS_HOST:
		assert(name.n == strlen(name.text) && name.n >= 1 && name.n <= NAME_MAX_BYTES);
		assert(name_parse(span_of(name.text), &again) == NAME_IS_HOST);
		assert(!strcmp(name.text, again.text));
		assert(!addr_parse_any(span_of(name.text), &a));
		break;
	case NAME_IS_ADDRESS:
		assert(addr_parse_any(span_make(data, size), &a));
		char text[ADDR_TEXT_BYTES];
		addr_print(&a, text);
		assert(addr_parse(span_of(text), &b) && addr_equal(&a, &b));
		assert(addr_classify(&a) < ADDR_CLASSES);
		break;
	case NAME_IS_BAD:
		break;
	}
	return 0;
}
