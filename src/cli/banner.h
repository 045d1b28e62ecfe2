/* SPDX-License-Identifier: Apache-2.0 */
/* cli/banner.h - one screen that says what a session may do */
#pragma once
#include "base/buf.h"
#include "cli/launch.h"

/**
 * banner_print() - the lines shown when a session starts
 * @layers:	from the engine; NULL before it started (--dry-run)
 * @audit:	path of the audit log; NULL before there is one
 */
void banner_print(const struct launch *l, const struct launch_flags *flags, const char *session_id,
		  const char *layers, const char *audit, struct buf *out);
