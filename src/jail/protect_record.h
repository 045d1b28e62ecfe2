/* SPDX-License-Identifier: Apache-2.0 */
/* jail/protect_record.h - what was missing when a session began, on disk: for gc, when its supervisor was killed */
#pragma once
#include "base/err.h"
#include "jail/protect.h"

/** struct protect_record - as read; @protect borrows @project, so it is not to be copied */
struct protect_record {
	struct protect protect;
	char project[PATH_MAX];
};

/** protect_record_write() - into the session's state folder; nothing without a project. 0 or a negative errno value */
int protect_record_write(const struct protect *p, const char *session_dir, struct err *err);

/** protect_record_read() - 0; -ENOENT when there is none, since the session ended in order; or another negative errno value */
int protect_record_read(const char *session_dir, struct protect_record *out, struct err *err);

/** protect_record_drop() - the look at the end was done: nothing is left to do */
void protect_record_drop(const char *session_dir);
