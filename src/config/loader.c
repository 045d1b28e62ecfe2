/* SPDX-License-Identifier: Apache-2.0 */
#include "config/loader.h"
#include "base/own.h"
#include "base/words.h"

#include <errno.h>
#include <idn2.h>
#include <libpsl.h>
#include <stdarg.h>

bool text_list_add(struct text_list *list, struct span text)
{
	char **grown = reallocarray(list->items, list->n + 1, sizeof(*grown));
	if (!grown)
		return false;
	list->items = grown;
	grown[list->n] = strndup(text.n ? (const char *)text.p : "", text.n);
	if (!grown[list->n])
		return false;
	list->n++;
	return true;
}

bool text_list_has(const struct text_list *list, struct span text)
{
	for (size_t i = 0; i < list->n; i++)
		if (span_is(text, list->items[i]))
			return true;
	return false;
}

void text_list_drop(struct text_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct text_list){0};
}

struct here {
	struct loader *l;
	struct loader_file *file;
	struct span line;
};

__attribute__((format(printf, 3, 4))) static int bad(const struct here *h, struct span at, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* cut is fine */
	va_end(ap);
	return err_set(h->l->err, 0, "%s:%u:%u: %s", h->file->name, h->file->line,
		       (unsigned)(at.p - h->line.p) + 1, text);
}

static int no_memory(const struct here *h)
{
	return err_set(h->l->err, ENOMEM, "reading '%s'", h->file->name);
}

static struct span next_word(struct span *left)
{
	while (left->n && (left->p[0] == ' ' || left->p[0] == '\t' || left->p[0] == '\r'))
		*left = span_make(left->p + 1, left->n - 1);
	struct span word = {.p = left->p};
	if (left->n && left->p[0] == '#')
		left->n = 0;
	bool is_quoted = false;
	while (left->n && (is_quoted || (left->p[0] != ' ' && left->p[0] != '\t' && left->p[0] != '\r'))) {
		is_quoted ^= left->p[0] == '"';
		word.n++;
		*left = span_make(left->p + 1, left->n - 1);
	}
	return word;
}

/* "class=login" somewhere in the line: is it one of those that are taken? Without a class: required. */
static bool is_class_taken(const struct here *h)
{
	static const char key[] = "class=";
	struct span left = h->line, class = span_of("required");
	for (struct span word = next_word(&left); word.n; word = next_word(&left))
		if (word.n > sizeof(key) - 1 && !memcmp(word.p, key, sizeof(key) - 1))
			class = span_make(word.p + sizeof(key) - 1, word.n - sizeof(key) + 1);
	for (size_t i = 0; h->file->classes[i]; i++)
		if (span_is(class, h->file->classes[i]) || !strcmp(h->file->classes[i], "all"))
			return true;
	return false;
}

static bool is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= 0x80)
			return false;
	return true;
}

/* The rule with its international host name as A-labels (RFC 5891). @subject lies within the line. */
static int put_ascii(const struct here *h, struct span subject, struct buf *out)
{
	size_t before = (size_t)(subject.p - h->line.p);
	bool is_wild = subject.n > 2 && subject.p[0] == '*' && subject.p[1] == '.';
	const uint8_t *colon = memchr(subject.p, ':', subject.n);
	size_t host_n = colon ? (size_t)(colon - subject.p) : subject.n;
	char host[512];
	AUTO(mem) char *ascii = NULL;
	size_t skip = is_wild ? 2 : 0;

	(void)snprintf(host, sizeof(host), "%.*s", (int)(host_n - skip), (const char *)subject.p + skip);
	int rc = idn2_to_ascii_8z(host, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
	if (rc != IDN2_OK)
		return bad(h, subject, "this international name has no ASCII form: %s", idn2_strerror(rc));
	bool is_put = buf_put(out, h->line.p, before + skip) && buf_put(out, ascii, strlen(ascii)) &&
		      buf_put(out, subject.p + host_n, h->line.n - before - host_n);
	return is_put ? 0 : no_memory(h);
}

static int check_wildcard(const struct here *h, const struct rule *rule, struct span subject)
{
	const psl_ctx_t *psl = psl_builtin();
	if (rule->action != RULE_ALLOW || rule->subject != RULE_BELOW)
		return 0;
	if (!psl)
		return bad(h, subject, "wildcards need the public suffix list, and libpsl was built without it");
	if (psl_is_public_suffix(psl, rule->name.text))
		return bad(h, subject, "'*.%s' spans many owners' sites: '%s' is a public suffix. Name the site",
			   rule->name.text, rule->name.text);
	return 0;
}

/* A rule goes into the policy text as it stands, behind a mark of where it came from. */
static int take_rule(const struct here *h, bool has_action)
{
	struct span left = h->line, subject = next_word(&left);
	struct buf text = {.max = RULE_LINE_MAX_BYTES * 2};
	struct rule rule;
	struct policy_error why;
	int rc = 0;

	if (has_action)
		subject = next_word(&left);
	if (!has_action && h->file->bare == RULE_DENY)
		(void)buf_put(&text, "deny ", 5); /* within the maximum */
	size_t added = text.n;
	if (is_ascii(subject))
		(void)buf_put(&text, h->line.p, h->line.n < RULE_LINE_MAX_BYTES ? h->line.n
										 : RULE_LINE_MAX_BYTES);
	else
		rc = put_ascii(h, subject, &text);
	if (rc == 0 && rule_parse(buf_span(&text), &rule, &why) != PARSE_DONE)
		rc = err_set(h->l->err, 0, "%s:%u:%u: %s", h->file->name, h->file->line,
			     why.column > added ? why.column - (unsigned)added : 1, why.text);
	if (rc == 0)
		rc = check_wildcard(h, &rule, subject);
	bool is_allow = rc == 0 && rule.action == RULE_ALLOW;
	bool is_skipped = is_allow && h->file->classes && !is_class_taken(h);
	if (is_allow && !is_skipped && h->l->is_locked && !h->file->is_from_etc) {
		h->l->n_locked_out++;
		is_skipped = true;
	}
	if (rc == 0 && !is_skipped) {
		h->file->n_allows += is_allow;
		struct buf *policy = &h->l->out->policy;
		if (!buf_putf(policy, "#line %u \"%s\"\n", h->file->line, h->file->name) ||
		    !buf_put(policy, text.p, text.n) || !buf_put(policy, "\n", 1))
			rc = no_memory(h);
	}
	buf_drop(&text);
	return rc;
}

enum repeat { REPEATS_DROPPED, REPEATS_KEPT };

static int take_list(const struct here *h, struct span left, struct text_list *list, enum repeat repeat,
		     const char *what)
{
	struct span word = next_word(&left);
	if (word.n == 0)
		return bad(h, h->line, "%s is missing", what);
	for (; word.n; word = next_word(&left))
		if ((repeat == REPEATS_KEPT || !text_list_has(list, word)) && !text_list_add(list, word))
			return no_memory(h);
	return 0;
}

static int take_env(const struct here *h, struct span left)
{
	struct span word = next_word(&left);
	const uint8_t *equals = word.n ? memchr(word.p, '=', word.n) : NULL;
	if (!equals || equals == word.p)
		return bad(h, word.n ? word : h->line, "env takes NAME=VALUE");
	return text_list_add(&h->l->out->env, word) ? 0 : no_memory(h);
}

static int take_mounts(const struct here *h, struct span left)
{
	struct span mode = next_word(&left);
	if (!span_is(mode, "rw") && !span_is(mode, "ro"))
		return bad(h, mode.n ? mode : h->line, "mount takes 'rw' or 'ro' and paths");
	struct config *c = h->l->out;
	struct span word = next_word(&left);
	if (word.n == 0)
		return bad(h, mode, "mount names no path");
	for (; word.n; word = next_word(&left)) {
		bool is_home = word.n >= 2 && word.p[0] == '~' && word.p[1] == '/';
		if (!is_home && word.p[0] != '/')
			return bad(h, word, "a mount is an absolute path, or starts with ~/");
		struct config_mount *grown = reallocarray(c->mounts, c->n_mounts + 1, sizeof(*grown));
		if (!grown)
			return no_memory(h);
		c->mounts = grown;
		char *path;
		if (asprintf(&path, "%s%.*s", is_home ? h->l->in->home : "", (int)(word.n - is_home),
			     (const char *)word.p + is_home) < 0)
			return no_memory(h);
		c->mounts[c->n_mounts++] = (struct config_mount){
			.path = path, .is_writable = mode.p[1] == 'w',
			.is_optional = h->file->layer == LAYER_PRESET};
	}
	return 0;
}

static bool take_amount(struct span word, uint64_t *out)
{
	uint64_t value = 0;
	unsigned shift = 0;
	const char *units = "KMGT";
	const char *unit = word.n ? strchr(units, (char)word.p[word.n - 1]) : NULL;
	if (unit && *unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		word.n--;
	}
	if (word.n == 0 || word.n > 9)
		return false;
	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] < '0' || word.p[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(word.p[i] - '0');
	}
	*out = value << shift;
	return value > 0;
}

static int take_limit(const struct here *h, struct span left)
{
	struct span what = next_word(&left), word = next_word(&left);
	struct config *c = h->l->out;
	uint64_t n = 0;
	bool is_ok = take_amount(word, &n);

	if (span_is(what, "memory") && is_ok)
		c->memory_bytes = n;
	else if (span_is(what, "pids") && is_ok && n <= 4194304)
		c->max_pids = (uint32_t)n;
	else if (span_is(what, "cpus") && is_ok && n <= 4096)
		c->cpu_percent = (uint32_t)n * 100;
	else
		return bad(h, what.n ? what : h->line, "limit takes 'memory 8G', 'pids 512' or 'cpus 2'");
	return 0;
}

static int take_lock(const struct here *h)
{
	if (h->file->layer != LAYER_ETC)
		return bad(h, h->line, "'lock' belongs to the administrator's files in /etc/drydock");
	h->l->is_locked = true;
	return 0;
}

static int take_presets(const struct here *h, struct span left)
{
	if (h->file->layer == LAYER_ETC) {
		struct span again = left;
		int rc = take_list(h, again, &h->l->wanted_by_etc, REPEATS_DROPPED, "the preset's name");
		if (rc < 0)
			return rc;
	}
	return take_list(h, left, &h->l->wanted, REPEATS_DROPPED, "the preset's name");
}

static bool looks_like_host(struct span word)
{
	return memchr(word.p, '.', word.n) || memchr(word.p, ':', word.n) || span_is(word, "localhost");
}

int loader_line(struct loader *l, struct loader_file *file, struct span line)
{
	static const char *const words[] = {"allow", "deny",  "telemetry", "preset", "env",	"keep",	  "arg",
					    "mount", "limit", "lock",	   "title",  "command", "source"};
	struct here h = {.l = l, .file = file, .line = line};
	struct span left = line, word = next_word(&left);

	if (word.n == 0)
		return 0;
	if (line.n > RULE_LINE_MAX_BYTES)
		return bad(&h, line, "longer than %d bytes", RULE_LINE_MAX_BYTES);
	if (span_is(word, "allow") || span_is(word, "deny") || span_is(word, "telemetry"))
		return take_rule(&h, true);
	if (span_is(word, "preset"))
		return file->layer == LAYER_PRESET ? 0 : take_presets(&h, left);
	if (span_is(word, "env"))
		return take_env(&h, left);
	if (span_is(word, "keep"))
		return take_list(&h, left, &l->out->keep, REPEATS_DROPPED, "the variable's name");
	if (span_is(word, "arg"))
		return take_list(&h, left, &l->out->args, REPEATS_KEPT, "the argument");
	if (span_is(word, "mount"))
		return take_mounts(&h, left);
	if (span_is(word, "limit"))
		return take_limit(&h, left);
	if (span_is(word, "lock"))
		return take_lock(&h);
	if (span_is(word, "title") || span_is(word, "command") || span_is(word, "source"))
		return file->layer == LAYER_PRESET
			       ? 0
			       : bad(&h, word, "this word belongs to presets");
	const char *meant = words_closest(word, words, sizeof(words) / sizeof(words[0]));
	if (looks_like_host(word) || (!meant && next_word(&left).n == 0))
		return take_rule(&h, false);
	if (meant)
		return bad(&h, word, "unknown word '%.*s' - did you mean '%s'?",
			   (int)(word.n < 40 ? word.n : 40), (const char *)word.p, meant);
	return take_rule(&h, false);
}
