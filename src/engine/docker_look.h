/* SPDX-License-Identifier: Apache-2.0 */
/* engine/docker_look.h - the state of the docker engine, in lines for `doctor`; makes and changes nothing */
#pragma once

enum docker_look_mark { DOCKER_LOOK_OK, DOCKER_LOOK_WARN, DOCKER_LOOK_NONE };

/** struct docker_look_row - one finding; borrowed for the call. @fix is "" when there is nothing to do */
struct docker_look_row {
	const char *name, *detail, *fix;
	enum docker_look_mark mark;
};

/** docker_look() - calls @seen for each finding; one that says so when there is no docker */
void docker_look(void (*seen)(const struct docker_look_row *row, void *arg), void *arg);
