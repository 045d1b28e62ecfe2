/* SPDX-License-Identifier: Apache-2.0 */
/* The plan is data: what it refuses, in which order it builds, what it takes back. */
#include "jail/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

static struct jail_settings ordinary(void)
{
	static char *nothing[] = {NULL};
	return (struct jail_settings){
		.session_id = "shop-1", .uid = 1000, .gid = 1000, .agent_uid = 1000, .agent_gid = 1000,
		.home = "/home/u", .project = "/home/u/shop", .cwd = "/home/u/shop",
		.argv = nothing, .envp = nothing,
	};
}

static struct plan *make(const struct jail_settings *s, const char *const *sockets, size_t n)
{
	struct plan *plan = NULL;
	struct err err = {0};
	if (plan_make(s, sockets, n, &plan, &err) < 0)
		fail_msg("%s", err.text);
	return plan;
}

/* The number of the first step of this kind at this place, or -1. */
static int find(const struct plan *plan, enum step_kind kind, const char *inside)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].kind == kind && !strcmp(plan->steps[i].inside, inside))
			return (int)i;
	return -1;
}

static void what_is_no_one_project_is_refused_and_a_folder_in_it_is_not(void **state)
{
	(void)state;
	static const char *const bad[] = {"/", "/home", "/home/u", "/usr/src/x", "/etc", "/run/user/1000/x", "/root",
					  "/tmp", "/var/tmp", "/var", "/proc/1", "relative"};
	static const char *const good[] = {"/home/u/shop", "/home/user/x", "/tmp/x", "/var/tmp/x", "/srv/x", "/home/v",
					   "/usrlocal"};
	struct jail_settings s = ordinary();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct plan *plan = NULL;
		struct err err = {0};
		s.project = bad[i];
		if (plan_make(&s, NULL, 0, &plan, &err) == 0)
			fail_msg("%s was taken", bad[i]);
		assert_null(plan);
		assert_non_null(strstr(err.text, bad[i]));
		assert_true(err.fix[0] || !strcmp(bad[i], "relative"));
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		s.project = good[i];
		plan_free(make(&s, NULL, 0));
	}
}

static void a_mount_of_the_whole_home_is_refused_and_one_of_a_part_is_not(void **state)
{
	(void)state;
	static const char *const bad[] = {"/home/u", "/home", "/", "x"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct jail_mount mount = {.host = bad[i], .inside = bad[i]};
		struct jail_settings s = ordinary();
		struct plan *plan = NULL;
		s.mounts = &mount;
		s.n_mounts = 1;
		assert_true(plan_make(&s, NULL, 0, &plan, NULL) < 0);
		/* a link elsewhere that leads to it is no way around */
		mount.inside = "/home/u/link";
		assert_true(plan_make(&s, NULL, 0, &plan, NULL) < 0);
	}
	struct jail_mount mount = {.host = "/home/u/.cargo", .inside = "/home/u/.cargo"};
	struct jail_settings s = ordinary();
	s.mounts = &mount;
	s.n_mounts = 1;
	struct plan *plan = make(&s, NULL, 0);
	assert_true(find(plan, STEP_BIND, "/home/u/.cargo") >= 0);
	plan_free(plan);
}

static void mounts_come_parents_first_and_the_later_of_two_lies_on_top(void **state)
{
	(void)state;
	const struct jail_mount mounts[] = {
		{"/home/u/shop/vendor", "/home/u/shop/vendor", false, false},
		{"/data/a/b", "/data/a/b", true, false},
		{"/data/a", "/data/a", false, false},
		{"/data/a", "/data/a", true, false},
		{"/home/u/shop", "/home/u/shop", false, false},
	};
	struct jail_settings s = ordinary();
	s.mounts = mounts;
	s.n_mounts = 5;
	struct plan *plan = make(&s, NULL, 0);
	int project = find(plan, STEP_BIND, "/home/u/shop"), vendor = find(plan, STEP_BIND, "/home/u/shop/vendor");
	assert_true(project > find(plan, STEP_TMPFS, "/home/u") && vendor > project);
	assert_true(plan->steps[project].is_writable && !plan->steps[project + 1].is_writable);
	assert_string_equal(plan->steps[project + 1].inside, "/home/u/shop");
	int a = find(plan, STEP_BIND, "/data/a");
	assert_true(find(plan, STEP_BIND, "/data/a/b") > a + 1);
	assert_true(!plan->steps[a].is_writable && plan->steps[a + 1].is_writable);
	assert_true(find(plan, STEP_PROTECT, "/home/u/shop/.envrc") > vendor);
	size_t n_binds = 0;
	for (size_t i = 0; i < plan->n_steps; i++)
		n_binds += plan->steps[i].kind == STEP_BIND && !strncmp(plan->steps[i].inside, "/home/u/shop", 12);
	assert_int_equal(n_binds, 3); /* none twice */
	plan_free(plan);
}

static void every_folder_on_the_way_to_a_protected_entry_is_pinned_once(void **state)
{
	(void)state;
	static const char *const more[] = {".git/modules/a/hooks", ".git/modules/a/config"};
	struct jail_settings s = ordinary();
	s.protected = more;
	s.n_protected = 2;
	struct plan *plan = make(&s, NULL, 0);
	static const char *const pins[] = {"/home/u/shop/.git", "/home/u/shop/.git/modules",
					   "/home/u/shop/.git/modules/a", "/home/u/shop/.claude",
					   "/home/u/shop/.gemini"};
	for (size_t i = 0; i < sizeof(pins) / sizeof(pins[0]); i++) {
		size_t n = 0;
		for (size_t j = 0; j < plan->n_steps; j++)
			n += plan->steps[j].kind == STEP_PIN && !strcmp(plan->steps[j].inside, pins[i]);
		assert_int_equal(n, 1);
	}
	assert_true(find(plan, STEP_PROTECT, "/home/u/shop/.git/modules/a/hooks") >
		    find(plan, STEP_PIN, "/home/u/shop/.git/modules/a"));
	assert_int_equal(find(plan, STEP_PROTECT, "/home/u/shop/.git"), -1);
	plan_free(plan);
}

static void a_socket_is_masked_wherever_a_read_only_mount_shows_it(void **state)
{
	(void)state;
	const struct jail_mount mounts[] = {
		{"/opt/tool", "/home/u/tool", false, false},
		{"/opt/own", "/opt/own", true, false},
		{"/opt/hidden", "/opt/hidden", true, false},
	};
	static const char *const sockets[] = {"/opt/tool/run/s",    "/opt/own/s",   "/run/docker.sock",
					      "/home/u/shop/dev.s", "/opthidden/s", "/home/u/.x/s"};
	struct jail_settings s = ordinary();
	s.mounts = mounts;
	s.n_mounts = 3;
	struct plan *plan = make(&s, sockets, 6);
	assert_true(find(plan, STEP_MASK, "/opt/tool/run/s") > find(plan, STEP_BIND, "/opt/own"));
	assert_true(find(plan, STEP_MASK, "/home/u/tool/run/s") >= 0);
	assert_int_equal(find(plan, STEP_MASK, "/opt/own/s"), -1);	   /* shown writable on purpose */
	assert_int_equal(find(plan, STEP_MASK, "/run/docker.sock"), -1);  /* not there at all */
	assert_int_equal(find(plan, STEP_MASK, "/home/u/shop/dev.s"), -1); /* the user's own */
	size_t n = 0;
	for (size_t i = 0; i < plan->n_steps; i++)
		n += plan->steps[i].kind == STEP_MASK;
	assert_int_equal(n, 2);
	plan_free(plan);
}

static void roots_session_has_idmapped_files_an_account_and_no_more_of_proc(void **state)
{
	(void)state;
	struct jail_settings s = ordinary();
	s.uid = s.gid = 0;
	s.agent_uid = s.agent_gid = 64000;
	s.is_unnamed = true;
	struct plan *plan = make(&s, NULL, 0);
	assert_true(plan->steps[find(plan, STEP_BIND, "/home/u/shop")].is_idmapped);
	assert_false(plan->steps[find(plan, STEP_BIND, "/usr")].is_idmapped);
	assert_non_null(strstr(plan->steps[find(plan, STEP_FILE, "/etc/passwd")].host, "agent:x:64000:64000:"));
	assert_int_equal(find(plan, STEP_PROTECT, "/proc/mtrr"), -1);
	plan_free(plan);
	/* --as-root: no map, no account; what modes held back from others is held back by mounts */
	s.agent_uid = s.agent_gid = 0;
	s.as_root = true;
	s.is_unnamed = false;
	plan = make(&s, NULL, 0);
	assert_false(plan->steps[find(plan, STEP_BIND, "/home/u/shop")].is_idmapped);
	assert_int_equal(find(plan, STEP_FILE, "/etc/passwd"), -1);
	assert_true(find(plan, STEP_PROTECT, "/proc/mtrr") > find(plan, STEP_PROC, "/proc"));
	plan_free(plan);
}

static void it_can_be_printed_a_line_a_step(void **state)
{
	(void)state;
	const struct jail_mount mounts[] = {{"/data/x", "/home/u/x", false, true}};
	struct jail_settings s = ordinary();
	s.mounts = mounts;
	s.n_mounts = 1;
	struct plan *plan = make(&s, NULL, 0);
	struct buf out = {.max = 1 << 16};
	plan_print(plan, &out);
	assert_true(buf_put(&out, "", 1));
	const char *text = (const char *)out.p;
	assert_non_null(strstr(text, "bind    rw /home/u/shop\n"));
	assert_non_null(strstr(text, "bind    ro /home/u/x <- /data/x (if there)\n"));
	assert_non_null(strstr(text, "protect ro /home/u/shop/.git/hooks (if there)\n"));
	size_t n_lines = 0;
	for (const char *p = text; (p = strchr(p, '\n')); p++)
		n_lines++;
	assert_int_equal(n_lines, plan->n_steps);
	buf_drop(&out);
	plan_free(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_one_project_is_refused_and_a_folder_in_it_is_not),
		cmocka_unit_test(a_mount_of_the_whole_home_is_refused_and_one_of_a_part_is_not),
		cmocka_unit_test(mounts_come_parents_first_and_the_later_of_two_lies_on_top),
		cmocka_unit_test(every_folder_on_the_way_to_a_protected_entry_is_pinned_once),
		cmocka_unit_test(a_socket_is_masked_wherever_a_read_only_mount_shows_it),
		cmocka_unit_test(roots_session_has_idmapped_files_an_account_and_no_more_of_proc),
		cmocka_unit_test(it_can_be_printed_a_line_a_step),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
