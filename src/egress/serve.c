/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker is executed anew by descriptor, with an empty environment, its own address layout and exactly the
 * descriptors of wire/fds.h. It starts the other two. So a session has three processes, and the one a caller
 * started is the parent of the two others.
 */
#include "egress/serve.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/own.h"
#include "egress/broker/broker.h"
#include "egress/broker/process.h"
#include "egress/resolv_conf.h"
#include "egress/wire/control.h"
#include "egress/wire/fds.h"
#include "egress/wire/messages.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum {
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	ABOVE_FDS = 64,
	ASK_MAX_S = 3600,
	AUDIT_LEAST_BYTES = 65536,
	MAX_TERMS = 2 * (BROKER_MAX_CLOSED + 3),
	BROKER_FDS = (int)BROKER_FD_BOUND + (int)WIRE_MAX_LISTENERS
};

static const char usage_text[] =
	"usage: drydock-egress serve (--listen ADDRESS:PORT... | --jail-fd N) (--rules FILE | "
	"--rules-fd N)\n"
	"                            [--audit FILE [--audit-bytes N] | --audit-fd N] [--session ID]\n"
	"                            [--resolver ADDRESS:PORT]... [--hosts FILE]\n"
	"                            [--control SOCKET] [--ask SECONDS]\n";

/** struct serve - what the options ask for; every descriptor is owned */
struct serve {
	const char *session, *rules_path, *audit_path, *hosts_path, *control_path;
	uint32_t ask_s;
	uint64_t audit_bytes;
	struct endpoint listen[WIRE_MAX_LISTENERS];
	size_t n_listen;
	struct endpoint servers[BROKER_MAX_SERVERS];
	size_t n_servers;
	const char *terms[MAX_TERMS]; /* of a sidecar, for the broker as they are */
	size_t n_terms;
	int jail_fd, rules_fd, audit_fd, token_fd; /* given as numbers; -1 when not */
	int fds[BROKER_FDS];		 /* by the number they get in the broker; -1 for none */
};

static bool read_fd(const char *text, int *out)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < 3 || n > 65535 || fcntl((int)n, F_GETFD) < 0)
		return false;
	*out = (int)n;
	return true;
}

static bool read_endpoint(struct endpoint *list, size_t *n, size_t max)
{
	return *n < max && endpoint_parse(span_of(optarg), &list[*n]) && ++*n;
}

static bool read_session(const char *text, const char **out)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	*out = text;
	return n > 0 && n <= AUDIT_SESSION_MAX_BYTES;
}

static bool read_seconds(const char *text, uint32_t *out)
{
	char *end;
	long n = strtol(text, &end, 10);

	*out = (uint32_t)n;
	return *text >= '0' && *text <= '9' && !*end && n >= 1 && n <= ASK_MAX_S;
}

static bool pass_on(struct serve *s, const char *option, const char *value)
{
	if (s->n_terms + 2 > MAX_TERMS)
		return false;
	s->terms[s->n_terms++] = option;
	if (value)
		s->terms[s->n_terms++] = value;
	return true;
}

static bool read_option(struct serve *s, int c)
{
	switch (c) {
	case 'l':
		return read_endpoint(s->listen, &s->n_listen, WIRE_MAX_LISTENERS);
	case 'd':
		return read_endpoint(s->servers, &s->n_servers, BROKER_MAX_SERVERS) &&
		       s->servers[s->n_servers - 1].port;
	case 'j':
		return read_fd(optarg, &s->jail_fd);
	case 'R':
		return read_fd(optarg, &s->rules_fd);
	case 'A':
		return read_fd(optarg, &s->audit_fd);
	case 'B':
		s->audit_bytes = strtoull(optarg, NULL, 10);
		return s->audit_bytes >= AUDIT_LEAST_BYTES && strspn(optarg, "0123456789") == strlen(optarg);
	case 'r':
		s->rules_path = optarg;
		return true;
	case 'a':
		s->audit_path = optarg;
		return true;
	case 'H':
		s->hosts_path = optarg;
		return true;
	case 'c':
		s->control_path = optarg;
		return true;
	case 'q':
		return read_seconds(optarg, &s->ask_s);
	case 't':
		return read_fd(optarg, &s->token_fd);
	case 'g':
		return pass_on(s, "--agent-name", optarg);
	case 'p':
		return pass_on(s, "--pool", optarg);
	case 'C':
		return pass_on(s, "--closed", optarg);
	case 'h':
		return pass_on(s, "--health", NULL);
	case 's':
		return read_session(optarg, &s->session);
	default:
		return false;
	}
}

static int read_options(struct serve *s, int argc, char **argv, struct err *err)
{
	static const struct option options[] = {{"listen", required_argument, NULL, 'l'},
						{"jail-fd", required_argument, NULL, 'j'},
						{"rules", required_argument, NULL, 'r'},
						{"rules-fd", required_argument, NULL, 'R'},
						{"audit", required_argument, NULL, 'a'},
						{"audit-fd", required_argument, NULL, 'A'},
						{"audit-bytes", required_argument, NULL, 'B'},
						{"session", required_argument, NULL, 's'},
						{"resolver", required_argument, NULL, 'd'},
						{"hosts", required_argument, NULL, 'H'},
						{"control", required_argument, NULL, 'c'},
						{"ask", required_argument, NULL, 'q'},
						{"token-fd", required_argument, NULL, 't'},
						{"agent-name", required_argument, NULL, 'g'},
						{"pool", required_argument, NULL, 'p'},
						{"closed", required_argument, NULL, 'C'},
						{"health", no_argument, NULL, 'h'},
						{0}};
	int c;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?' || c == ':')
			return err_set(err, 0, "serve: wrong option"); /* getopt said which */
		if (!read_option(s, c))
			return err_set(err, 0, "serve: '%s' does not fit option %s", optarg,
				       argv[optind - 1] == optarg ? argv[optind - 2]
								  : argv[optind - 1]);
	}
	if (optind < argc)
		return err_set(err, 0, "serve: '%s' is no option", argv[optind]);
	if (!s->rules_path == (s->rules_fd < 0))
		return err_set(err, 0, "serve: give either --rules or --rules-fd");
	if (s->audit_path && s->audit_fd >= 0)
		return err_set(err, 0, "serve: give either --audit or --audit-fd");
	if ((s->n_listen > 0) == (s->jail_fd >= 0))
		return err_set(err, 0, "serve: give either --listen or --jail-fd");
	return 0;
}

/* A given descriptor or a path; the descriptor is duplicated so that the caller's number is not needed again. */
static int open_one(int given, const char *path, int flags, int *out, struct err *err)
{
	*out = given >= 0 ? fcntl(given, F_DUPFD_CLOEXEC, ABOVE_FDS)
			  : open(path, flags | O_CLOEXEC | O_NOCTTY, 0600);
	return *out < 0 ? err_set(err, errno, "opening '%s'", path ? path : "a descriptor") : 0;
}

/* The log goes on in FILE.1 to FILE.3; a log that is no file, a terminal say, does not. */
static int open_more_audit(struct serve *s, struct err *err)
{
	char path[PATH_MAX];
	struct stat st;

	if (!s->audit_path || fstat(s->fds[BROKER_FD_AUDIT], &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	for (int i = 1; i < AUDIT_SEGMENTS; i++) {
		if (snprintf(path, sizeof(path), "%s.%d", s->audit_path, i) >= (int)sizeof(path))
			return err_set(err, ENAMETOOLONG, "'%s'", s->audit_path);
		int rc = open_one(-1, path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW,
				  &s->fds[(int)BROKER_FD_AUDIT_MORE + i - 1], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int open_files(struct serve *s, struct err *err)
{
	if (open_one(-1, "/proc/self/exe", O_PATH, &s->fds[BROKER_FD_EXE], err) < 0 ||
	    open_one(-1, "/dev/null", O_RDWR, &s->fds[BROKER_FD_NULL], err) < 0 ||
	    open_one(s->rules_fd, s->rules_path, O_RDONLY, &s->fds[BROKER_FD_RULES], err) < 0)
		return err->code;
	if ((s->audit_path || s->audit_fd >= 0) &&
	    open_one(s->audit_fd, s->audit_path, O_RDWR | O_CREAT | O_APPEND,
		     &s->fds[BROKER_FD_AUDIT], err) < 0)
		return err->code;
	if (open_more_audit(s, err) < 0)
		return err->code;
	if (s->jail_fd >= 0 && open_one(s->jail_fd, NULL, 0, &s->fds[BROKER_FD_JAIL], err) < 0)
		return err->code;
	if (s->control_path && (s->fds[BROKER_FD_CONTROL] = control_listen(s->control_path, err)) < 0)
		return err->code;
	if (s->token_fd >= 0 && open_one(s->token_fd, NULL, 0, &s->fds[BROKER_FD_TOKEN], err) < 0)
		return err->code;
	if (s->hosts_path)
		return open_one(-1, s->hosts_path, O_RDONLY, &s->fds[BROKER_FD_HOSTS], err);
	s->fds[BROKER_FD_HOSTS] = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
	return s->fds[BROKER_FD_HOSTS] < 0 && errno != ENOENT
		       ? err_set(err, errno, "opening '/etc/hosts'")
		       : 0;
}

static int find_servers(struct serve *s, struct err *err)
{
	static const char path[] = "/etc/resolv.conf";
	AUTO(buf) struct buf text = {.max = RESOLV_CONF_MAX_BYTES};

	if (s->n_servers)
		return 0;
	if (access(path, F_OK) == 0 && fs_read(path, &text, err) < 0)
		return err->code;
	s->n_servers = resolv_conf_read(buf_span(&text), s->servers, BROKER_MAX_SERVERS);
	return 0;
}

/* Bound here, so that an address in use is said before anything starts; the broker lets them listen. */
static int bind_all(struct serve *s, struct err *err)
{
	for (size_t i = 0; i < s->n_listen; i++) {
		char text[ENDPOINT_TEXT_BYTES];
		struct sockaddr_storage ss;
		socklen_t bytes = addr_to_sockaddr(&s->listen[i].at, s->listen[i].port, &ss);
		int on = 1;
		int *fd = &s->fds[(size_t)BROKER_FD_BOUND + i];
		endpoint_print(&s->listen[i], text);
		*fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		    bind(*fd, (struct sockaddr *)&ss, bytes) < 0)
			return err_set(err, errno, "listening on %s", text);
	}
	return 0;
}

/* First lift everything out of the way, then place: no order can clobber another. */
static int place_fds(const struct serve *s)
{
	int lifted[BROKER_FDS];

	for (int i = 3; i < BROKER_FDS; i++) {
		lifted[i] = s->fds[i] < 0 ? -1 : fcntl(s->fds[i], F_DUPFD_CLOEXEC, ABOVE_FDS);
		if (s->fds[i] >= 0 && lifted[i] < 0)
			return -errno;
	}
	if (syscall(SYS_close_range, 3U, (unsigned)ABOVE_FDS - 1, 0U) < 0)
		return -errno;
	for (int i = 3; i < BROKER_FDS; i++)
		if (lifted[i] >= 0 && dup2(lifted[i], i) < 0)
			return -errno;
	if (dup2(BROKER_FD_NULL, STDIN_FILENO) < 0 || dup2(BROKER_FD_NULL, STDOUT_FILENO) < 0)
		return -errno;
	return syscall(SYS_close_range, (unsigned)ABOVE_FDS, ~0U, 0U) < 0 ? -errno : 0;
}

static int become_broker(const struct serve *s, struct err *err)
{
	char bound[8], ask[24], audit_bytes[24];
	char server_texts[BROKER_MAX_SERVERS][ENDPOINT_TEXT_BYTES];
	const char *argv[16 + 2 * BROKER_MAX_SERVERS + MAX_TERMS];
	static char *const no_env[] = {NULL};
	size_t n = 0;

	(void)snprintf(bound, sizeof(bound), "%zu", s->n_listen); /* two digits */
	argv[n++] = "drydock-egress";
	argv[n++] = "broker";
	argv[n++] = "--session";
	argv[n++] = s->session;
	argv[n++] = "--rules-name";
	argv[n++] = s->rules_path ? s->rules_path : "policy";
	(void)snprintf(audit_bytes, sizeof(audit_bytes), "%llu",
		       (unsigned long long)(s->audit_bytes ? s->audit_bytes : AUDIT_SEGMENT_BYTES));
	argv[n++] = "--audit-bytes";
	argv[n++] = audit_bytes;
	argv[n++] = "--bound";
	argv[n++] = bound;
	if (s->ask_s) {
		(void)snprintf(ask, sizeof(ask), "%u000", s->ask_s);
		argv[n++] = "--ask";
		argv[n++] = ask;
	}
	if (s->rules_path) {
		argv[n++] = "--rules-file";
		argv[n++] = s->rules_path;
	}
	for (size_t i = 0; i < s->n_servers; i++) {
		endpoint_print(&s->servers[i], server_texts[i]);
		argv[n++] = "--server";
		argv[n++] = server_texts[i];
	}
	for (size_t i = 0; i < s->n_terms; i++)
		argv[n++] = s->terms[i];
	argv[n] = NULL;
	int rc = place_fds(s);
	if (rc < 0)
		return err_set(err, -rc, "placing the broker's descriptors");
	/* For a jail the program was executed for this session alone, with a clean environment: fresh already. */
	optind = 0; /* getopt(3) starts over */
	if (s->jail_fd >= 0 && !environ[0])
		exit(broker_main((int)n - 1, (char **)(uintptr_t)(argv + 1)));
	(void)execveat(BROKER_FD_EXE, "", (char *const *)(uintptr_t)argv, no_env, AT_EMPTY_PATH);
	return err_set(err, errno, "executing the broker"); /* it returns on failure only */
}

/* A standard descriptor that is closed would be reused for a file, and written to as if it were stderr. */
static int fill_standard_fds(struct err *err)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO && fcntl(fd, F_SETFD, 0) == 0);
	if (fd < 0)
		return err_set(err, errno, "opening '/dev/null'");
	(void)close(fd);
	return 0;
}

int serve_main(int argc, char **argv)
{
	struct serve s = {.session = "egress", .jail_fd = -1, .rules_fd = -1, .audit_fd = -1, .token_fd = -1};
	struct err err = {0};

	for (size_t i = 0; i < BROKER_FDS; i++)
		s.fds[i] = -1;
	if (fill_standard_fds(&err) < 0) {
		log_line("%s", err.text);
		return EXIT_FAILED;
	}
	if (read_options(&s, argc, argv, &err) < 0) {
		log_line("%s", err.text);
		(void)fputs(usage_text, stderr); /* stderr may be closed: nobody reads then */
		return EXIT_USAGE;
	}
	if (open_files(&s, &err) == 0 && find_servers(&s, &err) == 0 && bind_all(&s, &err) == 0)
		(void)become_broker(&s, &err); /* returns on failure only */
	log_line("%s", err.text);
	return EXIT_FAILED;
}
