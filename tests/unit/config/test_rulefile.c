/* SPDX-License-Identifier: Apache-2.0 */
/* Files of rules changed line by line: what is kept, what counts as the same, what is refused. */
#include "base/fs.h"
#include "base/own.h"
#include "config/rulefile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char root[] = "/tmp/drydock-rulefile-XXXXXX";
static char path[PATH_MAX];

static int setup(void **state)
{
	(void)state;
	(void)strcpy(root, "/tmp/drydock-rulefile-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/allow", root);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	AUTO(fd) int tmp = open("/tmp", O_DIRECTORY | O_CLOEXEC);
	return fs_remove_tree(tmp, root + strlen("/tmp/"), 1000, NULL);
}

static void put(const char *text, mode_t mode)
{
	assert_int_equal(fs_replace(path, span_of(text), mode, NULL), 0);
}

static void assert_content(const char *want)
{
	AUTO(buf) struct buf text = {.max = 1 << 20};
	assert_int_equal(fs_read(path, &text, NULL), 0);
	assert_true(buf_put(&text, "", 1));
	assert_string_equal((const char *)text.p, want);
}

static size_t add(const char *line)
{
	const char *lines[] = {line, NULL};
	const struct rulefile edit = {.path = path, .mode = 0600, .lines = lines};
	struct err err = {0};
	size_t n = 99;
	if (rulefile_add(&edit, &n, &err) < 0)
		fail_msg("%s", err.text);
	return n;
}

static void assert_refused(const struct rulefile *edit, const char *part)
{
	struct err err = {0};
	size_t n = 99;
	assert_true(rulefile_add(edit, &n, &err) < 0);
	if (!strstr(err.text, part))
		fail_msg("'%s' is not in: %s", part, err.text);
	assert_int_equal(n, 99);
}

static void a_file_is_made_for_the_user_alone(void **state)
{
	(void)state;
	struct stat st;
	assert_int_equal(add("allow a.test:443"), 1);
	assert_content("allow a.test:443\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void comments_and_a_last_line_without_its_end_are_kept(void **state)
{
	(void)state;
	struct stat st;
	put("# mine\n\n  b.test   # why\nc.test", 0640);
	assert_int_equal(add("allow a.test:443"), 1);
	assert_content("# mine\n\n  b.test   # why\nc.test\nallow a.test:443\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void the_same_rule_in_another_spelling_is_not_added(void **state)
{
	(void)state;
	put("A.TEST.   # shouted\nallow  b.test:80,443\n", 0600);
	assert_int_equal(add("allow a.test:443"), 0);
	assert_int_equal(add("b.test:80,443"), 0);
	assert_int_equal(add("b.test:80"), 1);
	assert_int_equal(add("preset  npm pypi"), 1);
	assert_int_equal(add("preset npm   pypi # again"), 0);
}

static void a_comment_follows_and_a_head_begins_a_new_file(void **state)
{
	(void)state;
	const char *lines[] = {"allow a.test:443", "allow b.test:443", "allow a.test:443", NULL};
	const struct rulefile edit = {
		.path = path, .mode = 0644, .lines = lines, .comment = "for # tests", .head = "# head\n"};
	size_t n = 0;
	assert_int_equal(rulefile_add(&edit, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_content("# head\nallow a.test:443  # for # tests\nallow b.test:443  # for # tests\n");
	assert_int_equal(rulefile_add(&edit, &n, NULL), 0);
	assert_int_equal(n, 0);
}

static void removal_takes_every_spelling_and_nothing_else(void **state)
{
	(void)state;
	const char *lines[] = {"allow a.test:443", NULL};
	const struct rulefile edit = {.path = path, .mode = 0600, .lines = lines};
	size_t n = 0;
	put("# a.test\na.test\nb.test\nallow A.test # x\na.test:80\ndeny a.test\n", 0600);
	assert_int_equal(rulefile_remove(&edit, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_content("# a.test\nb.test\na.test:80\ndeny a.test\n");
	assert_int_equal(rulefile_remove(&edit, &n, NULL), 0);
	assert_int_equal(n, 0);
}

static void a_bare_line_of_a_deny_file_is_a_deny(void **state)
{
	(void)state;
	const char *lines[] = {"deny a.test:443", NULL};
	const struct rulefile edit = {.path = path, .bare = RULE_DENY, .mode = 0600, .lines = lines};
	size_t n = 99;
	put("a.test:443\n", 0600);
	assert_int_equal(rulefile_add(&edit, &n, NULL), 0);
	assert_int_equal(n, 0);
}

static void what_is_not_the_users_own_file_is_refused(void **state)
{
	(void)state;
	const char *lines[] = {"allow a.test:443", NULL};
	struct rulefile edit = {.path = path, .mode = 0600, .lines = lines};
	char target[PATH_MAX + 8];

	(void)snprintf(target, sizeof(target), "%s.real", path);
	put("b.test\n", 0600);
	assert_int_equal(rename(path, target), 0);
	assert_int_equal(symlink(target, path), 0);
	assert_refused(&edit, "symbolic link");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_refused(&edit, "is no file");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused(&edit, "is no file");
	assert_int_equal(unlink(path), 0);
	put("b.test\n", 0622);
	assert_refused(&edit, "can be written by others");
	edit.mode = 0644; /* a project's file */
	assert_int_equal(rulefile_add(&edit, NULL, NULL), 0);
	if (geteuid() != 0)
		return;
	edit.mode = 0600;
	put("b.test\n", 0600);
	assert_int_equal(chown(path, 65432, 65432), 0);
	assert_refused(&edit, "another user");
}

static void control_characters_are_refused(void **state)
{
	(void)state;
	const char *lines[] = {"allow a.test:443\nallow b.test:443", NULL};
	struct rulefile edit = {.path = path, .mode = 0600, .lines = lines};
	assert_refused(&edit, "control characters");
	lines[0] = "allow a.test:443";
	edit.comment = "x\nallow b.test";
	assert_refused(&edit, "one line");
	assert_int_equal(access(path, F_OK), -1);
}

static void several_at_once_lose_no_line(void **state)
{
	(void)state;
	enum { WRITERS = 4, LINES = 8 };
	pid_t pids[WRITERS];
	for (int w = 0; w < WRITERS; w++) {
		pids[w] = fork();
		assert_true(pids[w] >= 0);
		if (pids[w])
			continue;
		for (int i = 0; i < LINES; i++) {
			char line[64];
			(void)snprintf(line, sizeof(line), "allow h%d-%d.test:443", w, i);
			if (add(line) != 1)
				_exit(1);
		}
		_exit(0);
	}
	for (int w = 0; w < WRITERS; w++) {
		int status;
		assert_int_equal(waitpid(pids[w], &status, 0), pids[w]);
		assert_int_equal(status, 0);
	}
	AUTO(buf) struct buf text = {.max = 1 << 20};
	assert_int_equal(fs_read(path, &text, NULL), 0);
	size_t n = 0;
	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	assert_int_equal(n, WRITERS * LINES);
}

static void a_rule_is_checked_as_in_a_file(void **state)
{
	(void)state;
	static const char *const refused[][2] = {
		{"*.com", "top-level domain"}, {"*.co.uk", "public suffix"},{"deny a.test", "other kind"},	     {"", "is no rule"},
		{"preset npm", "is no rule"},	 {"a.test\nb.test", "control"},	     {"a.test:0", "is no port"},
		{"a.test frob=1", "frob"},	 {"# a.test", "is no rule"},	     {"a b c", "unknown"},
	};
	char out[RULE_TEXT_BYTES] = "untouched";
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct err err = {0};
		assert_true(rulefile_rule(refused[i][0], RULE_ALLOW, out, &err) < 0);
		if (!strstr(err.text, refused[i][1]))
			fail_msg("'%s': '%s' is not in: %s", refused[i][0], refused[i][1], err.text);
		assert_string_equal(out, "untouched");
	}
	assert_int_equal(rulefile_rule("*.Example.COM:8443 up=5M # c", RULE_ALLOW, out, NULL), 0);
	assert_non_null(strstr(out, "*.example.com:8443"));
	assert_int_equal(rulefile_rule("b\xc3\xbc" "cher.example", RULE_ALLOW, out, NULL), 0);
	assert_non_null(strstr(out, "xn--bcher-kva.example"));
	assert_int_equal(rulefile_rule("*.com", RULE_DENY, out, NULL), 0);
	assert_int_equal(strncmp(out, "deny ", 5), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_file_is_made_for_the_user_alone),
		T(comments_and_a_last_line_without_its_end_are_kept),
		T(the_same_rule_in_another_spelling_is_not_added),
		T(a_comment_follows_and_a_head_begins_a_new_file),
		T(removal_takes_every_spelling_and_nothing_else),
		T(a_bare_line_of_a_deny_file_is_a_deny),
		T(what_is_not_the_users_own_file_is_refused),
		T(control_characters_are_refused),
		T(several_at_once_lose_no_line),
		T(a_rule_is_checked_as_in_a_file),
	};
	return cmocka_run_group_tests_name("config/rulefile", tests, NULL, NULL);
}
