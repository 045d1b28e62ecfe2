/* SPDX-License-Identifier: Apache-2.0 */
/* bench/relay.c - the floor: the least a CONNECT proxy can do, without names, rules or records */

/*
 * usage: relay PORT
 * CONNECT name:port is taken to 127.0.0.1:port, whatever the name; a name that starts with "denied"
 * gets 403. Small reads are copied, full ones go through a pipe by splice. One process,
 * edge-triggered epoll, and nothing that a proxy for strangers must have: no time limits, no checks
 * of what it reads, no answers but two.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { COPY_BYTES = 16384, PIPE_BYTES = 1 << 20, MAX_EVENTS = 64, MAX_SPARE = 64 };

struct tunnel;

/* One socket, and what was read from it but not yet written to the other. */
struct end {
	struct tunnel *tunnel;
	int fd;
	int pipe[2];
	size_t n_piped;
	bool is_bulk, has_ended, is_done;
};

struct tunnel {
	struct end ends[2]; /* client, server */
	bool is_dead;
	struct tunnel *next_dead;
};

static int epoll_fd;
static char scratch[COPY_BYTES];
static int spare[MAX_SPARE][2];
static int n_spare;
static struct tunnel *dead;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static bool lend_pipe(struct end *e)
{
	if (e->pipe[0] >= 0)
		return true;
	if (n_spare > 0) {
		memcpy(e->pipe, spare[--n_spare], sizeof(e->pipe));
		return true;
	}
	if (pipe2(e->pipe, O_NONBLOCK | O_CLOEXEC) < 0)
		return false;
	(void)fcntl(e->pipe[1], F_SETPIPE_SZ, PIPE_BYTES); /* smaller is slower, no more */
	return true;
}

static void return_pipe(struct end *e)
{
	if (e->pipe[0] < 0)
		return;
	if (e->n_piped == 0 && n_spare < MAX_SPARE) {
		memcpy(spare[n_spare++], e->pipe, sizeof(e->pipe));
	} else {
		close(e->pipe[0]);
		close(e->pipe[1]);
	}
	e->pipe[0] = e->pipe[1] = -1;
	e->n_piped = 0;
}

/* Freed after the turn: an event of the same turn may still point at it. */
static void end_tunnel(struct tunnel *t)
{
	if (t->is_dead)
		return;
	t->is_dead = true;
	for (int i = 0; i < 2; i++) {
		return_pipe(&t->ends[i]);
		if (t->ends[i].fd >= 0)
			close(t->ends[i].fd);
	}
	t->next_dead = dead;
	dead = t;
}

/* What could not be copied at once waits in a pipe. */
static bool keep(struct end *from, const char *bytes, size_t n)
{
	if (!lend_pipe(from) || write(from->pipe[1], bytes, n) != (ssize_t)n)
		return false;
	from->n_piped = n;
	return true;
}

/* 1: go on, 0: wait for an event, -1: the tunnel is over */
static int step(struct end *from, struct end *to)
{
	ssize_t n;

	if (from->n_piped) {
		n = splice(from->pipe[0], NULL, to->fd, NULL, from->n_piped,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		from->n_piped -= (size_t)n;
		return 1;
	}
	if (from->has_ended) {
		if (!from->is_done)
			(void)shutdown(to->fd, SHUT_WR); /* may be gone already */
		from->is_done = true;
		return to->is_done ? -1 : 0;
	}
	if (from->is_bulk && lend_pipe(from)) {
		n = splice(from->fd, NULL, from->pipe[1], NULL, PIPE_BYTES,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n > 0)
			from->n_piped = (size_t)n;
	} else {
		n = recv(from->fd, scratch, sizeof(scratch), 0);
		from->is_bulk = n == (ssize_t)sizeof(scratch);
		if (n > 0) {
			ssize_t put = send(to->fd, scratch, (size_t)n, MSG_NOSIGNAL);
			if (put < 0 && errno != EAGAIN)
				return -1;
			put = put < 0 ? 0 : put;
			if (put < n && !keep(from, scratch + put, (size_t)(n - put)))
				return -1;
		}
	}
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if (n == 0)
		from->has_ended = true;
	return 1;
}

static void pump(struct tunnel *t, int i)
{
	int go_on;

	if (t->is_dead || t->ends[1].fd < 0)
		return;
	do
		go_on = step(&t->ends[i], &t->ends[!i]);
	while (go_on > 0);
	if (go_on < 0)
		end_tunnel(t);
	else if (t->ends[i].n_piped == 0)
		return_pipe(&t->ends[i]);
}

static void watch(int fd, void *p, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = p};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll_ctl");
}

static int dial(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void say(struct tunnel *t, const char *words)
{
	if (send(t->ends[0].fd, words, strlen(words), MSG_NOSIGNAL) < 0)
		end_tunnel(t);
}

static void read_head(struct tunnel *t)
{
	char head[1024] = {0};
	ssize_t n = recv(t->ends[0].fd, head, sizeof(head) - 1, 0);
	char *colon = strchr(head, ':');

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || strncmp(head, "CONNECT ", 8) != 0 || !colon) {
		end_tunnel(t);
		return;
	}
	if (strncmp(head + 8, "denied", 6) == 0) {
		say(t, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
		end_tunnel(t);
		return;
	}
	t->ends[1].fd = dial((uint16_t)strtoul(colon + 1, NULL, 10));
	if (t->ends[1].fd < 0) {
		end_tunnel(t);
		return;
	}
	say(t, "HTTP/1.1 200 Connection established\r\n\r\n");
	if (!t->is_dead)
		watch(t->ends[1].fd, &t->ends[1], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

static void ready(struct end *e, uint32_t events)
{
	struct tunnel *t = e->tunnel;
	int i = e == &t->ends[1];

	if (t->is_dead)
		return;
	if (t->ends[1].fd < 0) {
		read_head(t);
		return;
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		pump(t, i);
	if ((events & EPOLLOUT) && !t->is_dead && (t->ends[!i].n_piped || t->ends[!i].is_bulk))
		pump(t, !i);
}

static void take(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct tunnel *t = fd < 0 ? NULL : calloc(1, sizeof(*t));

	if (!t)
		return;
	for (int i = 0; i < 2; i++)
		t->ends[i] = (struct end){.tunnel = t, .fd = -1, .pipe = {-1, -1}};
	t->ends[0].fd = fd;
	watch(fd, &t->ends[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4096) < 0)
		die("listening");
	return fd;
}

int main(int argc, char **argv)
{
	struct rlimit files;
	struct epoll_event events[MAX_EVENTS];

	if (argc != 2) {
		fprintf(stderr, "usage: relay PORT\n");
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files); /* fewer tunnels then */
	}
	int listener = listen_on((uint16_t)strtoul(argv[1], NULL, 10));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		die("epoll_create1");
	watch(listener, NULL, EPOLLIN);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, MAX_EVENTS, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				ready(events[i].data.ptr, events[i].events);
			else
				take(listener);
		}
		while (dead) {
			struct tunnel *t = dead;
			dead = t->next_dead;
			free(t);
		}
	}
}
