/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules are looked up by key: a name, or an address prefix in binary. A key is one byte of length and its
 * bytes, in an arena. What many rules share (action, ports, options, budget, file) is stored once, in
 * `traits`. The table is open addressing over rule numbers; rules with equal keys lie in one probe run, so
 * a decision costs one probe run per label of the name, however many rules there are.
 */
#include "policy/ruleset.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct traits {
	enum rule_action action;
	enum rule_subject subject;
	uint32_t options;
	uint32_t file;
	struct rule_budget budget;
	uint8_t n_ports;
	struct port_range ports[RULE_MAX_PORTS];
};

struct entry {
	uint32_t key;	 /* offset in the arena */
	uint32_t line;
	uint32_t traits; /* index */
};

struct ruleset {
	uint8_t *arena;
	size_t n_arena, cap_arena;
	struct entry *entries;
	size_t n_entries, cap_entries;
	struct traits *traits;
	size_t n_traits, cap_traits;
	char **files;
	size_t n_files, cap_files;
	uint32_t *table; /* entry number + 1; 0 is empty */
	size_t mask;	 /* slots - 1 */
	size_t counts[3];
	bool has_bits[2][129]; /* prefix lengths in use, v4 and v6 */
};

enum { PREFIX_KEY_BYTES = 19, FIRST_SLOTS = 64 };

/* Makes room for one more of @size bytes at *@block; false when memory runs out. */
static bool grow(void *block, size_t *cap, size_t n, size_t size)
{
	void **p = block;
	if (n < *cap)
		return true;
	size_t cap_new = *cap < 16 ? 16 : *cap + *cap / 2;
	void *grown = reallocarray(*p, cap_new, size);
	if (!grown)
		return false;
	*p = grown;
	*cap = cap_new;
	return true;
}

static uint32_t hash_step(uint32_t h, uint8_t byte)
{
	return (h ^ byte) * 0x01000193u; /* FNV-1a */
}

static uint32_t hash_mix(uint32_t h)
{
	h ^= h >> 15;
	h *= 0x2c1b3c6du;
	return h ^ h >> 12;
}

/* Hash of a key, from its last byte to its first, so that a name's suffixes come for free. */
static uint32_t key_hash(const uint8_t *key, size_t n)
{
	uint32_t h = 0x811c9dc5u;
	for (size_t i = n; i > 0; i--)
		h = hash_step(h, key[i - 1]);
	return hash_mix(h);
}

static bool table_grow(struct ruleset *set)
{
	size_t slots = set->table ? (set->mask + 1) * 2 : FIRST_SLOTS;
	uint32_t *table = calloc(slots, sizeof(*table));
	if (!table)
		return false;
	for (size_t i = 0; i < set->n_entries; i++) {
		const uint8_t *key = set->arena + set->entries[i].key;
		size_t at = key_hash(key + 1, key[0]) & (slots - 1);
		while (table[at])
			at = (at + 1) & (slots - 1);
		table[at] = (uint32_t)i + 1;
	}
	free(set->table);
	set->table = table;
	set->mask = slots - 1;
	return true;
}

static size_t prefix_key(const struct addr *a, unsigned bits, uint8_t key[PREFIX_KEY_BYTES])
{
	size_t n = a->is_v6 ? 16 : 4;
	key[0] = 0; /* no name holds a zero byte */
	key[1] = a->is_v6;
	key[2] = (uint8_t)bits;
	for (size_t i = 0; i < n; i++) {
		unsigned kept = bits > 8 * i ? bits - 8 * (unsigned)i : 0;
		key[3 + i] = (uint8_t)(kept >= 8 ? a->bytes[i] : a->bytes[i] & ~(0xffu >> kept));
	}
	return 3 + n;
}

static bool traits_equal(const struct traits *a, const struct traits *b)
{
	return a->action == b->action && a->subject == b->subject && a->options == b->options &&
	       a->file == b->file && a->n_ports == b->n_ports &&
	       !memcmp(&a->budget, &b->budget, sizeof(a->budget)) &&
	       !memcmp(a->ports, b->ports, sizeof(a->ports[0]) * a->n_ports);
}

/* The number of traits equal to @wanted; looks back a little way, then adds. */
static bool traits_find(struct ruleset *set, const struct traits *wanted, uint32_t *out)
{
	for (size_t i = set->n_traits; i > 0 && i + 64 > set->n_traits; i--) {
		if (traits_equal(&set->traits[i - 1], wanted)) {
			*out = (uint32_t)i - 1;
			return true;
		}
	}
	if (!grow(&set->traits, &set->cap_traits, set->n_traits, sizeof(*set->traits)))
		return false;
	set->traits[set->n_traits] = *wanted;
	*out = (uint32_t)set->n_traits++;
	return true;
}

static bool arena_put(struct ruleset *set, const uint8_t *key, size_t n, uint32_t *out)
{
	if (set->cap_arena - set->n_arena < n + 1) {
		size_t cap = set->cap_arena < 4096 ? 4096 : set->cap_arena + set->cap_arena / 2;
		uint8_t *grown = cap > UINT32_MAX ? NULL : realloc(set->arena, cap);
		if (!grown)
			return false;
		set->arena = grown;
		set->cap_arena = cap;
	}
	*out = (uint32_t)set->n_arena;
	set->arena[set->n_arena++] = (uint8_t)n;
	memcpy(set->arena + set->n_arena, key, n);
	set->n_arena += n;
	return true;
}

static bool add_rule(struct ruleset *set, const struct rule *rule, uint32_t file, unsigned line)
{
	uint8_t prefix[PREFIX_KEY_BYTES];
	const uint8_t *key = (const uint8_t *)rule->name.text;
	size_t n = rule->name.n;
	struct traits t = {.action = rule->action, .subject = rule->subject, .options = rule->options,
			   .file = file, .budget = rule->budget, .n_ports = rule->n_ports};
	struct entry e = {.line = line};

	memcpy(t.ports, rule->ports, sizeof(t.ports[0]) * t.n_ports);
	if (rule->subject == RULE_PREFIX) {
		n = prefix_key(&rule->prefix, rule->prefix_bits, prefix);
		key = prefix;
		set->has_bits[rule->prefix.is_v6][rule->prefix_bits] = true;
	}
	if (!grow(&set->entries, &set->cap_entries, set->n_entries, sizeof(*set->entries)) ||
	    !traits_find(set, &t, &e.traits) || !arena_put(set, key, n, &e.key))
		return false;
	if (!set->table || (set->n_entries + 1) * 4 > (set->mask + 1) * 3)
		if (!table_grow(set))
			return false;
	size_t at = key_hash(key, n) & set->mask;
	while (set->table[at])
		at = (at + 1) & set->mask;
	set->table[at] = (uint32_t)set->n_entries + 1;
	set->entries[set->n_entries++] = e;
	set->counts[rule->action]++;
	return true;
}

static bool add_file(struct ruleset *set, struct span name, uint32_t *out)
{
	for (size_t i = 0; i < set->n_files; i++)
		if (span_is(name, set->files[i])) {
			*out = (uint32_t)i;
			return true;
		}
	if (!grow(&set->files, &set->cap_files, set->n_files, sizeof(*set->files)))
		return false;
	char *copy = strndup(name.n ? (const char *)name.p : "", name.n);
	if (!copy)
		return false;
	set->files[set->n_files] = copy;
	*out = (uint32_t)set->n_files++;
	return true;
}

/* `#line N "FILE"` and nothing else. */
static bool is_line_mark(struct span line, unsigned *out_line, struct span *out_file)
{
	static const char start[] = "#line ";
	size_t n = sizeof(start) - 1;
	unsigned long number = 0;

	if (line.n < n || memcmp(line.p, start, n) != 0)
		return false;
	for (; n < line.n && line.p[n] >= '0' && line.p[n] <= '9' && number < 100000000; n++)
		number = number * 10 + (unsigned long)(line.p[n] - '0');
	if (line.n < n + 3 || line.p[n] != ' ' || line.p[n + 1] != '"' || line.p[line.n - 1] != '"')
		return false;
	*out_line = (unsigned)number;
	*out_file = span_make(line.p + n + 2, line.n - n - 3);
	return true;
}

static bool is_empty_line(struct span line)
{
	for (size_t i = 0; i < line.n && line.p[i] != '#'; i++)
		if (line.p[i] != ' ' && line.p[i] != '\t' && line.p[i] != '\r')
			return false;
	return true;
}

static int load_lines(struct ruleset *set, struct span text, const char *file, struct err *err)
{
	uint32_t file_id;
	unsigned line_number = 0;

	if (!add_file(set, span_of(file), &file_id))
		return err_set(err, ENOMEM, "reading rules of '%s'", file);
	while (text.n) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		struct span line = {text.p, end ? (size_t)(end - text.p) : text.n};
		size_t step = line.n + (end != NULL);
		text.p += step;
		text.n -= step;
		line_number++;
		unsigned mark_line;
		struct span mark_file;
		if (is_line_mark(line, &mark_line, &mark_file)) {
			if (!add_file(set, mark_file, &file_id))
				return err_set(err, ENOMEM, "reading rules of '%s'", file);
			line_number = mark_line - 1;
			continue;
		}
		if (is_empty_line(line))
			continue;
		struct rule rule;
		struct policy_error why;
		if (rule_parse(line, &rule, &why) != PARSE_DONE)
			return err_set(err, 0, "%s:%u:%u: %s", set->files[file_id], line_number,
				       why.column, why.text);
		if (set->n_entries >= UINT32_MAX - 1 || !add_rule(set, &rule, file_id, line_number))
			return err_set(err, ENOMEM, "%s:%u: too many rules", set->files[file_id],
				       line_number);
	}
	return 0;
}

int ruleset_load(struct span text, const char *file, struct ruleset **out, struct err *err)
{
	struct ruleset *set = calloc(1, sizeof(*set));
	if (!set)
		return err_set(err, ENOMEM, "reading rules of '%s'", file);
	int rc = load_lines(set, text, file, err);
	if (rc < 0) {
		ruleset_free(set);
		return rc;
	}
	*out = set;
	return 0;
}

void ruleset_free(struct ruleset *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n_files; i++)
		free(set->files[i]);
	free(set->files);
	free(set->traits);
	free(set->entries);
	free(set->arena);
	free(set->table);
	free(set);
}

size_t ruleset_count(const struct ruleset *set, enum rule_action action)
{
	return set->counts[action];
}

/* Calls @seen for the rules with this key and one of the subjects in @subjects (bits). */
static void each_with_key(const struct ruleset *set, const uint8_t *key, size_t n, uint32_t hash,
			  unsigned subjects, unsigned distance, rule_seen *seen, void *arg)
{
	if (!set->table)
		return;
	for (size_t at = hash & set->mask; set->table[at]; at = (at + 1) & set->mask) {
		uint32_t id = set->table[at];
		const struct entry *e = &set->entries[id - 1];
		const struct traits *t = &set->traits[e->traits];
		const uint8_t *stored = set->arena + e->key;
		if (stored[0] != n || memcmp(stored + 1, key, n) != 0 ||
		    !(subjects >> (unsigned)t->subject & 1))
			continue;
		struct rule_match match = {
			.action = t->action,
			.ports = t->ports,
			.n_ports = t->n_ports,
			.options = t->options,
			.budget = &t->budget,
			.origin = {.file = set->files[t->file], .line = e->line},
			.distance = distance,
			.id = id,
		};
		seen(&match, arg);
	}
}

void ruleset_each_name(const struct ruleset *set, const struct name *name, rule_seen *seen, void *arg)
{
	/* Hashes of all suffixes in one pass from the right; then asked from the whole name on. */
	const uint8_t *text = (const uint8_t *)name->text;
	uint32_t hashes[NAME_MAX_BYTES / 2 + 1];
	uint8_t starts[NAME_MAX_BYTES / 2 + 1];
	size_t n = 0;
	uint32_t h = 0x811c9dc5u;

	for (size_t i = name->n; i > 0; i--) {
		h = hash_step(h, text[i - 1]);
		if (i == 1 || text[i - 2] == '.') {
			hashes[n] = hash_mix(h);
			starts[n++] = (uint8_t)(i - 1);
		}
	}
	for (size_t i = n; i > 0; i--)
		each_with_key(set, text + starts[i - 1], name->n - starts[i - 1], hashes[i - 1],
			      i == n ? 1u << RULE_HOST : 1u << RULE_BELOW, (unsigned)(n - i), seen, arg);
}

void ruleset_each_addr(const struct ruleset *set, const struct addr *a, rule_seen *seen, void *arg)
{
	for (unsigned bits = a->is_v6 ? 129 : 33; bits-- > 0;) {
		if (!set->has_bits[a->is_v6][bits])
			continue;
		uint8_t key[PREFIX_KEY_BYTES];
		size_t n = prefix_key(a, bits, key);
		each_with_key(set, key, n, key_hash(key, n), 1u << RULE_PREFIX, 0, seen, arg);
	}
}
