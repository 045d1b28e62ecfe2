/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { SUGGEST_MAX_BYTES = 40, NAMES_MAX = 64, HELP_COLUMN = 28 };

/* Letters to change, add, drop or swap (optimal string alignment). */
static size_t edit_distance(const char *a, const char *b)
{
	size_t d[SUGGEST_MAX_BYTES + 1][SUGGEST_MAX_BYTES + 1];
	size_t na = strlen(a), nb = strlen(b);
	if (na > SUGGEST_MAX_BYTES || nb > SUGGEST_MAX_BYTES)
		return SIZE_MAX;
	for (size_t i = 0; i <= na; i++)
		for (size_t j = 0; j <= nb; j++) {
			if (!i || !j) {
				d[i][j] = i + j;
				continue;
			}
			size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	return d[na][nb];
}

const char *options_suggest(const char *wrong, const char *const *words)
{
	const char *found = NULL;
	size_t n = strlen(wrong);
	size_t best = n < 4 ? 2 : 3; /* at least this far away is no resemblance */

	for (; *words; words++) {
		size_t far = edit_distance(wrong, *words);
		bool is_start = n >= 3 && !strncmp(*words, wrong, n);
		if (is_start)
			far = 1;
		if (far < best) {
			best = far;
			found = *words;
		}
	}
	return found;
}

static int unknown(const struct option *table, const char *name, struct err *err)
{
	const char *names[NAMES_MAX + 1] = {0};
	size_t n = 0;
	for (const struct option *o = table; o->name && n < NAMES_MAX; o++)
		if (o->help)
			names[n++] = o->name;
	const char *near = options_suggest(name, names);
	if (near)
		return err_set(err, 0, "unknown option '--%s' - did you mean '--%s'?", name, near);
	return err_set(err, 0, "unknown option '--%s'", name);
}

/* Digits with at most @max_places decimals, in units of 10^-max_places; moves *p past them. */
static bool take_number(const char **p, int max_places, uint64_t *out)
{
	uint64_t v = 0;
	int places = -1;
	const char *start = *p;
	for (;; (*p)++) {
		if (**p == '.' && places < 0 && max_places > 0 && *p > start) {
			places = 0;
			continue;
		}
		if (**p < '0' || **p > '9')
			break;
		if (places >= 0 && ++places > max_places)
			return false;
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(**p - '0'), &v))
			return false;
	}
	if (*p == start || places == 0)
		return false;
	for (int i = places < 0 ? 0 : places; i < max_places; i++)
		if (__builtin_mul_overflow(v, (uint64_t)10, &v))
			return false;
	*out = v;
	return true;
}

struct unit {
	const char *word;
	uint64_t factor;
};

static bool read_units(const char *text, const struct unit *units, uint64_t *out)
{
	uint64_t v;
	if (!take_number(&text, 0, &v) || v == 0)
		return false;
	for (; units->word; units++)
		if (!strcmp(text, units->word))
			return !__builtin_mul_overflow(v, units->factor, out);
	return false;
}

static const struct unit byte_units[] = {
	{"", 1},	{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1ULL << 40},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {NULL, 0},
};
static const struct unit time_units[] = {
	{"", 1000},	{"ms", 1},	 {"s", 1000}, {"m", 60000},
	{"h", 3600000}, {"d", 86400000}, {NULL, 0},
};

static bool read_small(const char *text, int places, uint64_t min, uint64_t max, uint64_t *out)
{
	return take_number(&text, places, out) && !*text && *out >= min && *out <= max;
}

/* Stores one value; false when the text is none of its kind. */
static bool store(const struct option *o, void *into, const char *text)
{
	void *target = (char *)into + o->offset;
	uint64_t v;
	switch (o->kind) {
	case OPTION_FLAG:
	case OPTION_OFF:
		*(bool *)target = o->kind == OPTION_FLAG;
		return true;
	case OPTION_TEXT:
		*(const char **)target = text;
		return true;
	case OPTION_LIST: {
		struct option_list *list = target;
		if (list->n == OPTIONS_LIST_MAX)
			return false;
		list->items[list->n++] = text;
		return true;
	}
	case OPTION_BYTES:
		return read_units(text, byte_units, target);
	case OPTION_DURATION:
		return read_units(text, time_units, target);
	case OPTION_COUNT:
		if (!read_small(text, 0, 1, UINT32_MAX, &v))
			return false;
		*(uint32_t *)target = (uint32_t)v;
		return true;
	case OPTION_CPUS:
		if (!read_small(text, 2, 1, UINT32_MAX, &v))
			return false;
		*(uint32_t *)target = (uint32_t)v;
		return true;
	case OPTION_FD:
		if (!read_small(text, 0, 3, INT_MAX, &v))
			return false;
		*(int *)target = (int)v;
		return true;
	}
	return false;
}

static int bad_value(const struct option *o, const char *text, struct err *err)
{
	if (o->kind == OPTION_LIST)
		return err_set(err, 0, "--%s was given more than %d times", o->name,
			       OPTIONS_LIST_MAX);
	static const char *const examples[] = {
		[OPTION_BYTES] = "512M or 8G",
		[OPTION_DURATION] = "90s, 30m or 2h",
		[OPTION_COUNT] = "a whole number",
		[OPTION_CPUS] = "2 or 0.5",
		[OPTION_FD] = "a descriptor number from 3 on",
	};
	return err_set(err, 0, "--%s takes %s, not '%s'", o->name, examples[o->kind], text);
}

static bool takes_value(const struct option *o)
{
	return o->kind != OPTION_FLAG && o->kind != OPTION_OFF;
}

static int apply(const struct option *o, void *into, const char *value, struct err *err)
{
	if (takes_value(o) && !value)
		return err_set(err, 0, "--%s needs a value: --%s %s", o->name, o->name,
			       o->value ? o->value : "VALUE");
	return store(o, into, value) ? 0 : bad_value(o, value, err);
}

/* One "--name", "--name=value" or "--name value". */
static int parse_long(const struct option *table, void *into, char ***argv, struct err *err)
{
	const char *word = **argv + 2;
	const char *equals = strchr(word, '=');
	size_t n = equals ? (size_t)(equals - word) : strlen(word);
	char name[SUGGEST_MAX_BYTES + 1];
	(void)snprintf(name, sizeof(name), "%.*s", n < sizeof(name) ? (int)n : SUGGEST_MAX_BYTES,
		       word);

	const struct option *o = table;
	while (o->name && strcmp(o->name, name) != 0)
		o++;
	if (!o->name)
		return unknown(table, name, err);
	if (!takes_value(o) && equals)
		return err_set(err, 0, "--%s takes no value", o->name);
	(*argv)++;
	if (!takes_value(o) || equals)
		return apply(o, into, equals ? equals + 1 : NULL, err);
	const char *value = **argv;
	if (value)
		(*argv)++;
	return apply(o, into, value, err);
}

/* One "-q", "-qv", "-aRULE" or "-a RULE". */
static int parse_short(const struct option *table, void *into, char ***argv, struct err *err)
{
	const char *letters = **argv + 1;
	(*argv)++;
	for (; *letters; letters++) {
		const struct option *o = table;
		while (o->name && (!o->letter || o->letter != *letters))
			o++;
		if (!o->name)
			return err_set(err, 0, "unknown option '-%c'", *letters);
		const char *value = NULL;
		if (takes_value(o)) {
			value = letters[1] ? letters + 1 : **argv;
			if (value == **argv && value)
				(*argv)++;
		}
		int rc = apply(o, into, value, err);
		if (rc < 0 || takes_value(o))
			return rc;
	}
	return 0;
}

int options_parse(const struct option *table, void *into, char **argv, char ***out_rest,
		  struct err *err)
{
	while (*argv && (*argv)[0] == '-' && (*argv)[1]) {
		if (!strcmp(*argv, "--")) {
			argv++;
			break;
		}
		int rc = (*argv)[1] == '-' ? parse_long(table, into, &argv, err)
					   : parse_short(table, into, &argv, err);
		if (rc < 0)
			return rc;
	}
	*out_rest = argv;
	return 0;
}

int options_parse_all(const struct option *table, void *into, char **argv,
		      struct option_list *out_words, struct err *err)
{
	struct option_list words = {0};
	for (bool is_over = false; *argv;) {
		char **rest = argv;
		int rc = is_over ? 0 : options_parse(table, into, argv, &rest, err);
		if (rc < 0)
			return rc;
		is_over |= rest > argv && !strcmp(rest[-1], "--");
		if (!*rest)
			break;
		if (words.n == OPTIONS_LIST_MAX)
			return err_set(err, 0, "more than %d words", OPTIONS_LIST_MAX);
		words.items[words.n++] = *rest;
		argv = rest + 1;
	}
	*out_words = words;
	return 0;
}

void options_print(const struct option *table, struct buf *out)
{
	for (const struct option *o = table; o->name; o++) {
		if (!o->help)
			continue;
		char left[80];
		char letter[8] = "    ";
		if (o->letter)
			(void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		(void)snprintf(left, sizeof(left), "  %s--%s%s%s", letter, o->name,
			       o->value ? " " : "", o->value ? o->value : "");
		/* help texts are short constants: they always fit */
		(void)buf_putf(out, "%-*s %s\n", HELP_COLUMN, left, o->help);
	}
}
