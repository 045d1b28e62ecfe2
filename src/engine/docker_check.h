/* SPDX-License-Identifier: Apache-2.0 */
/* engine/docker_check.h - compares what a session's containers really got with what was asked for */
/*
 * Compose files are merged, engines have defaults, and networks may be something else than their name says. So nothing
 * starts before docker's own word on the containers was read, and it is read again when the agent runs.
 */
#pragma once
#include "engine/docker_cli.h"
#include "engine/docker_file.h"

/** struct docker_expect - what was asked for; borrowed */
struct docker_expect {
	enum engine_topology topology;
	const char *agent, *sidecar, *holder; /* names; holder for sealed */
	const struct docker_mounts *mounts;
};

/** enum docker_state - of the agent's container */
enum docker_state { DOCKER_CREATED, DOCKER_RUNNING, DOCKER_ENDED };

/**
 * docker_check() - ask docker about the containers and compare
 * @has_agent:	false: only the others exist yet
 * @out_state:	of the agent, which may not be there yet (DOCKER_CREATED then); NULL when it must be
 *
 * Return: 0; -EPERM with the first thing that is not as asked; or another negative errno value.
 */
int docker_check(const struct docker_cli *cli, const struct docker_expect *expect, bool has_agent,
		 enum docker_state *out_state, struct err *err);

/**
 * docker_check_agent() - compare one answer; pure
 * @facts:	lines KEY=VALUE, then one line per mount: TYPE tab SOURCE tab TARGET tab true|false
 * @holder_id:	for sealed
 */
int docker_check_agent(const struct docker_expect *expect, struct span facts, struct span holder_id, struct err *err);

/** docker_check_sidecar() - of the sidecar (@is_holder: of the holder): no capability, read-only root, its own networks */
int docker_check_sidecar(const struct docker_expect *expect, bool is_holder, struct span facts, struct err *err);
