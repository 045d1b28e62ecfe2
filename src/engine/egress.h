/* SPDX-License-Identifier: Apache-2.0 */
/* engine/egress.h - starts and ends the egress proxy of a session */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct egress - a running drydock-egress; start from `struct egress e = EGRESS_NONE;`
 * @jail_fd:	our end of the socket pair: goes to jail_start()
 */
struct egress {
	pid_t pid;
	int pidfd;
	int jail_fd;
};
#define EGRESS_NONE                                                                                \
	{                                                                                          \
		.pid = -1, .pidfd = -1, .jail_fd = -1                                              \
	}

/**
 * struct egress_spec - borrowed
 * @state_dir:	of the session: policy is read, audit.jsonl and egress.log are written here
 * @runtime_dir: of the session: the control socket is made here, as ctl.sock; NULL for none
 * @ask_ms:	how long a name without a rule waits for the user; 0: not at all
 * @resolver:	"ADDR:PORT" instead of the servers of /etc/resolv.conf; NULL for those
 * @hosts:	file instead of /etc/hosts; NULL for that
 */
struct egress_spec {
	const char *session_id;
	const char *state_dir;
	const char *runtime_dir;
	uint64_t ask_ms;
	const char *resolver;
	const char *hosts;
};

/**
 * egress_start() - start `drydock-egress serve`
 *
 * The program is the one beside this one, or the one in libexec; PATH is never asked. It dies with
 * the calling thread. Returns at once: it is ready when the jail is told so (READY on @jail_fd).
 */
int egress_start(const struct egress_spec *spec, struct egress *out, struct err *err);

/** egress_end() - end it and wait, so that its last records are written; fine when nothing runs */
void egress_end(struct egress *egress);

/** egress_tidy() - remove egress.log when nothing was said in it, and files of the audit log that were not needed */
void egress_tidy(const char *state_dir);

/** egress_explain() - put the last line of egress.log, if there is one, into @err */
void egress_explain(const struct egress_spec *spec, struct err *err);

/**
 * egress_open_program() - the drydock-egress beside this program, or the one in libexec; PATH is never asked
 * @flags:	O_PATH to execute it, O_RDONLY to read it
 *
 * Return: a descriptor, or -1 with @err.
 */
int egress_open_program(int flags, struct err *err);

/** egress_self_dir() - the folder this program was started from; for what is installed beside it */
int egress_self_dir(char *out, size_t max, struct err *err);
