/* SPDX-License-Identifier: Apache-2.0 */
/* tests/faults/inject.c - makes chosen system calls of running or started programs fail, or move fewer bytes */
/*
 * usage: inject OPTIONS --pid PID...       the running processes PID, until SIGTERM
 *        inject OPTIONS -- COMMAND [ARG]   COMMAND and all that it starts; the exit status is the command's
 *
 *   --calls NAME,NAME   which system calls (default: all)     --errno NAME  fail with it
 *   --short N           instead: ask for N bytes at most      --shut 1      instead: shut the socket that is meant, before
 *   --exe PREFIX        only in programs whose file is named so (of those that are started under the tracer)
 *   --fd N              only when the first argument is N     --not-second N, --not-third N   not when that one is N
 *   --skip N            let the first N through               --every N     then each Nth (default 1)
 *   --times N           at most N times (default: no end)     --report FILE "HIT of SEEN NAME" at the end
 *
 * Done by ptrace(2), so it works on static programs and on such that hide. A call that is to fail is replaced at its entry
 * by close(-1), which every filter of drydock's keeps, and its result is replaced at its exit. x86-64.
 */
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#ifndef __x86_64__
int main(void)
{
	fputs("inject: knows x86-64 only\n", stderr);
	return 77;
}
#else

enum { MAX_TRACEES = 1024, MAX_CALLS = 64, MAX_PIDS = 16 };

struct tracee {
	pid_t pid;
	bool is_failing; /* between entry and exit of a call that is to fail */
	unsigned long long first; /* its first argument */
	bool is_detached;
	bool is_exempt; /* runs another program than --exe */
};

static struct {
	int calls[MAX_CALLS];
	size_t n_calls;
	int err, only_fd, not_second, not_third;
	long shorten;
	bool shuts;
	unsigned long skip, every, times;
	const char *report, *exe;
} set = {.only_fd = -1, .not_second = -1, .not_third = -1, .shorten = -1, .every = 1, .times = ~0UL};

static struct tracee tracees[MAX_TRACEES];
static size_t n_tracees;
static unsigned long seen, hit;
static int last_call = -1;
static volatile sig_atomic_t is_asked_to_end;

static const struct {
	const char *name;
	int number;
} errors[] = {{"EPERM", EPERM},		{"EINTR", EINTR},	  {"EIO", EIO},		    {"EAGAIN", EAGAIN},
	      {"ENOMEM", ENOMEM},	{"EACCES", EACCES},	  {"EBUSY", EBUSY},	    {"EINVAL", EINVAL},
	      {"ENFILE", ENFILE},	{"EMFILE", EMFILE},	  {"ENOSPC", ENOSPC},	    {"EPIPE", EPIPE},
	      {"ENOSYS", ENOSYS},	{"ENOBUFS", ENOBUFS},	  {"ECONNABORTED", ECONNABORTED},
	      {"ECONNRESET", ECONNRESET}, {"ENOTCONN", ENOTCONN}, {"ETIMEDOUT", ETIMEDOUT},
	      {"ECONNREFUSED", ECONNREFUSED}, {"ENETUNREACH", ENETUNREACH}, {"ETOOMANYREFS", ETOOMANYREFS},
	      {"EADDRNOTAVAIL", EADDRNOTAVAIL}, {"EFBIG", EFBIG}, {"EDQUOT", EDQUOT}};

static void die(const char *what)
{
	perror(what);
	exit(126);
}

static int error_number(const char *name)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(errors[i].name, name) == 0)
			return errors[i].number;
	fprintf(stderr, "inject: no such errno: %s\n", name);
	exit(126);
}

static void add_calls(char *list)
{
	for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		int number = seccomp_syscall_resolve_name(name);
		if (number == __NR_SCMP_ERROR || set.n_calls == MAX_CALLS) {
			fprintf(stderr, "inject: no such system call: %s\n", name);
			exit(126);
		}
		set.calls[set.n_calls++] = number;
	}
}

static struct tracee *find(pid_t pid)
{
	for (size_t i = 0; i < n_tracees; i++)
		if (tracees[i].pid == pid)
			return &tracees[i];
	if (n_tracees == MAX_TRACEES) {
		fputs("inject: too many processes\n", stderr);
		exit(126);
	}
	tracees[n_tracees] = (struct tracee){.pid = pid};
	return &tracees[n_tracees++];
}

static void forget(pid_t pid)
{
	struct tracee *t = find(pid);

	*t = tracees[--n_tracees];
}

static bool is_meant(const struct __ptrace_syscall_info *info)
{
	bool is_named = set.n_calls == 0;

	for (size_t i = 0; i < set.n_calls; i++)
		is_named |= set.calls[i] == (int)info->entry.nr;
	if (!is_named || (set.only_fd >= 0 && (int)info->entry.args[0] != set.only_fd) ||
	    (set.not_second >= 0 && (int)info->entry.args[1] == set.not_second) ||
	    (set.not_third >= 0 && (int)info->entry.args[2] == set.not_third))
		return false;
	seen++;
	if (seen <= set.skip || (seen - set.skip - 1) % set.every || hit >= set.times)
		return false;
	hit++;
	last_call = (int)info->entry.nr;
	return true;
}

/* The argument that says how many bytes may move. */
static void shorten(struct user_regs_struct *regs, long call)
{
	unsigned long long *bytes = call == SYS_splice ? &regs->r8 : &regs->rdx;

	if (*bytes > (unsigned long long)set.shorten)
		*bytes = (unsigned long long)set.shorten;
}

/* The call is let through, and meets a connection that has just gone. */
static void shut(pid_t pid, const struct user_regs_struct *regs, long call)
{
	unsigned long long number = call == SYS_splice ? regs->rdx : regs->rdi;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, (int)number, 0);

	if (fd >= 0 && shutdown(fd, SHUT_RDWR) < 0 && errno == ENOTSOCK && call == SYS_splice) {
		(void)close(fd);
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, (int)regs->rdi, 0);
		(void)shutdown(fd, SHUT_RDWR); /* the other one is a pipe */
	}
	(void)close(fd);
	(void)close(pidfd);
}

static void syscall_stop(struct tracee *t)
{
	struct __ptrace_syscall_info info;
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof(info), &info) < 0)
		return; /* it was killed meanwhile */
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && t->is_failing) {
		t->is_failing = false;
		if (ptrace(PTRACE_GETREGS, t->pid, 0, &regs) < 0)
			return;
		regs.rax = (unsigned long long)-(long long)set.err;
		regs.rdi = t->first;
		(void)ptrace(PTRACE_SETREGS, t->pid, 0, &regs);
	}
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY || is_asked_to_end || t->is_exempt || !is_meant(&info) ||
	    ptrace(PTRACE_GETREGS, t->pid, 0, &regs) < 0)
		return;
	if (set.shuts) {
		shut(t->pid, &regs, (long)info.entry.nr);
		return;
	}
	if (set.shorten >= 0) {
		shorten(&regs, (long)info.entry.nr);
	} else {
		t->first = regs.rdi;
		regs.rdi = ~0ULL;
		regs.orig_rax = SYS_close;
		t->is_failing = true;
	}
	(void)ptrace(PTRACE_SETREGS, t->pid, 0, &regs);
}

static void go_on(struct tracee *t, int request, int sig)
{
	if (is_asked_to_end && !t->is_failing && request == PTRACE_SYSCALL) {
		(void)ptrace(PTRACE_DETACH, t->pid, 0, (void *)(intptr_t)sig);
		t->is_detached = true;
		return;
	}
	(void)ptrace((enum __ptrace_request)request, t->pid, 0, (void *)(intptr_t)sig); /* gone: waitpid() says so */
}

static void executed(struct tracee *t)
{
	char link[64], path[4096];

	(void)snprintf(link, sizeof(link), "/proc/%d/exe", (int)t->pid);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	t->is_exempt = set.exe && strncmp(name, set.exe, strlen(set.exe)) != 0;
	t->is_failing = false;
}

/* A child begins as what its parent is. */
static void forked(const struct tracee *t)
{
	unsigned long child = 0;
	bool is_exempt = t->is_exempt;

	if (ptrace(PTRACE_GETEVENTMSG, t->pid, 0, &child) == 0 && child)
		find((pid_t)child)->is_exempt = is_exempt;
}

static void stopped(pid_t pid, int status)
{
	struct tracee *t = find(pid);
	int sig = WSTOPSIG(status);
	int event = status >> 16;

	if (sig == (SIGTRAP | 0x80)) {
		syscall_stop(t);
		go_on(t, PTRACE_SYSCALL, 0);
	} else if (event == PTRACE_EVENT_STOP) {
		bool is_group = sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
		go_on(t, is_group ? PTRACE_LISTEN : PTRACE_SYSCALL, 0);
	} else if (event) {
		if (event == PTRACE_EVENT_EXEC)
			executed(t);
		else
			forked(t);
		go_on(find(pid), PTRACE_SYSCALL, 0);
	} else {
		go_on(t, PTRACE_SYSCALL, sig);
	}
}

static bool all_detached(void)
{
	for (size_t i = 0; i < n_tracees; i++)
		if (!tracees[i].is_detached)
			return false;
	return true;
}

static void ask_to_end(int sig)
{
	(void)sig;
	is_asked_to_end = 1;
}

static void report(void)
{
	FILE *f = set.report ? fopen(set.report, "we") : NULL;

	if (!f)
		return;
	char *name = last_call < 0 ? NULL : seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, last_call);
	fprintf(f, "%lu of %lu %s\n", hit, seen, name ? name : "-");
	free(name);
	(void)fclose(f);
}

static int run(pid_t command)
{
	int status, result = 0;
	bool is_told = false;

	for (;;) {
		if (is_asked_to_end && !is_told) {
			is_told = true;
			for (size_t i = 0; i < n_tracees; i++)
				(void)ptrace(PTRACE_INTERRUPT, tracees[i].pid, 0, 0);
		}
		pid_t pid = waitpid(-1, &status, __WALL);
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return result;
		if (WIFSTOPPED(status)) {
			stopped(pid, status);
		} else {
			forget(pid);
			if (pid == command)
				result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		}
		if (!command && is_asked_to_end && all_detached())
			return 0;
	}
}

static const unsigned long options = PTRACE_O_TRACESYSGOOD;
static const unsigned long follow =
	PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		(void)raise(SIGSTOP);
		(void)execvp(argv[0], argv);
		die(argv[0]);
	}
	if (waitpid(pid, NULL, WUNTRACED) != pid || ptrace(PTRACE_SEIZE, pid, 0, options | follow) < 0)
		die("PTRACE_SEIZE");
	(void)find(pid);
	(void)ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	(void)kill(pid, SIGCONT);
	return pid;
}

int main(int argc, char **argv)
{
	pid_t pids[MAX_PIDS];
	size_t n_pids = 0;
	int i = 1;

	for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
		const char *name = argv[i];
		char *value = argv[i + 1];
		if (strcmp(name, "--calls") == 0)
			add_calls(value);
		else if (strcmp(name, "--errno") == 0)
			set.err = error_number(value);
		else if (strcmp(name, "--short") == 0)
			set.shorten = atol(value);
		else if (strcmp(name, "--fd") == 0)
			set.only_fd = atoi(value);
		else if (strcmp(name, "--not-second") == 0)
			set.not_second = atoi(value);
		else if (strcmp(name, "--not-third") == 0)
			set.not_third = atoi(value);
		else if (strcmp(name, "--shut") == 0)
			set.shuts = true;
		else if (strcmp(name, "--exe") == 0)
			set.exe = value;
		else if (strcmp(name, "--skip") == 0)
			set.skip = strtoul(value, NULL, 10);
		else if (strcmp(name, "--every") == 0)
			set.every = strtoul(value, NULL, 10);
		else if (strcmp(name, "--times") == 0)
			set.times = strtoul(value, NULL, 10);
		else if (strcmp(name, "--report") == 0)
			set.report = value;
		else if (strcmp(name, "--pid") == 0 && n_pids < MAX_PIDS)
			pids[n_pids++] = atoi(value);
		else
			break;
	}
	bool is_command = i + 1 < argc && strcmp(argv[i], "--") == 0;
	if (is_command == (n_pids > 0) || !set.every || (!is_command && i < argc) || !set.err + (set.shorten < 0) + !set.shuts != 2) {
		fputs("usage: inject OPTIONS (--pid PID... | -- COMMAND [ARG...])\n", stderr);
		return 126;
	}
	struct sigaction end = {.sa_handler = ask_to_end};
	if (sigaction(SIGTERM, &end, NULL) < 0)
		die("sigaction");
	for (size_t p = 0; p < n_pids; p++) {
		if (ptrace(PTRACE_SEIZE, pids[p], 0, options) < 0 || ptrace(PTRACE_INTERRUPT, pids[p], 0, 0) < 0)
			die("PTRACE_SEIZE");
		(void)find(pids[p]);
	}
	if (!is_command) {
		(void)fputs("attached\n", stdout);
		(void)fflush(stdout);
	}
	int rc = run(is_command ? start(argv + i + 1) : 0);
	report();
	return rc;
}
#endif
