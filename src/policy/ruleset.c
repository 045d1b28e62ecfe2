/* SPDX-License-Identifier: Apache-2.0 */
/* policy/ruleset.c - many rules in one arena behind one hash table
 *
 * Every subject is a key of bytes: a name for exact rules, the name behind "*." for wildcards, the masked
 * address and its length for prefixes. The table holds 4-byte offsets into the arena, and beside them a byte
 * of each hash, so that a probe run is walked without reading its rules. In the arena a rule is
 *
 *	kind (1)  key length (1)  key  line (varint)  file (varint)  terms (varint)
 *
 * so that a rule for an 18-byte name costs about 35 bytes in all. Ports, options and budgets ("terms") and
 * file names are shared by the rules that have the same. The table is open-addressed with linear probing and
 * nothing is ever removed, so the rules of one key are met in the order in which they were written.
 *
 * A name is hashed from its last byte to its first: the hashes of all its suffixes fall out of one pass, and
 * a decision makes one probe a label, whether there are ten rules or a million.
 */
#include "policy/ruleset.h"

#include <errno.h>
#include <stdlib.h>

enum {
	TEXT_MAX_BYTES = 1 << 30,
	KEY_MAX_RULES = 256, /* different rules for one host: each decision about it reads them all */
	MAX_FILES = 4096,
	TERMS_CACHE = 256,
	ARENA_START_BYTES = 4096,
	RECORD_MAX_BYTES = 2 + NAME_MAX_BYTES + 3 * 5,
};

/* All of a rule but its subject; equal terms are kept once. */
struct terms {
	enum rule_action action;
	uint32_t options;
	struct rule_budget budget;
	struct port_range ports[RULE_MAX_PORTS];
	uint8_t n_ports;
	bool is_limited; /* has a budget */
};

struct ruleset {
	uint8_t *arena;
	uint32_t arena_n, arena_cap;
	uint32_t *slots; /* offsets in the arena */
	uint8_t *tags;	 /* a byte of each slot's hash; 0 marks an empty slot */
	uint32_t mask;	 /* number of slots - 1 */
	struct terms *terms;
	uint32_t n_terms, cap_terms;
	char **files;
	uint32_t n_files;
	uint64_t seed;
	struct rule_budget budget; /* of the session */
	struct proxy proxy;
	uint64_t v4_bits, v6_bits[3]; /* which prefix lengths some rule has */
	size_t counts[RULE_TELEMETRY + 1];
};

/* --- keys ------------------------------------------------------------------------------------ */

struct key {
	const uint8_t *p;
	uint8_t n;
	uint8_t kind; /* enum rule_subject */
	uint64_t hash;
};

/* Adds one byte in front of what was hashed already. */
static uint64_t hash_byte(uint64_t hash, uint8_t c)
{
	return (hash ^ c) * 0x100000001b3U;
}

static uint64_t hash_end(uint64_t hash, uint8_t kind)
{
	hash ^= (uint64_t)(kind + 1) << 56;
	hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15U;
	return hash ^ hash >> 32;
}

static uint64_t hash_bytes(uint64_t hash, const uint8_t *p, size_t n)
{
	while (n)
		hash = hash_byte(hash, p[--n]);
	return hash;
}

enum { PREFIX_KEY_MAX_BYTES = 18 };

/* Family, length, and the address without the bits behind the prefix. */
static uint8_t prefix_key(const uint8_t bytes[16], bool is_v6, unsigned bits, uint8_t out[PREFIX_KEY_MAX_BYTES])
{
	size_t n = is_v6 ? 16 : 4;
	memset(out, 0, PREFIX_KEY_MAX_BYTES);
	out[0] = is_v6;
	out[1] = (uint8_t)bits;
	memcpy(out + 2, bytes, bits / 8);
	if (bits % 8)
		out[2 + bits / 8] = (uint8_t)(bytes[bits / 8] & (0xff00U >> (bits % 8)));
	return (uint8_t)(n + 2);
}

/* --- records --------------------------------------------------------------------------------- */

struct record {
	const uint8_t *key;
	uint8_t kind, key_n;
	uint32_t line, file, terms;
};

static uint8_t *put_varint(uint8_t *p, uint32_t value)
{
	for (; value >= 0x80; value >>= 7)
		*p++ = (uint8_t)(value | 0x80);
	*p++ = (uint8_t)value;
	return p;
}

static const uint8_t *get_varint(const uint8_t *p, uint32_t *out)
{
	uint32_t value = 0;
	unsigned shift = 0;
	for (; *p & 0x80; shift += 7)
		value |= (uint32_t)(*p++ & 0x7f) << shift;
	*out = value | (uint32_t)*p++ << shift;
	return p;
}

/* The tag of a key: never 0. Most strangers in a probe run differ in it, and are passed by unread. */
static uint8_t key_tag(const struct key *key)
{
	return (uint8_t)(key->hash >> 56 | 1);
}

static bool slot_has_key(const struct ruleset *set, uint32_t slot, const struct key *key)
{
	if (set->tags[slot] != key_tag(key))
		return false;
	const uint8_t *p = set->arena + set->slots[slot];
	return p[0] == key->kind && p[1] == key->n && memcmp(p + 2, key->p, key->n) == 0;
}

static struct record record_at(const struct ruleset *set, uint32_t offset)
{
	const uint8_t *p = set->arena + offset;
	struct record r = {.kind = p[0], .key_n = p[1], .key = p + 2};
	p = get_varint(p + 2 + r.key_n, &r.line);
	p = get_varint(p, &r.file);
	(void)get_varint(p, &r.terms); /* the record ends here */
	return r;
}

static bool arena_reserve(struct ruleset *set)
{
	if ((uint64_t)set->arena_n + RECORD_MAX_BYTES <= set->arena_cap)
		return true;
	uint64_t cap = set->arena_cap ? (uint64_t)set->arena_cap * 2 : ARENA_START_BYTES;
	if (cap > UINT32_MAX)
		return false;
	uint8_t *p = realloc(set->arena, cap);
	if (!p)
		return false;
	set->arena = p;
	set->arena_cap = (uint32_t)cap;
	return true;
}

/* --- terms ----------------------------------------------------------------------------------- */

static bool terms_equal(const struct terms *a, const struct rule *b)
{
	return a->action == b->action && a->options == b->options && a->n_ports == b->n_ports &&
	       memcmp(a->ports, b->ports, sizeof(a->ports[0]) * a->n_ports) == 0 &&
	       a->budget.up_bytes == b->budget.up_bytes && a->budget.down_bytes == b->budget.down_bytes &&
	       a->budget.conns == b->budget.conns && a->budget.rate_per_s == b->budget.rate_per_s &&
	       a->budget.for_s == b->budget.for_s && a->budget.until_s == b->budget.until_s;
}

static uint64_t terms_hash(const struct rule *rule)
{
	uint64_t hash = rule->options;
	for (size_t i = 0; i < rule->n_ports; i++)
		hash = hash_byte(hash, 0) ^ ((uint64_t)rule->ports[i].first << 16 | rule->ports[i].last);
	hash ^= rule->budget.up_bytes ^ rule->budget.down_bytes << 16 ^ (uint64_t)rule->budget.for_s << 32 ^
		rule->budget.until_s << 8;
	return hash_end(hash, (uint8_t)rule->action);
}

/* A rule that is read but not in the table yet. */
struct pending {
	struct rule rule;
	struct key key;
	uint8_t room[PREFIX_KEY_MAX_BYTES]; /* where the key of a prefix lies */
	uint32_t file, line;
};

/*
 * struct loader - what only loading needs
 * @recent:	terms seen lately, by hash: most files have few different ones, and a miss costs only memory
 * @pending:	the rule of the line before waits until the next line is read, and its place in the table comes
 *		into the cache meanwhile: in a big table every place is far away
 */
struct loader {
	struct ruleset *set;
	uint32_t recent[TERMS_CACHE]; /* index + 1 */
	uint32_t file;
	uint32_t line;
	struct pending pending[2];
	unsigned turn; /* the one of the two to read into */
	bool has_pending;
	struct policy_error wrong;
};

/* Index of the rule's terms in the set, or -1 when memory ran out. */
static int64_t terms_intern(struct loader *l, const struct rule *rule)
{
	struct ruleset *set = l->set;
	uint32_t *recent = &l->recent[terms_hash(rule) % TERMS_CACHE];

	if (*recent && terms_equal(&set->terms[*recent - 1], rule))
		return *recent - 1;
	if (set->n_terms == set->cap_terms) {
		uint32_t cap = set->cap_terms ? set->cap_terms * 2 : 8;
		struct terms *p = reallocarray(set->terms, cap, sizeof(*p));
		if (!p)
			return -1;
		set->terms = p;
		set->cap_terms = cap;
	}
	struct terms *t = &set->terms[set->n_terms];
	*t = (struct terms){.action = rule->action,
			    .options = rule->options,
			    .budget = rule->budget,
			    .n_ports = rule->n_ports,
			    .is_limited = rule_budget_is_set(&rule->budget)};
	memcpy(t->ports, rule->ports, sizeof(t->ports));
	*recent = ++set->n_terms;
	return *recent - 1;
}

/* --- loading --------------------------------------------------------------------------------- */

static int bad_line(struct loader *l, uint32_t file, uint32_t line, unsigned column, const char *text,
		    struct err *err)
{
	return err_set(err, 0, "%.300s:%u:%u: %s", l->set->files[file], line, column, text);
}

static int out_of_memory(struct err *err)
{
	return err_set(err, ENOMEM, "loading the policy");
}

static void make_key(const struct ruleset *set, struct pending *p)
{
	p->key.kind = (uint8_t)p->rule.subject;
	if (p->rule.subject == RULE_PREFIX) {
		p->key.n = prefix_key(p->rule.prefix.bytes, p->rule.prefix.is_v6, p->rule.prefix_bits, p->room);
		p->key.p = p->room;
	} else {
		p->key.n = p->rule.name.n;
		p->key.p = (const uint8_t *)p->rule.name.text;
	}
	p->key.hash = hash_end(hash_bytes(set->seed, p->key.p, p->key.n), p->key.kind);
}

static void note_prefix(struct ruleset *set, const struct rule *rule)
{
	if (rule->subject != RULE_PREFIX)
		return;
	if (rule->prefix.is_v6)
		set->v6_bits[rule->prefix_bits / 64] |= (uint64_t)1 << rule->prefix_bits % 64;
	else
		set->v4_bits |= (uint64_t)1 << rule->prefix_bits;
}

/* The slot for a new rule; one that is there already in the same terms is not added again. */
static int find_slot(struct loader *l, const struct pending *p, uint32_t *out, bool *out_is_known, struct err *err)
{
	struct ruleset *set = l->set;
	uint32_t slot = (uint32_t)p->key.hash & set->mask;
	unsigned n = 0;
	for (; set->tags[slot]; slot = (slot + 1) & set->mask) {
		if (!slot_has_key(set, slot, &p->key))
			continue;
		if (terms_equal(&set->terms[record_at(set, set->slots[slot]).terms], &p->rule)) {
			*out_is_known = true;
			return 0;
		}
		if (++n == KEY_MAX_RULES)
			return bad_line(l, p->file, p->line, 1, "more than 256 different rules for one host", err);
	}
	*out = slot;
	return 0;
}

static int add_rule(struct loader *l, const struct pending *p, struct err *err)
{
	struct ruleset *set = l->set;
	uint32_t slot = 0;
	bool is_known = false;

	int rc = find_slot(l, p, &slot, &is_known, err);
	if (rc < 0 || is_known)
		return rc;
	int64_t terms = terms_intern(l, &p->rule);
	if (terms < 0 || !arena_reserve(set))
		return out_of_memory(err);
	uint8_t *to = set->arena + set->arena_n;
	*to++ = p->key.kind;
	*to++ = p->key.n;
	memcpy(to, p->key.p, p->key.n);
	to = put_varint(to + p->key.n, p->line);
	to = put_varint(to, p->file);
	to = put_varint(to, (uint32_t)terms);
	set->slots[slot] = set->arena_n;
	set->tags[slot] = key_tag(&p->key);
	set->arena_n = (uint32_t)(to - set->arena);
	set->counts[p->rule.action]++;
	note_prefix(set, &p->rule);
	return 0;
}

static int add_pending(struct loader *l, struct err *err)
{
	if (!l->has_pending)
		return 0;
	l->has_pending = false;
	return add_rule(l, &l->pending[l->turn ^ 1], err);
}

/* Makes @name the current file; the different ones are few. */
static int file_intern(struct loader *l, struct span name, struct err *err)
{
	struct ruleset *set = l->set;
	for (uint32_t i = set->n_files; i-- > 0;)
		if (span_is(name, set->files[i])) {
			l->file = i;
			return 0;
		}
	if (set->n_files == MAX_FILES)
		return bad_line(l, l->file, l->line, 1, "more than 4096 files", err);
	if ((set->n_files & (set->n_files - 1)) == 0) { /* full at each power of two */
		size_t cap = set->n_files ? (size_t)set->n_files * 2 : 1;
		char **p = reallocarray(set->files, cap, sizeof(*p));
		if (!p)
			return out_of_memory(err);
		set->files = p;
	}
	char *copy = strndup(name.n ? (const char *)name.p : "", name.n);
	if (!copy)
		return out_of_memory(err);
	set->files[set->n_files] = copy;
	l->file = set->n_files++;
	return 0;
}

/* The decimal number that @in starts with, at most nine digits; 0 when there is none. */
static uint32_t take_number(struct span *in)
{
	uint32_t value = 0;
	for (size_t i = 0; i < 9 && in->n && in->p[0] >= '0' && in->p[0] <= '9'; i++) {
		value = value * 10 + (uint32_t)(in->p[0] - '0');
		*in = span_make(in->p + 1, in->n - 1);
	}
	return value;
}

/*
 * `#line N "FILE"` and nothing else; FILE is all between the first quote and the last. Any other line that
 * starts with # is a comment. Return: 0 or a negative errno value.
 */
static int take_mark(struct loader *l, struct span line, struct err *err)
{
	static const char start[] = "#line ";
	size_t n = sizeof(start) - 1;

	if (line.n < n || memcmp(line.p, start, n) != 0)
		return 0;
	struct span rest = span_make(line.p + n, line.n - n);
	uint32_t number = take_number(&rest);
	if (number == 0 || rest.n < 4 || memcmp(rest.p, " \"", 2) != 0 || rest.p[rest.n - 1] != '"')
		return 0;
	int rc = file_intern(l, span_make(rest.p + 2, rest.n - 3), err);
	if (rc == 0)
		l->line = number - 1; /* the reader counts on before each line */
	return rc;
}

/* The smaller of two limits, where 0 is none. */
static uint64_t tighter(uint64_t a, uint64_t b)
{
	return !a ? b : !b ? a : a < b ? a : b;
}

static int take_budget(struct loader *l, struct span line, struct err *err)
{
	struct rule_budget *to = &l->set->budget;
	struct rule_budget b;

	if (rule_parse_budget(line, &b, &l->wrong) != PARSE_DONE)
		return bad_line(l, l->file, l->line, l->wrong.column, l->wrong.text, err);
	to->up_bytes = tighter(to->up_bytes, b.up_bytes);
	to->down_bytes = tighter(to->down_bytes, b.down_bytes);
	to->conns = (uint32_t)tighter(to->conns, b.conns);
	to->rate_per_s = (uint32_t)tighter(to->rate_per_s, b.rate_per_s);
	to->for_s = (uint32_t)tighter(to->for_s, b.for_s);
	to->until_s = tighter(to->until_s, b.until_s);
	return 0;
}

static bool starts_with_word(struct span words, const char *word)
{
	size_t n = strlen(word);
	return words.n > n && memcmp(words.p, word, n) == 0 && (words.p[n] == ' ' || words.p[n] == '\t');
}

static int load_line(struct loader *l, struct span line, struct err *err)
{
	struct span words = span_trim(line);

	l->line++;
	if (line.n && line.p[0] == '#')
		return take_mark(l, line, err);
	if (words.n == 0 || words.p[0] == '#' || span_is(words, "\r"))
		return 0;
	if (starts_with_word(words, "budget"))
		return take_budget(l, line, err);
	if (words.p[0] >= 'n' && proxy_is_line(words))
		return proxy_parse(line, &l->set->proxy, &l->wrong) == PARSE_DONE
			       ? 0
			       : bad_line(l, l->file, l->line, l->wrong.column, l->wrong.text, err);
	struct pending *p = &l->pending[l->turn];
	if (rule_parse(line, &p->rule, &l->wrong) != PARSE_DONE)
		return bad_line(l, l->file, l->line, l->wrong.column, l->wrong.text, err);
	make_key(l->set, p);
	__builtin_prefetch(&l->set->tags[(uint32_t)p->key.hash & l->set->mask], 1);
	__builtin_prefetch(&l->set->slots[(uint32_t)p->key.hash & l->set->mask], 1);
	p->file = l->file;
	p->line = l->line;
	int rc = add_pending(l, err);
	l->turn ^= 1;
	l->has_pending = true;
	return rc;
}

static size_t count_lines(struct span text)
{
	size_t n = 1;
	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

/* Room for a rule a line at a load of at most three quarters, so that the table never has to grow. */
static bool slots_new(struct ruleset *set, size_t n_lines)
{
	size_t n = 16;
	while (n - n / 4 < n_lines + 1)
		n *= 2;
	set->slots = calloc(n, sizeof(set->slots[0]));
	set->tags = calloc(n, sizeof(set->tags[0]));
	set->mask = (uint32_t)(n - 1);
	return set->slots && set->tags;
}

static int load_text(struct loader *l, struct span text, struct err *err)
{
	while (text.n) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) : text.n;
		int rc = load_line(l, span_make(text.p, n), err);
		if (rc < 0)
			return rc;
		size_t used = end ? n + 1 : n;
		text = span_make(text.p + used, text.n - used);
	}
	return add_pending(l, err);
}

/* Gives back what growing left over; that it may fail does not matter. */
static void trim(struct ruleset *set)
{
	uint8_t *arena = set->arena_n ? realloc(set->arena, set->arena_n) : NULL;
	if (arena) {
		set->arena = arena;
		set->arena_cap = set->arena_n;
	}
	if (set->n_terms == 0)
		return;
	struct terms *terms = reallocarray(set->terms, set->n_terms, sizeof(*terms));
	if (terms) {
		set->terms = terms;
		set->cap_terms = set->n_terms;
	}
}

int ruleset_load(struct span text, const char *file, struct ruleset **out, struct err *err)
{
	if (text.n > TEXT_MAX_BYTES)
		return err_set(err, 0, "%.300s:1:1: a policy of more than 1 GiB", file);
	struct ruleset *set = calloc(1, sizeof(*set));
	struct loader l = {.set = set};
	int rc = 0;

	if (!set)
		return out_of_memory(err);
	set->seed = (uint64_t)(uintptr_t)set; /* differs in each process: no list of hosts can be made to collide */
	if (!slots_new(set, count_lines(text)))
		rc = out_of_memory(err);
	if (rc == 0)
		rc = file_intern(&l, span_of(file), err);
	if (rc == 0)
		rc = arena_reserve(set) ? load_text(&l, text, err) : out_of_memory(err);
	if (rc < 0) {
		ruleset_free(set);
		return rc;
	}
	trim(set);
	*out = set;
	return 0;
}

void ruleset_free(struct ruleset *set)
{
	if (!set)
		return;
	for (uint32_t i = 0; i < set->n_files; i++)
		free(set->files[i]);
	free(set->files);
	free(set->terms);
	free(set->tags);
	free(set->slots);
	free(set->arena);
	free(set);
}

const struct proxy *ruleset_proxy(const struct ruleset *set)
{
	return &set->proxy;
}

const struct rule_budget *ruleset_budget(const struct ruleset *set)
{
	return &set->budget;
}

size_t ruleset_count(const struct ruleset *set, enum rule_action action)
{
	return set->counts[action];
}

/* --- look-up --------------------------------------------------------------------------------- */

/* The same in every set that holds the rule; the high bit keeps it apart from places in the table. */
static uint64_t lasting_id(const struct key *key, const struct terms *t)
{
	uint64_t hash = hash_bytes(0xcbf29ce484222325U, key->p, key->n);
	struct rule rule = {
		.action = t->action, .options = t->options, .budget = t->budget, .n_ports = t->n_ports};
	memcpy(rule.ports, t->ports, sizeof(rule.ports));
	hash = (hash ^ terms_hash(&rule)) * 0x9e3779b97f4a7c15U;
	hash ^= ((uint64_t)t->budget.conns << 32 | t->budget.rate_per_s) * 0xff51afd7ed558ccdU;
	return hash_end(hash, key->kind) | (uint64_t)1 << 63;
}

/* Calls @seen for each rule of @key, in the order in which they were written. */
static void each_of_key(const struct ruleset *set, const struct key *key, unsigned distance, rule_seen *seen,
			void *arg)
{
	for (uint32_t slot = (uint32_t)key->hash & set->mask; set->tags[slot]; slot = (slot + 1) & set->mask) {
		if (!slot_has_key(set, slot, key))
			continue;
		struct record r = record_at(set, set->slots[slot]);
		const struct terms *t = &set->terms[r.terms];
		struct rule_match match = {
			.action = t->action,
			.ports = t->ports,
			.n_ports = t->n_ports,
			.options = t->options,
			.budget = &t->budget,
			.origin = {.file = set->files[r.file], .line = r.line},
			.distance = distance,
			.id = t->is_limited ? lasting_id(key, t) : slot + 1,
		};
		seen(&match, arg);
	}
}

void ruleset_each_name(const struct ruleset *set, const struct name *name, rule_seen *seen, void *arg)
{
	/* Hashes of all suffixes in one pass from the right; then asked from the whole name on. */
	enum { MAX_LABELS = NAME_MAX_BYTES / 2 + 1 };
	const uint8_t *text = (const uint8_t *)name->text;
	uint64_t hashes[MAX_LABELS];
	uint8_t starts[MAX_LABELS];
	unsigned n = 0;
	uint64_t hash = set->seed;

	for (size_t i = name->n; i > 0; i--) {
		hash = hash_byte(hash, text[i - 1]);
		if (i == 1 || text[i - 2] == '.') {
			hashes[n] = hash;
			starts[n++] = (uint8_t)(i - 1);
		}
	}
	for (unsigned i = n; i > 0; i--) {
		struct key key = {.p = text + starts[i - 1],
				  .n = (uint8_t)(name->n - starts[i - 1]),
				  .kind = i == n ? RULE_HOST : RULE_BELOW};
		key.hash = hash_end(hashes[i - 1], key.kind);
		each_of_key(set, &key, n - i, seen, arg);
	}
}

void ruleset_each_addr(const struct ruleset *set, const struct addr *a, rule_seen *seen, void *arg)
{
	for (unsigned bits = a->is_v6 ? 129 : 33; bits-- > 0;) {
		bool is_used = a->is_v6 ? set->v6_bits[bits / 64] >> bits % 64 & 1 : set->v4_bits >> bits & 1;
		if (!is_used)
			continue;
		uint8_t room[PREFIX_KEY_MAX_BYTES];
		struct key key = {.p = room, .n = prefix_key(a->bytes, a->is_v6, bits, room), .kind = RULE_PREFIX};
		key.hash = hash_end(hash_bytes(set->seed, key.p, key.n), key.kind);
		each_of_key(set, &key, 0, seen, arg);
	}
}
