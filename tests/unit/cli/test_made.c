/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cli/test_made.c - what is made for an agent stays if it was used, and goes if not */
#include "cli/made.h"
#include "base/fs.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static char top[] = "/tmp/drydock-made-XXXXXX";
static char path[128];

static const char *at(const char *name)
{
	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static mode_t mode_of(const char *name)
{
	struct stat st;
	return lstat(at(name), &st) < 0 ? 0 : st.st_mode;
}

static void what_stays_unused_is_removed_again(void **state)
{
	(void)state;
	struct made m = {0};
	assert_int_equal(made_add(&m, at(".claude"), NULL), 0);
	assert_int_equal(made_add(&m, at(".claude.json"), NULL), 0);
	assert_int_equal(made_add(&m, at(".config/deep/agent"), NULL), 0);
	assert_true(S_ISDIR(mode_of(".claude")));
	assert_int_equal(mode_of(".claude") & 0777, 0700);
	assert_true(S_ISREG(mode_of(".claude.json")));
	assert_int_equal(mode_of(".claude.json") & 0777, 0600);
	assert_true(S_ISDIR(mode_of(".config/deep/agent")));
	made_undo(&m);
	assert_int_equal(mode_of(".claude"), 0);
	assert_int_equal(mode_of(".claude.json"), 0);
	assert_int_equal(mode_of(".config"), 0);
}

static void what_was_used_stays(void **state)
{
	(void)state;
	struct made m = {0};
	assert_int_equal(made_add(&m, at(".claude"), NULL), 0);
	assert_int_equal(made_add(&m, at(".claude.json"), NULL), 0);
	assert_int_equal(fs_replace(at(".claude/login"), span_of("x"), 0600, NULL), 0);
	assert_int_equal(fs_replace(at(".claude.json"), span_of("{\"a\":1}"), 0600, NULL), 0);
	made_undo(&m);
	assert_true(S_ISREG(mode_of(".claude/login")));
	assert_true(S_ISREG(mode_of(".claude.json")));
}

static void what_was_there_is_not_touched(void **state)
{
	(void)state;
	struct made m = {0};
	assert_int_equal(mkdir(at("mine"), 0755), 0);
	assert_int_equal(fs_replace(at("mine.json"), span_of("{}\n"), 0644, NULL), 0);
	assert_int_equal(made_add(&m, at("mine"), NULL), 0);
	assert_int_equal(made_add(&m, at("mine.json"), NULL), 0);
	assert_int_equal(m.n, 0);
	made_undo(&m);
	assert_true(S_ISDIR(mode_of("mine")));
	assert_true(S_ISREG(mode_of("mine.json")));
}

static int set_up(void **state)
{
	(void)state;
	(void)strcpy(top, "/tmp/drydock-made-XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	AUTO(fd) int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fs_remove_tree(tmp, top + 5, 100, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_stays_unused_is_removed_again, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_was_used_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_there_is_not_touched, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
