/* SPDX-License-Identifier: Apache-2.0 */
#include "report/summary.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdlib.h>

enum { NAME_SHOWN_CHARS = 60, COLUMN = 36 };

static struct summary_row *row_for(struct summary *s, const struct record *r)
{
	for (size_t i = 0; i < s->n_rows; i++) {
		struct summary_row *row = &s->rows[i];
		if (row->port == r->port && !strncmp(row->name, r->name, sizeof(row->name) - 1) &&
		    !strncmp(row->reason, r->reason, sizeof(row->reason) - 1))
			return row;
	}
	if (!s->rows)
		s->rows = calloc(SUMMARY_MAX_ROWS, sizeof(*s->rows));
	if (!s->rows || s->n_rows == SUMMARY_MAX_ROWS)
		return NULL;
	struct summary_row *row = &s->rows[s->n_rows++];
	row->port = r->port;
	(void)snprintf(row->name, sizeof(row->name), "%s", r->name);
	(void)snprintf(row->reason, sizeof(row->reason), "%s", r->reason);
	(void)snprintf(row->rule, sizeof(row->rule), "%s", r->rule);
	return row;
}

void summary_add(struct summary *s, const struct record *r)
{
	if (!record_is_refusal(r)) {
		s->n_allowed += !strcmp(r->verdict, "allow");
		return;
	}
	s->n_refused++;
	struct summary_row *row = row_for(s, r);
	if (row)
		row->count++;
	else
		s->n_lost++;
}

void summary_drop(struct summary *s)
{
	free(s->rows);
	*s = (struct summary){0};
}

static const struct {
	const char *reason;
	const char *option; /* of the rule that would allow it */
} cures[] = {
	{"not-allowlisted", ""}, {"port-not-allowed", ""},
	{"ip-literal", ""},	 {"private-address", " private"},
	{"no-sni", " no-sni"},	 {"ech-refused", " ech"},
	{"not-tls", " raw"},
};

bool summary_hint(const struct summary_row *row, char out[SUMMARY_HINT_BYTES])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_:";
	size_t n = strlen(row->name);
	if (n == 0 || n >= SUMMARY_TEXT_BYTES - 1 || strspn(row->name, plain) != n ||
	    row->name[0] == '-')
		return false;
	for (size_t i = 0; i < sizeof(cures) / sizeof(cures[0]); i++) {
		if (strcmp(cures[i].reason, row->reason) != 0)
			continue;
		bool is_v6 = strchr(row->name, ':') != NULL;
		char port[8] = "";
		if (row->port && row->port != 443)
			(void)snprintf(port, sizeof(port), ":%u", row->port);
		(void)snprintf(out, SUMMARY_HINT_BYTES, "%s%s%s%s%s", is_v6 ? "[" : "", row->name,
			       is_v6 ? "]" : "", port, cures[i].option);
		return true;
	}
	return false;
}

static void print_row(const struct summary_row *row, struct buf *out)
{
	size_t start = out->n;
	(void)buf_putf(out, "  "); /* here and below: a cut summary is still a summary */
	if (row->name[0])
		utf8_put_safe(out, span_of(row->name), NAME_SHOWN_CHARS);
	else
		(void)buf_putf(out, "(no name)");
	if (row->port)
		(void)buf_putf(out, ":%u", row->port);
	size_t used = out->n - start;
	(void)buf_putf(out, "%*s  %-17s x%-4" PRIu64, used < COLUMN ? (int)(COLUMN - used) : 0, "",
		       row->reason, row->count);
	char hint[SUMMARY_HINT_BYTES];
	if (summary_hint(row, hint)) {
		bool is_quoted = strpbrk(hint, " [") != NULL;
		(void)buf_putf(out, " drydock run -a %s%s%s ...", is_quoted ? "'" : "", hint,
			       is_quoted ? "'" : "");
	} else if (row->rule[0]) {
		(void)buf_putf(out, " by ");
		utf8_put_safe(out, span_of(row->rule), NAME_SHOWN_CHARS);
	}
	(void)buf_putf(out, "\n");
}

void summary_print(const struct summary *s, const char *session_id, struct buf *out)
{
	if (!s->n_refused)
		return;
	(void)buf_putf(out, "drydock: %" PRIu64 " request%s refused in session %s\n", s->n_refused,
		       s->n_refused == 1 ? " was" : "s were", session_id);
	size_t shown = s->n_rows < SUMMARY_SHOWN_ROWS ? s->n_rows : SUMMARY_SHOWN_ROWS;
	for (size_t i = 0; i < shown; i++)
		print_row(&s->rows[i], out);
	if (s->n_lost)
		(void)buf_putf(out, "  and over %zu more destinations\n", s->n_rows - shown);
	else if (s->n_rows > shown)
		(void)buf_putf(out, "  and %zu more\n", s->n_rows - shown);
	(void)buf_putf(out, "  all of them: drydock log %s --denied\n", session_id);
}
