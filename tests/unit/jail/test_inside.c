/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds inside a real jail: this program starts itself in one, with a stand-in for the egress outside, and answers
 * by its exit code (0: all as it should be; else the number of what was not). Runs as whoever runs the test; as root, the
 * agent has an unallocated id.
 */
#include "base/fs.h"
#include "base/own.h"
#include "egress/wire/chan.h"
#include "jail/start.h"
#include "jail/userns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

enum { AGENT_ID = 64123, DEADLINE_S = 60 };
#define SELF "/run/inside"
#define HOME_DIR "/home/tester"

static char top[64];	  /* host folder of this run */
static char project[80]; /* top/project */
static char exe[PATH_MAX];

/* ---- what runs inside; each returns 0 or the number of what is wrong ---- */

static bool parse(const char *address, uint16_t port, struct sockaddr_storage *out, socklen_t *out_n)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
		return false;
	*out_n = is_v4 ? sizeof(v4) : sizeof(v6);
	memcpy(out, is_v4 ? (void *)&v4 : (void *)&v6, *out_n);
	return true;
}

static int open_to(const char *address, uint16_t port, int type)
{
	struct sockaddr_storage to;
	socklen_t n;
	if (!parse(address, port, &to, &n))
		return -EINVAL;
	int fd = socket(to.ss_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, n) < 0)
		return -errno;
	return fd;
}

/* True when whoever stands behind @address answers @want. */
static bool answers(const char *address, uint16_t port, int type, const char *want)
{
	char got[128] = "";
	AUTO(fd) int fd = open_to(address, port, type);
	struct timeval patience = {5, 0};
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    send(fd, "?", 1, MSG_NOSIGNAL) != 1)
		return false;
	ssize_t n = recv(fd, got, sizeof(got) - 1, 0);
	return n > 0 && !strcmp(got, want);
}

static int listen_at(const char *address, uint16_t port)
{
	struct sockaddr_storage at;
	socklen_t n;
	if (!parse(address, port, &at, &n))
		return -1;
	AUTO(fd) int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, n) < 0 || listen(fd, 8) < 0)
		return -1;
	return fd_take(&fd);
}

static int inside_tcp(void)
{
	if (!answers("93.184.216.34", 8080, SOCK_STREAM, "tcp ::ffff:93.184.216.34 8080"))
		return 1;
	if (!answers("2606:2800:220:1::1", 443, SOCK_STREAM, "tcp 2606:2800:220:1::1 443"))
		return 2;
	if (!answers("169.254.169.254", 80, SOCK_STREAM, "tcp ::ffff:169.254.169.254 80"))
		return 3;
	if (!answers("8.8.8.8", 53, SOCK_STREAM, "tcp ::ffff:8.8.8.8 53"))
		return 4;
	if (!answers("127.0.0.1", 8888, SOCK_STREAM, "proxy"))
		return 5;
	if (!answers("127.0.0.1", 53, SOCK_STREAM, "dns") || !answers("::1", 53, SOCK_STREAM, "dns"))
		return 6;
	if (open_to("127.0.0.1", 8081, SOCK_STREAM) != -ECONNREFUSED)
		return 7;
	/* The egress's own ports are nobody else's. */
	return listen_at("0.0.0.0", 8888) >= 0 || listen_at("::", 1) >= 0 || listen_at("::", 53) >= 0 ? 8 : 0;
}

static int inside_wildcard(void)
{
	AUTO(fd) int v4 = listen_at("0.0.0.0", 8080);
	AUTO(fd) int v6 = listen_at("::", 8081);
	if (v4 < 0 || v6 < 0)
		return 1;
	if (!answers("1.2.3.4", 8080, SOCK_STREAM, "tcp ::ffff:1.2.3.4 8080"))
		return 2;
	if (!answers("2001:db8::1", 8081, SOCK_STREAM, "tcp 2001:db8::1 8081"))
		return 3;
	if (accept(v4, NULL, NULL) >= 0 || accept(v6, NULL, NULL) >= 0)
		return 4;
	/* Its twin: the same listener serves loopback. */
	AUTO(fd) int own = open_to("127.0.0.1", 8080, SOCK_STREAM);
	AUTO(fd) int served = accept(v4, NULL, NULL);
	return own < 0 || served < 0 ? 5 : 0;
}

static int send_somewhere(const char *address, uint16_t port, int protocol)
{
	struct sockaddr_storage to;
	socklen_t n;
	if (!parse(address, port, &to, &n))
		return -EINVAL;
	AUTO(fd) int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, protocol);
	return fd < 0 || sendto(fd, "?", 1, 0, (struct sockaddr *)&to, n) < 0 ? -errno : 0;
}

static int inside_udp(void)
{
	static const char *const servers[] = {"8.8.8.8", "127.0.0.1", "127.0.0.53", "::1", "2001:4860:4860::8888"};
	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++)
		if (!answers(servers[i], 53, SOCK_DGRAM, "pong"))
			return 1 + (int)i;
	/* Nothing else leaves: send() says so at once, so QUIC falls back at once. */
	if (send_somewhere("8.8.8.8", 443, 0) != -EPERM || send_somewhere("2001:db8::1", 443, 0) != -EPERM)
		return 10;
	if (send_somewhere("255.255.255.255", 67, 0) == 0 || send_somewhere("224.0.0.251", 5353, 0) == 0)
		return 11;
	if (send_somewhere("8.8.8.8", 0, IPPROTO_ICMP) == 0)
		return 12;
	/* Its twin: loopback is the command's own. */
	return send_somewhere("127.0.0.1", 5000, 0) == 0 && send_somewhere("::1", 5000, 0) == 0 ? 0 : 13;
}

static int inside_no_net(void)
{
	if (open_to("93.184.216.34", 443, SOCK_STREAM) != -ENETUNREACH)
		return 1;
	if (open_to("2001:db8::1", 443, SOCK_STREAM) != -ENETUNREACH)
		return 2;
	if (open_to("127.0.0.1", 8888, SOCK_STREAM) != -ECONNREFUSED)
		return 3;
	AUTO(fd) int own = listen_at("127.0.0.1", 8080);
	AUTO(fd) int client = open_to("127.0.0.1", 8080, SOCK_STREAM);
	return own < 0 || client < 0 ? 4 : 0;
}

/* The errno of making a socket; 0 when it was made. */
static int make_socket(int domain, int type, int protocol)
{
	AUTO(fd) int fd = socket(domain, type | SOCK_CLOEXEC, protocol);
	return fd < 0 ? errno : 0;
}

static int inside_sockets(void)
{
	if (make_socket(40 /* AF_VSOCK */, SOCK_STREAM, 0) != EAFNOSUPPORT)
		return 1;
	if (make_socket(AF_PACKET, SOCK_RAW, 0) != EAFNOSUPPORT || make_socket(AF_BLUETOOTH, SOCK_RAW, 0) != EAFNOSUPPORT)
		return 2;
	if (syscall(SYS_io_uring_setup, 4, NULL) != -1 || errno != EPERM)
		return 3;
	if (make_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) != EPERM)
		return 4;
	/* Their twins. */
	return make_socket(AF_UNIX, SOCK_STREAM, 0) || make_socket(AF_INET6, SOCK_DGRAM, 0) ||
			       make_socket(AF_NETLINK, SOCK_RAW, 0)
		       ? 5
		       : 0;
}

static int connect_unix(const char *path, size_t n)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	memcpy(to.sun_path, path, n);
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return connect(fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0 ? -errno
														 : 0;
}

/* The host listens at read-only/s, at writable/s, through a link at read-only/t, and under an abstract name. */
static int inside_unix(void)
{
	char path[100], abstract[100];
	(void)snprintf(path, sizeof(path), "%s/read-only/s", getenv("TOP"));
	if (connect_unix(path, strlen(path) + 1) != -ECONNREFUSED)
		return 1;
	(void)snprintf(path, sizeof(path), "%s/read-only/t", getenv("TOP"));
	if (connect_unix(path, strlen(path) + 1) != -ECONNREFUSED)
		return 2;
	(void)snprintf(abstract, sizeof(abstract), "%c%s", 0, getenv("TOP"));
	if (connect_unix(abstract, strlen(getenv("TOP")) + 1) != -ECONNREFUSED)
		return 3;
	(void)snprintf(path, sizeof(path), "%s/writable/s", getenv("TOP"));
	return connect_unix(path, strlen(path) + 1) == 0 ? 0 : 4;
}

static int inside_files(void)
{
	char path[120];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s/read-only-too/f", project);
	AUTO(fd) int held = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (held >= 0 || errno != EROFS)
		return 1;
	(void)snprintf(path, sizeof(path), "%s/f", project);
	AUTO(fd) int made = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (made < 0)
		return 2;
	if (mknod("/tmp/disk", S_IFBLK | 0600, makedev(8, 0)) == 0 || stat("/dev/kmsg", &st) == 0 ||
	    stat("/dev/mem", &st) == 0)
		return 3;
	AUTO(fd) int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (nothing < 0 || write(nothing, "x", 1) != 1)
		return 4;
	/* Set-user-id has no effect on what the command makes, and nothing of the host's root is left to climb to. */
	if (chdir("/proc/1/root") == 0 || stat("/var/lib", &st) == 0 || stat("/root", &st) == 0)
		return 5;
	char cwd[PATH_MAX];
	return getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, project) ? 0 : 6;
}

static int inside_init(void)
{
	if (getppid() != 1)
		return 1;
	AUTO(fd) int environ_fd = open("/proc/1/environ", O_RDONLY | O_CLOEXEC);
	if (environ_fd >= 0)
		return 2;
	if (ptrace(PTRACE_ATTACH, 1, NULL, NULL) == 0 || errno != EPERM)
		return 3;
	(void)kill(1, SIGKILL); /* pid 1 hears no such thing from inside */
	char name[64];
	return gethostname(name, sizeof(name)) == 0 && !strcmp(name, "test-0002") ? 0 : 4;
}

/* As root, whom modes do not hold: nothing in /proc but processes' own files, nothing in /sys. */
static int inside_proc(void)
{
	FILE *f = popen("find /proc -path '/proc/[0-9]*' -prune -o -path /proc/self -prune -o -path /proc/thread-self "
			"-prune -o -type f -writable -print 2>/dev/null; find /sys -type f -writable 2>/dev/null", "r");
	char line[256];
	if (!f)
		return 1;
	bool is_empty = !fgets(line, sizeof(line), f);
	if (!is_empty)
		fprintf(stderr, "writable: %s", line);
	return pclose(f) >= 0 && is_empty ? 0 : 2;
}

static volatile sig_atomic_t heard;
static void on_signal(int sig)
{
	heard = sig;
}

static void catch(int sig)
{
	struct sigaction action = {.sa_handler = on_signal};
	(void)sigaction(sig, &action, NULL);
}

/* Tells that it listens by making a file, then waits for the signal. */
static int inside_signal(void)
{
	sigset_t all, none;
	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	catch(SIGTERM);
	if (mkdir("listens", 0700) < 0)
		return 1;
	(void)sigsuspend(&none);
	return heard == SIGTERM ? 42 : 2;
}

/* Leaves a grandchild in a session of its own that holds a lock, and ends (or stays, to be killed). */
static int leave_behind(bool stays)
{
	int ready[2];
	char byte;
	if (pipe(ready) < 0)
		return 1;
	if (fork() == 0) {
		(void)setsid();
		int fd = open("lock", O_CREAT | O_RDWR, 0666);
		if (fd < 0 || flock(fd, LOCK_EX) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	if (read(ready[0], &byte, 1) != 1 || mkdir("locked", 0700) < 0)
		return 2;
	while (stays)
		(void)pause();
	return 0;
}
static int inside_leave(void) { return leave_behind(false); }
static int inside_stay(void) { return leave_behind(true); }

static int inside_terminal(void)
{
	char name[64];
	struct winsize size;
	if (!isatty(0) || !isatty(1) || ttyname_r(0, name, sizeof(name)) != 0 || strcmp(name, "/dev/pts/0") != 0)
		return 1;
	if (getsid(0) != getpid() || tcgetpgrp(0) != getpid() || tcgetsid(0) != getpid())
		return 2;
	AUTO(fd) int own = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (own < 0)
		return 3;
	if (ioctl(0, TIOCSTI, "x") == 0 || errno != EPERM)
		return 4;
	catch(SIGWINCH);
	sigset_t winch, none;
	(void)sigemptyset(&none);
	(void)sigemptyset(&winch);
	(void)sigaddset(&winch, SIGWINCH);
	(void)sigprocmask(SIG_BLOCK, &winch, NULL);
	if (write(1, "size?", 5) != 5)
		return 5;
	(void)sigsuspend(&none);
	if (ioctl(0, TIOCGWINSZ, &size) < 0 || size.ws_row != 50 || size.ws_col != 132)
		return 6;
	if (write(1, "break", 5) != 5)
		return 7;
	for (;;)
		(void)pause(); /* until ^C */
}

static int inside_nothing(void) { return 0; }

static const struct {
	const char *name;
	int (*body)(void);
} insides[] = {
	{"tcp", inside_tcp},	     {"wildcard", inside_wildcard}, {"udp", inside_udp},
	{"no-net", inside_no_net},   {"sockets", inside_sockets},   {"unix", inside_unix},
	{"files", inside_files},     {"init", inside_init},	    {"proc", inside_proc},
	{"signal", inside_signal},   {"leave", inside_leave},	    {"stay", inside_stay},
	{"terminal", inside_terminal}, {"nothing", inside_nothing},
};

static int run_inside(const char *name)
{
	(void)alarm(DEADLINE_S);
	(void)snprintf(project, sizeof(project), "%s", getenv("PROJECT"));
	for (size_t i = 0; i < sizeof(insides) / sizeof(insides[0]); i++)
		if (!strcmp(insides[i].name, name))
			return insides[i].body();
	return 99;
}

/* ---- the stand-in for the egress ---- */

enum manner { SERVES, ENDS, BREAKS_PROTOCOL, KILLS_INIT };

static void answer_tcp(int listener, int kind)
{
	char text[128], address[INET6_ADDRSTRLEN];
	struct sockaddr_in6 to;
	socklen_t n = sizeof(to);
	AUTO(fd) int fd = accept(listener, NULL, NULL);
	if (fd < 0 || getsockname(fd, (struct sockaddr *)&to, &n) < 0)
		return;
	(void)snprintf(text, sizeof(text), "%s", kind == LISTEN_PROXY ? "proxy" : "dns");
	if (kind == LISTEN_TRANSPARENT)
		(void)snprintf(text, sizeof(text), "tcp %s %u",
			       inet_ntop(AF_INET6, &to.sin6_addr, address, sizeof(address)), ntohs(to.sin6_port));
	char byte;
	(void)recv(fd, &byte, 1, 0); /* the question */
	(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void answer_udp(int fd)
{
	char byte;
	struct sockaddr_in6 from;
	union {
		struct cmsghdr align;
		char bytes[256];
	} control = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1,
			     .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
	struct in6_pktinfo info = {0};
	if (recvmsg(fd, &msg, 0) < 0)
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			memcpy(&info, CMSG_DATA(c), sizeof(info));
	info.ipi6_ifindex = 0;
	char pong[] = "pong";
	iov = (struct iovec){pong, 4};
	memset(&control, 0, sizeof(control));
	msg.msg_controllen = CMSG_SPACE(sizeof(info));
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	(void)sendmsg(fd, &msg, MSG_NOSIGNAL);
}

/* Our parent's other child is pid 1 of the jail. */
static void kill_init(void)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", getppid(), getppid());
	AUTO(file) FILE *f = fopen(path, "re");
	int pid;
	while (f && fscanf(f, "%d", &pid) == 1)
		if (pid != getpid())
			(void)kill(pid, SIGKILL);
}

_Noreturn static void stand_in(int fd, enum manner manner)
{
	struct chan ch = {.fd = fd, .peer = FROM_JAIL, .state = IN_START, .first = WIRE_LISTENERS, .last = WIRE_READY};
	struct chan_message m;
	const char *why = "";
	(void)alarm(DEADLINE_S);
	if (chan_recv(&ch, 0, &m, &why) != CHAN_MESSAGE || m.number != WIRE_LISTENERS ||
	    m.n_fds != m.payload.LISTENERS.n || manner == ENDS)
		_exit(0);
	if (manner == KILLS_INIT)
		kill_init();
	if (manner == BREAKS_PROTOCOL) {
		(void)send(fd, "what?", 5, MSG_NOSIGNAL);
		(void)pause();
	}
	struct wire_hello ready = {.version = WIRE_VERSION};
	if (chan_send(&ch, WIRE_READY, &ready, NULL, 0, 0) < 0)
		_exit(1);
	struct pollfd polls[WIRE_MAX_LISTENERS];
	for (int i = 0; i < m.n_fds; i++)
		polls[i] = (struct pollfd){.fd = m.fds[i], .events = POLLIN};
	while (poll(polls, (nfds_t)m.n_fds, -1) > 0)
		for (int i = 0; i < m.n_fds; i++)
			if (polls[i].revents && m.payload.LISTENERS.kind[i] == LISTEN_DNS_UDP)
				answer_udp(polls[i].fd);
			else if (polls[i].revents)
				answer_tcp(polls[i].fd, m.payload.LISTENERS.kind[i]);
	_exit(0);
}

/* ---- starting jails ---- */

struct start {
	const char *name;
	bool has_egress, wants_pty, as_root;
	enum manner manner;
	const char *cwd; /* else the project */
};

struct running {
	struct jail jail;
	pid_t egress;
	int rc;
	struct err err;
};

static char *variable(const char *name, const char *value)
{
	static char texts[4][128];
	static int next;
	char *text = texts[next++ % 4];
	(void)snprintf(text, sizeof(texts[0]), "%s=%s", name, value);
	return text;
}

static struct plan *make_plan(struct jail_settings *s)
{
	char at[3][100];
	const char *const names[] = {"read-only", "writable", "project/read-only-too"};
	struct jail_mount mounts[4] = {{.host = exe, .inside = SELF}};
	char sockets[2][120];
	const char *const paths[] = {sockets[0], sockets[1]};
	struct plan *plan = NULL;
	struct err err = {0};

	for (int i = 0; i < 3; i++) {
		(void)snprintf(at[i], sizeof(at[i]), "%s/%s", top, names[i]);
		mounts[i + 1] = (struct jail_mount){.host = at[i], .inside = at[i], .is_writable = i == 1};
	}
	/* What sockets_list() says of the two; test_sockets.c is about that. */
	(void)snprintf(sockets[0], sizeof(sockets[0]), "%s/read-only/s", top);
	(void)snprintf(sockets[1], sizeof(sockets[1]), "%s/read-only/t", top);
	s->mounts = mounts;
	s->n_mounts = 4;
	if (plan_make(s, paths, 2, &plan, &err) < 0)
		fail_msg("%s", err.text);
	s->mounts = NULL;
	s->n_mounts = 0;
	return plan;
}

static void begin(const struct start *start, struct running *out)
{
	char *argv[] = {(char *)SELF, (char *)"--inside", (char *)(uintptr_t)start->name, NULL};
	char *envp[] = {(char *)"PATH=/usr/bin:/bin", (char *)"HOME=" HOME_DIR, variable("TOP", top),
			variable("PROJECT", project), (char *)"ASAN_OPTIONS=detect_leaks=0", NULL};
	bool is_split = geteuid() == 0 && userns_is_initial() && !start->as_root;
	struct jail_settings s = {
		.session_id = "test-0002", .uid = geteuid(), .gid = getegid(), .as_root = start->as_root,
		.agent_uid = is_split ? AGENT_ID : geteuid(), .agent_gid = is_split ? AGENT_ID : getegid(),
		.is_unnamed = is_split,
		.home = HOME_DIR, .project = project, .cwd = start->cwd ? start->cwd : project, .argv = argv,
		.envp = envp, .net = start->has_egress ? JAIL_NET_PROXY : JAIL_NET_NONE, .wants_pty = start->wants_pty,
	};
	int ends[2] = {-1, -1};
	*out = (struct running){.egress = -1};
	struct plan *plan = make_plan(&s);
	if (start->has_egress) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
		out->egress = fork();
		assert_true(out->egress >= 0);
		if (out->egress == 0) {
			(void)close(ends[0]);
			stand_in(ends[1], start->manner);
		}
		(void)close(ends[1]);
	}
	out->rc = jail_start(&s, plan, ends[0], &out->jail, &out->err);
	fd_drop(&ends[0]);
	plan_free(plan);
}

static void end_egress(struct running *r)
{
	if (r->egress < 0)
		return;
	(void)kill(r->egress, SIGKILL);
	assert_int_equal(waitpid(r->egress, NULL, 0), r->egress);
	r->egress = -1;
}

static int run(const struct start *start)
{
	struct running r;
	begin(start, &r);
	if (r.rc < 0 || r.jail.exec_errno) {
		end_egress(&r);
		fail_msg("%s (%s)", r.err.text, r.err.fix);
	}
	int code = jail_wait(&r.jail);
	end_egress(&r);
	return code;
}

#define IN_JAIL(test, inside, ...)                                                                 \
	static void test(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		assert_int_equal(run(&(struct start){.name = inside, ##__VA_ARGS__}), 0);          \
	}

IN_JAIL(tcp_to_anywhere_reaches_the_egress_and_loopback_does_not, "tcp", .has_egress = true)
IN_JAIL(a_wildcard_listener_does_not_swallow_what_is_meant_for_others, "wildcard", .has_egress = true)
IN_JAIL(dns_is_answered_at_any_address_and_other_udp_fails_at_once, "udp", .has_egress = true)
IN_JAIL(without_egress_there_is_only_loopback, "no-net")
IN_JAIL(odd_sockets_and_rings_are_refused, "sockets")
IN_JAIL(read_only_means_read_only_in_the_project_too, "files")
IN_JAIL(pid_1_is_out_of_reach, "init")

static void nothing_of_proc_and_sys_is_writable_as_root(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(run(&(struct start){.name = "proc", .as_root = true}), 0);
}

static int listen_unix(const char *path, size_t n)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	memcpy(at.sun_path, path, n);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)), 0);
	assert_int_equal(listen(fd, 8), 0);
	if (path[0])
		assert_int_equal(chmod(path, 0777), 0);
	return fd;
}

static void host_sockets_are_masked_where_they_show(void **state)
{
	(void)state;
	char path[3][100], abstract[100];
	static const char *const names[] = {"read-only/s", "link/t", "writable/s"};
	int fds[4];
	for (int i = 0; i < 3; i++) {
		(void)snprintf(path[i], sizeof(path[i]), "%s/%s", top, names[i]);
		fds[i] = listen_unix(path[i], strlen(path[i]) + 1);
	}
	(void)snprintf(abstract, sizeof(abstract), "%c%s", 0, top);
	fds[3] = listen_unix(abstract, strlen(top) + 1);
	assert_int_equal(run(&(struct start){.name = "unix"}), 0);
	for (int i = 0; i < 4; i++)
		fd_drop(&fds[i]);
	for (int i = 0; i < 3; i++)
		assert_int_equal(unlink(path[i]), 0);
}

static const char *in_project(const char *name)
{
	static char path[120];
	(void)snprintf(path, sizeof(path), "%s/%s", project, name);
	return path;
}

/* Waits until the folder @name is in the project, and removes it. */
static void wait_for(const char *name)
{
	struct stat st;
	time_t end = time(NULL) + DEADLINE_S;
	while (stat(in_project(name), &st) < 0) {
		assert_true(time(NULL) < end);
		(void)sched_yield();
	}
	assert_int_equal(rmdir(in_project(name)), 0);
}

static void a_signal_reaches_the_command(void **state)
{
	(void)state;
	struct running r;
	begin(&(struct start){.name = "signal"}, &r);
	assert_int_equal(r.rc, 0);
	wait_for("listens");
	assert_int_equal(jail_signal(&r.jail, SIGTERM), 0);
	assert_int_equal(jail_wait(&r.jail), 42);
}

/* Blocks until nobody holds the lock any more. */
static void assert_unlocked(bool may_wait)
{
	AUTO(fd) int fd = open(in_project("lock"), O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, may_wait ? LOCK_EX : LOCK_EX | LOCK_NB), 0);
	assert_int_equal(unlink(in_project("lock")), 0);
}

static void what_the_command_leaves_behind_ends_with_it(void **state)
{
	(void)state;
	assert_int_equal(run(&(struct start){.name = "leave"}), 0);
	assert_unlocked(false);
	assert_int_equal(rmdir(in_project("locked")), 0);
}

static void all_ends_when_the_supervisor_is_killed(void **state)
{
	(void)state;
	pid_t supervisor = fork();
	assert_true(supervisor >= 0);
	if (supervisor == 0) {
		struct running r;
		begin(&(struct start){.name = "stay"}, &r);
		for (;;)
			(void)pause();
	}
	wait_for("locked");
	AUTO(fd) int fd = open(in_project("lock"), O_RDWR | O_CLOEXEC);
	assert_true(flock(fd, LOCK_EX | LOCK_NB) < 0); /* it is held */
	assert_int_equal(kill(supervisor, SIGKILL), 0);
	assert_int_equal(waitpid(supervisor, NULL, 0), supervisor);
	assert_unlocked(true);
}

static void read_until(int fd, const char *want)
{
	char text[512];
	size_t n = 0;
	while (n + 1 < sizeof(text)) {
		ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);
		assert_true(got > 0);
		n += (size_t)got;
		text[n] = '\0';
		if (strstr(text, want))
			return;
	}
	fail();
}

static void the_command_has_a_terminal_of_its_own(void **state)
{
	(void)state;
	struct running r;
	begin(&(struct start){.name = "terminal", .wants_pty = true}, &r);
	assert_int_equal(r.rc, 0);
	assert_true(r.jail.pty_fd >= 0);
	struct winsize size = {.ws_row = 50, .ws_col = 132};
	read_until(r.jail.pty_fd, "size?");
	assert_int_equal(ioctl(r.jail.pty_fd, TIOCSWINSZ, &size), 0);
	read_until(r.jail.pty_fd, "break");
	assert_int_equal(write(r.jail.pty_fd, "\003", 1), 1);
	assert_int_equal(jail_wait(&r.jail), 128 + SIGINT);
}

/* ---- what fails leaves nothing ---- */

static int count_descriptors(void)
{
	int n = 0;
	AUTO(dir) DIR *dir = opendir("/proc/self/fd");
	while (dir && readdir(dir))
		n++;
	return n;
}

static void assert_fails(const struct start *start, const char *says)
{
	struct running r;
	int before = count_descriptors();
	begin(start, &r);
	if (r.rc == 0)
		fail_msg("%s: started", says);
	if (!strstr(r.err.text, says))
		fail_msg("'%s' does not say '%s'", r.err.text, says);
	end_egress(&r);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(r.jail.init_pidfd, -1);
	assert_int_equal(count_descriptors(), before);
}

static void without_a_ready_egress_nothing_starts_and_nothing_is_left(void **state)
{
	(void)state;
	assert_fails(&(struct start){.name = "nothing", .has_egress = true, .manner = ENDS}, "did not become ready");
	assert_fails(&(struct start){.name = "nothing", .has_egress = true, .manner = BREAKS_PROTOCOL},
		     "did not become ready");
	assert_int_equal(run(&(struct start){.name = "nothing", .has_egress = true}), 0);
}

static void a_jail_killed_while_it_is_built_did_not_start(void **state)
{
	(void)state;
	assert_fails(&(struct start){.name = "nothing", .has_egress = true, .manner = KILLS_INIT}, "was killed while");
}

static void a_folder_that_is_not_shown_is_named(void **state)
{
	(void)state;
	assert_fails(&(struct start){.name = "nothing", .cwd = "/srv/not-shown"}, "/srv/not-shown");
}

static void a_closed_door_is_explained(void **state)
{
	(void)state;
	/* No namespace may be made in a namespace whose limit is 0, whoever asks. */
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char map[64];
		uid_t uid = geteuid();
		gid_t gid = getegid();
		if (unshare(CLONE_NEWUSER) < 0)
			_exit(77);
		(void)snprintf(map, sizeof(map), "%u %u 1", uid, uid);
		AUTO(fd) int uid_map = open("/proc/self/uid_map", O_WRONLY);
		AUTO(fd) int setgroups = open("/proc/self/setgroups", O_WRONLY);
		AUTO(fd) int gid_map = open("/proc/self/gid_map", O_WRONLY);
		AUTO(fd) int limit = open("/proc/sys/user/max_user_namespaces", O_WRONLY);
		if (write(uid_map, map, strlen(map)) < 0 || write(setgroups, "deny", 4) < 0 ||
		    snprintf(map, sizeof(map), "%u %u 1", gid, gid) < 0 || write(gid_map, map, strlen(map)) < 0 ||
		    write(limit, "0", 1) != 1)
			_exit(77);
		struct running r;
		begin(&(struct start){.name = "nothing"}, &r);
		_exit(r.rc == -ENOSPC && strstr(r.err.text, "user namespace") &&
				      strstr(r.err.fix, "user.max_user_namespaces")
			      ? 0
			      : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(top, sizeof(top), "/var/tmp/drydock-inside-XXXXXX");
	if (!mkdtemp(top) || !realpath("/proc/self/exe", exe))
		return -1;
	(void)snprintf(project, sizeof(project), "%s/project", top);
	char cmd[256];
	(void)snprintf(cmd, sizeof(cmd), "cd %s && mkdir -p project/read-only-too read-only writable && ln -s read-only link",
		       top);
	(void)alarm(4 * DEADLINE_S);
	return system(cmd);
}

static int tear_down(void **state)
{
	(void)state;
	AUTO(fd) int dir = open("/var/tmp", O_RDONLY | O_DIRECTORY);
	return fs_remove_tree(dir, strrchr(top, '/') + 1, 200, NULL);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--inside"))
		return run_inside(argv[2]);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_to_anywhere_reaches_the_egress_and_loopback_does_not),
		cmocka_unit_test(a_wildcard_listener_does_not_swallow_what_is_meant_for_others),
		cmocka_unit_test(dns_is_answered_at_any_address_and_other_udp_fails_at_once),
		cmocka_unit_test(without_egress_there_is_only_loopback),
		cmocka_unit_test(odd_sockets_and_rings_are_refused),
		cmocka_unit_test(read_only_means_read_only_in_the_project_too),
		cmocka_unit_test(pid_1_is_out_of_reach),
		cmocka_unit_test(nothing_of_proc_and_sys_is_writable_as_root),
		cmocka_unit_test(host_sockets_are_masked_where_they_show),
		cmocka_unit_test(a_signal_reaches_the_command),
		cmocka_unit_test(what_the_command_leaves_behind_ends_with_it),
		cmocka_unit_test(all_ends_when_the_supervisor_is_killed),
		cmocka_unit_test(the_command_has_a_terminal_of_its_own),
		cmocka_unit_test(without_a_ready_egress_nothing_starts_and_nothing_is_left),
		cmocka_unit_test(a_jail_killed_while_it_is_built_did_not_start),
		cmocka_unit_test(a_folder_that_is_not_shown_is_named),
		cmocka_unit_test(a_closed_door_is_explained),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
