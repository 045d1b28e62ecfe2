/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/broker/process.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "confine/privs.h"
#include "egress/broker/broker.h"
#include "egress/broker/control.h"
#include "egress/broker/rules_file.h"
#include "egress/broker/sandbox.h"
#include "egress/wire/chan.h"
#include "egress/wire/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { EXIT_FAILED = 1, EXIT_BAD_RULES = 2, RULES_MAX_BYTES = 256 << 20, FDS_BESIDE_FLOWS = 64 };

enum peer_name { PEER_WORKER, PEER_RESOLVER, PEERS };

struct peer {
	struct loop_source source; /* fd is the pidfd */
	const char *name;
	struct process *process;
};

/**
 * struct process - all that the broker's main loop needs
 * @why_over:	NULL while running; "signal" for an orderly end
 */
struct process {
	const char *session, *rules_name;
	const char *rules_file; /* opened anew on SIGHUP; NULL when there is none */
	uint64_t ask_ms, audit_bytes;
	uint64_t begun_ms; /* wall clock */
	struct endpoint servers[BROKER_MAX_SERVERS];
	char server_texts[BROKER_MAX_SERVERS][ENDPOINT_TEXT_BYTES];
	size_t n_servers;
	int n_bound;
	struct wire_terms terms;
	bool has_terms;
	struct name agent;
	struct broker_closed closed[BROKER_MAX_CLOSED];
	size_t n_closed;
	int audit_fd, hosts_fd, jail_fd, token_fd, control_fd; /* optional: -1 when they were not given */
	int worker_fd, names_fd, sockets_fd;
	struct ruleset *rules;
	struct audit audit;
	struct loop *loop;
	struct broker *broker;
	struct control *control;
	struct loop_source reopened; /* the channel to the process of rules_file.h */
	struct peer peers[PEERS];
	struct loop_source signals;
	struct loop_source ready; /* stand-alone: our end of the listeners channel */
	struct endpoint listening[WIRE_MAX_LISTENERS];
	bool is_asked_to_end;
	char why_over[240];
};

/* NET/BITS, no host bits. */
static bool read_prefix(const char *text, struct addr *out_net, uint8_t *out_bits)
{
	const char *slash = strchr(text, '/');
	unsigned bits;
	char end;

	if (!slash || sscanf(slash + 1, "%3u%c", &bits, &end) != 1 ||
	    !addr_parse(span_make(text, (size_t)(slash - text)), out_net) ||
	    bits > (out_net->is_v6 ? 128 : 32))
		return false;
	*out_bits = (uint8_t)bits;
	return true;
}

/* What only a sidecar asks for. */
static bool read_term(struct process *p, int c, const char *value)
{
	struct addr net;

	p->has_terms |= c != 'c';
	switch (c) {
	case 'g':
		p->terms.is_guarded = 1;
		return name_parse(span_of(value), &p->agent) == NAME_IS_HOST;
	case 'h':
		p->terms.tells_health = 1;
		return true;
	case 'p':
		if (!read_prefix(value, &net, &p->terms.pool_bits) || net.is_v6)
			return false;
		memcpy(p->terms.pool, net.bytes, sizeof(p->terms.pool));
		return true;
	case 'c':
		return p->n_closed < BROKER_MAX_CLOSED &&
		       read_prefix(value, &p->closed[p->n_closed].net, &p->closed[p->n_closed].bits) &&
		       ++p->n_closed;
	default:
		return false;
	}
}

static int read_options(struct process *p, int argc, char **argv)
{
	static const struct option options[] = {{"session", required_argument, NULL, 's'},
						{"rules-name", required_argument, NULL, 'r'},
						{"server", required_argument, NULL, 'd'},
						{"bound", required_argument, NULL, 'b'},
						{"rules-file", required_argument, NULL, 'f'},
						{"ask", required_argument, NULL, 'a'},
						{"audit-bytes", required_argument, NULL, 'B'},
						{"agent-name", required_argument, NULL, 'g'},
						{"health", no_argument, NULL, 'h'},
						{"pool", required_argument, NULL, 'p'},
						{"closed", required_argument, NULL, 'c'},
						{0}};
	int c;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			p->session = optarg;
		else if (c == 'r')
			p->rules_name = optarg;
		else if (c == 'd' && p->n_servers < BROKER_MAX_SERVERS &&
			 endpoint_parse(span_of(optarg), &p->servers[p->n_servers]))
			p->n_servers++;
		else if (c == 'f')
			p->rules_file = optarg;
		else if (c == 'B')
			p->audit_bytes = strtoull(optarg, NULL, 10);
		else if (c == 'a')
			p->ask_ms = strtoull(optarg, NULL, 10); /* serve has checked it */
		else if (c == 'b' && atoi(optarg) >= 0 && atoi(optarg) <= WIRE_MAX_LISTENERS)
			p->n_bound = atoi(optarg);
		else if (!read_term(p, c, optarg))
			return -EINVAL;
	}
	return p->session && p->rules_name && strlen(p->session) <= AUDIT_SESSION_MAX_BYTES &&
			       optind == argc
		       ? 0
		       : -EINVAL;
}

/* An optional descriptor: its number, or -1. Asked before anything else is opened, which could take the number. */
static int given(int fd)
{
	return fcntl(fd, F_GETFD) < 0 ? -1 : fd;
}

static int load_rules(struct process *p, struct err *err)
{
	AUTO(buf) struct buf text = {.max = RULES_MAX_BYTES};

	if (fs_read_fd(BROKER_FD_RULES, p->rules_name, &text, err) < 0)
		return err->code;
	(void)close(BROKER_FD_RULES);
	return ruleset_load(buf_span(&text), p->rules_name, &p->rules, err);
}

/* What came in as a descriptor is read from its start; it must be a file: nothing that could make us wait. */
static int load_new_rules(int fd, const char *name, struct ruleset **out, struct err *err)
{
	AUTO(buf) struct buf text = {.max = RULES_MAX_BYTES};

	if (lseek(fd, 0, SEEK_END) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_set(err, errno, "reading '%s'", name);
	if (fs_read_fd(fd, name, &text, err) < 0)
		return err->code;
	return ruleset_load(buf_span(&text), name, out, err);
}

/* The new rules are good before the old ones go; when they are not, nothing changes, and the log says so. */
static int reload(void *arg, int policy_fd, const char *name, uint64_t *out_rules, struct err *err)
{
	struct process *p = arg;
	struct ruleset *rules = NULL;
	char text[120];

	if (load_new_rules(policy_fd, name, &rules, err) < 0) {
		(void)audit_write(&p->audit,
				  &(struct audit_record){.event = "reload", .reason = "kept", .error = err->text});
		return err->code;
	}
	size_t n_shut = broker_reload(p->broker, rules);
	ruleset_free(p->rules);
	p->rules = rules;
	*out_rules = ruleset_count(rules, RULE_ALLOW) + ruleset_count(rules, RULE_DENY) +
		     ruleset_count(rules, RULE_TELEMETRY);
	(void)snprintf(text, sizeof(text), "replaced: %zu allow, %zu deny; flows shut: %zu",
		       ruleset_count(rules, RULE_ALLOW),
		       ruleset_count(rules, RULE_DENY) + ruleset_count(rules, RULE_TELEMETRY), n_shut);
	(void)audit_write(&p->audit, &(struct audit_record){.event = "reload", .reason = text});
	return 0;
}

static void put_status(void *arg, struct buf *out)
{
	struct process *p = arg;
	struct json j = {.out = out};
	char time[CLOCK_TEXT_BYTES];
	size_t n_flows, n_asking;

	clock_print(p->begun_ms, time);
	broker_count_flows(p->broker, &n_flows, &n_asking);
	json_open(&j, NULL, '{');
	json_u64(&j, "v", 1);
	json_str(&j, "session", p->session);
	json_str(&j, "since", time);
	json_u64(&j, "allow", ruleset_count(p->rules, RULE_ALLOW));
	json_u64(&j, "deny", ruleset_count(p->rules, RULE_DENY));
	json_u64(&j, "telemetry", ruleset_count(p->rules, RULE_TELEMETRY));
	json_u64(&j, "flows", n_flows);
	json_u64(&j, "asking", n_asking);
	json_u64(&j, "records", p->audit.seq);
	json_u64(&j, "lost", p->audit.lost);
	json_u64(&j, "ask_ms", p->ask_ms);
	json_close(&j, '}');
	(void)buf_put(out, "\n", 1); /* one line: it fits */
}

static void put_flows(void *arg, struct buf *out)
{
	broker_list(((struct process *)arg)->broker, out);
}

static bool close_flow(void *arg, uint64_t flow)
{
	return broker_close_flow(((struct process *)arg)->broker, flow);
}

static bool refuse_ask(void *arg, uint64_t flow)
{
	return broker_refuse_ask(((struct process *)arg)->broker, flow);
}

static void note_program(void *arg, uint64_t flow, const char *name)
{
	struct process *p = arg;

	broker_note_program(p->broker, flow, name);
	if (!name[0])
		return;
	const struct audit_record r = {.event = "program", .flow = flow, .has_flow = true, .program = name};
	(void)audit_write(&p->audit, &r);
}

static void set_named(void *arg, bool is_named)
{
	struct process *p = arg;

	if (p->broker) /* the control socket outlives it, for the last records */
		broker_set_named(p->broker, is_named);
}

static void ask_to_end(void *arg)
{
	((struct process *)arg)->is_asked_to_end = true;
}

static void tell_readers(void *arg, struct span line)
{
	control_record(((struct process *)arg)->control, line);
}

static void rules_reopened(struct loop_source *source, uint32_t events)
{
	struct process *p = container_of(source, struct process, reopened);
	AUTO(mem) struct control_packet *answer = malloc(sizeof(*answer));
	struct err err = {0};
	uint64_t n_rules = 0;

	(void)events;
	int rc = answer ? control_recv(source->fd, answer) : -ENOMEM;
	if (rc == -EAGAIN)
		return;
	if (rc <= 0) {
		loop_drop(p->loop, source);
		fd_drop(&source->fd);
		log_line("the policy file can no longer be opened anew: SIGHUP reloads nothing");
		return;
	}
	AUTO(fd) int fd = answer->fd;
	if (fd < 0)
		log_line("%s: the rules stay as they are", answer->text);
	else if (reload(p, fd, p->rules_file, &n_rules, &err) < 0)
		log_line("%s: the rules stay as they are", err.text);
	else
		log_line("%s: %llu rules loaded", p->rules_file, (unsigned long long)n_rules);
}

static int read_token(struct process *p, struct err *err)
{
	AUTO(buf) struct buf text = {.max = WIRE_TOKEN_BYTES};

	if (p->token_fd < 0)
		return 0;
	if (fs_read_fd(p->token_fd, "the token", &text, err) < 0)
		return err->code;
	fd_drop(&p->token_fd);
	memcpy(p->terms.token, text.p, text.n);
	p->terms.token_n = (uint8_t)text.n;
	p->has_terms = true;
	return 0;
}

static int start_peer(struct process *p, enum peer_name which, char *const *argv, const int *fds,
		      size_t n_fds, struct err *err)
{
	static char *const no_env[] = {NULL};
	struct peer *peer = &p->peers[which];
	pid_t pid;
	const struct proc_spec spec = {.exe_fd = BROKER_FD_EXE,
				       .argv = argv,
				       .envp = no_env,
				       .fds = fds,
				       .n_fds = n_fds,
				       .dies_with_parent = true};
	return proc_start(&spec, &pid, &peer->source.fd, err);
}

static int make_channel(int *out_mine, int *out_theirs, struct err *err)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set(err, errno, "making a channel");
	*out_mine = ends[0];
	*out_theirs = ends[1];
	return 0;
}

static int start_worker(struct process *p, struct err *err)
{
	AUTO(fd) int their_main = -1;
	AUTO(fd) int their_listeners = -1;
	char *argv[] = {(char *)(uintptr_t) "drydock-egress", (char *)(uintptr_t) "worker", NULL};

	if (make_channel(&p->worker_fd, &their_main, err) < 0)
		return err->code;
	if (p->n_bound && make_channel(&p->ready.fd, &their_listeners, err) < 0)
		return err->code;
	const int fds[WORKER_FD_FIRST_FREE] = {BROKER_FD_NULL,
					       BROKER_FD_NULL,
					       STDERR_FILENO,
					       their_main,
					       p->n_bound ? their_listeners : p->jail_fd,
					       BROKER_FD_NULL};
	return start_peer(p, PEER_WORKER, argv, fds, WORKER_FD_FIRST_FREE, err);
}

static int start_resolver(struct process *p, struct err *err)
{
	AUTO(fd) int their_names = -1;
	AUTO(fd) int their_sockets = -1;
	char *argv[3 + 2 * BROKER_MAX_SERVERS] = {(char *)(uintptr_t) "drydock-egress",
						  (char *)(uintptr_t) "resolver"};
	size_t n = 2;

	for (size_t i = 0; i < p->n_servers; i++) {
		endpoint_print(&p->servers[i], p->server_texts[i]);
		argv[n++] = (char *)(uintptr_t) "--server";
		argv[n++] = p->server_texts[i];
	}
	if (make_channel(&p->names_fd, &their_names, err) < 0 ||
	    make_channel(&p->sockets_fd, &their_sockets, err) < 0)
		return err->code;
	const int fds[RESOLVER_FD_FIRST_FREE] = {BROKER_FD_NULL, BROKER_FD_NULL, STDERR_FILENO,
						 their_names,	 their_sockets,	 BROKER_FD_NULL,
						 p->hosts_fd};
	return start_peer(p, PEER_RESOLVER, argv, fds, RESOLVER_FD_FIRST_FREE, err);
}

/* Stand-alone: the sockets that serve bound start to listen here, once nothing can be wrong with the rules. */
static int hand_out_listeners(struct process *p, struct err *err)
{
	struct wire_listeners m = {.n = (uint8_t)p->n_bound};
	int fds[WIRE_MAX_LISTENERS];
	const struct chan ch = {.fd = p->ready.fd};

	for (int i = 0; i < p->n_bound; i++) {
		struct sockaddr_storage ss;
		socklen_t bytes = sizeof(ss);
		fds[i] = BROKER_FD_BOUND + i;
		m.kind[i] = LISTEN_PROXY;
		if (getsockname(fds[i], (struct sockaddr *)&ss, &bytes) < 0 ||
		    !addr_from_sockaddr(&ss, &p->listening[i].at, &p->listening[i].port) ||
		    listen(fds[i], SOMAXCONN) < 0)
			return err_set(err, errno, "listening");
	}
	int rc = chan_send(&ch, WIRE_LISTENERS, &m, fds, p->n_bound, 0);
	return rc < 0 ? err_set(err, -rc, "handing the listening sockets to the worker") : 0;
}

static void worker_is_ready(struct loop_source *source, uint32_t events)
{
	struct process *p = container_of(source, struct process, ready);
	const struct chan ch = {source->fd, FROM_WORKER, IN_START, WIRE_LISTENERS, WIRE_READY};
	struct chan_message m;
	const char *why = "";

	(void)events;
	enum chan_result got = chan_recv(&ch, MSG_DONTWAIT, &m, &why);
	if (got == CHAN_EMPTY)
		return;
	if (got == CHAN_MESSAGE)
		for (int i = 0; i < p->n_bound; i++) {
			char text[ENDPOINT_TEXT_BYTES];
			endpoint_print(&p->listening[i], text);
			log_line("listening on %s", text);
		}
	if (got == CHAN_BREACH)
		(void)snprintf(p->why_over, sizeof(p->why_over),
			       "the worker broke the protocol (%s)", why);
	loop_drop(p->loop, source);
	fd_drop(&source->fd); /* it carries nothing more; that the worker ended is seen elsewhere */
}

static void peer_ended(struct loop_source *source, uint32_t events)
{
	struct peer *peer = container_of(source, struct peer, source);
	struct process *p = peer->process;
	siginfo_t info = {0};

	(void)events;
	if (waitid(P_PIDFD, (id_t)source->fd, &info, WEXITED | WNOHANG) < 0 || !info.si_pid)
		return;
	(void)snprintf(p->why_over, sizeof(p->why_over), "the %s ended (%s %d)", peer->name,
		       info.si_code == CLD_EXITED ? "exit status" : "signal", info.si_status);
	loop_drop(p->loop, source);
	fd_drop(&source->fd);
}

static void signal_came(struct loop_source *source, uint32_t events)
{
	struct process *p = container_of(source, struct process, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo != SIGHUP || !p->rules_file)
		p->is_asked_to_end = true;
	else if (p->reopened.fd < 0 || write(p->reopened.fd, "", 1) != 1)
		log_line("%s: cannot be opened anew: the rules stay as they are", p->rules_file);
}

static int prepare_signals(struct process *p, struct err *err)
{
	sigset_t ends;

	(void)signal(SIGPIPE, SIG_IGN); /* write errors are handled where they happen */
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGINT);
	(void)sigaddset(&ends, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &ends, NULL) < 0)
		return err_set(err, errno, "blocking signals");
	p->signals.fd = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->signals.fd < 0 ? err_set(err, errno, "making a signal descriptor") : 0;
}

/* Everything that was only there to be passed on. */
static void close_spent(struct process *p)
{
	(void)close(BROKER_FD_EXE);
	(void)close(BROKER_FD_NULL);
	fd_drop(&p->hosts_fd);
	if (!p->terms.pool_bits) /* a holder gives its sockets to the next one once this connection ends */
		fd_drop(&p->jail_fd);
	for (int i = 0; i < p->n_bound; i++)
		(void)close(BROKER_FD_BOUND + i);
}

static int watch_all(struct process *p, struct err *err)
{
	int rc = loop_add(p->loop, &p->signals, EPOLLIN);

	for (int i = 0; rc == 0 && i < PEERS; i++)
		rc = loop_add(p->loop, &p->peers[i].source, EPOLLIN);
	if (rc == 0 && p->ready.fd >= 0)
		rc = loop_add(p->loop, &p->ready, EPOLLIN);
	if (rc == 0 && p->reopened.fd >= 0)
		rc = loop_add(p->loop, &p->reopened, EPOLLIN);
	return rc < 0 ? err_set(err, -rc, "watching the egress processes") : 0;
}

/* Refusals say how the user lets one through: in this session, when it can be spoken to. */
static void name_session(struct process *p)
{
	static const char usual[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t n = strlen(p->session);

	if (p->control_fd < 0 || n >= sizeof(p->terms.session) || strspn(p->session, usual) != n)
		return;
	memcpy(p->terms.session, p->session, n + 1);
	p->has_terms = true;
}

static int start_control(struct process *p, struct err *err)
{
	const struct control_calls calls = {
		.reload = reload,
		.status = put_status,
		.flows = put_flows,
		.close_flow = close_flow,
		.refuse_ask = refuse_ask,
		.program = note_program,
		.naming = set_named,
		.stop = ask_to_end,
		.arg = p,
	};

	if (p->control_fd < 0)
		return 0;
	p->control = control_new(p->loop, p->control_fd, &calls, err);
	p->audit.tee = tell_readers;
	p->audit.tee_arg = p;
	return p->control ? 0 : err->code;
}

static int start(struct process *p, struct err *err)
{
	uint64_t n_fds;

	if (privs_raise_nofile(&n_fds, err) < 0 || start_worker(p, err) < 0 ||
	    start_resolver(p, err) < 0)
		return err->code;
	if (p->n_bound && hand_out_listeners(p, err) < 0)
		return err->code;
	if (p->rules_file && (p->reopened.fd = rules_file_start(p->rules_file, err)) < 0)
		return err->code;
	close_spent(p);
	p->loop = loop_new(err);
	if (!p->loop || watch_all(p, err) < 0)
		return err->code;
	size_t most =
		n_fds > FDS_BESIDE_FLOWS + BROKER_MAX_HALF_OPEN ? n_fds - FDS_BESIDE_FLOWS : 1;
	name_session(p);
	const struct broker_settings settings = {
		.loop = p->loop,
		.rules = p->rules,
		.audit = &p->audit,
		.worker_fd = p->worker_fd,
		.names_fd = p->names_fd,
		.sockets_fd = p->sockets_fd,
		.servers = p->servers,
		.n_servers = p->n_servers,
		.max_flows = most < BROKER_MAX_FLOWS ? most : BROKER_MAX_FLOWS,
		.ask_ms = p->ask_ms,
		.terms = p->has_terms ? &p->terms : NULL,
		.agent = p->agent.n ? &p->agent : NULL,
		.closed = p->closed,
		.n_closed = p->n_closed,
	};
	p->begun_ms = clock_wall_ms();
	p->broker = broker_new(&settings, err);
	if (!p->broker || start_control(p, err) < 0)
		return err->code;
	return broker_sandbox_enter(err);
}

static void run(struct process *p)
{
	(void)audit_write(&p->audit, &(struct audit_record){.event = "start"});
	while (!p->is_asked_to_end && !p->why_over[0]) {
		if (loop_turn(p->loop) < 0) {
			(void)snprintf(p->why_over, sizeof(p->why_over), "the event loop failed");
			return;
		}
		/* A peer's end shows in its channel and in its pidfd; the second says more and is not far */
		const char *why = broker_why_over(p->broker);
		if (why && !p->why_over[0])
			(void)snprintf(p->why_over, sizeof(p->why_over), "%s", why);
	}
}

static void kill_peer(const struct peer *peer)
{
	if (peer->source.fd >= 0)
		(void)syscall(SYS_pidfd_send_signal, peer->source.fd, SIGKILL, NULL,
			      0); /* it may be gone */
}

static void reap_peer(struct peer *peer)
{
	siginfo_t info;

	if (peer->source.fd < 0)
		return;
	while (waitid(P_PIDFD, (id_t)peer->source.fd, &info, WEXITED) < 0 && errno == EINTR)
		;
	fd_drop(&peer->source.fd);
}

/* The listening sockets live in the worker: it goes first, so that nothing is accepted that nobody will answer. */
static void stop(struct process *p)
{
	for (int i = 0; i < PEERS; i++)
		kill_peer(&p->peers[i]);
	for (int i = 0; i < PEERS; i++)
		reap_peer(&p->peers[i]); /* they end side by side */
	broker_free(p->broker);
	p->broker = NULL;
}

static void drop(struct process *p)
{
	control_free(p->control);
	fd_drop(&p->reopened.fd);
	ruleset_free(p->rules);
	loop_free(p->loop);
}

static int start_audit(struct process *p, struct err *err)
{
	int more[AUDIT_SEGMENTS - 1];
	size_t n = 0;

	while (n < AUDIT_SEGMENTS - 1 && (more[n] = given((int)BROKER_FD_AUDIT_MORE + (int)n)) >= 0)
		n++;
	int rc = audit_init(&p->audit, p->audit_fd, p->session, err);
	return rc < 0 || !n ? rc : audit_segments(&p->audit, more, n, p->audit_bytes, err);
}

static int report_failure(const struct err *err)
{
	log_line("%s", err->text);
	if (err->fix[0])
		log_line("fix: %s", err->fix);
	return EXIT_FAILED;
}

int broker_main(int argc, char **argv)
{
	struct process p = {
		.audit_fd = given(BROKER_FD_AUDIT),
		.token_fd = given(BROKER_FD_TOKEN),
		.hosts_fd = given(BROKER_FD_HOSTS),
		.jail_fd = given(BROKER_FD_JAIL),
		.control_fd = given(BROKER_FD_CONTROL),
		.worker_fd = -1,
		.names_fd = -1,
		.sockets_fd = -1,
		.peers = {{{-1, peer_ended}, "worker", &p}, {{-1, peer_ended}, "resolver", &p}},
		.signals = {-1, signal_came},
		.ready = {-1, worker_is_ready},
		.reopened = {-1, rules_reopened},
	};
	struct err err = {0};

	if (read_options(&p, argc, argv) < 0) {
		log_line("broker: started by hand; use 'drydock-egress serve'");
		return EXIT_BAD_RULES;
	}
	if (load_rules(&p, &err) < 0) {
		log_line("%s", err.text);
		return EXIT_BAD_RULES;
	}
	if (prepare_signals(&p, &err) < 0 || read_token(&p, &err) < 0 ||
	    start_audit(&p, &err) < 0 || start(&p, &err) < 0) {
		stop(&p);
		drop(&p);
		return report_failure(&err);
	}
	run(&p);
	stop(&p);
	audit_end(&p.audit, p.is_asked_to_end ? "asked to end" : p.why_over);
	drop(&p); /* who watches has seen the last record */
	if (p.is_asked_to_end)
		return 0;
	log_line("%s: egress is shut", p.why_over);
	return EXIT_FAILED;
}
