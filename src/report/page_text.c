/* SPDX-License-Identifier: Apache-2.0 */
/* report/page_text.c - the report as Markdown and as JSON */
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "report/pages.h"

#include <inttypes.h>
#include <string.h>

/* Failed puts set out->is_cut, which the caller looks at once. */

void page_put_bytes(struct buf *out, uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	if (bytes < 1024) {
		(void)buf_putf(out, "%" PRIu64 " B", bytes);
		return;
	}
	for (value /= 1024; value >= 1024 && unit < 3; unit++)
		value /= 1024;
	(void)buf_putf(out, "%.1f %s", value, units[unit]);
}

static size_t count_hosts(const struct digest *d, bool is_refused)
{
	size_t n = 0;
	for (size_t i = 0; i < d->n_hosts; i++)
		n += is_refused ? d->hosts[i].n_refused > 0 : d->hosts[i].n_allowed > 0;
	return n;
}

void page_verdict(const struct page *page, struct buf *out)
{
	const struct digest *d = page->digest;

	if (!page->has_log) {
		(void)buf_putf(out, "Contained, without any network.");
		return;
	}
	size_t n_used = count_hosts(d, false);
	(void)buf_putf(out, "Contained. %" PRIu64 " allow rule%s, %zu destination%s used, %zu refused, %" PRIu64 " policy change%s.",
		       page->n_allows, page->n_allows == 1 ? "" : "s", n_used, n_used == 1 ? "" : "s", count_hosts(d, true),
		       d->n_reloads, d->n_reloads == 1 ? "" : "s");
}

/* Text for a table of Markdown: what has a meaning there is escaped, inline code is not used for it. */
static void put_md(struct buf *out, const char *text, size_t max_chars)
{
	AUTO(buf) struct buf safe = {.max = PAGE_MAX_BYTES};

	utf8_put_safe(&safe, span_of(text), max_chars);
	for (size_t i = 0; i < safe.n; i++) {
		uint8_t c = safe.p[i];
		if (c == '<')
			(void)buf_putf(out, "&lt;");
		else if (c == '&')
			(void)buf_putf(out, "&amp;");
		else {
			if (strchr("\\`*_{}[]()#+!|~>", c) && c)
				(void)buf_put(out, "\\", 1);
			(void)buf_put(out, &c, 1);
		}
	}
}

static void put_md_name(struct buf *out, const struct digest_host *h)
{
	put_md(out, h->name[0] ? h->name : "(requests that name nothing)", PAGE_NAME_CHARS);
	if (h->name[0])
		(void)(h->port ? buf_putf(out, ":%u", h->port) : buf_putf(out, " (DNS)"));
}

static void put_md_command(const struct meta *m, struct buf *out)
{
	for (size_t i = 0; i < m->n_argv; i++) {
		(void)buf_putf(out, i ? " " : "");
		put_md(out, m->argv[i], PAGE_NAME_CHARS);
	}
}

static void put_md_hosts(const struct page *page, struct buf *out)
{
	const struct digest *d = page->digest;

	(void)buf_putf(out, "\n## Used\n\n| destination | connections | up | down | rule |\n|---|---:|---:|---:|---|\n");
	for (size_t i = 0; i < d->n_hosts; i++) {
		const struct digest_host *h = &d->hosts[i];
		if (!h->n_allowed)
			continue;
		(void)buf_putf(out, "| ");
		put_md_name(out, h);
		(void)buf_putf(out, " | %" PRIu64 " | ", h->n_allowed);
		page_put_bytes(out, h->up_bytes);
		(void)buf_putf(out, " | ");
		page_put_bytes(out, h->down_bytes);
		(void)buf_putf(out, " | ");
		put_md(out, h->n_refused ? "" : h->rule, PAGE_NAME_CHARS);
		(void)buf_putf(out, " |\n");
	}
	(void)buf_putf(out, "\n## Refused\n\n| destination | times | reason | program | last |\n|---|---:|---|---|---|\n");
	for (size_t i = 0; i < d->n_hosts; i++) {
		const struct digest_host *h = &d->hosts[i];
		if (!h->n_refused)
			continue;
		(void)buf_putf(out, "| ");
		put_md_name(out, h);
		(void)buf_putf(out, " | %" PRIu64 " | ", h->n_refused);
		put_md(out, h->reason, PAGE_NAME_CHARS);
		(void)buf_putf(out, " | ");
		put_md(out, h->program, PAGE_NAME_CHARS);
		(void)buf_putf(out, " | ");
		put_md(out, h->last, PAGE_NAME_CHARS);
		(void)buf_putf(out, " |\n");
	}
	if (d->n_more)
		(void)buf_putf(out, "\n%" PRIu64 " more decisions on other destinations are in the log.\n", d->n_more);
}

static void put_md_chain(const struct page *page, struct buf *out)
{
	static const char *const words[] = {[VERIFY_SEALED] = "intact and sealed",
					    [VERIFY_UNSEALED] = "intact so far, not sealed",
					    [VERIFY_BROKEN] = "BROKEN"};
	const struct verify *v = page->chain;

	(void)buf_putf(out, "\n## Audit log\n\n%s, %" PRIu64 " records", words[v->state], v->n_records);
	if (v->state == VERIFY_BROKEN)
		(void)buf_putf(out, "; %s: %s", v->where, v->why);
	if (v->n_lost)
		(void)buf_putf(out, "; %" PRIu64 " lost while it could not be written", v->n_lost);
	(void)buf_putf(out, ". Last hash %s.\n", v->last_hash);
}

void page_markdown(const struct page *page, struct buf *out)
{
	const struct meta *m = page->meta;

	(void)buf_putf(out, "# Session %s\n\n", page->id);
	page_verdict(page, out);
	(void)buf_putf(out, "\n\n- command: ");
	put_md_command(m, out);
	(void)buf_putf(out, "\n- project: ");
	put_md(out, m->project, PAGE_NAME_CHARS);
	(void)buf_putf(out, "\n- time: %s to %s", m->started, m->has_ended ? m->ended : page->state);
	if (m->has_ended)
		(void)buf_putf(out, ", exit %d", m->exit_code);
	(void)buf_putf(out, "\n- engine: %s; layers: ", m->engine);
	put_md(out, m->layers, PAGE_MAX_BYTES);
	(void)buf_putf(out, "\n");
	if (page->has_log)
		put_md_hosts(page, out);
	if (page->n_unused) {
		(void)buf_putf(out, "\n## Rules that were not needed\n\n");
		for (size_t i = 0; i < page->n_unused; i++) {
			(void)buf_putf(out, "- ");
			put_md(out, page->unused[i].text, PAGE_NAME_CHARS);
			(void)buf_putf(out, " (");
			put_md(out, page->unused[i].origin, PAGE_NAME_CHARS);
			(void)buf_putf(out, ")\n");
		}
	}
	if (page->has_log)
		put_md_chain(page, out);
}

static void put_json_host(const struct digest_host *h, struct json *j)
{
	json_open(j, NULL, '{');
	json_str(j, "name", h->name);
	json_u64(j, "port", h->port);
	json_u64(j, "allowed", h->n_allowed);
	json_u64(j, "refused", h->n_refused);
	json_u64(j, "up", h->up_bytes);
	json_u64(j, "down", h->down_bytes);
	json_str(j, "reason", h->reason);
	json_str(j, "rule", h->rule);
	if (h->program[0])
		json_str(j, "program", h->program);
	json_str(j, "first", h->first);
	json_str(j, "last", h->last);
	json_close(j, '}');
}

void page_json(const struct page *page, struct buf *out)
{
	static const char *const words[] = {
		[VERIFY_SEALED] = "intact", [VERIFY_UNSEALED] = "unsealed", [VERIFY_BROKEN] = "broken"};
	const struct meta *m = page->meta;
	struct json j = {.out = out};

	json_open(&j, NULL, '{');
	json_u64(&j, "v", 1);
	json_str(&j, "session", page->id);
	json_str(&j, "state", page->state);
	json_str(&j, "engine", m->engine);
	json_str(&j, "project", m->project);
	json_open(&j, "command", '[');
	for (size_t i = 0; i < m->n_argv; i++)
		json_str(&j, NULL, m->argv[i]);
	json_close(&j, ']');
	json_str(&j, "started", m->started);
	if (m->has_ended) {
		json_str(&j, "ended", m->ended);
		json_i64(&j, "exit", m->exit_code);
	}
	json_u64(&j, "allow_rules", page->n_allows);
	json_open(&j, "destinations", '[');
	for (size_t i = 0; i < page->digest->n_hosts; i++)
		put_json_host(&page->digest->hosts[i], &j);
	json_close(&j, ']');
	json_open(&j, "unused_rules", '[');
	for (size_t i = 0; i < page->n_unused; i++) {
		json_open(&j, NULL, '{');
		json_str(&j, "rule", page->unused[i].text);
		json_str(&j, "origin", page->unused[i].origin);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	if (page->has_log) {
		json_open(&j, "log", '{');
		json_str(&j, "result", words[page->chain->state]);
		json_u64(&j, "records", page->chain->n_records);
		json_u64(&j, "lost", page->chain->n_lost);
		json_str(&j, "last_hash", page->chain->last_hash);
		json_close(&j, '}');
	}
	json_close(&j, '}');
	(void)buf_put(out, "\n", 1);
}
