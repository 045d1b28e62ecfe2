/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/engine/test_docker_gc.c - which containers of killed sessions go, and which are protected */
#include "engine/docker_gc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static char own[160];

/* The label of this very process, and of the same number at another time. */
static int find_own(void **state)
{
	char boot[64], stat_text[512], *p;
	unsigned long long started;
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	(void)state;
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%63s", boot), 1);
	(void)fclose(f);
	f = fopen("/proc/self/stat", "re");
	assert_non_null(fgets(stat_text, sizeof(stat_text), f));
	(void)fclose(f);
	p = strrchr(stat_text, ')');
	for (int i = 0; i < 20; i++)
		p = strchr(p + 1, ' ');
	started = strtoull(p, NULL, 10);
	(void)snprintf(own, sizeof(own), "%s:%d:%llu", boot, (int)getpid(), started);
	return 0;
}

static void a_line_has_five_fields(void **state)
{
	static const char *const bad[] = {"", "a", "a\tb\tc\td", "a\tb\tc\td\te\tf", "\tb\tc\td\te", "a\tb\t\td\te"};
	struct docker_gc_line l;

	(void)state;
	assert_true(docker_gc_parse(span_of("drydock-x\trunning\tx\tagent\tb:1:2"), &l));
	assert_true(span_is(l.name, "drydock-x") && span_is(l.state, "running") && span_is(l.session, "x") &&
		    span_is(l.role, "agent") && span_is(l.owner, "b:1:2"));
	assert_true(docker_gc_parse(span_of("drydock-x\trunning\tx\tagent\t"), &l));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(docker_gc_parse(span_of(bad[i]), &l));
}

static void an_owner_is_a_process_of_this_boot_that_began_then(void **state)
{
	char other[200];

	(void)state;
	assert_true(docker_gc_owner_lives(span_of(own)));
	(void)snprintf(other, sizeof(other), "%s9", own);
	assert_false(docker_gc_owner_lives(span_of(other)));
	(void)snprintf(other, sizeof(other), "0%s", own);
	assert_false(docker_gc_owner_lives(span_of(other)));
	assert_false(docker_gc_owner_lives(span_of("")));
	assert_false(docker_gc_owner_lives(span_of("boot:1:2")));
	assert_false(docker_gc_owner_lives(span_of("::")));
}

static struct docker_gc_line line(const char *state, const char *session, const char *role, const char *owner)
{
	return (struct docker_gc_line){span_of("n"), span_of(state), span_of(session), span_of(role), span_of(owner)};
}

static void an_agent_that_runs_protects_its_session_and_a_sidecar_nothing(void **state)
{
	const struct docker_gc_line lines[] = {
		line("running", "alive", "agent", "b:1:2"),  line("running", "alive", "egress", "b:1:2"),
		line("running", "orphan", "egress", "b:1:2"), line("running", "orphan", "net", "b:1:2"),
		line("exited", "ended", "agent", "b:1:2"),    line("running", "ended", "egress", "b:1:2"),
		line("created", "half", "agent", "b:1:2"),    line("paused", "held", "agent", "b:1:2"),
	};
	static const bool goes[] = {false, false, true, true, true, true, true, false};
	size_t n = sizeof(lines) / sizeof(lines[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(docker_gc_goes(lines, n, i, false), goes[i]);
		assert_true(docker_gc_goes(lines, n, i, true));
	}
}

static void a_command_line_that_lives_protects_all_that_it_made(void **state)
{
	const struct docker_gc_line lines[] = {
		line("created", "starting", "agent", own), line("running", "starting", "egress", own)};

	(void)state;
	assert_false(docker_gc_goes(lines, 2, 0, false));
	assert_false(docker_gc_goes(lines, 2, 1, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_five_fields),
		cmocka_unit_test(an_owner_is_a_process_of_this_boot_that_began_then),
		cmocka_unit_test(an_agent_that_runs_protects_its_session_and_a_sidecar_nothing),
		cmocka_unit_test(a_command_line_that_lives_protects_all_that_it_made),
	};
	return cmocka_run_group_tests(tests, find_own, NULL);
}
