/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int errnum, const char *fmt, ...)
{
	int code = errnum ? -errnum : -EINVAL;
	if (!err)
		return code;

	err->code = code;
	err->fix[0] = '\0';
	va_list ap;
	va_start(ap, fmt);
	int used = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	if (errnum && used >= 0 && (size_t)used < sizeof(err->text))
		(void)snprintf(err->text + used, sizeof(err->text) - (size_t)used, ": %s",
			       strerror(errnum)); /* cut at the end of text is fine */
	return code;
}

int err_add(struct err *err, const char *fmt, ...)
{
	if (!err)
		return -EINVAL;

	char was[sizeof(err->text)];
	memcpy(was, err->text, sizeof(was));
	va_list ap;
	va_start(ap, fmt);
	int used = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	if (used >= 0 && (size_t)used < sizeof(err->text))
		(void)snprintf(err->text + used, sizeof(err->text) - (size_t)used, ": %s",
			       was); /* cut at the end of text is fine */
	return err->code;
}

int err_fix(struct err *err, const char *fmt, ...)
{
	if (!err)
		return -EINVAL;
	if (!err->fix[0]) {
		va_list ap;
		va_start(ap, fmt);
		(void)vsnprintf(err->fix, sizeof(err->fix), fmt, ap); /* cut is fine */
		va_end(ap);
	}
	return err->code;
}
