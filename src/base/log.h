/* SPDX-License-Identifier: Apache-2.0 */
/* base/log.h - diagnostics for people, on stderr; never audit records */
#pragma once

/** log_name() - what stands in front of each line; @name is kept by pointer. Default "drydock" */
void log_name(const char *name);

/**
 * log_line() - write "NAME: text\n" to stderr in one write(2)
 *
 * Text that comes from outside must have been through utf8_put_safe(). Failure to write is ignored:
 * there is nowhere left to say it.
 */
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
