/* SPDX-License-Identifier: Apache-2.0 */
/* egress/worker/pipes.h - a few large pipes, lent out only while bytes are in flight */
/*
 * The kernel lets one user own 16384 pages of pipes (pipe(7), pipe-user-pages-soft) before new ones shrink to two
 * pages, so a pipe a connection would spoil it for everybody after 500 connections.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PIPES_MAX = 32, PIPE_BYTES = 1 << 20, PIPE_LEAST_BYTES = 64 * 1024 };

struct pipe_pair {
	int in, out; /* written to and read from */
};

struct pipes {
	struct pipe_pair idle[PIPES_MAX];
	size_t n_idle, n_made;
};

/** pipes_lend() - an empty pipe; false when all are lent or the kernel gives none of useful size */
bool pipes_lend(struct pipes *p, struct pipe_pair *out);

/** pipes_return() - give it back; one that still holds bytes (@is_empty false) is closed, never lent again */
void pipes_return(struct pipes *p, struct pipe_pair *pair, bool is_empty);

void pipes_drop(struct pipes *p);
