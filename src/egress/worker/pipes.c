/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/worker/pipes.h"
#include "base/own.h"

#include <fcntl.h>

static bool make(struct pipe_pair *out)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	/* refused to users who own many pages of pipes already: a smaller one does too, and copying does */
	if (fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES) < 0 &&
	    fcntl(ends[1], F_SETPIPE_SZ, PIPE_LEAST_BYTES) < 0) {
		(void)close(ends[0]);
		(void)close(ends[1]);
		return false;
	}
	*out = (struct pipe_pair){.in = ends[1], .out = ends[0]};
	return true;
}

bool pipes_lend(struct pipes *p, struct pipe_pair *out)
{
	if (p->n_idle) {
		*out = p->idle[--p->n_idle];
		return true;
	}
	if (p->n_made == PIPES_MAX || !make(out))
		return false;
	p->n_made++;
	return true;
}

void pipes_return(struct pipes *p, struct pipe_pair *pair, bool is_empty)
{
	if (pair->in < 0)
		return;
	if (is_empty) {
		p->idle[p->n_idle++] = *pair;
	} else {
		(void)close(pair->in);
		(void)close(pair->out);
		p->n_made--;
	}
	*pair = (struct pipe_pair){-1, -1};
}

void pipes_drop(struct pipes *p)
{
	for (size_t i = 0; i < p->n_idle; i++) {
		(void)close(p->idle[i].in);
		(void)close(p->idle[i].out);
	}
	*p = (struct pipes){0};
}
