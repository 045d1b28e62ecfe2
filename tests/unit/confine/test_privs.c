/* SPDX-License-Identifier: Apache-2.0 */
/* Rights that are given up stay given up; each is shown to have been there. */
#include "confine/privs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int in_child(int (*body)(void))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(body());
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

enum { NO_NAMESPACE = 77 };

/* In a user namespace of its own every capability is there to lose, for an ordinary user too. */
static int lose_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2];
	if (unshare(CLONE_NEWUSER) < 0)
		return NO_NAMESPACE;
	if (syscall(SYS_capget, &head, caps) < 0 || !caps[0].effective)
		return 1;
	if (prctl(PR_CAPBSET_READ, CAP_NET_ADMIN) != 1)
		return 2;
	if (privs_drop_caps(NULL) < 0)
		return 3;
	if (syscall(SYS_capget, &head, caps) < 0)
		return 4;
	for (int i = 0; i < 2; i++)
		if (caps[i].effective || caps[i].permitted || caps[i].inheritable)
			return 5;
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (prctl(PR_CAPBSET_READ, cap) != 0)
			return 6;
	int bits = prctl(PR_GET_SECUREBITS);
	if (!(bits & SECBIT_NOROOT) || !(bits & SECBIT_NOROOT_LOCKED) || !(bits & SECBIT_KEEP_CAPS_LOCKED))
		return 7;
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_ADMIN, 0, 0) != 0 ? 8 : 0;
}

static void every_capability_set_is_empty_afterwards(void **state)
{
	(void)state;
	int rc = in_child(lose_capabilities);
	if (rc == NO_NAMESPACE)
		skip();
	assert_int_equal(rc, 0);
}

static int close_some(void)
{
	int kept = open("/dev/null", O_RDONLY), lost = fcntl(kept, F_DUPFD, 40);
	if (kept < 0 || lost < 40 || privs_close_from(40, NULL) < 0)
		return 1;
	if (fcntl(lost, F_GETFD) == 0 || errno != EBADF)
		return 2;
	return fcntl(kept, F_GETFD) < 0 ? 3 : 0;
}

static void descriptors_from_a_number_on_are_closed_and_those_below_stay(void **state)
{
	(void)state;
	assert_int_equal(in_child(close_some), 0);
}

static int raise_limit(void)
{
	struct rlimit low = {64, 128};
	uint64_t limit = 0;
	if (setrlimit(RLIMIT_NOFILE, &low) < 0 || privs_raise_nofile(&limit, NULL) < 0)
		return 1;
	return limit == 128 && getrlimit(RLIMIT_NOFILE, &low) == 0 && low.rlim_cur == 128 ? 0 : 2;
}

static void the_limit_of_descriptors_rises_to_the_hard_one(void **state)
{
	(void)state;
	assert_int_equal(in_child(raise_limit), 0);
}

static int hide(void)
{
	if (prctl(PR_GET_DUMPABLE) == 0 || privs_hide(NULL) < 0 || privs_no_new(NULL) < 0)
		return 1;
	return prctl(PR_GET_DUMPABLE) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 2;
}

static void a_hidden_process_is_not_dumpable_and_gains_nothing_by_exec(void **state)
{
	(void)state;
	assert_int_equal(in_child(hide), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_capability_set_is_empty_afterwards),
		cmocka_unit_test(descriptors_from_a_number_on_are_closed_and_those_below_stay),
		cmocka_unit_test(the_limit_of_descriptors_rises_to_the_hard_one),
		cmocka_unit_test(a_hidden_process_is_not_dumpable_and_gains_nothing_by_exec),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
