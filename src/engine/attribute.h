/* SPDX-License-Identifier: Apache-2.0 */
/* engine/attribute.h - tells the egress which program made a connection, as decisions go by */
#pragma once
#include <stdint.h>
#include <sys/types.h>

enum { ATTRIBUTE_A_SECOND = 50 };

/**
 * struct attribute - start from ATTRIBUTE_NONE
 * @fd:		connected to the session's control socket; watch it for reading, -1 when there is none
 */
struct attribute {
	int fd;
	pid_t init_pid;
	uint64_t second;
	unsigned n_this_second;
};
#define ATTRIBUTE_NONE                                                                             \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/** attribute_begin() - subscribe at the control socket of @runtime_dir; without it nothing is attributed */
void attribute_begin(struct attribute *a, const char *runtime_dir, pid_t init_pid);

/**
 * attribute_ready() - take what the egress says, look for who made it, answer
 *
 * At most ATTRIBUTE_A_SECOND look-ups a second: a flood keeps its makers to itself.
 *
 * Return: 0; -EPIPE when the egress is gone, or took us for too slow: stop watching then.
 */
int attribute_ready(struct attribute *a);

void attribute_end(struct attribute *a);
