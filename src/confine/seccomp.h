/* SPDX-License-Identifier: Apache-2.0 */
/* confine/seccomp.h - system call filters, compiled to BPF when drydock is built */
#pragma once
#include "base/err.h"

#include <linux/filter.h>
#include <stddef.h>

/** struct seccomp_program - a filter as the kernel takes it */
struct seccomp_program {
	const struct sock_filter *insns;
	size_t n;
};

/* Made by confine/gen from the .def table beside each process's sandbox.c. */
extern const struct seccomp_program seccomp_agent;    /* what runs inside: default allow, listed calls refused */
extern const struct seccomp_program seccomp_jail_init;     /* pid 1 of a jail */
extern const struct seccomp_program seccomp_worker;   /* default kill, listed calls kept */
extern const struct seccomp_program seccomp_broker;
extern const struct seccomp_program seccomp_resolver;

/**
 * seccomp_install() - no_new_privs, then the filter, for every thread (TSYNC); cannot be undone
 *
 * Return: 0 or a negative errno value.
 */
int seccomp_install(const struct seccomp_program *program, struct err *err);
