/* SPDX-License-Identifier: Apache-2.0 */
/* egress/wire/control.h - what the command line may ask of a running broker */
/*
 * The broker listens on a SOCK_SEQPACKET socket in the session's runtime folder (0700), which the jail never sees. Who
 * connects must be the broker's own user or root (SO_PEERCRED). One request a packet, one answer a packet, in order;
 * a packet is a struct control_head and a text. What is long travels as a descriptor: a policy comes in as a file that
 * is read once from its start, lists go out as a sealed memory file.
 *
 *   RELOAD       descriptor: the whole policy text. It replaces the rules at once, or, when one line is bad, nothing
 *                changes. Flows that the new rules refuse are shut. text: the name for messages, may be empty
 *   STATUS       OK carries a descriptor: one JSON object
 *   FLOWS        OK carries a descriptor: JSON lines, one per open or asking flow
 *   SUBSCRIBE    after OK, each audit record follows as a RECORD packet. A reader that is too slow is cut off: it can read
 *                the log instead. number CONTROL_NAMES_PROGRAMS: this reader answers every refusal of a connection with PROGRAM,
 *                and refusals wait a moment for it
 *   CLOSE_FLOW   number: the flow
 *   REFUSE_ASK   number: the flow that waits for an answer (serve --ask) is refused now
 *   PROGRAM      number: a flow; text: the program that made it, as its supervisor sees it, empty when it was not found.
 *                A hint, for records. Not answered
 *   STOP         end the egress in order, once the answer is out
 */
#pragma once
#include "base/err.h"
#include "base/span.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

/* X(NAME, number, most descriptors carried) */
#define CONTROL_MESSAGES(X)                                                                        \
	X(RELOAD, 1, 1)                                                                            \
	X(STATUS, 2, 0)                                                                            \
	X(FLOWS, 3, 0)                                                                             \
	X(SUBSCRIBE, 4, 0)                                                                         \
	X(CLOSE_FLOW, 5, 0)                                                                        \
	X(REFUSE_ASK, 6, 0)                                                                        \
	X(PROGRAM, 8, 0)                                                                           \
	X(STOP, 7, 0)                                                                              \
	X(OK, 16, 1)                                                                               \
	X(FAILED, 17, 0)                                                                           \
	X(RECORD, 18, 0)

enum control_number {
#define X(NAME, number, fds) CONTROL_##NAME = (number),
	CONTROL_MESSAGES(X)
#undef X
};

enum { CONTROL_VERSION = 1, CONTROL_TEXT_MAX_BYTES = 16384, CONTROL_PROGRAM_BYTES = 32, CONTROL_NAMES_PROGRAMS = 1 };

/** struct control_head - stands at the beginning of every packet */
struct control_head {
	uint16_t version;    /* CONTROL_VERSION */
	uint16_t number;     /* enum control_number */
	uint32_t text_bytes; /* that follow */
	uint64_t value;	     /* a flow; of SUBSCRIBE, what the reader does; of OK after RELOAD, how many rules; else 0 */
};
static_assert(sizeof(struct control_head) == 16, "control_head is a fixed 16-byte head");

/** struct control_packet - one packet as received; @fd is the receiver's, -1 for none */
struct control_packet {
	struct control_head head;
	char text[CONTROL_TEXT_MAX_BYTES + 1]; /* NUL-terminated */
	int fd;
};

/**
 * control_connect() - connect to the socket at @path
 *
 * A path too long for sun_path is reached through its folder's descriptor.
 *
 * Return: a descriptor, blocking; or a negative errno value: -ENOENT and -ECONNREFUSED when no broker listens.
 */
int control_connect(const char *path, struct err *err);

/**
 * control_listen() - make the socket at @path, mode 0600; what was there of an earlier session is removed
 *
 * Return: a listening, non-blocking descriptor; or a negative errno value.
 */
int control_listen(const char *path, struct err *err);

/**
 * control_send() - one packet
 * @fd_carried:	not consumed; -1 for none
 *
 * Return: 0 or a negative errno value (-EAGAIN on a full non-blocking socket).
 */
int control_send(int fd, enum control_number number, uint64_t value, struct span text, int fd_carried);

/**
 * control_recv() - one packet, checked: version, number, lengths, count of descriptors
 *
 * Return: 1; 0 at the end; -EAGAIN; -EPROTO for what is no packet of ours; or another negative errno value.
 */
int control_recv(int fd, struct control_packet *out);

/**
 * control_ask() - send a request and wait for its answer
 * @out_fd:	the descriptor of OK, the caller's, or NULL when none is expected
 * @out_value:	head.value of OK; may be NULL
 *
 * RECORD packets that come before the answer are dropped: subscribe on a connection of its own.
 *
 * Return: 0; a negative errno value with @err, which for FAILED is the broker's own text.
 */
int control_ask(int fd, enum control_number number, uint64_t value, struct span text, int fd_carried,
		int *out_fd, uint64_t *out_value, struct err *err);
