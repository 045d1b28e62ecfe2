/* SPDX-License-Identifier: Apache-2.0 */
/* egress/resolver/sandbox.h - the rights that the resolver gives up before it reads a single reply */
#pragma once
#include "base/err.h"

/**
 * resolver_sandbox_enter() - from here on: no socket made, no file opened, nothing executed
 *
 * Call once c-ares is set up and the hosts file is read. Return: 0 or a negative errno value; the caller must end then.
 */
int resolver_sandbox_enter(struct err *err);
