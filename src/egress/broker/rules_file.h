/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/rules_file.h - opens the policy file anew for a broker that may open nothing */
/*
 * A stand-alone egress reloads its file on SIGHUP, and an editor replaces files by renaming: the name must be opened
 * again. That is done by a process of its own, which does nothing else: a byte comes in, a descriptor goes back (as
 * CONTROL_RELOAD) or the reason why not (CONTROL_FAILED). By Landlock it sees only the file's folder.
 */
#pragma once
#include "base/err.h"

/**
 * rules_file_start() - start the process
 * @path:	of the policy; its folder must stay where it is
 *
 * Return: the broker's end of the channel, non-blocking, closed to end the process; or a negative errno value.
 */
int rules_file_start(const char *path, struct err *err);
