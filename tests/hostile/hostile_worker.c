/* SPDX-License-Identifier: Apache-2.0 */
/* tests/hostile/hostile_worker.c - a worker that obeys nothing never gets a socket that policy refuses */
/*
 * usage: hostile_worker EGRESS MESSAGES [SEED [LOG]]
 *
 * Plays worker and resolver against the real broker process (rig.h): good, odd, mutated, random and replayed messages,
 * descriptors where none belong, packets cut short, floods without reading. The broker is started again whenever it has
 * shut. What is checked (oracle.h):
 *   - each descriptor that arrives leads to a place that policy opens for the name that was asked for
 *   - each place that nobody may reach sees no connection
 *   - each question gets one answer, and the verdict is the one that the tables give
 *   - only a breach shuts the broker, every breach does, and it says so
 *   - what a name resolves to is asked only for names that a rule opens
 *   - a broker whose flows are over holds as many descriptors as at its start, and no more memory than after its first round
 * With LOG there is one life without a breach; its audit log is left there, and its policy in LOG.policy, for
 * tests/soak/check_audit.py. The seed is printed; what the kernel schedules is not in its power.
 */
#include "oracle.h"
#include "rig.h"
#include "egress/wire/messages.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	ASK_BUCKETS = 16384,
	MAX_LIVE = 3000,
	MAX_HELD_RESOLVES = 64,
	REPLAYS = 256,
	BREACH_ONE_IN = 300,
	LIFE_MESSAGES = 60000,
	ROUND_MESSAGES = 5000,
	ROUNDS_TO_GROW = 3,
	ASKS = ROUND_MESSAGES + 1,
	PATIENCE_MS = 20000,
	MEMORY_SLACK_KIB = 512,
	PACKET_BYTES = 1024,
};

enum { NUMBER_AT = 0, VERSION_AT = 2, BYTES_AT = 4, HEAD_BYTES = 8 };

struct packet {
	uint8_t bytes[PACKET_BYTES];
	size_t n;
	int n_fds; /* descriptors to attach */
};

enum breach { NO_BREACH, MAYBE_BREACH, SURE_BREACH };

enum ask_state { ASK_OUT, ASK_CLOSED_EARLY, ASK_OPEN, ASK_OVER };

/* One OPEN that was sent. */
struct ask {
	uint64_t flow;
	enum ask_state state;
	uint16_t port;
	uint8_t name_n;
	uint8_t name[256];
	int fd;
	size_t live_at; /* place in live[] */
	struct ask *next;
};

static const char *egress;
static uint64_t seed, rng;
static struct rig rig;
static struct ask asks[ASKS];
static struct ask *buckets[ASK_BUCKETS];
static size_t n_asks, live[MAX_LIVE + 1], n_live, n_out;
static uint64_t next_flow, next_dns, dns_seen;
static bool has_dns_answer;
static struct packet replays[REPLAYS];
static size_t n_replays;
static uint64_t held[MAX_HELD_RESOLVES];
static char held_names[MAX_HELD_RESOLVES][256];
static size_t n_held;
static bool is_lying, is_deaf, has_own_net, is_log_kept;
static unsigned close_percent;
static uint64_t deaf_left;
static int listeners_epoll, accepted_epoll, audit_fd;
static char rules[ORACLE_RULES_BYTES], dns_text[32];
static struct {
	uint64_t sent, opens, opened, refused, verdicts, checked, closes, notes, breaches, lives, accepted, resolves,
		sockets, rounds, max_flows_at_once, fds_attached;
} count;
static int fds_at_start;
static unsigned rounds_of_life;
static long anon_early_kib, anon_most_kib; /* at most, in the first rounds of a life; in all */

/* ---- small things ---- */

static void fail(const char *what)
{
	char said[2048] = "";
	int status = 0;

	if (rig.log_fd > 0)
		rig_said(&rig, said, sizeof(said));
	bool has_ended = rig.broker && rig_has_ended(&rig, 0, &status);
	fprintf(stderr, "FAIL: %s (seed %llu, after %llu messages, broker %s, status %#x)\nbroker said: %s\n", what,
		(unsigned long long)seed, (unsigned long long)count.sent, has_ended ? "ended" : "alive",
		(unsigned)status, said);
	rig_drop(&rig);
	exit(1);
}

static uint64_t rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng * 0x2545f4914f6cdd1du;
}

static unsigned below(unsigned n)
{
	return (unsigned)((rnd() >> 32) * n >> 32);
}

static bool one_in(unsigned n)
{
	return below(n) == 0;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

/* Closed without a state that lingers in the kernel: there are only so many ports. */
static void close_hard(int fd)
{
	const struct linger hard = {.l_onoff = 1};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	(void)close(fd);
}

/* ---- places ---- */

static int listen_at(const char *address, uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(address)};
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		fail("no socket");
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 4096) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* A port that is free at every address: below the range that the kernel gives to connections, so that it stays so. */
static void listen_everywhere(size_t which)
{
	int fds[32];

	for (int tries = 0; tries < 1000; tries++) {
		uint16_t port = (uint16_t)(10240 + (rnd() >> 32) % 20000);
		size_t n = 0;
		while (n < oracle_n_addresses && (fds[n] = listen_at(oracle_addresses[n], port)) >= 0)
			n++;
		if (n < oracle_n_addresses) {
			while (n)
				(void)close(fds[--n]);
			continue;
		}
		oracle_ports[which] = port;
		for (size_t i = 0; i < n; i++) {
			struct epoll_event e = {.events = EPOLLIN, .data.fd = fds[i]};
			if (epoll_ctl(listeners_epoll, EPOLL_CTL_ADD, fds[i], &e) < 0)
				fail("epoll_ctl");
		}
		return;
	}
	fail("no free port");
}

static void accept_from(int listener)
{
	struct sockaddr_in at;
	socklen_t n = sizeof(at);
	int fd;

	(void)getsockname(listener, (struct sockaddr *)&at, &n);
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
		if (!oracle_may_be_reached(at.sin_addr, ntohs(at.sin_port))) {
			char text[128];
			(void)snprintf(text, sizeof(text), "ESCAPE: a connection reached %s:%u",
				       inet_ntoa(at.sin_addr), ntohs(at.sin_port));
			fail(text);
		}
		count.accepted++;
		if (epoll_ctl(accepted_epoll, EPOLL_CTL_ADD, fd, &e) < 0)
			fail("epoll_ctl");
	}
}

static void serve_places(void)
{
	struct epoll_event events[64];
	int n = epoll_wait(listeners_epoll, events, 64, 0);

	for (int i = 0; i < n; i++)
		accept_from(events[i].data.fd);
	n = epoll_wait(accepted_epoll, events, 64, 0);
	for (int i = 0; i < n; i++)
		close_hard(events[i].data.fd); /* the other side is over; nobody sends anything */
}

/* ---- asks ---- */

static struct ask **bucket_of(uint64_t flow)
{
	return &buckets[(flow * 0x9e3779b97f4a7c15u >> 40) % ASK_BUCKETS];
}

static void live_remove(struct ask *a)
{
	live[a->live_at] = live[--n_live];
	asks[live[a->live_at]].live_at = a->live_at;
}

static void ask_end(struct ask *a, enum ask_state state)
{
	if (a->state == ASK_OUT || a->state == ASK_OPEN)
		live_remove(a);
	if (a->state == ASK_OUT)
		n_out--;
	if (a->fd >= 0)
		close_hard(a->fd);
	a->fd = -1;
	a->state = state;
}

static void ask_add(const struct wire_open *q)
{
	if (n_asks == ASKS)
		fail("the test lost count of its flows");
	struct ask *a = &asks[n_asks++];
	*a = (struct ask){
		.flow = q->flow, .state = ASK_OUT, .port = q->port, .name_n = q->name_n, .fd = -1, .live_at = n_live};
	memcpy(a->name, q->name, q->name_n);
	a->next = *bucket_of(q->flow);
	*bucket_of(q->flow) = a;
	live[n_live++] = (size_t)(a - asks);
	n_out++;
}

static bool is_living(uint64_t flow)
{
	for (struct ask *a = *bucket_of(flow); a; a = a->next)
		if (a->flow == flow && (a->state == ASK_OUT || a->state == ASK_OPEN))
			return true;
	return false;
}

static void forget_all(void)
{
	for (size_t i = 0; i < n_asks; i++)
		if (asks[i].fd >= 0)
			close_hard(asks[i].fd);
	memset(buckets, 0, sizeof(buckets));
	n_live = n_out = n_asks = n_held = 0;
}

/* ---- what comes back ---- */

static bool name_is(const struct ask *a, const uint8_t *name, size_t n)
{
	char canon[256];

	if (n == a->name_n && memcmp(name, a->name, n) == 0)
		return true; /* an address in its one spelling */
	if (memchr(a->name, ':', a->name_n))
		return true; /* IPv6 text has many; where it leads is judged */
	return oracle_canon(a->name, a->name_n, canon) && strlen(canon) == n && memcmp(name, canon, n) == 0;
}

static void take_opened(const struct wire_opened *o, int fd)
{
	struct sockaddr_in at = {0};
	socklen_t n = sizeof(at);

	if (fd < 0)
		fail("OPENED without a descriptor");
	count.opened++;
	bool is_connected = getpeername(fd, (struct sockaddr *)&at, &n) == 0;
	if (is_connected && at.sin_family != AF_INET)
		fail("ESCAPE: a socket of another family");
	for (struct ask *a = *bucket_of(o->flow); a; a = a->next) {
		if (a->flow != o->flow || (a->state != ASK_OUT && a->state != ASK_CLOSED_EARLY) ||
		    !name_is(a, o->name, o->name_n))
			continue;
		/* one that the far side has reset already leads nowhere */
		if (is_connected && !oracle_leads_right(a->name, a->name_n, a->port, at.sin_addr, ntohs(at.sin_port),
							is_lying))
			continue;
		if (!is_lying && oracle_expect(a->name, a->name_n, a->port) == ORACLE_DENY)
			continue;
		count.checked++;
		if (a->state == ASK_CLOSED_EARLY) {
			a->state = ASK_OVER;
			close_hard(fd);
			return;
		}
		n_out--;
		a->state = ASK_OPEN;
		a->fd = fd;
		return;
	}
	char text[512];
	(void)snprintf(text, sizeof(text), "ESCAPE: flow %llu '%.*s' leads to %s:%u", (unsigned long long)o->flow,
		       o->name_n, (const char *)o->name, inet_ntoa(at.sin_addr), ntohs(at.sin_port));
	fail(text);
}

/* Reasons that say no for want of something other than permission. */
static bool is_shortage(uint32_t reason)
{
	return reason == REASON_BUDGET || reason == REASON_UNREACHABLE;
}

static void take_refused(const struct wire_refused *r)
{
	struct ask *found = NULL;
	int n_found = 0;

	count.refused++;
	if (r->reason == REASON_NONE || r->reason >= REASON_COUNT)
		fail("REFUSED without a reason");
	for (struct ask *a = *bucket_of(r->flow); a; a = a->next)
		if (a->flow == r->flow && (a->state == ASK_OUT || a->state == ASK_CLOSED_EARLY)) {
			found = a; /* ends at the oldest */
			n_found++;
		}
	if (!found)
		fail("REFUSED for a flow that was not asked for");
	if (n_found == 1 && !is_lying && !is_shortage(r->reason)) {
		count.checked++;
		if (oracle_expect(found->name, found->name_n, found->port) == ORACLE_ALLOW) {
			char text[600];
			(void)snprintf(text, sizeof(text), "'%.*s':%u is allowed but was refused: %s", found->name_n,
				       (const char *)found->name, found->port, reason_word(r->reason));
			fail(text);
		}
	}
	ask_end(found, ASK_OVER);
}

static void take_verdict(const struct wire_dns_verdict *v)
{
	char name[256];

	count.verdicts++;
	has_dns_answer = true;
	dns_seen = v->ask;
	if (v->reason != REASON_NONE)
		return;
	memcpy(name, v->name, v->name_n);
	name[v->name_n] = '\0';
	if (!oracle_is_allowed_somewhere(name))
		fail("ESCAPE: DNS allows a name that no rule allows");
}

static void take_from_broker(const uint8_t *bytes, size_t n, int fd)
{
	struct wire_head head;
	union wire_payload p;

	if (n < sizeof(head) || n > sizeof(head) + sizeof(p))
		fail("the broker sent what is no message");
	memcpy(&head, bytes, sizeof(head));
	memcpy(&p, bytes + sizeof(head), n - sizeof(head));
	if (fd >= 0 && head.number != WIRE_OPENED)
		fail("a descriptor with another message than OPENED");
	if (head.number == WIRE_OPENED)
		take_opened(&p.OPENED, fd);
	else if (head.number == WIRE_REFUSED)
		take_refused(&p.REFUSED);
	else if (head.number == WIRE_DNS_VERDICT)
		take_verdict(&p.DNS_VERDICT);
	else if (head.number != WIRE_HELLO)
		fail("the broker sent a message that is not its own");
	if (head.number == WIRE_HELLO)
		has_dns_answer = true;
}

/* One packet; returns 1, 0 when none waits, -1 at the end. */
static int receive(int channel, uint8_t *bytes, size_t max, size_t *out_n, int *out_fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct iovec iov = {bytes, max};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
	ssize_t got = recvmsg(channel, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (got < 0 && errno == ECONNRESET) /* said once; what came before it still waits */
		got = recvmsg(channel, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got < 0)
		return errno == EAGAIN ? 0 : -1;
	if (got == 0)
		return -1;
	*out_n = (size_t)got;
	*out_fd = -1;
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS) {
		if (c->cmsg_len != CMSG_LEN(sizeof(int)))
			fail("more than one descriptor at once");
		memcpy(out_fd, CMSG_DATA(c), sizeof(int));
	}
	return 1;
}

/* ---- the resolver ---- */

static void send_to(int channel, uint16_t number, const void *payload, size_t n)
{
	uint8_t bytes[sizeof(struct wire_head) + sizeof(union wire_payload)];
	struct wire_head head = {.number = number, .version = WIRE_VERSION, .bytes = (uint32_t)n};

	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), payload, n);
	while (send(channel, bytes, sizeof(head) + n, MSG_NOSIGNAL) < 0) {
		struct pollfd p = {.fd = channel, .events = POLLOUT};
		if (errno != EAGAIN)
			return; /* the broker is over; that is seen elsewhere */
		if (poll(&p, 1, PATIENCE_MS) == 0)
			fail("the broker does not read its resolver");
	}
}

static void put_address(struct wire_address *out, const char *text)
{
	if (inet_pton(AF_INET, text, out->bytes) == 1)
		return;
	out->is_v6 = 1;
	(void)inet_pton(AF_INET6, text, out->bytes);
}

static const char *any_address(void)
{
	static const char *const all[] = {
		"127.77.0.1", "127.77.0.2",	 "127.77.0.3",	       "127.77.0.9",		"10.1.2.3", "192.168.1.1",
		"fd00::1",    "169.254.169.254", "::ffff:169.254.1.1", "64:ff9b::a00:1",	"0.0.0.0",  "224.0.0.1",
		"fe80::1",    "255.255.255.255", "::",		       "::ffff:127.77.0.9",	"100.64.0.1", "198.18.0.1",
	};
	/* a broker that fails this test must not reach anything real */
	return all[below(has_own_net && one_in(3) ? sizeof(all) / sizeof(all[0]) : 4)];
}

static void answer_resolve(uint64_t ask, const char *name)
{
	struct wire_resolved r = {.ask = ask};
	struct oracle_answer a;

	oracle_answer(name, &a);
	if (is_lying) {
		a = (struct oracle_answer){.n = 1 + below(3), .ttl_s = one_in(2) ? 0 : below(4000000)};
		for (size_t i = 0; i < a.n; i++)
			a.texts[i] = any_address();
	}
	r.status = (uint16_t)a.status;
	r.n_addresses = (uint16_t)a.n;
	for (size_t i = 0; i < a.n; i++) {
		put_address(&r.addresses[i], a.texts[i]);
		r.addresses[i].ttl_s = a.ttl_s;
	}
	send_to(rig.names_fd, WIRE_RESOLVED, &r, sizeof(r));
	if (is_lying && one_in(4)) { /* an answer twice, or to nothing */
		r.ask = one_in(2) ? ask : rnd();
		send_to(rig.names_fd, WIRE_RESOLVED, &r, sizeof(r));
	}
}

static void release_held(void)
{
	while (n_held) {
		size_t i = below((unsigned)n_held);
		uint64_t ask = held[i];
		char name[256];
		memcpy(name, held_names[i], sizeof(name));
		held[i] = held[--n_held];
		memcpy(held_names[i], held_names[n_held], sizeof(name));
		answer_resolve(ask, name);
	}
}

static void take_resolve(const uint8_t *bytes, size_t n)
{
	struct wire_resolve q;
	char name[256];

	if (n != sizeof(struct wire_head) + sizeof(q))
		fail("the resolver got what is no RESOLVE");
	memcpy(&q, bytes + sizeof(struct wire_head), sizeof(q));
	memcpy(name, q.name, q.name_n);
	name[q.name_n] = '\0';
	count.resolves++;
	if (!oracle_is_allowed_somewhere(name))
		fail("ESCAPE: a name that no rule allows was to be resolved");
	if (n_held < MAX_HELD_RESOLVES && one_in(4)) {
		held[n_held] = q.ask;
		memcpy(held_names[n_held++], name, sizeof(name));
	} else {
		answer_resolve(q.ask, name);
	}
	if (n_held == MAX_HELD_RESOLVES)
		release_held();
}

/* The one DNS server is all that the resolver's sockets may lead to. */
static void want_socket(void)
{
	struct wire_want_socket q = {.is_tcp = 0};
	struct pollfd p = {.fd = rig.sockets_fd, .events = POLLIN};
	uint8_t bytes[PACKET_BYTES];
	struct sockaddr_in at;
	socklen_t bytes_at = sizeof(at);
	size_t n;
	int fd = -1;

	send_to(rig.sockets_fd, WIRE_WANT_SOCKET, &q, sizeof(q));
	if (poll(&p, 1, PATIENCE_MS) != 1 || receive(rig.sockets_fd, bytes, sizeof(bytes), &n, &fd) != 1 || fd < 0)
		fail("the resolver got no socket");
	if (getpeername(fd, (struct sockaddr *)&at, &bytes_at) < 0 || at.sin_addr.s_addr != inet_addr("127.77.0.5") ||
	    at.sin_port != htons(53))
		fail("ESCAPE: the resolver's socket leads elsewhere");
	(void)close(fd);
	count.sockets++;
}

/* Everything that waits, on all sides. Returns false when the broker has closed its channel. */
static bool pump(int wait_ms)
{
	uint8_t bytes[PACKET_BYTES];
	size_t n;
	int fd, got;
	struct pollfd p[] = {{.fd = rig.names_fd, .events = POLLIN}, {.fd = rig.worker_fd, .events = POLLIN}};

	if (wait_ms)
		(void)poll(p, is_deaf ? 1 : 2, wait_ms);
	while ((got = receive(rig.names_fd, bytes, sizeof(bytes), &n, &fd)) == 1)
		take_resolve(bytes, n);
	serve_places();
	if (is_deaf)
		return got >= 0;
	while ((got = receive(rig.worker_fd, bytes, sizeof(bytes), &n, &fd)) == 1)
		take_from_broker(bytes, n, fd);
	return got >= 0;
}

/* ---- what is sent ---- */

static const char *some_name(void)
{
	static const char *const names[] = {
		"one.example",	   "One.Example.",     "a.wild.example",	"B.wild.EXAMPLE",
		"c.d.wild.example", "x1.wild.example", "x2.wild.example",	"x3.wild.example",
		"x4.wild.example", "closed.example",   "range.example",		"mix.example",
		"t.example",	   "bad.wild.example", "x.bad.wild.example",	"wild.example",
		"evil.test",	   "one.example.evil.test", "evilone.example",	"example",
		"host.drydock.internal", "x.host.drydock.internal", "localhost", "xn--one-9ra.example",
	};
	return names[below(sizeof(names) / sizeof(names[0]))];
}

static const char *some_literal(void)
{
	static const char *const texts[] = {
		"127.77.1.2",  "127.77.1.4", "127.77.1.3",    "127.77.0.1",	  "127.77.2.1",	    "127.77.0.9",
		"127.77.258",  "2135752962", "0x7f4d0102",    "0177.0115.1.2",	  "127.77.1.2.",    "127.077.1.2",
		"127.77.1.02", "127.77.1",   "[127.77.1.2]",  "[::ffff:127.77.1.2]", "::ffff:127.77.1.2",
		"[::1]",       "::1",	     "10.0.0.1",      "169.254.169.254",  "0",		    "127.1",
		"127.0.0.1",   "[fe80::1%1]", "0.0.0.0",      "::127.77.0.1",	  "::ffff:7f4d:1",
	};
	return texts[below(sizeof(texts) / sizeof(texts[0]))];
}

static void put_text(uint8_t *name, uint8_t *name_n, const char *text)
{
	*name_n = (uint8_t)strlen(text);
	memcpy(name, text, *name_n);
}

static void put_random_name(uint8_t *name, uint8_t *name_n)
{
	static const char letters[] = "abz019-_.%:@[] \\/\t\n\x7f\xc3\xa9";
	bool is_wild = one_in(2);

	*name_n = (uint8_t)(1 + below(is_wild ? 200 : 255));
	for (size_t i = 0; i < *name_n; i++)
		name[i] = one_in(40) ? (uint8_t)rnd() : (uint8_t)letters[below(is_wild ? 9 : sizeof(letters))];
	if (is_wild) { /* long labels below an allowed wildcard */
		memcpy(name + *name_n, ".wild.example", 13);
		*name_n = (uint8_t)(*name_n + 13);
	}
}

static void mutate(uint8_t *name, uint8_t *name_n)
{
	for (unsigned n = 1 + below(3); n; n--) {
		unsigned at = below(*name_n);
		switch (below(6)) {
		case 0:
			name[at] ^= (uint8_t)(1u << below(8));
			break;
		case 1:
			name[at] = (uint8_t)rnd();
			break;
		case 2:
			name[at] = '\0';
			break;
		case 3:
			*name_n = (uint8_t)(at + 1);
			break;
		case 4: /* more behind it than before */
			if (*name_n < 200) {
				memcpy(name + *name_n, ".evil.test", 10);
				*name_n = (uint8_t)(*name_n + 10);
			}
			break;
		default:
			if (*name_n < 250) {
				memmove(name + at + 1, name + at, (size_t)*name_n - at);
				name[at] = (uint8_t)"..:-@%"[below(6)];
				*name_n = (uint8_t)(*name_n + 1);
			}
			break;
		}
	}
}

static uint16_t some_port(void)
{
	static const uint16_t others[] = {1, 22, 53, 80, 443, 8080, 65535};

	if (one_in(12))
		return one_in(2) ? others[below(7)] : (uint16_t)(1 + below(65535));
	return oracle_ports[below(ORACLE_PORTS)];
}

/* What a rule opens, so that enough gets through. */
static uint16_t some_open_place(struct wire_open *q)
{
	static const struct {
		const char *name;
		size_t port;
	} open[] = {{"one.example", 0},	   {"x1.wild.example", 1}, {"x2.wild.example", 0}, {"a.wild.example", 1},
		    {"range.example", 2},  {"127.77.1.4", 2},	   {"host.drydock.internal", 1}};
	size_t i = below(sizeof(open) / sizeof(open[0]));

	put_text(q->name, &q->name_n, open[i].name);
	return oracle_ports[open[i].port];
}

static uint64_t some_flow(void)
{
	if (next_flow > 2 && one_in(30))
		return 1 + rnd() % next_flow; /* an old number: over, or a breach when it lives */
	if (one_in(1000))
		return one_in(2) ? 0 : UINT64_MAX - below(3);
	return ++next_flow;
}

static void finish_packet(struct packet *p, uint16_t number, const void *payload, size_t n)
{
	struct wire_head head = {.number = number, .version = WIRE_VERSION, .bytes = (uint32_t)n};

	memcpy(p->bytes, &head, sizeof(head));
	memcpy(p->bytes + sizeof(head), payload, n);
	p->n = sizeof(head) + n;
}

static void make_open(struct packet *p)
{
	struct wire_open q = {.flow = some_flow(), .port = some_port()};

	q.seen_in = (uint8_t)(1 + below(5));
	q.client_v6 = (uint8_t)below(2);
	q.client_port = (uint16_t)rnd();
	for (size_t i = 0; i < sizeof(q.client); i++)
		q.client[i] = (uint8_t)rnd();
	switch (below(10)) {
	case 0:
		put_random_name(q.name, &q.name_n);
		break;
	case 3:
	case 4:
		q.port = some_open_place(&q);
		break;
	case 1:
		put_text(q.name, &q.name_n, some_literal());
		break;
	case 2:
		put_text(q.name, &q.name_n, one_in(2) ? some_name() : some_literal());
		mutate(q.name, &q.name_n);
		break;
	default:
		put_text(q.name, &q.name_n, some_name());
		break;
	}
	while (is_living(q.flow)) /* twice the same is a breach, for make_breach() */
		q.flow = ++next_flow;
	finish_packet(p, WIRE_OPEN, &q, sizeof(q));
}

static void make_close(struct packet *p)
{
	struct wire_close q = {.flow = rnd(), .reason = below(3) ? 0 : below(REASON_COUNT)};

	if (n_live && !one_in(6))
		q.flow = asks[live[below((unsigned)n_live)]].flow;
	q.detail_n = (uint8_t)rnd();
	for (size_t i = 0; i < q.detail_n; i++)
		q.detail[i] = (uint8_t)rnd();
	finish_packet(p, WIRE_CLOSE, &q, sizeof(q));
}

static void make_note(struct packet *p)
{
	struct wire_note q = {.reason = 1 + below(REASON_COUNT - 1), .port = (uint16_t)rnd()};

	q.seen_in = (uint8_t)below(SEEN_SOURCES);
	q.name_n = (uint8_t)rnd();
	for (size_t i = 0; i < q.name_n; i++)
		q.name[i] = (uint8_t)rnd();
	finish_packet(p, WIRE_NOTE, &q, sizeof(q));
}

static void make_dns(struct packet *p)
{
	struct wire_ask_dns q = {.ask = ++next_dns, .type = (uint16_t)rnd()};

	if (one_in(3))
		put_random_name(q.name, &q.name_n);
	else
		put_text(q.name, &q.name_n, one_in(6) ? some_literal() : some_name());
	if (one_in(4))
		mutate(q.name, &q.name_n);
	finish_packet(p, WIRE_ASK_DNS, &q, sizeof(q));
}

static void make_good(struct packet *p)
{
	unsigned what = below(100);

	p->n_fds = 0;
	if (n_live >= MAX_LIVE || (what < close_percent && n_live > 0))
		make_close(p);
	else if (what < 75)
		make_open(p);
	else if (what < 85)
		make_dns(p);
	else if (what < 92 || n_replays == 0)
		make_note(p);
	else
		*p = replays[below((unsigned)n_replays)];
}

static void make_breach(struct packet *p)
{
	static const uint16_t numbers[] = {0, 1, 3, 4, 8, 9, 16, 17, 18, 24, 25, 32, 33, 255, 65535};

	make_good(p);
	switch (below(10)) {
	case 0: /* cut short */
		p->n = 1 + below((unsigned)p->n - 1);
		break;
	case 1: /* longer than it says */
		p->n += 1 + below(300);
		break;
	case 2: /* the head lies */
		p->bytes[BYTES_AT + below(4)] ^= (uint8_t)(1 + below(255));
		break;
	case 3:
		memcpy(p->bytes + NUMBER_AT, &numbers[below(15)], 2);
		break;
	case 4:
		p->bytes[VERSION_AT + below(2)] ^= (uint8_t)(1 + below(255));
		break;
	case 5: /* a valid number over any payload */
		for (size_t i = HEAD_BYTES; i < p->n; i++)
			p->bytes[i] = (uint8_t)rnd();
		break;
	case 6: /* nothing but noise */
		p->n = 1 + below(PACKET_BYTES - 1);
		for (size_t i = 0; i < p->n; i++)
			p->bytes[i] = (uint8_t)rnd();
		break;
	case 7: /* a flow that lives, asked for again */
		make_open(p);
		if (n_live)
			memcpy(p->bytes + HEAD_BYTES, &asks[live[below((unsigned)n_live)]].flow, 8);
		break;
	case 8: /* one bit of a payload, padding most of all */
		make_open(p);
		p->bytes[HEAD_BYTES + (one_in(2) ? 10 + below(14) : below((unsigned)p->n - HEAD_BYTES))] ^=
			(uint8_t)(1u << below(8));
		break;
	default:
		p->n_fds = 1 + (int)below(12);
		break;
	}
}

static bool is_zero(const uint8_t *p, size_t n)
{
	while (n && !p[n - 1])
		n--;
	return n == 0;
}

static enum breach judge_open(const uint8_t *payload)
{
	struct wire_open q;

	memcpy(&q, payload, sizeof(q));
	if (q.port == 0 || q.name_n == 0 || q.seen_in < 1 || q.seen_in > 5 || q.client_v6 > 1 ||
	    !is_zero(q.pad, sizeof(q.pad)) || q.pad2 || q.pad3)
		return SURE_BREACH;
	return is_living(q.flow) ? MAYBE_BREACH : NO_BREACH;
}

/* The protocol as docs/WIRE.md has it, read again. */
static enum breach judge(const struct packet *p)
{
	static const size_t sizes[] = {
		[WIRE_OPEN] = 296, [WIRE_CLOSE] = 272, [WIRE_NOTE] = 264, [WIRE_ASK_DNS] = 272};
	uint16_t number, version;
	uint32_t bytes, reason;

	if (p->n < HEAD_BYTES || p->n_fds)
		return SURE_BREACH;
	memcpy(&number, p->bytes + NUMBER_AT, 2);
	memcpy(&version, p->bytes + VERSION_AT, 2);
	memcpy(&bytes, p->bytes + BYTES_AT, 4);
	if (version != 1 || number >= sizeof(sizes) / sizeof(sizes[0]) || !sizes[number] || bytes != sizes[number] ||
	    p->n != HEAD_BYTES + sizes[number])
		return SURE_BREACH;
	const uint8_t *payload = p->bytes + HEAD_BYTES;
	if (number == WIRE_OPEN)
		return judge_open(payload);
	memcpy(&reason, payload + (number == WIRE_CLOSE ? 8 : 0), 4);
	if (number == WIRE_CLOSE)
		return reason >= REASON_COUNT		 ? SURE_BREACH
		       : is_zero(payload + 13, 3) ? NO_BREACH
						  : MAYBE_BREACH;
	if (number == WIRE_NOTE)
		return reason == 0 || reason >= REASON_COUNT || payload[6] >= SEEN_SOURCES ? SURE_BREACH : NO_BREACH;
	return is_zero(payload + 11, 5) ? NO_BREACH : MAYBE_BREACH;
}

static bool put_packet(const struct packet *p)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(12 * sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)(size_t)p->bytes, p->n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (p->n_fds) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE((size_t)p->n_fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)p->n_fds * sizeof(int));
		for (int i = 0; i < p->n_fds; i++) {
			int fd = STDERR_FILENO;
			memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &fd, sizeof(int));
		}
		count.fds_attached += (uint64_t)p->n_fds;
	}
	return sendmsg(rig.worker_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* What the test must remember of a message that is on its way. */
static void note_sent(const struct packet *p)
{
	uint16_t number;
	uint64_t flow;
	struct wire_open q;

	memcpy(&number, p->bytes, 2);
	memcpy(&flow, p->bytes + HEAD_BYTES, 8);
	if (number == WIRE_OPEN) {
		count.opens++;
		memcpy(&q, p->bytes + HEAD_BYTES, sizeof(q));
		ask_add(&q);
		if (n_live > count.max_flows_at_once)
			count.max_flows_at_once = n_live;
	} else if (number == WIRE_CLOSE) {
		count.closes++;
		for (struct ask *a = *bucket_of(flow); a; a = a->next)
			if (a->flow == flow && (a->state == ASK_OUT || a->state == ASK_OPEN)) {
				ask_end(a, a->state == ASK_OUT ? ASK_CLOSED_EARLY : ASK_OVER);
				break;
			}
	} else if (number == WIRE_NOTE) {
		count.notes++;
	}
}

/* Waits for room, reading meanwhile. False when the broker's end is closed. */
static bool send_packet(const struct packet *p)
{
	uint64_t until = now_ms() + PATIENCE_MS;

	while (!put_packet(p)) {
		if (errno != EAGAIN && errno != ETOOMANYREFS && errno != ENOBUFS)
			return false;
		is_deaf = false; /* both sides are full: the broker waits for us, as it should */
		if (now_ms() > until)
			fail("the broker takes nothing more");
		if (!pump(20))
			return false;
	}
	count.sent++;
	return true;
}

/* ---- one life of the broker ---- */

static void start_life(void)
{
	struct wire_hello hello = {.version = WIRE_VERSION};
	uint64_t until = now_ms() + PATIENCE_MS;

	if (ftruncate(audit_fd, 0) < 0)
		fail("ftruncate");
	forget_all();
	next_flow = 0;
	is_lying = one_in(4);
	close_percent = one_in(2) ? 30 : below(10);
	is_deaf = has_dns_answer = false;
	rig_start(&rig, egress, rules, audit_fd, dns_text);
	count.lives++;
	send_to(rig.names_fd, WIRE_RESOLVER_READY, &hello, sizeof(hello));
	while (!has_dns_answer) /* HELLO */
		if (!pump(100) || now_ms() > until)
			fail("the broker does not begin");
}

static void expect_end(void)
{
	uint64_t until = now_ms() + PATIENCE_MS;
	char said[4096];
	int status;

	is_deaf = false;
	while (!rig_has_ended(&rig, 5, &status)) {
		(void)pump(0); /* it may have to be rid of its answers first */
		if (now_ms() > until)
			fail("the broker lives on after a breach");
	}
	while (pump(0)) /* what it answered before is judged as well */
		;
	serve_places();
	rig_said(&rig, said, sizeof(said));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 1 || !strstr(said, "the worker broke the protocol") ||
	    !strstr(said, "egress is shut"))
		fail("the broker did not shut in order");
	count.breaches++;
	rig_drop(&rig);
}

/* Everything before it has been answered when a DNS question is. */
static bool barrier(void)
{
	struct packet p = {0};
	struct wire_ask_dns q = {.ask = ++next_dns, .name_n = 1, .name = "a"};
	uint64_t until = now_ms() + PATIENCE_MS;

	is_deaf = false;
	finish_packet(&p, WIRE_ASK_DNS, &q, sizeof(q));
	if (!send_packet(&p))
		return false;
	while (dns_seen != q.ask) {
		if (now_ms() > until)
			fail("the broker answers nothing more");
		if (!pump(20))
			return dns_seen == q.ask;
	}
	return true;
}

/* A number that is used again after an early CLOSE: first hear whether the old question was answered. */
static void untangle(const struct packet *p)
{
	uint64_t flow;

	memcpy(&flow, p->bytes + HEAD_BYTES, sizeof(flow));
	for (struct ask *a = *bucket_of(flow); a; a = a->next)
		if (a->flow == flow && a->state == ASK_CLOSED_EARLY) {
			if (!barrier())
				fail("the broker ended by itself");
			a->state = ASK_OVER;
		}
}

static void check_memory(void)
{
	long kib = rig_anon_kib(&rig);

	if (kib > anon_most_kib)
		anon_most_kib = kib;
	if (rounds_of_life++ < ROUNDS_TO_GROW) {
		anon_early_kib = kib > anon_early_kib ? kib : anon_early_kib;
		return;
	}
#ifndef DRYDOCK_SANITIZED /* which keeps what was freed */
	if (kib > anon_early_kib + MEMORY_SLACK_KIB) {
		char text[128];
		(void)snprintf(text, sizeof(text), "LEAK: %ld KiB in the first rounds, %ld now", anon_early_kib, kib);
		fail(text);
	}
#endif
}

/* Every question has its answer; then every flow is closed, and nothing of them is left. */
static void settle(void)
{
	uint64_t until = now_ms() + PATIENCE_MS;
	struct packet p = {0};

	is_deaf = false;
	while (n_out) {
		release_held();
		if (!pump(20))
			fail("the broker ended by itself");
		if (now_ms() > until)
			fail("a question was never answered");
	}
	while (n_live) {
		struct wire_close q = {.flow = asks[live[0]].flow};
		finish_packet(&p, WIRE_CLOSE, &q, sizeof(q));
		if (!send_packet(&p))
			fail("the broker ended by itself");
		note_sent(&p);
	}
	if (!barrier())
		fail("the broker ended by itself");
	count.rounds++;
	int fds = rig_count_fds(&rig);
	if (fds != fds_at_start) {
		char text[128];
		(void)snprintf(text, sizeof(text), "LEAK: %d descriptors at the start, %d now", fds_at_start, fds);
		fail(text);
	}
	check_memory();
	forget_all();
}

/* Ends that are no breach: all of them leave nothing behind. */
static void end_life(void)
{
	int status = 0;
	unsigned how = below(4);

	settle();
	if (how == 0)
		(void)kill(rig.broker, SIGTERM);
	else if (how == 1)
		(void)shutdown(rig.worker_fd, SHUT_RDWR);
	else if (how == 2)
		(void)shutdown(rig.names_fd, SHUT_RDWR);
	else
		(void)kill(rig.broker, SIGKILL);
	if (!rig_has_ended(&rig, PATIENCE_MS, &status))
		fail("the broker does not end");
	if (how < 3 && (!WIFEXITED(status) || WEXITSTATUS(status) != (how == 0 ? 0 : 1)))
		fail("the broker did not end in order");
	rig_drop(&rig);
}

static void remember(const struct packet *p)
{
	if (n_replays < REPLAYS)
		replays[n_replays++] = *p;
	else if (one_in(50))
		replays[below(REPLAYS)] = *p;
}

/* Sends one message; false when the life is over. */
static bool one_message(bool with_breaches)
{
	struct packet p = {0};

	if (with_breaches && one_in(BREACH_ONE_IN))
		make_breach(&p);
	else
		make_good(&p);
	enum breach kind = judge(&p);
	if (kind != NO_BREACH && !with_breaches)
		return true; /* a replayed OPEN of a flow that lives */
	if (kind != SURE_BREACH)
		untangle(&p);
	if (!send_packet(&p))
		fail("the broker ended by itself");
	if (kind != SURE_BREACH)
		note_sent(&p);
	if (kind == SURE_BREACH || (kind == MAYBE_BREACH && !barrier())) {
		expect_end();
		return false;
	}
	if (kind == NO_BREACH)
		remember(&p);
	if (!is_deaf && one_in(2000)) {
		is_deaf = true;
		deaf_left = below(2000);
	} else if (is_deaf && deaf_left-- == 0) {
		is_deaf = false;
	}
	if (one_in(16) && !pump(0))
		fail("the broker ended by itself");
	if (one_in(500))
		release_held();
	if (one_in(3000))
		want_socket();
	return true;
}

static void one_life(uint64_t most)
{
	bool with_breaches = count.lives && !is_log_kept && !one_in(64);
	uint64_t until = count.sent + (is_log_kept || most < LIFE_MESSAGES ? most : LIFE_MESSAGES);
	uint64_t next_round = count.sent + ROUND_MESSAGES;

	start_life();
	fds_at_start = rig_count_fds(&rig);
	rounds_of_life = 0;
	anon_early_kib = 0;
	while (count.sent < until) {
		if (!one_message(with_breaches))
			return;
		if (count.sent >= next_round) {
			settle();
			next_round = count.sent + ROUND_MESSAGES;
		}
	}
	end_life();
}

/* A network of its own where the system permits: no port is taken, and nothing else can be reached. */
static bool enter_own_net(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	if (unshare(getuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
		fail("the loopback interface does not come up");
	(void)close(fd);
	return true;
}

static void leave_policy(const char *log)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s.policy", log);
	FILE *f = fopen(path, "we");
	if (!f || fprintf(f, "#line 1 \"rules\"\n%s", rules) < 0 || fclose(f) != 0)
		fail("the policy cannot be written");
}

static void prepare(int argc, char **argv)
{
	struct rlimit limit;

	egress = argv[1];
	seed = argc > 3 && *argv[3] != '-' ? strtoull(argv[3], NULL, 10) : (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
	rng = seed * 0x9e3779b97f4a7c15u | 1;
	(void)rnd();
	printf("seed %llu\n", (unsigned long long)seed);
	(void)fflush(stdout);
	(void)signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	has_own_net = enter_own_net();
	listeners_epoll = epoll_create1(EPOLL_CLOEXEC);
	accepted_epoll = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; i < ORACLE_PORTS; i++)
		listen_everywhere(i);
	oracle_rules(rules);
	(void)snprintf(dns_text, sizeof(dns_text), "127.77.0.5:53");
	is_log_kept = argc > 4;
	if (is_log_kept)
		leave_policy(argv[4]);
	char path[] = "/tmp/drydock-hostile.XXXXXX";
	int made = argc > 4 ? open(argv[4], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : mkstemp(path);
	if (made < 0)
		fail("no audit log");
	audit_fd = open(argc > 4 ? argv[4] : path, O_RDWR | O_APPEND | O_CLOEXEC);
	if (argc <= 4)
		(void)unlink(path);
	(void)close(made);
}

int main(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[0], "drydock-egress") == 0)
		return rig_stand_in(argv[1]);
	if (argc < 3) {
		fprintf(stderr, "usage: hostile_worker EGRESS MESSAGES [SEED|- [LOG]]\n");
		return 2;
	}
	uint64_t n = strtoull(argv[2], NULL, 10);
	uint64_t from = now_ms();
	prepare(argc, argv);
	while (count.sent < n)
		one_life(n - count.sent);
	serve_places();
	printf("%llu messages in %.1f s: %llu OPEN, %llu CLOSE, %llu NOTE; %llu OPENED, %llu REFUSED, %llu DNS verdicts, "
	       "%llu answers judged\n",
	       (unsigned long long)count.sent, (double)(now_ms() - from) / 1000, (unsigned long long)count.opens,
	       (unsigned long long)count.closes, (unsigned long long)count.notes, (unsigned long long)count.opened,
	       (unsigned long long)count.refused, (unsigned long long)count.verdicts,
	       (unsigned long long)count.checked);
	printf("%llu lives of the broker, %llu ended by a breach; %llu connections arrived, all where they may; %llu names "
	       "resolved; %llu descriptors attached\n",
	       (unsigned long long)count.lives, (unsigned long long)count.breaches, (unsigned long long)count.accepted,
	       (unsigned long long)count.resolves, (unsigned long long)count.fds_attached);
	printf("at most %llu flows at once; %llu times all closed: %s, at most %ld KiB of its own\n",
	       (unsigned long long)count.max_flows_at_once, (unsigned long long)count.rounds,
	       fds_at_start < 0 ? "descriptors not counted (not this user's to see)" : "no descriptor left over",
	       anon_most_kib);
	printf("no escape\n");
	return 0;
}
