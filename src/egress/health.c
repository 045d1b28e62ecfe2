/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Executed in the sidecar's container (or the holder's) by the engine's health check. The kernel's table says on which
 * address the proxy listens, so that nothing has to be configured twice; a connection to that address comes from it.
 */
#include "egress/health.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/own.h"
#include "egress/sidecar.h"
#include "egress/wire/control.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { LIMIT_S = 2, TCP_LISTENING = 0x0a, UNIX_ACCEPTS = 1 << 16 /* __SO_ACCEPTCON */ };

static bool read_row(struct span row, uint16_t port, struct endpoint *out)
{
	char line[160];
	unsigned long at, at_port, state;

	(void)snprintf(line, sizeof(line), "%.*s", (int)(row.n < 159 ? row.n : 159), (const char *)row.p);
	/* sl: local_address:port rem_address:port st */
	if (sscanf(line, " %*d: %8lx:%4lx %*x:%*x %2lx", &at, &at_port, &state) != 3 || at_port != port ||
	    state != TCP_LISTENING)
		return false;
	uint32_t be = (uint32_t)at; /* printed as the kernel's native number of the big-endian bytes */
	*out = (struct endpoint){.port = port};
	memcpy(out->at.bytes, &be, sizeof(be));
	return true;
}

bool health_find_listener(struct span table, uint16_t port, struct endpoint *out)
{
	while (table.n) {
		const uint8_t *end = memchr(table.p, '\n', table.n);
		size_t n = end ? (size_t)(end - table.p) : table.n;
		if (read_row(span_make(table.p, n), port, out))
			return true;
		n += end != NULL;
		table = span_make(table.p + n, table.n - n);
	}
	return false;
}

bool health_find_control(struct span table, char *out, size_t max)
{
	while (table.n) {
		const uint8_t *end = memchr(table.p, '\n', table.n);
		size_t n = end ? (size_t)(end - table.p) : table.n;
		char line[200], path[108];
		unsigned flags, type;
		(void)snprintf(line, sizeof(line), "%.*s", (int)(n < 199 ? n : 199), (const char *)table.p);
		/* Num: RefCount Protocol Flags Type St Inode Path */
		if (sscanf(line, "%*x: %*x %*x %x %x %*x %*u %107s", &flags, &type, path) == 3 &&
		    flags & UNIX_ACCEPTS && type == SOCK_SEQPACKET && path[0] == '/' && strlen(path) < max) {
			memcpy(out, path, strlen(path) + 1);
			return true;
		}
		n += end != NULL;
		table = span_make(table.p + n, table.n - n);
	}
	return false;
}

static int ask_broker(const char *path, struct err *err)
{
	const struct timeval limit = {.tv_sec = LIMIT_S};
	int status = -1;
	AUTO(fd) int fd = control_connect(path, err);

	if (fd < 0) {
		fd = -1;
		return err->code;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return err_set(err, errno, "asking the broker at '%s'", path);
	int rc = control_ask(fd, CONTROL_STATUS, 0, (struct span){0}, -1, &status, NULL, err);
	fd_drop(&status);
	return rc;
}

static int ask(const struct endpoint *at, struct err *err)
{
	static const char request[] = "GET /health HTTP/1.1\r\nHost: health\r\n\r\n";
	static const char good[] = "HTTP/1.1 200 ";
	const struct timeval limit = {.tv_sec = LIMIT_S};
	struct sockaddr_storage ss;
	socklen_t bytes = addr_to_sockaddr(&at->at, at->port, &ss);
	char text[ENDPOINT_TEXT_BYTES], answer[sizeof(good) - 1];

	endpoint_print(at, text);
	AUTO(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, (struct sockaddr *)&ss, bytes) < 0 ||
	    send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
		return err_set(err, errno, "connecting to the proxy at %s", text);
	ssize_t n = recv(fd, answer, sizeof(answer), MSG_WAITALL);
	if (n < 0)
		return err_set(err, errno, "the proxy at %s does not answer", text);
	if (n != (ssize_t)sizeof(answer) || memcmp(answer, good, sizeof(answer)) != 0)
		return err_set(err, 0, "the proxy at %s does not say that it is well", text);
	return 0;
}

static int check(struct err *err)
{
	AUTO(buf) struct buf table = {.max = HEALTH_TABLE_MAX_BYTES};
	AUTO(buf) struct buf sockets = {.max = HEALTH_TABLE_MAX_BYTES};
	struct endpoint at;
	char path[108];

	if (fs_read("/proc/net/tcp", &table, err) < 0)
		return err->code;
	if (health_find_listener(buf_span(&table), SIDECAR_PORT, &at))
		return ask(&at, err);
	if (fs_read("/proc/net/unix", &sockets, err) < 0)
		return err->code;
	if (health_find_control(buf_span(&sockets), path, sizeof(path)))
		return ask_broker(path, err);
	return err_set(err, 0, "nobody listens on port %d, and there is no control socket", SIDECAR_PORT);
}

int health_main(int argc, char **argv)
{
	struct err err = {0};

	(void)argc, (void)argv; /* nothing to choose */
	if (check(&err) == 0)
		return 0;
	log_line("%s", err.text);
	return 1;
}
