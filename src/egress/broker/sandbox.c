/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/broker/sandbox.h"
#include "confine/landlock.h"
#include "confine/privs.h"
#include "confine/seccomp.h"

int broker_sandbox_enter(struct err *err)
{
	if (privs_hide(err) < 0 || privs_drop_caps(err) < 0 || privs_no_new(err) < 0)
		return err_add(err, "confining the broker");
	/* it must be able to end its peers, also by dying: PR_SET_PDEATHSIG */
	if (landlock_nothing(LANDLOCK_MAY_CONNECT | LANDLOCK_MAY_SIGNAL, err) < 0)
		return err_add(err, "confining the broker");
	return seccomp_install(&seccomp_broker, err) < 0 ? err_add(err, "confining the broker") : 0;
}
