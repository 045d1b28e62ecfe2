/* SPDX-License-Identifier: Apache-2.0 */
/* A .git/config that the command may have written: what is harmless beside nothing is harmless beside anything. */
#include "jail/gitconfig.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
	size_t n = zero ? (size_t)(zero - data) : 0;
	struct span was = span_make(data, n), now = span_make(data + n + (zero != NULL), size - n - (zero != NULL));

	bool is_alone = gitconfig_is_harmless(span_of(""), now);
	assert(!is_alone || gitconfig_is_harmless(was, now));
	assert(!gitconfig_is_harmless(span_of(""), span_of("[core]\n\tfsmonitor = x\n")));
	return 0;
}
