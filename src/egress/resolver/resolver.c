/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/resolver/resolver.h"
#include "base/own.h"
#include "egress/wire/chan.h"

#include <ares.h>
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* c-ares holds one socket a server and protocol, and a few more while it replaces them */
enum {
	MAX_SOCKETS = 4 * RESOLVER_MAX_SERVERS,
	HOSTS_TTL_S = 300, /* the file is read once: what it says holds as long as anybody keeps it */
};

/** struct dns_socket - one that c-ares watches; fd is -1 while the place is free */
struct dns_socket {
	struct loop_source source;
	struct resolver *resolver;
};

struct resolver {
	struct resolver_settings set;
	struct chan names, sockets;
	struct loop_source names_source;
	struct loop_timer timer;
	ares_channel ares;
	struct dns_socket watched[MAX_SOCKETS];
	size_t n_lookups;
	bool is_tcp_wanted; /* of the placeholder made last; c-ares connects it next */
	bool is_over;
	const char *why_over;
};

/** struct lookup - one question on its way through c-ares */
struct lookup {
	struct resolver *resolver;
	uint64_t ask;
};

static void end(struct resolver *r, const char *why)
{
	r->is_over = true;
	if (!r->why_over)
		r->why_over = why;
}

static void send_resolved(struct resolver *r, const struct wire_resolved *m)
{
	/* the broker always reads, so waiting for room is short */
	if (chan_send(&r->names, WIRE_RESOLVED, m, NULL, 0, 0) < 0)
		end(r, NULL);
}

/* The time c-ares wants to be called at. */
static void set_timer(struct resolver *r)
{
	struct timeval room;
	const struct timeval *left = ares_timeout(r->ares, NULL, &room);

	if (!left) {
		loop_timer_clear(r->set.loop, &r->timer);
		return;
	}
	uint64_t ms = (uint64_t)left->tv_sec * 1000 + (uint64_t)left->tv_usec / 1000 + 1;
	if (loop_timer_set(r->set.loop, &r->timer, loop_now_ms(r->set.loop) + ms) < 0)
		end(r, "out of memory");
}

static void timer_fired(struct loop_timer *timer)
{
	struct resolver *r = container_of(timer, struct resolver, timer);

	ares_process_fd(r->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(r);
}

static void socket_ready(struct loop_source *source, uint32_t events)
{
	struct dns_socket *s = container_of(source, struct dns_socket, source);
	struct resolver *r = s->resolver;
	ares_socket_t fd = source->fd;

	ares_process_fd(r->ares, events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? fd : ARES_SOCKET_BAD,
			events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
	set_timer(r);
}

static struct dns_socket *socket_find(struct resolver *r, int fd)
{
	for (size_t i = 0; i < MAX_SOCKETS; i++)
		if (r->watched[i].source.fd == fd)
			return &r->watched[i];
	return NULL;
}

/* c-ares says what it waits for on @fd; neither means that it is about to close it. */
static void socket_state(void *owner, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = owner;
	struct dns_socket *s = socket_find(r, fd);
	uint32_t events = (readable ? EPOLLIN : 0U) | (writable ? EPOLLOUT : 0U);

	if (s && !events) {
		loop_drop(r->set.loop, &s->source);
		s->source.fd = -1;
	} else if (s) {
		if (loop_change(r->set.loop, &s->source, events) < 0)
			end(r, "cannot watch a DNS socket");
	} else if (events && (s = socket_find(r, -1))) {
		s->source.fd = fd;
		if (loop_add(r->set.loop, &s->source, events) < 0)
			end(r, "cannot watch a DNS socket");
	} else if (events) {
		end(r, "more DNS sockets than there are servers");
	}
}

static ares_socket_t make_placeholder(int family, int type, int protocol, void *owner)
{
	struct resolver *r = owner;

	(void)family, (void)protocol; /* the server's address tells */
	r->is_tcp_wanted = type == SOCK_STREAM;
	return fcntl(r->set.null_fd, F_DUPFD_CLOEXEC, 3);
}

static ssize_t server_find(const struct resolver *r, const struct sockaddr *to, socklen_t bytes)
{
	struct sockaddr_storage ss = {0};
	struct endpoint e;

	if ((size_t)bytes > sizeof(ss))
		return -1;
	memcpy(&ss, to, bytes);
	if (!addr_from_sockaddr(&ss, &e.at, &e.port))
		return -1;
	for (size_t i = 0; i < r->set.n_servers; i++)
		if (addr_equal(&r->set.servers[i].at, &e.at) && r->set.servers[i].port == e.port)
			return (ssize_t)i;
	return -1;
}

/* Why there is no socket. c-ares takes some of these for a connection on its way, and would wait for the placeholder:
 * connect(2) gives EAGAIN when no local port is left. */
static int refusal(int status)
{
	if (status == -EAGAIN || status == -EINPROGRESS)
		return -EADDRNOTAVAIL;
	return status < 0 ? status : -EPROTO;
}

/* Asks the broker for a socket to the server, waits for it and puts it in the placeholder's place. */
static int fetch_socket(struct resolver *r, int fd, uint32_t server, bool is_tcp)
{
	const struct wire_want_socket want = {.server = server, .is_tcp = is_tcp};
	struct chan_message m;
	const char *why = NULL;

	if (chan_send(&r->sockets, WIRE_WANT_SOCKET, &want, NULL, 0, 0) < 0 ||
	    chan_recv(&r->sockets, 0, &m, &why) != CHAN_MESSAGE) {
		end(r, why);
		return -EPIPE;
	}
	if (m.number != WIRE_SOCKET || m.payload.SOCKET.server != server ||
	    (m.payload.SOCKET.status == 0) != (m.n_fds == 1)) {
		end(r, "an answer to another question");
		for (int i = 0; i < m.n_fds; i++)
			(void)close(m.fds[i]);
		return -EPROTO;
	}
	if (!m.n_fds)
		return refusal(m.payload.SOCKET.status);
	AUTO(fd) int got = m.fds[0];
	return dup3(got, fd, O_CLOEXEC) < 0 ? -errno : 0;
}

static int connect_placeholder(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t bytes,
			       void *owner)
{
	struct resolver *r = owner;
	ssize_t server = server_find(r, to, bytes);
	int rc =
		server < 0 ? -ENETUNREACH : fetch_socket(r, fd, (uint32_t)server, r->is_tcp_wanted);

	if (rc == 0)
		return 0;
	errno = -rc;
	return -1;
}

static int close_socket(ares_socket_t fd, void *owner)
{
	(void)owner;
	return close(fd);
}

static ares_ssize_t receive(ares_socket_t fd, void *bytes, size_t n, int flags,
			    struct sockaddr *from, ares_socklen_t *from_bytes, void *owner)
{
	(void)owner;
	return recvfrom(fd, bytes, n, flags, from, from_bytes);
}

static ares_ssize_t send_vector(ares_socket_t fd, const struct iovec *parts, int n, void *owner)
{
	(void)owner;
	/* sendmsg(2) rather than writev(2): a TCP server that went away must not raise SIGPIPE */
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)n};
	return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

static const struct ares_socket_functions socket_functions = {
	make_placeholder, close_socket, connect_placeholder, receive, send_vector};

static bool put_address(struct wire_resolved *m, const struct sockaddr *from, uint32_t ttl_s)
{
	if (m->n_addresses == WIRE_MAX_ADDRESSES)
		return false;
	struct wire_address *to = &m->addresses[m->n_addresses];
	if (from->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)from;
		memcpy(to->bytes, &in->sin_addr, 4);
	} else if (from->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)from;
		to->is_v6 = 1;
		memcpy(to->bytes, &in6->sin6_addr, 16);
	} else {
		return true; /* no address */
	}
	to->ttl_s = ttl_s;
	m->n_addresses++;
	return true;
}

static enum wire_resolved_status status_of(int ares_status)
{
	switch (ares_status) {
	case ARES_SUCCESS:
		return RESOLVED_OK;
	case ARES_ENOTFOUND:
	case ARES_ENODATA:
		return RESOLVED_NO_SUCH_NAME;
	default:
		return RESOLVED_FAILED;
	}
}

static void looked_up(void *owner, int status, int timeouts, struct ares_addrinfo *found)
{
	struct lookup *l = owner;
	struct resolver *r = l->resolver;
	struct wire_resolved m = {.ask = l->ask, .status = (uint16_t)status_of(status)};

	(void)timeouts;
	free(l);
	r->n_lookups--;
	if (status == ARES_EDESTRUCTION)
		return; /* nobody waits any more */
	for (struct ares_addrinfo_node *node = found ? found->nodes : NULL; node;
	     node = node->ai_next)
		if (!put_address(&m, node->ai_addr, node->ai_ttl > 0 ? (uint32_t)node->ai_ttl : 0))
			break;
	ares_freeaddrinfo(found);
	if (m.status == RESOLVED_OK && m.n_addresses == 0)
		m.status = RESOLVED_NO_SUCH_NAME;
	send_resolved(r, &m);
}

static bool answer_from_hosts(struct resolver *r, uint64_t ask, const char *name)
{
	struct addr found[WIRE_MAX_ADDRESSES];
	struct wire_resolved m = {.ask = ask, .status = RESOLVED_OK};
	size_t n = hosts_find(r->set.hosts, name, found, WIRE_MAX_ADDRESSES);

	if (!n)
		return false;
	m.n_addresses = (uint16_t)n;
	for (size_t i = 0; i < n; i++) {
		m.addresses[i].is_v6 = found[i].is_v6;
		memcpy(m.addresses[i].bytes, found[i].bytes, sizeof(found[i].bytes));
		m.addresses[i].ttl_s = HOSTS_TTL_S;
	}
	send_resolved(r, &m);
	return true;
}

static void take_resolve(struct resolver *r, const struct wire_resolve *q)
{
	static const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	const struct wire_resolved failed = {.ask = q->ask, .status = RESOLVED_FAILED};
	struct name name;

	if (name_parse(span_make(q->name, q->name_n), &name) != NAME_IS_HOST) {
		end(r, "a question for what is no host name");
		return;
	}
	if (answer_from_hosts(r, q->ask, name.text))
		return;
	struct lookup *l = r->n_lookups < RESOLVER_MAX_LOOKUPS ? malloc(sizeof(*l)) : NULL;
	if (!l) {
		send_resolved(r, &failed);
		return;
	}
	*l = (struct lookup){.resolver = r, .ask = q->ask};
	r->n_lookups++;
	ares_getaddrinfo(r->ares, name.text, NULL, &hints, looked_up, l);
	set_timer(r);
}

static void names_ready(struct loop_source *source, uint32_t events)
{
	struct resolver *r = container_of(source, struct resolver, names_source);
	struct chan_message m;
	const char *why = NULL;

	(void)events;
	while (!r->is_over) {
		switch (chan_recv(&r->names, MSG_DONTWAIT, &m, &why)) {
		case CHAN_MESSAGE:
			take_resolve(
				r,
				&m.payload
					 .RESOLVE); /* the only message of this channel and sender */
			break;
		case CHAN_EMPTY:
			return;
		case CHAN_ENDED:
		case CHAN_BREACH:
			end(r, why);
			return;
		}
	}
}

static int put_servers(struct resolver *r, struct err *err)
{
	struct ares_addr_port_node nodes[RESOLVER_MAX_SERVERS] = {0};

	for (size_t i = 0; i < r->set.n_servers; i++) {
		const struct endpoint *from = &r->set.servers[i];
		nodes[i].next = i + 1 < r->set.n_servers ? &nodes[i + 1] : NULL;
		nodes[i].family = from->at.is_v6 ? AF_INET6 : AF_INET;
		memcpy(&nodes[i].addr, from->at.bytes, from->at.is_v6 ? 16 : 4);
		nodes[i].udp_port = nodes[i].tcp_port = from->port;
	}
	int rc = ares_set_servers_ports(r->ares, nodes);
	return rc == ARES_SUCCESS ? 0 : err_set(err, EINVAL, "c-ares: %s", ares_strerror(rc));
}

/* Everything c-ares would otherwise read from files and the environment is said here. */
static int set_up_ares(struct resolver *r, struct err *err)
{
	struct ares_options o = {
		/* NOALIASES: no HOSTALIASES file. NOCHECKRESP is off: SERVFAIL goes to the next server */
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = RESOLVER_TIMEOUT_MS,
		.tries = RESOLVER_TRIES,
		.ndots = 1,
		.nservers = 0,
		.domains = NULL,
		.ndomains = 0,
		.lookups = (char *)(uintptr_t) "b",
		.sock_state_cb = socket_state,
		.sock_state_cb_data = r,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
		   ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE;
#ifdef ARES_OPT_QUERY_CACHE
	/* the broker keeps answers, for their TTL; and a sidecar asks again where its agent is */
	o.qcache_max_ttl = 0;
	mask |= ARES_OPT_QUERY_CACHE;
#endif
	int rc = ares_library_init(ARES_LIB_INIT_ALL);

	if (rc == ARES_SUCCESS)
		rc = ares_init_options(&r->ares, &o, mask);
	if (rc != ARES_SUCCESS)
		return err_set(err, ENOMEM, "c-ares: %s", ares_strerror(rc));
	ares_set_socket_functions(r->ares, &socket_functions, r);
	return put_servers(r, err);
}

struct resolver *resolver_new(const struct resolver_settings *settings, struct err *err)
{
	struct resolver *r = calloc(1, sizeof(*r));
	if (!r) {
		err_set(err, ENOMEM, "starting the resolver");
		return NULL;
	}
	r->set = *settings;
	r->names = (struct chan){settings->names_fd, FROM_BROKER, IN_SERVICE, WIRE_RESOLVER_READY,
				 WIRE_RESOLVED};
	r->sockets = (struct chan){settings->sockets_fd, FROM_BROKER, IN_SERVICE, WIRE_WANT_SOCKET,
				   WIRE_SOCKET};
	r->names_source = (struct loop_source){settings->names_fd, names_ready};
	r->timer.fire = timer_fired;
	for (size_t i = 0; i < MAX_SOCKETS; i++)
		r->watched[i] = (struct dns_socket){{-1, socket_ready}, r};
	int rc = set_up_ares(r, err);
	if (rc == 0) {
		rc = loop_add(settings->loop, &r->names_source, EPOLLIN);
		if (rc < 0)
			err_set(err, -rc, "watching the names channel");
	}
	if (rc < 0) {
		resolver_free(r);
		return NULL;
	}
	return r;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	if (r->ares)
		ares_destroy(r->ares);
	ares_library_cleanup();
	loop_timer_clear(r->set.loop, &r->timer);
	loop_drop(r->set.loop, &r->names_source);
	free(r);
}

int resolver_serve(struct resolver *r)
{
	const struct wire_hello hello = {.version = WIRE_VERSION};

	return chan_send(&r->names, WIRE_RESOLVER_READY, &hello, NULL, 0, 0);
}

bool resolver_is_over(const struct resolver *r, const char **out_why)
{
	*out_why = r->why_over;
	return r->is_over;
}
