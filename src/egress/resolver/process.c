/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/resolver/process.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/own.h"
#include "egress/resolver/resolver.h"
#include "egress/resolver/sandbox.h"
#include "egress/wire/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

static int read_options(int argc, char **argv, struct endpoint *servers, size_t *out_n)
{
	size_t n = 0;

	for (int i = 1; i + 1 < argc; i += 2)
		if (strcmp(argv[i], "--server") != 0 || n == RESOLVER_MAX_SERVERS ||
		    !endpoint_parse(span_of(argv[i + 1]), &servers[n++]))
			return -EINVAL;
	*out_n = n;
	return argc % 2 ? 0 : -EINVAL;
}

static int read_hosts(struct hosts *out, struct err *err)
{
	AUTO(buf) struct buf text = {.max = HOSTS_MAX_BYTES};

	if (fcntl(RESOLVER_FD_HOSTS, F_GETFD) < 0)
		return 0; /* none given */
	if (fs_read_fd(RESOLVER_FD_HOSTS, "the hosts file", &text, err) < 0)
		return err->code;
	(void)close(RESOLVER_FD_HOSTS);
	int rc = hosts_read(buf_span(&text), out);
	return rc < 0 ? err_set(err, -rc, "reading the hosts file") : 0;
}

static int serve(struct resolver *r, struct loop *loop, struct err *err)
{
	const char *why = NULL;

	if (resolver_sandbox_enter(err) < 0)
		return err->code;
	int rc = resolver_serve(r);
	while (rc == 0 && !resolver_is_over(r, &why))
		rc = loop_turn(loop);
	if (rc < 0 && rc != -EPIPE) /* EPIPE: the broker ended first */
		return err_set(err, -rc, "the event loop");
	return why ? err_set(err, EPROTO, "%s", why) : 0;
}

int resolver_main(int argc, char **argv)
{
	struct endpoint servers[RESOLVER_MAX_SERVERS];
	struct resolver_settings settings = {.servers = servers,
					     .names_fd = RESOLVER_FD_NAMES,
					     .sockets_fd = RESOLVER_FD_SOCKETS,
					     .null_fd = RESOLVER_FD_NULL};
	struct hosts hosts = {0};
	struct err err = {0};
	int rc;

	(void)signal(SIGINT,
		     SIG_IGN); /* a terminal's ^C is for the broker, which then ends this process */
	(void)signal(SIGPIPE, SIG_IGN);
	if (read_options(argc, argv, servers, &settings.n_servers) < 0) {
		log_line("resolver: started by hand; use 'drydock-egress serve'");
		return 1;
	}
	settings.hosts = &hosts;
	struct resolver *r = NULL;
	rc = read_hosts(&hosts, &err); /* first: whatever is opened may take the number of a file that was not given */
	if (rc == 0) {
		settings.loop = loop_new(&err);
		rc = settings.loop ? 0 : err.code;
	}
	if (rc == 0) {
		r = resolver_new(&settings, &err);
		rc = r ? serve(r, settings.loop, &err) : err.code;
	}
	resolver_free(r);
	loop_free(settings.loop);
	hosts_drop(&hosts);
	if (rc < 0)
		log_line("resolver: %s", err.text);
	return rc < 0;
}
