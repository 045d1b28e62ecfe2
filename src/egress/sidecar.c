/* SPDX-License-Identifier: Apache-2.0 */
/*
 * It says what it found as options of `serve`; the token goes through a pipe, since a command line can be read from
 * outside. Signals are blocked from the start: the first process of a pid namespace loses a signal that it neither
 * blocks nor handles, and the container would have to be killed.
 */
#include "egress/sidecar.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/own.h"
#include "egress/broker/broker.h"
#include "egress/legs.h"
#include "egress/serve.h"
#include "egress/wire/control.h"
#include "net/name.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

enum {
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	MAX_ARGS = 24 + 2 * LEGS_MAX,
	FD_TEXT_BYTES = 12,
	HOLDER_STEP_MS = 10,
	HOLDER_LIMIT_MS = 10000,
};
/* Where only lo is, every address of 127.0.0.0/8 is local, and no other. */
#define SIDECAR_POOL "127.77.0.0/16"

static_assert((int)LEGS_MAX <= (int)BROKER_MAX_CLOSED, "every leg's network can be closed");

static const char usage_text[] =
	"usage: drydock-egress sidecar --rules FILE --agent-name NAME [--inner SUBNET] [--audit FILE]\n"
	"                              [--control PATH] [--session ID] [--resolver ADDRESS:PORT]\n"
	"       drydock-egress sidecar --rules FILE --holder SOCKET [--audit FILE] ...\n";

/** struct sidecar - the options, and the command line of `serve` that they become; texts live here */
struct sidecar {
	const char *rules, *audit, *agent, *session, *resolver, *control, *token, *holder;
	struct addr inner;
	uint8_t inner_bits;
	bool has_inner;
	struct leg legs[LEGS_MAX];
	size_t n_legs;
	char listen[ADDR_TEXT_BYTES + 8], token_fd[FD_TEXT_BYTES], jail_fd[FD_TEXT_BYTES];
	char closed[LEGS_MAX][LEGS_PREFIX_TEXT_BYTES];
	const char *argv[MAX_ARGS + 1];
	int argc;
};

static void put(struct sidecar *s, const char *option, const char *value)
{
	if (!value)
		return;
	assert(s->argc + 2 <= MAX_ARGS);
	s->argv[s->argc++] = option;
	s->argv[s->argc++] = value;
}

static bool read_option(struct sidecar *s, int c)
{
	struct name name;

	switch (c) {
	case 'r':
		s->rules = optarg;
		return true;
	case 'a':
		s->audit = optarg;
		return true;
	case 's':
		s->session = optarg;
		return true;
	case 'c':
		s->control = optarg;
		return true;
	case 'h':
		s->holder = optarg;
		return true;
	case 'd':
		s->resolver = optarg;
		return true;
	case 'g':
		s->agent = optarg;
		return name_parse(span_of(optarg), &name) == NAME_IS_HOST;
	case 'i':
		s->has_inner = legs_prefix_parse(span_of(optarg), &s->inner, &s->inner_bits);
		return s->has_inner && !s->inner.is_v6;
	default:
		return false;
	}
}

static int read_options(struct sidecar *s, int argc, char **argv, struct err *err)
{
	static const struct option options[] = {{"rules", required_argument, NULL, 'r'},
						{"audit", required_argument, NULL, 'a'},
						{"session", required_argument, NULL, 's'},
						{"control", required_argument, NULL, 'c'},
						{"resolver", required_argument, NULL, 'd'},
						{"agent-name", required_argument, NULL, 'g'},
						{"inner", required_argument, NULL, 'i'},
						{"holder", required_argument, NULL, 'h'},
						{0}};
	int c;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?' || c == ':')
			return err_set(err, 0, "sidecar: wrong option"); /* getopt said which */
		if (!read_option(s, c))
			return err_set(err, 0, "sidecar: '%s' does not fit its option", optarg);
	}
	if (optind < argc)
		return err_set(err, 0, "sidecar: '%s' is no option", argv[optind]);
	if (!s->rules || (!s->agent && !s->holder))
		return err_set(err, 0, "sidecar: --rules and either --agent-name or --holder are needed");
	return 0;
}

/* What a proxy URL carries unescaped. */
static bool is_token(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", text[i]))
			return false;
	return n > 0 && n <= WIRE_TOKEN_BYTES;
}

static int pass_token(struct sidecar *s, struct err *err)
{
	int ends[2];

	s->token = getenv("DRYDOCK_TOKEN");
	if (!s->token || !is_token(s->token)) {
		err_set(err, 0, "sidecar: DRYDOCK_TOKEN is not set to a token");
		return err_fix(err, "1 to %d letters, digits, '-', '.', '_' or '~'", WIRE_TOKEN_BYTES);
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, errno, "making a pipe");
	int rc = fs_write_all(ends[1], s->token, strlen(s->token)); /* far less than a pipe holds */
	(void)close(ends[1]);
	(void)snprintf(s->token_fd, sizeof(s->token_fd), "%d", ends[0]);
	put(s, "--token-fd", s->token_fd);
	return rc < 0 ? err_set(err, -rc, "writing the token") : 0;
}

static int find_inner(const struct sidecar *s, const struct leg **out, struct err *err)
{
	AUTO(buf) struct buf routes = {.max = LEGS_ROUTES_MAX_BYTES};
	char outer[LEG_NAME_BYTES] = "";

	if (s->has_inner) {
		*out = legs_inside(s->legs, s->n_legs, &s->inner, s->inner_bits);
		if (*out)
			return 0;
		err_set(err, 0, "sidecar: no address of this container is inside --inner");
		return err_fix(err, "attach it to the internal network before it starts");
	}
	if (fs_read("/proc/net/route", &routes, err) < 0)
		return err->code;
	if (!legs_default_route(buf_span(&routes), outer))
		return err_set(err, 0, "sidecar: no default route, so nothing could be reached");
	*out = legs_other(s->legs, s->n_legs, outer);
	if (*out)
		return 0;
	err_set(err, 0, "sidecar: which network is the inner one?");
	return err_fix(err, "give its subnet: --inner 172.30.0.0/24");
}

static int put_bridge(struct sidecar *s, struct err *err)
{
	const struct leg *inner;
	char text[ADDR_TEXT_BYTES];

	if (find_inner(s, &inner, err) < 0)
		return err->code;
	addr_print(&inner->at, text);
	(void)snprintf(s->listen, sizeof(s->listen), "%s:%d", text, SIDECAR_PORT); /* fits */
	put(s, "--listen", s->listen);
	put(s, "--agent-name", s->agent);
	return pass_token(s, err);
}

/* The holder may be a moment behind: the engine starts both at once. */
static int connect_holder(const struct sidecar *s, struct err *err)
{
	static const struct timespec step = {.tv_nsec = HOLDER_STEP_MS * 1000000L};
	int fd = control_connect(s->holder, err);

	for (int i = 0; (fd == -ENOENT || fd == -ECONNREFUSED) && i < HOLDER_LIMIT_MS / HOLDER_STEP_MS; i++) {
		(void)nanosleep(&step, NULL); /* a shorter wait does no harm */
		fd = control_connect(s->holder, err);
	}
	return fd;
}

/* Nobody but the agent is in the holder's network namespace, so nobody has to be told from it. */
static int put_sealed(struct sidecar *s, struct err *err)
{
	int fd = connect_holder(s, err);

	if (fd < 0)
		return fd;
	(void)snprintf(s->jail_fd, sizeof(s->jail_fd), "%d", fd); /* fits */
	put(s, "--jail-fd", s->jail_fd);
	put(s, "--pool", SIDECAR_POOL);
	return 0;
}

static int put_all(struct sidecar *s, struct err *err)
{
	if (legs_read(s->legs, &s->n_legs, err) < 0)
		return err->code;
	s->argv[s->argc++] = "serve";
	s->argv[s->argc++] = "--health";
	put(s, "--rules", s->rules);
	put(s, "--audit", s->audit);
	put(s, "--session", s->session);
	put(s, "--control", s->control);
	put(s, "--resolver", s->resolver);
	for (size_t i = 0; i < s->n_legs; i++) {
		legs_prefix_print(&s->legs[i].net, s->legs[i].bits, s->closed[i]);
		put(s, "--closed", s->closed[i]);
	}
	return s->holder ? put_sealed(s, err) : put_bridge(s, err);
}

static void block_signals(void)
{
	sigset_t ends;

	(void)sigemptyset(&ends); /* none of these fails on valid arguments */
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGINT);
	(void)sigaddset(&ends, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &ends, NULL);
}

int sidecar_main(int argc, char **argv)
{
	static struct sidecar s;
	struct err err = {0};

	block_signals();
	if (read_options(&s, argc, argv, &err) < 0) {
		log_line("%s", err.text);
		(void)fputs(usage_text, stderr); /* stderr may be closed: nobody reads then */
		return EXIT_USAGE;
	}
	if (put_all(&s, &err) < 0) {
		log_line("%s", err.text);
		if (err.fix[0])
			log_line("fix: %s", err.fix);
		return EXIT_FAILED;
	}
	optind = 0; /* getopt(3) starts over */
	return serve_main(s.argc, (char **)(uintptr_t)s.argv);
}
