/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_budget.c - each limit at, one under and one over */
#include "egress/broker/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void a_rule_without_limits_always_passes_and_takes_no_memory(void **state)
{
	(void)state;
	struct budget b = {0};
	const struct verdict v = {.rule_id = 3};
	for (int i = 0; i < 1000; i++)
		assert_true(budget_take(&b, &v, 0));
	assert_int_equal(b.n_used, 0);
	budget_drop(&b);
}

static void connections_are_counted(void **state)
{
	(void)state;
	struct budget b = {0};
	const struct verdict v = {.rule_id = 3, .budget = {.conns = 2}};
	const struct verdict other = {.rule_id = 4, .budget = {.conns = 2}};
	assert_true(budget_take(&b, &v, 0));
	assert_true(budget_take(&b, &v, 0));
	assert_false(budget_take(&b, &v, 100000));
	assert_true(budget_take(&b, &other, 0));
	budget_drop(&b);
}

static void a_rate_refills_and_never_holds_more_than_a_second(void **state)
{
	(void)state;
	struct budget b = {0};
	const struct verdict v = {.rule_id = 3, .budget = {.rate_per_s = 2}};
	assert_true(budget_take(&b, &v, 1000));
	assert_true(budget_take(&b, &v, 1000));
	assert_false(budget_take(&b, &v, 1499));
	assert_true(budget_take(&b, &v, 1500));
	assert_false(budget_take(&b, &v, 1501));
	assert_true(budget_take(&b, &v, 99000));
	assert_true(budget_take(&b, &v, 99000));
	assert_false(budget_take(&b, &v, 99000));
	budget_drop(&b);
}

static void bytes_are_spent_when_they_reach_the_limit(void **state)
{
	(void)state;
	struct budget b = {0};
	const struct verdict v = {.rule_id = 3, .budget = {.up_bytes = 100, .down_bytes = 50}};
	assert_true(budget_take(&b, &v, 0));
	budget_add(&b, 3, 99, 49);
	assert_false(budget_is_spent(&b, 3, &v.budget, 0));
	assert_true(budget_take(&b, &v, 0));
	budget_add(&b, 3, 1, 0);
	assert_true(budget_is_spent(&b, 3, &v.budget, 0));
	assert_false(budget_take(&b, &v, 0));
	budget_drop(&b);
}

static void a_lifetime_ends_from_loading_on(void **state)
{
	(void)state;
	struct budget b = {.begun_ms = 5000};
	const struct verdict v = {.rule_id = 3, .budget = {.for_s = 10}};
	assert_true(budget_take(&b, &v, 14999));
	assert_false(budget_is_spent(&b, 3, &v.budget, 14999));
	assert_true(budget_is_spent(&b, 3, &v.budget, 15000));
	assert_false(budget_take(&b, &v, 15000));
	budget_drop(&b);
}

static void many_rules_keep_their_own_counts(void **state)
{
	(void)state;
	struct budget b = {0};
	for (uint32_t round = 0; round < 2; round++)
		for (uint32_t id = 1; id <= 5000; id++) {
			const struct verdict v = {.rule_id = id * 16, .budget = {.conns = 1}};
			assert_int_equal(budget_take(&b, &v, 0), round == 0);
		}
	assert_int_equal(b.n_used, 5000);
	budget_drop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_without_limits_always_passes_and_takes_no_memory),
		cmocka_unit_test(connections_are_counted),
		cmocka_unit_test(a_rate_refills_and_never_holds_more_than_a_second),
		cmocka_unit_test(bytes_are_spent_when_they_reach_the_limit),
		cmocka_unit_test(a_lifetime_ends_from_loading_on),
		cmocka_unit_test(many_rules_keep_their_own_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
