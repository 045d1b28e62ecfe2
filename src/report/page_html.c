/* SPDX-License-Identifier: Apache-2.0 */
/* report/page_html.c - the report as one page that loads nothing */
#include "base/own.h"
#include "base/utf8.h"
#include "report/pages.h"

#include <inttypes.h>

enum { CHART_WIDTH = 640, ROW_HEIGHT = 20, LABEL_CHARS = 38, CHART_ROWS = 60 };

/* Failed puts set out->is_cut, which the caller looks at once. */

static const char head[] =
	"<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n<style>\n"
	":root{--bg:#fff;--fg:#1c2430;--dim:#66707f;--line:#e3e7ee;--card:#f6f8fb;--ok:#1f8a5b;--bad:#c8372d;--bar:#3f7fd0}\n"
	"@media(prefers-color-scheme:dark){:root{--bg:#12161c;--fg:#e4e9f0;--dim:#94a0b2;--line:#2a323e;--card:#1a2029;"
	"--ok:#4fc48d;--bad:#ff7b70;--bar:#6ea8ef}}\n"
	"body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\n"
	"h1{font-size:1.4rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .5rem}\n"
	".verdict{background:var(--card);border-left:4px solid var(--ok);padding:.7rem 1rem;margin:1rem 0;border-radius:4px}\n"
	".verdict.bad{border-color:var(--bad)}\n"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:1rem 0}dt{color:var(--dim)}dd{margin:0;"
	"overflow-wrap:anywhere}\n"
	"table{border-collapse:collapse;width:100%}th{color:var(--dim);font-weight:500;text-align:left}\n"
	"th,td{padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}\n"
	"td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
	".name{font-family:ui-monospace,monospace;font-size:.92em}.dim{color:var(--dim)}.bad{color:var(--bad)}.ok{color:var(--ok)}\n"
	"svg{width:100%;height:auto;display:block}svg text{fill:var(--fg);font:11px ui-monospace,monospace}svg .axis{fill:var(--dim)}\n"
	"svg rect.bar{fill:var(--bar)}svg rect.tick{fill:var(--bad)}svg line{stroke:var(--line)}\n"
	"</style>\n";

/* Text of any origin, for between tags or quotes. */
static void put(struct buf *out, const char *text, size_t max_chars)
{
	AUTO(buf) struct buf safe = {.max = PAGE_MAX_BYTES};

	utf8_put_safe(&safe, span_of(text), max_chars);
	for (size_t i = 0; i < safe.n; i++) {
		switch (safe.p[i]) {
		case '&':
			(void)buf_putf(out, "&amp;");
			break;
		case '<':
			(void)buf_putf(out, "&lt;");
			break;
		case '>':
			(void)buf_putf(out, "&gt;");
			break;
		case '"':
			(void)buf_putf(out, "&quot;");
			break;
		case '\'':
			(void)buf_putf(out, "&#39;");
			break;
		default:
			(void)buf_put(out, &safe.p[i], 1);
		}
	}
}

static void put_name(struct buf *out, const struct digest_host *h, size_t max_chars)
{
	put(out, h->name[0] ? h->name : "(requests that name nothing)", max_chars);
	if (h->name[0])
		(void)(h->port ? buf_putf(out, ":%u", h->port) : buf_putf(out, " (DNS)"));
}

static void put_facts(const struct page *page, struct buf *out)
{
	const struct meta *m = page->meta;

	(void)buf_putf(out, "<dl><dt>command</dt><dd class=\"name\">");
	for (size_t i = 0; i < m->n_argv; i++) {
		(void)buf_putf(out, i ? " " : "");
		put(out, m->argv[i], PAGE_NAME_CHARS);
	}
	(void)buf_putf(out, "</dd><dt>project</dt><dd>");
	put(out, m->project[0] ? m->project : "none", PAGE_NAME_CHARS);
	(void)buf_putf(out, "</dd><dt>time</dt><dd>");
	put(out, m->started, PAGE_NAME_CHARS);
	(void)buf_putf(out, " to ");
	put(out, m->has_ended ? m->ended : page->state, PAGE_NAME_CHARS);
	if (m->has_ended)
		(void)buf_putf(out, ", exit %d", m->exit_code);
	(void)buf_putf(out, "</dd><dt>engine</dt><dd>");
	put(out, m->engine, PAGE_NAME_CHARS);
	(void)buf_putf(out, "</dd><dt>layers</dt><dd>");
	put(out, m->layers, PAGE_NAME_CHARS * 8);
	(void)buf_putf(out, "</dd></dl>\n");
}

static unsigned place(const struct digest *d, uint64_t at_ms)
{
	return d->span_ms ? (unsigned)(at_ms * CHART_WIDTH / d->span_ms) : 0;
}

/* A row a destination: bars for what was carried, ticks for what was refused. */
static void put_timeline(const struct digest *d, struct buf *out)
{
	size_t n = d->n_hosts < CHART_ROWS ? d->n_hosts : CHART_ROWS;
	const unsigned left = 300, height = (unsigned)(n + 1) * ROW_HEIGHT + 8;

	(void)buf_putf(out, "<h2>Timeline</h2>\n<svg viewBox=\"0 0 %u %u\" role=\"img\" aria-label=\"when what was asked for\">\n",
		       left + CHART_WIDTH + 10, height);
	for (size_t i = 0; i < n; i++) {
		const struct digest_host *h = &d->hosts[i];
		unsigned y = (unsigned)i * ROW_HEIGHT;
		(void)buf_putf(out, "<text x=\"%u\" y=\"%u\" text-anchor=\"end\">", left - 8, y + 14);
		put_name(out, h, LABEL_CHARS);
		(void)buf_putf(out, "</text><line x1=\"%u\" x2=\"%u\" y1=\"%u\" y2=\"%u\"/>\n", left, left + CHART_WIDTH, y + 10, y + 10);
		for (size_t k = 0; k < h->n_marks; k++) {
			const struct digest_mark *m = &h->marks[k];
			unsigned x = left + place(d, m->at_ms), w = place(d, m->ms);
			if (m->is_refusal)
				(void)buf_putf(out, "<rect class=\"tick\" x=\"%u\" y=\"%u\" width=\"3\" height=\"14\"/>", x, y + 3);
			else
				(void)buf_putf(out, "<rect class=\"bar\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"8\" rx=\"2\"/>", x, y + 6,
					       w > 3 ? w : 3);
		}
	}
	unsigned y = (unsigned)n * ROW_HEIGHT + 14;
	(void)buf_putf(out, "<text class=\"axis\" x=\"%u\" y=\"%u\">0 s</text><text class=\"axis\" x=\"%u\" y=\"%u\" text-anchor=\"end\">"
			    "%.1f s</text>\n</svg>\n", left, y, left + CHART_WIDTH, y, (double)d->span_ms / 1000);
}

static void put_used(const struct digest *d, struct buf *out)
{
	(void)buf_putf(out, "<h2>Used</h2>\n<table><tr><th>destination<th class=\"n\">connections<th class=\"n\">up<th class=\"n\">down"
			    "<th>rule</tr>\n");
	for (size_t i = 0; i < d->n_hosts; i++) {
		const struct digest_host *h = &d->hosts[i];
		if (!h->n_allowed)
			continue;
		(void)buf_putf(out, "<tr><td class=\"name\">");
		put_name(out, h, PAGE_NAME_CHARS);
		(void)buf_putf(out, "<td class=\"n\">%" PRIu64 "<td class=\"n\">", h->n_allowed);
		page_put_bytes(out, h->up_bytes);
		(void)buf_putf(out, "<td class=\"n\">");
		page_put_bytes(out, h->down_bytes);
		(void)buf_putf(out, "<td class=\"dim\">");
		put(out, h->n_refused ? "" : h->rule, PAGE_NAME_CHARS);
		(void)buf_putf(out, "</tr>\n");
	}
	(void)buf_putf(out, "</table>\n");
}

static void put_refused(const struct digest *d, struct buf *out)
{
	(void)buf_putf(out, "<h2>Refused</h2>\n");
	if (!d->n_refused) {
		(void)buf_putf(out, "<p class=\"dim\">Nothing.</p>\n");
		return;
	}
	(void)buf_putf(out, "<table><tr><th>destination<th class=\"n\">times<th>reason<th>program<th>last</tr>\n");
	for (size_t i = 0; i < d->n_hosts; i++) {
		const struct digest_host *h = &d->hosts[i];
		if (!h->n_refused)
			continue;
		(void)buf_putf(out, "<tr><td class=\"name\">");
		put_name(out, h, PAGE_NAME_CHARS);
		(void)buf_putf(out, "<td class=\"n\">%" PRIu64 "<td class=\"bad\">", h->n_refused);
		put(out, h->reason, PAGE_NAME_CHARS);
		(void)buf_putf(out, "<td>");
		put(out, h->program, PAGE_NAME_CHARS);
		(void)buf_putf(out, "<td class=\"dim\">");
		put(out, h->last, PAGE_NAME_CHARS);
		(void)buf_putf(out, "</tr>\n");
	}
	(void)buf_putf(out, "</table>\n");
	if (d->n_more)
		(void)buf_putf(out, "<p class=\"dim\">%" PRIu64 " more decisions on other destinations are in the log.</p>\n", d->n_more);
}

static void put_unused(const struct page *page, struct buf *out)
{
	(void)buf_putf(out, "<h2>Rules that were not needed</h2>\n<table><tr><th>rule<th>written in</tr>\n");
	for (size_t i = 0; i < page->n_unused; i++) {
		(void)buf_putf(out, "<tr><td class=\"name\">");
		put(out, page->unused[i].text, PAGE_NAME_CHARS);
		(void)buf_putf(out, "<td class=\"dim\">");
		put(out, page->unused[i].origin, PAGE_NAME_CHARS);
		(void)buf_putf(out, "</tr>\n");
	}
	(void)buf_putf(out, "</table>\n");
}

static void put_chain(const struct verify *v, struct buf *out)
{
	static const char *const words[] = {[VERIFY_SEALED] = "<span class=\"ok\">intact and sealed</span>",
					    [VERIFY_UNSEALED] = "intact so far, not sealed",
					    [VERIFY_BROKEN] = "<span class=\"bad\">BROKEN</span>"};

	(void)buf_putf(out, "<h2>Audit log</h2>\n<p>%s, %" PRIu64 " records", words[v->state], v->n_records);
	if (v->n_lost)
		(void)buf_putf(out, ", %" PRIu64 " lost while it could not be written", v->n_lost);
	if (v->n_dropped)
		(void)buf_putf(out, ", %" PRIu64 " written over at its size limit", v->n_dropped);
	if (v->state == VERIFY_BROKEN) {
		(void)buf_putf(out, "; ");
		put(out, v->where, PAGE_NAME_CHARS);
		(void)buf_putf(out, ": ");
		put(out, v->why, PAGE_NAME_CHARS * 2);
	}
	(void)buf_putf(out, ".<br><span class=\"dim\">last hash</span> <span class=\"name\">%s</span></p>\n", v->last_hash);
}

void page_html(const struct page *page, struct buf *out)
{
	bool is_bad = page->has_log && page->chain->state == VERIFY_BROKEN;

	(void)buf_put(out, head, sizeof(head) - 1);
	(void)buf_putf(out, "<title>drydock: ");
	put(out, page->id, PAGE_NAME_CHARS);
	(void)buf_putf(out, "</title>\n<h1>Session ");
	put(out, page->id, PAGE_NAME_CHARS);
	(void)buf_putf(out, "</h1>\n<p class=\"verdict%s\">", is_bad ? " bad" : "");
	page_verdict(page, out);
	(void)buf_putf(out, "</p>\n");
	put_facts(page, out);
	if (page->has_log) {
		put_timeline(page->digest, out);
		put_used(page->digest, out);
		put_refused(page->digest, out);
	}
	if (page->n_unused)
		put_unused(page, out);
	if (page->has_log)
		put_chain(page->chain, out);
	(void)buf_putf(out, "</html>\n");
}
