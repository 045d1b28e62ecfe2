/* SPDX-License-Identifier: Apache-2.0 */
/* cli/output.h - keeps the newest output of a session in the background, and no more */
#pragma once
#include "base/err.h"

enum { OUTPUT_MAX_BYTES = 8 << 20 };

/**
 * output_begin() - a process that appends what comes through a pipe to the file @path
 *
 * At OUTPUT_MAX_BYTES the file becomes @path.1, and that one is lost: the two hold the newest output. A full disk
 * loses output and stops nobody. It ends when the last who may write has.
 *
 * Return: the pipe's writing end, the caller's; or a negative errno value.
 */
int output_begin(const char *path, struct err *err);
