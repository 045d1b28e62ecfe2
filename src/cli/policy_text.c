/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/policy_text.h"
#include "base/fs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

static struct span next_line(struct span *left)
{
	const uint8_t *end = memchr(left->p, '\n', left->n);
	size_t n = end ? (size_t)(end - left->p) : left->n;
	struct span line = span_make(left->p, n);
	*left = span_make(left->p + n + (end != NULL), left->n - n - (end != NULL));
	return line;
}

/* `#line N "FILE"`: what the next line counts as. */
static bool take_mark(struct span line, struct policy_line *now)
{
	static const char head[] = "#line ";
	size_t at = sizeof(head) - 1;
	unsigned n = 0;
	if (line.n < at || memcmp(line.p, head, at) != 0)
		return false;
	for (; at < line.n && line.p[at] >= '0' && line.p[at] <= '9' && n < UINT_MAX / 10 - 1; at++)
		n = n * 10 + (unsigned)(line.p[at] - '0');
	if (line.n < at + 3 || line.p[at] != ' ' || line.p[at + 1] != '"' || line.p[line.n - 1] != '"')
		return false;
	now->line = n;
	now->file = span_make(line.p + at + 2, line.n - at - 3);
	return true;
}

void policy_text_each(struct span text, policy_line_seen *seen, void *arg)
{
	static const char budget[] = "budget ";
	struct policy_line now = {.line = 1, .file = span_of("policy")};
	while (text.n) {
		struct policy_error ignored;
		struct span line = next_line(&text);
		if (take_mark(line, &now))
			continue;
		now.text = line;
		now.is_rule = rule_parse(line, &now.rule, &ignored) == PARSE_DONE;
		bool is_budget = line.n >= sizeof(budget) - 1 && !memcmp(line.p, budget, sizeof(budget) - 1);
		if (now.is_rule || is_budget)
			seen(&now, arg);
		now.line++;
	}
}

int policy_text_read(const char *state_root, const char *id, struct buf *out, struct err *err)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/%s/policy", state_root, id) >= (int)sizeof(path))
		return err_set(err, ENAMETOOLONG, "the policy of session %s", id);
	return fs_read(path, out, err);
}
