/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_sandboxes.c - the real filters: what each process may not do kills it, what it needs works: C-16, C-18 */
#include "base/own.h"
#include "confine/seccomp.h"
#include "egress/broker/sandbox.h"
#include "egress/resolver/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

enum who { WORKER = 1, BROKER = 2, RESOLVER = 4, ALL = 7 };

static int enter(enum who who)
{
	struct err err = {0};

	switch (who) {
	case WORKER:
		return seccomp_install(&seccomp_worker, &err);
	case BROKER:
		return broker_sandbox_enter(&err);
	case RESOLVER:
		return resolver_sandbox_enter(&err);
	case ALL:
		break;
	}
	return -EINVAL;
}

/* System calls that none, or not all, of the three may make. */
static const struct {
	const char *name;
	int who; /* enum who bits of those it kills */
	long number;
	long args[6];
} forbidden[] = {
	{"open", ALL, SYS_open, {0}},
	{"openat", ALL, SYS_openat, {AT_FDCWD}},
	{"openat2", ALL, SYS_openat2, {AT_FDCWD}},
	{"creat", ALL, SYS_creat, {0}},
	{"memfd_create", ALL, SYS_memfd_create, {0}},
	{"name_to_handle_at", ALL, SYS_name_to_handle_at, {AT_FDCWD}},
	{"open_by_handle_at", ALL, SYS_open_by_handle_at, {0}},
	{"stat of a path", ALL, SYS_newfstatat, {AT_FDCWD}},
	{"unlinkat", ALL, SYS_unlinkat, {AT_FDCWD}},
	{"execve", ALL, SYS_execve, {0}},
	{"execveat", ALL, SYS_execveat, {AT_FDCWD}},
	{"fork", ALL, SYS_fork, {0}},
	{"clone", ALL, SYS_clone, {SIGCHLD}},
	{"clone3", ALL, SYS_clone3, {0}},
	{"kill", ALL, SYS_kill, {1, 0}},
	{"ptrace", ALL, SYS_ptrace, {PTRACE_TRACEME}},
	{"process_vm_readv", ALL, SYS_process_vm_readv, {1}},
	{"pidfd_open", ALL, SYS_pidfd_open, {1}},
	{"pidfd_getfd", ALL, SYS_pidfd_getfd, {-1}},
	{"prctl", ALL, SYS_prctl, {PR_SET_DUMPABLE, 1}},
	{"unshare", ALL, SYS_unshare, {0}},
	{"setns", ALL, SYS_setns, {-1}},
	{"mount", ALL, SYS_mount, {0}},
	{"bpf", ALL, SYS_bpf, {0}},
	{"keyctl", ALL, SYS_keyctl, {0}},
	{"io_uring_setup", ALL, SYS_io_uring_setup, {0}},
	{"userfaultfd", ALL, SYS_userfaultfd, {0}},
	{"perf_event_open", ALL, SYS_perf_event_open, {0}},
	{"ioctl", ALL, SYS_ioctl, {0, 0x5412}},
	{"executable mmap",
	 ALL,
	 SYS_mmap,
	 {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
	{"executable mprotect", ALL, SYS_mprotect, {0, 4096, PROT_READ | PROT_EXEC}},
	{"socket AF_UNIX", ALL, SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
	{"socket AF_NETLINK", ALL, SYS_socket, {AF_NETLINK, SOCK_RAW, 0}},
	{"socket AF_PACKET", ALL, SYS_socket, {AF_PACKET, SOCK_RAW, 0}},
	{"socket AF_VSOCK", ALL, SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}},
	{"socket AF_INET", WORKER | RESOLVER, SYS_socket, {AF_INET, SOCK_STREAM, 0}},
	{"socket AF_INET6", WORKER | RESOLVER, SYS_socket, {AF_INET6, SOCK_DGRAM, 0}},
	{"socketpair", ALL, SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0}},
	{"connect", WORKER | RESOLVER, SYS_connect, {-1}},
	{"bind", ALL, SYS_bind, {-1}},
	{"listen", ALL, SYS_listen, {-1}},
	{"accept", RESOLVER, SYS_accept4, {-1}},
	{"splice", BROKER | RESOLVER, SYS_splice, {-1}},
	{"recvfrom", BROKER, SYS_recvfrom, {-1}},
	{"SO_BINDTODEVICE", BROKER | RESOLVER, SYS_setsockopt, {-1, SOL_SOCKET, SO_BINDTODEVICE}},
	{"dup3", BROKER | WORKER, SYS_dup3, {-1, -1}},
};

/* Runs @child in a process of its own; returns its wait status. */
static int status_of(void (*child)(enum who, const void *), enum who who, const void *what)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (enter(who) < 0)
			_exit(99);
		child(who, what);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void call_forbidden(enum who who, const void *what)
{
	const __typeof__(forbidden[0]) *row = what;

	(void)who;
	syscall(row->number, row->args[0], row->args[1], row->args[2], row->args[3], row->args[4],
		row->args[5]);
}

static void nothing(enum who who, const void *what)
{
	(void)who, (void)what;
}

static void skip_with_sanitizers(void)
{
#ifdef DRYDOCK_SANITIZED
	print_message("skipped: the sanitizers' own needs widen the filters\n");
	skip();
#endif
}

static void whatever_a_process_may_not_do_kills_it(void **state)
{
	(void)state;
	skip_with_sanitizers();
	for (enum who who = WORKER; who <= RESOLVER; who = (enum who)(who * 2)) {
		int status = status_of(nothing, who, NULL);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
			if (!(forbidden[i].who & (int)who))
				continue;
			status = status_of(call_forbidden, who, &forbidden[i]);
			if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
				fail_msg("process %d survives %s: status %x", (int)who,
					 forbidden[i].name, (unsigned)status);
		}
	}
}

#ifdef __x86_64__
static void call_by_other_gates(enum who who, const void *what)
{
	(void)who;
	if (what) {
		syscall(0x40000000L | SYS_write, 2, "", 0); /* x32 */
		return;
	}
	long number = 4; /* i386: write */
	__asm__ volatile("int $0x80" : "+a"(number) : "b"(2), "c"(0), "d"(0) : "memory");
}
#endif

static void other_call_tables_are_closed(void **state)
{
	(void)state;
	skip_with_sanitizers();
#ifdef __x86_64__
	for (enum who who = WORKER; who <= RESOLVER; who = (enum who)(who * 2)) {
		int status = status_of(call_by_other_gates, who, "x32");
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
		status = status_of(call_by_other_gates, who,
				   NULL); /* SIGSEGV: the kernel has no i386 calls */
		assert_true(WIFSIGNALED(status) &&
			    (WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV));
	}
#endif
}

static int listen_on_loopback(struct sockaddr_in *at)
{
	socklen_t bytes = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_in){.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)at, sizeof(*at)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &bytes), 0);
	return fd;
}

static void dial(enum who who, const void *what)
{
	(void)who;
	const struct sockaddr_in *at = what;
	int on = 1;
	struct tcp_info info;
	socklen_t bytes = sizeof(info);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    connect(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 ||
	    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) < 0 || shutdown(fd, SHUT_RDWR) < 0)
		_exit(1);
}

static void the_broker_may_dial(void **state)
{
	(void)state;
	struct sockaddr_in at;
	AUTO(fd) int listener = listen_on_loopback(&at);
	assert_true(listener >= 0);
	assert_int_equal(status_of(dial, BROKER, &at), 0);
}

static void take_over_socket(enum who who, const void *what)
{
	(void)who;
	const int *fds = what;
	int placeholder = fcntl(fds[1], F_DUPFD_CLOEXEC, 3);
	char got[4];
	if (placeholder < 0 || dup3(fds[0], placeholder, O_CLOEXEC) < 0 ||
	    recvfrom(placeholder, got, sizeof(got), MSG_DONTWAIT, NULL, NULL) != 2)
		_exit(1);
}

static void the_resolver_may_use_a_socket_it_is_handed(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(send(ends[1], "hi", 2, 0), 2);
	const int fds[] = {ends[0], open("/dev/null", O_RDWR | O_CLOEXEC)};
	assert_int_equal(status_of(take_over_socket, RESOLVER, fds), 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)close(fds[1]);
}

static void accept_and_read(enum who who, const void *what)
{
	(void)who;
	char got[4];
	int fd = accept4(*(const int *)what, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0 || recvfrom(fd, got, sizeof(got), 0, NULL, NULL) != 2 ||
	    shutdown(fd, SHUT_RDWR) < 0)
		_exit(1);
}

static void the_worker_may_accept_on_a_listener_it_is_handed(void **state)
{
	(void)state;
	struct sockaddr_in at;
	AUTO(fd) int listener = listen_on_loopback(&at);
	AUTO(fd) int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(send(client, "hi", 2, 0), 2);
	assert_int_equal(status_of(accept_and_read, WORKER, &listener), 0);
}

/* The broker's own death must end its peers, whatever they do. */
static void a_child_of_the_confined_broker_dies_with_it(void **state)
{
	(void)state;
	int status, pids[2];
	pid_t child;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* the orphan comes to us */
	assert_int_equal(pipe2(pids, O_CLOEXEC), 0);
	pid_t broker = fork();
	if (broker == 0) {
		child = fork();
		if (child == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			child = getpid();
			(void)!write(pids[1], &child, sizeof(child));
			for (;;)
				pause();
		}
		char go;
		(void)!read(pids[0], &go, 0);
		_exit(enter(BROKER) < 0 ||
		      read(pids[0], &child, sizeof(child)) != (ssize_t)sizeof(child) ||
		      write(pids[1], &child, sizeof(child)) < 0);
	}
	assert_int_equal(waitpid(broker, &status, 0), broker);
	assert_int_equal(status, 0);
	assert_int_equal(read(pids[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	(void)close(pids[0]);
	(void)close(pids[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_a_process_may_not_do_kills_it),
		cmocka_unit_test(other_call_tables_are_closed),
		cmocka_unit_test(the_broker_may_dial),
		cmocka_unit_test(the_resolver_may_use_a_socket_it_is_handed),
		cmocka_unit_test(the_worker_may_accept_on_a_listener_it_is_handed),
		cmocka_unit_test(a_child_of_the_confined_broker_dies_with_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
