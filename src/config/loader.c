/* SPDX-License-Identifier: Apache-2.0 */
#include "config/loader.h"
#include "base/clock.h"
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
	bool is_taken = false;
	static const char key[] = "class=";
	struct span left = h->line, class = span_of("required");
	for (struct span word = next_word(&left); word.n; word = next_word(&left))
		if (word.n > sizeof(key) - 1 && !memcmp(word.p, key, sizeof(key) - 1))
			class = span_make(word.p + sizeof(key) - 1, word.n - sizeof(key) + 1);
	for (unsigned i = 0; h->file->classes[i]; i++)
		if (span_is(class, h->file->classes[i]) || !strcmp(h->file->classes[i], "all")) {
			h->file->seen |= 1U << i;
			is_taken = true;
		}
	return is_taken;
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
	size_t skip = subject.n > 2 && subject.p[0] == '*' && subject.p[1] == '.' ? 2 : 0;
	const uint8_t *colon = memchr(subject.p, ':', subject.n);
	size_t host_n = colon ? (size_t)(colon - subject.p) : subject.n;
	AUTO(mem) char *host = strndup((const char *)subject.p + skip, host_n - skip);
	AUTO(mem) char *ascii = NULL;

	if (!host)
		return no_memory(h);
	int rc = idn2_to_ascii_8z(host, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
	if (rc != IDN2_OK)
		return bad(h, subject, "this international name has no ASCII form: %s", idn2_strerror(rc));
	bool is_put = buf_put(out, h->line.p, before + skip) && buf_put(out, ascii, strlen(ascii)) &&
		      buf_put(out, subject.p + host_n, h->line.n - before - host_n);
	return is_put ? 0 : no_memory(h);
}

/* Two letters may look alike: the name that is really compared is shown. */
static int note_ascii(const struct here *h, struct span subject, const struct rule *rule)
{
	AUTO(mem) char *text = NULL;
	if (is_ascii(subject))
		return 0;
	if (asprintf(&text, "%s:%u: '%.*s' is %s%s", h->file->name, h->file->line,
		     (int)(subject.n < 200 ? subject.n : 200), (const char *)subject.p,
		     rule->subject == RULE_BELOW ? "*." : "", rule->name.text) < 0)
		text = NULL;
	return text && text_list_add(&h->l->out->notices, span_of(text)) ? 0 : no_memory(h);
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

/* Appends a line of the policy, behind a mark of where it stood unless that follows from the line before. */
static int put_line(const struct here *h, const char *text)
{
	struct loader *l = h->l;
	struct buf *policy = &l->out->policy;
	bool is_next = l->mark_file && l->mark_line == h->file->line && !strcmp(l->mark_file, h->file->name);

	if (!is_next && !buf_putf(policy, "#line %u \"%s\"\n", h->file->line, h->file->name))
		return no_memory(h);
	if (!buf_putf(policy, "%s\n", text))
		return no_memory(h);
	if (!l->mark_file || strcmp(l->mark_file, h->file->name) != 0) {
		free(l->mark_file);
		l->mark_file = strdup(h->file->name);
	}
	l->mark_line = h->file->line + 1;
	return l->mark_file ? 0 : no_memory(h);
}

static int put_rule(const struct here *h, const struct rule *rule)
{
	char text[RULE_TEXT_BYTES];

	rule_print(rule, text);
	return put_line(h, text);
}

/* For `rules` to show; what does not fit is not worth an error. */
static int note_expired(const struct here *h, const struct rule *rule)
{
	char text[RULE_TEXT_BYTES];
	rule_print(rule, text);
	(void)buf_putf(&h->l->out->expired, "#line %u \"%s\"\n%s\n", h->file->line, h->file->name, text);
	return 0;
}

/* A limit for the whole session; every layer may tighten it. */
static int take_budget(const struct here *h)
{
	struct policy_error why;
	struct rule_budget budget;
	char text[RULE_LINE_MAX_BYTES + 1];

	if (rule_parse_budget(h->line, &budget, &why) != PARSE_DONE)
		return err_set(h->l->err, 0, "%s:%u:%u: %s", h->file->name, h->file->line, why.column, why.text);
	(void)snprintf(text, sizeof(text), "%.*s", (int)h->line.n, (const char *)h->line.p); /* shorter: checked */
	return put_line(h, text);
}

/* The administrator's or the user's own; each says where allowed hosts are reached, so no project may. */
static int take_proxy(const struct here *h)
{
	struct policy_error why;
	char text[RULE_LINE_MAX_BYTES + 1];

	if (h->file->layer != LAYER_ETC && h->file->layer != LAYER_USER)
		return bad(h, h->line, "an upstream proxy is set in your own configuration or in /etc/drydock");
	if (proxy_parse(h->line, &h->l->out->proxy, &why) != PARSE_DONE)
		return err_set(h->l->err, 0, "%s:%u:%u: %s", h->file->name, h->file->line, why.column, why.text);
	(void)snprintf(text, sizeof(text), "%.*s", (int)h->line.n, (const char *)h->line.p); /* shorter: checked */
	return put_line(h, text);
}

/* The line as rule_parse() wants it, with an action and a host in ASCII. @out_added: bytes put in front. */
static int make_text(const struct here *h, struct span subject, bool has_action, struct buf *out,
		     unsigned *out_added)
{
	if (!has_action && h->file->bare == RULE_DENY && !buf_put(out, "deny ", 5))
		return no_memory(h);
	*out_added = (unsigned)out->n;
	if (!is_ascii(subject))
		return put_ascii(h, subject, out);
	return buf_put(out, h->line.p, h->line.n) ? 0 : no_memory(h);
}

/* A project's file adds allows, of public places, and judges no first bytes more kindly than is usual. */
static int check_project_rule(const struct here *h, const struct rule *rule, struct span subject)
{
	enum { KIND = RULE_TLS | RULE_HTTP };
	static const char own[] = "it belongs in your own rules: drydock allow";
	if (h->file->layer != LAYER_PROJECT)
		return 0;
	if (rule->action != RULE_ALLOW)
		return bad(h, h->line, "a project's file may only add allows");
	if (rule->options & ~(uint32_t)KIND)
		return bad(h, subject, "a project's file may not loosen what is judged, nor open private addresses; %s",
			   own);
	bool is_host = rule->subject == RULE_PREFIX && rule->prefix_bits == (rule->prefix.is_v6 ? 128 : 32);
	if (rule->subject == RULE_PREFIX && !(is_host && addr_classify(&rule->prefix) == ADDR_PUBLIC))
		return bad(h, subject, "a project's file may name single public addresses only; %s", own);
	if (rule->subject != RULE_PREFIX && (!strcmp(rule->name.text, "host.drydock.internal")))
		return bad(h, subject, "a project's file may not open services of your own machine; %s", own);
	return 0;
}

static int take_rule(const struct here *h, bool has_action)
{
	struct span left = h->line, subject = next_word(&left);
	struct buf text = {.max = RULE_LINE_MAX_BYTES * 2};
	struct policy_error why;
	struct rule rule;
	unsigned added = 0;

	if (has_action)
		subject = next_word(&left);
	int rc = make_text(h, subject, has_action, &text, &added);
	if (rc == 0 && rule_parse(buf_span(&text), &rule, &why) != PARSE_DONE)
		rc = err_set(h->l->err, 0, "%s:%u:%u: %s", h->file->name, h->file->line,
			     why.column > added ? why.column - added : 1, why.text);
	buf_drop(&text);
	if (rc == 0)
		rc = check_wildcard(h, &rule, subject);
	if (rc == 0)
		rc = check_project_rule(h, &rule, subject);
	if (rc < 0)
		return rc;
	if (h->file->allows_only && rule.action != RULE_ALLOW)
		return 0;
	if (rule.action == RULE_ALLOW) {
		if (h->file->classes && !is_class_taken(h))
			return 0;
		if (h->l->is_locked && !h->file->is_from_etc) {
			h->l->n_locked_out++;
			return 0;
		}
		if (rule.budget.until_s && rule.budget.until_s <= clock_wall_ms() / 1000)
			return note_expired(h, &rule); /* as if it were not written */
		h->file->n_allows++;
	}
	rc = note_ascii(h, subject, &rule);
	return rc < 0 ? rc : put_rule(h, &rule);
}

enum repeat { REPEATS_DROPPED, REPEATS_KEPT };

/* A word that is quoted as a whole stands for what is between the quotes. */
static struct span unquoted(struct span word)
{
	bool is_quoted = word.n >= 2 && word.p[0] == '"' && word.p[word.n - 1] == '"';
	return is_quoted ? span_make(word.p + 1, word.n - 2) : word;
}

static int take_list(const struct here *h, struct span left, struct text_list *list, enum repeat repeat,
		     const char *what)
{
	struct span word = next_word(&left);
	if (word.n == 0)
		return bad(h, h->line, "%s is missing", what);
	for (; word.n; word = next_word(&left)) {
		word = unquoted(word);
		if ((repeat == REPEATS_KEPT || !text_list_has(list, word)) && !text_list_add(list, word))
			return no_memory(h);
	}
	return 0;
}

/* Where NAME of @setting ("NAME=VALUE", @name_n bytes of name) is set already; NULL when it is not. */
static char **find_env(const struct text_list *env, const char *setting, size_t name_n)
{
	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->items[i], setting, name_n + 1) == 0)
			return &env->items[i];
	return NULL;
}

/* A preset sets what nobody set; of the other layers, read from the widest to the nearest, the last counts. */
static int take_env(const struct here *h, struct span left)
{
	struct span word = next_word(&left);
	const uint8_t *equals = word.n ? memchr(word.p, '=', word.n) : NULL;
	if (!equals || equals == word.p)
		return bad(h, word.n ? word : h->line, "env takes NAME=VALUE");
	if (next_word(&left).n)
		return bad(h, word, "env takes one NAME=VALUE: quote a value with spaces, as in NAME=\"a b\"");
	size_t name_n = (size_t)(equals - word.p);
	struct span value = unquoted(span_make(equals + 1, word.n - name_n - 1));
	AUTO(mem) char *setting = NULL;
	if (asprintf(&setting, "%.*s=%.*s", (int)name_n, (const char *)word.p, (int)value.n,
		     (const char *)value.p) < 0) {
		setting = NULL;
		return no_memory(h);
	}
	char **known = find_env(&h->l->out->env, setting, name_n);
	if (!known)
		return text_list_add(&h->l->out->env, span_of(setting)) ? 0 : no_memory(h);
	if (h->file->layer != LAYER_PRESET) {
		free(*known);
		*known = TAKE(setting);
	}
	return 0;
}

static int add_mount(const struct here *h, struct span word, bool is_writable)
{
	struct config *c = h->l->out;
	bool is_home = word.n >= 2 && word.p[0] == '~' && word.p[1] == '/';
	if (!is_home && (word.n == 0 || word.p[0] != '/'))
		return bad(h, word, "a mount is an absolute path, or starts with ~/");
	if (is_home && !h->l->in->home)
		return bad(h, word, "your home folder is not known: set HOME");
	AUTO(mem) char *path = NULL;
	if (asprintf(&path, "%s%.*s", is_home ? h->l->in->home : "", (int)(word.n - is_home),
		     (const char *)word.p + is_home) < 0) {
		path = NULL;
		return no_memory(h);
	}
	for (size_t i = 0; i < c->n_mounts; i++) /* a folder of two presets, or of a preset and the user */
		if (!strcmp(c->mounts[i].path, path)) {
			if (h->file->layer != LAYER_PRESET)
				c->mounts[i].is_writable = is_writable;
			return 0;
		}
	struct config_mount *grown = reallocarray(c->mounts, c->n_mounts + 1, sizeof(*grown));
	if (!grown)
		return no_memory(h);
	c->mounts = grown;
	c->mounts[c->n_mounts++] = (struct config_mount){.path = TAKE(path),
							 .is_writable = is_writable,
							 .is_optional = h->file->layer == LAYER_PRESET};
	return 0;
}

static int take_mounts(const struct here *h, struct span left)
{
	struct span mode = next_word(&left);
	if (!span_is(mode, "rw") && !span_is(mode, "ro"))
		return bad(h, mode.n ? mode : h->line, "mount takes 'rw' or 'ro' and paths");
	struct span word = next_word(&left);
	if (word.n == 0)
		return bad(h, mode, "mount names no path");
	int rc = 0;
	for (; rc == 0 && word.n; word = next_word(&left))
		rc = add_mount(h, unquoted(word), mode.p[1] == 'w');
	return rc;
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
	if (value == 0 || value > UINT64_MAX >> shift)
		return false;
	*out = value << shift;
	return true;
}

/* As with env, a preset limits only what nobody limited, and a project only tightens. */
static uint64_t new_limit(const struct here *h, uint64_t was, uint64_t n)
{
	if (!was || h->file->layer == LAYER_ETC || h->file->layer == LAYER_USER || h->file->layer == LAYER_FLAG)
		return n;
	return h->file->layer == LAYER_PRESET || was < n ? was : n;
}

static int take_limit(const struct here *h, struct span left)
{
	struct span what = next_word(&left), word = next_word(&left);
	struct config *c = h->l->out;
	uint64_t n = 0;

	if (!take_amount(word, &n) || next_word(&left).n)
		n = 0;
	if (span_is(what, "memory") && n)
		c->memory_bytes = new_limit(h, c->memory_bytes, n);
	else if (span_is(what, "pids") && n && n <= 4194304)
		c->max_pids = (uint32_t)new_limit(h, c->max_pids, n);
	else if (span_is(what, "cpus") && n && n <= 4096)
		c->cpu_percent = (uint32_t)new_limit(h, c->cpu_percent, n * 100);
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

/* Who decides is cli/mode.h; here the line is only checked, so that a wrong one stops everything. */
static int take_mode(const struct here *h, struct span left)
{
	struct span word = next_word(&left);
	bool is_dood = span_is(word, "dood");
	if ((!is_dood && !span_is(word, "contain")) || next_word(&left).n)
		return bad(h, word.n ? word : h->line, "mode takes 'contain' or 'dood'");
	if (h->file->layer == LAYER_PRESET || h->file->layer == LAYER_FLAG)
		return bad(h, h->line, "'mode' belongs to your own configuration, or to a project's file");
	if (is_dood && h->file->layer != LAYER_USER)
		return bad(h, word, "dood gives up all containment: only your own configuration may say it");
	return 0;
}

static int take_presets(const struct here *h, struct span left)
{
	if (h->file->layer == LAYER_PRESET) {
		struct span name = next_word(&left);
		return span_is(name, h->file->preset)
			       ? 0
			       : bad(h, name.n ? name : h->line, "a preset is named as its file is: '%s'",
				     h->file->preset);
	}
	if (h->file->layer == LAYER_ETC) {
		int rc = take_list(h, left, &h->l->wanted_by_etc, REPEATS_DROPPED, "the preset's name");
		if (rc < 0)
			return rc;
	}
	if (h->file->layer != LAYER_PROJECT) {
		int rc = take_list(h, left, &h->l->wanted_fully, REPEATS_DROPPED, "the preset's name");
		if (rc < 0)
			return rc;
	}
	return take_list(h, left, &h->l->wanted, REPEATS_DROPPED, "the preset's name");
}

/* What a project's file may say: rules that allow, presets, limits. */
static int check_project_word(const struct here *h, struct span word)
{
	static const char *const theirs[] = {"env", "keep", "arg", "mount", "lock", "title", "command", "source"};
	for (size_t i = 0; h->file->layer == LAYER_PROJECT && i < sizeof(theirs) / sizeof(theirs[0]); i++)
		if (span_is(word, theirs[i]))
			return bad(h, word, "a project's file may hold allow, preset, limit and budget lines, not '%s'",
				   theirs[i]);
	return 0;
}

/* What is left out of a preset that only the project named. */
static bool is_left_out(const struct here *h, struct span word)
{
	static const char *const more[] = {"env", "keep", "arg", "mount", "limit", "budget"};
	for (size_t i = 0; h->file->allows_only && i < sizeof(more) / sizeof(more[0]); i++)
		if (span_is(word, more[i]))
			return true;
	return false;
}

static bool looks_like_host(struct span word)
{
	return memchr(word.p, '.', word.n) || memchr(word.p, ':', word.n) || span_is(word, "localhost");
}

int loader_line(struct loader *l, struct loader_file *file, struct span line)
{
	static const char *const words[] = {"allow", "deny",  "telemetry", "preset", "env",	"keep",	  "arg",
					    "mount", "limit", "lock",	   "title",  "command", "source", "budget", "mode",
					    "upstream-proxy", "no-upstream-proxy"};
	struct here h = {.l = l, .file = file, .line = line};
	struct span left = line, word = next_word(&left);

	if (word.n == 0)
		return 0;
	if (line.n > RULE_LINE_MAX_BYTES)
		return bad(&h, line, "longer than %d bytes", RULE_LINE_MAX_BYTES);
	int rc = check_project_word(&h, word);
	if (rc < 0)
		return rc;
	if (is_left_out(&h, word))
		return 0;
	if (span_is(word, "allow") || span_is(word, "deny") || span_is(word, "telemetry"))
		return take_rule(&h, true);
	if (proxy_is_line(word))
		return take_proxy(&h);
	if (span_is(word, "budget"))
		return take_budget(&h);
	if (span_is(word, "preset"))
		return take_presets(&h, left);
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
	if (span_is(word, "mode"))
		return take_mode(&h, left);
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
