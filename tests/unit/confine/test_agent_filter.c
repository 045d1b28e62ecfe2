/* SPDX-License-Identifier: Apache-2.0 */
/* C-13, C-24: what the filter of a contained command refuses, each with a twin that it allows. */
#include "confine/seccomp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* The errno of one system call made under the filter; 0 when it went through. */
static int under_filter(long (*call)(void))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (seccomp_install(&seccomp_agent, NULL) < 0)
			_exit(250);
		_exit(call() < 0 ? errno : 0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define CALL(name, expression)                                                                     \
	static long name(void)                                                                     \
	{                                                                                          \
		return (expression);                                                               \
	}

CALL(make_vsock, socket(40, SOCK_STREAM, 0))
CALL(make_packet, socket(AF_PACKET, SOCK_RAW, 0))
CALL(make_alg, socket(AF_ALG, SOCK_SEQPACKET, 0))
CALL(make_high_bits, syscall(SYS_socket, 0x100000028L, SOCK_STREAM, 0))
CALL(make_netfilter, socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER))
CALL(make_mptcp, socket(AF_INET, SOCK_STREAM, 262))
CALL(make_mptcp_high_bits, syscall(SYS_socket, AF_INET, SOCK_STREAM, 0x100000106L))
CALL(make_route, socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE))
CALL(make_tcp, socket(AF_INET, SOCK_STREAM, 0))
CALL(make_tcp6, socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP))
CALL(make_unix, socket(AF_UNIX, SOCK_STREAM, 0))

static void only_four_families_can_be_made(void **state)
{
	(void)state;
	assert_int_equal(under_filter(make_vsock), EAFNOSUPPORT);
	assert_int_equal(under_filter(make_packet), EAFNOSUPPORT);
	assert_int_equal(under_filter(make_alg), EAFNOSUPPORT);
	assert_int_equal(under_filter(make_high_bits), EAFNOSUPPORT);
	assert_int_equal(under_filter(make_netfilter), EPROTONOSUPPORT);
	assert_int_equal(under_filter(make_mptcp), EPROTONOSUPPORT);
	assert_int_equal(under_filter(make_mptcp_high_bits), EPROTONOSUPPORT);
	assert_int_equal(under_filter(make_route), 0);
	assert_int_equal(under_filter(make_tcp), 0);
	assert_int_equal(under_filter(make_tcp6), 0);
	assert_int_equal(under_filter(make_unix), 0);
}

static long make_pair(int family)
{
	int fds[2];
	return syscall(SYS_socketpair, family, SOCK_STREAM, 0, fds);
}
CALL(make_inet_pair, make_pair(AF_INET)) /* the kernel itself would say EOPNOTSUPP */
CALL(make_unix_pair, make_pair(AF_UNIX))

static void only_unix_pairs_can_be_made(void **state)
{
	(void)state;
	assert_int_equal(under_filter(make_inet_pair), EAFNOSUPPORT);
	assert_int_equal(under_filter(make_unix_pair), 0);
}

CALL(inject, syscall(SYS_ioctl, 0, TIOCSTI, "x"))
CALL(inject_high_bits, syscall(SYS_ioctl, 0, 0xffffffff00000000UL | TIOCSTI, "x"))
CALL(paste, syscall(SYS_ioctl, 0, TIOCLINUX, "x"))
CALL(ask_size, syscall(SYS_ioctl, 999, TIOCGWINSZ, NULL)) /* reaches the kernel: no such descriptor */

static void the_terminal_takes_no_typed_input(void **state)
{
	(void)state;
	assert_int_equal(under_filter(inject), EPERM);
	assert_int_equal(under_filter(inject_high_bits), EPERM);
	assert_int_equal(under_filter(paste), EPERM);
	assert_int_equal(under_filter(ask_size), EBADF);
}

CALL(new_user_namespace, unshare(CLONE_NEWUSER))
CALL(clone_user_namespace, syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0))
CALL(clone_net_namespace, syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0))
CALL(clone_3, syscall(SYS_clone3, NULL, 0))
CALL(join, setns(0, 0))
CALL(mount_something, syscall(SYS_mount, "a", "b", "c", 0, 0))
CALL(new_mount_api, syscall(SYS_fsopen, "tmpfs", 0))

static long fork_and_wait(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return waitpid(pid, NULL, 0);
}

static void no_namespace_and_no_mount_can_be_made(void **state)
{
	(void)state;
	assert_int_equal(under_filter(new_user_namespace), EPERM);
	assert_int_equal(under_filter(clone_user_namespace), EPERM);
	assert_int_equal(under_filter(clone_net_namespace), EPERM);
	assert_int_equal(under_filter(clone_3), ENOSYS);
	assert_int_equal(under_filter(join), EPERM);
	assert_int_equal(under_filter(mount_something), EPERM);
	assert_int_equal(under_filter(new_mount_api), EPERM);
	assert_int_equal(under_filter(fork_and_wait), 0);
}

CALL(ring, syscall(SYS_io_uring_setup, 4, NULL))
CALL(ring_enter, syscall(SYS_io_uring_enter, 0, 0, 0, 0, NULL, 0))
CALL(load_bpf, syscall(SYS_bpf, 0, NULL, 0))
CALL(fault, syscall(SYS_userfaultfd, 0))
CALL(keys, syscall(SYS_keyctl, 0, 0))
CALL(perf, syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0))
CALL(by_handle, syscall(SYS_open_by_handle_at, -1, NULL, 0))
CALL(register_ring, syscall(SYS_io_uring_register, -1, 0, NULL, 0))
CALL(add_a_key, syscall(SYS_add_key, "user", "x", "y", 1, 0))
CALL(poll_set, epoll_create1(0))
CALL(be_traced, ptrace(PTRACE_TRACEME, 0, NULL, NULL))

static void what_passes_no_filter_is_refused(void **state)
{
	(void)state;
	assert_int_equal(under_filter(ring), EPERM);
	assert_int_equal(under_filter(ring_enter), EPERM);
	assert_int_equal(under_filter(load_bpf), EPERM);
	assert_int_equal(under_filter(fault), EPERM);
	assert_int_equal(under_filter(keys), EPERM);
	assert_int_equal(under_filter(perf), EPERM);
	assert_int_equal(under_filter(by_handle), EPERM);
	assert_int_equal(under_filter(register_ring), EPERM);
	assert_int_equal(under_filter(add_a_key), EPERM);
	assert_int_equal(under_filter(poll_set), 0);
	assert_int_equal(under_filter(be_traced), 0); /* debuggers work */
}

static void another_architecture_ends_the_process(void **state)
{
	(void)state;
#ifdef __x86_64__
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (seccomp_install(&seccomp_agent, NULL) < 0)
			_exit(250);
		long number = 0x40000000 | 39; /* getpid by the x32 table */
		__asm__ volatile("syscall" : "+a"(number) : : "rcx", "r11", "memory");
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_four_families_can_be_made),
		cmocka_unit_test(only_unix_pairs_can_be_made),
		cmocka_unit_test(the_terminal_takes_no_typed_input),
		cmocka_unit_test(no_namespace_and_no_mount_can_be_made),
		cmocka_unit_test(what_passes_no_filter_is_refused),
		cmocka_unit_test(another_architecture_ends_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
