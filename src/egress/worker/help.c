/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/worker/help.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "egress/wire/reason.h"

static const char name[] = "drydock.internal";

bool help_is_for(struct span host)
{
	if (host.n == sizeof(name) && host.p[host.n - 1] == '.')
		host.n--;
	return span_is_nocase(host, name);
}

/* What a host name may be made of, in small letters; anything else is '?'. */
static void sanitise(struct span host, char out[HELP_HOST_BYTES])
{
	size_t n = 0;
	for (; n < host.n && n < HELP_HOST_BYTES - 1; n++) {
		uint8_t c = host.p[n];
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
				c == ':';
		out[n] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : is_plain ? (char)c : '?';
	}
	out[n] = '\0';
}

void help_note(struct help *help, struct span host, uint16_t port, uint32_t reason, uint64_t wall_ms)
{
	struct help_row row = {.port = port, .reason = (uint8_t)reason, .last_ms = wall_ms};
	struct help_row *oldest = &help->rows[0], *here = NULL;

	if (reason == REASON_NONE || reason >= REASON_COUNT)
		return;
	sanitise(host, row.host);
	help->n_refused++;
	for (size_t i = 0; i < help->n && !here; i++) {
		struct help_row *r = &help->rows[i];
		if (r->port == port && r->reason == reason && !strcmp(r->host, row.host))
			here = r;
		if (r->last_ms < oldest->last_ms)
			oldest = r;
	}
	row.times = here ? here->times + 1 : 1;
	if (!here)
		here = help->n < HELP_ROWS ? &help->rows[help->n++] : oldest;
	*here = row;
}

/* Every put below is checked once, at the end, by is_cut of the buffer it goes into. */

static void put_row(const struct help_row *r, struct buf *out)
{
	char time[CLOCK_TEXT_BYTES];
	clock_print(r->last_ms, time);
	(void)buf_putf(out, "%.19sZ  %s", time, r->host[0] ? r->host : "(no name)");
	if (r->port)
		(void)buf_putf(out, ":%u", r->port);
	(void)buf_putf(out, "  x%u  %s - %s\n", r->times, reason_word(r->reason), reason_text(r->reason));
}

static void put_row_json(const struct help_row *r, struct json *j)
{
	char time[CLOCK_TEXT_BYTES];
	clock_print(r->last_ms, time);
	json_open(j, NULL, '{');
	json_str(j, "host", r->host);
	json_u64(j, "port", r->port);
	json_str(j, "reason", reason_word(r->reason));
	json_str(j, "text", reason_text(r->reason));
	json_u64(j, "times", r->times);
	json_str(j, "last", time);
	json_close(j, '}');
}

/* Refusals of @host, or all of them for "". */
static void put_refusals(const struct help *help, const char *host, bool wants_json, struct buf *out)
{
	struct json j = {.out = out};
	size_t n = 0;

	if (wants_json) {
		json_open(&j, NULL, '{');
		json_u64(&j, "v", 1);
		json_open(&j, "refused", '[');
	}
	for (size_t i = 0; i < help->n; i++) {
		if (host[0] && strcmp(host, help->rows[i].host) != 0)
			continue;
		n++;
		if (wants_json)
			put_row_json(&help->rows[i], &j);
		else
			put_row(&help->rows[i], out);
	}
	if (wants_json) {
		json_close(&j, ']');
		json_close(&j, '}');
		(void)buf_put(out, "\n", 1);
		return;
	}
	if (n == 0 && host[0])
		(void)buf_putf(out, "%s was not refused in this session.\n", host);
	else if (n == 0)
		(void)buf_putf(out, "nothing was refused in this session.\n");
	else
		(void)buf_putf(out, "\nDo not look for a way around. Go on without it, or tell your user what you need and "
				    "why:\noutside, `drydock why` shows the same, with the command that would allow it.\n");
}

static void put_start(struct buf *out)
{
	(void)buf_putf(out, "This command runs in a drydock session. It reaches what its user's allowlist names, and "
			    "nothing else;\nevery other way out is closed too (direct TCP, DNS, IP literals).\n\n"
			    "  http://drydock.internal/policy        what was refused so far\n"
			    "  http://drydock.internal/why?host=X    why X was\n\n"
			    "When something is refused: go on without it, or tell your user what you need and why. Only "
			    "the user,\noutside, can allow it: drydock why, drydock allow HOST.\n");
}

/* The value of host= in "/why?a=b&host=X". */
static void read_host(struct span query, char out[HELP_HOST_BYTES])
{
	static const char key[] = "host=";
	out[0] = '\0';
	while (query.n) {
		const uint8_t *end = memchr(query.p, '&', query.n);
		struct span part = span_make(query.p, end ? (size_t)(end - query.p) : query.n);
		if (part.n > sizeof(key) - 1 && !memcmp(part.p, key, sizeof(key) - 1))
			sanitise(span_make(part.p + sizeof(key) - 1, part.n - sizeof(key) + 1), out);
		size_t used = part.n + (end != NULL);
		query = span_make(query.p + used, query.n - used);
	}
}

/* The body; returns the status. */
static int put_body(const struct help *help, const struct http_head *head, bool wants_json, struct buf *out)
{
	const uint8_t *mark = head->path.n ? memchr(head->path.p, '?', head->path.n) : NULL;
	struct span path = span_make(head->path.p, mark ? (size_t)(mark - head->path.p) : head->path.n);
	struct span query = mark ? span_make(mark + 1, head->path.n - path.n - 1) : (struct span){0};
	char host[HELP_HOST_BYTES];

	if (!span_is(head->method, "GET") && !span_is(head->method, "HEAD")) {
		(void)buf_putf(out, "these pages are only read: GET\n");
		return 405;
	}
	if (span_is(path, "/") && !wants_json) {
		put_start(out);
		return 200;
	}
	bool is_why = span_is(path, "/why");
	if (!is_why && !span_is(path, "/policy") && !span_is(path, "/")) {
		(void)buf_putf(out, "there is no such page; see http://drydock.internal/\n");
		return 404;
	}
	read_host(is_why ? query : (struct span){0}, host);
	put_refusals(help, host, wants_json, out);
	return 200;
}

bool help_page(const struct help *help, const struct http_head *head, bool wants_json, struct buf *out)
{
	AUTO(buf) struct buf body = {.max = HELP_MAX_BYTES - 1024};
	int status = put_body(help, head, wants_json, &body);
	bool is_json = wants_json && status == 200;

	if (body.is_cut)
		return false;
	bool is_put = buf_putf(out,
			       "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
			       "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
			       status, status == 200 ? "OK" : status == 404 ? "Not Found" : "Method Not Allowed",
			       is_json ? "application/json" : "text/plain; charset=utf-8", body.n,
			       status == 405 ? "Allow: GET, HEAD\r\n" : "");
	if (is_put && !span_is(head->method, "HEAD"))
		is_put = buf_put(out, body.p, body.n);
	return is_put;
}
