/* SPDX-License-Identifier: Apache-2.0 */
/* C-22: entries that would run on the host do not stay when they appear, and others do. */
#include "jail/protect.h"
#include "base/fs.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static char root[64], project[80], session[80];
static int n_reports;

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(root, sizeof(root), "/tmp/drydock-protect-XXXXXX");
	assert_non_null(mkdtemp(root));
	(void)snprintf(project, sizeof(project), "%s/project", root);
	(void)snprintf(session, sizeof(session), "%s/session", root);
	n_reports = 0;
	return mkdir(project, 0700) | mkdir(session, 0700);
}

static int tear_down(void **state)
{
	(void)state;
	AUTO(fd) int dir = open("/tmp", O_RDONLY | O_DIRECTORY);
	return fs_remove_tree(dir, root + 5, 200, NULL);
}

static const char *at(const char *name)
{
	static char path[200];
	(void)snprintf(path, sizeof(path), "%s/%s", project, name);
	return path;
}

static void put(const char *name)
{
	assert_int_equal(fs_replace(at(name), span_of("x"), 0600, NULL), 0);
}

static bool is_there(const char *name)
{
	struct stat st;
	return lstat(at(name), &st) == 0;
}

static void report(const char *entry, const char *to, void *arg)
{
	struct stat st;
	(void)entry, (void)arg;
	assert_int_equal(lstat(to, &st), 0);
	n_reports++;
}

static void what_appears_is_moved_and_what_was_there_stays(void **state)
{
	(void)state;
	struct protect p;
	put(".envrc");
	assert_int_equal(mkdir(at(".git"), 0700), 0);
	protect_begin(project, &p);
	put(".mcp.json");
	put(".git/commondir");
	put("harmless");
	assert_int_equal(mkdir(at(".vscode"), 0700), 0);
	put(".vscode/tasks.json");
	assert_int_equal(protect_end(&p, session, report, NULL, NULL), 3);
	assert_int_equal(n_reports, 3);
	assert_false(is_there(".mcp.json") || is_there(".git/commondir") || is_there(".vscode"));
	assert_true(is_there(".envrc") && is_there("harmless"));
}

static void it_is_moved_again_under_another_name(void **state)
{
	(void)state;
	struct protect p;
	protect_begin(project, &p);
	for (int i = 0; i < 3; i++) {
		put(".envrc");
		assert_int_equal(protect_end(&p, session, report, NULL, NULL), 1);
	}
	assert_int_equal(protect_end(&p, session, report, NULL, NULL), 0);
}

static void a_link_on_the_way_is_not_followed(void **state)
{
	(void)state;
	struct protect p;
	protect_begin(project, &p);
	assert_int_equal(mkdir(at("elsewhere"), 0700), 0);
	put("elsewhere/settings.json");
	assert_int_equal(symlink("elsewhere", at(".claude")), 0);
	assert_int_equal(protect_end(&p, session, report, NULL, NULL), 0);
	assert_true(is_there("elsewhere/settings.json"));
}

static void a_watch_wakes_for_protected_names_only(void **state)
{
	(void)state;
	struct protect p;
	protect_begin(project, &p);
	AUTO(fd) int fd = protect_watch(&p);
	assert_true(fd >= 0);
	put("harmless");
	assert_false(protect_drain(&p, fd));
	put(".envrc");
	assert_true(protect_drain(&p, fd));
	assert_int_equal(mkdir(at(".claude"), 0700), 0);
	assert_true(protect_drain(&p, fd)); /* and watches it from now on */
	put(".claude/settings.json");
	assert_true(protect_drain(&p, fd));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_appears_is_moved_and_what_was_there_stays),
		TEST(it_is_moved_again_under_another_name),
		TEST(a_link_on_the_way_is_not_followed),
		TEST(a_watch_wakes_for_protected_names_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
