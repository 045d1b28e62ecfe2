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

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { LIMIT_S = 2, TCP_LISTENING = 0x0a };

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

int health_main(int argc, char **argv)
{
	AUTO(buf) struct buf table = {.max = HEALTH_TABLE_MAX_BYTES};
	struct endpoint at;
	struct err err = {0};

	(void)argc, (void)argv; /* nothing to choose */
	if (fs_read("/proc/net/tcp", &table, &err) == 0) {
		if (!health_find_listener(buf_span(&table), SIDECAR_PORT, &at))
			err_set(&err, 0, "nobody listens on port %d", SIDECAR_PORT);
		else if (ask(&at, &err) == 0)
			return 0;
	}
	log_line("%s", err.text);
	return 1;
}
