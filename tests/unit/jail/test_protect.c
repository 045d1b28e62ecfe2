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
	return fs_remove_tree(dir, root + 5, 500, NULL);
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

static void a_link_on_the_way_is_moved_and_what_it_leads_to_stays(void **state)
{
	(void)state;
	struct protect p;
	protect_begin(project, &p);
	assert_int_equal(mkdir(at("elsewhere"), 0700), 0);
	put("elsewhere/settings.json");
	assert_int_equal(symlink("elsewhere", at(".claude")), 0);
	assert_int_equal(symlink("nowhere", at(".git")), 0);
	assert_int_equal(protect_end(&p, session, report, NULL, NULL), 2);
	assert_false(is_there(".claude") || is_there(".git"));
	assert_true(is_there("elsewhere/settings.json"));
}

static void a_git_folder_made_meanwhile_stays_without_its_levers(void **state)
{
	(void)state;
	struct protect p;
	protect_begin(project, &p);
	assert_int_equal(mkdir(at(".git"), 0700), 0);
	put(".git/HEAD");
	put(".git/config");
	assert_int_equal(protect_end(&p, session, report, NULL, NULL), 1);
	assert_true(is_there(".git/HEAD"));
	assert_false(is_there(".git/config"));
}

/* The caller may be root, who needs no such right: the test is about ordinary users. */
static void modes_hide_nothing_and_hold_nothing(void **state)
{
	(void)state;
	static const mode_t modes[] = {0500, 0300, 0311, 0100, 0000};
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct protect p;
		struct stat st;
		protect_begin(project, &p);
		assert_int_equal(mkdir(at(".claude"), 0700), 0);
		put(".claude/settings.json");
		assert_int_equal(mkdir(at(".vscode"), 0700), 0);
		put(".vscode/tasks.json");
		assert_int_equal(chmod(at(".claude"), modes[i]), 0);
		assert_int_equal(chmod(at(".vscode"), modes[i]), 0);
		assert_int_equal(chmod(project, 0500), 0);
		assert_int_equal(protect_end(&p, session, report, NULL, NULL), 2);
		assert_int_equal(stat(project, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0500); /* and stay as the command set them */
		assert_int_equal(stat(at(".claude"), &st), 0);
		assert_int_equal(st.st_mode & 0777, modes[i]);
		assert_int_equal(chmod(project, 0700) | chmod(at(".claude"), 0700), 0);
		assert_false(is_there(".claude/settings.json") || is_there(".vscode"));
		assert_int_equal(rmdir(at(".claude")), 0);
	}
}

static void however_often_it_appears_it_goes(void **state)
{
	(void)state;
	struct protect p;
	protect_begin(project, &p);
	for (int i = 0; i < 120; i++) {
		put(".envrc");
		assert_int_equal(protect_end(&p, session, report, NULL, NULL), 1);
		assert_false(is_there(".envrc"));
	}
}

static void on_another_file_system_it_is_renamed_whatever_stands_there(void **state)
{
	(void)state;
	char other[] = "/dev/shm/drydock-protect-XXXXXX";
	struct stat a, b;
	if (!mkdtemp(other) || stat(other, &a) < 0 || stat(project, &b) < 0 || a.st_dev == b.st_dev)
		skip(); /* no second file system here */
	struct protect p;
	protect_begin(project, &p);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(mkdir(at(".vscode"), 0700), 0);
		put(".vscode/tasks.json");
		/* What the command could have put in the way of the name that was used once. */
		(void)mkdir(at(".vscode.drydock-moved"), 0700);
		put(".vscode.drydock-moved/x");
		assert_int_equal(protect_end(&p, other, report, NULL, NULL), 1);
		assert_false(is_there(".vscode"));
	}
	AUTO(fd) int dir = open("/dev/shm", O_RDONLY | O_DIRECTORY);
	assert_int_equal(fs_remove_tree(dir, strrchr(other, '/') + 1, 20, NULL), 0);
}

static void a_worktrees_common_folder_is_looked_after_too(void **state)
{
	(void)state;
	struct protect p;
	char cmd[600];
	(void)snprintf(cmd, sizeof(cmd),
		       "cd %s && mkdir -p main/.git/worktrees/w main/.git/objects main/.git/refs main/.git/hooks && "
		       "echo x >main/.git/HEAD && echo $PWD/project/.git >main/.git/worktrees/w/gitdir && "
		       "echo gitdir: $PWD/main/.git/worktrees/w >project/.git", root);
	assert_int_equal(system(cmd), 0);
	protect_begin(project, &p);
	assert_int_equal(protect_end(&p, session, report, NULL, NULL), 0);
	(void)snprintf(cmd, sizeof(cmd), "cd %s/main/.git && echo ../evil >commondir && echo x >packed-refs", root);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(protect_end(&p, session, report, NULL, NULL), 1);
	assert_true(is_there("../main/.git/packed-refs") && is_there("../main/.git/hooks"));
	assert_false(is_there("../main/.git/commondir"));
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
		TEST(a_link_on_the_way_is_moved_and_what_it_leads_to_stays),
		TEST(a_git_folder_made_meanwhile_stays_without_its_levers),
		TEST(modes_hide_nothing_and_hold_nothing),
		TEST(however_often_it_appears_it_goes),
		TEST(on_another_file_system_it_is_renamed_whatever_stands_there),
		TEST(a_worktrees_common_folder_is_looked_after_too),
		TEST(a_watch_wakes_for_protected_names_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
