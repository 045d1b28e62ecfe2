/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_fs.c - files whole or not at all; a tree goes, and nothing outside of it */
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

enum { NOBODY = 65534, SKIP = 77 };

static char root[64];
static int root_fd = -1;

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
	if (!mkdtemp(root))
		return -1;
	root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	fd_drop(&root_fd);
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

static const char *in_root(const char *name)
{
	static char path[4200];
	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void write_file(int dir_fd, const char *name, const char *text)
{
	AUTO(fd) int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, text, strlen(text)), 0);
}

static void a_file_is_read_up_to_the_maximum_and_no_further(void **state)
{
	(void)state;
	for (size_t max = 9; max <= 11; max++) {
		struct err err = {0};
		AUTO(buf) struct buf b = {.max = max};
		write_file(root_fd, "f", "0123456789");
		assert_int_equal(fs_read(in_root("f"), &b, &err), max < 10 ? -EFBIG : 0);
		if (max >= 10)
			assert_true(span_is(buf_span(&b), "0123456789"));
		else
			assert_non_null(strstr(err.text, "more than 9 bytes"));
	}
	assert_int_equal(remove_it("f", 1), 0);
	struct err err = {0};
	AUTO(buf) struct buf b = {.max = 10};
	assert_int_equal(fs_read(in_root("f"), &b, &err), -ENOENT);
	assert_int_equal(fs_read("/", &b, &err), -EISDIR);
}

static void replacing_gives_content_and_mode_and_leaves_nothing_beside(void **state)
{
	(void)state;
	struct err err = {0};
	struct stat st;
	AUTO(buf) struct buf b = {.max = 100};

	write_file(root_fd, "f", "old");
	assert_int_equal(fs_replace(in_root("f"), span_of("new text"), 0640, &err), 0);
	assert_int_equal(fs_read(in_root("f"), &b, &err), 0);
	assert_true(span_is(buf_span(&b), "new text"));
	assert_int_equal(fstatat(root_fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(unlinkat(root_fd, "f", 0), 0);
	assert_int_equal(mkdirat(root_fd, "d", 0700), 0);
	assert_int_equal(fs_replace(in_root("d"), span_of("x"), 0600, &err), -EISDIR);
	assert_int_equal(fs_replace(in_root("no/f"), span_of("x"), 0600, &err), -ENOENT);
	assert_int_equal(unlinkat(root_fd, "d", AT_REMOVEDIR), 0);
	sh("test -z \"$(ls -A)\""); /* no temporary file */
}

static void folders_are_made_down_to_the_last(void **state)
{
	(void)state;
	struct err err = {0};
	struct stat st;

	assert_int_equal(fs_make_dirs(in_root("a/b//c/"), 0700, &err), 0);
	assert_int_equal(fstatat(root_fd, "a/b/c", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fchmodat(root_fd, "a/b", 0750, 0), 0);
	assert_int_equal(fs_make_dirs(in_root("a/b/c"), 0700, &err), 0);
	assert_int_equal(fstatat(root_fd, "a/b", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(remove_it("a", 3), 0);
}

static void a_file_where_a_folder_should_be_is_told(void **state)
{
	(void)state;
	struct err err = {0};

	write_file(root_fd, "f", "");
	assert_int_equal(fs_make_dirs(in_root("f"), 0700, &err), -ENOTDIR);
	assert_int_equal(fs_make_dirs(in_root("f/g"), 0700, &err), -ENOTDIR);
	assert_int_equal(fs_make_dirs("", 0700, &err), -ENOENT);
	assert_int_equal(symlinkat("nowhere", root_fd, "s"), 0);
	assert_int_equal(fs_make_dirs(in_root("s"), 0700, &err), -ENOTDIR);
	assert_int_equal(remove_it("f", 1), 0);
	assert_int_equal(remove_it("s", 1), 0);
}

static void a_private_folder_is_ours_alone(void **state)
{
	(void)state;
	struct err err = {0};

	assert_int_equal(fs_make_private_dir(in_root("p"), &err), 0);
	assert_int_equal(fs_make_private_dir(in_root("p"), &err), 0);
	assert_int_equal(fchmodat(root_fd, "p", 0750, 0), 0);
	assert_int_equal(fs_make_private_dir(in_root("p"), &err), -EPERM);
	assert_non_null(strstr(err.fix, "chmod 700"));
	assert_int_equal(fs_make_private_dir(in_root("p"), NULL), -EPERM);
	assert_int_equal(symlinkat("p", root_fd, "link"), 0);
	assert_int_equal(fchmodat(root_fd, "p", 0700, 0), 0);
	assert_int_equal(fs_make_private_dir(in_root("link"), &err), -EPERM);
	assert_int_equal(remove_it("link", 1), 0);
	assert_int_equal(remove_it("p", 1), 0);
}

static void a_symlink_goes_and_its_target_keeps_its_mode(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(root_fd, "out", 0500), 0);
	assert_int_equal(mkdirat(root_fd, "tree", 0700), 0);
	assert_int_equal(symlinkat("../out", root_fd, "tree/link"), 0);
	assert_int_equal(symlinkat("/nowhere", root_fd, "tree/dangling"), 0);
	assert_int_equal(remove_it("tree", 3), 0);
	assert_false(is_there("tree"));
	struct stat st;
	assert_int_equal(fstatat(root_fd, "out", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0500);
	assert_int_equal(remove_it("out", 1), 0);
	assert_int_equal(remove_it("never", 1), 0); /* gone already is gone */
}

static void the_limit_of_entries_holds_at_and_one_under(void **state)
{
	(void)state;
	for (size_t max = 3; max <= 4; max++) {
		assert_int_equal(mkdirat(root_fd, "t", 0700), 0);
		write_file(root_fd, "t/a", "");
		write_file(root_fd, "t/b", "");
		write_file(root_fd, "t/c", "");
		assert_int_equal(remove_it("t", max), max < 4 ? -E2BIG : 0);
		assert_int_equal(is_there("t"), max < 4);
		assert_int_equal(remove_it("t", 4), 0);
	}
	assert_int_equal(remove_it("t", 0), -E2BIG);
}

/* A chain of @depth folders, the last with a file. */
static void make_chain(const char *name, int depth)
{
	AUTO(fd) int at = dup(root_fd);
	for (int i = 0; i < depth; i++) {
		const char *part = i ? "d" : name;
		assert_int_equal(mkdirat(at, part, 0700), 0);
		int next = openat(at, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		fd_drop(&at);
		at = next;
	}
	write_file(at, "file", "x");
}

static void a_tree_of_any_depth_goes(void **state)
{
	(void)state;
	static const int depths[] = {63, 64, 65, 66, 129, 130, 1000};
	for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		make_chain("deep", depths[i]);
		assert_int_equal(remove_it("deep", 5000), 0);
		assert_false(is_there("deep"));
	}
	make_chain("deep", 1000);
	assert_int_equal(remove_it("deep", 500), -E2BIG); /* the limit holds here too */
	assert_int_equal(remove_it("deep", 5000), 0);
}

/* Runs @what in a child; its exit status. */
static int in_child(int (*what)(void))
{
	int status = 0;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(what());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* As an ordinary user: folders without rights for anybody, as module caches make them. */
static int remove_read_only(void)
{
	if (geteuid() == 0 && (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
		return 1;
	if (mkdirat(root_fd, "ro", 0700) < 0 || mkdirat(root_fd, "ro/a", 0700) < 0 ||
	    mkdirat(root_fd, "ro/a/b", 0700) < 0 || mkdirat(root_fd, "ro/none", 0) < 0 ||
	    symlinkat("/", root_fd, "ro/a/b/link") < 0 || fchmodat(root_fd, "ro/a/b", 0555, 0) < 0 ||
	    fchmodat(root_fd, "ro/a", 0111, 0) < 0 || fchmodat(root_fd, "ro", 0500, 0) < 0)
		return 2;
	return remove_it("ro", 10) == 0 && !is_there("ro") ? 0 : 3;
}

static void an_ordinary_user_removes_folders_without_rights(void **state)
{
	(void)state;
	assert_int_equal(fchmod(root_fd, 0777), 0);
	assert_int_equal(in_child(remove_read_only), 0);
}

/* A bind mount of the same file system inside the tree: another tree, though the device is the same. */
static int remove_around_mount(void)
{
	if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return SKIP;
	char from[100], to[100];
	(void)snprintf(from, sizeof(from), "%s/out", root);
	(void)snprintf(to, sizeof(to), "%s/tree/mnt", root);
	if (mount(from, to, NULL, MS_BIND, NULL) < 0)
		return SKIP;
	/* root_fd still leads to the mount namespace it was opened in */
	AUTO(fd) int here = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fs_remove_tree(here, "tree", 10, NULL) == -EXDEV ? 0 : 1;
}

static void a_mount_inside_the_tree_is_not_entered(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(root_fd, "out", 0700), 0);
	assert_int_equal(mkdirat(root_fd, "tree", 0700), 0);
	assert_int_equal(mkdirat(root_fd, "tree/mnt", 0700), 0);
	write_file(root_fd, "out/precious", "x");
	int got = in_child(remove_around_mount);
	bool is_safe = is_there("out/precious");
	assert_int_equal(remove_it("tree", 10), 0);
	assert_int_equal(remove_it("out", 10), 0);
	if (got == SKIP) {
		print_message("skipped: no mount namespace to be had here\n");
		skip();
	}
	assert_int_equal(got, 0);
	assert_true(is_safe);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(folders_that_may_not_be_written_or_read_go_too),
		TEST(a_link_goes_and_what_it_leads_to_stays),
		TEST(more_entries_than_agreed_are_an_error),
		TEST(a_file_is_read_up_to_the_maximum_and_no_further),
		TEST(replacing_gives_content_and_mode_and_leaves_nothing_beside),
		TEST(folders_are_made_down_to_the_last),
		TEST(a_file_where_a_folder_should_be_is_told),
		TEST(a_private_folder_is_ours_alone),
		TEST(a_symlink_goes_and_its_target_keeps_its_mode),
		TEST(the_limit_of_entries_holds_at_and_one_under),
		TEST(a_tree_of_any_depth_goes),
		TEST(an_ordinary_user_removes_folders_without_rights),
		TEST(a_mount_inside_the_tree_is_not_entered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
