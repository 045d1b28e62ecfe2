/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/egress.h"
#include "base/fs.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/utf8.h"
#include "build_config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { END_GRACE_MS = 3000, LOG_MAX_BYTES = 64 << 10, LINE_MAX_CHARS = 400 };

int egress_self_dir(char *out, size_t max, struct err *err)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n < 0)
		return err_set(err, errno, "reading /proc/self/exe");
	exe[n] = '\0';
	char *slash = strrchr(exe, '/');
	if (!slash || (size_t)(slash - exe) >= max)
		return err_set(err, ENAMETOOLONG, "the path of this program");
	*slash = '\0';
	memcpy(out, exe, (size_t)(slash - exe) + 1);
	return 0;
}

int egress_open_program(int flags, struct err *err)
{
	char dir[PATH_MAX], path[PATH_MAX + 64];
	if (egress_self_dir(dir, sizeof(dir), err) < 0)
		return -1;
	const struct {
		const char *dir, *below;
	} places[] = {{dir, ""}, {dir, "/../libexec/drydock"}, {DRYDOCK_LIBEXECDIR, ""}};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s%s/drydock-egress", places[i].dir,
			       places[i].below);
		int fd = open(path, flags | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	err_set(err, ENOENT, "'drydock-egress' is neither in '%s' nor in '%s'", dir,
		DRYDOCK_LIBEXECDIR);
	(void)err_fix(err, "install drydock again, or build it: make");
	return -1;
}

static int open_in(const char *dir, const char *name, int flags, struct err *err)
{
	char path[PATH_MAX + 32];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		err_set(err, errno, "opening '%s'", path);
	return fd;
}

int egress_start(const struct egress_spec *spec, struct egress *out, struct err *err)
{
	AUTO(fd) int program = egress_open_program(O_PATH, err);
	if (program < 0)
		return err->code;
	AUTO(fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return err_set(err, errno, "opening '/dev/null'");
	AUTO(fd) int rules = open_in(spec->state_dir, "policy", O_RDONLY, err);
	if (rules < 0)
		return err->code;
	AUTO(fd)
	int log = open_in(spec->state_dir, "egress.log", O_WRONLY | O_APPEND | O_CREAT, err);
	if (log < 0)
		return err->code;
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, errno, "making the socket pair to the egress");
	AUTO(fd) int ours = pair[0];
	AUTO(fd) int theirs = pair[1];

	char session[64], audit[PATH_MAX + 32], resolver[128], hosts[PATH_MAX], control[PATH_MAX], ask[24]; /* execve(2) wants them writable */
	(void)snprintf(session, sizeof(session), "%s", spec->session_id);
	(void)snprintf(audit, sizeof(audit), "%s/audit.jsonl", spec->state_dir);
	char *argv[20] = {"drydock-egress", "serve", "--jail-fd", "3",	  "--rules-fd", "4",
			  "--audit",	    audit,   "--session", session};
	size_t n = 10;
	if (spec->resolver) {
		(void)snprintf(resolver, sizeof(resolver), "%s", spec->resolver);
		argv[n++] = "--resolver";
		argv[n++] = resolver;
	}
	if (spec->hosts) {
		(void)snprintf(hosts, sizeof(hosts), "%s", spec->hosts);
		argv[n++] = "--hosts";
		argv[n++] = hosts;
	}
	if (spec->runtime_dir) {
		(void)snprintf(control, sizeof(control), "%s/ctl.sock", spec->runtime_dir);
		argv[n++] = "--control";
		argv[n++] = control;
	}
	if (spec->ask_ms) {
		(void)snprintf(ask, sizeof(ask), "%llu", (unsigned long long)(spec->ask_ms + 999) / 1000);
		argv[n++] = "--ask";
		argv[n++] = ask;
	}
	char *const no_env[] = {NULL};
	const int fds[] = {null, null, log, theirs, rules};
	const struct proc_spec start = {
		.exe_fd = program,
		.argv = argv,
		.envp = no_env,
		.fds = fds,
		.n_fds = sizeof(fds) / sizeof(fds[0]),
		.dies_with_parent = true,
	};
	int rc = proc_start(&start, &out->pid, &out->pidfd, err);
	if (rc < 0)
		return rc;
	out->jail_fd = fd_take(&ours);
	return 0;
}

void egress_end(struct egress *egress)
{
	fd_drop(&egress->jail_fd);
	if (egress->pidfd < 0)
		return;
	struct pollfd end = {.fd = egress->pidfd, .events = POLLIN};
	(void)kill(egress->pid, SIGTERM); /* not reaped yet, so the number is still its own */
	int rc;
	do
		rc = poll(&end, 1, END_GRACE_MS);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		(void)kill(egress->pid, SIGKILL);
	(void)waitpid(egress->pid, NULL, 0);
	fd_drop(&egress->pidfd);
	egress->pid = -1;
}

void egress_tidy(const char *state_dir)
{
	static const char *const names[] = {"egress.log", "audit.jsonl.1", "audit.jsonl.2", "audit.jsonl.3"};
	char path[PATH_MAX + 32];
	struct stat st;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", state_dir, names[i]);
		if (lstat(path, &st) == 0 && st.st_size == 0)
			(void)unlink(path); /* an empty file left behind does no harm */
	}
}

void egress_explain(const struct egress_spec *spec, struct err *err)
{
	char path[PATH_MAX + 32];
	AUTO(buf) struct buf text = {.max = LOG_MAX_BYTES};
	AUTO(buf) struct buf safe = {.max = LINE_MAX_CHARS * 8};
	(void)snprintf(path, sizeof(path), "%s/egress.log", spec->state_dir);
	if (fs_read(path, &text, NULL) < 0 && text.n == 0)
		return; /* nothing to add to what is known */
	while (text.n && text.p[text.n - 1] == '\n')
		text.n--;
	const uint8_t *last = text.n ? memrchr(text.p, '\n', text.n) : NULL;
	struct span line = buf_span(&text);
	if (last)
		line = span_make(last + 1, text.n - (size_t)(last + 1 - text.p));
	utf8_put_safe(&safe, line, LINE_MAX_CHARS);
	if (safe.n)
		(void)err_add(err, "%.*s", (int)safe.n, (const char *)safe.p);
}
