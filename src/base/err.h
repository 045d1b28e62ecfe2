/* SPDX-License-Identifier: Apache-2.0 */
/* base/err.h - what failed, in words a person can act on */
#pragma once

/**
 * struct err - one failure
 * @code:	negative errno value; 0 while nothing failed
 * @text:	what failed and why: "opening '/x': Permission denied"
 * @fix:	what the reader can do about it; empty when nothing is known
 *
 * Fixed size and no pointers, so that the child of a clone can write one up a pipe. Start from
 * `struct err err = {0};`.
 */
struct err {
	int code;
	char text[700];
	char fix[320];
};

/**
 * err_set() - record a failure, replacing what was there
 * @err:	may be NULL, when nobody will read about it
 * @errnum:	positive errno value; its text is appended. 0 means the message says it all
 *
 * Return: the negative errno value, for `return err_set(...)`; -EINVAL when @errnum is 0.
 */
int err_set(struct err *err, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * err_add() - put context in front of a recorded failure: "limiting session x: opening ..."
 *
 * Return: the code already recorded.
 */
int err_add(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * err_fix() - say what the reader can do; the first fix given stays
 *
 * Return: the code already recorded.
 */
int err_fix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
