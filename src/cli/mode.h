/* SPDX-License-Identifier: Apache-2.0 */
/* cli/mode.h - which mode a session gets, and who said so */
#pragma once
#include "base/err.h"
#include "cli/place.h"
#include "engine/engine.h"

/** struct mode_settings - every voice; NULL where nobody spoke. Borrowed */
struct mode_settings {
	const char *flag;    /* --mode */
	const char *env;     /* DRYDOCK_MODE */
	const char *project; /* `mode` in the project's .drydock */
	const char *user;    /* `mode` in the user's own configuration */
};

/** struct mode_choice - the mode and whose word it was, for people: "--mode", "the default" ... */
struct mode_choice {
	enum engine_mode mode;
	const char *why;
};

/**
 * mode_resolve() - flag, environment, project, user, contain: the first that speaks decides. Pure
 *
 * Only the flag and the user's own settings can say dood. The environment and a project may only say contain: they can
 * take a user's dood back.
 *
 * Return: 0; -EINVAL for a word that is no mode; -EPERM for dood from where it may not come.
 */
int mode_resolve(const struct mode_settings *in, struct mode_choice *out, struct err *err);

enum { MODE_WORD_BYTES = 16 };

/**
 * mode_read() - the `mode` line of a file, the last one that it has; "" when there is none, or no such file
 * @out:	the word, cut to MODE_WORD_BYTES - 1
 *
 * A project's line counts whether or not the project is trusted: it can only tighten.
 */
int mode_read(const char *path, char out[MODE_WORD_BYTES], struct err *err);

/**
 * mode_choose() - read every voice and resolve
 * @flag:	--mode, or NULL
 * @use_project: false for --no-project
 */
int mode_choose(const struct place *place, const char *flag, bool use_project, struct mode_choice *out,
		struct err *err);

/** mode_name() - "contain" or "dood" */
const char *mode_name(enum engine_mode mode);
