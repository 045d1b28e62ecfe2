/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/publish.h"
#include "base/loop.h"
#include "base/own.h"
#include "confine/landlock.h"
#include "confine/privs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COPY_BYTES = 32 << 10, KEPT_FROM = 200 };

/* --- the process ----------------------------------------------------------------------------- */

struct publisher;
struct link;

/* One end of a connection; what it received waits in @held until the other end takes it. */
struct end {
	struct loop_source source;
	struct link *link;
	struct end *other;
	uint8_t held[COPY_BYTES];
	size_t n, done;
	bool has_ended, is_told; /* its end was read, and passed on */
	bool is_gone; /* closed both ways, no longer watched; what it holds is still to be taken */
	uint32_t events;
};

struct link {
	struct publisher *p;
	struct end outside, inside;
};

struct door {
	struct loop_source source;
	struct publisher *p;
	uint16_t port;
};

struct publisher {
	struct loop *loop;
	struct door doors[PUBLISH_MAX_PORTS];
	size_t n_links;
};

static void close_link(struct link *l)
{
	struct end *both[] = {&l->outside, &l->inside};
	for (size_t i = 0; i < 2; i++) {
		if (both[i]->source.fd < 0)
			continue;
		if (!both[i]->is_gone)
			loop_drop(l->p->loop, &both[i]->source);
		(void)close(both[i]->source.fd);
	}
	l->p->n_links--;
	free(l);
}

/* What an end waits for: to read while it holds nothing, to write while the other one does. */
static void watch(struct end *e)
{
	uint32_t events = (e->n || e->has_ended ? 0U : (uint32_t)EPOLLIN) | (e->other->n ? (uint32_t)EPOLLOUT : 0U);

	if (!e->is_gone && events != e->events && loop_change(e->link->p->loop, &e->source, events) == 0)
		e->events = events;
}

/* Moves what can be moved from @from to its other end; false when the connection is broken. */
static bool move(struct end *from)
{
	if (!from->n && !from->has_ended) {
		ssize_t got = recv(from->source.fd, from->held, sizeof(from->held), MSG_DONTWAIT);
		if (got < 0)
			return errno == EAGAIN || errno == EINTR;
		from->has_ended = got == 0;
		from->n = (size_t)got;
		from->done = 0;
	}
	while (from->done < from->n) {
		ssize_t put = send(from->other->source.fd, from->held + from->done, from->n - from->done,
				   MSG_DONTWAIT | MSG_NOSIGNAL);
		if (put < 0)
			return errno == EAGAIN || errno == EINTR || errno == ENOTCONN || errno == EINPROGRESS;
		from->done += (size_t)put;
	}
	from->n = from->done = 0;
	if (from->has_ended && !from->is_told) {
		(void)shutdown(from->other->source.fd, SHUT_WR); /* it may be gone: then both ends are soon */
		from->is_told = true;
	}
	return true;
}

/* Passes on what a closed end had sent, as far as the other takes it now; false once all is taken. */
static bool drain_gone(struct end *e)
{
	bool is_moving = e->is_gone;

	while (is_moving && !e->is_told)
		is_moving = move(e) && !e->n;
	return !e->is_gone || (e->n > 0 && !e->is_told);
}

static void on_end(struct loop_source *source, uint32_t events)
{
	struct end *e = container_of(source, struct end, source);
	struct link *l = e->link;
	bool is_on = !(events & EPOLLERR);

	if (is_on && events & EPOLLOUT)
		is_on = move(e->other);
	if (is_on && events & EPOLLIN)
		is_on = move(e);
	if (is_on && events & EPOLLHUP) { /* closed both ways; the event would come for ever */
		loop_drop(l->p->loop, &e->source);
		e->is_gone = true;
	}
	is_on = is_on && drain_gone(&l->outside) && drain_gone(&l->inside);
	if (!is_on || (l->outside.is_told && l->inside.is_told)) {
		close_link(l);
		return;
	}
	watch(&l->outside);
	watch(&l->inside);
}

static int connect_inside(uint16_t port)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	AUTO(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS))
		return -1;
	return fd_take(&fd);
}

static bool add_end(struct link *l, struct end *e, struct end *other, int fd)
{
	e->source = (struct loop_source){fd, on_end};
	e->link = l;
	e->other = other;
	e->events = EPOLLIN;
	return loop_add(l->p->loop, &e->source, EPOLLIN) == 0;
}

static void on_door(struct loop_source *source, uint32_t events)
{
	struct door *d = container_of(source, struct door, source);
	AUTO(fd) int outside = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (outside < 0 || d->p->n_links == PUBLISH_MAX_CONNECTIONS)
		return; /* who is one too many is hung up on */
	AUTO(fd) int inside = connect_inside(d->port);
	struct link *l = inside < 0 ? NULL : calloc(1, sizeof(*l));
	if (!l)
		return;
	l->p = d->p;
	d->p->n_links++;
	l->outside.source.fd = l->inside.source.fd = -1;
	if (add_end(l, &l->outside, &l->inside, outside)) {
		outside = -1;
		if (add_end(l, &l->inside, &l->outside, inside)) {
			inside = -1;
			return;
		}
		l->inside.source.fd = -1;
	} else
		l->outside.source.fd = -1;
	close_link(l);
}

/* The listening sockets stay where they were made; from here on new ones are the jail's. */
static int confine(int init_pidfd, struct err *err)
{
	int rc = privs_hide(err);
	if (rc == 0 && setns(init_pidfd, CLONE_NEWUSER | CLONE_NEWNET) < 0)
		rc = err_set(err, errno, "entering the session's network");
	if (rc == 0)
		rc = privs_hide(err);
	if (rc == 0)
		rc = privs_drop_caps(err);
	if (rc == 0)
		rc = privs_no_new(err);
	return rc < 0 ? rc : landlock_nothing(LANDLOCK_MAY_CONNECT, err);
}

/* Only these descriptors stay: the rest is the supervisor's own business. They get the numbers from KEPT_FROM on. */
static int keep_only(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (dup3(fds[i], KEPT_FROM + (int)i, O_CLOEXEC) < 0)
			return -errno;
	if (syscall(SYS_close_range, 3U, (unsigned)KEPT_FROM - 1, 0U) < 0 ||
	    syscall(SYS_close_range, (unsigned)KEPT_FROM + (unsigned)n, ~0U, 0U) < 0)
		return -errno;
	return 0;
}

_Noreturn static void serve(const struct publish *p, int init_pidfd, int ready_wr)
{
	static struct publisher publisher;
	struct err err = {0};
	int kept[PUBLISH_MAX_PORTS + 2] = {ready_wr, init_pidfd};

	(void)signal(SIGPIPE, SIG_IGN);
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT}; /* meant for the command; the end comes by SIGKILL */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	for (size_t i = 0; i < p->n; i++)
		kept[2 + i] = p->fds[i];
	int rc = prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -errno : keep_only(kept, p->n + 2);
	if (rc == 0)
		rc = confine(KEPT_FROM + 1, &err);
	ready_wr = KEPT_FROM;
	publisher.loop = rc == 0 ? loop_new(&err) : NULL;
	if (!publisher.loop)
		rc = rc ? rc : -ENOMEM;
	for (size_t i = 0; rc == 0 && i < p->n; i++) {
		publisher.doors[i] = (struct door){{KEPT_FROM + 2 + (int)i, on_door}, &publisher, p->ports[i].port};
		rc = loop_add(publisher.loop, &publisher.doors[i].source, EPOLLIN);
	}
	int why = -rc;
	if (write(ready_wr, &why, sizeof(why)) != (ssize_t)sizeof(why) || rc < 0)
		_exit(1);
	(void)close(ready_wr);
	while (loop_turn(publisher.loop) == 0)
		;
	_exit(1);
}

/* --- its caller ------------------------------------------------------------------------------ */

static int listen_at(uint16_t port, struct err *err)
{
	const struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1;
	AUTO(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, SOMAXCONN) < 0) {
		int rc = err_set(err, errno, "publishing port %u of this machine", port);
		if (rc == -EADDRINUSE)
			(void)err_fix(err, "take another one: --publish OTHER:%u", port);
		return rc;
	}
	return fd_take(&fd);
}

int publish_bind(const struct publish_port *ports, size_t n, struct publish *out, struct err *err)
{
	*out = (struct publish)PUBLISH_NONE;
	for (size_t i = 0; i < n; i++) {
		int fd = listen_at(ports[i].host_port, err);
		if (fd < 0) {
			publish_end(out);
			return fd;
		}
		out->ports[out->n] = ports[i];
		out->fds[out->n++] = fd;
	}
	return 0;
}

int publish_start(struct publish *p, int init_pidfd, struct err *err)
{
	int ready[2], why = ECHILD;

	if (!p->n)
		return 0;
	if (pipe2(ready, O_CLOEXEC) < 0)
		return err_set(err, errno, "publishing ports");
	AUTO(fd) int rd = ready[0];
	AUTO(fd) int wr = ready[1];
	p->pid = fork();
	if (p->pid == 0)
		serve(p, init_pidfd, wr);
	fd_drop(&wr);
	if (p->pid < 0)
		return err_set(err, errno, "publishing ports");
	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (read(rd, &why, sizeof(why)) != (ssize_t)sizeof(why) || why)
		return err_set(err, why, "publishing ports: entering the session's network");
	for (size_t i = 0; i < p->n; i++)
		fd_drop(&p->fds[i]); /* the other process has them */
	p->n = 0;
	return 0;
}

void publish_end(struct publish *p)
{
	while (p->n)
		(void)close(p->fds[--p->n]);
	if (p->pid > 0) {
		(void)kill(p->pid, SIGKILL); /* our child, not reaped yet: the number is its own */
		(void)waitpid(p->pid, NULL, 0);
	}
	fd_drop(&p->pidfd);
	p->pid = -1;
}
