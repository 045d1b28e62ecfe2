/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/worker_rig.h - a real worker in a child process, and a broker played by the test */
#pragma once
#include "egress/wire/chan.h"
#include "egress/worker/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

/*
 * The rig lives in a network namespace of its own, in which 198.18.0.0/15 is local to lo, so that ports below 1024
 * and synthetic addresses work as behind TPROXY. Every read has a time limit: a test that hangs fails.
 */
/** RIG_FIRST_V6 - the synthetic IPv6 address of the first name that is given one; local too */
#define RIG_FIRST_V6 "fd64:7279:646f:636b::c612:1"

enum { RIG_PROXY_PORT = 3128, RIG_MAX_KEPT = 64, RIG_MAX_FLOWS = 48 };

struct rig {
	pid_t worker;
	struct chan broker;
	int listener; /* the far servers' own socket */
	uint16_t listener_port;
	struct rig_kept {
		uint64_t flow;
		int fd;
	} kept[RIG_MAX_KEPT]; /* the broker's duplicates, until CLOSE */
	size_t n_kept;
};

/** rig_namespace() - once, from main(): false, with a line printed, when the machine gives no namespace */
bool rig_namespace(void);

/**
 * rig_up() / rig_down() - cmocka's setup and teardown; the worker must end in order
 *
 * rig_up_impatient: limits of 50 ms; rig_up_brisk: of 400 ms; rig_up_roomy: more flows than questions may wait.
 */
int rig_up(void **state);
int rig_up_brisk(void **state);
int rig_up_roomy(void **state);
int rig_up_impatient(void **state);
int rig_up_on_terms(void **state, const struct wire_terms *terms);
int rig_down(void **state);

/** rig_connect() - a client of the worker's; to @text address. rig_connect_from(): with an address of its own */
int rig_connect(const char *text, uint16_t port);
int rig_connect_from(const char *from, const char *text, uint16_t port);
int rig_client(void);
void rig_send(int fd, const char *text);
void rig_send_bytes(int fd, const void *bytes, size_t n);
/** rig_expect() - read exactly @text */
void rig_expect(int fd, const char *text);
/** rig_read_all() - read to the end; static storage, NUL-terminated. rig_read_head(): to the empty line */
const char *rig_read_all(int fd);
const char *rig_read_head(int fd);
/**
 * rig_expect_end() - an orderly end, nothing before it; rig_expect_reset(): RST; rig_expect_over(): one of the two, for who
 * was still sending
 */
void rig_expect_end(int fd);
void rig_expect_reset(int fd);
void rig_expect_over(int fd);

/** rig_take_*() - the next message of the worker, which must be of that kind */
struct wire_open rig_take_open(struct rig *r, const char *name, uint16_t port);
struct wire_close rig_take_close(struct rig *r, uint64_t flow, enum reason reason);
struct wire_note rig_take_note(struct rig *r, enum reason reason);
struct wire_ask_dns rig_take_ask(struct rig *r, const char *name);
uint64_t rig_take_ask_clients(struct rig *r);

/** rig_grant() - answer OPENED; returns the far server's end of a new TCP connection */
int rig_grant(struct rig *r, uint64_t flow, enum wire_judge judge, int bears, const char *name);
void rig_refuse(struct rig *r, uint64_t flow, enum reason reason);
/** rig_clients() - answer ASK_CLIENTS: the agent has that address, or none */
void rig_clients(struct rig *r, uint64_t ask, const char *client);
void rig_dns_verdict(struct rig *r, uint64_t ask, enum reason reason, const char *name, bool is_wild);
/** rig_is_silent() - the worker sent the broker nothing */
void rig_is_silent(struct rig *r);

/** rig_hello() - a ClientHello over records of at most @record bytes; @sni NULL for none. Returns its length */
size_t rig_hello(const char *sni, bool has_ech, size_t record, uint8_t *out);
