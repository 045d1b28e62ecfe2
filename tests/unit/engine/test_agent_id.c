/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/engine/test_agent_id.c - the agent's id is nobody's */
#include "engine/agent_id.h"
#include "base/fs.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static char path[] = "/tmp/drydock-ids-XXXXXX";

static void pick(const char *content, unsigned seed, int want_rc, uid_t want)
{
	const char *files[] = {"/nonexistent/passwd", path, NULL};
	uid_t id = 0;
	assert_int_equal(fs_replace(path, span_of(content), 0600, NULL), 0);
	assert_int_equal(agent_id_pick(files, seed, &id, NULL), want_rc);
	if (want_rc == 0)
		assert_int_equal(id, want);
}

static void a_free_id_is_taken_and_a_taken_one_is_not(void **state)
{
	(void)state;
	pick("root:x:0:0:root:/root:/bin/sh\n", 0, 0, AGENT_ID_FIRST);
	pick("u:x:66000:1000::/:/bin/sh\n", 0, 0, AGENT_ID_FIRST + 1);
	pick("u:x:1000:66000::/:/bin/sh\n", 0, 0, AGENT_ID_FIRST + 1); /* as a group */
	pick("u:x:66000:\nv:x:66001:u", 0, 0, AGENT_ID_FIRST + 2);     /* no newline at the end */
	pick("", 5, 0, AGENT_ID_FIRST + 5);
}

static void subordinate_ranges_are_taken_as_a_whole(void **state)
{
	(void)state;
	pick("u:66000:10\n", 3, 0, AGENT_ID_FIRST + 10);
	pick("u:65000:1500\n", 0, 0, 66500);
	pick("u:0:4294967295\n", 0, -ENOSPC, 0);
}

static void a_user_is_known_by_the_file_alone(void **state)
{
	(void)state;
	assert_int_equal(fs_replace(path, span_of("root:x:0:0:root:/root:/bin/sh\nu:x:1000:1001::/:/bin/sh\n"), 0600, NULL), 0);
	assert_true(agent_id_is_named(path, 0));
	assert_true(agent_id_is_named(path, 1000));
	assert_false(agent_id_is_named(path, 1001)); /* a group */
	assert_false(agent_id_is_named("/nonexistent/passwd", 0));
}

static void the_search_goes_round(void **state)
{
	(void)state;
	pick("u:x:98999:1:\n", AGENT_ID_LAST - AGENT_ID_FIRST, 0, AGENT_ID_FIRST);
}

static void lines_that_are_no_entries_do_no_harm(void **state)
{
	(void)state;
	pick("\n:::\nx\n+::::::\nu:x:abc:def\n", 0, 0, AGENT_ID_FIRST);
}

static void a_caller_who_is_not_root_is_not_real_root(void **state)
{
	(void)state;
	if (geteuid() != 0)
		assert_false(agent_id_is_real_root());
}

int main(void)
{
	int fd = mkstemp(path);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_free_id_is_taken_and_a_taken_one_is_not),
		cmocka_unit_test(subordinate_ranges_are_taken_as_a_whole),
		cmocka_unit_test(a_user_is_known_by_the_file_alone),
		cmocka_unit_test(the_search_goes_round),
		cmocka_unit_test(lines_that_are_no_entries_do_no_harm),
		cmocka_unit_test(a_caller_who_is_not_root_is_not_real_root),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	(void)close(fd);
	(void)unlink(path);
	return rc;
}
