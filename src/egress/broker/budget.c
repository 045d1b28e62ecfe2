/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/broker/budget.h"
#include "base/clock.h"

#include <stdlib.h>

enum { FIRST_PLACES = 16 };

void budget_drop(struct budget *b)
{
	free(b->entries);
	*b = (struct budget){0};
}

static struct budget_entry *find_place(struct budget_entry *entries, size_t n_places,
				       uint64_t rule_id)
{
	size_t at = (rule_id * 0x9e3779b97f4a7c15U) >> 20;

	while (entries[at & (n_places - 1)].rule_id &&
	       entries[at & (n_places - 1)].rule_id != rule_id)
		at++;
	return &entries[at & (n_places - 1)];
}

static bool grow(struct budget *b)
{
	size_t n = b->n_places ? b->n_places * 2 : FIRST_PLACES;
	struct budget_entry *entries = calloc(n, sizeof(*entries));

	if (!entries)
		return false;
	for (size_t i = 0; i < b->n_places; i++)
		if (b->entries[i].rule_id)
			*find_place(entries, n, b->entries[i].rule_id) = b->entries[i];
	free(b->entries);
	b->entries = entries;
	b->n_places = n;
	return true;
}

static struct budget_entry *entry_of(struct budget *b, const struct verdict *v, uint64_t now_ms)
{
	if (b->n_places) {
		struct budget_entry *e = find_place(b->entries, b->n_places, v->rule_id);
		if (e->rule_id)
			return e;
	}
	if (b->n_used >= BUDGET_MAX_RULES || (b->n_used + 1 > b->n_places / 2 && !grow(b)))
		return NULL;
	struct budget_entry *e = find_place(b->entries, b->n_places, v->rule_id);
	*e = (struct budget_entry){.rule_id = v->rule_id,
				   .tokens_milli = (uint64_t)v->budget.rate_per_s * 1000,
				   .filled_ms = now_ms,
				   .since_ms = b->begun_ms};
	b->n_used++;
	return e;
}

static void fill_tokens(struct budget_entry *e, uint32_t rate_per_s, uint64_t now_ms)
{
	uint64_t most = (uint64_t)rate_per_s * 1000;
	uint64_t passed_ms = now_ms - e->filled_ms;

	if (passed_ms > 1000)
		passed_ms = 1000; /* a full bucket is one second's worth */
	e->tokens_milli += passed_ms * rate_per_s;
	if (e->tokens_milli > most)
		e->tokens_milli = most;
	e->filled_ms = now_ms;
}

static uint64_t wall_ms(const struct budget *b)
{
	return b->wall_ms ? b->wall_ms() : clock_wall_ms();
}

static bool bytes_or_time_over(const struct budget *b, const struct budget_entry *e,
			       const struct rule_budget *limit, uint64_t now_ms)
{
	return (limit->up_bytes && e->up_bytes >= limit->up_bytes) ||
	       (limit->down_bytes && e->down_bytes >= limit->down_bytes) ||
	       (limit->for_s && now_ms - e->since_ms >= (uint64_t)limit->for_s * 1000) ||
	       (limit->until_s && wall_ms(b) / 1000 >= limit->until_s);
}

bool budget_take(struct budget *b, const struct verdict *v, uint64_t now_ms)
{
	if (!rule_budget_is_set(&v->budget))
		return true;
	struct budget_entry *e = entry_of(b, v, now_ms);
	if (!e || bytes_or_time_over(b, e, &v->budget, now_ms))
		return false;
	if (v->budget.conns && e->conns >= v->budget.conns)
		return false;
	if (v->budget.rate_per_s) {
		fill_tokens(e, v->budget.rate_per_s, now_ms);
		if (e->tokens_milli < 1000)
			return false;
		e->tokens_milli -= 1000;
	}
	e->conns++;
	return true;
}

void budget_add(struct budget *b, uint64_t rule_id, uint64_t up_bytes, uint64_t down_bytes)
{
	if (!b->n_places || !rule_id)
		return;
	struct budget_entry *e = find_place(b->entries, b->n_places, rule_id);
	if (!e->rule_id)
		return; /* a rule without limits */
	e->up_bytes += up_bytes;
	e->down_bytes += down_bytes;
}

bool budget_is_spent(struct budget *b, uint64_t rule_id, const struct rule_budget *limit,
		     uint64_t now_ms)
{
	if (!b->n_places || !rule_id || !rule_budget_is_set(limit))
		return false;
	struct budget_entry *e = find_place(b->entries, b->n_places, rule_id);
	return e->rule_id && bytes_or_time_over(b, e, limit, now_ms);
}
