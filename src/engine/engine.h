/* SPDX-License-Identifier: Apache-2.0 */
/* engine/engine.h - what an engine must do: start a contained session, stay with it, leave nothing
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "engine/publish.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** enum engine_mode - what is promised: containment, or none at all (docker.sock and the host's network) */
enum engine_mode { ENGINE_CONTAIN, ENGINE_DOOD };

/** enum engine_topology - how the docker engine's networks lie; docker-compose.*.yml say which */
enum engine_topology { ENGINE_BRIDGE, ENGINE_SEALED };

#define ENGINE_AGENT_IMAGE "drydock:latest"

/** struct engine_mount - a host path shown at its own place */
struct engine_mount {
	const char *path; /* absolute */
	bool is_writable;
	bool is_optional; /* skipped when the host does not have it */
};

/**
 * struct engine_request - a session to run; all borrowed until engine->end()
 * @state_dir:	of the session: holds `policy`; audit.jsonl and egress.log are written there
 * @runtime_dir: of the session: the control socket is made there
 * @home, @project, @cwd: absolute real paths; @project NULL for none
 * @trust_dir:	records of what the user agreed to (config/trust.h); NULL for none
 * @argv, @envp: complete
 * @as_root:	started by root and the agent keeps that identity
 * @has_egress:	false: lo and nothing else
 * @resolver, @hosts, @ask_ms: see engine/egress.h
 * @mode, @topology, @image: of the docker engine; @image NULL for ENGINE_AGENT_IMAGE
 */
struct engine_request {
	const char *session_id;
	const char *state_dir;
	const char *runtime_dir;
	const char *home;
	const char *project;
	const char *cwd;
	const char *trust_dir;
	const struct engine_mount *mounts;
	size_t n_mounts;
	char *const *argv;
	char *const *envp;
	bool as_root;
	bool has_egress;
	bool wants_pty;
	const char *resolver;
	const char *hosts;
	uint64_t ask_ms;
	uint64_t memory_bytes;
	uint32_t max_pids;
	uint32_t cpu_percent;
	enum engine_mode mode;
	enum engine_topology topology;
	const char *image;
	const struct publish_port *publish; /* native only */
	size_t n_publish;
};

/**
 * struct engine_watch - what happens while it runs
 * @timeout_ms:	0 for none
 * @notice:	called with one line for the user
 */
struct engine_watch {
	uint64_t timeout_ms;
	void (*notice)(void *arg, const char *text);
	void *arg;
};

/**
 * struct engine_result - how it ended
 * @exit_code:	of the agent, 128+N after signal N
 * @egress_died: before the agent ended
 */
struct engine_result {
	int exit_code;
	bool timed_out;
	bool egress_died;
};

struct engine_session; /* a running one; each engine has its own */

/**
 * struct engine - the calls, in their order
 * @plan:	what start would do, in lines for people; touches nothing
 * @start:	0 when the agent runs; else nothing is left running. *out_exec_errno is not 0 when
 *all was ready but the command itself could not be executed: nothing runs then, and *out is NULL
 * @pid:	of the session's first process, as the host sees it; 0 when the engine keeps that to itself
 * @layers:	one line for the banner
 * @stay:	until the agent ends; its processes are gone then
 * @end:	end the egress, report what appeared in protected places through watch->notice, free.
 *NULL is fine
 */
struct engine {
	const char *name;
	int (*plan)(const struct engine_request *request, struct buf *out, struct err *err);
	int (*start)(const struct engine_request *request, struct engine_session **out,
		     int *out_exec_errno, struct err *err);
	pid_t (*pid)(const struct engine_session *session);
	const char *(*layers)(const struct engine_session *session);
	int (*stay)(struct engine_session *session, const struct engine_watch *watch,
		    struct engine_result *out, struct err *err);
	void (*end)(struct engine_session *session, const struct engine_watch *watch);
};

extern const struct engine engine_native;
extern const struct engine engine_docker; /* mode contain */
extern const struct engine engine_dood;   /* mode dood: no containment */
