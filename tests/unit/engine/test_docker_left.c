/* SPDX-License-Identifier: Apache-2.0 */
/* tests of engine/docker_left.c: which names are taken */
#include "engine/docker_left.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void an_id_is_taken_by_any_lingering_name(void **state)
{
	(void)state;
	assert_true(docker_left_is_taken(span_of("x\ndrydock-a-1f\n"), "a-1f"));
	assert_true(docker_left_is_taken(span_of("drydock-a-1f-egress\n"), "a-1f"));
	assert_true(docker_left_is_taken(span_of("drydock-a-1f-shell"), "a-1f"));
	assert_true(docker_left_is_taken(span_of("y\ndrydock-a-1f-net"), "a-1f"));
}

static void other_names_leave_it_free(void **state)
{
	(void)state;
	assert_false(docker_left_is_taken(span_of("drydock-a-1f-other\nxdrydock-a-1f\ndrydock-a-1f0\n"), "a-1f"));
	assert_false(docker_left_is_taken(span_of(""), "a-1f"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_is_taken_by_any_lingering_name),
		cmocka_unit_test(other_names_leave_it_free),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
