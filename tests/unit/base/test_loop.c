/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_loop.c - no event after a drop, timers in order, no turn without end */
#include "base/clock.h"
#include "base/loop.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <cmocka.h>

enum { N_PEERS = 5, N_TIMERS = 300 };

struct peer {
	struct loop *loop;
	struct loop_source source;
	struct peer **others;	/* all of them, freed and NULL once dropped */
	int n_ready;
};

static struct loop *new_loop(void)
{
	struct err err = {0};
	struct loop *loop = loop_new(&err);
	assert_non_null(loop);
	return loop;
}

static int up_fd(void)
{
	int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK); /* readable from birth */
	assert_true(fd >= 0);
	return fd;
}

/* The first that hears drops and frees every other one, then itself stays. */
static void drop_the_others(struct loop_source *source, uint32_t events)
{
	struct peer *me = container_of(source, struct peer, source);

	assert_true(events & EPOLLIN);
	me->n_ready++;
	for (size_t i = 0; i < N_PEERS; i++) {
		struct peer *other = me->others[i];
		if (!other || other == me)
			continue;
		loop_drop(me->loop, &other->source);
		fd_drop(&other->source.fd);
		free(other);
		me->others[i] = NULL;
	}
}

static void a_source_dropped_in_the_batch_hears_nothing_more(void **state)
{
	(void)state;
	struct loop *loop = new_loop();
	struct peer *peers[N_PEERS];
	size_t n_left = 0;

	for (size_t i = 0; i < N_PEERS; i++) {
		peers[i] = calloc(1, sizeof(*peers[i]));
		assert_non_null(peers[i]);
		*peers[i] = (struct peer){.loop = loop, .others = peers, .source = {up_fd(), drop_the_others}};
		assert_int_equal(loop_add(loop, &peers[i]->source, EPOLLIN), 0);
	}
	assert_int_equal(loop_turn(loop), 0);
	for (size_t i = 0; i < N_PEERS; i++) {
		if (!peers[i])
			continue;
		n_left++;
		assert_int_equal(peers[i]->n_ready, 1);
		fd_drop(&peers[i]->source.fd);
		free(peers[i]);
	}
	assert_int_equal(n_left, 1);
	loop_free(loop);
}

/* Drops itself, closes, and puts another source with the same number and the same memory in its place. */
static void replace_itself(struct loop_source *source, uint32_t events)
{
	struct peer *me = container_of(source, struct peer, source);

	(void)events;
	me->n_ready++;
	loop_drop(me->loop, source);
	fd_drop(&source->fd);
	source->fd = up_fd();
	assert_int_equal(loop_add(me->loop, source, EPOLLIN), 0);
}

static void a_source_in_the_place_of_another_hears_only_its_own(void **state)
{
	(void)state;
	struct loop *loop = new_loop();
	struct peer peer = {.loop = loop, .source = {up_fd(), replace_itself}};

	assert_int_equal(loop_add(loop, &peer.source, EPOLLIN), 0);
	for (int turn = 1; turn <= 3; turn++) {
		assert_int_equal(loop_turn(loop), 0);
		assert_int_equal(peer.n_ready, turn);
	}
	fd_drop(&peer.source.fd);
	loop_free(loop);
}

static void count_ready(struct loop_source *source, uint32_t events)
{
	(void)events;
	container_of(source, struct peer, source)->n_ready++;
}

static void only_the_events_asked_for_are_delivered(void **state)
{
	(void)state;
	struct loop *loop = new_loop();
	struct peer a = {.source = {up_fd(), count_ready}}, b = {.source = {up_fd(), count_ready}};

	assert_int_equal(loop_add(loop, &a.source, 0), 0);
	assert_int_equal(loop_add(loop, &b.source, EPOLLIN), 0);
	assert_int_equal(loop_add(loop, &b.source, EPOLLIN), -EEXIST);
	assert_int_equal(loop_turn(loop), 0);
	assert_int_equal(a.n_ready, 0);
	assert_int_equal(b.n_ready, 1);
	assert_int_equal(loop_change(loop, &a.source, EPOLLOUT), 0);
	loop_drop(loop, &b.source);
	loop_drop(loop, &b.source); /* twice is fine */
	assert_int_equal(loop_turn(loop), 0);
	assert_int_equal(a.n_ready, 1);
	assert_int_equal(b.n_ready, 1);
	assert_int_equal(loop_change(loop, &b.source, EPOLLIN), -ENOENT);
	fd_drop(&a.source.fd);
	fd_drop(&b.source.fd);
	loop_drop(loop, &b.source); /* closed already: its number is not looked at */
	loop_free(loop);
}

static uint64_t fired[N_TIMERS];
static size_t n_fired;

static void remember(struct loop_timer *timer)
{
	assert_int_equal(timer->slot, 0);
	fired[n_fired++] = timer->at_ms;
}

static void timers_fire_once_in_order_and_cleared_ones_never(void **state)
{
	(void)state;
	struct loop *loop = new_loop();
	static struct loop_timer timers[N_TIMERS];
	uint64_t seed = 12345;

	n_fired = 0;
	for (size_t i = 0; i < N_TIMERS; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		timers[i] = (struct loop_timer){.fire = remember};
		assert_int_equal(loop_timer_set(loop, &timers[i], 1 + (seed >> 33) % 1000), 0); /* long ago */
	}
	for (size_t i = 0; i < N_TIMERS; i += 3) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		assert_int_equal(loop_timer_set(loop, &timers[i], 1 + (seed >> 33) % 1000), 0); /* moved */
	}
	for (size_t i = 0; i < N_TIMERS; i += 5)
		loop_timer_clear(loop, &timers[i]);
	loop_timer_clear(loop, &timers[0]); /* twice is fine */
	assert_int_equal(loop_turn(loop), 0);
	assert_int_equal(n_fired, N_TIMERS - N_TIMERS / 5);
	for (size_t i = 1; i < n_fired; i++)
		assert_true(fired[i - 1] <= fired[i]);
	loop_free(loop);
}

static void a_timer_that_is_due_later_waits(void **state)
{
	(void)state;
	struct loop *loop = new_loop();
	struct loop_timer soon = {.fire = remember}, later = {.fire = remember};
	uint64_t start = clock_now_ms();

	n_fired = 0;
	assert_int_equal(loop_timer_set(loop, &later, start + 3600000), 0);
	assert_int_equal(loop_timer_set(loop, &soon, start + 20), 0);
	while (n_fired == 0)
		assert_int_equal(loop_turn(loop), 0);
	assert_true(clock_now_ms() >= start + 20);
	assert_true(loop_now_ms(loop) >= start + 20);
	assert_int_equal(n_fired, 1);
	assert_int_not_equal(later.slot, 0);
	loop_timer_clear(loop, &later);
	loop_free(loop);
}

struct repeater {
	struct loop *loop;
	struct loop_timer timer;
	int n;
};

static void again_now(struct loop_timer *timer)
{
	struct repeater *r = container_of(timer, struct repeater, timer);

	assert_true(++r->n < 1000); /* else the turn would never end */
	assert_int_equal(loop_timer_set(r->loop, timer, loop_now_ms(r->loop)), 0);
}

static void a_timer_set_again_for_now_waits_for_the_next_turn(void **state)
{
	(void)state;
	struct loop *loop = new_loop();
	struct repeater r = {.loop = loop, .timer = {.fire = again_now}};
	static struct loop_timer others[50]; /* that others are set makes no difference */

	for (size_t i = 0; i < 50; i++)
		assert_int_equal(loop_timer_set(loop, &others[i], clock_now_ms() + 3600000), 0);
	assert_int_equal(loop_timer_set(loop, &r.timer, 1), 0);
	for (int turn = 1; turn <= 3; turn++) {
		assert_int_equal(loop_turn(loop), 0);
		assert_int_equal(r.n, turn);
	}
	loop_timer_clear(loop, &r.timer);
	loop_free(loop);
}

struct killer {
	struct loop *loop;
	struct loop_timer timer;
	struct killer **victim;
};

static void free_the_other(struct loop_timer *timer)
{
	struct killer *me = container_of(timer, struct killer, timer);

	if (!*me->victim)
		return;
	loop_timer_clear(me->loop, &(*me->victim)->timer);
	free(*me->victim);
	*me->victim = NULL;
	n_fired++;
}

static void a_timer_may_free_another_that_is_due(void **state)
{
	(void)state;
	struct loop *loop = new_loop();
	struct killer *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));

	n_fired = 0;
	assert_true(a && b);
	*a = (struct killer){.loop = loop, .timer = {.fire = free_the_other}, .victim = &b};
	*b = (struct killer){.loop = loop, .timer = {.fire = free_the_other}, .victim = &a};
	assert_int_equal(loop_timer_set(loop, &a->timer, 1), 0);
	assert_int_equal(loop_timer_set(loop, &b->timer, 1), 0);
	assert_int_equal(loop_turn(loop), 0);
	assert_int_equal(n_fired, 1);
	free(a);
	free(b);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_source_dropped_in_the_batch_hears_nothing_more),
		cmocka_unit_test(a_source_in_the_place_of_another_hears_only_its_own),
		cmocka_unit_test(only_the_events_asked_for_are_delivered),
		cmocka_unit_test(timers_fire_once_in_order_and_cleared_ones_never),
		cmocka_unit_test(a_timer_that_is_due_later_waits),
		cmocka_unit_test(a_timer_set_again_for_now_waits_for_the_next_turn),
		cmocka_unit_test(a_timer_may_free_another_that_is_due),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
