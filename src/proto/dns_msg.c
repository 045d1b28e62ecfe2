/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/dns_msg.h"

enum {
	HEAD_BYTES = 12,
	FLAG_QR = 0x8000,
	FLAG_OPCODE = 0x7800,
	FLAG_TC = 0x0200,
	FLAG_RD = 0x0100,
	FLAG_RA = 0x0080,
	FLAG_CD = 0x0010,
	TYPE_SOA = 6,
	TYPE_OPT = 41,
	CLASS_IN = 1,
	OPTION_EDE = 15,
	MAX_ADDITIONAL = 16,
};

static bool is_name_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

/* Labels up to the root; a compression pointer is bad in a question. */
static bool read_name(struct cursor *c, struct dns_question *out)
{
	size_t wire_bytes = 1;
	for (uint8_t n = take_u8(c); n; n = take_u8(c)) {
		struct span label = take(c, n);
		wire_bytes += 1u + n;
		if (c->ran_out || n > 63 || wire_bytes > 255)
			return false;
		if (out->name_n)
			out->name[out->name_n++] = '.';
		for (size_t i = 0; i < label.n; i++) {
			out->has_odd_name |= !is_name_byte(label.p[i]);
			out->name[out->name_n++] = (char)label.p[i];
		}
	}
	return !c->ran_out;
}

/* Records after the question: only the additional section may hold some, and one OPT among them. */
static bool read_additional(struct cursor *c, unsigned n, struct dns_question *out)
{
	if (n > MAX_ADDITIONAL)
		return false;
	for (; n; n--) {
		struct dns_question owner = {0};
		if (!read_name(c, &owner))
			return false;
		uint16_t type = take_u16(c);
		uint16_t class = take_u16(c);
		(void)take_u32(c); /* TTL, or EDNS flags */
		(void)take(c, take_u16(c));
		if (c->ran_out)
			return false;
		if (type != TYPE_OPT)
			continue; /* TSIG and the like: nothing we verify */
		if (out->has_edns || owner.name_n)
			return false;
		out->has_edns = true;
		out->edns_udp_bytes = class;
	}
	return c->left.n == 0;
}

enum parse dns_question_parse(struct span in, struct dns_question *out)
{
	struct cursor c = {.left = in};
	struct dns_question q = {.id = take_u16(&c)};
	uint16_t flags = take_u16(&c);
	uint16_t n_questions = take_u16(&c);
	uint16_t n_answers = take_u16(&c);
	uint16_t n_authorities = take_u16(&c);
	uint16_t n_additional = take_u16(&c);

	if (c.ran_out || (flags & (FLAG_QR | FLAG_OPCODE | FLAG_TC)) || n_questions != 1 || n_answers ||
	    n_authorities)
		return PARSE_BAD;
	const uint8_t *start = c.left.p;
	size_t left = c.left.n;
	if (!read_name(&c, &q))
		return PARSE_BAD;
	q.type = take_u16(&c);
	q.class = take_u16(&c);
	q.question = span_make(start, left - c.left.n);
	if (c.ran_out || !read_additional(&c, n_additional, &q))
		return PARSE_BAD;
	q.recursion_desired = flags & FLAG_RD;
	q.checking_disabled = flags & FLAG_CD;
	*out = q;
	return PARSE_DONE;
}

struct writer {
	uint8_t *out;
	size_t n;
};

static void put_u8(struct writer *w, unsigned v)
{
	w->out[w->n++] = (uint8_t)v;
}

static void put_u16(struct writer *w, unsigned v)
{
	put_u8(w, v >> 8);
	put_u8(w, v & 0xff);
}

static void put_u32(struct writer *w, uint32_t v)
{
	put_u16(w, v >> 16);
	put_u16(w, v & 0xffff);
}

static void put_bytes(struct writer *w, const void *p, size_t n)
{
	memcpy(w->out + w->n, p, n);
	w->n += n;
}

/* An owner name that points at the question's, which stands right after the head. */
static void put_owner(struct writer *w)
{
	put_u16(w, 0xc000 | HEAD_BYTES);
}

/* RFC 2308: the SOA in the authority section carries the negative TTL. */
static void put_soa(struct writer *w, uint32_t ttl_s)
{
	put_owner(w);
	put_u16(w, TYPE_SOA);
	put_u16(w, CLASS_IN);
	put_u32(w, ttl_s);
	put_u16(w, 2 + 20); /* two root names, five numbers */
	put_u16(w, 0);	    /* MNAME ".", RNAME "." */
	put_u32(w, 1);
	for (int i = 0; i < 4; i++)
		put_u32(w, ttl_s);
}

static void put_opt(struct writer *w, const struct dns_reply *r)
{
	size_t text_n = r->ede_text ? strlen(r->ede_text) : 0;
	if (text_n > 200)
		text_n = 200;
	put_u8(w, 0);
	put_u16(w, TYPE_OPT);
	put_u16(w, DNS_UDP_MAX_BYTES);
	put_u32(w, 0);
	if (!r->ede) {
		put_u16(w, 0);
		return;
	}
	put_u16(w, (unsigned)(4 + 2 + text_n));
	put_u16(w, OPTION_EDE);
	put_u16(w, (unsigned)(2 + text_n));
	put_u16(w, r->ede);
	put_bytes(w, text_n ? r->ede_text : "", text_n);
}

size_t dns_reply_write(const struct dns_question *q, const struct dns_reply *r,
		       uint8_t out[DNS_REPLY_MAX_BYTES])
{
	struct writer w = {.out = out};
	bool has_answer = r->address != NULL;

	put_u16(&w, q->id);
	put_u16(&w, FLAG_QR | FLAG_RA | (q->recursion_desired ? FLAG_RD : 0u) |
			    (q->checking_disabled ? FLAG_CD : 0u) | (unsigned)r->rcode);
	put_u16(&w, 1);
	put_u16(&w, has_answer);
	put_u16(&w, !has_answer);
	put_u16(&w, q->has_edns);
	put_bytes(&w, q->question.p, q->question.n); /* at most 255 + 4 bytes */
	if (has_answer) {
		put_owner(&w);
		put_u16(&w, r->address_n == 4 ? DNS_A : DNS_AAAA);
		put_u16(&w, CLASS_IN);
		put_u32(&w, r->ttl_s);
		put_u16(&w, (unsigned)r->address_n);
		put_bytes(&w, r->address, r->address_n);
	} else {
		put_soa(&w, r->ttl_s);
	}
	if (q->has_edns)
		put_opt(&w, r);
	return w.n;
}

size_t dns_error_write(struct span query, enum dns_rcode rcode, uint8_t out[DNS_REPLY_MAX_BYTES])
{
	struct cursor c = {.left = query};
	struct writer w = {.out = out};
	uint16_t id = take_u16(&c);
	uint16_t flags = take_u16(&c);

	if (query.n < HEAD_BYTES || (flags & FLAG_QR))
		return 0; /* answering answers makes loops */
	put_u16(&w, id);
	put_u16(&w, FLAG_QR | FLAG_RA | (flags & (FLAG_OPCODE | FLAG_RD)) | (unsigned)rcode);
	put_u32(&w, 0);
	put_u32(&w, 0);
	return w.n;
}
