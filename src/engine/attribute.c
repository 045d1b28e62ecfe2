/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/attribute.h"
#include "base/clock.h"
#include "base/own.h"
#include "egress/wire/control.h"
#include "engine/owner.h"
#include "report/record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PACKETS_A_TURN = 64 };

void attribute_begin(struct attribute *a, const char *runtime_dir, pid_t init_pid)
{
	char path[PATH_MAX + 16];

	*a = (struct attribute){.fd = -1, .init_pid = init_pid};
	if (!runtime_dir)
		return;
	(void)snprintf(path, sizeof(path), "%s/ctl.sock", runtime_dir);
	AUTO(fd) int fd = control_connect(path, NULL);
	if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && control_send(fd, CONTROL_SUBSCRIBE, CONTROL_NAMES_PROGRAMS, (struct span){0}, -1) == 0)
		a->fd = fd_take(&fd);
}

void attribute_end(struct attribute *a)
{
	fd_drop(&a->fd);
}

static bool may_look(struct attribute *a)
{
	uint64_t second = clock_now_ms() / 1000;

	if (second != a->second) {
		a->second = second;
		a->n_this_second = 0;
	}
	return a->n_this_second++ < ATTRIBUTE_A_SECOND;
}

static void take_line(struct attribute *a, const char *line)
{
	struct record r;
	struct owner_socket socket = {.protocol = OWNER_TCP};
	struct owner owner = {0};

	if (!record_read(line, &r))
		return;
	bool is_decision = !strcmp(r.event, "open") || !strcmp(r.event, "refuse") || !strcmp(r.event, "ask");
	socket.client.port = r.client_port;
	if (is_decision && !r.has_counts && r.flow && r.client_port) {
		if (!addr_parse(span_of(r.client), &socket.client.at) || !may_look(a) ||
		    !owner_find(a->init_pid, &socket, &owner))
			owner.name[0] = '\0'; /* said all the same: a refusal may wait for it */
		owner.name[CONTROL_PROGRAM_BYTES - 1] = '\0';
		(void)control_send(a->fd, CONTROL_PROGRAM, r.flow, span_of(owner.name), -1); /* a hint: it may get lost */
	}
	record_drop(&r);
}

int attribute_ready(struct attribute *a)
{
	struct control_packet *packet = malloc(sizeof(*packet));
	int rc = packet ? 1 : -ENOMEM;

	for (int i = 0; rc == 1 && i < PACKETS_A_TURN; i++) {
		rc = control_recv(a->fd, packet);
		if (rc == 1 && packet->head.number == CONTROL_RECORD)
			take_line(a, packet->text);
		if (rc == 1)
			fd_drop(&packet->fd);
	}
	free(packet);
	return rc == 1 || rc == -EAGAIN ? 0 : -EPIPE;
}
