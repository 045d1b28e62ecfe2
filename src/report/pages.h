/* SPDX-License-Identifier: Apache-2.0 */
/* report/pages.h - a session's report, for a browser, for a text, for a program */
/*
 * Everything that came from inside a session is escaped: what may mislead a reader as \u{...} (base/utf8.h), and then what
 * the format gives a meaning to. The page has no script, loads nothing, and says so to the browser (Content-Security-Policy).
 */
#pragma once
#include "base/buf.h"
#include "report/digest.h"
#include "report/meta.h"
#include "report/verify.h"

/** struct page_rule - a rule that allowed nothing in this session */
struct page_rule {
	char *text, *origin;
};

/**
 * struct page - what is reported; borrowed
 * @state:	"running", "ended" or "killed"
 * @has_log:	false: no egress, so no log and no chain
 * @n_allows:	allow rules in force at the end
 * @unused:	of those, the ones that allowed nothing
 */
struct page {
	const char *id, *state;
	const struct meta *meta;
	const struct digest *digest;
	const struct verify *chain;
	bool has_log;
	uint64_t n_allows;
	const struct page_rule *unused;
	size_t n_unused;
};

enum { PAGE_MAX_BYTES = 8 << 20, PAGE_NAME_CHARS = 120, PAGE_MAX_UNUSED = 200 };

/** page_html() / page_markdown() / page_json() - append the report; out->is_cut when it found no room */
void page_html(const struct page *page, struct buf *out);
void page_markdown(const struct page *page, struct buf *out);
void page_json(const struct page *page, struct buf *out);

/** page_verdict() - one line that says how it went */
void page_verdict(const struct page *page, struct buf *out);

/** page_put_bytes() - 12345678 as "11.8 MiB" */
void page_put_bytes(struct buf *out, uint64_t bytes);
