/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/report.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <unistd.h>

struct report {
	enum report_kind kind;
	struct err err;
};
static_assert(sizeof(struct report) <= PIPE_BUF, "a report goes up the pipe in one piece");

int report_built(int report_wr, struct err *err)
{
	const struct report built = {.kind = REPORT_BUILT};

	if (write(report_wr, &built, sizeof(built)) != (ssize_t)sizeof(built))
		return err_set(err, errno, "reporting from the jail");
	return 0;
}

_Noreturn void report_give_up(int report_wr, const struct err *err, enum report_kind kind)
{
	struct report report = {.kind = kind, .err = *err};
	ssize_t ignored = write(report_wr, &report, sizeof(report));
	(void)ignored; /* who waits then sees the exit status */
	_exit(125);
}

static ssize_t read_report(int report_rd, struct report *out)
{
	ssize_t n;
	do
		n = read(report_rd, out, sizeof(*out));
	while (n < 0 && errno == EINTR);
	return n;
}

int report_hear(int report_rd, int *out_exec_errno, struct err *err)
{
	struct report report;
	ssize_t n = read_report(report_rd, &report);
	bool is_built = n == (ssize_t)sizeof(report) && report.kind == REPORT_BUILT;

	if (is_built)
		n = read_report(report_rd, &report);
	if (n == 0 && is_built)
		return 0;
	if (n == 0) {
		int rc = err_set(err, 0, "the jail was killed while it was built");
		(void)err_fix(err, "if memory is short, the kernel's log says so: dmesg");
		return rc;
	}
	if (n != (ssize_t)sizeof(report))
		return err_set(err, EPROTO, "hearing from the jail");
	if (report.kind == REPORT_NOT_EXECUTED)
		*out_exec_errno = -report.err.code;
	if (err)
		*err = report.err;
	return report.kind == REPORT_NOT_EXECUTED ? 0 : report.err.code;
}
