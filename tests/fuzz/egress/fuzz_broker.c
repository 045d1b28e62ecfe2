/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker and a resolver that send anything never crash the broker, and once it is over it stays over.
 * Input: packets of one byte (channel in bit 7, message number below), one byte (payload bytes that follow) and the payload,
 * padded with zeros to the size that the number has; an unknown number goes out with what is there.
 */
#include "base/own.h"
#include "egress/broker/broker.h"
#include "egress/wire/chan.h"

#include <assert.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void do_nothing(struct loop_timer *timer)
{
	(void)timer;
}

static void send_packet(int fd, uint8_t number, struct span payload)
{
	struct {
		struct wire_head head;
		uint8_t payload[sizeof(union wire_payload)];
	} packet = {.head = {.number = number, .version = WIRE_VERSION}};
	size_t bytes = wire_payload_bytes(number);

	if (!bytes)
		bytes = payload.n;
	packet.head.bytes = (uint32_t)bytes;
	if (payload.n)
		memcpy(packet.payload, payload.p, payload.n < bytes ? payload.n : bytes);
	(void)send(fd, &packet, sizeof(packet.head) + bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void drain(int fd)
{
	uint8_t packet[sizeof(struct wire_head) + sizeof(union wire_payload)];

	while (recv(fd, packet, sizeof(packet), MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* nothing that leads to a connection: names without an answer, addresses of no host */
	static const char rules[] =
		"allow a.example:443\nallow b.example:1-65535 private\ndeny *.c.example\n";
	static const struct endpoint server = {.at = {.bytes = {127, 0, 0, 1}}, .port = 9};
	struct cursor c = {.left = {data, size}};
	struct ruleset *set = NULL;
	struct audit audit;
	struct err err = {0};
	struct loop_timer due = {.fire = do_nothing};
	int pairs[3][2];

	struct loop *loop = loop_new(&err);
	assert(loop && ruleset_load(span_of(rules), "rules", &set, &err) == 0);
	assert(audit_init(&audit, -1, "fuzz", &err) == 0);
	for (size_t i = 0; i < 3; i++)
		assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pairs[i]) == 0);
	static const struct name agent = {.n = 7, .text = "a-agent"};
	static const struct broker_closed closed = {.net = {.bytes = {10}}, .bits = 8};
	static const struct wire_terms terms = {.is_guarded = 1};
	const struct broker_settings settings = {.loop = loop,
						 .rules = set,
						 .audit = &audit,
						 .worker_fd = pairs[0][1],
						 .names_fd = pairs[1][1],
						 .sockets_fd = pairs[2][1],
						 .servers = &server,
						 .n_servers = 1,
						 .max_flows = 16,
						 .terms = &terms,
						 .agent = &agent,
						 .closed = &closed,
						 .n_closed = 1};
	struct broker *b = broker_new(&settings, &err);
	assert(b);
	send_packet(pairs[1][0], WIRE_RESOLVER_READY, (struct span){0});
	bool was_over = false;
	while (c.left.n && !c.ran_out) {
		uint8_t what = take_u8(&c);
		struct span payload = take(&c, take_u8(&c));
		size_t channel = what & 0x80 ? (what & 0x40 ? 2 : 1) : 0;
		send_packet(pairs[channel][0], what & 0x3f, payload);
		assert(loop_timer_set(loop, &due, 0) == 0 && loop_turn(loop) == 0);
		bool is_over = broker_why_over(b);
		assert(is_over || !was_over);
		was_over = is_over;
		for (size_t i = 0; i < 3; i++)
			drain(pairs[i][0]);
	}
	loop_timer_clear(loop, &due);
	broker_free(b);
	for (size_t i = 0; i < 3; i++) {
		(void)close(pairs[i][0]);
		(void)close(pairs[i][1]);
	}
	ruleset_free(set);
	loop_free(loop);
	return 0;
}
