/* SPDX-License-Identifier: Apache-2.0 */
/* cli/options.h - reads a command's options by a table, which also prints its help */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

enum { OPTIONS_LIST_MAX = 64 };

/** struct option_list - values of an option that may be repeated, NULL-terminated; borrowed from
 * argv */
struct option_list {
	const char *items[OPTIONS_LIST_MAX + 1];
	size_t n;
};

/** enum option_kind - what the member that a struct option names is */
enum option_kind {
	OPTION_FLAG,	 /* bool */
	OPTION_OFF,	 /* bool, set to false */
	OPTION_TEXT,	 /* const char * */
	OPTION_LIST,	 /* struct option_list */
	OPTION_BYTES,	 /* uint64_t: 512M, 8G, 1.5G is refused */
	OPTION_COUNT,	 /* uint32_t, 1 or more */
	OPTION_CPUS,	 /* uint32_t, percent: 2 is 200, 0.5 is 50 */
	OPTION_DURATION, /* uint64_t, milliseconds: 90s, 30m, 2h, 250ms */
	OPTION_FD,	 /* int, 3 or more */
};

/**
 * struct option - one row of a command's table
 * @letter:	short form, 0 for none
 * @name:	long form without dashes
 * @value:	what help calls the value; NULL for flags
 * @help:	one line; NULL hides the option (for tests and for drydock itself)
 * @offset:	offsetof() the member that takes the value
 */
struct option {
	char letter;
	const char *name;
	const char *value;
	const char *help;
	enum option_kind kind;
	size_t offset;
};

/**
 * options_parse() - read options up to "--" or the first word that is none
 * @table:	ends with a row whose name is NULL
 * @into:	the struct whose members the table names; what no option names is left alone
 * @argv:	the words after the command's name, NULL-terminated
 * @out_rest:	the first word that was not read
 *
 * Return: 0; -EINVAL with @err, which suggests what may have been meant.
 */
int options_parse(const struct option *table, void *into, char **argv, char ***out_rest,
		  struct err *err);

/**
 * options_parse_all() - read options wherever they stand, and collect the other words
 * @out_words:	words that are no options, in their order; all behind "--" are
 *
 * Return: 0; -EINVAL with @err, also for more than OPTIONS_LIST_MAX words.
 */
int options_parse_all(const struct option *table, void *into, char **argv,
		      struct option_list *out_words, struct err *err);

/** options_print() - the options part of a command's help */
void options_print(const struct option *table, struct buf *out);

/** options_suggest() - the word of @words (NULL-terminated) that @wrong was probably meant to be,
 * or NULL */
const char *options_suggest(const char *wrong, const char *const *words);
