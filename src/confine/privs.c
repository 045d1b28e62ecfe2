/* SPDX-License-Identifier: Apache-2.0 */
#include "confine/privs.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CAP_NUMBERS = 64 };

/* Only with CAP_SETPCAP can the bounding set and the securebits change; without it they hold nothing to use. */
static int drop_bounding(struct err *err)
{
	if (prctl(PR_CAPBSET_READ, CAP_SETPCAP) < 0)
		return err_set(err, errno, "reading the capability bounding set");
	for (int cap = 0; cap < CAP_NUMBERS; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap) < 0 && errno == EINVAL)
			break; /* past the kernel's last capability */
		else if (prctl(PR_CAPBSET_READ, cap) == 1 && errno != EPERM)
			return err_set(err, errno, "dropping capability %d from the bounding set", cap);
	}
	unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
			     SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED;
	if (prctl(PR_SET_SECUREBITS, bits) < 0 && errno != EPERM)
		return err_set(err, errno, "locking the securebits");
	return 0;
}

int privs_drop_caps(struct err *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	int rc = drop_bounding(err);
	if (rc < 0)
		return rc;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return err_set(err, errno, "clearing ambient capabilities");
	if (syscall(SYS_capset, &head, none) < 0)
		return err_set(err, errno, "giving up capabilities");
	return 0;
}

int privs_no_new(struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, errno, "setting no_new_privs");
	return 0;
}

int privs_hide(struct err *err)
{
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_set(err, errno, "hiding the process from its peers");
	return 0;
}

int privs_close_from(unsigned first, struct err *err)
{
	if (syscall(SYS_close_range, first, ~0U, 0U) < 0)
		return err_set(err, errno, "closing inherited descriptors");
	return 0;
}

int privs_raise_nofile(uint64_t *out_limit, struct err *err)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return err_set(err, errno, "reading RLIMIT_NOFILE");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return err_set(err, errno, "raising RLIMIT_NOFILE");
	*out_limit = limit.rlim_cur;
	return 0;
}
