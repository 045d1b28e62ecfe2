/* SPDX-License-Identifier: Apache-2.0 */
/* tests/hostile/rig.h - the real broker process, with this program in the place of its worker and its resolver */
/*
 * The broker executes its peers from the descriptor it was given. Here that is the test program itself: started as a
 * peer, it hands its channels to the test and then only waits for its end. So the test holds the worker's and the
 * resolver's ends, and on the other side is the program as it is shipped, with its filter on.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** struct rig - one life of the broker */
struct rig {
	pid_t broker;
	int links[2];			      /* to the two stand-ins */
	int worker_fd, names_fd, sockets_fd; /* the peers' ends, non-blocking */
	int log_fd;			      /* what the broker said on stderr */
};

/**
 * rig_start() - start @egress as a broker and return once both peers have handed over their channels
 * @audit_fd:	audit log, in append mode
 * @dns:	ADDRESS:PORT of the one configured DNS server
 * Ends the program when anything fails: nothing was tested then.
 */
void rig_start(struct rig *r, const char *egress, const char *rules, int audit_fd, const char *dns);

/** rig_has_ended() - is the broker gone? @out_status as from waitpid() */
bool rig_has_ended(struct rig *r, int wait_ms, int *out_status);

/** rig_said() - the broker's diagnostics so far */
void rig_said(const struct rig *r, char *out, size_t bytes);

/** rig_drop() - kill what is left, close everything */
void rig_drop(struct rig *r);

/** rig_count_fds() / rig_anon_kib() - of the broker; -1 when this user may not look */
int rig_count_fds(const struct rig *r);
long rig_anon_kib(const struct rig *r);

/** rig_stand_in() - what this program does when the broker executes it: "worker" or "resolver" */
int rig_stand_in(const char *role);
