/* SPDX-License-Identifier: Apache-2.0 */
/* The jail's network by itself, in namespaces of the test's own: IPv6 switched off, rights missing. */
#include "confine/privs.h"
#include "jail/netns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NO_NAMESPACE = 77 };

static int in_namespace(int (*body)(void))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ? NO_NAMESPACE : body());
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NO_NAMESPACE)
		skip();
	return WEXITSTATUS(status);
}

/* The errno of a connect() to port 80 there; 0 when it went through. */
static int connect_v4(const char *address)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return -1;
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}
static int connect_v6(const char *address)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (inet_pton(AF_INET6, address, &to.sin6_addr) != 1)
		return -1;
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}

static int with_both(void)
{
	int fds[WIRE_MAX_LISTENERS];
	struct wire_listeners names;
	if (netns_set_up(NULL) < 0 || netns_listen(fds, &names, NULL) < 0)
		return 1;
	return connect_v4("192.0.2.1") || connect_v6("2001:db8::1") ? 2 : 0;
}

static int without_ipv6(void)
{
	int fds[WIRE_MAX_LISTENERS];
	struct wire_listeners names;
	int all = open("/proc/sys/net/ipv6/conf/all/disable_ipv6", O_WRONLY | O_CLOEXEC);
	int lo = open("/proc/sys/net/ipv6/conf/lo/disable_ipv6", O_WRONLY | O_CLOEXEC);
	if (all < 0 || lo < 0 || write(all, "1", 1) != 1 || write(lo, "1", 1) != 1)
		return NO_NAMESPACE;
	if (netns_set_up(NULL) < 0 || netns_listen(fds, &names, NULL) < 0)
		return 1;
	int why = connect_v6("2001:db8::1");
	return why == 0 || why == ECONNREFUSED || connect_v4("192.0.2.1") != 0 ? 2 : 0;
}

static void where_ipv6_is_switched_off_ipv4_works_and_ipv6_leads_nowhere(void **state)
{
	(void)state;
	assert_int_equal(in_namespace(without_ipv6), 0);
	assert_int_equal(in_namespace(with_both), 0);
}

static int without_rights(void)
{
	struct err err = {0};
	if (privs_drop_caps(NULL) < 0)
		return 3;
	if (netns_set_up(&err) != -EPERM || !strstr(err.text, "IPv4"))
		return 1;
	return err.fix[0] ? 0 : 2;
}

static void a_refusal_says_what_it_was_about_and_what_to_do(void **state)
{
	(void)state;
	assert_int_equal(in_namespace(without_rights), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_ipv6_is_switched_off_ipv4_works_and_ipv6_leads_nowhere),
		cmocka_unit_test(a_refusal_says_what_it_was_about_and_what_to_do),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
