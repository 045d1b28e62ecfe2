/* SPDX-License-Identifier: Apache-2.0 */
/* engine/dood.c - mode dood: the agent's container has docker.sock and the host's network; nothing is contained */
#include "engine/docker.h"

#include <errno.h>

static int dood_start(const struct engine_request *r, struct engine_session **out, int *out_exec_errno, struct err *err)
{
	if (r->mode != ENGINE_DOOD)
		return err_set(err, EINVAL, "engine dood was asked for a contained session");
	return docker_start(r, out, out_exec_errno, err);
}

const struct engine engine_dood = {
	.name = "docker",
	.plan = docker_plan,
	.start = dood_start,
	.pid = docker_pid,
	.layers = docker_layers,
	.stay = docker_stay,
	.end = docker_end,
};
