/* SPDX-License-Identifier: Apache-2.0 */
/* tests of cli/mode.c: who may say what, all combinations */
#include "cli/mode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const words[] = {NULL, "contain", "dood"};

/* What should come of it, written the other way round. */
static int expected(const struct mode_settings *in, enum engine_mode *out)
{
	const char *word = in->flag ? in->flag : in->env ? in->env : in->project ? in->project : in->user;
	bool is_own = in->flag || (!in->env && !in->project && in->user);
	*out = word && !strcmp(word, "dood") ? ENGINE_DOOD : ENGINE_CONTAIN;
	return *out == ENGINE_DOOD && !is_own ? -1 : 0;
}

static void only_the_flag_and_the_user_can_say_dood(void **state)
{
	size_t n_dood = 0;
	(void)state;
	for (size_t i = 0; i < 81; i++) {
		const struct mode_settings in = {words[i % 3], words[i / 3 % 3], words[i / 9 % 3], words[i / 27]};
		struct mode_choice choice = {0};
		struct err err = {0};
		enum engine_mode want;
		int want_rc = expected(&in, &want);
		int rc = mode_resolve(&in, &choice, &err);
		assert_int_equal(rc < 0, want_rc < 0);
		if (rc == 0) {
			assert_int_equal(choice.mode, want);
			assert_non_null(choice.why);
			n_dood += want == ENGINE_DOOD;
		}
	}
	assert_int_equal(n_dood, 27 + 1); /* any with the flag; and the user alone */
}

static void another_word_is_an_error_wherever_it_stands(void **state)
{
	struct mode_choice choice;
	struct err err = {0};
	(void)state;
	assert_true(mode_resolve(&(struct mode_settings){.flag = "Contain"}, &choice, &err) < 0);
	assert_true(mode_resolve(&(struct mode_settings){.env = ""}, &choice, &err) < 0);
	assert_true(mode_resolve(&(struct mode_settings){.project = "none"}, &choice, &err) < 0);
	assert_true(mode_resolve(&(struct mode_settings){.user = "doodx"}, &choice, &err) < 0);
	assert_int_equal(mode_resolve(&(struct mode_settings){.user = "contain"}, &choice, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_flag_and_the_user_can_say_dood),
		cmocka_unit_test(another_word_is_an_error_wherever_it_stands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
