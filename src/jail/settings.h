/* SPDX-License-Identifier: Apache-2.0 */
/* jail/settings.h - what a native session is to look like: input of the plan */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum jail_net {
	JAIL_NET_PROXY, /* every address leads to the egress */
	JAIL_NET_NONE,	/* lo up and nothing else */
};

/** struct jail_mount - one host path shown inside at @inside (usually the same) */
struct jail_mount {
	const char *host;
	const char *inside;
	bool is_writable;
	bool is_optional; /* skipped when the host does not have it */
};

/**
 * struct jail_settings - all pointers borrowed, valid until jail_start() returned
 * @uid, @gid:	of the caller on the host; the agent's files are owned by these
 * @agent_uid, @agent_gid: ids the agent runs under as the host sees them: the caller's own, or an unallocated
 *		id when the caller is root of the initial user namespace and --as-root was not given
 * @is_unnamed:	/etc/passwd has no name for @agent_uid: the session's own one has
 * @home:	absolute; a fresh tmpfs inside, except what @mounts puts there
 * @project:	absolute real path, shown read-write at its own path; NULL for none
 * @cwd:	absolute; must be visible inside
 * @mounts:	further mounts, in order (toolchains, agent state, --mount, the command's own installation)
 * @protected:	further entries that run on the host later: .git/modules/X/hooks ...; relative to the project, or absolute
 *		below a mount
 * @masks:	paths inside that are covered by nothing: credentials within a toolchain that is shown
 * @argv:	argv[0] is searched in PATH of @envp inside the jail unless it holds a slash
 * @envp:	complete environment
 * @wants_pty:	give the agent its own terminal
 * @session_dir: host folder (0700) where what must leave the project is moved
 */
struct jail_settings {
	const char *session_id;
	uid_t uid, agent_uid;
	gid_t gid, agent_gid;
	bool as_root;
	bool is_unnamed;
	const char *home;
	const char *project;
	const char *cwd;
	const char *session_dir;
	const struct jail_mount *mounts;
	size_t n_mounts;
	const char *const *protected;
	size_t n_protected;
	const char *const *masks;
	size_t n_masks;
	char *const *argv;
	char *const *envp;
	enum jail_net net;
	bool wants_pty;
	uint64_t memory_bytes; /* 0: no limit asked for */
	uint32_t max_pids;     /* 0: default 4096 */
	uint32_t cpu_percent;  /* 200 is two cores; 0: no limit asked for */
};
