/* SPDX-License-Identifier: Apache-2.0 */
#include "worker_rig.h"
#include "base/own.h"
#include "egress/worker/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#ifndef DRYDOCK_SANITIZED
#define DRYDOCK_SANITIZED 0
#endif

enum { LIMIT_S = 10, LONG_MS = 60000, SHORT_MS = 50, BRISK_MS = 400, TEXT_MAX_BYTES = 1 << 20, ROOMY_FLOWS = 400 };

static const uint16_t transparent_ports[] = {22, 80, 443, 5432};

/* linux/ipv6.h, which cannot be included beside netinet/in.h */
struct in6_ifreq {
	struct in6_addr ifr6_addr;
	uint32_t ifr6_prefixlen;
	int ifr6_ifindex;
};

static bool set_address(int fd, const char *name, const char *address, const char *mask)
{
	struct ifreq r = {0};
	struct sockaddr_in in = {.sin_family = AF_INET};

	(void)snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name); /* fits */
	inet_pton(AF_INET, address, &in.sin_addr);
	memcpy(&r.ifr_addr, &in, sizeof(in));
	if (ioctl(fd, SIOCSIFADDR, &r) < 0)
		return false;
	inet_pton(AF_INET, mask, &in.sin_addr);
	memcpy(&r.ifr_netmask, &in, sizeof(in));
	if (ioctl(fd, SIOCSIFNETMASK, &r) < 0 || ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return false;
	r.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &r) == 0;
}

bool rig_namespace(void)
{
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
		printf("skipped: no network namespace can be made here: %s\n", strerror(errno));
		return false;
	}
	AUTO(fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	AUTO(fd) int fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct in6_ifreq first = {.ifr6_prefixlen = 128, .ifr6_ifindex = (int)if_nametoindex("lo")};
	inet_pton(AF_INET6, RIG_FIRST_V6, &first.ifr6_addr);
	return set_address(fd, "lo", "127.0.0.1", "255.0.0.0") &&
	       set_address(fd, "lo:1", "198.18.0.1", "255.254.0.0") &&
	       ioctl(fd6, SIOCSIFADDR, &first) == 0;
}

/* As the jail makes them: one IPv6 socket for both families that may answer from any address. */
static int dual_listener(uint16_t port, int type)
{
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int on = 1, off = 0, fd = socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 128), 0);
	return fd;
}

static int listener(const char *address, uint16_t port, int type)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	int on = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	inet_pton(AF_INET, address, &at.sin_addr);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 128), 0);
	return fd;
}

static void hand_over(int fd, bool is_guarded)
{
	struct wire_listeners l = {0};
	struct chan jail = {fd, FROM_WORKER, IN_START, WIRE_LISTENERS, WIRE_READY};
	struct chan_message m;
	const char *why = "";
	int fds[WIRE_MAX_LISTENERS];

	l.kind[l.n] = LISTEN_PROXY;
	fds[l.n++] = listener("127.0.0.1", RIG_PROXY_PORT, SOCK_STREAM);
	if (is_guarded) /* a sidecar has one */
		goto send;
	l.kind[l.n] = LISTEN_DNS_UDP;
	fds[l.n++] = dual_listener(53, SOCK_DGRAM);
	l.kind[l.n] = LISTEN_DNS_TCP;
	fds[l.n++] = dual_listener(53, SOCK_STREAM);
	for (size_t i = 0; i < sizeof(transparent_ports) / sizeof(transparent_ports[0]); i++) {
		l.kind[l.n] = LISTEN_TRANSPARENT;
		fds[l.n++] = dual_listener(transparent_ports[i], SOCK_STREAM);
	}
send:
	assert_int_equal(chan_send(&jail, WIRE_LISTENERS, &l, fds, l.n, 0), 0);
	for (int i = 0; i < l.n; i++)
		(void)close(fds[i]);
	assert_int_equal(chan_recv(&jail, 0, &m, &why), CHAN_MESSAGE);
	assert_int_equal(m.number, WIRE_READY);
}

static void run_worker(int broker_fd, int listeners_fd, uint32_t limit_ms, size_t max_flows)
{
	struct err err = {0};
	struct worker_settings set = {
		.loop = loop_new(&err),
		.broker_fd = broker_fd,
		.listeners_fd = listeners_fd,
		.first_bytes_ms = limit_ms,
		.idle_ms = limit_ms,
		.linger_ms = limit_ms,
		.give_way_ms = SHORT_MS,
		.max_flows = max_flows,
	};
	int rc = set.loop ? 0 : -1;

	/* with its real confinement, but for the sanitizers, which open files to report a leak */
	if (rc == 0 && !DRYDOCK_SANITIZED)
		rc = worker_sandbox_enter(&err);
	if (rc == 0)
		rc = worker_run(&set, &err);

	loop_free(set.loop);
	if (rc < 0)
		fprintf(stderr, "worker: %s\n", err.text);
	fflush(NULL);
	exit(rc < 0); /* not _exit(): a leak in the worker is a finding */
}

static void set_limit(int fd)
{
	struct timeval limit = {.tv_sec = LIMIT_S};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static int up(void **state, uint32_t limit_ms, size_t max_flows, const struct wire_terms *terms)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct wire_hello hello = {.version = WIRE_VERSION};
	struct sockaddr_in at;
	socklen_t n = sizeof(at);
	int broker[2], jail[2];

	if (!r || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, broker) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, jail) < 0)
		return -1;
	r->worker = fork();
	if (r->worker == 0) {
		(void)close(broker[0]);
		(void)close(jail[0]);
		run_worker(broker[1], jail[1], limit_ms, max_flows);
	}
	(void)close(broker[1]);
	(void)close(jail[1]);
	set_limit(broker[0]);
	set_limit(jail[0]);
	r->broker = (struct chan){broker[0], FROM_WORKER, IN_SERVICE, WIRE_MAIN_FIRST, WIRE_MAIN_LAST};
	r->listener = listener("127.0.0.1", 0, SOCK_STREAM);
	assert_int_equal(getsockname(r->listener, (struct sockaddr *)&at, &n), 0);
	r->listener_port = ntohs(at.sin_port);
	if (terms)
		assert_int_equal(chan_send(&r->broker, WIRE_TERMS, terms, NULL, 0, 0), 0);
	assert_int_equal(chan_send(&r->broker, WIRE_HELLO, &hello, NULL, 0, 0), 0);
	hand_over(jail[0], terms && terms->is_guarded);
	(void)close(jail[0]);
	*state = r;
	return 0;
}

int rig_up(void **state)
{
	return up(state, LONG_MS, RIG_MAX_FLOWS, NULL);
}

int rig_up_on_terms(void **state, const struct wire_terms *terms)
{
	return up(state, LONG_MS, RIG_MAX_FLOWS, terms);
}

int rig_up_impatient(void **state)
{
	return up(state, SHORT_MS, RIG_MAX_FLOWS, NULL);
}

int rig_up_brisk(void **state)
{
	return up(state, BRISK_MS, RIG_MAX_FLOWS, NULL);
}

int rig_up_roomy(void **state)
{
	return up(state, LONG_MS, ROOMY_FLOWS, NULL);
}

int rig_down(void **state)
{
	struct rig *r = *state;
	int status = -1;

	(void)close(r->broker.fd);
	while (r->n_kept)
		(void)close(r->kept[--r->n_kept].fd);
	(void)close(r->listener);
	if (waitpid(r->worker, &status, 0) != r->worker || status != 0)
		fprintf(stderr, "the worker ended with status %d\n", status);
	free(r);
	return status;
}

int rig_connect(const char *text, uint16_t port)
{
	return rig_connect_from(NULL, text, port);
}

int rig_connect_from(const char *from, const char *text, uint16_t port)
{
	struct sockaddr_storage to, own;
	struct addr a;
	int on = 1;

	assert_true(addr_parse(span_of(text), &a));
	socklen_t n = addr_to_sockaddr(&a, port, &to);
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	set_limit(fd);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	struct addr mine;
	if (from) {
		assert_true(addr_parse(span_of(from), &mine));
		assert_int_equal(bind(fd, (struct sockaddr *)&own, addr_to_sockaddr(&mine, 0, &own)), 0);
	}
	assert_int_equal(connect(fd, (struct sockaddr *)&to, n), 0);
	return fd;
}

int rig_client(void)
{
	return rig_connect("127.0.0.1", RIG_PROXY_PORT);
}

void rig_send_bytes(int fd, const void *bytes, size_t n)
{
	assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
}

void rig_send(int fd, const char *text)
{
	rig_send_bytes(fd, text, strlen(text));
}

void rig_expect(int fd, const char *text)
{
	char got[4096] = "";
	size_t n = strlen(text);

	assert_true(n < sizeof(got));
	assert_int_equal(recv(fd, got, n, MSG_WAITALL), n);
	assert_memory_equal(got, text, n);
}

static char all[TEXT_MAX_BYTES];

const char *rig_read_all(int fd)
{
	size_t used = 0;

	for (;;) {
		ssize_t n = recv(fd, all + used, sizeof(all) - 1 - used, 0);
		assert_true(n >= 0);
		if (n == 0)
			break;
		used += (size_t)n;
	}
	all[used] = '\0';
	return all;
}

const char *rig_read_head(int fd)
{
	size_t used = 0;

	while (used < 4 || memcmp(all + used - 4, "\r\n\r\n", 4) != 0) {
		assert_true(used < sizeof(all) - 1);
		assert_int_equal(recv(fd, all + used, 1, 0), 1);
		used++;
	}
	all[used] = '\0';
	return all;
}

void rig_expect_end(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

void rig_expect_over(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);

	assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
}

void rig_expect_reset(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
}

static struct chan_message take_message(struct rig *r, enum wire_number number)
{
	struct chan_message m;
	const char *why = "";

	assert_int_equal(chan_recv(&r->broker, 0, &m, &why), CHAN_MESSAGE);
	assert_string_equal(wire_name((uint16_t)m.number), wire_name((uint16_t)number));
	return m;
}

uint64_t rig_take_ask_clients(struct rig *r)
{
	return take_message(r, WIRE_ASK_CLIENTS).payload.ASK_CLIENTS.ask;
}

void rig_clients(struct rig *r, uint64_t ask, const char *client)
{
	struct wire_clients c = {.ask = ask};
	struct addr a;

	if (client) {
		assert_true(addr_parse(span_of(client), &a));
		c.n = 1;
		c.clients[0].is_v6 = a.is_v6;
		memcpy(c.clients[0].bytes, a.bytes, sizeof(a.bytes));
	}
	assert_int_equal(chan_send(&r->broker, WIRE_CLIENTS, &c, NULL, 0, 0), 0);
}

struct wire_open rig_take_open(struct rig *r, const char *name, uint16_t port)
{
	struct wire_open q = take_message(r, WIRE_OPEN).payload.OPEN;

	assert_int_equal(q.name_n, strlen(name));
	assert_memory_equal(q.name, name, q.name_n);
	assert_int_equal(q.port, port);
	return q;
}

struct wire_close rig_take_close(struct rig *r, uint64_t flow, enum reason reason)
{
	struct wire_close c = take_message(r, WIRE_CLOSE).payload.CLOSE;

	assert_int_equal(c.flow, flow);
	for (size_t i = 0; i < r->n_kept; i++)
		if (r->kept[i].flow == flow) {
			(void)close(r->kept[i].fd);
			r->kept[i] = r->kept[--r->n_kept];
			break;
		}
	assert_string_equal(reason_word(c.reason), reason_word(reason));
	return c;
}

struct wire_note rig_take_note(struct rig *r, enum reason reason)
{
	struct wire_note n = take_message(r, WIRE_NOTE).payload.NOTE;

	assert_string_equal(reason_word(n.reason), reason_word(reason));
	return n;
}

struct wire_ask_dns rig_take_ask(struct rig *r, const char *name)
{
	struct wire_ask_dns q = take_message(r, WIRE_ASK_DNS).payload.ASK_DNS;

	assert_int_equal(q.name_n, strlen(name));
	assert_memory_equal(q.name, name, q.name_n);
	return q;
}

int rig_grant(struct rig *r, uint64_t flow, enum wire_judge judge, int bears, const char *name)
{
	struct wire_opened o = {.flow = flow,
				.judge = (uint8_t)judge,
				.bears = (uint8_t)bears,
				.name_n = (uint8_t)strlen(name)};
	int near = rig_connect("127.0.0.1", r->listener_port);
	int far = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);

	assert_true(far >= 0);
	set_limit(far);
	memcpy(o.name, name, o.name_n);
	struct timeval none = {0};
	setsockopt(near, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
	int flags = 1;
	assert_int_equal(ioctl(near, FIONBIO, &flags), 0);
	assert_int_equal(chan_send(&r->broker, WIRE_OPENED, &o, &near, 1, 0), 0);
	/* the broker's duplicate: without shutdown() by the worker no server would see an end */
	assert_true(r->n_kept < RIG_MAX_KEPT);
	r->kept[r->n_kept++] = (struct rig_kept){flow, near};
	return far;
}

void rig_refuse(struct rig *r, uint64_t flow, enum reason reason)
{
	struct wire_refused why = {.flow = flow, .reason = reason, .decision = 42};

	assert_int_equal(chan_send(&r->broker, WIRE_REFUSED, &why, NULL, 0, 0), 0);
}

void rig_dns_verdict(struct rig *r, uint64_t ask, enum reason reason, const char *name, bool is_wild)
{
	struct wire_dns_verdict v = {.ask = ask, .reason = reason, .is_wild = is_wild};

	v.name_n = (uint8_t)strlen(name);
	memcpy(v.name, name, v.name_n);
	assert_int_equal(chan_send(&r->broker, WIRE_DNS_VERDICT, &v, NULL, 0, 0), 0);
}

void rig_is_silent(struct rig *r)
{
	struct chan_message m;
	const char *why = "";

	assert_int_equal(chan_recv(&r->broker, MSG_DONTWAIT, &m, &why), CHAN_EMPTY);
}

static void put16(struct buf *b, size_t v)
{
	uint8_t bytes[] = {(uint8_t)(v >> 8), (uint8_t)v};

	buf_put(b, bytes, 2);
}

size_t rig_hello(const char *sni, bool has_ech, size_t record, uint8_t *out)
{
	AUTO(buf) struct buf ext = {.max = 4096};
	AUTO(buf) struct buf hello = {.max = 4096};
	static const uint8_t random[32] = {7};
	size_t used = 0;

	if (sni) {
		size_t n = strlen(sni);
		put16(&ext, 0);
		put16(&ext, n + 5);
		put16(&ext, n + 3);
		buf_put(&ext, "", 1);
		put16(&ext, n);
		buf_put(&ext, sni, n);
	}
	if (has_ech) {
		put16(&ext, 0xfe0d);
		put16(&ext, 1);
		buf_put(&ext, "", 1);
	}
	size_t body_n = 2 + 32 + 1 + 4 + 2 + 2 + ext.n;
	uint8_t head[] = {1, 0, (uint8_t)(body_n >> 8), (uint8_t)body_n, 3, 3};
	buf_put(&hello, head, sizeof(head));
	buf_put(&hello, random, sizeof(random));
	buf_put(&hello, "", 1);
	put16(&hello, 2);
	put16(&hello, 0x1301);
	buf_put(&hello, "\1", 2);
	put16(&hello, ext.n);
	buf_put(&hello, ext.p, ext.n);
	for (size_t i = 0; i < hello.n; i += record) {
		size_t n = hello.n - i < record ? hello.n - i : record;
		uint8_t record_head[] = {22, 3, 1, (uint8_t)(n >> 8), (uint8_t)n};
		memcpy(out + used, record_head, sizeof(record_head));
		memcpy(out + used + sizeof(record_head), hello.p + i, n);
		used += sizeof(record_head) + n;
	}
	return used;
}
