/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/worker/denial.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"

#include <inttypes.h>

enum { HOST_MAX_BYTES = 80, BODY_MAX_BYTES = 4096 };

/* How a reason reads in a status line, after the host; and the status. */
struct words {
	int status;
	const char *error; /* RFC 9209 section 2.3 */
	const char *phrase;
	const char *retry;
};

static const char policy_retry[] =
	"will not help; every other route out is closed too (direct TCP, DNS, IP literals).";

static struct words words_of(enum reason reason)
{
	struct words w = {403, "http_request_denied", "", policy_retry};

	switch (reason) {
	case REASON_NOT_ALLOWLISTED:
		w.phrase = "not on the allowlist";
		break;
	case REASON_DENIED_BY_RULE:
		w.phrase = "denied by a rule";
		break;
	case REASON_PORT_NOT_ALLOWED:
		w.phrase = "not allowed on this port";
		break;
	case REASON_TELEMETRY_OFF:
		w.phrase = "telemetry is off";
		break;
	case REASON_IP_LITERAL:
		w.phrase = "is an address, not an allowed name";
		break;
	case REASON_PRIVATE_ADDRESS:
		w.phrase = "leads to a private address";
		break;
	case REASON_SNI_MISMATCH:
	case REASON_NO_SNI:
	case REASON_ECH_REFUSED:
	case REASON_NOT_TLS:
	case REASON_HOST_MISMATCH:
		w.phrase = "the bytes do not agree with the name";
		break;
	case REASON_METHOD_NOT_ALLOWED:
		w.phrase = "method not allowed";
		break;
	case REASON_CLOSED:
		w.phrase = "refused by the user";
		break;
	case REASON_WRONG_SESSION:
		w.phrase = "is asked for with another session's token";
		break;
	case REASON_BUDGET:
		w = (struct words){403, "http_request_denied", "budget spent",
				   "may help when the budget's period is over."};
		break;
	case REASON_MALFORMED:
		w = (struct words){400, "http_request_error", "malformed request",
				   "only with a request that can be read in one way."};
		break;
	case REASON_NO_SUCH_NAME:
		w = (struct words){502, "dns_error", "no such name", "may help if the name is new."};
		break;
	case REASON_UNREACHABLE:
		w = (struct words){502, "destination_unavailable", "cannot be reached",
				   "may help later; the name is allowed."};
		break;
	case REASON_NONE:
	case REASON_COUNT:
		break;
	}
	return w;
}

/* What a host name may be made of, and nothing that could end a line or a quoted string. */
static void sanitise(struct span host, char out[HOST_MAX_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < host.n && n < HOST_MAX_BYTES - 1; i++) {
		uint8_t c = host.p[i];
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				(c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == ':';
		out[n++] = is_plain ? (char)c : '?';
	}
	out[n] = '\0';
}

/* One refusal with its words, ready to be printed in any form. */
struct said {
	const struct denial *d;
	struct words words;
	enum reason reason;
	char host[HOST_MAX_BYTES];
	char where[HOST_MAX_BYTES + 16]; /* host:port */
	char rule[WIRE_NAME_BYTES + 16];
	char time[CLOCK_TEXT_BYTES];
};

static void prepare(const struct denial *d, struct said *s)
{
	bool is_v6;

	*s = (struct said){.d = d, .reason = (enum reason)d->refused->reason};
	s->words = words_of(s->reason);
	sanitise(d->host, s->host);
	if (!s->host[0])
		(void)snprintf(s->host, sizeof(s->host), "the request"); /* fits */
	is_v6 = strchr(s->host, ':') != NULL;
	if (d->port)
		(void)snprintf(s->where, sizeof(s->where), is_v6 ? "[%s]:%u" : "%s:%u", s->host, /* fits */
			       d->port);
	else
		(void)snprintf(s->where, sizeof(s->where), "%s", s->host); /* fits */
	char file[WIRE_NAME_BYTES];
	size_t n = 0;
	for (const char *p = d->refused->origin_file; *p && n < sizeof(file) - 1; p++)
		file[n++] = *p >= ' ' && *p <= '~' ? *p : '?';
	file[n] = '\0';
	if (n)
		(void)snprintf(s->rule, sizeof(s->rule), "%s:%u", file, d->refused->origin_line); /* fits */
	else
		(void)snprintf(s->rule, sizeof(s->rule), "default-deny"); /* fits */
	clock_print(d->wall_ms, s->time);
}

static bool is_policy(const struct said *s)
{
	return s->words.status == 403;
}

/* What would open it, where a rule can; "" where none should be suggested. */
static void suggest(const struct said *s, char *out, size_t room)
{
	const char *port = s->d->port == 443 ? s->host : s->where;

	out[0] = '\0';
	if (s->reason == REASON_NOT_ALLOWLISTED || s->reason == REASON_PORT_NOT_ALLOWED)
		(void)snprintf(out, room, s->d->session[0] ? "drydock allow %s --session %s" : "drydock run -a %s ...", /* fits */
			       port, s->d->session);
}

static void put_text(const struct said *s, struct buf *out)
{
	char human[HOST_MAX_BYTES + 64];

	buf_putf(out, is_policy(s) ? "BLOCKED BY POLICY (drydock): %s\n" : "FAILED (drydock): %s\n", s->where);
	buf_putf(out, "reason:  %s - %s.%s\n", reason_word(s->d->refused->reason),
		 reason_text(s->d->refused->reason),
		 s->reason == REASON_NOT_ALLOWLISTED ? " It was not contacted and not resolved." : "");
	if (is_policy(s))
		buf_putf(out, "rule:    %s\n", s->rule);
	if (s->d->session[0])
		buf_putf(out, "session: %s   ", s->d->session);
	if (s->d->refused->decision)
		buf_putf(out, "decision: %" PRIu64 "   ", s->d->refused->decision);
	buf_putf(out, "time: %s\nretry:   %s\n", s->time, s->words.retry);
	if (!is_policy(s))
		return;
	buf_putf(out, "agent:   do not look for a way around. Go on without it, or tell your user what you "
		      "need and why.\n");
	suggest(s, human, sizeof(human));
	if (human[0])
		buf_putf(out, "human:   outside the jail:   %s\n", human);
	if (human[0] && s->d->session[0])
		buf_putf(out, "               or for good:   drydock allow %s\n", s->d->port == 443 ? s->host : s->where);
}

static void put_json(const struct said *s, struct buf *out)
{
	struct json j = {.out = out};
	char type[64], human[HOST_MAX_BYTES + 64];

	(void)snprintf(type, sizeof(type), "urn:drydock:%s", reason_word(s->d->refused->reason)); /* fits */
	suggest(s, human, sizeof(human));
	json_open(&j, NULL, '{');
	json_str(&j, "type", type);
	json_str(&j, "title", reason_text(s->d->refused->reason));
	json_u64(&j, "status", (uint64_t)s->words.status);
	json_str(&j, "host", s->host);
	json_u64(&j, "port", s->d->port);
	json_str(&j, "rule", is_policy(s) ? s->rule : "");
	json_u64(&j, "decision", s->d->refused->decision);
	json_str(&j, "time", s->time);
	if (s->d->session[0])
		json_str(&j, "session", s->d->session);
	json_bool(&j, "retryable", !is_policy(s));
	if (human[0])
		json_str(&j, "human_command", human);
	json_close(&j, '}');
	buf_putf(out, "\n");
}

bool denial_http(const struct denial *d, struct buf *out)
{
	AUTO(buf) struct buf body = {.max = BODY_MAX_BYTES};
	struct said s;

	prepare(d, &s);
	if (d->wants_json)
		put_json(&s, &body);
	else
		put_text(&s, &body);
	buf_putf(out, "HTTP/1.1 %d %s: %s %s\r\n", s.words.status,
		 is_policy(&s) ? "Blocked by drydock" : "drydock", s.host, s.words.phrase);
	buf_putf(out, "Proxy-Status: drydock; error=%s; details=\"%s for %s\"\r\n", s.words.error,
		 s.reason == REASON_NOT_ALLOWLISTED ? "no rule" : reason_word(d->refused->reason), s.where);
	if (is_policy(&s))
		buf_putf(out, "X-Proxy-Error: %s\r\n", reason_header(d->refused->reason));
	if (d->refused->decision)
		buf_putf(out, "X-Drydock-Decision: %" PRIu64 "\r\n", d->refused->decision);
	buf_putf(out,
		 "Content-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
		 "Connection: close\r\n\r\n",
		 d->wants_json ? "application/problem+json" : "text/plain; charset=utf-8", body.n);
	if (!d->to_head)
		buf_put(out, body.p, body.n);
	return !out->is_cut && !body.is_cut;
}

void denial_tls(uint8_t alert, uint8_t out[DENIAL_ALERT_BYTES])
{
	const uint8_t record[DENIAL_ALERT_BYTES] = {21, 3, 3, 0, 2, 2, alert};

	memcpy(out, record, sizeof(record));
}

static void put_u32(struct buf *out, uint32_t v)
{
	uint8_t bytes[] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

	buf_put(out, bytes, sizeof(bytes));
}

bool denial_ssh(const struct denial *d, struct buf *out)
{
	enum { MSG_DISCONNECT = 1, BY_APPLICATION = 11, BLOCK = 8 };
	static const uint8_t zero[2 * BLOCK];
	char text[HOST_MAX_BYTES + 128];
	struct said s;

	prepare(d, &s);
	(void)snprintf(text, sizeof(text), "%s: %s %s", /* fits */
		       is_policy(&s) ? "Blocked by drydock" : "drydock", s.where, s.words.phrase);
	uint32_t payload_n = (uint32_t)(1 + 4 + 4 + strlen(text) + 4);
	uint32_t padding = BLOCK - (4 + 1 + payload_n) % BLOCK;
	padding += padding < 4 ? BLOCK : 0;
	uint8_t padding_byte = (uint8_t)padding, message = MSG_DISCONNECT;
	buf_putf(out, "SSH-2.0-drydock\r\n");
	put_u32(out, 1 + payload_n + padding);
	buf_put(out, &padding_byte, 1);
	buf_put(out, &message, 1);
	put_u32(out, BY_APPLICATION);
	put_u32(out, (uint32_t)strlen(text));
	buf_put(out, text, strlen(text));
	put_u32(out, 0); /* language tag */
	buf_put(out, zero, padding);
	return !out->is_cut;
}
