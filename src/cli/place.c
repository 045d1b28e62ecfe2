/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/place.h"
#include "base/own.h"
#include "build_config.h"
#include "engine/egress.h"
#include "jail/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_there(const char *dir, const char *name)
{
	char path[PATH_MAX + 64];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return lstat(path, &st) == 0;
}

/* Presets lie beside an installed program, in its data folder, or beside a build folder. */
static void find_presets(struct place *place)
{
	char dir[PATH_MAX - 64];
	place->vendor_presets[0] = '\0';
	if (egress_self_dir(dir, sizeof(dir), NULL) == 0) {
		bool is_build = is_there(dir, "build.ninja");
		(void)snprintf(place->vendor_presets, sizeof(place->vendor_presets), "%s/%s", dir,
			       is_build ? "../data/presets" : "../share/drydock/presets");
		AUTO(mem) char *real = realpath(place->vendor_presets, NULL); /* people read it */
		if (real)
			(void)snprintf(place->vendor_presets, sizeof(place->vendor_presets), "%s", real);
	}
	struct stat st;
	if (stat(place->vendor_presets, &st) < 0)
		(void)snprintf(place->vendor_presets, sizeof(place->vendor_presets), "%s/presets",
			       DRYDOCK_DATADIR);
	place->preset_dirs[0] = place->vendor_presets;
	place->preset_dirs[1] = place->user_presets;
	place->preset_dirs[2] = NULL;
}

int place_find(struct place *out, struct err *err)
{
	const struct session_env env = {
		.home = getenv("HOME"),
		.xdg_state_home = getenv("XDG_STATE_HOME"),
		.xdg_runtime_dir = getenv("XDG_RUNTIME_DIR"),
		.tmp = "/tmp",
	};
	int rc = session_roots_find(&env, &out->roots, err);
	if (rc < 0)
		return rc;
	size_t base = strlen(out->roots.state) - strlen("/sessions"); /* .../drydock */
	(void)snprintf(out->trust_dir, sizeof(out->trust_dir), "%.*s/trust", (int)base, out->roots.state);
	if (!realpath(env.home, out->home))
		return err_set(err, errno, "looking at HOME '%s'", env.home);
	if (!realpath(".", out->cwd))
		return err_set(err, errno, "looking at the current folder");
	AUTO(mem) char *project = view_project(out->cwd, err);
	if (!project)
		return err->code;
	(void)snprintf(out->project, sizeof(out->project), "%s", project);
	const char *config = getenv("XDG_CONFIG_HOME");
	bool has_config = config && config[0] == '/';
	int n = snprintf(out->user_dir, sizeof(out->user_dir), "%s%s/drydock",
			 has_config ? config : out->home, has_config ? "" : "/.config");
	if (n >= (int)sizeof(out->user_dir))
		return err_set(err, ENAMETOOLONG, "the path of the configuration folder");
	(void)snprintf(out->user_presets, sizeof(out->user_presets), "%s/presets", out->user_dir);
	find_presets(out);
	return 0;
}
