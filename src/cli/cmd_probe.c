/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_probe.c - drydock __probe: tries to get out of the jail it runs in, and says how far it
 * came */
/*
 * One line per attempt on stdout: NAME tab DETAIL tab "ok" or "FAIL" ("ok": the attempt was
 * refused). Run by `doctor` inside a session without a project and without rules.
 */
#include "base/fs.h"
#include "base/own.h"
#include "cli/cmd.h"
#include "cli/exit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WAIT_MS = 3000, PROXY_PORT = 8888, STATUS_FILE_BYTES = 16384 };

static void report(const char *name, bool is_ok, const char *detail)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "%s\t%s\t%s\n", name, detail, is_ok ? "ok" : "FAIL");
	(void)fs_write_all(STDOUT_FILENO, line,
			   (size_t)n); /* without a reader there is nobody to tell */
}

/* An attempt that must fail: reports the errno it failed with. */
static void report_refused(const char *name, bool has_worked)
{
	report(name, !has_worked, has_worked ? "it worked" : strerror(errno));
}

static bool status_has(const char *status, const char *key, const char *value)
{
	const char *at = strstr(status, key);
	if (!at)
		return false;
	at += strlen(key) + strspn(at + strlen(key), "\t ");
	return !strncmp(at, value, strlen(value)) && at[strlen(value)] == '\n';
}

static void probe_rights(void)
{
	AUTO(buf) struct buf status = {.max = STATUS_FILE_BYTES};
	if (fs_read("/proc/self/status", &status, NULL) < 0 || !buf_put(&status, "", 1)) {
		report("process rights", false, "/proc/self/status cannot be read");
		return;
	}
	const char *text = (const char *)status.p;
	const char *none = "0000000000000000";
	report("capabilities",
	       status_has(text, "CapEff:", none) && status_has(text, "CapPrm:", none) &&
		       status_has(text, "CapBnd:", none) && status_has(text, "CapAmb:", none),
	       "effective, permitted, bounding, ambient: none");
	report("no_new_privs", status_has(text, "NoNewPrivs:", "1"),
	       "setuid programs gain nothing");
	report("seccomp filter", status_has(text, "Seccomp:", "2"), "in force");
}

/* /proc/net/dev has two heading lines, then one line an interface. */
static void probe_network(void)
{
	AUTO(buf) struct buf dev = {.max = STATUS_FILE_BYTES};
	size_t lines = 0;
	if (fs_read("/proc/net/dev", &dev, NULL) < 0) {
		report("network namespace", false, "/proc/net/dev cannot be read");
		return;
	}
	for (size_t i = 0; i < dev.n; i++)
		lines += dev.p[i] == '\n';
	bool has_lo = dev.n && memmem(dev.p, dev.n, " lo:", 4);
	report("network namespace", lines == 3 && has_lo, "lo only");
}

static void probe_files(void)
{
	static const char *const read_only[] = {"/usr/drydock-probe", "/etc/drydock-probe",
						"/opt/drydock-probe"};
	bool has_worked = false;
	for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++) {
		AUTO(fd) int fd = open(read_only[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		has_worked |= fd >= 0;
	}
	report("system folders", !has_worked, has_worked ? "could be written" : "read-only");

	AUTO(fd) int sys = open("/proc/sys/kernel/hostname", O_WRONLY | O_CLOEXEC);
	report_refused("/proc/sys", sys >= 0);

	const char *home = getenv("HOME");
	size_t shown = 0;
	AUTO(dir) DIR *dir = home ? opendir(home) : NULL;
	struct dirent *entry;
	while (dir && (entry = readdir(dir)))
		shown += !strcmp(entry->d_name, ".ssh") || !strcmp(entry->d_name, ".gnupg") ||
			 !strcmp(entry->d_name, ".aws");
	report("secrets in the home", shown == 0, shown ? "visible" : "hidden");

	has_worked = mount("none", "/mnt", "tmpfs", 0, NULL) == 0;
	report_refused("mount", has_worked);
}

static void probe_kernel(void)
{
	report_refused("new user namespace", unshare(CLONE_NEWUSER) == 0);
	report_refused("io_uring", syscall(SYS_io_uring_setup, 1, NULL) >= 0 || errno == EFAULT);
	report_refused("bpf",
		       syscall(SYS_bpf, 0, NULL, 0) >= 0 || errno == EFAULT || errno == EINVAL);
	report_refused("session keyring", syscall(SYS_keyctl, 0, -3, 0) >= 0);
	char c = 'x';
	/* without a terminal the kernel would say ENOTTY; the filter answers before it */
	report_refused("TIOCSTI", ioctl(STDIN_FILENO, TIOCSTI, &c) == 0 || errno != EPERM);
	report_refused("trace pid 1", ptrace(PTRACE_ATTACH, 1, NULL, NULL) == 0);
}

static void probe_socket(const char *name, int family, int type, int protocol)
{
	AUTO(fd) int fd = socket(family, type | SOCK_CLOEXEC, protocol);
	report_refused(name, fd >= 0);
}

static struct sockaddr_in address(const char *text, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	(void)inet_pton(AF_INET, text, &a.sin_addr); /* our own constants */
	return a;
}

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, WAIT_MS) == 1;
}

/* TCP to an address: nothing may answer but drydock, and drydock must say no. */
static void probe_literal(const char *name, const char *where, uint16_t port)
{
	static const char refusal[] = "HTTP/1.1 403 Blocked by drydock";
	struct sockaddr_in a = address(where, port);
	AUTO(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[sizeof(refusal)] = "";
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		report(name, fd >= 0, strerror(errno));
		return;
	}
	(void)send(fd, "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL); /* reset already: fine */
	ssize_t got = is_readable(fd) ? recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL) : 0;
	int why = errno;
	if (got > 0)
		report(name, !strcmp(answer, refusal),
		       !strcmp(answer, refusal) ? "refused by the proxy" : "something answered");
	else
		report(name, true, got < 0 ? strerror(why) : "no answer");
}

static void probe_udp(void)
{
	struct sockaddr_in a = address("192.0.2.1", 443);
	AUTO(fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	report_refused("UDP (QUIC)",
		       fd >= 0 && sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)) == 1);
}

/* A question for doctor.invalid, A, id 0x6464: the proxy's DNS must say NXDOMAIN (3) itself. */
static void probe_dns(void)
{
	static const unsigned char question[] = "\x64\x64\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
						"\x06"
						"doctor\x07"
						"invalid\x00\x00\x01\x00\x01";
	struct sockaddr_in a = address("192.0.2.53", 53);
	unsigned char answer[512];
	AUTO(fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ssize_t got = -1;
	if (fd >= 0 &&
	    sendto(fd, question, sizeof(question) - 1, 0, (struct sockaddr *)&a, sizeof(a)) > 0 &&
	    is_readable(fd))
		got = recv(fd, answer, sizeof(answer), 0);
	bool is_ok = got >= 12 && (answer[3] & 15) == 3;
	report("DNS", is_ok,
	       is_ok ? "a name without a rule does not exist" : "no proper answer from the proxy");
}

static void probe_proxy(void)
{
	static const char request[] =
		"CONNECT doctor.invalid:443 HTTP/1.1\r\nHost: doctor.invalid:443\r\n\r\n";
	struct sockaddr_in a = address("127.0.0.1", PROXY_PORT);
	char answer[64] = "";
	AUTO(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	    send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0 && is_readable(fd))
		(void)!recv(fd, answer, sizeof(answer) - 1, 0); /* nothing: answer stays empty */
	bool is_ok = !strncmp(answer, "HTTP/1.1 403", 12);
	report("proxy", is_ok,
	       is_ok ? "answers, and refuses what no rule allows" : "no proper answer");
}

int cmd_probe(char **argv)
{
	(void)argv;
	probe_rights();
	probe_network();
	probe_files();
	probe_kernel();
	probe_socket("raw socket", AF_INET, SOCK_RAW, IPPROTO_ICMP);
	probe_socket("packet socket", AF_PACKET, SOCK_DGRAM, 0);
	probe_socket("vsock", AF_VSOCK, SOCK_STREAM, 0);
	probe_literal("TCP to an address", "192.0.2.1", 443);
	probe_literal("cloud metadata", "169.254.169.254", 80);
	probe_udp();
	probe_dns();
	probe_proxy();
	return EXIT_OK;
}
