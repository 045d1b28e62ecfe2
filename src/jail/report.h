/* SPDX-License-Identifier: Apache-2.0 */
/* jail/report.h - what a process that is being confined tells the one that waits for it */
/*
 * Reports go up a pipe that closes on exec: BUILT, then end of file, means that the command runs; end of file without BUILT,
 * that it was killed before.
 */
#pragma once
#include "base/err.h"

enum report_kind {
	REPORT_FAILED,	     /* a step failed; nothing ran */
	REPORT_BUILT,	     /* every step held; the agent is about to be executed */
	REPORT_NOT_EXECUTED, /* only the exec failed: 126 or 127, not 125 */
};

/** report_built() - every step held; 0 or a negative errno value */
int report_built(int report_wr, struct err *err);

/** report_give_up() - tell what failed, and end */
_Noreturn void report_give_up(int report_wr, const struct err *err, enum report_kind kind);

/**
 * report_hear() - wait for the end of the pipe
 * @out_exec_errno: why the command itself could not be executed, all else having held; untouched else
 *
 * Return: 0 when the command runs or only its exec failed; a negative errno value with @err else.
 */
int report_hear(int report_rd, int *out_exec_errno, struct err *err);
