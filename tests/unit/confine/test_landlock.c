/* SPDX-License-Identifier: Apache-2.0 */
/* The second layer: what a path is not listed for fails, and what it is listed for works. */
#include "confine/landlock.h"
#include "base/fs.h"
#include "base/own.h"
#include "confine/privs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char root[] = "/tmp/drydock-landlock-XXXXXX";
static char open_dir[64], closed_dir[64], read_dir[64];

enum { BROKEN = 250 };

/* The errno of one call made in the domain; 0 when it went through. */
static int in_domain(int (*enter)(void), long (*call)(void))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (enter() < 0)
			_exit(BROKEN);
		_exit(call() < 0 ? errno : 0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != BROKEN);
	return WEXITSTATUS(status);
}

static int enter_paths(void)
{
	const struct landlock_path paths[] = {
		{open_dir, 1}, {read_dir, 0}, {"/usr", 0}, {"/lib64", 0}, {"/no/such/folder", 1}};
	if (privs_no_new(NULL) < 0)
		return -1;
	return landlock_restrict(paths, sizeof(paths) / sizeof(paths[0]), NULL);
}

static long open_in(const char *dir, int flags)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/file", dir);
	return open(path, flags | O_CLOEXEC);
}

static long write_open(void) { return open_in(open_dir, O_WRONLY); }
static long write_read_only(void) { return open_in(read_dir, O_WRONLY); }
static long read_read_only(void) { return open_in(read_dir, O_RDONLY); }
static long read_closed(void) { return open_in(closed_dir, O_RDONLY); }
static long make_open(void)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/made", open_dir);
	return mkdir(path, 0700);
}
static long make_read_only(void)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/made", read_dir);
	return mkdir(path, 0700);
}

static void only_what_is_listed_can_be_used_and_only_as_listed(void **state)
{
	(void)state;
	if (landlock_abi() < 1)
		skip();
	assert_int_equal(in_domain(enter_paths, write_open), 0);
	assert_int_equal(in_domain(enter_paths, make_open), 0);
	assert_int_equal(in_domain(enter_paths, read_read_only), 0);
	assert_int_equal(in_domain(enter_paths, write_read_only), EACCES);
	assert_int_equal(in_domain(enter_paths, make_read_only), EACCES);
	assert_int_equal(in_domain(enter_paths, read_closed), EACCES);
}

static int enter_nothing(void)
{
	return landlock_nothing(0, NULL);
}
static int enter_nothing_but_connect(void)
{
	return landlock_nothing(LANDLOCK_MAY_CONNECT | LANDLOCK_MAY_SIGNAL, NULL);
}

/* Port 9 of loopback: refused when the call reaches the network, EACCES when it does not. */
static long connect_somewhere(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != ECONNREFUSED ? -1 : 0;
}
static long bind_somewhere(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return bind(fd, (struct sockaddr *)&to, sizeof(to));
}
static long signal_parent(void) { return kill(getppid(), 0); }

static void nothing_means_no_file_no_port_and_no_signal(void **state)
{
	(void)state;
	if (landlock_abi() < 6)
		skip();
	assert_int_equal(in_domain(enter_nothing, write_open), EACCES);
	assert_int_equal(in_domain(enter_nothing, connect_somewhere), EACCES);
	assert_int_equal(in_domain(enter_nothing, bind_somewhere), EACCES);
	assert_int_equal(in_domain(enter_nothing, signal_parent), EPERM);
	/* its twin */
	assert_int_equal(in_domain(enter_nothing_but_connect, connect_somewhere), 0);
	assert_int_equal(in_domain(enter_nothing_but_connect, signal_parent), 0);
	assert_int_equal(in_domain(enter_nothing_but_connect, bind_somewhere), EACCES);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(root))
		return -1;
	const struct {
		char *path;
		const char *name;
	} dirs[] = {{open_dir, "open"}, {closed_dir, "closed"}, {read_dir, "read"}};
	for (size_t i = 0; i < 3; i++) {
		char file[128];
		(void)snprintf(dirs[i].path, sizeof(open_dir), "%s/%s", root, dirs[i].name);
		(void)snprintf(file, sizeof(file), "%s/file", dirs[i].path);
		if (mkdir(dirs[i].path, 0700) < 0 || fs_replace(file, span_of("x"), 0600, NULL) < 0)
			return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	AUTO(fd) int dir = open("/tmp", O_RDONLY | O_DIRECTORY);
	return fs_remove_tree(dir, root + 5, 100, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_listed_can_be_used_and_only_as_listed),
		cmocka_unit_test(nothing_means_no_file_no_port_and_no_signal),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
