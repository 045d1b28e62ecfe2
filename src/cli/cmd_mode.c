/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_mode.c - drydock mode: which mode is in force and why, and choosing it for a project or for oneself */
#include "base/fs.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/mode.h"
#include "cli/options.h"
#include "cli/term.h"
#include "config/trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OUT_MAX_BYTES = 16 << 10, ANSWER_BYTES = 16 };

struct mode_flags {
	bool for_project, for_user, is_sure, no_input, is_json, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct mode_flags, member)
static const struct option mode_options[] = {
	{0, "project", NULL, "for this project: only contain can be pinned", OPTION_FLAG, AT(for_project)},
	{0, "user", NULL, "for yourself, in every project that pins nothing", OPTION_FLAG, AT(for_user)},
	{0, "yes", NULL, "do not ask before dood", OPTION_FLAG, AT(is_sure)},
	{0, "no-input", NULL, "never ask", OPTION_FLAG, AT(no_input)},
	{0, "json", NULL, "one JSON document", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_mode_help(struct buf *out)
{
	(void)buf_putf(out,
		       "Usage: drydock mode [--json]\n"
		       "       drydock mode contain --project|--user\n"
		       "       drydock mode dood --user [--yes]\n\n"
		       "Says which mode is in force and why, or chooses one. contain: the command is in a session whose only way\n"
		       "out is the allowlist. dood: it has docker.sock and the host's network, which is no containment at all.\n"
		       "The first that speaks decides: --mode, DRYDOCK_MODE, the project's .drydock, your settings. The\n"
		       "environment and a project can only say contain.\n\n"); /* constants: they fit */
	options_print(mode_options, out);
}

/* What a mode promises, and no more than that. */
static void put_posture(enum engine_mode mode, struct buf *out)
{
	if (mode == ENGINE_DOOD)
		(void)buf_putf(out, "%s  NO CONTAINMENT: docker.sock and the host's network. Anything in a session is root on this "
				    "machine;\n  egress is not filtered; allowlist, token and log do not apply.%s\n",
			       term_start(STDOUT_FILENO, TERM_RED), term_stop(STDOUT_FILENO));
	else
		(void)buf_putf(out, "  A session reaches the names that its allowlist has, through the egress proxy, and nothing else\n"
				    "  of the network. What is sent to an allowed name is not read. `drydock rules` shows the list.\n");
}

static void put_json(const struct mode_choice *choice, struct buf *out)
{
	struct json j = {.out = out};

	json_open(&j, NULL, '{');
	json_u64(&j, "v", 1);
	json_str(&j, "mode", mode_name(choice->mode));
	json_str(&j, "why", choice->why);
	json_bool(&j, "contained", choice->mode == ENGINE_CONTAIN);
	json_close(&j, '}');
	(void)buf_put(out, "\n", 1); /* it fits */
}

static int show(const struct place *place, bool is_json, struct err *err)
{
	AUTO(buf) struct buf out = {.max = OUT_MAX_BYTES};
	struct mode_choice choice;

	int rc = mode_choose(place, NULL, true, &choice, err);
	if (rc < 0)
		return rc;
	if (is_json) {
		put_json(&choice, &out);
	} else {
		(void)buf_putf(&out, "%s   (%s)\n", mode_name(choice.mode), choice.why); /* it fits */
		put_posture(choice.mode, &out);
	}
	return term_put(STDOUT_FILENO, &out) ? -1 : 0;
}

static bool is_agreed(const struct mode_flags *flags)
{
	char answer[ANSWER_BYTES] = "";
	if (flags->is_sure)
		return true;
	if (flags->no_input || !term_is_tty(STDIN_FILENO) || !term_is_tty(STDERR_FILENO) || getenv("CI"))
		return false;
	(void)fputs("drydock: dood gives up all containment: every session is root on this machine. Continue? [y/N] ", stderr);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* Takes the other word out and puts this one in. */
static int write_mode(const struct place *place, const struct mode_flags *flags, enum engine_mode mode, char path[],
		      size_t max, struct err *err)
{
	const char *contain[] = {"mode contain", NULL}, *dood[] = {"mode dood", NULL};
	struct rulefile edit = {
		.path = path,
		.bare = RULE_ALLOW,
		.mode = flags->for_user ? 0600 : 0644,
		.lines = mode == ENGINE_DOOD ? contain : dood,
	};
	enum trust_state state;
	size_t n_changed; /* the words below say enough */

	(void)snprintf(path, max, flags->for_user ? "%s/config" : "%s/.drydock",
		       flags->for_user ? place->user_dir : place->project);
	int rc = flags->for_user ? fs_make_dirs(place->user_dir, 0700, err) : 0;
	if (rc == 0 && access(path, F_OK) == 0)
		rc = flags->for_user ? rulefile_remove(&edit, NULL, err)
				     : trust_edit(place->trust_dir, &edit, true, &n_changed, &state, err);
	edit.lines = mode == ENGINE_DOOD ? dood : contain;
	if (rc == 0)
		rc = flags->for_user ? rulefile_add(&edit, NULL, err)
				     : trust_edit(place->trust_dir, &edit, false, &n_changed, &state, err);
	return rc;
}

static int choose(const struct place *place, const struct mode_flags *flags, enum engine_mode mode, struct err *err)
{
	AUTO(buf) struct buf out = {.max = OUT_MAX_BYTES};
	char path[PATH_MAX + 16];

	if (mode == ENGINE_DOOD && !is_agreed(flags)) {
		(void)err_set(err, 0, "dood was not confirmed; nothing was changed");
		return err_fix(err, "drydock mode dood --user --yes");
	}
	int rc = write_mode(place, flags, mode, path, sizeof(path), err);
	if (rc < 0)
		return rc;
	(void)buf_putf(&out, "%s   (written to ", mode_name(mode)); /* it fits */
	term_put_path(&out, path, place->home);
	(void)buf_putf(&out, ")\n");
	put_posture(mode, &out);
	if (term_put(STDOUT_FILENO, &out) != 0)
		return -1;
	struct mode_choice now;
	if (mode_choose(place, NULL, true, &now, err) == 0 && now.mode != mode) {
		char text[160];
		(void)snprintf(text, sizeof(text), "here %s is in force all the same: %s says so", mode_name(now.mode), now.why);
		term_notice(text);
	}
	return 0;
}

static int check_words(const struct option_list *words, const struct mode_flags *flags, enum engine_mode *out,
		       struct err *err)
{
	const char *word = words->n ? words->items[0] : NULL;
	if (words->n > 1)
		return err_set(err, 0, "mode: '%s' is too much", words->items[1]);
	if (!word)
		return flags->for_project || flags->for_user ? err_set(err, 0, "mode: contain, or dood?") : 0;
	if (flags->is_json)
		return err_set(err, 0, "--json says what is in force; it goes with no word");
	*out = !strcmp(word, "dood") ? ENGINE_DOOD : ENGINE_CONTAIN;
	if (*out == ENGINE_CONTAIN && strcmp(word, "contain") != 0)
		return err_set(err, 0, "a mode is contain or dood, not '%s'", word);
	if (flags->for_project == flags->for_user) {
		(void)err_set(err, 0, "mode %s: for whom?", word);
		return err_fix(err, *out == ENGINE_DOOD ? "--user" : "--project, or --user");
	}
	if (flags->for_project && *out == ENGINE_DOOD) {
		(void)err_set(err, 0, "a project cannot select dood: its file comes from whoever wrote the project");
		return err_fix(err, "--user, or for one session: drydock run --mode dood ...");
	}
	return 0;
}

int cmd_mode(char **argv)
{
	static struct place place; /* big, and there is one */
	struct mode_flags flags = {0};
	struct option_list words;
	enum engine_mode mode = ENGINE_CONTAIN;
	struct err err = {0};

	if (options_parse_all(mode_options, &flags, argv, &words, &err) < 0)
		return term_usage("mode", &err);
	if (flags.is_help)
		return cmd_show_help("mode");
	if (check_words(&words, &flags, &mode, &err) < 0)
		return term_usage("mode", &err);
	int rc = place_find(&place, &err);
	if (rc == 0)
		rc = words.n ? choose(&place, &flags, mode, &err) : show(&place, flags.is_json, &err);
	if (rc == 0)
		return EXIT_OK;
	if (err.text[0])
		term_error("cannot choose the mode", &err, 0);
	return EXIT_FAILED;
}
