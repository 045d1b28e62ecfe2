/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cli/test_options.c - how a command line is read, and what a mistake is answered with
 */
#include "cli/options.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct flags {
	bool quiet, verbose;
	const char *chdir;
	struct option_list allow;
	uint64_t bytes, ms;
	uint32_t pids, cpus;
	int fd;
} flags;

/* clang-format off */
#define AT(member) offsetof(struct flags, member)
static const struct option table[] = {
	{'q', "quiet", NULL, "be quiet", OPTION_FLAG, AT(quiet)},
	{'v', "verbose", NULL, "say more", OPTION_FLAG, AT(verbose)},
	{'C', "chdir", "DIR", "start here", OPTION_TEXT, AT(chdir)},
	{'a', "allow", "RULE", "allow this", OPTION_LIST, AT(allow)},
	{0, "allow-file", "FILE", "allow these", OPTION_TEXT, AT(chdir)},
	{0, "memory", "SIZE", "limit", OPTION_BYTES, AT(bytes)},
	{0, "timeout", "TIME", "limit", OPTION_DURATION, AT(ms)},
	{0, "pids", "N", "limit", OPTION_COUNT, AT(pids)},
	{0, "cpus", "N", "limit", OPTION_CPUS, AT(cpus)},
	{0, "status-fd", "N", "write", OPTION_FD, AT(fd)},
	{0, "secret", NULL, NULL, OPTION_FLAG, AT(quiet)},
	{0},
};
/* clang-format on */

static struct err err;
static char **rest;

static int parse(char **argv)
{
	flags = (struct flags){0};
	err = (struct err){0};
	return options_parse(table, &flags, argv, &rest, &err);
}
#define PARSE(...) parse((char *[]){__VA_ARGS__, NULL})

static void options_may_stand_anywhere_where_a_command_says_so(void **state)
{
	(void)state;
	struct option_list words = {0};
	char *mixed[] = {(char[]){"a"}, (char[]){"-q"}, (char[]){"b"}, (char[]){"--pids"}, (char[]){"3"},
			 (char[]){"--"}, (char[]){"-v"}, (char[]){"--"}, NULL};
	flags = (struct flags){0};
	assert_int_equal(options_parse_all(table, &flags, mixed, &words, &err), 0);
	assert_true(flags.quiet);
	assert_false(flags.verbose);
	assert_int_equal(flags.pids, 3);
	assert_int_equal(words.n, 4);
	assert_string_equal(words.items[0], "a");
	assert_string_equal(words.items[1], "b");
	assert_string_equal(words.items[2], "-v");
	assert_string_equal(words.items[3], "--");
	char *wrong[] = {(char[]){"a"}, (char[]){"--frob"}, NULL};
	assert_true(options_parse_all(table, &flags, wrong, &words, &err) < 0);
	assert_int_equal(words.n, 4);
	char *many[OPTIONS_LIST_MAX + 2];
	char word[] = "w";
	for (size_t i = 0; i <= OPTIONS_LIST_MAX; i++)
		many[i] = word;
	many[OPTIONS_LIST_MAX + 1] = NULL;
	assert_true(options_parse_all(table, &flags, many, &words, &err) < 0);
	many[OPTIONS_LIST_MAX] = NULL;
	assert_int_equal(options_parse_all(table, &flags, many, &words, &err), 0);
	assert_int_equal(words.n, OPTIONS_LIST_MAX);
}

static void options_end_at_the_first_word_that_is_none(void **state)
{
	(void)state;
	assert_int_equal(PARSE("-q", "npm", "-v"), 0);
	assert_true(flags.quiet);
	assert_false(flags.verbose);
	assert_string_equal(rest[0], "npm");
	assert_int_equal(PARSE("--", "-v"), 0);
	assert_string_equal(rest[0], "-v");
	assert_int_equal(PARSE("-", "x"), 0);
	assert_string_equal(rest[0], "-");
}

static void values_stand_behind_or_within_the_word(void **state)
{
	(void)state;
	assert_int_equal(
		PARSE("-aone", "-a", "two", "--allow=three", "--allow", "four", "-qC/x", "cmd"), 0);
	assert_int_equal(flags.allow.n, 4);
	assert_string_equal(flags.allow.items[0], "one");
	assert_string_equal(flags.allow.items[3], "four");
	assert_null(flags.allow.items[4]);
	assert_true(flags.quiet);
	assert_string_equal(flags.chdir, "/x");
	assert_string_equal(rest[0], "cmd");
	assert_int_equal(PARSE("--chdir="), 0);
	assert_string_equal(flags.chdir, "");
}

static void an_unknown_option_is_answered_with_the_nearest(void **state)
{
	(void)state;
	assert_true(PARSE("--alow", "x") < 0);
	assert_string_equal(err.text, "unknown option '--alow' - did you mean '--allow'?");
	assert_true(PARSE("--zzzzzzzz") < 0);
	assert_string_equal(err.text, "unknown option '--zzzzzzzz'");
	assert_true(PARSE("-x") < 0);
	assert_string_equal(err.text, "unknown option '-x'");
	assert_true(PARSE("--secre") < 0); /* hidden options are not suggested */
	assert_string_equal(err.text, "unknown option '--secre'");
}

static void a_value_that_is_missing_or_too_much_is_refused(void **state)
{
	(void)state;
	assert_true(PARSE("--allow") < 0);
	assert_string_equal(err.text, "--allow needs a value: --allow RULE");
	assert_true(PARSE("-a") < 0);
	assert_true(PARSE("--quiet=yes") < 0);
}

static void sizes_times_and_counts_are_read_with_their_units(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--memory", "8G", "--timeout", "30m", "--pids", "512", "--cpus",
			       "0.5", "--status-fd", "3"),
			 0);
	assert_int_equal(flags.bytes, 8ULL << 30);
	assert_int_equal(flags.ms, 30 * 60 * 1000);
	assert_int_equal(flags.pids, 512);
	assert_int_equal(flags.cpus, 50);
	assert_int_equal(flags.fd, 3);
	assert_int_equal(PARSE("--cpus", "2", "--timeout", "250ms"), 0);
	assert_int_equal(flags.cpus, 200);
	assert_int_equal(flags.ms, 250);
}

static void numbers_that_are_none_or_too_large_are_refused(void **state)
{
	(void)state;
	static char *const bad[][2] = {
		{"--memory", "8X"},   {"--memory", ""},	    {"--memory", "-1"},
		{"--memory", "1.5G"}, {"--memory", "0"},    {"--memory", "99999999999T"},
		{"--timeout", "1y"},  {"--pids", "0"},	    {"--pids", "4294967296"},
		{"--cpus", "0"},      {"--cpus", "0.001"},  {"--cpus", "1."},
		{"--cpus", ".5"},     {"--status-fd", "2"}, {"--pids", "99999999999999999999999"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(PARSE(bad[i][0], bad[i][1]) < 0);
	assert_int_equal(PARSE("--pids", "4294967295"), 0);
}

static void a_list_takes_its_maximum_and_not_one_more(void **state)
{
	(void)state;
	char *argv[2 * (OPTIONS_LIST_MAX + 1) + 1] = {0};
	for (size_t i = 0; i < OPTIONS_LIST_MAX + 1; i++) {
		argv[2 * i] = "-a";
		argv[2 * i + 1] = "x";
	}
	assert_true(parse(argv) < 0);
	argv[2 * OPTIONS_LIST_MAX] = NULL;
	assert_int_equal(parse(argv), 0);
	assert_int_equal(flags.allow.n, OPTIONS_LIST_MAX);
}

static void a_word_is_suggested_when_near_and_not_when_far(void **state)
{
	(void)state;
	static const char *const words[] = {"run", "doctor", "check", "log", "version", NULL};
	assert_string_equal(options_suggest("rnu", words), "run");
	assert_string_equal(options_suggest("docotr", words), "doctor");
	assert_string_equal(options_suggest("ver", words), "version");
	assert_string_equal(options_suggest("logs", words), "log");
	assert_null(options_suggest("claude", words));
	assert_null(options_suggest("x", words));
}

static void help_shows_every_option_but_the_hidden(void **state)
{
	(void)state;
	AUTO(buf) struct buf out = {.max = 4096};
	options_print(table, &out);
	assert_true(buf_put(&out, "", 1));
	assert_non_null(strstr((char *)out.p, "  -a, --allow RULE"));
	assert_non_null(strstr((char *)out.p, "      --memory SIZE"));
	assert_null(strstr((char *)out.p, "secret"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_may_stand_anywhere_where_a_command_says_so),
		cmocka_unit_test(options_end_at_the_first_word_that_is_none),
		cmocka_unit_test(values_stand_behind_or_within_the_word),
		cmocka_unit_test(an_unknown_option_is_answered_with_the_nearest),
		cmocka_unit_test(a_value_that_is_missing_or_too_much_is_refused),
		cmocka_unit_test(sizes_times_and_counts_are_read_with_their_units),
		cmocka_unit_test(numbers_that_are_none_or_too_large_are_refused),
		cmocka_unit_test(a_list_takes_its_maximum_and_not_one_more),
		cmocka_unit_test(a_word_is_suggested_when_near_and_not_when_far),
		cmocka_unit_test(help_shows_every_option_but_the_hidden),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
