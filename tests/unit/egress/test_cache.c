/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/broker/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

static struct name name_of(const char *text)
{
	struct name n = {0};
	assert_int_equal(name_parse(span_of(text), &n), NAME_IS_HOST);
	return n;
}

static struct addr addr_of(const char *text)
{
	struct addr a = {0};
	assert_true(addr_parse(span_of(text), &a));
	return a;
}

static void an_answer_holds_until_its_ttl_ends(void **state)
{
	(void)state;
	struct cache c;
	struct name a = name_of("a.example"), b = name_of("b.example");
	struct addr two[] = {addr_of("192.0.2.1"), addr_of("2001:db8::1")};
	size_t n = 0;
	cache_init(&c);
	cache_put(&c, &a, two, 2, 60, 1000);
	const struct addr *got = cache_find(&c, &a, 60999, &n);
	assert_non_null(got);
	assert_int_equal(n, 2);
	assert_true(addr_equal(&got[1], &two[1]));
	assert_null(cache_find(&c, &b, 1000, &n));
	assert_null(cache_find(&c, &a, 61000, &n));
	assert_int_equal(c.n, 0);
	cache_drop(&c);
}

static void a_ttl_of_zero_is_not_kept_and_a_long_one_is_cut(void **state)
{
	(void)state;
	struct cache c;
	struct name a = name_of("a.example");
	struct addr one = addr_of("192.0.2.1");
	size_t n;
	cache_init(&c);
	cache_put(&c, &a, &one, 1, 0, 0);
	assert_null(cache_find(&c, &a, 0, &n));
	cache_put(&c, &a, &one, 1, 86400, 0);
	assert_non_null(cache_find(&c, &a, 1000ull * CACHE_MAX_TTL_S - 1, &n));
	assert_null(cache_find(&c, &a, 1000ull * CACHE_MAX_TTL_S, &n));
	cache_drop(&c);
}

static void that_a_name_does_not_exist_is_kept_for_a_short_time(void **state)
{
	(void)state;
	struct cache c;
	struct name a = name_of("a.example");
	size_t n = 9;
	cache_init(&c);
	cache_put(&c, &a, NULL, 0, 3600, 0);
	assert_non_null(cache_find(&c, &a, 1000ull * CACHE_NEGATIVE_S - 1, &n));
	assert_int_equal(n, 0);
	assert_null(cache_find(&c, &a, 1000ull * CACHE_NEGATIVE_S, &n));
	cache_drop(&c);
}

static void a_newer_answer_replaces_the_older(void **state)
{
	(void)state;
	struct cache c;
	struct name a = name_of("a.example");
	struct addr one = addr_of("192.0.2.1"), other = addr_of("192.0.2.2");
	size_t n;
	cache_init(&c);
	cache_put(&c, &a, &one, 1, 60, 0);
	cache_put(&c, &a, &other, 1, 60, 0);
	assert_true(addr_equal(cache_find(&c, &a, 0, &n), &other));
	assert_int_equal(c.n, 1);
	cache_put(&c, &a, &other, 1, 0, 0); /* gone: what is not valid is not kept */
	assert_null(cache_find(&c, &a, 0, &n));
	cache_drop(&c);
}

static void the_oldest_goes_when_it_is_full(void **state)
{
	(void)state;
	struct cache c;
	struct addr one = addr_of("192.0.2.1");
	size_t n;
	cache_init(&c);
	for (int i = 0; i <= CACHE_MAX_NAMES; i++) {
		char text[32];
		(void)snprintf(text, sizeof(text), "h%d.example", i);
		struct name name = name_of(text);
		cache_put(&c, &name, &one, 1, 60, 0);
	}
	struct name first = name_of("h0.example"), second = name_of("h1.example");
	assert_int_equal(c.n, CACHE_MAX_NAMES);
	assert_null(cache_find(&c, &first, 0, &n));
	assert_non_null(cache_find(&c, &second, 0, &n));
	cache_drop(&c);
	assert_int_equal(c.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_holds_until_its_ttl_ends),
		cmocka_unit_test(a_ttl_of_zero_is_not_kept_and_a_long_one_is_cut),
		cmocka_unit_test(that_a_name_does_not_exist_is_kept_for_a_short_time),
		cmocka_unit_test(a_newer_answer_replaces_the_older),
		cmocka_unit_test(the_oldest_goes_when_it_is_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
