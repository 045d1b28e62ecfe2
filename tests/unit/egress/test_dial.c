/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_dial.c - the race between addresses */
#include "egress/broker/dial.h"
#include "base/clock.h"
#include "base/own.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <cmocka.h>

/** struct outcome - what dial_done said; n counts the calls */
struct outcome {
	int n;
	int fd;
	struct addr at;
	int error;
};

static void done(void *owner, int fd, const struct addr *at, int error)
{
	struct outcome *o = owner;
	*o = (struct outcome){o->n + 1, fd, *at, error};
}

static const struct addr first = {.bytes = {127, 0, 0, 2}};
static const struct addr second = {.bytes = {127, 0, 0, 3}};

static int listen_at(const struct addr *at, uint16_t *port, int backlog)
{
	struct sockaddr_storage ss;
	socklen_t bytes = addr_to_sockaddr(at, *port, &ss);
	struct addr ignored;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&ss, bytes), 0);
	assert_int_equal(listen(fd, backlog), 0);
	bytes = sizeof(ss);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &bytes), 0);
	assert_true(addr_from_sockaddr(&ss, &ignored, port));
	return fd;
}

static void finish(struct loop *loop, struct outcome *o)
{
	while (!o->n)
		assert_int_equal(loop_turn(loop), 0);
}

static void the_first_address_that_answers_wins(void **state)
{
	(void)state;
	struct err err = {0};
	struct outcome o = {0};
	const struct addr both[] = {first, second};
	uint16_t port = 0;
	AUTO(fd) int listener = listen_at(&first, &port, 4);
	struct loop *loop = loop_new(&err);
	assert_true(listener >= 0);
	assert_non_null(dial_start(loop, both, 2, port, done, &o));
	assert_int_equal(o.n, 0); /* never from within */
	finish(loop, &o);
	assert_true(o.fd >= 0 && o.error == 0 && addr_equal(&o.at, &first));
	(void)close(o.fd);
	loop_free(loop);
}

static void a_refused_address_gives_way_at_once(void **state)
{
	(void)state;
	struct err err = {0};
	struct outcome o = {0};
	const struct addr both[] = {first, second};
	uint16_t port = 0;
	AUTO(fd) int listener = listen_at(&second, &port, 4);
	struct loop *loop = loop_new(&err);
	assert_true(listener >= 0);
	assert_non_null(dial_start(loop, both, 2, port, done, &o));
	finish(loop, &o);
	assert_true(o.fd >= 0 && addr_equal(&o.at, &second));
	(void)close(o.fd);
	loop_free(loop);
}

/* Connections to a listener whose queue is full hang, as to a host that is down. */
static void fill_queue(uint16_t port, int *fds, size_t n)
{
	struct sockaddr_storage ss;
	socklen_t bytes = addr_to_sockaddr(&first, port, &ss);

	for (size_t i = 0; i < n; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(fds[i], (struct sockaddr *)&ss, bytes); /* the last ones hang */
	}
}

static void a_silent_address_is_overtaken_after_the_stagger(void **state)
{
	(void)state;
	struct err err = {0};
	struct outcome o = {0};
	const struct addr both[] = {first, second};
	int filling[4];
	uint16_t port = 0;
	AUTO(fd) int silent = listen_at(&first, &port, 0);
	AUTO(fd) int listener = listen_at(&second, &port, 4);
	assert_true(silent >= 0 && listener >= 0);
	fill_queue(port, filling, 4);
	struct loop *loop = loop_new(&err);
	uint64_t start_ms = clock_now_ms();
	assert_non_null(dial_start(loop, both, 2, port, done, &o));
	finish(loop, &o);
	assert_true(o.fd >= 0 && addr_equal(&o.at, &second));
	assert_true(clock_now_ms() - start_ms >= DIAL_STAGGER_MS);
	(void)close(o.fd);
	for (size_t i = 0; i < 4; i++)
		(void)close(filling[i]);
	loop_free(loop);
}

static void when_all_refuse_the_last_error_is_told_once(void **state)
{
	(void)state;
	struct err err = {0};
	struct outcome o = {0};
	const struct addr three[] = {first, second, {.is_v6 = true, .bytes = {[15] = 1}}};
	uint16_t port = 0;
	int taken = listen_at(&first, &port, 1);
	(void)close(taken); /* a port that nobody listens on */
	struct loop *loop = loop_new(&err);
	assert_non_null(dial_start(loop, three, 3, port, done, &o));
	finish(loop, &o);
	assert_int_equal(o.n, 1);
	assert_int_equal(o.fd, -1);
	assert_int_equal(o.error, -ECONNREFUSED);
	loop_free(loop);
}

static void a_cancelled_dial_says_nothing(void **state)
{
	(void)state;
	struct err err = {0};
	struct outcome cancelled = {0}, o = {0};
	uint16_t port = 0;
	AUTO(fd) int listener = listen_at(&first, &port, 4);
	struct loop *loop = loop_new(&err);
	assert_true(listener >= 0);
	dial_cancel(NULL);
	struct dial *dial = dial_start(loop, &first, 1, port, done, &cancelled);
	assert_non_null(dial);
	dial_cancel(dial);
	assert_non_null(dial_start(loop, &first, 1, port, done, &o)); /* the twin */
	finish(loop, &o);
	assert_true(o.fd >= 0);
	assert_int_equal(cancelled.n, 0);
	(void)close(o.fd);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_address_that_answers_wins),
		cmocka_unit_test(a_refused_address_gives_way_at_once),
		cmocka_unit_test(a_silent_address_is_overtaken_after_the_stagger),
		cmocka_unit_test(when_all_refuse_the_last_error_is_told_once),
		cmocka_unit_test(a_cancelled_dial_says_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
