/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt starts at once, the next when the one before failed or DIAL_STAGGER_MS passed, whichever comes
 * first. Attempts stay in the race until one wins, all have failed or DIAL_WHOLE_MS is over.
 */
#include "egress/broker/dial.h"
#include "base/own.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

struct attempt {
	struct loop_source source;
	struct dial *dial;
	struct addr at;
};

struct dial {
	struct loop *loop;
	struct loop_timer next_timer;  /* starts the next attempt */
	struct loop_timer whole_timer; /* ends the race */
	dial_done *done;
	void *owner;
	int last_error;
	struct addr last_at;
	uint16_t port;
	size_t n, n_started, n_live;
	struct attempt attempts[];
};

int dial_socket(const struct addr *at, uint16_t port, bool is_tcp)
{
	struct sockaddr_storage to;
	socklen_t to_bytes = addr_to_sockaddr(at, port, &to);
	AUTO(fd)
	int fd = socket(to.ss_family,
			(is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (is_tcp) {
		int on = 1;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
				 sizeof(on)); /* slower, not wrong */
	}
	if (connect(fd, (struct sockaddr *)&to, to_bytes) < 0 && errno != EINPROGRESS)
		return -errno;
	return fd_take(&fd);
}

static void stop_attempt(struct attempt *a)
{
	if (a->source.fd < 0)
		return;
	loop_drop(a->dial->loop, &a->source);
	fd_drop(&a->source.fd);
	a->dial->n_live--;
}

void dial_cancel(struct dial *dial)
{
	if (!dial)
		return;
	for (size_t i = 0; i < dial->n_started; i++)
		stop_attempt(&dial->attempts[i]);
	loop_timer_clear(dial->loop, &dial->next_timer);
	loop_timer_clear(dial->loop, &dial->whole_timer);
	free(dial);
}

static void finish(struct dial *dial, int fd, struct addr at, int error)
{
	dial_done *done = dial->done;
	void *owner = dial->owner;

	dial_cancel(dial);
	done(owner, fd, &at, error);
}

static void fail_attempt(struct dial *dial, const struct addr *at, int error)
{
	dial->last_error = error;
	dial->last_at = *at;
	if (dial->n_started < dial->n)
		(void)loop_timer_set(dial->loop, &dial->next_timer,
				     0); /* its slot is in the heap, or was a moment ago */
	else if (!dial->n_live)
		finish(dial, -1, dial->last_at, dial->last_error);
}

static void attempt_ready(struct loop_source *source, uint32_t events)
{
	struct attempt *a = container_of(source, struct attempt, source);
	struct dial *dial = a->dial;
	int error = 0;
	socklen_t bytes = sizeof(error);

	/* a failed connect() is always an error event (connect(2), tcp_poll() in net/ipv4/tcp.c) */
	if ((events & (EPOLLERR | EPOLLHUP)) &&
	    getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0)
		error = errno;
	if (error) {
		struct addr at = a->at;
		stop_attempt(a);
		fail_attempt(dial, &at, -error);
		return;
	}
	loop_drop(dial->loop, source);
	dial->n_live--;
	finish(dial, fd_take(&source->fd), a->at, 0);
}

static void start_attempt(struct loop_timer *timer)
{
	struct dial *dial = container_of(timer, struct dial, next_timer);
	struct attempt *a = &dial->attempts[dial->n_started++];
	int fd = dial_socket(&a->at, dial->port, true);

	if (fd < 0) {
		fail_attempt(dial, &a->at, fd);
		return;
	}
	a->source.fd = fd;
	dial->n_live++;
	int rc = loop_add(dial->loop, &a->source, EPOLLOUT);
	if (rc < 0) {
		struct addr at = a->at;
		stop_attempt(a);
		fail_attempt(dial, &at, rc);
		return;
	}
	if (dial->n_started < dial->n &&
	    loop_timer_set(dial->loop, &dial->next_timer,
			   loop_now_ms(dial->loop) + DIAL_STAGGER_MS) < 0)
		dial->last_error =
			-ENOMEM; /* no race then: the next attempt waits for this one to fail */
}

static void time_over(struct loop_timer *timer)
{
	struct dial *dial = container_of(timer, struct dial, whole_timer);

	finish(dial, -1, dial->attempts[dial->n_started ? dial->n_started - 1 : 0].at, -ETIMEDOUT);
}

/* IPv6 and IPv4 by turns, each family in the order given. */
static void order(struct dial *dial, const struct addr *addresses)
{
	size_t next[2] = {0, 0};
	bool wants_v6 = true;

	for (size_t put = 0; put < dial->n; wants_v6 = !wants_v6) {
		size_t *i = &next[wants_v6];
		while (*i < dial->n && addresses[*i].is_v6 != wants_v6)
			(*i)++;
		if (*i < dial->n)
			dial->attempts[put++] =
				(struct attempt){.source = {.fd = -1, .ready = attempt_ready},
						 .dial = dial,
						 .at = addresses[(*i)++]};
	}
}

struct dial *dial_start(struct loop *loop, const struct addr *addresses, size_t n, uint16_t port,
			dial_done *done, void *owner)
{
	assert(n > 0 && n <= DIAL_MAX_ADDRESSES);
	struct dial *dial = calloc(1, sizeof(*dial) + n * sizeof(dial->attempts[0]));
	if (!dial)
		return NULL;
	dial->loop = loop;
	dial->next_timer.fire = start_attempt;
	dial->whole_timer.fire = time_over;
	dial->done = done;
	dial->owner = owner;
	dial->port = port;
	dial->n = n;
	order(dial, addresses);
	uint64_t now_ms = loop_now_ms(loop);
	if (loop_timer_set(loop, &dial->next_timer, now_ms) < 0 ||
	    loop_timer_set(loop, &dial->whole_timer, now_ms + DIAL_WHOLE_MS) < 0) {
		dial_cancel(dial);
		return NULL;
	}
	return dial;
}
