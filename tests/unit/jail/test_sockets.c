/* SPDX-License-Identifier: Apache-2.0 */
/* C-12: the host's sockets are found by the paths at which a jail could show them. */
#include "jail/sockets.h"
#include "base/fs.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char root[] = "/tmp/drydock-sockets-XXXXXX";

static int bind_at(const char *name, int type)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", root, name);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int connect_to(const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", root, name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static size_t count(char **paths, size_t n, const char *name)
{
	char path[128];
	size_t n_found = 0;
	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	for (size_t i = 0; i < n; i++)
		n_found += !strcmp(paths[i], path);
	return n_found;
}

static void each_is_listed_once_by_its_real_path(void **state)
{
	(void)state;
	char link[64];
	(void)snprintf(link, sizeof(link), "%s/link", root);
	assert_int_equal(symlink("real", link), 0);
	AUTO(fd) int plain = bind_at("real/plain with blanks", SOCK_STREAM);
	AUTO(fd) int datagrams = bind_at("real/datagrams", SOCK_DGRAM);
	AUTO(fd) int by_link = bind_at("link/by-link", SOCK_STREAM);
	AUTO(fd) int client = connect_to("real/by-link");
	AUTO(fd) int served = accept(by_link, NULL, NULL); /* shows the path a second time */
	assert_true(plain >= 0 && datagrams >= 0 && client >= 0 && served >= 0);
	char **paths = NULL;
	size_t n = 0;
	assert_int_equal(sockets_list(&paths, &n, NULL), 0);
	assert_int_equal(count(paths, n, "real/plain with blanks"), 1);
	assert_int_equal(count(paths, n, "real/datagrams"), 1);
	assert_int_equal(count(paths, n, "real/by-link"), 1);
	assert_int_equal(count(paths, n, "link/by-link"), 0);
	sockets_free(paths, n);
}

static int set_up(void **state)
{
	char real[64];
	(void)state;
	if (!mkdtemp(root))
		return -1;
	(void)snprintf(real, sizeof(real), "%s/real", root);
	return mkdir(real, 0700);
}

static int tear_down(void **state)
{
	(void)state;
	AUTO(fd) int dir = open("/tmp", O_RDONLY | O_DIRECTORY);
	return fs_remove_tree(dir, root + 5, 50, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_listed_once_by_its_real_path),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
