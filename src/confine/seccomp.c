/* SPDX-License-Identifier: Apache-2.0 */
#include "confine/seccomp.h"
#include "confine/privs.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

int seccomp_install(const struct seccomp_program *program, struct err *err)
{
	int rc = privs_no_new(err);
	if (rc < 0)
		return rc;
	struct sock_fprog prog = {
		.len = (unsigned short)program->n,
		.filter = (struct sock_filter *)(uintptr_t)program->insns, /* the kernel only reads it */
	};
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog) != 0) {
		err_set(err, errno, "installing the system call filter");
		return err_fix(err, "use a kernel built with CONFIG_SECCOMP_FILTER");
	}
	return 0;
}
