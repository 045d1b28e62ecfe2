/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/session/test_session.c - ids, folders, the lock, and what is swept away */
#include "base/fs.h"
#include "base/own.h"
#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct world {
	char top[64];
	char home[80], run[80], tmp[80];
	struct session_roots roots;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	(void)strcpy(w->top, "/tmp/drydock-test-XXXXXX");
	assert_non_null(mkdtemp(w->top));
	(void)snprintf(w->home, sizeof(w->home), "%s/home", w->top);
	(void)snprintf(w->run, sizeof(w->run), "%s/run", w->top);
	(void)snprintf(w->tmp, sizeof(w->tmp), "%s/tmp", w->top);
	assert_int_equal(mkdir(w->home, 0755), 0);
	assert_int_equal(mkdir(w->run, 0700), 0);
	assert_int_equal(mkdir(w->tmp, 0755), 0);
	const struct session_env env = {.home = w->home, .xdg_runtime_dir = w->run, .tmp = w->tmp};
	assert_int_equal(session_roots_find(&env, &w->roots, NULL), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	AUTO(fd) int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fs_remove_tree(tmp, w->top + 5, 1000, NULL), 0);
	free(w);
	return 0;
}

static bool exists(const char *dir, const char *name)
{
	char path[PATH_MAX + 64];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return lstat(path, &st) == 0;
}

static void a_home_that_is_missing_relative_or_not_ours_is_refused(void **state)
{
	const struct world *w = *state;
	struct session_roots roots;
	struct session_env env = {.tmp = w->tmp};
	struct err err = {0};
	assert_true(session_roots_find(&env, &roots, &err) < 0);
	assert_non_null(strstr(err.text, "HOME is not set"));
	env.home = "relative";
	assert_true(session_roots_find(&env, &roots, NULL) < 0);
	env.home = "/proc/self/status";
	assert_true(session_roots_find(&env, &roots, NULL) < 0);
	env.home = w->home;
	assert_int_equal(session_roots_find(&env, &roots, NULL), 0);
}

static void xdg_folders_are_used_when_absolute_and_private(void **state)
{
	const struct world *w = *state;
	struct session_roots roots;
	char expected[PATH_MAX];
	struct session_env env = {.home = w->home,
				  .xdg_state_home = w->top,
				  .xdg_runtime_dir = w->run,
				  .tmp = w->tmp};
	assert_int_equal(session_roots_find(&env, &roots, NULL), 0);
	(void)snprintf(expected, sizeof(expected), "%s/drydock/sessions", w->top);
	assert_string_equal(roots.state, expected);
	(void)snprintf(expected, sizeof(expected), "%s/drydock", w->run);
	assert_string_equal(roots.runtime, expected);

	env.xdg_state_home = "relative";
	assert_int_equal(chmod(w->run, 0755), 0); /* others could look inside */
	assert_int_equal(session_roots_find(&env, &roots, NULL), 0);
	(void)snprintf(expected, sizeof(expected), "%s/.local/state/drydock/sessions", w->home);
	assert_string_equal(roots.state, expected);
	(void)snprintf(expected, sizeof(expected), "%s/drydock-%u", w->tmp, (unsigned)geteuid());
	assert_string_equal(roots.runtime, expected);
}

static void an_id_is_the_name_in_plain_letters_and_four_digits(void **state)
{
	const struct world *w = *state;
	static const struct {
		const char *name, *start;
	} cases[] = {
		{"shop", "shop-"},
		{"My Shop_2", "my-shop-2-"},
		{"../..", "session-"},
		{"", "session-"},
		{"\x1b[31mred", "31mred-"},
		{"abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwx-"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct session s;
		assert_int_equal(session_create(&w->roots, cases[i].name, &s, NULL), 0);
		assert_memory_equal(s.id, cases[i].start, strlen(cases[i].start));
		assert_int_equal(strlen(s.id), strlen(cases[i].start) + 4);
		assert_true(session_id_is_valid(s.id));
		session_end(&s);
	}
}

static void both_folders_are_private_and_the_runtime_one_goes_at_the_end(void **state)
{
	const struct world *w = *state;
	struct session s;
	struct stat st;
	assert_int_equal(session_create(&w->roots, "shop", &s, NULL), 0);
	assert_int_equal(stat(s.state_dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(s.runtime_dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_true(session_is_live(&w->roots, s.id));
	assert_true(session_is_alone(&w->roots, &s));

	session_end(&s);
	assert_false(session_is_live(&w->roots, s.id));
	assert_int_equal(stat(s.runtime_dir, &st), -1);
	assert_int_equal(stat(s.state_dir, &st), 0);
	session_end(&s); /* once more is harmless */
}

static void a_runtime_folder_of_a_dead_session_is_swept_and_of_a_live_one_is_not(void **state)
{
	const struct world *w = *state;
	struct session live, dead, next;
	assert_int_equal(session_create(&w->roots, "live", &live, NULL), 0);
	assert_int_equal(session_create(&w->roots, "dead", &dead, NULL), 0);
	fd_drop(&dead.lock_fd); /* as the kernel does when a process is killed */
	assert_true(exists(w->roots.runtime, dead.id));

	assert_int_equal(session_create(&w->roots, "next", &next, NULL), 0);
	assert_false(exists(w->roots.runtime, dead.id));
	assert_true(exists(w->roots.runtime, live.id));
	assert_true(exists(w->roots.state, dead.id));
	assert_false(session_is_alone(&w->roots, &next));
	session_end(&live);
	session_end(&next);
}

static void a_runtime_root_that_somebody_else_could_have_placed_is_refused(void **state)
{
	struct world *w = *state;
	struct session s;
	struct err err = {0};
	assert_int_equal(symlink(w->home, w->roots.runtime), 0);
	assert_int_equal(session_create(&w->roots, "shop", &s, &err), -EPERM);
	assert_non_null(strstr(err.text, "not a private folder"));
	assert_int_equal(unlink(w->roots.runtime), 0);
	assert_int_equal(mkdir(w->roots.runtime, 0777), 0);
	assert_int_equal(chmod(w->roots.runtime, 0777), 0);
	assert_int_equal(session_create(&w->roots, "shop", &s, NULL), -EPERM);
	assert_int_equal(chmod(w->roots.runtime, 0700), 0);
	assert_int_equal(session_create(&w->roots, "shop", &s, NULL), 0);
	session_end(&s);
}

static void set_age(const char *path, time_t seconds)
{
	struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void the_newest_session_is_found_and_so_is_the_beginning_of_an_id(void **state)
{
	const struct world *w = *state;
	struct session old, new;
	char id[SESSION_ID_BYTES];
	struct err err = {0};
	assert_int_equal(session_find(&w->roots, NULL, id, &err), -ENOENT);
	assert_int_equal(session_create(&w->roots, "old", &old, NULL), 0);
	assert_int_equal(session_create(&w->roots, "new", &new, NULL), 0);
	set_age(old.state_dir, 1000);
	set_age(new.state_dir, 2000);
	assert_int_equal(session_find(&w->roots, NULL, id, &err), 0);
	assert_string_equal(id, new.id);
	assert_int_equal(session_find(&w->roots, "old", id, &err), 0);
	assert_string_equal(id, old.id);
	assert_int_equal(session_find(&w->roots, old.id, id, &err), 0);
	assert_int_equal(session_find(&w->roots, "other", id, &err), -ENOENT);
	assert_int_equal(session_find(&w->roots, "../new", id, &err), -ENOENT);
	session_end(&old);
	session_end(&new);
}

static void only_old_ended_unmarked_state_folders_are_pruned(void **state)
{
	const struct world *w = *state;
	struct session fresh, old, kept, live;
	const uint64_t day_s = 24 * 60 * 60, now_s = 1000 * day_s;
	assert_int_equal(session_create(&w->roots, "fresh", &fresh, NULL), 0);
	assert_int_equal(session_create(&w->roots, "old", &old, NULL), 0);
	assert_int_equal(session_create(&w->roots, "kept", &kept, NULL), 0);
	assert_int_equal(session_create(&w->roots, "live", &live, NULL), 0);
	assert_int_equal(session_keep(&kept, NULL), 0);
	session_end(&fresh);
	session_end(&old);
	session_end(&kept);
	set_age(fresh.state_dir, (time_t)(now_s - (SESSION_KEPT_DAYS - 1) * day_s));
	set_age(old.state_dir, (time_t)(now_s - (SESSION_KEPT_DAYS + 1) * day_s));
	set_age(kept.state_dir, (time_t)(now_s - (SESSION_KEPT_DAYS + 1) * day_s));
	set_age(live.state_dir, (time_t)(now_s - (SESSION_KEPT_DAYS + 1) * day_s));
	session_prune(&w->roots, now_s * 1000);
	assert_true(exists(w->roots.state, fresh.id));
	assert_false(exists(w->roots.state, old.id));
	assert_true(exists(w->roots.state, kept.id));
	assert_true(exists(w->roots.state, live.id));

	/* once a day is enough */
	set_age(fresh.state_dir, (time_t)(now_s - (SESSION_KEPT_DAYS + 1) * day_s));
	session_prune(&w->roots, (now_s + day_s - 1) * 1000);
	assert_true(exists(w->roots.state, fresh.id));
	session_prune(&w->roots, (now_s + day_s) * 1000);
	assert_false(exists(w->roots.state, fresh.id));
	session_end(&live);
}

static void the_record_says_what_ran_and_escapes_it(void **state)
{
	const struct world *w = *state;
	struct session s;
	char *argv[] = {"echo", "a\"b\x1b", NULL};
	const struct session_meta meta = {.engine = "native",
					  .cwd = "/x",
					  .argv = argv,
					  .started_ms = 1000,
					  .ended_ms = 2000,
					  .exit_code = 3};
	assert_int_equal(session_create(&w->roots, "shop", &s, NULL), 0);
	assert_int_equal(session_write_meta(&s, &meta, NULL), 0);
	char path[PATH_MAX + 16];
	AUTO(buf) struct buf text = {.max = 4096};
	(void)snprintf(path, sizeof(path), "%s/meta.json", s.state_dir);
	assert_int_equal(fs_read(path, &text, NULL), 0);
	assert_true(buf_put(&text, "", 1));
	assert_non_null(strstr((char *)text.p, "\"command\":[\"echo\",\"a\\\"b\\u001b\"]"));
	assert_non_null(strstr((char *)text.p, "\"exit\":3"));
	session_end(&s);
	session_forget(&w->roots, &s);
	assert_false(exists(w->roots.state, s.id));
}

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void lists_are_newest_first_and_know_what_runs(void **state)
{
	const struct session_roots *roots = &((struct world *)*state)->roots;
	struct session a = {.lock_fd = -1}, b = {.lock_fd = -1};
	AUTO(mem) struct session_entry *list = NULL;
	char id[SESSION_ID_BYTES];
	size_t n = 99;
	assert_int_equal(session_list(roots, &list, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_int_equal(session_find_live(roots, NULL, id, NULL), -ENOENT);
	assert_int_equal(session_create(roots, "old", &a, NULL), 0);
	assert_int_equal(session_create(roots, "new", &b, NULL), 0);
	const struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	assert_int_equal(utimensat(AT_FDCWD, a.state_dir, past, 0), 0);
	session_end(&b);
	assert_int_equal(session_list(roots, &list, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_string_equal(list[0].id, b.id);
	assert_false(list[0].is_live);
	assert_string_equal(list[1].id, a.id);
	assert_true(list[1].is_live);
	assert_int_equal(session_find_live(roots, NULL, id, NULL), 0);
	assert_string_equal(id, a.id);
	assert_int_equal(session_find_live(roots, "new", id, NULL), -ENOENT);
	assert_int_equal(session_find_live(roots, "../x", id, NULL), -ENOENT);
	session_end(&a);
}

static void the_supervisor_is_the_process_that_wrote_itself_down(void **state)
{
	const struct session_roots *roots = &((struct world *)*state)->roots;
	struct session s = {.lock_fd = -1};
	char path[PATH_MAX + 32];
	pid_t pid = 0;
	AUTO(fd) int pidfd = -1;
	assert_int_equal(session_create(roots, "x", &s, NULL), 0);
	assert_int_equal(session_supervisor(roots, s.id, &pid, &pidfd, NULL), 0);
	assert_int_equal(pid, getpid());
	fd_drop(&pidfd);
	/* another one that began at another time */
	(void)snprintf(path, sizeof(path), "%s/supervisor", s.runtime_dir);
	char text[64];
	(void)snprintf(text, sizeof(text), "%d 1\n", (int)getpid());
	assert_int_equal(fs_replace(path, span_of(text), 0600, NULL), 0);
	assert_int_equal(session_supervisor(roots, s.id, &pid, &pidfd, NULL), -ESRCH);
	static const char *const bad[] = {"", "x", "0 0\n", "-1 5\n", "1 5\n"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(fs_replace(path, span_of(bad[i]), 0600, NULL), 0);
		assert_true(session_supervisor(roots, s.id, &pid, &pidfd, NULL) < 0);
	}
	assert_int_equal(session_take_over(&s, NULL), 0);
	assert_int_equal(session_supervisor(roots, s.id, &pid, &pidfd, NULL), 0);
	fd_drop(&pidfd);
	session_end(&s);
	assert_int_equal(session_supervisor(roots, s.id, &pid, &pidfd, NULL), -ESRCH);
}

static void count_removed(const char *path, void *arg)
{
	assert_int_equal(path[0], '/');
	(*(int *)arg)++;
}

static void sweeping_dry_says_what_it_would_do_and_does_nothing(void **state)
{
	const struct world *w = *state;
	struct session live = {.lock_fd = -1}, dead = {.lock_fd = -1};
	int n = 0;
	assert_int_equal(session_sweep(&w->roots, false, count_removed, &n, NULL), 0);
	assert_int_equal(session_create(&w->roots, "live", &live, NULL), 0);
	assert_int_equal(session_create(&w->roots, "dead", &dead, NULL), 0);
	fd_drop(&dead.lock_fd);
	assert_int_equal(session_sweep(&w->roots, true, count_removed, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_true(exists(w->roots.runtime, dead.id));
	assert_int_equal(session_sweep(&w->roots, false, count_removed, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_false(exists(w->roots.runtime, dead.id));
	assert_true(exists(w->roots.runtime, live.id));
	/* records: the live one stays, whatever its age */
	uint64_t far_ms = 4102444800000;
	n = 0;
	assert_int_equal(session_remove_old(&w->roots, far_ms, 1, true, count_removed, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_true(exists(w->roots.state, dead.id));
	assert_int_equal(session_remove_old(&w->roots, far_ms, 1, false, count_removed, &n, NULL), 0);
	assert_false(exists(w->roots.state, dead.id));
	assert_true(exists(w->roots.state, live.id));
	session_end(&live);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(lists_are_newest_first_and_know_what_runs),
		WITH_WORLD(the_supervisor_is_the_process_that_wrote_itself_down),
		WITH_WORLD(sweeping_dry_says_what_it_would_do_and_does_nothing),
		WITH_WORLD(a_home_that_is_missing_relative_or_not_ours_is_refused),
		WITH_WORLD(xdg_folders_are_used_when_absolute_and_private),
		WITH_WORLD(an_id_is_the_name_in_plain_letters_and_four_digits),
		WITH_WORLD(both_folders_are_private_and_the_runtime_one_goes_at_the_end),
		WITH_WORLD(a_runtime_folder_of_a_dead_session_is_swept_and_of_a_live_one_is_not),
		WITH_WORLD(a_runtime_root_that_somebody_else_could_have_placed_is_refused),
		WITH_WORLD(the_newest_session_is_found_and_so_is_the_beginning_of_an_id),
		WITH_WORLD(only_old_ended_unmarked_state_folders_are_pruned),
		WITH_WORLD(the_record_says_what_ran_and_escapes_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
