/* SPDX-License-Identifier: Apache-2.0 */
#include "report/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void digest_drop(struct digest *d)
{
	free(d->hosts);
	free(d->rules);
	*d = (struct digest){0};
}

/* "2026-11-24T00:53:17.295Z" to milliseconds; 0 for anything else. */
static uint64_t read_time(const char *text)
{
	struct tm tm = {0};
	unsigned ms = 0;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3uZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
		   &tm.tm_sec, &ms) != 7)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	time_t s = timegm(&tm);
	return s > 0 ? (uint64_t)s * 1000 + ms : 0;
}

static void copy(char *out, size_t bytes, const char *text)
{
	(void)snprintf(out, bytes, "%s", text); /* cut is fine: it is shown */
}

static struct digest_host *host_of(struct digest *d, const struct record *r)
{
	for (size_t i = 0; i < d->n_hosts; i++)
		if (d->hosts[i].port == r->port && !strncmp(d->hosts[i].name, r->name, DIGEST_NAME_BYTES - 1))
			return &d->hosts[i];
	if (!d->hosts)
		d->hosts = calloc(DIGEST_MAX_HOSTS, sizeof(*d->hosts));
	if (!d->hosts || d->n_hosts == DIGEST_MAX_HOSTS) {
		d->n_more++;
		return NULL;
	}
	struct digest_host *h = &d->hosts[d->n_hosts++];
	h->port = r->port;
	copy(h->name, sizeof(h->name), r->name);
	copy(h->first, sizeof(h->first), r->time);
	return h;
}

static void count_rule(struct digest *d, const char *origin)
{
	for (size_t i = 0; i < d->n_rules; i++)
		if (!strcmp(d->rules[i].origin, origin)) {
			d->rules[i].n++;
			return;
		}
	if (!d->rules)
		d->rules = calloc(DIGEST_MAX_RULES, sizeof(*d->rules));
	if (!d->rules || d->n_rules == DIGEST_MAX_RULES)
		return;
	copy(d->rules[d->n_rules].origin, DIGEST_NAME_BYTES, origin);
	d->rules[d->n_rules++].n = 1;
}

static void mark(struct digest *d, struct digest_host *h, const struct record *r, bool is_refusal)
{
	uint64_t now = read_time(r->time);

	if (!now || now < d->begun_ms || h->n_marks == DIGEST_MAX_MARKS)
		return;
	uint64_t at = now - d->begun_ms;
	uint64_t ms = r->ms < at ? r->ms : at;
	h->marks[h->n_marks++] = (struct digest_mark){.at_ms = at - ms, .ms = ms, .is_refusal = is_refusal};
}

static void add_decision(struct digest *d, const struct record *r, bool is_refusal)
{
	bool is_close = !strcmp(r->event, "close");
	struct digest_host *h = host_of(d, r);

	if (is_refusal)
		d->n_refused++;
	else if (!is_close)
		d->n_allowed++;
	d->up_bytes += r->up_bytes;
	d->down_bytes += r->down_bytes;
	if (!is_refusal && !is_close && r->rule[0])
		count_rule(d, r->rule);
	if (!h)
		return;
	h->last_flow = r->flow;
	h->n_refused += is_refusal;
	h->n_allowed += !is_refusal && !is_close;
	h->up_bytes += r->up_bytes;
	h->down_bytes += r->down_bytes;
	copy(h->last, sizeof(h->last), r->time);
	if (r->program[0])
		copy(h->program, sizeof(h->program), r->program);
	if (is_refusal || !h->n_refused) {
		copy(h->reason, sizeof(h->reason), r->reason);
		copy(h->rule, sizeof(h->rule), r->rule);
	}
	if (is_refusal || is_close)
		mark(d, h, r, is_refusal);
}

static void name_program(struct digest *d, const struct record *r)
{
	for (size_t i = 0; r->flow && i < d->n_hosts; i++)
		if (d->hosts[i].last_flow == r->flow)
			copy(d->hosts[i].program, sizeof(d->hosts[i].program), r->program);
}

void digest_add(struct digest *d, const struct record *r)
{
	uint64_t now = read_time(r->time);

	if (!d->n_records++)
		d->begun_ms = now;
	if (now > d->begun_ms)
		d->span_ms = now - d->begun_ms;
	d->n_reloads += !strcmp(r->event, "reload");
	if (!strcmp(r->event, "program"))
		name_program(d, r);
	bool is_refusal = record_is_refusal(r);
	bool is_flow = !strcmp(r->event, "open") || !strcmp(r->event, "close");
	if (is_refusal || is_flow) /* an allowed DNS question is told by the flow that follows */
		add_decision(d, r, is_refusal);
}

static int compare(const void *a, const void *b)
{
	const struct digest_host *x = a, *y = b;
	uint64_t x_bytes = x->up_bytes + x->down_bytes, y_bytes = y->up_bytes + y->down_bytes;

	if (x_bytes != y_bytes)
		return x_bytes < y_bytes ? 1 : -1;
	if (x->n_refused != y->n_refused)
		return x->n_refused < y->n_refused ? 1 : -1;
	return strcmp(x->name, y->name);
}

void digest_sort(struct digest *d)
{
	if (d->n_hosts)
		qsort(d->hosts, d->n_hosts, sizeof(*d->hosts), compare);
}

bool digest_has_used(const struct digest *d, const char *origin)
{
	for (size_t i = 0; i < d->n_rules; i++)
		if (!strcmp(d->rules[i].origin, origin))
			return true;
	return false;
}
