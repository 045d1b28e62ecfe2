/* SPDX-License-Identifier: Apache-2.0 */
/* jail/plan.h - settings to an ordered list of steps; pure, so it can be printed and tested */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "jail/settings.h"

/** enum step_kind - what one step puts at step.inside, a path of the new root */
enum step_kind {
	STEP_TMPFS,    /* an empty file system of its own; size_bytes bounds it */
	STEP_DIR,      /* a folder, in a file system made by an earlier step */
	STEP_LINK,     /* a symbolic link to step.host (text, not followed) */
	STEP_BIND,     /* the host's step.host, read-only unless is_writable */
	STEP_PROTECT,  /* what is there already, read-only from here on (bound over itself) */
	STEP_PIN,      /* what is there already, bound over itself so that it cannot be renamed away */
	STEP_MASK,     /* an empty file or folder over what is there, so that it cannot be read or connected to */
	STEP_PROC,     /* a fresh /proc, what could change the machine read-only or masked */
	STEP_SYS,      /* a fresh /sys, read-only: it shows only this network namespace */
	STEP_DEV,      /* /dev with null, zero, full, random, urandom, tty, its own pts and shm */
	STEP_FILE,     /* a read-only file with the text step.host, over whatever is there, a dangling link too */
	STEP_KINDS,
};

/**
 * struct step
 * @inside:	absolute path in the jail; owned
 * @host:	STEP_BIND, STEP_LINK, STEP_FILE: see above; owned, else NULL
 * @is_idmapped: files appear as the agent's (root's sessions only)
 * @is_optional: skipped when the host has no such thing; or, over something read-only, when there is no place
 */
struct step {
	enum step_kind kind;
	char *inside;
	char *host;
	bool is_writable;
	bool is_idmapped;
	bool is_optional;
	uint64_t size_bytes;
};

/** struct plan - steps in order; each needs only those before it */
struct plan {
	struct step *steps;
	size_t n_steps;
};

/**
 * plan_make() - the steps that build a jail
 * @sockets, @n_sockets: host paths of listening UNIX sockets (jail/sockets.h reads /proc/net/unix)
 *
 * Mounts and the project come parents first, whatever their order in @settings; of two at the same path the later one
 * lies on top. Every path at which a read-only mount shows a socket is masked.
 * Refuses (negative errno, @err with the fix): a project that is "/", the home, an ancestor of it, part of the system or
 * a folder shared by all users (/tmp); a relative path; a mount that shows the whole home or /.
 */
int plan_make(const struct jail_settings *settings, const char *const *sockets, size_t n_sockets,
	      struct plan **out, struct err *err);
void plan_free(struct plan *plan);

/** plan_print() - one line a step, for `drydock run --dry-run` */
void plan_print(const struct plan *plan, struct buf *out);

/** plan_protected() - the NULL-terminated list of project paths that run on the host later (relative) */
extern const char *const plan_protected[];
