/* SPDX-License-Identifier: Apache-2.0 */
/* bench/load.c - clients on one side of a proxy, servers on the other, and what the proxy used in
 * between */

/*
 * usage: load MODE PROXY_PORT PID N AT_ONCE [raw]
 * Clients and servers live in one process and one epoll loop, so that one core holds all that is
 * not the proxy. PID is the proxy's first process: its CPU time and that of all its descendants is
 * read before and after. "raw": the proxy is a plain TCP relay to the server's port, no CONNECT is
 * sent. PID 0: no proxy is measured.
 *
 *   connect   N tunnels: CONNECT, ClientHello, small reply, close; AT_ONCE side by side
 *   down, up  AT_ONCE tunnels move N MiB each
 *   ping      N times one byte there and one back, in one tunnel
 *   idle      N tunnels are opened and held
 *   http      N absolute-form requests over AT_ONCE keep-alive connections
 *   denied    N CONNECTs that are refused, AT_ONCE side by side
 *   use       nothing: what PID and its descendants used until now
 *
 * Writes one line of NAME=VALUE.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <dirent.h>
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
#include <time.h>
#include <unistd.h>

enum {
	TLS_PORT = 18443,
	HTTP_PORT = 18080,
	REPLY_BYTES = 64,
	BODY_BYTES = 100,  /* as the head in serve_http() says */
	HELLO_BYTES = 517, /* what browsers and libraries pad theirs to */
	CHUNK_BYTES = 128 * 1024,
	MAX_EVENTS = 64,
	STUCK_MS = 20000,
};

enum mode { CONNECT, DOWN, UP, PING, IDLE, HTTP, DENIED, MODES };
static const char *const mode_names[] = {"connect", "down", "up", "ping", "idle", "http", "denied"};

enum stage {
	WAIT_ANSWER,
	WAIT_REPLY,
	MOVE,
	HELD,
	SERVE_HELLO,
	SERVE_MOVE,
	SERVE_HTTP,
	LISTEN,
	OVER
};

struct conn {
	int fd;
	enum stage stage;
	size_t n_head;	  /* bytes of a head, hello or reply seen */
	uint64_t n_moved; /* payload bytes of this connection, either way */
	char tail[4];	  /* last bytes of a head, to find its end */
	char first[16];	  /* its first bytes, for the status */
	size_t body_left;
	struct conn *next_over;
};

static enum mode mode;
static uint16_t proxy_port;
static pid_t proxy_pid;
static bool is_raw;
static uint64_t n_wanted, n_started, n_done, n_failed, total_bytes;
static unsigned at_once;
static int epoll_fd;
static struct conn *over;
static uint8_t chunk[CHUNK_BYTES], hello[HELLO_BYTES];
static uint32_t *rounds_ns;
static uint64_t round_began_ns;

static void start_client(void);

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- what the proxy uses ---- */

static uint64_t number_in(const char *path, const char *key)
{
	FILE *f = fopen(path, "re");
	char line[256];
	uint64_t sum = 0;

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			sum += strtoull(line + strlen(key), NULL, 10);
	if (f)
		fclose(f);
	return sum;
}

struct use {
	uint64_t cpu_ns, pss_kib, table_kib;
	unsigned n_processes;
};

static void add_children(const char *path, void (*each)(pid_t, struct use *), struct use *u)
{
	FILE *f = fopen(path, "re");
	int pid;

	while (f && fscanf(f, "%d", &pid) == 1)
		each(pid, u);
	if (f)
		fclose(f);
}

static void add_process(pid_t pid, struct use *u)
{
	char path[300];
	struct dirent *e;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	u->pss_kib += number_in(path, "Pss:");
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	u->table_kib += number_in(path, "VmPTE:");
	u->n_processes++;
	clockid_t clock;
	struct timespec t;
	if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &t) == 0)
		u->cpu_ns += (uint64_t)t.tv_sec * 1000000000u +
			     (uint64_t)t.tv_nsec; /* threads that ended too */
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *tasks = opendir(path);
	while (tasks && (e = readdir(tasks))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/children", pid, e->d_name);
		add_children(path, add_process, u);
	}
	if (tasks)
		closedir(tasks);
}

static struct use used(void)
{
	struct use u = {0};

	if (proxy_pid > 0)
		add_process(proxy_pid, &u);
	return u;
}

/* All of the kernel's unreclaimable objects: sockets, epoll items, files, timers. Of the machine,
 * so noisy. */
static uint64_t kernel_kib(void)
{
	return number_in("/proc/meminfo", "SUnreclaim:");
}

/* ---- bytes ---- */

static uint8_t *put16(uint8_t *p, size_t v)
{
	*p++ = (uint8_t)(v >> 8);
	*p++ = (uint8_t)v;
	return p;
}

static uint8_t *put_extension(uint8_t *p, unsigned type, const void *bytes, size_t n)
{
	p = put16(put16(p, type), n);
	memcpy(p, bytes, n);
	return p + n;
}

/* RFC 8446 section 4.1.2, with the server name "bench.test", padded (RFC 7685) to HELLO_BYTES. */
static void make_hello(void)
{
	static const uint8_t sni[] = "\0\x0d\0\0\x0a"
				     "bench.test";
	static const uint8_t groups[] = {0, 2, 0, 0x1d}, signatures[] = {0, 4, 8, 4, 4, 3};
	static const uint8_t versions[] = {2, 3, 4};
	static const uint8_t zeros[HELLO_BYTES];
	uint8_t share[38] = {0, 36, 0, 0x1d, 0, 32};
	uint8_t *p = hello + 9;

	p = put16(p, 0x0303);
	memset(p, 0x5a, 32);
	p += 32;
	*p++ = 0; /* no session id */
	p = put16(put16(p, 2), 0x1301);
	*p++ = 1;
	*p++ = 0; /* no compression */
	p = put16(p, (size_t)(hello + HELLO_BYTES - p - 2));
	p = put_extension(p, 0, sni, sizeof(sni) - 1);
	p = put_extension(p, 10, groups, sizeof(groups));
	p = put_extension(p, 13, signatures, sizeof(signatures));
	p = put_extension(p, 43, versions, sizeof(versions));
	p = put_extension(p, 51, share, sizeof(share));
	p = put_extension(p, 21, zeros, (size_t)(hello + HELLO_BYTES - p - 4));
	assert(p == hello + HELLO_BYTES);
	memcpy(hello, (uint8_t[]){22, 3, 1}, 3);
	put16(hello + 3, HELLO_BYTES - 5);
	hello[5] = 1;
	hello[6] = 0;
	put16(hello + 7, HELLO_BYTES - 9);
}

static struct conn *watch(int fd, enum stage stage)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

	if (!c || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
		die("watching a connection");
	c->fd = fd;
	c->stage = stage;
	return c;
}

static void want(struct conn *c, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = c};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e) < 0)
		die("watching a connection");
}

/* Freed after the turn. */
static void end_conn(struct conn *c)
{
	if (c->stage == OVER)
		return;
	close(c->fd);
	c->stage = OVER;
	c->next_over = over;
	over = c;
}

static void say(struct conn *c, const void *bytes, size_t n)
{
	(void)!send(c->fd, bytes, n, MSG_NOSIGNAL); /* who is gone is noticed by the next read */
}

/* Bytes are thrown away unseen (tcp(7), MSG_TRUNC): reading costs the load nothing. */
static ssize_t discard(struct conn *c)
{
	return recv(c->fd, NULL, 1 << 20, MSG_TRUNC);
}

/* true when the blank line of a head was read; what follows it stays in the socket */
static bool read_head(struct conn *c, bool *is_gone)
{
	char bytes[4096];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_PEEK);

	*is_gone = n == 0 || (n < 0 && errno != EAGAIN);
	for (ssize_t i = 0; i < n; i++) {
		if (c->n_head < sizeof(c->first) - 1)
			c->first[c->n_head] = bytes[i];
		c->n_head++;
		memmove(c->tail, c->tail + 1, 3);
		c->tail[3] = bytes[i];
		if (memcmp(c->tail, "\r\n\r\n", 4) == 0) {
			(void)!recv(c->fd, bytes, (size_t)i + 1, 0);
			return true;
		}
	}
	if (n > 0)
		(void)!recv(c->fd, bytes, (size_t)n, 0);
	return false;
}

/* ---- clients ---- */

static void finished(struct conn *c, bool is_good)
{
	end_conn(c);
	n_done++;
	n_failed += !is_good;
	if (n_started < n_wanted)
		start_client();
}

static void ask(struct conn *c)
{
	static const char request[] =
		"GET http://bench.test:18080/x HTTP/1.1\r\nHost: bench.test:18080\r\n"
		"User-Agent: bench\r\nAccept: */*\r\n\r\n";
	static const char tunnel[] =
		"CONNECT bench.test:18443 HTTP/1.1\r\nHost: bench.test:18443\r\n\r\n";
	static const char denied[] =
		"CONNECT denied.test:18443 HTTP/1.1\r\nHost: denied.test:18443\r\n\r\n";

	c->n_head = 0;
	if (mode == HTTP)
		say(c, request, sizeof(request) - 1);
	else if (mode == DENIED)
		say(c, denied, sizeof(denied) - 1);
	else if (!is_raw)
		say(c, tunnel, sizeof(tunnel) - 1);
	if (!is_raw || mode == HTTP)
		return;
	c->stage = WAIT_REPLY;
	say(c, hello, sizeof(hello));
}

static int dial(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(proxy_port)};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		die("connecting to the proxy");
	return fd;
}

static void start_client(void)
{
	n_started++;
	ask(watch(dial(), WAIT_ANSWER));
}

static void ping(struct conn *c)
{
	round_began_ns = now_ns();
	say(c, "p", 1);
}

static void enter_move(struct conn *c)
{
	c->stage = MOVE;
	switch (mode) {
	case CONNECT:
		finished(c, true);
		break;
	case UP:
		want(c, EPOLLIN | EPOLLOUT);
		break;
	case PING:
		ping(c);
		break;
	case IDLE:
		c->stage = HELD;
		n_done++;
		if (n_started < n_wanted)
			start_client();
		break;
	case DOWN:
	case HTTP:
	case DENIED:
	case MODES:
		break;
	}
}

/* A keep-alive connection goes on with the next request; a proxy that closes costs a new one. */
static void answered(struct conn *c)
{
	bool is_200 = strncmp(c->first + 8, " 200", 4) == 0;

	if (mode == DENIED) {
		finished(c, !is_200);
	} else if (!is_200) {
		finished(c, false);
	} else if (mode == HTTP) {
		c->stage = WAIT_REPLY;
		c->body_left = BODY_BYTES;
	} else {
		c->stage = WAIT_REPLY;
		c->n_head = 0;
		say(c, hello, sizeof(hello));
	}
}

static void read_answer(struct conn *c)
{
	bool is_gone;

	if (read_head(c, &is_gone)) {
		answered(c);
	} else if (is_gone && mode == HTTP && c->n_head == 0 && c->n_moved > 0) {
		n_started--; /* closed between two requests */
		end_conn(c);
		start_client();
	} else if (is_gone) {
		finished(c, false);
	}
}

static void read_reply(struct conn *c)
{
	char bytes[REPLY_BYTES + 64];
	size_t most = mode == HTTP ? c->body_left : REPLY_BYTES - c->n_head;
	ssize_t n = recv(c->fd, bytes, most, 0);

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		finished(c, false);
		return;
	}
	n = n < 0 ? 0 : n;
	if (mode != HTTP) {
		c->n_head += (size_t)n;
		if (c->n_head == REPLY_BYTES)
			enter_move(c);
		return;
	}
	c->body_left -= (size_t)n;
	if (c->body_left)
		return;
	n_done++;
	c->n_moved++;
	c->stage = WAIT_ANSWER;
	if (n_started >= n_wanted) {
		end_conn(c);
		return;
	}
	n_started++;
	ask(c);
}

/* Writes until the socket is full or all is sent; true when all is. */
static bool send_more(struct conn *c)
{
	while (c->n_moved < total_bytes) {
		uint64_t left = total_bytes - c->n_moved;
		ssize_t n = send(c->fd, chunk, left < sizeof(chunk) ? (size_t)left : sizeof(chunk),
				 MSG_NOSIGNAL);
		if (n < 0)
			return false;
		c->n_moved += (uint64_t)n;
	}
	return true;
}

static void move(struct conn *c, uint32_t events)
{
	if (mode == UP && (events & EPOLLOUT) && send_more(c))
		want(c, EPOLLIN);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	ssize_t n = discard(c);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		finished(c, false);
	} else if (mode == PING) {
		rounds_ns[c->n_moved++] = (uint32_t)(now_ns() - round_began_ns);
		if (c->n_moved == total_bytes)
			finished(c, true);
		else
			ping(c);
	} else if (mode == UP) {
		finished(c, c->n_moved == total_bytes); /* the server's one byte: it has all */
	} else {
		c->n_moved += (uint64_t)n;
		if (c->n_moved >= total_bytes)
			finished(c, c->n_moved == total_bytes);
	}
}

/* ---- servers ---- */

static void serve_hello(struct conn *c)
{
	uint8_t bytes[HELLO_BYTES];
	ssize_t n = recv(c->fd, bytes, HELLO_BYTES - c->n_head, 0);

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		end_conn(c);
		return;
	}
	c->n_head += n < 0 ? 0 : (size_t)n;
	if (c->n_head < HELLO_BYTES)
		return;
	c->stage = SERVE_MOVE;
	say(c, chunk, REPLY_BYTES);
	if (mode == DOWN)
		want(c, EPOLLIN | EPOLLOUT);
}

static void serve_move(struct conn *c, uint32_t events)
{
	if (mode == DOWN && (events & EPOLLOUT) && send_more(c))
		want(c, EPOLLIN);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	ssize_t n = discard(c);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end_conn(c);
		return;
	}
	if (mode == PING)
		say(c, "q", 1);
	if (mode != UP)
		return;
	c->n_moved += (uint64_t)n;
	if (c->n_moved == total_bytes)
		say(c, "e", 1);
}

static void serve_http(struct conn *c)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n"
				   "Content-Type: text/plain\r\nContent-Length: 100\r\n\r\n";
	char answer[sizeof(head) - 1 + BODY_BYTES];
	bool is_gone;

	if (!read_head(c, &is_gone)) {
		if (is_gone)
			end_conn(c);
		return;
	}
	memcpy(answer, head, sizeof(head) - 1);
	memset(answer + sizeof(head) - 1, 'x', BODY_BYTES);
	c->n_head = 0;
	say(c, answer, sizeof(answer));
}

static void take(struct conn *listener)
{
	int on = 1, fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* slower without */
	watch(fd, mode == HTTP ? SERVE_HTTP : SERVE_HELLO);
}

static void listen_on(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4096) < 0)
		die("listening");
	watch(fd, LISTEN);
}

/* ---- the loop ---- */

static void ready(struct conn *c, uint32_t events)
{
	switch (c->stage) {
	case WAIT_ANSWER:
		read_answer(c);
		break;
	case WAIT_REPLY:
		read_reply(c);
		break;
	case MOVE:
		move(c, events);
		break;
	case HELD:
		if (discard(c) == 0) { /* a held tunnel was closed */
			n_failed++;
			end_conn(c);
		}
		break;
	case SERVE_HELLO:
		serve_hello(c);
		break;
	case SERVE_MOVE:
		serve_move(c, events);
		break;
	case SERVE_HTTP:
		serve_http(c);
		break;
	case LISTEN:
		take(c);
		break;
	case OVER:
	default:
		break;
	}
}

static int turn(int timeout_ms)
{
	struct epoll_event events[MAX_EVENTS];
	int n = epoll_wait(epoll_fd, events, MAX_EVENTS, timeout_ms);

	for (int i = 0; i < n; i++)
		ready(events[i].data.ptr, events[i].events);
	while (over) {
		struct conn *c = over;
		over = c->next_over;
		free(c);
	}
	return n;
}

static void run(uint64_t n)
{
	n_wanted = n;
	n_started = n_done = n_failed = 0;
	for (unsigned i = 0; i < at_once && n_started < n; i++)
		start_client();
	while (n_done < n)
		if (turn(STUCK_MS) == 0) {
			fprintf(stderr, "load: %s: nothing happened for %d s, %llu of %llu done\n",
				mode_names[mode], STUCK_MS / 1000, (unsigned long long)n_done,
				(unsigned long long)n);
			exit(1);
		}
	for (int i = 0; i < 50 && turn(20) > 0; i++)
		; /* the ends of the last ones reach everybody */
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void measure(uint64_t n)
{
	struct use before = used();
	uint64_t kernel = kernel_kib(), began = now_ns();

	run(n);
	uint64_t took = now_ns() - began;
	if (mode == IDLE)
		sleep(1); /* what is freed late is freed */
	struct use after = used();
	double per = (double)(mode == PING ? total_bytes : n);
	double cpu_us = (double)(after.cpu_ns - before.cpu_ns) / 1000;
	printf("cpu_us=%.2f rate=%.0f failed=%llu", cpu_us / per, per * 1e9 / (double)took,
	       (unsigned long long)n_failed);
	if (mode == DOWN || mode == UP) {
		double gib = per * (double)total_bytes / (1 << 30);
		printf(" s_per_gib=%.3f gib_s=%.2f", cpu_us / 1e6 / gib, gib * 1e9 / (double)took);
	}
	if (mode == PING) {
		qsort(rounds_ns, total_bytes, sizeof(*rounds_ns), by_value);
		printf(" p50_us=%.1f", rounds_ns[total_bytes / 2] / 1000.0);
	}
	if (mode == IDLE)
		printf(" pss_each=%.2f kernel_each=%.2f pss_before=%llu processes=%u",
		       ((double)after.pss_kib - (double)before.pss_kib) / per,
		       ((double)kernel_kib() - (double)kernel + (double)after.table_kib -
			(double)before.table_kib) /
			       per,
		       (unsigned long long)before.pss_kib, after.n_processes);
	printf("\n");
}

static void set_mode(const char *name)
{
	for (mode = 0; mode < MODES; mode++)
		if (strcmp(name, mode_names[mode]) == 0)
			return;
	fprintf(stderr, "load: no mode '%s'\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	struct rlimit files;

	if (argc < 6) {
		fprintf(stderr, "usage: load MODE PROXY_PORT PID N AT_ONCE [raw]\n");
		return 2;
	}
	proxy_pid = (pid_t)strtol(argv[3], NULL, 10);
	if (strcmp(argv[1], "use") == 0) {
		struct use u = used();
		printf("cpu_s=%.3f pss_mib=%.2f processes=%u\n", (double)u.cpu_ns / 1e9,
		       (double)u.pss_kib / 1024, u.n_processes);
		return 0;
	}
	set_mode(argv[1]);
	proxy_port = (uint16_t)strtoul(argv[2], NULL, 10);
	uint64_t n = strtoull(argv[4], NULL, 10);
	at_once = (unsigned)strtoul(argv[5], NULL, 10);
	is_raw = argc > 6;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files); /* fewer tunnels then */
	}
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	make_hello();
	listen_on(TLS_PORT);
	listen_on(HTTP_PORT);
	if (mode == DOWN || mode == UP || mode == PING) {
		total_bytes = mode == PING ? 200 : 8 << 20;
		rounds_ns = calloc(mode == PING ? n + 200 : 1, sizeof(*rounds_ns));
		if (!rounds_ns)
			die("memory");
		run(at_once); /* warm up */
		total_bytes = mode == PING ? n : n << 20;
		measure(at_once);
	} else {
		if (mode != IDLE)
			run(n / 10 + 1);
		measure(n);
	}
	return n_failed > 0;
}
