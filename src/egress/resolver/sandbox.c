/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/resolver/sandbox.h"
#include "confine/landlock.h"
#include "confine/privs.h"
#include "confine/seccomp.h"

int resolver_sandbox_enter(struct err *err)
{
	if (privs_hide(err) < 0 || privs_drop_caps(err) < 0 || privs_no_new(err) < 0)
		return err_add(err, "confining the resolver");
	if (landlock_nothing(0, err) < 0)
		return err_add(err, "confining the resolver");
	return seccomp_install(&seccomp_resolver, err) < 0 ? err_add(err, "confining the resolver")
							   : 0;
}
