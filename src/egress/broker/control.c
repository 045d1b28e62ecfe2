/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/broker/control.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LIST_MAX_BYTES = 16 << 20, REQUESTS_A_TURN = 8 };

struct client {
	struct loop_source source;
	struct control *control;
	bool is_reader; /* subscribed */
	bool is_namer;	/* and says which program made each connection */
};

struct control {
	struct loop *loop;
	struct loop_source listener;
	uid_t own_uid; /* asked before the filter forbids it */
	struct control_calls calls;
	struct client clients[CONTROL_MAX_CLIENTS]; /* fd -1: free */
	struct control_packet packet;		    /* the one being read: too large for the stack */
};

static void tell_naming(const struct control *control)
{
	bool is_named = false;

	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++)
		is_named |= control->clients[i].is_namer;
	control->calls.naming(control->calls.arg, is_named);
}

static void drop_client(struct client *c)
{
	if (c->source.fd < 0)
		return;
	loop_drop(c->control->loop, &c->source);
	fd_drop(&c->source.fd);
	c->is_reader = false;
	if (c->is_namer) {
		c->is_namer = false;
		tell_naming(c->control);
	}
}

static void answer(struct client *c, enum control_number number, uint64_t value, struct span text, int fd)
{
	if (control_send(c->source.fd, number, value, text, fd) < 0)
		drop_client(c);
}

static void answer_failed(struct client *c, const char *why)
{
	answer(c, CONTROL_FAILED, 0, span_of(why), -1);
}

/* A list travels as a memory file that nobody can change any more. */
static void answer_list(struct client *c, void (*fill)(void *arg, struct buf *out))
{
	AUTO(buf) struct buf text = {.max = LIST_MAX_BYTES};
	AUTO(fd) int fd = memfd_create("drydock", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	fill(c->control->calls.arg, &text);
	bool is_made = fd >= 0 && !text.is_cut && fs_write_all(fd, text.p, text.n) == 0 && lseek(fd, 0, SEEK_SET) == 0 &&
		       fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0;
	if (is_made)
		answer(c, CONTROL_OK, 0, (struct span){0}, fd);
	else
		answer_failed(c, "the egress has no memory for the list");
}

static void reload(struct client *c, const struct control_packet *p)
{
	const struct control_calls *calls = &c->control->calls;
	struct err err = {0};
	uint64_t n_rules = 0;

	if (p->fd < 0) {
		answer_failed(c, "a reload comes with a policy, and none came");
		return;
	}
	if (calls->reload(calls->arg, p->fd, p->head.text_bytes ? p->text : "policy", &n_rules, &err) < 0)
		answer_failed(c, err.text);
	else
		answer(c, CONTROL_OK, n_rules, (struct span){0}, -1);
}

static void answer_found(struct client *c, bool is_found)
{
	if (is_found)
		answer(c, CONTROL_OK, 0, (struct span){0}, -1);
	else
		answer_failed(c, "there is no such flow: it is over, or the number is wrong");
}

static void serve(struct client *c, const struct control_packet *p)
{
	const struct control_calls *calls = &c->control->calls;

	switch ((enum control_number)p->head.number) { /* control_recv() took only known ones */
	case CONTROL_RELOAD:
		reload(c, p);
		break;
	case CONTROL_STATUS:
		answer_list(c, calls->status);
		break;
	case CONTROL_FLOWS:
		answer_list(c, calls->flows);
		break;
	case CONTROL_SUBSCRIBE:
		c->is_reader = true;
		c->is_namer = p->head.value == CONTROL_NAMES_PROGRAMS;
		tell_naming(c->control);
		answer(c, CONTROL_OK, 0, (struct span){0}, -1);
		break;
	case CONTROL_CLOSE_FLOW:
		answer_found(c, calls->close_flow(calls->arg, p->head.value));
		break;
	case CONTROL_REFUSE_ASK:
		answer_found(c, calls->refuse_ask(calls->arg, p->head.value));
		break;
	case CONTROL_PROGRAM:
		if (p->head.text_bytes < CONTROL_PROGRAM_BYTES)
			calls->program(calls->arg, p->head.value, p->text);
		break;
	case CONTROL_STOP:
		answer(c, CONTROL_OK, 0, (struct span){0}, -1);
		calls->stop(calls->arg);
		break;
	case CONTROL_OK:
	case CONTROL_FAILED:
	case CONTROL_RECORD:
		answer_failed(c, "this is no request");
		break;
	}
}

static void client_ready(struct loop_source *source, uint32_t events)
{
	struct client *c = container_of(source, struct client, source);
	struct control_packet *p = &c->control->packet;

	(void)events;
	for (int i = 0; i < REQUESTS_A_TURN && c->source.fd >= 0; i++) {
		int rc = control_recv(c->source.fd, p);
		if (rc == -EAGAIN)
			return;
		if (rc <= 0) {
			drop_client(c);
			return;
		}
		serve(c, p);
		fd_drop(&p->fd);
	}
}

/* The folder's mode keeps others out; this holds even where somebody opened the folder. */
static bool is_own_user(const struct control *control, int fd)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && (peer.uid == control->own_uid || peer.uid == 0);
}

static void listener_ready(struct loop_source *source, uint32_t events)
{
	struct control *control = container_of(source, struct control, listener);
	AUTO(fd) int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			loop_drop(control->loop, source); /* it would wake us for ever */
			log_line("no descriptor for a control request (%s): none is taken any more", strerror(errno));
		}
		return;
	}
	if (!is_own_user(control, fd))
		return;
	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
		struct client *c = &control->clients[i];
		if (c->source.fd >= 0)
			continue;
		c->source.fd = fd_take(&fd);
		if (loop_add(control->loop, &c->source, EPOLLIN) < 0)
			fd_drop(&c->source.fd);
		return;
	}
}

struct control *control_new(struct loop *loop, int listen_fd, const struct control_calls *calls, struct err *err)
{
	struct control *control = calloc(1, sizeof(*control));
	if (!control) {
		err_set(err, ENOMEM, "serving control requests");
		return NULL;
	}
	control->loop = loop;
	control->calls = *calls;
	control->own_uid = geteuid();
	control->listener = (struct loop_source){listen_fd, listener_ready};
	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++)
		control->clients[i] = (struct client){.source = {-1, client_ready}, .control = control};
	int rc = loop_add(loop, &control->listener, EPOLLIN);
	if (rc < 0) {
		err_set(err, -rc, "serving control requests");
		free(control);
		return NULL;
	}
	return control;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++)
		drop_client(&control->clients[i]);
	loop_drop(control->loop, &control->listener);
	free(control);
}

void control_record(struct control *control, struct span line)
{
	for (size_t i = 0; control && i < CONTROL_MAX_CLIENTS; i++) {
		struct client *c = &control->clients[i];
		if (c->source.fd >= 0 && c->is_reader &&
		    control_send(c->source.fd, CONTROL_RECORD, 0, line, -1) < 0)
			drop_client(c);
	}
}
