/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/sandbox.h - the rights that the broker gives up before it answers anything */
#pragma once
#include "base/err.h"

/**
 * broker_sandbox_enter() - from here on: no file opened, nothing executed, sockets for IPv4 and IPv6 only
 *
 * Call once everything is open. Return: 0 or a negative errno value; the caller must end then.
 */
int broker_sandbox_enter(struct err *err);
