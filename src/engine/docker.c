/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order: look at networks and images; make the session's folders and its compose file; let compose create every container
 * and start none; compare what docker made of it; start the sidecar; when it says that it is well, the session is ready.
 * The agent starts in engine->stay, attached to this terminal by docker itself, and is compared once more while it runs.
 * Whatever happens after the first container was created, all of them are removed again; networks never are.
 */
#include "engine/docker.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/own.h"
#include "base/proc.h"
#include "engine/compose.h"
#include "engine/docker_check.h"
#include "engine/docker_cli.h"
#include "engine/docker_file.h"
#include "engine/docker_image.h"
#include "engine/docker_left.h"
#include "engine/docker_net.h"
#include "engine/egress.h"
#include "engine/guard.h"
#include "egress/wire/control.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum {
	TOKEN_BYTES = 16,
	HEALTH_LIMIT_MS = 15000,
	HEALTH_STEP_MS = 5,
	HEALTH_LOOK_MS = 500,
	CHECK_STEP_MS = 150,
	GRACE_MS = 10000,
	TWICE_MS = 2000,
	SIDECAR_UID = 65534,
	PORTS_TEXT_BYTES = 256,
};

/* Pressing these by chance is not likely; detaching would leave an agent that nobody sees. */
#define DETACH_KEYS "ctrl-@,ctrl-_,ctrl-@,ctrl-_,ctrl-^"

struct engine_session {
	struct docker_cli cli;
	struct docker_mounts mounts;
	enum engine_mode mode;
	enum engine_topology topology;
	char agent[COMPOSE_NAME_BYTES], sidecar[COMPOSE_NAME_BYTES], holder[COMPOSE_NAME_BYTES];
	char control[PATH_MAX + 64]; /* path of the control socket; "" without egress */
	char state_dir[PATH_MAX], project[PATH_MAX];
	char layers[256];
	struct guard guard;
	enum docker_stdin input;
	struct tool_args compose; /* the call up to the subcommand, and its environment: for an agent that reads a stream */
	struct env compose_env;
};

/* ---- what a session is made of ---- */

/* The texts that the variables of the compose files point into. */
struct texts {
	char user[32], sidecar_user[32], owner[128], token[2 * TOKEN_BYTES + 1], subnet[DOCKER_NET_SUBNET_BYTES];
	char policy[PATH_MAX + 32], egress_dir[PATH_MAX + 32], sock_dir[PATH_MAX + 32], file[PATH_MAX + 32];
	char ports[PORTS_TEXT_BYTES], docker_sock[PATH_MAX], docker_gid[16];
};

static int make_token(char out[2 * TOKEN_BYTES + 1], struct err *err)
{
	unsigned char bytes[TOKEN_BYTES];
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return err_set(err, errno, "making the session's token");
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

void docker_owner(char out[128])
{
	char boot[64] = "", stat_text[512] = "";
	unsigned long long started = 0;
	AUTO(file) FILE *boot_file = fopen("/proc/sys/kernel/random/boot_id", "re");
	AUTO(file) FILE *stat_file = fopen("/proc/self/stat", "re");
	if (!boot_file || !fgets(boot, sizeof(boot), boot_file))
		boot[0] = '\0'; /* the label then protects nothing */
	if (stat_file && fgets(stat_text, sizeof(stat_text), stat_file)) {
		/* field 22, counted behind the name, which may hold anything */
		const char *p = strrchr(stat_text, ')');
		for (int i = 0; p && i < 20; i++)
			p = strchr(p + 1, ' ');
		started = p ? strtoull(p + 1, NULL, 10) : 0;
	}
	(void)snprintf(out, 128, "%.*s:%d:%llu", (int)strcspn(boot, "\n"), boot, (int)getpid(), started);
}

/* A folder of the session that the sidecar writes into. */
static int make_folder(const char *path, uid_t owner, struct err *err)
{
	if (mkdir(path, 0700) < 0)
		return err_set(err, errno, "making folder '%s'", path);
	if (owner != geteuid() && chown(path, owner, owner) < 0)
		return err_set(err, errno, "giving '%s' to the sidecar", path);
	return 0;
}

/*
 * The sidecar sees its own folder only. The log has a second name in the session's folder, where `log` reads it and
 * where the sidecar cannot take it away; the control socket is where commands look for it.
 */
static int make_egress_dir(const struct engine_request *r, const struct texts *t, uid_t owner, struct err *err)
{
	/* what the log is continued in when it is full (egress/broker/audit.h) */
	static const char *const logs[] = {"audit.jsonl", "audit.jsonl.1", "audit.jsonl.2", "audit.jsonl.3"};
	char inside[PATH_MAX + 64], outside[PATH_MAX + 64], control[PATH_MAX + 64], socket_link[PATH_MAX + 64];

	int rc = make_folder(t->egress_dir, owner, err);
	if (rc < 0)
		return rc;
	(void)snprintf(control, sizeof(control), "%s/ctl.sock", t->egress_dir);
	(void)snprintf(socket_link, sizeof(socket_link), "%s/ctl.sock", r->runtime_dir);
	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		(void)snprintf(inside, sizeof(inside), "%s/%s", t->egress_dir, logs[i]);
		(void)snprintf(outside, sizeof(outside), "%s/%s", r->state_dir, logs[i]);
		AUTO(fd) int log = open(outside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (log < 0 || (owner != geteuid() && fchown(log, owner, owner) < 0))
			return err_set(err, errno, "making the audit log '%s'", outside);
		if (link(outside, inside) < 0)
			return err_set(err, errno, "giving the audit log '%s' a second name", outside);
	}
	if (symlink(control, socket_link) < 0)
		return err_set(err, errno, "making '%s'", socket_link);
	/* whom the file is mounted for may not be its owner; the folder above stays closed to others */
	if (owner != geteuid() && chmod(t->policy, 0644) < 0)
		return err_set(err, errno, "making '%s' readable for the sidecar", t->policy);
	return 0;
}

static int refuse_rules(struct span policy, struct err *err)
{
	static const char host_name[] = "host.drydock.internal";
	while (policy.n) {
		const uint8_t *end = memchr(policy.p, '\n', policy.n);
		size_t n = end ? (size_t)(end - policy.p) : policy.n;
		if (n > 6 && !memcmp(policy.p, "allow ", 6) && memmem(policy.p, n, host_name, sizeof(host_name) - 1)) {
			(void)err_set(err, 0, "a rule opens %s: from a container the host's loopback is not reached", host_name);
			(void)err_fix(err, "leave out the rule, or --engine docker");
			return -EPERM;
		}
		n += end != NULL;
		policy = span_make(policy.p + n, policy.n - n);
	}
	return 0;
}

/* Adds the ports of one rule's subject, HOST:PORT,PORT; the holder listens on each. */
static void add_ports(struct span subject, bool wanted[65536])
{
	const uint8_t *colon = subject.n ? memrchr(subject.p, ':', subject.n) : NULL;
	const uint8_t *p = colon ? colon + 1 : subject.p + subject.n;
	const uint8_t *end = subject.p + subject.n;
	unsigned port = 0;

	for (const uint8_t *q = p; q < end; q++)
		if (!isdigit(*q) && *q != ',')
			return; /* an IPv6 address without a port, or a range: 443 is there in any case */
	for (; p <= end && colon; p++) {
		if (p < end && isdigit(*p)) {
			port = port < 65536 ? port * 10 + (unsigned)(*p - '0') : port;
			continue;
		}
		if (port > 0 && port < 65536)
			wanted[port] = true;
		port = 0;
	}
}

static int read_ports(struct span policy, char out[PORTS_TEXT_BYTES], struct err *err)
{
	static bool wanted[65536];
	size_t n_put = 0;

	memset(wanted, 0, sizeof(wanted));
	wanted[80] = wanted[443] = true;
	while (policy.n) {
		const uint8_t *end = memchr(policy.p, '\n', policy.n);
		size_t n = end ? (size_t)(end - policy.p) : policy.n;
		if (n > 6 && !memcmp(policy.p, "allow ", 6)) {
			struct span subject = span_make(policy.p + 6, n - 6);
			const uint8_t *space = memchr(subject.p, ' ', subject.n);
			subject.n = space ? (size_t)(space - subject.p) : subject.n;
			add_ports(subject, wanted);
		}
		n += end != NULL;
		policy = span_make(policy.p + n, policy.n - n);
	}
	wanted[53] = wanted[8888] = false; /* always held */
	for (unsigned port = 1; port < 65536; port++) {
		if (!wanted[port])
			continue;
		int len = snprintf(out + n_put, PORTS_TEXT_BYTES - n_put, "%s%u", n_put ? "," : "", port);
		n_put += (size_t)len;
		if (n_put >= PORTS_TEXT_BYTES)
			return err_set(err, E2BIG, "topology sealed: the rules name too many ports to listen on");
	}
	return 0;
}

static int read_policy(const struct engine_request *r, struct texts *t, struct err *err)
{
	AUTO(buf) struct buf policy = {.max = 256 << 20};
	int rc = fs_read(t->policy, &policy, err);
	if (rc == 0)
		rc = refuse_rules(buf_span(&policy), err);
	return rc < 0 || r->topology == ENGINE_BRIDGE ? rc : read_ports(buf_span(&policy), t->ports, err);
}

/* Of the docker that is spoken to, when it is a socket of this machine. */
static void find_docker_socket(struct texts *t)
{
	const char *host = getenv("DOCKER_HOST");
	struct stat st;
	(void)snprintf(t->docker_sock, sizeof(t->docker_sock), "%s",
		       host && !strncmp(host, "unix://", 7) ? host + 7 : "/var/run/docker.sock");
	if (stat(t->docker_sock, &st) == 0)
		(void)snprintf(t->docker_gid, sizeof(t->docker_gid), "%u", st.st_gid);
}

static int make_texts(const struct engine_request *r, struct texts *t, struct compose_spec *spec, struct err *err)
{
	bool is_root = geteuid() == 0;

	(void)snprintf(t->user, sizeof(t->user), "%u:%u", geteuid(), getegid());
	(void)snprintf(t->sidecar_user, sizeof(t->sidecar_user), "%u:%u", is_root ? SIDECAR_UID : geteuid(),
		       is_root ? SIDECAR_UID : getegid());
	docker_owner(t->owner);
	(void)snprintf(t->policy, sizeof(t->policy), "%s/policy", r->state_dir);
	(void)snprintf(t->egress_dir, sizeof(t->egress_dir), "%s/egress", r->state_dir);
	(void)snprintf(t->sock_dir, sizeof(t->sock_dir), "%s/sock", r->state_dir);
	(void)snprintf(t->file, sizeof(t->file), "%s/docker-compose.session.yml", r->state_dir);
	*spec = (struct compose_spec){
		.mode = r->mode,
		.topology = r->topology,
		.session_id = r->session_id,
		.owner = t->owner,
		.user = t->user,
		.image = r->image ? r->image : ENGINE_AGENT_IMAGE,
		.project = r->project ? r->project : r->cwd,
		.cwd = r->cwd,
	};
	if (r->mode == ENGINE_DOOD) {
		find_docker_socket(t);
		spec->docker_sock = t->docker_sock;
		spec->docker_gid = t->docker_gid[0] ? t->docker_gid : NULL;
		return 0;
	}
	spec->sidecar_user = t->sidecar_user;
	spec->token = t->token;
	spec->policy = t->policy;
	spec->egress_dir = t->egress_dir;
	spec->inner_subnet = r->topology == ENGINE_BRIDGE ? t->subnet : NULL;
	spec->sock_dir = r->topology == ENGINE_SEALED ? t->sock_dir : NULL;
	spec->ports = r->topology == ENGINE_SEALED ? t->ports : NULL;
	int rc = make_token(t->token, err);
	return rc < 0 ? rc : read_policy(r, t, err);
}

/* ---- preparing ---- */

static int check_request(const struct engine_request *r, struct err *err)
{
	if (!r->project) {
		(void)err_set(err, 0, "the docker engine needs a project folder");
		return -EPERM;
	}
	if (strpbrk(r->project, ":\n") || strpbrk(r->cwd, ":\n"))
		return err_set(err, 0, "the path '%s' holds ':', which docker's mounts cannot say", r->cwd);
	return 0;
}

static int check_agent_image(struct tool *asked, const char *ref, struct err *err)
{
	char id[IMAGE_ID_BYTES];
	int rc = docker_image_read_id(asked, id, err);
	if (rc != 1)
		return rc;
	(void)err_set(err, 0, "the agent's image '%s' is not there", ref);
	if (!strcmp(ref, ENGINE_AGENT_IMAGE))
		(void)err_fix(err, "make it: drydock build --agent, or name another: --image REF");
	else
		(void)err_fix(err, "docker pull %s", ref);
	return -ENOENT;
}

static int ready_networks(const struct engine_request *r, const struct docker_cli *cli, struct texts *t, struct err *err)
{
	char lock_dir[PATH_MAX];

	(void)snprintf(lock_dir, sizeof(lock_dir), "%s", r->runtime_dir);
	char *slash = strrchr(lock_dir, '/');
	if (slash)
		*slash = '\0';
	return docker_net_ready(cli, r->topology, lock_dir, t->subnet, err);
}

/* The questions are asked at once: each costs a process of docker's, and most of that is waiting. */
static int preflight(const struct engine_request *r, const struct docker_cli *cli, struct texts *t,
		     const struct compose_spec *spec, struct err *err)
{
	struct tool version = TOOL_NONE, agent = TOOL_NONE, sidecar = TOOL_NONE;
	bool is_contained = r->mode == ENGINE_CONTAIN;
	char text[32];

	int rc = docker_cli_ask_version(cli, &version, err);
	if (rc == 0)
		rc = docker_image_ask_id(cli, spec->image, &agent, err);
	if (rc == 0 && is_contained)
		rc = docker_image_ask_id(cli, IMAGE_NAME, &sidecar, err);
	if (rc == 0)
		rc = docker_cli_read_version(&version, text, err);
	if (rc == 0)
		rc = check_agent_image(&agent, spec->image, err);
	if (rc == 0 && is_contained)
		rc = ready_networks(r, cli, t, err);
	if (rc == 0 && is_contained)
		rc = docker_image_ready(cli, &sidecar, err);
	tool_drop(&version);
	tool_drop(&agent);
	tool_drop(&sidecar);
	return rc;
}

static int write_file(const struct engine_request *r, const struct texts *t, const struct docker_mounts *mounts,
		      enum compose_kind kind, enum docker_stdin input, struct err *err)
{
	AUTO(buf) struct buf text = {.max = DOCKER_FILE_MAX_BYTES};
	const char *const bound[] = {t->policy, t->egress_dir, r->topology == ENGINE_SEALED ? t->sock_dir : NULL, NULL};
	const struct docker_file file = {
		.request = r,
		.mounts = mounts,
		.kind = kind,
		.input = input,
		.user = t->user,
		.bound = r->mode == ENGINE_CONTAIN ? bound : NULL,
	};
	int rc = docker_file_put(&file, &text, err);
	return rc < 0 ? rc : fs_replace(t->file, buf_span(&text), 0600, err);
}

static int prepare_folders(const struct engine_request *r, const struct texts *t, struct err *err)
{
	uid_t owner = geteuid() == 0 ? SIDECAR_UID : geteuid();
	if (r->mode == ENGINE_DOOD)
		return 0;
	int rc = make_egress_dir(r, t, owner, err);
	return rc < 0 || r->topology == ENGINE_BRIDGE ? rc : make_folder(t->sock_dir, owner, err);
}

/* ---- compose and docker ---- */

/* What every call of compose for this session begins with. */
static int make_compose(struct engine_session *s, const struct compose *compose, const struct compose_spec *spec,
			const char *file, struct err *err)
{
	int rc = tool_env(environ, &s->compose_env, err);
	if (rc == 0)
		rc = compose_vars(spec, environ, &s->compose_env, err);
	return rc < 0 ? rc : compose_args(compose, spec, file, &s->compose, err);
}

static void copy_args(const struct tool_args *from, struct tool_args *to)
{
	*to = (struct tool_args){.is_cut = from->is_cut};
	for (size_t i = 0; i < from->n; i++)
		tool_args_add(to, from->items[i], NULL);
}

/* Creates what compose has to, and starts nothing. @agent, @others: which of the two. */
static int create(struct engine_session *s, bool agent, bool others, struct err *err)
{
	static struct tool_args args; /* big; used and dropped here */
	struct tool tool;
	int status = 0;

	copy_args(&s->compose, &args);
	tool_args_add(&args, "up", "--no-start", "--no-build", NULL);
	if (!agent)
		tool_args_add(&args, "drydock-egress", s->topology == ENGINE_SEALED ? "drydock-net" : NULL, NULL);
	else if (!others)
		tool_args_add(&args, "--no-deps", "drydock", NULL);
	int rc = tool_run("compose", &args, s->compose_env.vars, &tool, &status, err);
	tool_args_drop(&args);
	if (rc == 0) {
		rc = status ? tool_complain(&tool, err) : 0;
		tool_drop(&tool);
	}
	return rc;
}

static int start_egress(struct engine_session *s, struct err *err)
{
	static struct tool_args args; /* big; used and dropped here */
	struct tool tool;
	bool is_sealed = s->topology == ENGINE_SEALED;

	docker_cli_begin(&s->cli, &args, "start", is_sealed ? s->holder : s->sidecar, is_sealed ? s->sidecar : NULL, NULL);
	int rc = docker_cli_call(&s->cli, &args, &tool, NULL, err);
	if (rc < 0)
		return err_add(err, "starting the sidecar");
	tool_drop(&tool);
	return 0;
}

/* Its last words are the reason. */
static int explain_sidecar(struct engine_session *s, struct err *err)
{
	static struct tool_args args; /* big; used and dropped here */
	struct tool tool;

	docker_cli_begin(&s->cli, &args, "logs", "--tail", "3", s->sidecar, NULL);
	if (docker_cli_call(&s->cli, &args, &tool, NULL, err) < 0)
		return err->code;
	tool.name = "the sidecar is not well";
	int rc = tool_complain(&tool, err);
	tool_drop(&tool);
	return rc;
}

/* Does the proxy answer on its control socket? It opens that one when its listeners are there. */
static bool is_well(const struct engine_session *s)
{
	int status_fd = -1;
	AUTO(fd) int control = control_connect(s->control, NULL);
	bool answers = control >= 0 &&
		       control_ask(control, CONTROL_STATUS, 0, span_of(""), -1, &status_fd, NULL, NULL) == 0;
	fd_drop(&status_fd);
	return answers;
}

/* 1 while it runs, 0 when it does not, or a negative errno value. */
static int sidecar_runs(const struct engine_session *s, struct err *err)
{
	static struct tool_args args; /* big; used and dropped here */
	struct tool tool;

	docker_cli_begin(&s->cli, &args, "inspect", "--type", "container", "--format", "{{.State.Running}}", s->sidecar,
			 NULL);
	int rc = docker_cli_call(&s->cli, &args, &tool, NULL, err);
	if (rc < 0)
		return rc;
	rc = span_is(tool_trim(buf_span(&tool.out)), "true");
	tool_drop(&tool);
	return rc;
}

/* The engine's own health check would look only after its first interval; so the proxy is asked here. */
static int wait_healthy(struct engine_session *s, struct err *err)
{
	uint64_t begin_ms = clock_now_ms(), look_ms = begin_ms + HEALTH_LOOK_MS;

	while (!is_well(s)) {
		uint64_t now_ms = clock_now_ms();
		if (now_ms >= begin_ms + HEALTH_LIMIT_MS)
			return explain_sidecar(s, err);
		if (now_ms >= look_ms) {
			int rc = sidecar_runs(s, err);
			if (rc <= 0)
				return rc < 0 ? rc : explain_sidecar(s, err);
			look_ms = clock_now_ms() + HEALTH_LOOK_MS;
		}
		(void)poll(NULL, 0, HEALTH_STEP_MS); /* woken early it asks early */
	}
	return 0;
}

/* Containers go, whatever state they are in; one that is missing is fine. */
static void remove_all(struct engine_session *s)
{
	static struct tool_args args; /* big; used and dropped here */
	struct tool tool;
	int status;

	docker_cli_begin(&s->cli, &args, "rm", "--force", "--volumes", s->agent, NULL);
	if (s->mode == ENGINE_CONTAIN)
		tool_args_add(&args, s->sidecar, s->topology == ENGINE_SEALED ? s->holder : NULL, NULL);
	if (docker_cli_call(&s->cli, &args, &tool, &status, NULL) == 0)
		tool_drop(&tool);
}

static struct docker_expect expectation(const struct engine_session *s)
{
	return (struct docker_expect){.topology = s->topology,
				      .agent = s->agent,
				      .sidecar = s->sidecar,
				      .holder = s->holder,
				      .mounts = &s->mounts};
}

/* v1 attaches a container to its second network only when it starts it itself; docker_check() then sees both. */
static int attach_second(struct engine_session *s, struct err *err)
{
	static const char *const both[] = {DOCKER_NET_INNER, DOCKER_NET_OUTER};
	static struct tool_args args; /* big; used and dropped here */

	for (size_t i = 0; i < 2; i++) {
		struct tool tool;
		int status = 0;
		docker_cli_begin(&s->cli, &args, "network", "connect", both[i], s->sidecar, NULL);
		int rc = docker_cli_call(&s->cli, &args, &tool, &status, err);
		if (rc < 0)
			return rc;
		bool is_there = tool.err.n && memmem(tool.err.p, tool.err.n, "already exists in network", 25);
		rc = status && !is_there ? tool_complain(&tool, err) : 0;
		tool_drop(&tool);
		if (rc < 0 || status == 0)
			return rc;
	}
	return 0;
}

/*
 * An agent that reads a stream comes later, by `run`. v1 gives a container the network of another one only when that
 * runs, so its sealed agent is created after the holder was started.
 */
static int bring_up(struct engine_session *s, enum compose_kind kind, struct err *err)
{
	const struct docker_expect expect = expectation(s);
	bool by_run = s->input == DOCKER_STDIN_STREAM, is_contained = s->mode == ENGINE_CONTAIN;
	bool is_late = !by_run && is_contained && kind == COMPOSE_V1 && s->topology == ENGINE_SEALED;

	int rc = is_contained || !by_run ? create(s, !by_run && !is_late, true, err) : 0;
	if (rc == 0 && is_contained && s->topology == ENGINE_BRIDGE && kind == COMPOSE_V1)
		rc = attach_second(s, err);
	if (rc == 0 && is_contained)
		rc = docker_check(&s->cli, &expect, !by_run && !is_late, NULL, err);
	if (rc == 0 && is_contained)
		rc = start_egress(s, err);
	if (rc == 0 && is_contained)
		rc = wait_healthy(s, err);
	if (rc == 0 && is_late)
		rc = create(s, true, false, err);
	if (rc == 0 && is_late)
		rc = docker_check(&s->cli, &expect, true, NULL, err);
	if (rc < 0)
		remove_all(s);
	return rc;
}

static void session_free(struct engine_session *s)
{
	guard_drop(&s->guard);
	docker_mounts_drop(&s->mounts);
	docker_cli_drop(&s->cli);
	tool_args_drop(&s->compose);
	env_drop(&s->compose_env);
	free(s);
}

static void describe(struct engine_session *s)
{
	if (s->mode == ENGINE_DOOD)
		(void)snprintf(s->layers, sizeof(s->layers), "none: docker.sock and the host's network");
	else
		(void)snprintf(s->layers, sizeof(s->layers),
			       "container %s caps:hardening-set no_new_privs sidecar:caps:0,read-only",
			       s->topology == ENGINE_SEALED ? "sealed(lo only)" : "bridge(drydock_internal only)");
}

static bool is_null(int fd)
{
	struct stat st, null;
	return fstat(fd, &st) == 0 && stat("/dev/null", &null) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == null.st_rdev;
}

static struct engine_session *session_make(const struct engine_request *r)
{
	struct engine_session *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->guard = (struct guard)GUARD_NONE;
	s->mode = r->mode;
	s->topology = r->topology;
	s->input = r->wants_pty ? DOCKER_STDIN_TTY : is_null(STDIN_FILENO) ? DOCKER_STDIN_NONE : DOCKER_STDIN_STREAM;
	compose_name(r->session_id, COMPOSE_AGENT, s->agent);
	compose_name(r->session_id, COMPOSE_SIDECAR, s->sidecar);
	compose_name(r->session_id, COMPOSE_HOLDER, s->holder);
	(void)snprintf(s->state_dir, sizeof(s->state_dir), "%s", r->state_dir);
	(void)snprintf(s->project, sizeof(s->project), "%s", r->project);
	describe(s);
	return s;
}

/*
 * From the first container on to the last one that is removed no signal may end this process, or they would be left. What
 * comes meanwhile waits for stay; docker's own processes get it, and what they do fails then.
 */
static void block_signals(sigset_t *out)
{
	static const int handled[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	(void)sigemptyset(out);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		(void)sigaddset(out, handled[i]); /* valid numbers: cannot fail */
	(void)sigprocmask(SIG_BLOCK, out, NULL);
}

int docker_start(const struct engine_request *r, struct engine_session **out, int *out_exec_errno, struct err *err)
{
	static struct texts t; /* big, and there is one session */
	struct compose compose;
	struct compose_spec spec;

	sigset_t ignored;

	*out_exec_errno = 0;
	t = (struct texts){0};
	block_signals(&ignored);
	int rc = check_request(r, err);
	if (rc < 0)
		return rc;
	struct engine_session *s = session_make(r);
	if (!s)
		return err_set(err, ENOMEM, "starting the session");
	rc = docker_cli_find(&s->cli, err);
	if (rc == 0)
		rc = compose_find(&compose, err);
	if (rc == 0)
		rc = make_texts(r, &t, &spec, err);
	if (rc == 0)
		rc = preflight(r, &s->cli, &t, &spec, err);
	if (rc == 0)
		rc = docker_mounts_make(r, &s->mounts, err);
	if (rc == 0)
		rc = prepare_folders(r, &t, err);
	if (rc == 0)
		rc = write_file(r, &t, &s->mounts, compose.kind, s->input, err);
	if (rc == 0)
		rc = guard_begin(&s->guard, r, err);
	if (rc == 0) {
		if (r->mode == ENGINE_CONTAIN)
			(void)snprintf(s->control, sizeof(s->control), "%s/ctl.sock", t.egress_dir);
		rc = make_compose(s, &compose, &spec, t.file, err);
		if (rc == 0)
			rc = bring_up(s, compose.kind, err);
	}
	if (rc < 0) {
		docker_left_tidy(s->state_dir);
		guard_forget(&s->guard);
		session_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

/* ---- staying ---- */

/* What is watched while the agent runs. */
struct stay {
	struct engine_session *s;
	const struct engine_watch *watch;
	struct engine_result result;
	pid_t docker, waiter; /* `docker start --attach`, and `docker wait` for the sidecar; -1 once reaped */
	int docker_pidfd, waiter_pidfd, signal_fd, guard_fd;
	uint64_t limit_ms, kill_ms, last_int_ms; /* 0: none */
};

static int reap(pid_t *pid, int *pidfd)
{
	int status = 0;
	while (waitpid(*pid, &status, 0) < 0 && errno == EINTR)
		;
	fd_drop(pidfd);
	*pid = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int start_agent(struct stay *y, struct err *err)
{
	static struct tool_args args; /* big; used and dropped here */
	struct engine_session *s = y->s;
	const int fds[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
	bool by_compose = s->input == DOCKER_STDIN_STREAM;

	if (by_compose) {
		copy_args(&s->compose, &args);
		tool_args_add(&args, "run", "--no-deps", "-T", "--name", s->agent, "drydock", NULL);
	} else {
		docker_cli_begin(&s->cli, &args, "start", "--attach", NULL);
		if (s->input == DOCKER_STDIN_TTY)
			tool_args_add(&args, "--interactive", "--detach-keys", DETACH_KEYS, NULL);
		tool_args_add(&args, s->agent, NULL);
	}
	const struct proc_spec spec = {.exe_fd = -1, .path = args.items[0], .argv = args.items,
				       .envp = by_compose ? s->compose_env.vars : s->cli.env.vars, .fds = fds, .n_fds = 3,
				       .dies_with_parent = true};
	int rc = args.is_cut ? err_set(err, ENOMEM, "starting the agent")
			     : proc_start(&spec, &y->docker, &y->docker_pidfd, err);
	tool_args_drop(&args);
	return rc;
}

/* Ends when the sidecar does, whoever ended it. */
static void watch_sidecar(struct stay *y)
{
	static struct tool_args args; /* big; used and dropped here */
	AUTO(fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int fds[] = {null, null, null};

	if (y->s->mode == ENGINE_DOOD || null < 0)
		return;
	docker_cli_begin(&y->s->cli, &args, "wait", y->s->sidecar, NULL);
	const struct proc_spec spec = {.exe_fd = -1, .path = y->s->cli.program, .argv = args.items,
				       .envp = y->s->cli.env.vars, .fds = fds, .n_fds = 3, .dies_with_parent = true};
	if (args.is_cut || proc_start(&spec, &y->waiter, &y->waiter_pidfd, NULL) < 0)
		y->waiter = -1; /* the session is as contained without this notice */
	tool_args_drop(&args);
}

static void signal_agent(const struct stay *y, const char *name)
{
	static struct tool_args args; /* big; used and dropped here */
	struct tool tool;
	int status;
	docker_cli_begin(&y->s->cli, &args, "kill", "--signal", name, y->s->agent, NULL);
	if (docker_cli_call(&y->s->cli, &args, &tool, &status, NULL) == 0)
		tool_drop(&tool); /* a failure: it has just ended */
}

/* Compares again, now that it runs; what is not as asked does not go on. */
static int check_running(struct stay *y, struct err *err)
{
	const struct docker_expect expect = expectation(y->s);
	enum docker_state state = DOCKER_CREATED;

	while (state == DOCKER_CREATED) {
		struct pollfd p = {.fd = y->docker_pidfd, .events = POLLIN};
		bool is_over = poll(&p, 1, CHECK_STEP_MS) == 1;
		int rc = docker_check(&y->s->cli, &expect, true, &state, err);
		if (rc < 0) {
			signal_agent(y, "KILL");
			return err_add(err, "the agent was stopped");
		}
		if (state == DOCKER_CREATED && is_over)
			return 0; /* docker could not start it, and has said why */
	}
	return 0;
}

static void on_interrupt(struct stay *y, const struct signalfd_siginfo *info)
{
	uint64_t now = clock_now_ms();
	if (y->last_int_ms && now - y->last_int_ms <= TWICE_MS) {
		y->watch->notice(y->watch->arg, "interrupted twice: the session is killed");
		y->kill_ms = now;
		return;
	}
	y->last_int_ms = now;
	if (y->s->input == DOCKER_STDIN_TTY || info->ssi_code <= 0)
		signal_agent(y, "INT"); /* from the terminal docker has it already, and passes it on */
}

static void on_signals(struct stay *y)
{
	struct signalfd_siginfo info;
	while (read(y->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		int number = (int)info.ssi_signo;
		if (number == SIGINT) {
			on_interrupt(y, &info);
			continue;
		}
		signal_agent(y, number == SIGQUIT ? "QUIT" : number == SIGHUP ? "HUP" : "TERM");
		if (number != SIGQUIT && !y->kill_ms)
			y->kill_ms = clock_now_ms() + GRACE_MS;
	}
}

static void on_time(struct stay *y)
{
	uint64_t now = clock_now_ms();
	if (y->limit_ms && now >= y->limit_ms) {
		y->limit_ms = 0;
		y->result.timed_out = true;
		y->watch->notice(y->watch->arg, "the time limit is over: the command is asked to end");
		signal_agent(y, "TERM");
		y->kill_ms = y->kill_ms ? y->kill_ms : clock_now_ms() + GRACE_MS;
	}
	if (y->kill_ms && now >= y->kill_ms) {
		y->kill_ms = now + GRACE_MS; /* once is enough, if docker listens */
		signal_agent(y, "KILL");
	}
}

static int patience(const struct stay *y)
{
	uint64_t next = y->limit_ms && (!y->kill_ms || y->limit_ms < y->kill_ms) ? y->limit_ms : y->kill_ms;
	uint64_t now = clock_now_ms();
	if (!next)
		return -1;
	return next <= now ? 0 : next - now > 3600000 ? 3600000 : (int)(next - now);
}

static int wait_agent(struct stay *y, struct err *err)
{
	for (;;) {
		struct pollfd p[4] = {{.fd = y->docker_pidfd, .events = POLLIN},
				      {.fd = y->signal_fd, .events = POLLIN},
				      {.fd = y->waiter_pidfd, .events = POLLIN},
				      {.fd = y->guard_fd, .events = POLLIN}};
		if (poll(p, 4, patience(y)) < 0 && errno != EINTR)
			return err_set(err, errno, "waiting for the session");
		if (p[0].revents)
			return 0;
		if (p[1].revents)
			on_signals(y);
		if (p[2].revents) {
			(void)reap(&y->waiter, &y->waiter_pidfd); /* how it ended is in its log */
			y->result.egress_died = true;
			y->watch->notice(y->watch->arg, "the sidecar ended: this session reaches nothing any more "
							"(the command goes on)");
		}
		if (p[3].revents && !guard_ready(&y->s->guard)) {
			y->guard_fd = -1;
			signal_agent(y, "KILL");
		}
		on_time(y);
	}
}

static int watch_signals(struct stay *y, struct err *err)
{
	sigset_t set;

	block_signals(&set);
	y->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return y->signal_fd < 0 ? err_set(err, errno, "making a descriptor for signals") : 0;
}

/* docker(1) left, by itself or killed: what became of the agent is docker's to say. */
static void read_end(struct stay *y, int code)
{
	static struct tool_args args; /* big; used and dropped here */
	struct tool tool;
	int exit_code;

	y->result.exit_code = code;
	docker_cli_begin(&y->s->cli, &args, "inspect", "--type", "container", "--format",
			 "{{.State.Status}} {{.State.ExitCode}}", y->s->agent, NULL);
	if (docker_cli_call(&y->s->cli, &args, &tool, NULL, NULL) < 0)
		return; /* it was removed by somebody: docker's own code stands */
	struct span text = tool_trim(buf_span(&tool.out));
	char line[64];
	(void)snprintf(line, sizeof(line), "%.*s", text.n > 60 ? 60 : (int)text.n, text.n ? (const char *)text.p : "");
	if (sscanf(line, "exited %d", &exit_code) == 1)
		y->result.exit_code = exit_code;
	else if (!strncmp(line, "created", 7))
		y->result.exit_code = 125; /* it never ran */
	else
		y->watch->notice(y->watch->arg, "lost the agent's container while it ran: it is removed");
	tool_drop(&tool);
}

int docker_stay(struct engine_session *s, const struct engine_watch *watch, struct engine_result *out, struct err *err)
{
	struct stay y = {.s = s, .watch = watch, .docker = -1, .waiter = -1, .docker_pidfd = -1, .waiter_pidfd = -1,
			 .signal_fd = -1, .guard_fd = guard_watch(&s->guard, watch), .limit_ms = watch->timeout_ms ? clock_now_ms() + watch->timeout_ms : 0};

	int rc = watch_signals(&y, err);
	if (rc == 0)
		rc = start_agent(&y, err);
	if (rc == 0) {
		watch_sidecar(&y);
		if (s->mode == ENGINE_CONTAIN)
			rc = check_running(&y, err);
	}
	if (rc == 0)
		rc = wait_agent(&y, err);
	if (y.docker > 0) {
		if (rc < 0)
			(void)kill(y.docker, SIGKILL); /* not reaped: the number is still its own */
		int code = reap(&y.docker, &y.docker_pidfd);
		if (rc == 0)
			read_end(&y, code);
	}
	if (y.waiter > 0) {
		(void)kill(y.waiter, SIGKILL);
		(void)reap(&y.waiter, &y.waiter_pidfd);
	}
	fd_drop(&y.signal_fd);
	guard_unwatch(&s->guard);
	if (rc == 0)
		*out = y.result;
	return rc;
}

/* ---- ending ---- */

/* Asked to, the sidecar writes its last records; killed, it would not. */
static void stop_egress(const struct engine_session *s)
{
	if (!s->control[0])
		return;
	AUTO(fd) int control = control_connect(s->control, NULL);
	if (control >= 0)
		(void)control_ask(control, CONTROL_STOP, 0, span_of(""), -1, NULL, NULL, NULL); /* it is removed in any case */
}

void docker_end(struct engine_session *s, const struct engine_watch *watch)
{
	if (!s)
		return;
	stop_egress(s);
	remove_all(s);
	docker_left_tidy(s->state_dir);
	guard_end(&s->guard, watch);
	session_free(s);
}

pid_t docker_pid(const struct engine_session *s)
{
	(void)s;
	return 0;
}

const char *docker_layers(const struct engine_session *s)
{
	return s->layers;
}

int docker_plan(const struct engine_request *r, struct buf *out, struct err *err)
{
	static struct docker_mounts mounts; /* big, and there is one */
	char dir[PATH_MAX], name[COMPOSE_NAME_BYTES];

	int rc = check_request(r, err);
	if (rc == 0)
		rc = compose_dir(dir, err);
	if (rc == 0)
		rc = docker_mounts_make(r, &mounts, err);
	if (rc < 0)
		return rc;
	compose_name(r->session_id, COMPOSE_AGENT, name);
	/* unchecked puts: the caller reports a cut */
	(void)buf_putf(out, "  compose  %s/docker-compose.yml + docker-compose.%s.yml\n", dir,
		       r->mode == ENGINE_DOOD		  ? "dood"
		       : r->topology == ENGINE_SEALED ? "sealed"
						      : "contain");
	(void)buf_putf(out, "  agent    container %s of image %s\n", name, r->image ? r->image : ENGINE_AGENT_IMAGE);
	for (size_t i = 0; i < mounts.n; i++)
		(void)buf_putf(out, "  bind     %s %s\n", mounts.items[i].is_writable ? "rw" : "ro", mounts.items[i].path);
	docker_mounts_drop(&mounts);
	return 0;
}

const struct engine engine_docker = {
	.name = "docker",
	.plan = docker_plan,
	.start = docker_start,
	.pid = docker_pid,
	.layers = docker_layers,
	.stay = docker_stay,
	.end = docker_end,
};
