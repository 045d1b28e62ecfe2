/* SPDX-License-Identifier: Apache-2.0 */
/* base/loop.h - epoll and timers behind one dispatch call */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

/**
 * struct loop_source - something that wakes the loop; embed it in what it belongs to
 * @fd:		watched descriptor, not owned
 * @ready:	called with the EPOLL* bits that are up. It may drop any source, its own included
 *
 * Use container_of(source, struct mine, member) to get back to the owner.
 */
struct loop_source {
	int fd;
	void (*ready)(struct loop_source *source, uint32_t events);
};

/**
 * struct loop_timer - fires once at a time; embed it, zeroed while unused
 * @at_ms:	clock_now_ms() value
 * @fire:	called once; it may set any timer or free what holds it. What it sets for now waits for the next turn
 */
struct loop_timer {
	uint64_t at_ms;
	size_t slot; /* 1 + place in the heap; 0 while not set */
	void (*fire)(struct loop_timer *timer);
};

struct loop;

#define container_of(ptr, type, member)                                                            \
	((type *)(void *)((char *)(ptr) - __builtin_offsetof(type, member)))

/** loop_new() - an empty loop; NULL with @err set when the kernel or memory refuses */
struct loop *loop_new(struct err *err);
/** loop_free() - free the loop; watched descriptors stay open */
void loop_free(struct loop *loop);

/**
 * loop_add() - watch source->fd for @events (EPOLLIN, EPOLLOUT, EPOLLET ...)
 *
 * Return: 0 or a negative errno value.
 */
int loop_add(struct loop *loop, struct loop_source *source, uint32_t events);
int loop_change(struct loop *loop, struct loop_source *source, uint32_t events);
/** loop_drop() - stop watching; call before closing source->fd. No event of it is delivered after */
void loop_drop(struct loop *loop, struct loop_source *source);

/** loop_timer_set() - fire at @at_ms; moves a timer that is set. -ENOMEM when the heap cannot grow */
int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t at_ms);
/** loop_timer_clear() - forget the timer; fine when it is not set */
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

/** loop_now_ms() - the time when the running batch of events was fetched; no system call */
uint64_t loop_now_ms(const struct loop *loop);

/**
 * loop_turn() - wait for events, at most until the next timer, and dispatch them
 *
 * Return: 0, or a negative errno value when epoll itself failed (EINTR is not a failure).
 */
int loop_turn(struct loop *loop);
