/* SPDX-License-Identifier: Apache-2.0 */
/* cli/launch.h - flags and configuration to the request that an engine is given */
#pragma once
#include "cli/made.h"
#include "cli/options.h"
#include "cli/place.h"
#include "config/config.h"
#include "engine/engine.h"
#include "engine/env.h"

enum { LAUNCH_MAX_MOUNTS = 256 };

/** struct launch_flags - the options of `run`; borrowed from argv */
struct launch_flags {
	struct option_list publish, allow, deny, presets, allow_files, env, mounts;
	const char *chdir, *name, *resolver, *hosts, *engine, *mode, *topology, *image;
	bool no_net, no_project, as_root, dry_run, is_learning, is_detached, is_once, keep, quiet, bare, is_help;
	uint64_t memory_bytes, timeout_ms, ask_ms;
	uint32_t max_pids, cpu_percent;
	int status_fd;
};

/** struct engine_choice - which engine runs it, and how: filled in before launch_make() */
struct engine_choice {
	bool is_docker;
	enum engine_mode mode;
	enum engine_topology topology;
	const char *image;
};

/**
 * struct launch - everything that a request borrows from; start from `struct launch l = {0};`
 * @argv:	the command with the arguments of its preset
 */
struct launch {
	struct place place;
	struct config config;
	struct env env;
	struct made made;
	char **argv;
	char *once[OPTIONS_LIST_MAX + 1]; /* rules of --allow, each with its limit, NULL-terminated; for --once */
	char *mount_paths[OPTIONS_LIST_MAX];
	size_t n_mount_paths;
	struct engine_mount mounts[LAUNCH_MAX_MOUNTS];
	struct publish_port publish[PUBLISH_MAX_PORTS];
	struct engine_choice choice;
	struct engine_request request;
};

/** launch_load() - find the place and read the configuration for command @argv (NULL for none) */
int launch_load(struct launch *l, const struct launch_flags *flags, char **argv, struct err *err);

/**
 * launch_make() - fill l->request for session @session_id; makes missing agent state unless dry_run
 * @state_dir:	of the session; borrowed
 */
int launch_make(struct launch *l, const struct launch_flags *flags, const char *session_id,
		const char *state_dir, struct err *err);

/** launch_drop() - free it; what was made for the agent and stayed unused is removed when @may_undo
 */
void launch_drop(struct launch *l, bool may_undo);
