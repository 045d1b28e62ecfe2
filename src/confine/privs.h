/* SPDX-License-Identifier: Apache-2.0 */
/* confine/privs.h - gives up capabilities, descriptors and limits */
#pragma once
#include "base/err.h"

#include <stdint.h>

/** privs_drop_caps() - empty all five capability sets, lock the securebits (NOROOT, no setuid fixup) */
int privs_drop_caps(struct err *err);

/** privs_no_new() - PR_SET_NO_NEW_PRIVS */
int privs_no_new(struct err *err);

/** privs_hide() - PR_SET_DUMPABLE 0: no peer of the same uid may ptrace this process or read its /proc files */
int privs_hide(struct err *err);

/** privs_close_from() - close every descriptor numbered @first or higher */
int privs_close_from(unsigned first, struct err *err);

/** privs_raise_nofile() - soft RLIMIT_NOFILE up to the hard limit; writes the result */
int privs_raise_nofile(uint64_t *out_limit, struct err *err);
