/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char *log_prefix = "drydock";

void log_name(const char *name)
{
	log_prefix = name;
}

void log_line(const char *fmt, ...)
{
	char line[1600];
	int used = snprintf(line, sizeof(line), "%s: ", log_prefix);
	if (used < 0)
		return;
	va_list ap;
	va_start(ap, fmt);
	int more = vsnprintf(line + used, sizeof(line) - (size_t)used - 1, fmt, ap);
	va_end(ap);
	size_t n = more < 0 ? (size_t)used : (size_t)used + (size_t)more;
	if (n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n] = '\n';
	ssize_t ignored = write(STDERR_FILENO, line, n + 1);
	(void)ignored; /* nowhere left to say it */
}
