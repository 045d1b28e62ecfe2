/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/worker/guard.h"
#include "egress/worker/front.h"
#include "egress/worker/worker.h"

#include <sys/socket.h>

static const char user[] = "drydock:";

void guard_init(struct guard *guard)
{
	TAILQ_INIT(&guard->held);
}

static void base64(const uint8_t *in, size_t n, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		uint32_t three = (uint32_t)in[i] << 16;
		three |= i + 1 < n ? (uint32_t)in[i + 1] << 8 : 0;
		three |= i + 2 < n ? in[i + 2] : 0;
		*out++ = digits[three >> 18];
		*out++ = digits[three >> 12 & 63];
		*out++ = i + 1 < n ? digits[three >> 6 & 63] : '=';
		*out++ = i + 2 < n ? digits[three & 63] : '=';
	}
	*out = '\0';
}

bool guard_set(struct guard *guard, const struct wire_terms *terms)
{
	uint8_t pair[sizeof(user) + WIRE_TOKEN_BYTES];
	size_t n = sizeof(user) - 1;

	static_assert((sizeof(user) + WIRE_TOKEN_BYTES + 2) / 3 * 4 < GUARD_CREDENTIALS_BYTES,
		      "the longest token fits");
	if (terms->is_guarded > 1 || terms->tells_health > 1 || terms->token_n > WIRE_TOKEN_BYTES)
		return false;
	guard->is_on = terms->is_guarded;
	guard->tells_health = terms->tells_health;
	if (!terms->token_n)
		return true;
	memcpy(pair, user, n);
	memcpy(pair + n, terms->token, terms->token_n);
	base64(pair, n + terms->token_n, guard->credentials);
	return true;
}

static struct addr client_of(const struct flow *f)
{
	struct addr a = {.is_v6 = f->client_is_v6};

	memcpy(a.bytes, f->client_address, sizeof(a.bytes));
	return a;
}

static bool is_own(const struct flow *f)
{
	struct sockaddr_storage ss = {0};
	socklen_t n = sizeof(ss);
	struct addr own, client = client_of(f);
	uint16_t port;

	return getsockname(f->client.fd, (struct sockaddr *)&ss, &n) == 0 &&
	       addr_from_sockaddr(&ss, &own, &port) && addr_equal(&own, &client);
}

static bool is_agent(const struct flow *f)
{
	const struct guard *g = &f->w->guard;
	struct addr client = client_of(f);

	for (size_t i = 0; i < g->n_clients; i++)
		if (addr_equal(&g->clients[i], &client))
			return true;
	return false;
}

static void ask(struct worker *w)
{
	struct wire_ask_clients q = {.ask = ++w->guard.asked};

	w->guard.is_asking = true;
	asks_tell(w, WIRE_ASK_CLIENTS, &q);
}

/* A question that is under way was asked before this flow came: only the next answer counts for it. */
static void hold(struct flow *f)
{
	struct guard *g = &f->w->guard;
	bool is_late = g->is_asking;

	if (!is_late)
		ask(f->w);
	f->held_for = g->asked + is_late;
	f->is_held = true;
	TAILQ_INSERT_TAIL(&g->held, f, again_link);
}

bool guard_admit(struct flow *f)
{
	const struct guard *g = &f->w->guard;

	if (!g->is_on && !g->tells_health)
		return true;
	f->is_own = is_own(f);
	if (!g->is_on || f->is_own)
		return true;
	if (is_agent(f) && loop_now_ms(f->w->loop) < g->fresh_until_ms)
		return true;
	hold(f);
	return false;
}

/* Somebody else: an entry in the log, though not one for each try of who tries for ever. */
static void cut_off(struct flow *f)
{
	struct guard *g = &f->w->guard;
	uint64_t now_ms = loop_now_ms(f->w->loop);
	struct addr client = client_of(f);
	char text[ADDR_TEXT_BYTES];

	if (now_ms - g->minute_started_ms >= 60 * 1000) {
		g->minute_started_ms = now_ms;
		g->n_notes = 0;
	}
	if (g->n_notes++ < GUARD_NOTES_A_MINUTE) {
		addr_print(&client, text);
		asks_note(f->w, REASON_WRONG_SESSION, SEEN_IN_HTTP, span_of(text), 0);
	}
	flow_reset(f);
}

bool guard_take(struct worker *w, const struct wire_clients *answer)
{
	struct guard *g = &w->guard;
	struct flow *f;

	if (!g->is_asking || answer->ask != g->asked || answer->n > WIRE_MAX_CLIENTS)
		return false;
	g->is_asking = false;
	g->n_clients = answer->n;
	for (size_t i = 0; i < answer->n; i++) {
		g->clients[i] = (struct addr){.is_v6 = answer->clients[i].is_v6 != 0};
		memcpy(g->clients[i].bytes, answer->clients[i].bytes, sizeof(g->clients[i].bytes));
	}
	g->fresh_until_ms = loop_now_ms(w->loop) + GUARD_FRESH_MS;
	while ((f = TAILQ_FIRST(&g->held)) && f->held_for <= answer->ask) {
		guard_forget(f);
		if (is_agent(f))
			front_proxy_read(f);
		else
			cut_off(f);
	}
	if (f)
		ask(w);
	return true;
}

void guard_forget(struct flow *f)
{
	if (!f->is_held)
		return;
	TAILQ_REMOVE(&f->w->guard.held, f, again_link);
	f->is_held = false;
}

/* The time it takes tells the length at most, and that is no secret. */
static bool is_equal(struct span seen, const char *wanted)
{
	size_t n = strlen(wanted);
	uint8_t differs = 0;

	if (seen.n != n)
		return false;
	for (size_t i = 0; i < n; i++)
		differs |= (uint8_t)(seen.p[i] ^ (uint8_t)wanted[i]);
	return differs == 0;
}

static bool is_ours(const struct guard *guard, struct span value)
{
	static const char scheme[] = "Basic ";
	size_t n = sizeof(scheme) - 1;

	return value.n > n && span_is_nocase(span_make(value.p, n), scheme) &&
	       is_equal(span_trim(span_make(value.p + n, value.n - n)), guard->credentials);
}

bool guard_bears(const struct guard *guard, const struct http_head *head)
{
	if (!guard->credentials[0])
		return true;
	for (size_t i = 0; i < head->n_fields; i++)
		if (span_is_nocase(head->fields[i].name, "proxy-authorization") &&
		    !is_ours(guard, head->fields[i].value))
			return false;
	return true;
}

bool guard_is_health(const struct flow *f, const struct http_head *head)
{
	return f->is_own && f->w->guard.tells_health && head->form == HTTP_ORIGIN &&
	       span_is(head->method, "GET") && span_is(head->path, "/health") &&
	       head->framing == HTTP_NO_BODY;
}
