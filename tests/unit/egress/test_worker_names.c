/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_worker_names.c - the table of synthetic addresses: bounds, reuse, limits under a wildcard */
#include "egress/worker/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct names *table;

static int up(void **state)
{
	(void)state;
	table = calloc(1, sizeof(*table));
	names_init(table);
	return 0;
}

static int down(void **state)
{
	(void)state;
	names_drop(table);
	free(table);
	return 0;
}

static struct name numbered(unsigned i)
{
	struct name name = {0};

	name.n = (uint8_t)snprintf(name.text, sizeof(name.text), "n%u.example", i);
	return name;
}

static struct named *give(unsigned i, bool is_wild, uint64_t now_ms)
{
	struct name name = numbered(i);

	return names_give(table, &name, is_wild, now_ms);
}

static void a_name_has_one_address_in_each_family(void **state)
{
	struct named *e = give(1, false, 1000);
	struct addr v4 = names_address(table, e, false), v6 = names_address(table, e, true);
	char text[ADDR_TEXT_BYTES];

	(void)state;
	assert_ptr_equal(names_find(table, &v4), e);
	assert_ptr_equal(names_find(table, &v6), e);
	addr_print(&v4, text);
	assert_string_equal(text, "198.18.0.1");
	addr_print(&v6, text);
	assert_string_equal(text, "fd64:7279:646f:636b::c612:1");
	assert_ptr_equal(give(1, false, 2000), e);
	assert_ptr_not_equal(give(2, false, 2000), e);
}

static void other_addresses_stand_for_nobody(void **state)
{
	static const char *const others[] = {"198.18.0.2", "198.20.0.1", "10.0.0.1", "fd64:7279:646f:636c::c612:1",
					     "fd64:7279:646f:636b::a00:1", "::"};
	struct addr a;

	(void)state;
	give(1, false, 1000);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_true(addr_parse(span_of(others[i]), &a));
		assert_null(names_find(table, &a));
	}
}

static void a_verdict_is_fresh_for_a_ttl(void **state)
{
	struct name name = numbered(1);

	(void)state;
	assert_null(names_fresh(table, &name, 0));
	struct named *e = names_give(table, &name, false, 1000);
	assert_ptr_equal(names_fresh(table, &name, 1000 + NAMES_TTL_S * 1000 - 1), e);
	assert_null(names_fresh(table, &name, 1000 + NAMES_TTL_S * 1000));
}

static void an_address_outlives_its_last_answer_by_ten_minutes(void **state)
{
	struct addr a = names_address(table, give(1, false, 1000), false);

	(void)state;
	give(2, false, 1000 + NAMES_KEEP_MS - 1);
	assert_non_null(names_find(table, &a));
	give(3, false, 1000 + NAMES_KEEP_MS);
	assert_null(names_find(table, &a));
	struct addr again = names_address(table, give(4, false, 1000 + NAMES_KEEP_MS), false);
	assert_false(addr_equal(&a, &again));
}

static void an_address_in_use_is_never_given_away(void **state)
{
	struct named *e = give(1, false, 1000);
	struct addr a = names_address(table, e, false);

	(void)state;
	e->n_flows = 1;
	give(2, false, 1000 + 2 * (uint64_t)NAMES_KEEP_MS);
	assert_ptr_equal(names_find(table, &a), e);
	e->n_flows = 0;
	give(3, false, 1000 + 3 * (uint64_t)NAMES_KEEP_MS + 1);
	assert_null(names_find(table, &a));
}

static void new_names_under_a_wildcard_are_limited_a_minute(void **state)
{
	uint64_t now_ms = 100000;
	unsigned i = 0;

	(void)state;
	for (; i < NAMES_WILD_A_MINUTE; i++)
		assert_non_null(give(i, true, now_ms));
	assert_null(give(i, true, now_ms + 59999));
	assert_non_null(give(0, true, now_ms + 59999));	    /* no new name */
	assert_non_null(give(i + 1, false, now_ms + 59999)); /* not under a wildcard */
	assert_non_null(give(i, true, now_ms + 60000));
}

static void new_names_under_a_wildcard_are_limited_a_session(void **state)
{
	uint64_t now_ms = 100000;

	(void)state;
	for (unsigned i = 0; i < NAMES_WILD_A_SESSION; i++) {
		assert_non_null(give(i, true, now_ms));
		now_ms += 1000;
	}
	assert_null(give(NAMES_WILD_A_SESSION, true, now_ms + 3600 * 1000));
	assert_non_null(give(NAMES_WILD_A_SESSION, false, now_ms + 3600 * 1000));
}

static void the_table_has_an_end_and_makes_room_when_names_grow_old(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NAMES_MAX; i++)
		assert_non_null(give(i, false, 1000));
	assert_null(give(NAMES_MAX, false, 1000));
	assert_non_null(give(NAMES_MAX, false, 1000 + NAMES_KEEP_MS));
}

static void another_pool_has_ipv4_addresses_only_and_as_many_names(void **state)
{
	static const uint8_t pool[4] = {127, 77, 0, 0}, odd[4] = {127, 77, 0, 1};
	char text[ADDR_TEXT_BYTES];
	struct addr out, v6 = {.is_v6 = true, .bytes = {0xfd, 0x64, 0x72, 0x79, 0x64, 0x6f, 0x63, 0x6b, 0, 0, 0, 0, 127, 77, 0, 1}};

	(void)state;
	assert_false(names_use_pool(table, odd, 16));
	assert_false(names_use_pool(table, pool, NAMES_POOL_MAX_BITS + 1));
	assert_false(names_use_pool(table, pool, NAMES_POOL_MIN_BITS - 1));
	assert_true(names_use_pool(table, pool, 16));
	assert_false(table->has_v6);
	for (unsigned i = 0; i < NAMES_MAX; i++) {
		struct named *e = give(i, false, 1000);
		assert_non_null(e);
		out = names_address(table, e, false);
		assert_ptr_equal(names_find(table, &out), e);
		if (i == 0 || i == 256) {
			addr_print(&out, text);
			assert_string_equal(text, i ? "127.77.1.1" : "127.77.0.1");
		}
	}
	assert_null(names_find(table, &v6));
	assert_true(addr_parse(span_of("127.0.0.1"), &out));
	assert_null(names_find(table, &out));
	assert_true(addr_parse(span_of("198.18.0.1"), &out));
	assert_null(names_find(table, &out));
}

#define TABLE(test) cmocka_unit_test_setup_teardown(test, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE(a_name_has_one_address_in_each_family),
		TABLE(other_addresses_stand_for_nobody),
		TABLE(a_verdict_is_fresh_for_a_ttl),
		TABLE(an_address_outlives_its_last_answer_by_ten_minutes),
		TABLE(an_address_in_use_is_never_given_away),
		TABLE(new_names_under_a_wildcard_are_limited_a_minute),
		TABLE(new_names_under_a_wildcard_are_limited_a_session),
		TABLE(another_pool_has_ipv4_addresses_only_and_as_many_names),
		TABLE(the_table_has_an_end_and_makes_room_when_names_grow_old),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
