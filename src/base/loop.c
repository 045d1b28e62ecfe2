/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events are fetched in batches. A handler may drop a source whose event waits further down the same
 * batch, so loop_drop() crosses such events out before the memory of the source can go away.
 * Timers live in a binary heap ordered by time; slot 0 of a timer means "not in the heap".
 */
#include "base/loop.h"
#include "base/clock.h"
#include "base/own.h"

#include <errno.h>
#include <limits.h>

enum { LOOP_BATCH = 64 };

struct loop {
	int epoll_fd;
	uint64_t now_ms;
	bool is_firing; /* timers of this turn are being fired */
	struct epoll_event batch[LOOP_BATCH];
	int n_batch; /* events of the running batch; 0 outside loop_turn() */
	struct loop_timer **heap;
	size_t n_heap;
	size_t cap_heap;
};

struct loop *loop_new(struct err *err)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	if (!loop) {
		err_set(err, ENOMEM, "making an event loop");
		return NULL;
	}
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		err_set(err, errno, "making an event loop");
		free(loop);
		return NULL;
	}
	loop->now_ms = clock_now_ms();
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	fd_drop(&loop->epoll_fd);
	free(loop->heap);
	free(loop);
}

static int control(struct loop *loop, int op, struct loop_source *source, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = source};
	return epoll_ctl(loop->epoll_fd, op, source->fd, &ev) < 0 ? -errno : 0;
}

int loop_add(struct loop *loop, struct loop_source *source, uint32_t events)
{
	return control(loop, EPOLL_CTL_ADD, source, events);
}

int loop_change(struct loop *loop, struct loop_source *source, uint32_t events)
{
	return control(loop, EPOLL_CTL_MOD, source, events);
}

void loop_drop(struct loop *loop, struct loop_source *source)
{
	if (source->fd >= 0)
		(void)control(loop, EPOLL_CTL_DEL, source, 0); /* not watched: nothing to stop */
	for (int i = 0; i < loop->n_batch; i++)
		if (loop->batch[i].data.ptr == source)
			loop->batch[i].data.ptr = NULL;
}

static void heap_place(struct loop *loop, size_t i, struct loop_timer *timer)
{
	loop->heap[i] = timer;
	timer->slot = i + 1;
}

static void heap_up(struct loop *loop, size_t i)
{
	struct loop_timer *timer = loop->heap[i];
	for (; i > 0; i = (i - 1) / 2) {
		struct loop_timer *parent = loop->heap[(i - 1) / 2];
		if (parent->at_ms <= timer->at_ms)
			break;
		heap_place(loop, i, parent);
	}
	heap_place(loop, i, timer);
}

static void heap_down(struct loop *loop, size_t i)
{
	struct loop_timer *timer = loop->heap[i];
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= loop->n_heap)
			break;
		if (child + 1 < loop->n_heap &&
		    loop->heap[child + 1]->at_ms < loop->heap[child]->at_ms)
			child++;
		if (timer->at_ms <= loop->heap[child]->at_ms)
			break;
		heap_place(loop, i, loop->heap[child]);
		i = child;
	}
	heap_place(loop, i, timer);
}

int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t at_ms)
{
	/* One that is set again for now would fire in this turn for ever. */
	if (loop->is_firing && at_ms <= loop->now_ms)
		at_ms = loop->now_ms + 1;
	if (timer->slot) {
		timer->at_ms = at_ms;
		heap_up(loop, timer->slot - 1);
		heap_down(loop, timer->slot - 1);
		return 0;
	}
	if (loop->n_heap == loop->cap_heap) {
		size_t cap = loop->cap_heap ? loop->cap_heap * 2 : 16;
		struct loop_timer **grown = reallocarray(loop->heap, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		loop->heap = grown;
		loop->cap_heap = cap;
	}
	timer->at_ms = at_ms;
	heap_place(loop, loop->n_heap++, timer);
	heap_up(loop, timer->slot - 1);
	return 0;
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
	if (!timer->slot)
		return;
	size_t hole = timer->slot - 1;
	timer->slot = 0;
	struct loop_timer *last = loop->heap[--loop->n_heap];
	if (last != timer) {
		heap_place(loop, hole, last);
		heap_up(loop, hole);
		heap_down(loop, last->slot - 1);
	}
}

uint64_t loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}

static int wait_ms(const struct loop *loop)
{
	if (!loop->n_heap)
		return -1;
	uint64_t now = clock_now_ms();
	uint64_t at = loop->heap[0]->at_ms;
	uint64_t left = at > now ? at - now : 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

int loop_turn(struct loop *loop)
{
	int n = epoll_wait(loop->epoll_fd, loop->batch, LOOP_BATCH, wait_ms(loop));
	if (n < 0 && errno != EINTR)
		return -errno;
	loop->now_ms = clock_now_ms();
	loop->n_batch = n > 0 ? n : 0;
	for (int i = 0; i < loop->n_batch; i++) {
		struct loop_source *source = loop->batch[i].data.ptr;
		if (source)
			source->ready(source, loop->batch[i].events);
	}
	loop->n_batch = 0;
	loop->is_firing = true;
	while (loop->n_heap && loop->heap[0]->at_ms <= loop->now_ms) {
		struct loop_timer *due = loop->heap[0];
		loop_timer_clear(loop, due);
		due->fire(due);
	}
	loop->is_firing = false;
	return 0;
}
