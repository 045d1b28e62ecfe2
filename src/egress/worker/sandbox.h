/* SPDX-License-Identifier: Apache-2.0 */
/* egress/worker/sandbox.h - gives up everything the worker does not need */
#pragma once
#include "base/err.h"

/**
 * worker_sandbox_enter() - no peer may look inside, no file or TCP right (Landlock, where the kernel has it), no
 * capability, and only the system calls of sandbox.def. Cannot be undone
 *
 * Return: 0 or a negative errno value; the caller ends then.
 */
int worker_sandbox_enter(struct err *err);
