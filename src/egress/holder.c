/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/holder.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/own.h"
#include "confine/privs.h"
#include "egress/sidecar.h"
#include "egress/wire/chan.h"
#include "egress/wire/control.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, DNS_PORT = 53, FIXED_LISTENERS = 3 };

static const char usage_text[] = "usage: drydock-egress holder --sock PATH --ports PORT,...\n";

struct holder {
	const char *sock_path;
	struct holder_ports ports;
	struct wire_listeners kinds;
	int fds[WIRE_MAX_LISTENERS];
	struct loop *loop;
	struct loop_source door;    /* where sidecars connect */
	struct loop_source sidecar; /* the one that has the sockets; fd -1 while there is none */
	struct loop_source signals;
	bool is_over;
};

static bool add_port(struct holder_ports *out, unsigned long port)
{
	if (port == 0 || port > 65535)
		return false;
	if (port == DNS_PORT || port == SIDECAR_PORT)
		return true;
	for (size_t i = 0; i < out->n; i++)
		if (out->ports[i] == port)
			return true;
	if (out->n == WIRE_MAX_LISTENERS - FIXED_LISTENERS)
		return false;
	out->ports[out->n++] = (uint16_t)port;
	return true;
}

bool holder_ports_parse(struct span in, struct holder_ports *out)
{
	struct holder_ports ports = {.n = 0};
	unsigned long port = 0;
	size_t n_digits = 0;

	for (size_t i = 0; i <= in.n; i++) {
		if (i < in.n && in.p[i] >= '0' && in.p[i] <= '9' && n_digits < 5) {
			port = port * 10 + (in.p[i] - '0');
			n_digits++;
		} else if ((i < in.n && in.p[i] != ',') || !n_digits || !add_port(&ports, port)) {
			return false;
		} else {
			port = n_digits = 0;
		}
	}
	*out = ports;
	return true;
}

static int hold(struct holder *h, enum wire_listener_kind kind, uint16_t port, struct err *err)
{
	bool is_udp = kind == LISTEN_DNS_UDP;
	int on = 1;
	const struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		/* names have addresses all over 127.0.0.0/8; nothing else is local */
		.sin_addr.s_addr = htonl(kind == LISTEN_TRANSPARENT ? INADDR_ANY : INADDR_LOOPBACK)};
	AUTO(fd)
	int fd = socket(AF_INET, (is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || (!is_udp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0) ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || (!is_udp && listen(fd, SOMAXCONN) < 0)) {
		err_set(err, errno, "holder: listening on port %u", port);
		return err_fix(err, "it needs net.ipv4.ip_unprivileged_port_start=0, which Docker sets by itself");
	}
	h->kinds.kind[h->kinds.n] = (uint8_t)kind;
	h->fds[h->kinds.n++] = fd_take(&fd);
	return 0;
}

static int hold_all(struct holder *h, struct err *err)
{
	int rc = hold(h, LISTEN_PROXY, SIDECAR_PORT, err);

	if (rc == 0)
		rc = hold(h, LISTEN_DNS_UDP, DNS_PORT, err);
	if (rc == 0)
		rc = hold(h, LISTEN_DNS_TCP, DNS_PORT, err);
	for (size_t i = 0; rc == 0 && i < h->ports.n; i++)
		rc = hold(h, LISTEN_TRANSPARENT, h->ports.ports[i], err);
	return rc;
}

static void end_sidecar(struct holder *h)
{
	loop_drop(h->loop, &h->sidecar);
	fd_drop(&h->sidecar.fd);
}

/* READY, and later the end of the connection: then the next sidecar may come. */
static void sidecar_ready(struct loop_source *source, uint32_t events)
{
	struct holder *h = container_of(source, struct holder, sidecar);
	const struct chan ch = {source->fd, FROM_WORKER, IN_START, WIRE_LISTENERS, WIRE_READY};
	struct chan_message m;
	const char *why = "";

	(void)events;
	switch (chan_recv(&ch, MSG_DONTWAIT, &m, &why)) {
	case CHAN_MESSAGE:
		log_line("holder: %u sockets are served", h->kinds.n);
		return;
	case CHAN_EMPTY:
		return;
	case CHAN_ENDED:
		log_line("holder: the sidecar is gone; connections wait for the next");
		break;
	case CHAN_BREACH:
		log_line("holder: the sidecar broke the protocol (%s)", why);
		break;
	}
	end_sidecar(h);
}

static bool is_of_our_user(int fd)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.uid == geteuid();
}

static void sidecar_came(struct loop_source *source, uint32_t events)
{
	struct holder *h = container_of(source, struct holder, door);
	AUTO(fd) int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	if (h->sidecar.fd >= 0 || !is_of_our_user(fd)) {
		log_line("holder: somebody else asks for the sockets");
		return;
	}
	const struct chan ch = {.fd = fd};
	int rc = chan_send(&ch, WIRE_LISTENERS, &h->kinds, h->fds, h->kinds.n, MSG_DONTWAIT);
	if (rc == 0) {
		h->sidecar.fd = fd_take(&fd);
		rc = loop_add(h->loop, &h->sidecar, EPOLLIN);
	}
	if (rc < 0) {
		log_line("holder: the sockets cannot be handed over: %s", strerror(-rc));
		fd_drop(&h->sidecar.fd);
	}
}

static void signal_came(struct loop_source *source, uint32_t events)
{
	(void)events;
	container_of(source, struct holder, signals)->is_over = true;
}

/* Blocked from the start: see sidecar.c. */
static int take_signals(struct holder *h, struct err *err)
{
	sigset_t ends;

	(void)sigemptyset(&ends); /* none of these fails on valid arguments */
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGINT);
	(void)sigaddset(&ends, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &ends, NULL);
	h->signals.fd = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	return h->signals.fd < 0 ? err_set(err, errno, "making a signal descriptor") : 0;
}

static int read_options(struct holder *h, int argc, char **argv, struct err *err)
{
	static const struct option options[] = {
		{"sock", required_argument, NULL, 's'}, {"ports", required_argument, NULL, 'p'}, {0}};
	bool has_ports = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			h->sock_path = optarg;
		else if (c == 'p' && holder_ports_parse(span_of(optarg), &h->ports))
			has_ports = true;
		else if (c == 'p')
			return err_set(err, 0, "holder: '%s' is no list of at most %d ports", optarg,
				       WIRE_MAX_LISTENERS - FIXED_LISTENERS);
		else
			return err_set(err, 0, "holder: wrong option"); /* getopt said which */
	}
	if (optind < argc || !h->sock_path || !has_ports)
		return err_set(err, 0, "holder: --sock and --ports are needed, and nothing else");
	return 0;
}

static int start(struct holder *h, struct err *err)
{
	if (take_signals(h, err) < 0 || hold_all(h, err) < 0)
		return err->code;
	h->door.fd = control_listen(h->sock_path, err);
	h->loop = h->door.fd < 0 ? NULL : loop_new(err);
	if (!h->loop || privs_hide(err) < 0 || privs_no_new(err) < 0 || privs_drop_caps(err) < 0)
		return err->code;
	int rc = loop_add(h->loop, &h->signals, EPOLLIN);
	if (rc == 0)
		rc = loop_add(h->loop, &h->door, EPOLLIN);
	return rc < 0 ? err_set(err, -rc, "watching the holder's socket") : 0;
}

int holder_main(int argc, char **argv)
{
	static struct holder h = {.door = {-1, sidecar_came}, .sidecar = {-1, sidecar_ready}, .signals = {-1, signal_came}};
	struct err err = {0};

	if (read_options(&h, argc, argv, &err) < 0) {
		log_line("%s", err.text);
		(void)fputs(usage_text, stderr); /* stderr may be closed: nobody reads then */
		return EXIT_USAGE;
	}
	if (start(&h, &err) < 0) {
		log_line("%s", err.text);
		if (err.fix[0])
			log_line("fix: %s", err.fix);
		return EXIT_FAILED;
	}
	int rc = 0;
	while (rc == 0 && !h.is_over)
		rc = loop_turn(h.loop);
	if (rc < 0)
		log_line("holder: the event loop failed: %s", strerror(-rc));
	return rc < 0 ? EXIT_FAILED : 0;
}
