/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/broker/via.h"
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { REQUEST_MAX_BYTES = 2048, STATUS_BYTES = 12, PEEK_BYTES = 2048, WHY_BYTES = 160 };

struct via {
	struct loop *loop;
	struct loop_source source;
	struct loop_timer timer;
	struct buf request; /* what is left to send */
	uint8_t status[STATUS_BYTES];
	size_t n_head; /* bytes of the answer taken so far */
	unsigned n_end; /* how much of CR LF CR LF the last of them are */
	via_done *done;
	void *owner;
};

void via_cancel(struct via *v)
{
	if (!v)
		return;
	loop_drop(v->loop, &v->source);
	loop_timer_clear(v->loop, &v->timer);
	buf_drop(&v->request);
	free(v);
}

static void finish(struct via *v, const char *why)
{
	via_done *done = v->done;
	void *owner = v->owner;

	via_cancel(v);
	done(owner, why);
}

static void time_is_over(struct loop_timer *timer)
{
	finish(container_of(timer, struct via, timer), "the upstream proxy does not answer");
}

static bool send_request(struct via *v)
{
	struct iovec part = {v->request.p, v->request.n};
	const struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t n = v->request.n ? sendmsg(v->source.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	buf_eat(&v->request, (size_t)n);
	return v->request.n || loop_change(v->loop, &v->source, EPOLLIN) == 0;
}

static ssize_t receive(int fd, void *to, size_t n, int flags)
{
	struct iovec part = {to, n};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};

	return recvmsg(fd, &m, flags | MSG_DONTWAIT);
}

/* How many of @n bytes belong to the head; the state moves on over them. *out_ended: the last is its end. */
static size_t scan(struct via *v, const uint8_t *p, size_t n, bool *out_ended)
{
	static const uint8_t end[] = {'\r', '\n', '\r', '\n'};

	for (size_t i = 0; i < n; i++) {
		if (v->n_head < STATUS_BYTES)
			v->status[v->n_head] = p[i];
		v->n_head++;
		v->n_end = p[i] == end[v->n_end] ? v->n_end + 1 : p[i] == end[0] ? 1 : 0;
		if (v->n_end == sizeof(end)) {
			*out_ended = true;
			return i + 1;
		}
	}
	return n;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* NULL for success. Of the answer only three digits are ever shown. */
static const char *judge(const struct via *v, char why[WHY_BYTES])
{
	const uint8_t *s = v->status;
	bool is_http = v->n_head >= STATUS_BYTES && (memcmp(s, "HTTP/1.1 ", 9) == 0 || memcmp(s, "HTTP/1.0 ", 9) == 0) &&
		       is_digit(s[9]) && is_digit(s[10]) && is_digit(s[11]);

	if (!is_http)
		return "the upstream proxy's answer is not HTTP";
	if (memcmp(s + 9, "200", 3) == 0)
		return NULL;
	bool is_auth = memcmp(s + 9, "407", 3) == 0;
	(void)snprintf(why, WHY_BYTES, "the upstream proxy answered %c%c%c%s", s[9], s[10], s[11],
		       is_auth ? ": it wants a user and a password (upstream-proxy http://USER:PASSWORD@HOST:PORT)" : "");
	return why;
}

/* Looked at first and then taken exactly, so that what follows the head stays in the socket. */
static void take_answer(struct via *v)
{
	uint8_t room[PEEK_BYTES];
	char why[WHY_BYTES];
	bool has_ended = false;

	ssize_t n = receive(v->source.fd, room, sizeof(room), MSG_PEEK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		finish(v, n ? strerror(errno) : "the upstream proxy closed the connection without an answer");
		return;
	}
	size_t used = scan(v, room, (size_t)n, &has_ended);
	if (receive(v->source.fd, room, used, 0) != (ssize_t)used) {
		finish(v, "the upstream proxy's answer cannot be read");
		return;
	}
	if (has_ended || (v->n_head >= STATUS_BYTES && judge(v, why)))
		finish(v, judge(v, why));
	else if (v->n_head > VIA_HEAD_MAX_BYTES)
		finish(v, "the upstream proxy's answer has no end");
}

static void ready(struct loop_source *source, uint32_t events)
{
	struct via *v = container_of(source, struct via, source);

	if (v->request.n && !send_request(v)) {
		finish(v, strerror(errno));
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		take_answer(v);
}

struct via *via_start(struct loop *loop, int fd, const struct name *host, uint16_t port, const char *auth, via_done *done,
		      void *owner)
{
	struct via *v = calloc(1, sizeof(*v));
	bool is_v6 = memchr(host->text, ':', host->n);
	const char *open = is_v6 ? "[" : "", *close = is_v6 ? "]" : "";

	if (!v)
		return NULL;
	*v = (struct via){.loop = loop,
			  .source = {fd, ready},
			  .timer.fire = time_is_over,
			  .request.max = REQUEST_MAX_BYTES,
			  .done = done,
			  .owner = owner};
	bool is_made = buf_putf(&v->request, "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n", open, host->text, close, port,
				open, host->text, close, port);
	if (*auth)
		is_made = is_made && buf_putf(&v->request, "Proxy-Authorization: Basic %s\r\n", auth);
	is_made = is_made && buf_put(&v->request, "\r\n", 2);
	if (!is_made || loop_timer_set(loop, &v->timer, loop_now_ms(loop) + VIA_WHOLE_MS) < 0 ||
	    loop_add(loop, &v->source, EPOLLIN | EPOLLOUT) < 0) {
		via_cancel(v);
		return NULL;
	}
	return v;
}
