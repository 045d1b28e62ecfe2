/* SPDX-License-Identifier: Apache-2.0 */
#include "config/suffix.h"

#include <libpsl.h>
#include <stdio.h>

void suffix_registrable(const char *name, char *out, size_t bytes)
{
	const psl_ctx_t *psl = psl_builtin();
	const char *domain = psl ? psl_registrable_domain(psl, name) : NULL;

	(void)snprintf(out, bytes, "%s", domain ? domain : ""); /* a part of @name, so it fits what that fitted */
}
