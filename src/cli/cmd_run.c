/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_run.c - drydock run: a command in a contained session */
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/banner.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/launch.h"
#include "cli/mode.h"
#include "cli/output.h"
#include "cli/term.h"
#include "engine/docker_left.h"
#include "net/endpoint.h"
#include "report/segments.h"
#include "report/summary.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BANNER_MAX_BYTES = 32 << 10, PLAN_MAX_BYTES = 1 << 20, STATUS_MAX_BYTES = 4096, NAMES_MAX_BYTES = 1 << 20 };

/* clang-format off */
#define AT(member) offsetof(struct launch_flags, member)
static const struct option run_options[] = {
	{'a', "allow", "RULE", "allow this destination: HOST[:PORT] (repeat)", OPTION_LIST, AT(allow)},
	{0, "once", NULL, "each rule of --allow holds for one connection", OPTION_FLAG, AT(is_once)},
	{0, "deny", "RULE", "deny this destination, whatever allows it (repeat)", OPTION_LIST, AT(deny)},
	{'p', "preset", "NAME", "add a ready-made group of rules (repeat)", OPTION_LIST, AT(presets)},
	{0, "allow-file", "FILE", "add the rules of a file (repeat)", OPTION_LIST, AT(allow_files)},
	{0, "no-net", NULL, "no egress at all", OPTION_FLAG, AT(no_net)},
	{0, "no-project", NULL, "ignore the project's .drydock", OPTION_FLAG, AT(no_project)},
	{'e', "env", "NAME[=VALUE]", "set a variable, or let yours through (repeat)", OPTION_LIST, AT(env)},
	{'C', "chdir", "DIR", "start in this folder", OPTION_TEXT, AT(chdir)},
	{0, "mount", "ro|rw:PATH", "show one more file or folder (repeat)", OPTION_LIST, AT(mounts)},
	{0, "engine", "NAME", "native (the default) or docker", OPTION_TEXT, AT(engine)},
	{0, "mode", "MODE", "contain (the default), or dood: docker.sock, the host's network, no containment", OPTION_TEXT, AT(mode)},
	{0, "topology", "NAME", "of the docker engine: bridge (the default) or sealed", OPTION_TEXT, AT(topology)},
	{0, "image", "REF", "of the docker engine: the agent's image (drydock:latest)", OPTION_TEXT, AT(image)},
	{0, "as-root", NULL, "as root: let the command be root too", OPTION_FLAG, AT(as_root)},
	{0, "memory", "SIZE", "limit memory: 512M, 8G", OPTION_BYTES, AT(memory_bytes)},
	{0, "pids", "N", "limit processes and threads", OPTION_COUNT, AT(max_pids)},
	{0, "cpus", "N", "limit processor time: 2 or 0.5", OPTION_CPUS, AT(cpu_percent)},
	{'d', "detach", NULL, "go on in the background; prints the session, ends with drydock stop", OPTION_FLAG, AT(is_detached)},
	{0, "publish", "[HOST:]PORT", "a port of the session, for 127.0.0.1 of this machine", OPTION_LIST, AT(publish)},
	{0, "learn", NULL, "say at the end how to turn what was refused into rules", OPTION_FLAG, AT(is_learning)},
	{0, "ask", "TIME", "what no rule allows waits this long for your answer (drydock watch, allow)", OPTION_DURATION, AT(ask_ms)},
	{0, "timeout", "TIME", "end the command after 90s, 30m, 2h (exit 124)", OPTION_DURATION, AT(timeout_ms)},
	{0, "dry-run", NULL, "say what would be done, and stop", OPTION_FLAG, AT(dry_run)},
	{0, "name", "NAME", "begin the session's id with NAME", OPTION_TEXT, AT(name)},
	{0, "keep", NULL, "keep the session's folder for good, not 30 days", OPTION_FLAG, AT(keep)},
	{0, "status-fd", "N", "write JSON lines about the session to descriptor N", OPTION_FD, AT(status_fd)},
	{'q', "quiet", NULL, "errors only: no banner, notice or summary", OPTION_FLAG, AT(quiet)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0, "resolver", "ADDR:PORT", NULL, OPTION_TEXT, AT(resolver)},
	{0, "hosts", "FILE", NULL, OPTION_TEXT, AT(hosts)},
	{0, "bare", NULL, NULL, OPTION_FLAG, AT(bare)},
	{0},
};
/* clang-format on */

void cmd_run_help(struct buf *out)
{
	(void)buf_putf(out,
		       "Usage: drydock run [OPTIONS] [--] COMMAND [ARG...]\n\n"
		       "Runs COMMAND in a contained session. Options end at the first word that is "
		       "none.\n\n"); /* constants: they fit */
	options_print(run_options, out);
	(void)buf_putf(out, "\nExit code: the command's own; 128+N after signal N; 124 time limit; "
			    "125 nothing ran;\n126 not executable; 127 not found inside.\n");
}

/* What runs in a session: state between the steps of cmd_run(). */
struct run {
	const struct launch_flags *flags;
	struct launch launch;
	struct session session;
	struct session_meta meta;
	struct session_mount mounts[LAUNCH_MAX_MOUNTS];
	const struct engine *engine;
	struct engine_session *running;
	bool has_run; /* the agent was started */
	int detached_wr; /* to the one who waits for the id; -1 when nobody does */
};

/* One JSON line for the wrapper that asked for it; it may have gone away, which is its own
 * business. */
static void put_status(const struct run *run, const char *event, pid_t pid, int code)
{
	const struct launch_flags *flags = run->flags;
	if (flags->status_fd < 0)
		return;
	AUTO(buf) struct buf line = {.max = STATUS_MAX_BYTES};
	struct json j = {.out = &line};
	json_open(&j, NULL, '{');
	json_str(&j, "event", event);
	if (run->session.id[0])
		json_str(&j, "session", run->session.id);
	if (pid > 0)
		json_i64(&j, "pid", pid);
	if (!strcmp(event, "started")) {
		json_str(&j, "layers", run->meta.layers);
	} else {
		json_i64(&j, "code", code);
	}
	json_close(&j, '}');
	(void)buf_put(&line, "\n", 1);
	(void)fs_write_all(flags->status_fd, line.p, line.n);
}

static int check_flags(const struct launch_flags *flags, char **argv, struct err *err)
{
	if (!*argv) {
		err_set(err, 0, "run: no command given");
		return err_fix(err, "drydock run -- COMMAND [ARG...]");
	}
	if (flags->is_once && !flags->allow.n) {
		err_set(err, 0, "--once limits the rules of --allow, and there is none");
		return err_fix(err, "drydock run --once -a HOST -- ...");
	}
	if (flags->as_root && geteuid() != 0)
		return err_set(err, 0, "--as-root: you are not root");
	struct endpoint resolver;
	if (flags->resolver && !endpoint_parse(span_of(flags->resolver), &resolver))
		return err_set(err, 0, "--resolver takes ADDRESS:PORT, not '%s'", flags->resolver);
	if (flags->status_fd >= 0 && fcntl(flags->status_fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(err, errno, "--status-fd %d", flags->status_fd);
	return 0;
}

/* What a container cannot be given is said, not left out. */
static int refuse_native_flags(const struct launch_flags *flags, struct err *err)
{
	const struct {
		bool is_given;
		const char *flag, *why, *fix;
	} native_only[] = {
		{flags->no_net, "--no-net", "the docker engine's sessions are made around their sidecar",
		 "leave out --engine docker, or --no-net"},
		{flags->publish.n > 0, "--publish", "a contained container has no way in",
		 "leave out --engine docker, or --publish"},
		{flags->ask_ms > 0, "--ask", "a sidecar does not wait for answers",
		 "leave it out; while it runs: drydock allow --session ..."},
		{flags->as_root, "--as-root", "who the command is in a container follows from who you are",
		 "leave it out: root's command is the container's root, without capabilities over this machine"},
		{flags->resolver != NULL, "--resolver", "a sidecar asks the DNS servers that Docker gives it", "set Docker's dns"},
		{flags->hosts != NULL, "--hosts", "a sidecar has no /etc/hosts of yours", "leave out --engine docker"},
	};

	for (size_t i = 0; i < sizeof(native_only) / sizeof(native_only[0]); i++)
		if (native_only[i].is_given) {
			(void)err_set(err, 0, "%s is a matter of the native engine: %s", native_only[i].flag, native_only[i].why);
			return err_fix(err, "%s", native_only[i].fix);
		}
	return 0;
}

/* The engine that the flags, the environment and the settings ask for. */
static int choose_engine(struct run *run, struct err *err)
{
	const struct launch_flags *flags = run->flags;
	struct engine_choice *choice = &run->launch.choice;
	struct mode_choice mode;

	int rc = mode_choose(&run->launch.place, flags->mode, !flags->no_project, &mode, err);
	if (rc < 0)
		return rc;
	bool is_docker = flags->engine && !strcmp(flags->engine, "docker");
	choice->mode = mode.mode;
	choice->image = flags->image;
	if (flags->engine && !strcmp(flags->engine, "podman")) {
		(void)err_set(err, 0, "podman is not an engine of this version: its bridge forwards names to the outside, and "
				      "podman-compose starts the agent before the proxy is healthy");
		return err_fix(err, "--engine docker, or leave it out");
	}
	if (flags->engine && !is_docker && strcmp(flags->engine, "native") != 0)
		return err_set(err, 0, "--engine takes native or docker, not '%s'", flags->engine);
	if (mode.mode == ENGINE_DOOD && flags->engine && !is_docker)
		return err_set(err, 0, "mode dood is docker's: there is no native dood");
	if ((flags->topology || flags->image) && !is_docker && mode.mode == ENGINE_CONTAIN) {
		(void)err_set(err, 0, "%s is a matter of the docker engine", flags->topology ? "--topology" : "--image");
		return err_fix(err, "add --engine docker");
	}
	if (flags->topology && mode.mode == ENGINE_DOOD)
		return err_set(err, 0, "--topology is a matter of mode contain: dood has no network of its own");
	if (flags->topology && !strcmp(flags->topology, "sealed"))
		choice->topology = ENGINE_SEALED;
	else if (flags->topology && strcmp(flags->topology, "bridge") != 0)
		return err_set(err, 0, "--topology takes bridge or sealed, not '%s'", flags->topology);
	rc = is_docker || mode.mode == ENGINE_DOOD ? refuse_native_flags(flags, err) : 0;
	if (rc < 0)
		return rc;
	run->engine = mode.mode == ENGINE_DOOD ? &engine_dood : is_docker ? &engine_docker : &engine_native;
	choice->is_docker = run->engine != &engine_native;
	return 0;
}

static void on_notice(void *arg, const char *text)
{
	const struct run *run = arg;
	/* while the terminal is raw, a line must begin at its edge by itself */
	if (run->launch.request.wants_pty)
		(void)fs_write_all(STDERR_FILENO, "\r", 1);
	term_notice(text);
}

static void show_banner(const struct run *run, const char *layers)
{
	if (run->flags->quiet && run->launch.choice.mode == ENGINE_CONTAIN)
		return; /* dood is announced at every start */
	char audit[PATH_MAX + 32];
	AUTO(buf) struct buf out = {.max = BANNER_MAX_BYTES};
	(void)snprintf(audit, sizeof(audit), "%s/audit.jsonl", run->session.state_dir);
	banner_print(&run->launch, run->flags, run->session.id, layers,
		     run->flags->no_net ? NULL : audit, &out);
	(void)term_put(STDERR_FILENO, &out); /* nowhere left to say it */
}

static int dry_run(struct run *run)
{
	struct err err = {0};
	AUTO(buf) struct buf out = {.max = PLAN_MAX_BYTES};
	struct launch *l = &run->launch;
	if (launch_make(l, run->flags, "dry-run", l->place.roots.state, &err) < 0) {
		term_error("cannot make the session", &err, EXIT_NOTHING_RAN);
		return EXIT_NOTHING_RAN;
	}
	banner_print(l, run->flags, "dry-run", NULL, NULL, &out);
	(void)buf_putf(&out, "\nsteps\n"); /* term_put() reports a cut */
	if (run->engine->plan(&l->request, &out, &err) < 0) {
		term_error("cannot plan the session", &err, EXIT_NOTHING_RAN);
		return EXIT_NOTHING_RAN;
	}
	(void)buf_putf(&out, "\npolicy\n");
	(void)buf_put(&out, l->config.policy.p, l->config.policy.n);
	(void)buf_putf(&out, "\nenvironment\n");
	for (char *const *v = l->request.envp; *v; v++)
		(void)buf_putf(&out, "  %s\n", *v);
	(void)buf_putf(&out, "\nnothing was started: --dry-run\n");
	return term_put(STDOUT_FILENO, &out);
}

/* A container of an earlier session may linger under this id. */
static bool is_taken(const char *id, void *arg)
{
	const struct buf *names = arg;
	return docker_left_is_taken(buf_span(names), id);
}

static int make_session(struct run *run, struct err *err)
{
	const struct launch_flags *flags = run->flags;
	struct launch *l = &run->launch;
	const char *where = l->request.project ? l->request.project : l->place.project;
	if (!*where)
		where = l->place.cwd;
	const char *slash = strrchr(where, '/');
	const char *name = flags->name ? flags->name : slash ? slash + 1 : where;

	session_prune(&l->place.roots, clock_wall_ms());
	AUTO(buf) struct buf names = {.max = NAMES_MAX_BYTES};
	if (l->choice.is_docker)
		docker_left_names(&names);
	int rc = session_create_apart(&l->place.roots, name, is_taken, &names, &run->session, err);
	if (rc == 0)
		rc = session_write(&run->session, "policy", buf_span(&l->config.policy), err);
	if (rc == 0 && flags->keep)
		rc = session_keep(&run->session, err);
	if (rc == 0)
		rc = launch_make(l, flags, run->session.id, run->session.state_dir, err);
	l->request.runtime_dir = run->session.runtime_dir;
	l->request.ask_ms = flags->ask_ms;
	const struct engine_request *r = &l->request;
	for (size_t i = 0; i < r->n_mounts; i++)
		run->mounts[i] = (struct session_mount){r->mounts[i].path, r->mounts[i].is_writable};
	run->meta = (struct session_meta){
		.mounts = run->mounts,
		.n_mounts = r->n_mounts,
		.mode = mode_name(l->choice.mode),
		.engine = run->engine->name,
		.project = l->request.project,
		.cwd = l->place.cwd,
		.argv = l->argv,
		.started_ms = clock_wall_ms(),
	};
	return rc;
}

/* The command is not inside: say whether it is outside, because then a mount helps. */
static int report_exec(const struct run *run, int exec_errno)
{
	struct err err = {0};
	const char *name = run->launch.argv[0];
	char what[256];
	(void)snprintf(what, sizeof(what), "cannot execute '%s' inside the session", name);
	err_set(&err, exec_errno, "%s", strchr(name, '/') ? name : "looked for it in PATH");
	if (exec_errno == ENOENT)
		(void)err_fix(&err, "install it under /usr or /opt, or show its folder: "
				    "drydock run --mount ro:FOLDER ...");
	else
		(void)err_fix(&err, "check its mode (chmod +x) and, for a script, its first line");
	term_error(what, &err, 0);
	return exec_errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* Reads what the session was refused; shows it unless -q. */
static void sum_up(struct run *run)
{
	char path[PATH_MAX + 32];
	struct summary summary = {0};
	(void)snprintf(path, sizeof(path), "%s/audit.jsonl", run->session.state_dir);
	struct segments log;
	if (segments_open(path, &log, NULL) < 0)
		return; /* no egress, no log */
	struct record_reader reader = segments_reader(&log);
	const struct record *record;
	while ((record = record_next(&reader)))
		summary_add(&summary, record);
	record_reader_drop(&reader);
	segments_close(&log);
	run->meta.n_refused = summary.n_refused;
	AUTO(buf) struct buf out = {.max = BANNER_MAX_BYTES};
	summary_print(&summary, run->session.id, &out);
	if (!run->flags->quiet)
		(void)term_put(STDERR_FILENO, &out); /* nowhere left to say it */
	if (run->flags->is_learning && summary.n_refused) {
		char text[128];
		(void)snprintf(text, sizeof(text), "rules for what was refused: drydock learn %s", run->session.id);
		term_notice(text);
	}
	summary_drop(&summary);
}

static int stay(struct run *run, struct err *err)
{
	const struct engine_watch watch = {
		.timeout_ms = run->flags->timeout_ms, .notice = on_notice, .arg = run};
	struct engine_result result = {.exit_code = EXIT_FAILED};
	int rc = run->engine->stay(run->running, &watch, &result, err);
	run->launch.request.wants_pty = false; /* the terminal is no longer raw */
	run->engine->end(run->running, &watch);
	if (rc < 0)
		term_error("lost the session; it was killed", err, 0);
	if (result.egress_died)
		on_notice(
			run,
			"the egress proxy ended before the command did: later connections failed");
	int code = result.timed_out ? EXIT_TIMEOUT : result.exit_code;
	sum_up(run);
	run->meta.ended_ms = clock_wall_ms();
	run->meta.exit_code = code;
	if (session_write_meta(&run->session, &run->meta, err) < 0)
		term_error("cannot write the session's record", err, 0);
	put_status(run, "exited", 0, code);
	return code;
}

/* In the background its output goes to a file of the session; what drydock itself says until then, to the user. */
static int redirect(struct run *run, int *out_stderr, struct err *err)
{
	char path[PATH_MAX + 32];

	if (run->detached_wr < 0)
		return 0;
	(void)snprintf(path, sizeof(path), "%s/output.log", run->session.state_dir);
	AUTO(fd) int log = output_begin(path, err);
	if (log < 0)
		return log;
	AUTO(fd) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	*out_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (null < 0 || *out_stderr < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
	    dup2(log, STDERR_FILENO) < 0)
		return err_set(err, errno, "sending the output to '%s'", path);
	return 0;
}

/* The user's own stderr is back; false when it never was away. */
static bool give_back(int *saved)
{
	bool was_away = *saved >= 0 && dup2(*saved, STDERR_FILENO) >= 0;
	fd_drop(saved);
	return was_away;
}

/* The one who waits prints the id and ends; from here on nobody reads what we say but the file. */
static void let_go(struct run *run)
{
	if (run->detached_wr < 0)
		return;
	(void)fs_write_all(run->detached_wr, run->session.id, strlen(run->session.id)); /* it may be gone: then nobody asks */
	fd_drop(&run->detached_wr);
	(void)dup2(STDOUT_FILENO, STDERR_FILENO);
}

static int start(struct run *run)
{
	struct err err = {0};
	int exec_errno = 0;
	int saved = -1;
	int rc = make_session(run, &err);
	if (rc == 0)
		rc = redirect(run, &saved, &err);
	if (rc == 0)
		rc = run->engine->start(&run->launch.request, &run->running, &exec_errno, &err);
	(void)give_back(&saved); /* it could not be had back when it was never given away */
	if (rc < 0) {
		term_error("cannot start the session", &err, EXIT_NOTHING_RAN);
		return EXIT_NOTHING_RAN;
	}
	if (exec_errno)
		return report_exec(run, exec_errno);
	run->has_run = true;
	run->meta.layers = run->engine->layers(run->running);
	show_banner(run, run->meta.layers);
	run->meta.pid = run->engine->pid(run->running);
	put_status(run, "started", run->meta.pid, 0);
	char layers[512];
	(void)snprintf(layers, sizeof(layers), "%s", run->meta.layers);
	run->meta.layers = layers; /* the engine's copy goes with it */
	if (session_write_meta(&run->session, &run->meta, &err) < 0)
		term_error("cannot write the session's record", &err, 0);
	let_go(run);
	return stay(run, &err);
}

/* True in the process that goes on; false, with *out_code, in the one that the user waits for. */
static bool detach(struct run *run, int *out_code)
{
	int told[2], status = 0;
	struct err err = {0};
	char id[SESSION_ID_BYTES] = "";

	if (pipe2(told, O_CLOEXEC) < 0) {
		err_set(&err, errno, "going to the background");
		term_error("cannot start the session", &err, EXIT_NOTHING_RAN);
		return false;
	}
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(told[0]);
		(void)setsid(); /* we are new, so no leader: it cannot fail */
		run->detached_wr = told[1];
		return true;
	}
	(void)close(told[1]);
	ssize_t n = pid < 0 ? 0 : read(told[0], id, sizeof(id) - 1);
	(void)close(told[0]);
	if (n > 0) {
		AUTO(buf) struct buf line = {.max = sizeof(id) + 1};
		(void)buf_putf(&line, "%s\n", id); /* fits */
		*out_code = term_put(STDOUT_FILENO, &line);
	} else if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status)) {
		*out_code = WEXITSTATUS(status); /* it has said why */
	}
	return false;
}

int cmd_run_command(char **argv, char **given)
{
	static struct launch_flags flags;
	static struct run run; /* big, and there is one */
	struct err err = {0};
	char **command;

	flags = (struct launch_flags){.status_fd = -1};
	run = (struct run){.flags = &flags, .session = {.lock_fd = -1}, .detached_wr = -1};
	if (options_parse(run_options, &flags, argv, &command, &err) < 0)
		return term_usage("run", &err);
	if (flags.is_help)
		return cmd_show_help(given ? "shell" : "run");
	if (given && *command) {
		err_set(&err, 0, "shell takes options or a session, not '%s' behind options", *command);
		return term_usage("shell", &err);
	}
	command = given ? given : command;
	if (check_flags(&flags, command, &err) < 0)
		return term_usage("run", &err);
	int code = EXIT_NOTHING_RAN;
	if (flags.is_detached && !flags.dry_run && !detach(&run, &code))
		return code;
	if (launch_load(&run.launch, &flags, command, &err) < 0 || choose_engine(&run, &err) < 0)
		term_error("cannot set up the session", &err, EXIT_NOTHING_RAN);
	else
		code = flags.dry_run ? dry_run(&run) : start(&run);
	if (!run.has_run && !flags.dry_run)
		put_status(&run, "failed", 0, code);
	bool is_made = run.session.lock_fd >= 0;
	bool is_alone = is_made && session_is_alone(&run.launch.place.roots, &run.session);
	launch_drop(&run.launch, is_alone);
	if (is_made && (flags.bare || !run.has_run))
		session_forget(&run.launch.place.roots, &run.session);
	session_end(&run.session);
	return code;
}

int cmd_run(char **argv)
{
	return cmd_run_command(argv, NULL);
}
