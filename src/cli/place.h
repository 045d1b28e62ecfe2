/* SPDX-License-Identifier: Apache-2.0 */
/* cli/place.h - where things are for this user: home, project, configuration, presets, sessions */
#pragma once
#include "base/err.h"
#include "session/session.h"

/**
 * struct place - real, absolute paths; "" for what there is none of
 * @project:	git top level of @cwd, else @cwd
 * @preset_dirs: vendor's first, then the user's; NULL-terminated
 */
struct place {
	char home[PATH_MAX];
	char cwd[PATH_MAX];
	char project[PATH_MAX];
	char user_dir[PATH_MAX];
	char trust_dir[PATH_MAX];
	char vendor_presets[PATH_MAX];
	char user_presets[PATH_MAX + 16];
	const char *preset_dirs[3];
	struct session_roots roots;
};

/**
 * place_find() - look around from the current folder
 *
 * Only $HOME and the XDG variables are asked, never a name service.
 */
int place_find(struct place *out, struct err *err);
