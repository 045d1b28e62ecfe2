/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No question goes further than the broker, and to it goes the name only. What an allowed name's A and AAAA are
 * answered with is made up here (names.h); its other types have no data, so nobody learns of ECH keys or of a
 * second endpoint (SVCB, HTTPS). Every other name does not exist (NXDOMAIN is what no resolver library retries).
 */
#include "base/clock.h"
#include "base/own.h"
#include "egress/worker/front.h"
#include "egress/worker/worker.h"
#include "proto/dns_msg.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum {
	CLASS_IN = 1,
	UDP_A_TURN = 64,
	QUESTION_MAX_BYTES = 255 + 4,
	PREFIX_BYTES = 2,
	TEXT_BYTES = 64,
};

/* Where an answer goes: a flow (TCP), or back where a datagram came from, from where it was sent to. */
struct target {
	struct flow *flow; /* NULL for UDP */
	int fd;
	struct sockaddr_storage peer;
	socklen_t peer_bytes;
	bool has_v6_info, has_v4_info;
	struct in6_pktinfo v6_info;
	struct in_pktinfo v4_info;
};

struct dns_ask {
	LIST_ENTRY(dns_ask) link;
	struct asker ask;
	struct worker *w;
	struct target to;
	struct name name;
	struct dns_question q;
	uint8_t question[QUESTION_MAX_BYTES];
};

static void put_info(struct msghdr *msg, int level, int type, const void *info, size_t n)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), info, n);
	msg->msg_controllen = CMSG_SPACE(n);
}

static void send_datagram(const struct target *to, const uint8_t *bytes, size_t n)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)bytes, n};
	struct msghdr msg = {
		.msg_name = (void *)(uintptr_t)&to->peer,
		.msg_namelen = to->peer_bytes,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	if (to->has_v6_info)
		put_info(&msg, IPPROTO_IPV6, IPV6_PKTINFO, &to->v6_info, sizeof(to->v6_info));
	else if (to->has_v4_info)
		put_info(&msg, IPPROTO_IP, IP_PKTINFO, &to->v4_info, sizeof(to->v4_info));
	else
		msg.msg_controllen = 0;
	(void)sendmsg(to->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL); /* lost like any datagram: it is asked again */
}

static void answer_bytes(const struct target *to, const uint8_t *bytes, size_t n)
{
	uint8_t prefix[PREFIX_BYTES] = {(uint8_t)(n >> 8), (uint8_t)n};

	if (n == 0)
		return;
	if (!to->flow)
		send_datagram(to, bytes, n);
	else if (!flow_say(to->flow, prefix, sizeof(prefix)) || !flow_say(to->flow, bytes, n))
		flow_close(to->flow);
}

static void answer(const struct target *to, const struct dns_question *q, const struct dns_reply *r)
{
	uint8_t bytes[DNS_REPLY_MAX_BYTES];

	answer_bytes(to, bytes, dns_reply_write(q, r, bytes));
}

static void answer_nothing(const struct target *to, const struct dns_question *q)
{
	answer(to, q, &(struct dns_reply){.rcode = DNS_NOERROR, .ttl_s = NAMES_TTL_S});
}

static void answer_refused(const struct target *to, const struct dns_question *q, uint32_t reason)
{
	char text[TEXT_BYTES];

	(void)snprintf(text, sizeof(text), "blocked by drydock: %s", reason_word(reason)); /* fits */
	/* short: the rule that allows it may be added while the session runs */
	answer(to, q,
	       &(struct dns_reply){.rcode = DNS_NXDOMAIN, .ttl_s = 1, .ede = DNS_EDE_BLOCKED, .ede_text = text});
}

static void answer_allowed(const struct worker *w, const struct target *to, const struct dns_question *q,
			   const struct named *e)
{
	struct addr a = names_address(&w->names, e, q->type == DNS_AAAA);

	if (q->type != DNS_A && (q->type != DNS_AAAA || !w->names.has_v6))
		answer_nothing(to, q);
	else
		answer(to, q,
		       &(struct dns_reply){.rcode = DNS_NOERROR,
					   .address = a.bytes,
					   .address_n = a.is_v6 ? 16 : 4,
					   .ttl_s = NAMES_TTL_S});
}

static void drop(struct dns_ask *a)
{
	LIST_REMOVE(a, link);
	if (a->to.flow)
		a->to.flow->dns = NULL;
	asks_forget(a->w, &a->ask);
	free(a);
}

static void verdict(struct asker *asker, const struct wire_dns_verdict *v)
{
	struct dns_ask *a = container_of(asker, struct dns_ask, ask);
	struct flow *f = a->to.flow;
	struct name name;

	if (f)
		f->dns = NULL; /* it may end while it is answered */
	if (v->reason != REASON_NONE) {
		help_note(&a->w->help, span_make(a->name.text, a->name.n), 0, v->reason, clock_wall_ms());
		answer_refused(&a->to, &a->q, v->reason);
	} else if (name_parse(span_make(v->name, v->name_n), &name) != NAME_IS_HOST) {
		worker_over(a->w, "DNS_VERDICT without a name", true);
	} else {
		struct named *e =
			names_give(&a->w->names, &name, v->is_wild, loop_now_ms(a->w->loop));
		if (e)
			answer_allowed(a->w, &a->to, &a->q, e);
		else
			answer_refused(&a->to, &a->q, REASON_BUDGET);
	}
	drop(a);
	if (f && f->state == FLOW_DNS)
		front_dns_read(f);
}

static void ask(struct worker *w, const struct target *to, const struct dns_question *q,
		const struct name *name)
{
	struct wire_ask_dns question = {.type = q->type, .name_n = name->n};
	struct dns_ask *a = calloc(1, sizeof(*a));

	if (!a) {
		answer_refused(to, q, REASON_BUDGET);
		return;
	}
	*a = (struct dns_ask){.ask.dns = verdict, .w = w, .to = *to, .name = *name, .q = *q};
	memcpy(a->question, q->question.p, q->question.n);
	a->q.question.p = a->question;
	memcpy(question.name, name->text, name->n);
	LIST_INSERT_HEAD(&w->dns_asks, a, link);
	if (to->flow)
		to->flow->dns = a;
	asks_dns(w, &a->ask, &question);
}

static void take_question(struct worker *w, const struct target *to, struct span packet)
{
	struct dns_question q;
	struct name name;
	uint8_t error[DNS_REPLY_MAX_BYTES];

	if (dns_question_parse(packet, &q) != PARSE_DONE) {
		answer_bytes(to, error, dns_error_write(packet, DNS_FORMERR, error));
		return;
	}
	if (q.class != CLASS_IN) {
		answer(to, &q, &(struct dns_reply){.rcode = DNS_NOTIMP});
		return;
	}
	if (q.name_n == 0) {
		answer_nothing(to, &q); /* the root: resolver libraries ask for its NS, nobody needs them */
		return;
	}
	struct span asked = span_make(q.name, q.name_n);
	if (q.has_odd_name || name_parse(asked, &name) != NAME_IS_HOST) {
		asks_note(w, REASON_MALFORMED, SEEN_IN_DNS, asked, 0);
		answer_refused(to, &q, REASON_MALFORMED);
		return;
	}
	struct named *e = help_is_for(asked) ? names_give(&w->names, &name, false, loop_now_ms(w->loop))
					     : names_fresh(&w->names, &name, loop_now_ms(w->loop));
	if (e)
		answer_allowed(w, to, &q, e);
	else
		ask(w, to, &q, &name);
}

static void read_info(struct msghdr *msg, struct target *to)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
		    c->cmsg_len == CMSG_LEN(sizeof(to->v6_info))) {
			memcpy(&to->v6_info, CMSG_DATA(c), sizeof(to->v6_info));
			to->v6_info.ipi6_ifindex = 0; /* the route decides; the address is what matters */
			to->has_v6_info = true;
		}
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO &&
		    c->cmsg_len == CMSG_LEN(sizeof(to->v4_info))) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			to->v4_info = (struct in_pktinfo){.ipi_spec_dst = info.ipi_addr};
			to->has_v4_info = true;
		}
	}
}

/* One datagram; false when none is there. */
static bool take_datagram(struct listener *l)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[256];
	} control;
	struct target to = {.fd = l->source.fd};
	struct iovec iov = {worker_scratch, DNS_UDP_MAX_BYTES};
	struct msghdr msg = {
		.msg_name = &to.peer,
		.msg_namelen = sizeof(to.peer),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n = recvmsg(to.fd, &msg, MSG_DONTWAIT);
	if (n < 0)
		return errno != EAGAIN; /* an error of an earlier answer, say */
	if (msg.msg_flags & MSG_TRUNC)
		return true; /* no question is that long */
	to.peer_bytes = msg.msg_namelen;
	read_info(&msg, &to);
	take_question(l->w, &to, span_make(worker_scratch, (size_t)n));
	return true;
}

void front_dns_udp(struct listener *l)
{
	for (int i = 0; i < UDP_A_TURN && l->w->is_accepting; i++)
		if (!take_datagram(l))
			return;
}

/* Takes one whole question out of f->in; false when there is none, or the flow ended. */
static bool take_framed(struct flow *f)
{
	struct target to = {.flow = f, .fd = f->client.fd};
	uint8_t packet[DNS_UDP_MAX_BYTES];

	if (f->in.n < PREFIX_BYTES)
		return false;
	size_t n = (size_t)f->in.p[0] << 8 | f->in.p[1];
	if (n > sizeof(packet)) {
		flow_close(f);
		return false;
	}
	if (f->in.n < PREFIX_BYTES + n)
		return false;
	memcpy(packet, f->in.p + PREFIX_BYTES, n);
	buf_eat(&f->in, PREFIX_BYTES + n);
	f->active_ms = loop_now_ms(f->w->loop);
	take_question(f->w, &to, span_make(packet, n));
	return f->state == FLOW_DNS;
}

void front_dns_read(struct flow *f)
{
	if (!flow_flush(f)) {
		flow_close(f);
		return;
	}
	while (f->state == FLOW_DNS && !f->dns && f->out.n == 0) {
		if (take_framed(f))
			continue;
		if (f->state != FLOW_DNS)
			return;
		enum flow_read got = f->has_ended ? READ_END : flow_fill(f, FLOW_FIRST_BYTES);
		if (got == READ_NONE)
			return;
		if (got != READ_SOME)
			flow_close(f);
	}
}

void front_dns_close(struct flow *f)
{
	if (!f->dns)
		return;
	f->dns->to.flow = NULL;
	drop(f->dns);
	f->dns = NULL;
}

void front_dns_drop(struct worker *w)
{
	struct dns_ask *a;

	while ((a = LIST_FIRST(&w->dns_asks)))
		drop(a);
}
