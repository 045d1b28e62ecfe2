/* SPDX-License-Identifier: Apache-2.0 */
/* config/config.h - presets, system, user, project and command line merged; every value remembers its origin */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "policy/proxy.h"

/** struct text_list - a growing list of owned strings */
struct text_list {
	char **items;
	size_t n;
};

/**
 * struct config_input - where settings come from; borrowed
 * @preset_dirs: folders that hold preset files, later ones win; NULL-terminated
 * @etc_dir:	"/etc/drydock"
 * @user_dir:	"$XDG_CONFIG_HOME/drydock"; NULL for none. Its files are refused when others can write them
 * @project:	project root, whose .drydock is read when it is trusted; NULL for none
 * @trust_dir:	records of what is trusted (config/trust.h); NULL trusts nothing
 * @system_etc:	"/etc": where the system's package tools are set up (config/registries.h); NULL for none
 * @command:	base name of the agent's command: the preset that says `command NAME` is taken
 * @presets:	`-p NAME` or NAME+CLASS
 * @allow, @deny: rules from flags; origin "--allow", line = position
 * @allow_files: `--allow-file`
 */
struct config_input {
	const char *const *preset_dirs;
	const char *etc_dir;
	const char *user_dir;
	const char *project;
	const char *trust_dir;
	const char *home;
	const char *system_etc;
	const char *command;
	const char *const *presets;
	const char *const *allow;
	const char *const *deny;
	const char *const *allow_files;
};

struct config_mount {
	char *path; /* absolute, ~ expanded */
	bool is_writable;
	bool is_optional; /* from a preset: made when missing if writable, else skipped */
};

/** struct config_source - one line of the banner: "claude-code(3)" */
struct config_source {
	char *name;
	size_t n_allows;
};

/** The first line of a policy that the administrator locked: a comment, for whoever adds rules later */
#define CONFIG_LOCK_MARK "#locked\n"

/** config_is_locked() - does a policy begin with the mark of a lock? */
bool config_is_locked(struct span policy);

/**
 * struct config - what a session gets
 * @policy:	effective policy text with #line marks (policy/ruleset.h), ready for the broker
 * @expired:	rules whose until= is over, left out of @policy; in the same form
 * @proxy:	the upstream proxy; it is in @policy too
 * @env:	"NAME=VALUE" that presets set (a variable the user set himself is not overridden: the caller applies)
 * @keep:	names of variables let through the scrubbed environment
 * @args:	inserted after the agent's command
 * @notices:	things the user should see, one line each
 */
struct config {
	struct proxy proxy;
	struct buf policy, expired;
	struct text_list env;
	struct text_list keep;
	struct text_list args;
	struct text_list notices;
	struct config_mount *mounts;
	size_t n_mounts;
	struct config_source *sources;
	size_t n_sources;
	uint64_t memory_bytes;
	uint32_t max_pids;
	uint32_t cpu_percent;
};

/**
 * config_load() - read and merge everything
 *
 * A missing file is no error; a malformed line anywhere is: nothing is loaded, @err reads
 * "FILE:LINE:COLUMN: reason". A wildcard over a public suffix (libpsl) is refused.
 *
 * Return: 0 or a negative errno value.
 */
int config_load(const struct config_input *in, struct config *out, struct err *err);
void config_drop(struct config *config);

enum { CONFIG_PROJECT_MAX_LINES = 2000 };

/**
 * config_check_project() - would this content of a project's .drydock be taken?
 * @path:	for messages
 *
 * It has at most CONFIG_PROJECT_MAX_LINES lines: a person is to read it.
 *
 * Return: 0, or a negative errno value with "PATH:LINE:COLUMN: reason". Whether presets exist is not looked at.
 */
int config_check_project(const char *path, struct span content, struct err *err);
