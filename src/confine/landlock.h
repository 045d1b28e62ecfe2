/* SPDX-License-Identifier: Apache-2.0 */
/* confine/landlock.h - the second layer: file and TCP rights given up through Landlock (landlock(7)) */
#pragma once
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/** struct landlock_path - @path may be read and executed below; also written when @is_writable */
struct landlock_path {
	const char *path;
	int is_writable;
};

/** landlock_abi() - the kernel's Landlock ABI, 0 when it has none or it is switched off */
int landlock_abi(void);

/**
 * landlock_restrict() - only these paths from here on; rights newer than the kernel's ABI are left out.
 * Where the ABI can refuse connecting to pathname UNIX sockets (ABI 9), it does outside writable paths.
 * The caller has set no_new_privs. A path that does not exist is skipped.
 */
int landlock_restrict(const struct landlock_path *paths, size_t n_paths, struct err *err);

/** What landlock_nothing() leaves */
enum landlock_may {
	LANDLOCK_MAY_CONNECT = 1 << 0, /* TCP connect */
	/* Signals to processes outside the domain. Without it the PR_SET_PDEATHSIG of a child that this process started is
	 * refused like any other signal when it dies, and the child lives on */
	LANDLOCK_MAY_SIGNAL = 1 << 1,
};

/**
 * landlock_nothing() - no file right and, where the ABI has them, no TCP bind or connect, no abstract UNIX socket and
 * no signal to others: for egress processes
 * @may:	enum landlock_may bits
 */
int landlock_nothing(unsigned may, struct err *err);
