/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/agreed.h"
#include "base/own.h"
#include "config/trust.h"

#include <stdio.h>
#include <string.h>

bool agreed_is(const char *entry, void *agreed)
{
	const struct agreed *a = agreed;
	AUTO(buf) struct buf content = {.max = TRUST_FILE_MAX_BYTES};
	char path[PATH_MAX + 16];

	if (!a->trust_dir || strcmp(entry, ".drydock") != 0)
		return false;
	(void)snprintf(path, sizeof(path), "%s/.drydock", a->project);
	return trust_read_file(path, &content, NULL) == 0 && trust_look(a->trust_dir, path, buf_span(&content)) == TRUST_OK;
}
