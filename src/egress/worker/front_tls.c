/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is compared and what is sent on are the same bytes: f->in holds them from the first on, nothing is taken
 * out of it before the hello was judged, and the relay sends it before anything else.
 */
#include "egress/worker/denial.h"
#include "egress/worker/front.h"
#include "egress/worker/refuse.h"
#include "egress/worker/worker.h"

enum parse front_tls_parse(struct flow *f, struct tls_hello *out, const char **why)
{
	static_assert((int)WORKER_SCRATCH_BYTES >= (int)TLS_HELLO_MAX_BYTES, "a whole hello fits");
	return tls_hello_parse(buf_span(&f->in), worker_scratch, out, why);
}

static bool host_is_address(const struct flow *f)
{
	struct addr a;

	return addr_parse(span_of(f->host), &a);
}

static void judge(struct flow *f, const struct tls_hello *hello)
{
	struct span sni = span_make(hello->sni, hello->sni_n);

	if (hello->has_ech && !(f->bears & BEAR_ECH)) {
		refuse_late(f, REASON_ECH_REFUSED, sni, ALERT_ACCESS_DENIED);
		return;
	}
	/* A literal cannot stand in SNI (RFC 6066 section 3): who was allowed an address sends none. */
	if (!hello->has_sni && !(f->bears & BEAR_NO_SNI) && !host_is_address(f)) {
		refuse_late(f, REASON_NO_SNI, sni, ALERT_MISSING_EXTENSION);
		return;
	}
	if (hello->has_sni && !flow_name_is(f, sni)) {
		refuse_late(f, REASON_SNI_MISMATCH, sni, ALERT_ACCESS_DENIED);
		return;
	}
	relay_start(f);
}

void front_tls_read(struct flow *f)
{
	struct tls_hello hello;
	const char *why;
	enum flow_read got = READ_SOME; /* bytes may have come with the request before */

	if (!flow_flush(f)) {
		flow_close(f);
		return;
	}
	while (got == READ_SOME) {
		switch (front_tls_parse(f, &hello, &why)) {
		case PARSE_DONE:
			judge(f, &hello);
			return;
		case PARSE_BAD:
			refuse_late(f, REASON_NOT_TLS, (struct span){0}, ALERT_DECODE_ERROR);
			return;
		case PARSE_MORE:
			break;
		}
		got = flow_fill(f, FLOW_FIRST_BYTES);
	}
	if (got == READ_FULL)
		refuse_late(f, REASON_NOT_TLS, (struct span){0}, ALERT_DECODE_ERROR);
	else if (got == READ_GONE || got == READ_END)
		flow_close(f);
}
