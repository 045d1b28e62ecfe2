/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/budget.h - what the rules' budgets have left, rule by rule */
/*
 * up=, down= and conns= count everything that passed under the rule since it was loaded; rate= is a token
 * bucket that holds one second's worth; for= is the rule's lifetime. Bytes are the kernel's own counts.
 */
#pragma once
#include "base/err.h"
#include "policy/verdict.h"

enum { BUDGET_MAX_RULES = 65536 };

struct budget_entry {
	uint32_t rule_id; /* 0 marks a free place */
	uint64_t conns;
	uint64_t up_bytes, down_bytes;
	uint64_t tokens_milli; /* thousandths of a connection */
	uint64_t filled_ms;
};

/** struct budget - a table of the rules that have a budget and were used; start from {0} with loaded_ms */
struct budget {
	struct budget_entry *entries; /* open addressing; n_places is a power of two */
	size_t n_places, n_used;
	uint64_t loaded_ms;
};

void budget_drop(struct budget *b);

/** budget_is_set() - true when the rule limits anything */
bool budget_is_set(const struct rule_budget *limit);

/**
 * budget_take() - count one more connection under the rule that gave @v
 *
 * Return: true when all of the rule's limits allow it; false when one is spent, or when memory or
 * BUDGET_MAX_RULES is exhausted.
 */
bool budget_take(struct budget *b, const struct verdict *v, uint64_t now_ms);

/** budget_add() - count bytes that passed under the rule */
void budget_add(struct budget *b, uint32_t rule_id, uint64_t up_bytes, uint64_t down_bytes);

/** budget_is_spent() - bytes or lifetime are over, so that live connections of the rule must end */
bool budget_is_spent(struct budget *b, uint32_t rule_id, const struct rule_budget *limit,
		     uint64_t now_ms);
