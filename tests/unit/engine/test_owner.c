/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/engine/test_owner.c - which program made a connection; the sessions here are namespaces of the test's own */
#include "engine/owner.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { PORT = 40123, CANNOT = 77 };

/* What a session tells of the socket it made. */
struct scene {
	struct owner_socket socket;
	pid_t child; /* as the session sees it, where a second process matters */
};

static bool lo_up(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	AUTO(fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
}

static bool name_of(int fd, bool is_peer, struct endpoint *out)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	int rc = is_peer ? getpeername(fd, (struct sockaddr *)&ss, &n) : getsockname(fd, (struct sockaddr *)&ss, &n);
	return rc == 0 && addr_from_sockaddr(&ss, &out->at, &out->port);
}

/* A server at @port (0 for any) of ::, so that both families reach it, and a client of @family; no descriptor is closed. */
static bool connected(int type, const char *address, uint16_t from_port, struct scene *out)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6}, to6 = {.sin6_family = AF_INET6};
	struct sockaddr_in to4 = {.sin_family = AF_INET}, from = {.sin_family = AF_INET, .sin_port = htons(from_port)};
	int server = socket(AF_INET6, type, 0), off = 0;
	struct endpoint at;
	if (setsockopt(server, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
	    bind(server, (struct sockaddr *)&any, sizeof(any)) < 0 || (type == SOCK_STREAM && listen(server, 8) < 0) ||
	    !name_of(server, false, &at))
		return false;
	bool is_v4 = inet_pton(AF_INET, address, &to4.sin_addr) == 1;
	to4.sin_port = to6.sin6_port = htons(at.port);
	if (!is_v4 && inet_pton(AF_INET6, address, &to6.sin6_addr) != 1)
		return false;
	int client = socket(is_v4 ? AF_INET : AF_INET6, type, 0);
	if (from_port && bind(client, (struct sockaddr *)&from, sizeof(from)) < 0)
		return false;
	if ((is_v4 ? connect(client, (struct sockaddr *)&to4, sizeof(to4))
		   : connect(client, (struct sockaddr *)&to6, sizeof(to6))) < 0)
		return false;
	out->socket.protocol = type == SOCK_STREAM ? OWNER_TCP : OWNER_UDP;
	return name_of(client, false, &out->socket.client) && name_of(client, true, &out->socket.server);
}

static bool tcp4(struct scene *out) { return connected(SOCK_STREAM, "127.0.0.1", 0, out); }
static bool tcp6(struct scene *out) { return connected(SOCK_STREAM, "::1", 0, out); }
static bool tcp_mapped(struct scene *out) { return connected(SOCK_STREAM, "::ffff:127.0.0.1", 0, out); }
static bool tcp4_fixed(struct scene *out) { return connected(SOCK_STREAM, "127.0.0.1", PORT, out); }
static bool udp4(struct scene *out) { return connected(SOCK_DGRAM, "127.0.0.1", 0, out); }
static bool udp6(struct scene *out) { return connected(SOCK_DGRAM, "::1", 0, out); }

static bool udp_unconnected(struct scene *out)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	*out = (struct scene){.socket = {.protocol = OWNER_UDP}};
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || !name_of(fd, false, &out->socket.client))
		return false;
	return addr_parse(span_of("127.0.0.1"), &out->socket.client.at) &&
	       endpoint_parse(span_of("8.8.8.8:53"), &out->socket.server);
}

static bool odd_name(struct scene *out)
{
	return prctl(PR_SET_NAME, "a\n\033[2Jb) c") == 0 && tcp4(out);
}

/* The process with the socket is the second one; the first does not hold it. */
static bool by_a_child(struct scene *out)
{
	int ends[2];
	if (pipe(ends) < 0)
		return false;
	out->child = fork();
	if (out->child == 0) {
		bool is_good = prctl(PR_SET_NAME, "fetcher") == 0 && tcp4(out);
		is_good = is_good && write(ends[1], out, sizeof(*out)) == (ssize_t)sizeof(*out);
		for (;;)
			(void)(is_good ? pause() : 0);
	}
	pid_t child = out->child;
	bool is_told = read(ends[0], out, sizeof(*out)) == (ssize_t)sizeof(*out);
	out->child = child;
	return is_told;
}

static bool held_by_two(struct scene *out)
{
	if (!tcp4(out))
		return false;
	out->child = fork();
	for (; out->child == 0;)
		(void)pause();
	return true;
}

/* So many descriptors that the one that counts lies behind the limit; the socket itself comes last. */
static bool behind_the_limit(struct scene *out)
{
	struct rlimit limit = {OWNER_MAX_FDS + 64, OWNER_MAX_FDS + 64};
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		_exit(CANNOT);
	for (int i = 0; i < OWNER_MAX_FDS; i++)
		if (dup(0) < 0)
			return false;
	return tcp4(out);
}

/* A session around @play: its first process stays until it is killed. */
static pid_t begin(bool (*play)(struct scene *), struct scene *out)
{
	int ends[2];
	*out = (struct scene){0};
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	long pid = syscall(SYS_clone, (unsigned long)(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | SIGCHLD), NULL, NULL,
			   NULL, 0);
	if (pid == 0) {
		struct scene scene = {0};
		if (!lo_up() || !play(&scene) || write(ends[1], &scene, sizeof(scene)) != (ssize_t)sizeof(scene))
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)close(ends[1]);
	if (pid < 0 && (errno == EPERM || errno == ENOSPC)) {
		print_message("skipped: no user namespace may be made here\n");
		(void)close(ends[0]);
		skip();
	}
	assert_true(pid > 0);
	ssize_t n = read(ends[0], out, sizeof(*out));
	(void)close(ends[0]);
	if (n != (ssize_t)sizeof(*out)) {
		int status;
		assert_int_equal(waitpid((pid_t)pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
			print_message("skipped: not so many descriptors are allowed here\n");
			skip();
		}
		fail_msg("the session could not be set up");
	}
	return (pid_t)pid;
}

static void end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void assert_is_own(bool (*play)(struct scene *))
{
	struct scene scene;
	struct owner owner;
	char own_name[32] = "", own_exe[OWNER_EXE_BYTES] = "";
	pid_t pid = begin(play, &scene);
	assert_int_equal(prctl(PR_GET_NAME, own_name), 0);
	assert_true(readlink("/proc/self/exe", own_exe, sizeof(own_exe) - 1) > 0);
	assert_true(owner_find(pid, &scene.socket, &owner));
	assert_int_equal(owner.pid, pid);
	assert_string_equal(owner.name, own_name);
	assert_string_equal(owner.exe, own_exe);
	end(pid);
}

static void who_connected_is_found_in_every_family(void **state)
{
	(void)state;
	assert_is_own(tcp4);
	assert_is_own(tcp6);
	assert_is_own(tcp_mapped);
}

static void who_asked_by_udp_is_found_connected_or_not(void **state)
{
	(void)state;
	assert_is_own(udp4);
	assert_is_own(udp6);
	assert_is_own(udp_unconnected);
}

static void what_nobody_holds_has_no_owner(void **state)
{
	(void)state;
	struct scene scene;
	struct owner owner = {.pid = 4711};
	pid_t pid = begin(tcp4_fixed, &scene);
	struct owner_socket s = scene.socket;
	s.client.port = PORT + 1; /* nobody's */
	assert_false(owner_find(pid, &s, &owner));
	s = scene.socket;
	s.client.at.bytes[3] = 2; /* another address */
	assert_false(owner_find(pid, &s, &owner));
	s = scene.socket;
	s.server.port ^= 1; /* not where it went */
	assert_false(owner_find(pid, &s, &owner));
	s = scene.socket;
	s.client.port = scene.socket.server.port; /* one that listens has asked for nothing */
	s.client.at = (struct addr){.is_v6 = true};
	s.server.port = 0;
	assert_false(owner_find(pid, &s, &owner));
	s = scene.socket;
	s.protocol = OWNER_UDP;
	assert_false(owner_find(pid, &s, &owner));
	assert_int_equal(owner.pid, 4711);
	s = scene.socket;
	s.server.port = 0; /* its twin: nothing is known of the other end */
	assert_true(owner_find(pid, &s, &owner));
	end(pid);
	assert_false(owner_find(pid, &scene.socket, &owner));
}

static void the_same_port_in_two_sessions_has_two_owners(void **state)
{
	(void)state;
	struct scene one, two;
	struct owner owner;
	pid_t first = begin(tcp4_fixed, &one), second = begin(tcp4_fixed, &two);
	one.socket.server.port = two.socket.server.port = 0;
	assert_true(owner_find(first, &one.socket, &owner));
	assert_int_equal(owner.pid, first);
	assert_true(owner_find(second, &two.socket, &owner));
	assert_int_equal(owner.pid, second);
	end(first);
	end(second);
}

static void the_child_that_connected_is_named_not_its_parent(void **state)
{
	(void)state;
	struct scene scene;
	struct owner owner;
	pid_t pid = begin(by_a_child, &scene);
	assert_true(owner_find(pid, &scene.socket, &owner));
	assert_int_not_equal(owner.pid, pid);
	assert_string_equal(owner.name, "fetcher");
	end(pid);
}

static void of_two_that_hold_it_the_first_is_named(void **state)
{
	(void)state;
	struct scene scene;
	struct owner owner;
	pid_t pid = begin(held_by_two, &scene);
	assert_true(owner_find(pid, &scene.socket, &owner));
	assert_int_equal(owner.pid, pid);
	end(pid);
}

static void a_name_comes_as_it_is(void **state)
{
	(void)state;
	struct scene scene;
	struct owner owner;
	pid_t pid = begin(odd_name, &scene);
	assert_true(owner_find(pid, &scene.socket, &owner));
	assert_string_equal(owner.name, "a\n\033[2Jb) c");
	end(pid);
}

static void a_session_with_more_than_is_looked_at_gets_no_answer(void **state)
{
	(void)state;
	struct scene scene;
	struct owner owner;
	pid_t pid = begin(behind_the_limit, &scene);
	assert_false(owner_find(pid, &scene.socket, &owner));
	end(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_connected_is_found_in_every_family),
		cmocka_unit_test(who_asked_by_udp_is_found_connected_or_not),
		cmocka_unit_test(what_nobody_holds_has_no_owner),
		cmocka_unit_test(the_same_port_in_two_sessions_has_two_owners),
		cmocka_unit_test(the_child_that_connected_is_named_not_its_parent),
		cmocka_unit_test(of_two_that_hold_it_the_first_is_named),
		cmocka_unit_test(a_name_comes_as_it_is),
		cmocka_unit_test(a_session_with_more_than_is_looked_at_gets_no_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
