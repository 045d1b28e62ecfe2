/* SPDX-License-Identifier: Apache-2.0 */
/* What a session shows is found on a disk that a hostile project may have arranged. */
#include "jail/view.h"
#include "base/fs.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static char root[64], home[80], project[96];

static void sh(const char *script)
{
	char cmd[2048];
	assert_true(snprintf(cmd, sizeof(cmd), "cd %s && %s", root, script) < (int)sizeof(cmd));
	assert_int_equal(system(cmd), 0);
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(root, sizeof(root), "/tmp/drydock-view-XXXXXX");
	assert_non_null(mkdtemp(root));
	(void)snprintf(home, sizeof(home), "%s/home", root);
	(void)snprintf(project, sizeof(project), "%s/project", home);
	sh("mkdir -p home/project home/.ssh home/bin && echo key >home/.ssh/id");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	AUTO(fd) int dir = open("/tmp", O_RDONLY | O_DIRECTORY);
	return fs_remove_tree(dir, root + 5, 2000, NULL);
}

static void collect(const char *command, struct view *view)
{
	char path[128];
	struct err err = {0};
	*view = (struct view){0};
	(void)snprintf(path, sizeof(path), "%s/bin:/usr/bin:/bin", home);
	if (view_collect(home, project, command, path, view, &err) < 0)
		fail_msg("%s", err.text);
}

static bool shows(const struct view *view, const char *below_root)
{
	char path[160];
	(void)snprintf(path, sizeof(path), "%s/%s", root, below_root);
	for (size_t i = 0; i < view->n_mounts; i++)
		if (!strcmp(view->mounts[i].host, path))
			return true;
	return false;
}

static bool protects(const struct view *view, const char *entry)
{
	for (size_t i = 0; i < view->n_protected; i++)
		if (!strcmp(view->protected[i], entry))
			return true;
	return false;
}

static void a_git_file_that_names_any_folder_shows_nothing(void **state)
{
	(void)state;
	struct view view;
	sh("mkdir -p home/.ssh/worktrees/x && echo gitdir: $PWD/home/.ssh/worktrees/x >home/project/.git");
	collect("sh", &view);
	assert_false(shows(&view, "home/.ssh"));
	assert_true(protects(&view, ".git"));
	view_drop(&view);
	/* Even when the folder looks like a repository, but its worktree is another one. */
	sh("cd home/.ssh && mkdir -p objects refs && echo x >HEAD && echo $PWD/elsewhere >worktrees/x/gitdir");
	collect("sh", &view);
	assert_false(shows(&view, "home/.ssh"));
	view_drop(&view);
}

static void a_worktrees_common_folder_is_shown_and_its_levers_protected(void **state)
{
	(void)state;
	struct view view;
	char entry[160];
	sh("mkdir -p home/main/.git/worktrees/w home/main/.git/objects home/main/.git/refs && echo x >home/main/.git/HEAD && "
	   "echo $PWD/home/project/.git >home/main/.git/worktrees/w/gitdir && "
	   "echo gitdir: $PWD/home/main/.git/worktrees/w >home/project/.git");
	collect("sh", &view);
	assert_true(shows(&view, "home/main/.git"));
	(void)snprintf(entry, sizeof(entry), "%s/home/main/.git/worktrees/w/commondir", root);
	assert_true(protects(&view, entry));
	(void)snprintf(entry, sizeof(entry), "%s/home/main/.git/hooks", root);
	assert_true(protects(&view, entry));
	view_drop(&view);
}

static void nested_submodules_and_worktrees_are_protected(void **state)
{
	(void)state;
	struct view view;
	sh("cd home/project && mkdir -p .git/modules/libs/foo/modules/bar .git/worktrees/w && "
	   "echo x >.git/modules/libs/foo/HEAD && echo x >.git/modules/libs/foo/modules/bar/HEAD");
	collect("sh", &view);
	assert_true(protects(&view, ".git/modules/libs/foo/hooks"));
	assert_true(protects(&view, ".git/modules/libs/foo/modules/bar/config"));
	assert_true(protects(&view, ".git/worktrees/w/commondir"));
	assert_false(protects(&view, ".git/modules/libs/hooks"));
	view_drop(&view);
}

static void a_commands_link_is_shown_alone_and_its_package_whole(void **state)
{
	(void)state;
	struct view view;
	sh("mkdir -p home/private/bin home/tool/bin home/tool/lib && "
	   "printf '#!/bin/sh\\n' >home/private/bin/one && chmod +x home/private/bin/one && "
	   "printf '#!/bin/sh\\n' >home/tool/bin/two && chmod +x home/tool/bin/two && "
	   "ln -s ../private/bin/one home/bin/one && ln -s ../tool/bin/two home/bin/two");
	collect("one", &view);
	assert_true(shows(&view, "home/bin/one") && shows(&view, "home/private/bin/one"));
	assert_false(shows(&view, "home/bin") || shows(&view, "home/private") || shows(&view, "home/private/bin"));
	view_drop(&view);
	collect("two", &view);
	assert_true(shows(&view, "home/tool"));
	assert_false(shows(&view, "home/bin"));
	view_drop(&view);
}

static void a_link_that_the_project_holds_shows_nothing_outside(void **state)
{
	(void)state;
	struct view view;
	char command[160];
	sh("chmod +x home/.ssh/id && ln -s ../.ssh/id home/project/tool && ln -s ../.ssh home/project/dir && "
	   "ln -s ../project/tool home/bin/tool");
	static const char *const names[] = {"tool", "dir/id"};
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(command, sizeof(command), "%s/%s", project, names[i]);
		collect(command, &view);
		assert_false(shows(&view, "home/.ssh/id") || shows(&view, "home/.ssh"));
		view_drop(&view);
	}
	collect("tool", &view);
	assert_false(shows(&view, "home/.ssh/id"));
	view_drop(&view);
	/* The same link in the user's own folder does. */
	sh("rm home/bin/tool && ln -s ../.ssh/id home/bin/tool");
	collect("tool", &view);
	assert_true(shows(&view, "home/.ssh/id"));
	view_drop(&view);
}

static void a_toolchain_behind_a_link_of_the_home_is_shown_in_its_place(void **state)
{
	(void)state;
	struct view view;
	char path[160], real[160];
	sh("mkdir -p data/nvm home/.local data/lib && ln -s ../data/nvm home/.nvm && ln -s ../../data/lib home/.local/lib && "
	   "ln -s . home/.bun");
	collect("sh", &view);
	assert_true(shows(&view, "data/nvm") && !shows(&view, "home/.nvm"));
	assert_true(shows(&view, "home/.local/lib")); /* as a link: its folder could have been writable once */
	assert_false(shows(&view, "home") || shows(&view, "data/lib"));
	view_drop(&view);
	(void)snprintf(path, sizeof(path), "%s/.nvm", home);
	(void)snprintf(real, sizeof(real), "%s/data/nvm", root);
	AUTO(mem) char *host = view_host(home, path);
	assert_string_equal(host, real);
	(void)snprintf(path, sizeof(path), "%s/.local/lib", home);
	AUTO(mem) char *deep = view_host(home, path);
	assert_string_equal(deep, path);
	AUTO(mem) char *missing = view_host(home, "/no/such/path");
	assert_string_equal(missing, "/no/such/path");
}

static void credentials_in_toolchains_are_masked(void **state)
{
	(void)state;
	struct view view;
	sh("mkdir -p home/.cargo/bin && echo token >home/.cargo/credentials.toml");
	collect("sh", &view);
	assert_true(shows(&view, "home/.cargo"));
	assert_int_equal(view.n_masks, 1);
	view_drop(&view);
}

static void the_project_is_the_git_top_level_or_the_folder(void **state)
{
	(void)state;
	char sub[128];
	sh("mkdir -p home/project/a/b");
	(void)snprintf(sub, sizeof(sub), "%s/a/b", project);
	AUTO(mem) char *alone = view_project(sub, NULL);
	assert_string_equal(alone, sub);
	sh("mkdir home/project/.git");
	AUTO(mem) char *top = view_project(sub, NULL);
	assert_string_equal(top, project);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_git_file_that_names_any_folder_shows_nothing),
		TEST(a_worktrees_common_folder_is_shown_and_its_levers_protected),
		TEST(nested_submodules_and_worktrees_are_protected),
		TEST(a_commands_link_is_shown_alone_and_its_package_whole),
		TEST(a_link_that_the_project_holds_shows_nothing_outside),
		TEST(a_toolchain_behind_a_link_of_the_home_is_shown_in_its_place),
		TEST(credentials_in_toolchains_are_masked),
		TEST(the_project_is_the_git_top_level_or_the_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
