/* SPDX-License-Identifier: Apache-2.0 */
/* base/proc.h - starts a child with exactly the descriptors named; waits by pidfd */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROC_MAX_FDS = 16 };

/**
 * struct proc_spec - what to start
 * @exe_fd:	descriptor of the program; it is executed by descriptor, never looked up by path
 * @path:	instead of @exe_fd: the program's absolute path. For programs of others, which may be scripts (a script
 *		cannot be executed by a descriptor that closes on exec); NULL otherwise
 * @argv:	NULL-terminated
 * @envp:	NULL-terminated; exactly this environment
 * @fds:	child descriptor i is a duplicate of fds[i]; -1 leaves number i closed. Everything
 *		else is closed in the child
 * @n_fds:	at most PROC_MAX_FDS
 * @dies_with_parent: SIGKILL the child when the thread that started it ends (PR_SET_PDEATHSIG)
 */
struct proc_spec {
	int exe_fd;
	const char *path;
	char *const *argv;
	char *const *envp;
	const int *fds;
	size_t n_fds;
	bool dies_with_parent;
};

/**
 * proc_start_time() - when a process began, in ticks since boot: with its number it names one process
 *
 * Source: proc_pid_stat(5), field 22. Return: 0; -ESRCH when there is no such process.
 */
int proc_start_time(pid_t pid, uint64_t *out, struct err *err);

/**
 * proc_start() - fork, place the descriptors, execveat()
 *
 * Signal mask is emptied and handlers are default in the child. A failed exec is reported here (by a
 * close-on-exec pipe), not by a strange exit status.
 *
 * Return: 0 with *out_pid and *out_pidfd (owned by the caller; CLOEXEC); or a negative errno value.
 */
int proc_start(const struct proc_spec *spec, pid_t *out_pid, int *out_pidfd, struct err *err);
