/* SPDX-License-Identifier: Apache-2.0 */
/* engine/docker.h - a session in containers: agent, sidecar and, when sealed, holder; what dood shares of it */
#pragma once
#include "engine/engine.h"

/* The calls of struct engine; request->mode decides whether there is a sidecar. */
int docker_plan(const struct engine_request *r, struct buf *out, struct err *err);
int docker_start(const struct engine_request *r, struct engine_session **out, int *out_exec_errno, struct err *err);
int docker_stay(struct engine_session *s, const struct engine_watch *watch, struct engine_result *out, struct err *err);
void docker_end(struct engine_session *s, const struct engine_watch *watch);
pid_t docker_pid(const struct engine_session *s);
const char *docker_layers(const struct engine_session *s);

/** docker_owner() - the label by which gc finds out whether the command line that made a container still lives:
 * BOOT-ID:PID:START-TIME */
void docker_owner(char out[128]);
