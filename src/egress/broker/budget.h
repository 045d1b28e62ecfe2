/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/budget.h - what budgets have left: each rule's, and the whole session's */
/*
 * up=, down= and conns= count everything that passed under the rule since its first use; rate= is a token bucket that
 * holds one second's worth; for= is the rule's lifetime from then on; until= a time of day. Bytes are the kernel's own
 * counts. Entries outlive a reload of the rules: what was spent stays spent (struct rule_match, id).
 */
#pragma once
#include "base/err.h"
#include "policy/verdict.h"

enum { BUDGET_MAX_RULES = 65536, BUDGET_SESSION_ID = 1 };

struct budget_entry {
	uint64_t rule_id; /* 0 marks a free place */
	uint64_t conns;
	uint64_t up_bytes, down_bytes;
	uint64_t tokens_milli; /* thousandths of a connection */
	uint64_t filled_ms;
	uint64_t since_ms;     /* first use; for the session, when it began */
};

/**
 * struct budget - a table of the rules that have a budget and were used; start from {0} with @begun_ms
 * @begun_ms:	for= counts from here for rules that were there at the beginning, and for the session
 * @wall_ms:	asks the time for until=; NULL is clock_wall_ms()
 */
struct budget {
	struct budget_entry *entries; /* open addressing; n_places is a power of two */
	size_t n_places, n_used;
	uint64_t begun_ms;
	uint64_t (*wall_ms)(void);
};

void budget_drop(struct budget *b);

/**
 * budget_take() - count one more connection under the rule that gave @v
 *
 * For the session's own budget @v is made up: BUDGET_SESSION_ID and the limits.
 *
 * Return: true when all of the rule's limits allow it; false when one is spent, or when memory or
 * BUDGET_MAX_RULES is exhausted.
 */
bool budget_take(struct budget *b, const struct verdict *v, uint64_t now_ms);

/** budget_add() - count bytes that passed under the rule */
void budget_add(struct budget *b, uint64_t rule_id, uint64_t up_bytes, uint64_t down_bytes);

/** budget_is_spent() - bytes or lifetime are over, so that live connections of the rule must end */
bool budget_is_spent(struct budget *b, uint64_t rule_id, const struct rule_budget *limit,
		     uint64_t now_ms);
