/* SPDX-License-Identifier: Apache-2.0 */
/* Removal of a tree: whatever its modes, never through a link, never more than was agreed. */
#include "base/fs.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static char root[64];

static void sh(const char *script)
{
	char cmd[512];
	assert_true(snprintf(cmd, sizeof(cmd), "cd %s && %s", root, script) < (int)sizeof(cmd));
	assert_int_equal(system(cmd), 0);
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(root, sizeof(root), "/tmp/drydock-fs-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	AUTO(fd) int dir = open("/tmp", O_RDONLY | O_DIRECTORY);
	return fs_remove_tree(dir, root + 5, 100, NULL);
}

static int remove_it(const char *name, size_t max)
{
	AUTO(fd) int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fs_remove_tree(dir, name, max, NULL);
}

static bool is_there(const char *name)
{
	char path[128];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	return lstat(path, &st) == 0;
}

/* Root passes any mode: this one is about ordinary users. */
static void folders_that_may_not_be_written_or_read_go_too(void **state)
{
	(void)state;
	sh("mkdir -p a/b/c a/d a/e && touch a/b/x a/b/c/y a/d/z a/e/w && chmod 500 a/b && chmod 300 a/d && chmod 0 a/e "
	   "&& chmod 500 a");
	assert_int_equal(remove_it("a", 100), 0);
	assert_false(is_there("a"));
}

static void a_link_goes_and_what_it_leads_to_stays(void **state)
{
	(void)state;
	sh("mkdir -p a outside && touch outside/kept && ln -s ../outside a/link");
	assert_int_equal(remove_it("a", 100), 0);
	assert_true(is_there("outside/kept"));
}

static void more_entries_than_agreed_are_an_error(void **state)
{
	(void)state;
	sh("mkdir a && touch a/1 a/2 a/3 a/4");
	assert_true(remove_it("a", 3) < 0);
	assert_int_equal(remove_it("a", 10), 0);
	assert_int_equal(remove_it("never-there", 10), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(folders_that_may_not_be_written_or_read_go_too),
		TEST(a_link_goes_and_what_it_leads_to_stays),
		TEST(more_entries_than_agreed_are_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
