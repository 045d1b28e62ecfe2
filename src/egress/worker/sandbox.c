/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/worker/sandbox.h"
#include "confine/landlock.h"
#include "confine/privs.h"
#include "confine/seccomp.h"

int worker_sandbox_enter(struct err *err)
{
	int rc = privs_hide(err);
	if (rc == 0)
		rc = privs_no_new(err);
	if (rc == 0)
		rc = landlock_nothing(0, err);
	if (rc == 0)
		rc = privs_drop_caps(err);
	if (rc == 0)
		rc = seccomp_install(&seccomp_worker, err);
	return rc < 0 ? err_add(err, "confining the worker") : 0;
}
