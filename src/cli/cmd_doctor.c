/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_doctor.c - drydock doctor: builds a real jail, attacks it from inside, and says what held
 */
#include "base/fs.h"
#include "base/json.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/utf8.h"
#include "build_config.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/launch.h"
#include "cli/term.h"
#include "engine/docker_look.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>

extern char **environ;

enum {
	ROWS_MAX = 64,
	OUTPUT_MAX_BYTES = 64 << 10,
	TEXT_BYTES = 512,
	NAME_COLUMN = 22,
	DETAIL_COLUMN = 50
};

enum mark { MARK_OK, MARK_WARN, MARK_FAIL };

struct row {
	const char *section;
	enum mark mark;
	char name[64];
	char detail[TEXT_BYTES];
	char fix[TEXT_BYTES];
};

struct doctor {
	struct row rows[ROWS_MAX];
	size_t n_rows;
	bool is_json, is_help;
};

static const char *mark_word(enum mark mark)
{
	static const char *const words[] = {
		[MARK_OK] = "ok", [MARK_WARN] = "WARN", [MARK_FAIL] = "FAIL"};
	return words[mark];
}

static struct row *add(struct doctor *d, const char *section, const char *name, enum mark mark,
		       struct span detail)
{
	static struct row spare; /* rows past the maximum go nowhere; there are far fewer */
	struct row *row = d->n_rows < ROWS_MAX ? &d->rows[d->n_rows++] : &spare;
	*row = (struct row){.section = section, .mark = mark};
	AUTO(buf) struct buf safe = {.max = TEXT_BYTES - 1};
	utf8_put_safe(&safe, detail, TEXT_BYTES / 2);
	(void)snprintf(row->name, sizeof(row->name), "%s", name);
	(void)snprintf(row->detail, sizeof(row->detail), "%.*s", (int)safe.n, (const char *)safe.p);
	return row;
}

/* What the trial session said on its three descriptors. */
struct trial {
	struct buf out, err, status;
	int code;
};

static int read_all(const int *fds, struct buf *const *bufs, size_t n)
{
	struct pollfd polls[3];
	size_t left = n;
	for (size_t i = 0; i < n; i++)
		polls[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	while (left) {
		if (poll(polls, n, -1) < 0 && errno != EINTR)
			return -errno;
		for (size_t i = 0; i < n; i++) {
			uint8_t bytes[4096];
			if (polls[i].fd < 0 || !polls[i].revents)
				continue;
			ssize_t got = read(polls[i].fd, bytes, sizeof(bytes));
			if (got > 0) {
				(void)buf_put(bufs[i], bytes, (size_t)got); /* too much is cut */
			} else if (got == 0 || errno != EINTR) {
				polls[i].fd = -1;
				left--;
			}
		}
	}
	return 0;
}

/* `drydock run` around `drydock __probe`: the very path that a session takes. */
static int try_session(struct trial *t, struct err *err)
{
	char exe[PATH_MAX], mount[PATH_MAX + 8];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n < 0)
		return err_set(err, errno, "reading /proc/self/exe");
	exe[n] = '\0';
	(void)snprintf(mount, sizeof(mount), "ro:%s", exe);
	int ends[3][2];
	for (int i = 0; i < 3; i++)
		if (pipe2(ends[i], O_CLOEXEC) < 0)
			return err_set(err, errno, "making a pipe");
	AUTO(fd) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	AUTO(fd) int program = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (null < 0 || program < 0)
		return err_set(err, errno, "starting the trial session");
	char *argv[] = {
		"drydock", "--color", "never",	     "run",	"--bare",    "-q",  "--no-project",
		"--name",  "doctor",  "--status-fd", "3",	"--timeout", "60s", "--mount",
		mount,	   "--",      exe,	     "__probe", NULL};
	const int fds[] = {null, ends[0][1], ends[1][1], ends[2][1]};
	const struct proc_spec spec = {
		.exe_fd = program,
		.argv = argv,
		.envp = environ,
		.fds = fds,
		.n_fds = 4,
		.dies_with_parent = true,
	};
	pid_t pid;
	int pidfd;
	int rc = proc_start(&spec, &pid, &pidfd, err);
	for (int i = 0; i < 3; i++)
		fd_drop(&ends[i][1]);
	if (rc == 0) {
		const int reads[] = {ends[0][0], ends[1][0], ends[2][0]};
		struct buf *const bufs[] = {&t->out, &t->err, &t->status};
		int status = 0;
		rc = read_all(reads, bufs, 3);
		(void)waitpid(pid, &status, 0); /* our own child: it can only succeed */
		fd_drop(&pidfd);
		t->code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL + WTERMSIG(status);
	}
	for (int i = 0; i < 3; i++)
		fd_drop(&ends[i][0]);
	return rc;
}

static struct span take_until(struct span *text, uint8_t end)
{
	const uint8_t *at = text->n ? memchr(text->p, end, text->n) : NULL;
	size_t n = at ? (size_t)(at - text->p) : text->n;
	struct span part = {.p = text->p, .n = n};
	size_t skip = at ? n + 1 : n;
	text->p = text->n ? text->p + skip : NULL;
	text->n -= skip;
	return part;
}

static void add_probes(struct doctor *d, struct span out)
{
	while (out.n) {
		struct span line = take_until(&out, '\n');
		struct span name = take_until(&line, '\t');
		struct span detail = take_until(&line, '\t');
		char text[64];
		(void)snprintf(text, sizeof(text), "%.*s", (int)name.n, (const char *)name.p);
		(void)add(d, "PROBES (a real jail was built, and attacked from inside)", text,
			  span_is(line, "ok") ? MARK_OK : MARK_FAIL, detail);
	}
}

/* What the words of the layers line stand for. */
static const char *layer_name(const char *word)
{
	static const struct {
		const char *word, *name;
	} names[] = {
		{"userns", "user namespace"},	  {"netns", "network namespace"},
		{"nft", "nftables (TPROXY)"},	  {"mntns", "mount namespace"},
		{"pidns", "process namespace"},	  {"ipcns", "IPC namespace"},
		{"utsns", "host name namespace"}, {"no_new_privs", "no_new_privs"},
		{"caps", "capabilities"},	  {"seccomp", "seccomp filter"},
		{"landlock", "Landlock"},	  {"cgroup", "limits (cgroup)"},
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i].word, word))
			return names[i].name;
	return word;
}

/* "userns netns ... landlock:7 cgroup:off (reason) ...": one row each, what is off is a warning. */
static void add_layers(struct doctor *d, struct span layers)
{
	while (layers.n) {
		struct span word = take_until(&layers, ' ');
		char text[64];
		struct span detail = {.p = word.p, .n = word.n};
		/* a reason in brackets belongs to its word */
		while (layers.n && memchr(detail.p, '(', detail.n) &&
		       !memchr(detail.p, ')', detail.n)) {
			struct span more = take_until(&layers, ' ');
			detail.n = (size_t)(more.p + more.n - detail.p);
		}
		if (layers.n && layers.p[0] == '(') {
			struct span more = take_until(&layers, ')');
			detail.n = (size_t)(more.p + more.n + 1 - detail.p);
			if (layers.n && layers.p[0] == ' ')
				(void)take_until(&layers, ' ');
		}
		size_t n = strcspn((const char *)word.p, ":( ");
		if (n > word.n)
			n = word.n;
		bool is_off = memmem(detail.p, detail.n, ":off", 4) ||
			      memmem(detail.p, detail.n, "(off", 4);
		(void)snprintf(text, sizeof(text), "%.*s", (int)n, (const char *)word.p);
		if (n)
			(void)add(d, "JAIL (native)", layer_name(text),
				  is_off ? MARK_WARN : MARK_OK,
				  detail.n == n ? span_of("in force") : detail);
	}
}

/* The value of "layers" in the status line; our own JSON, in which it holds no quote. */
static struct span find_layers(const struct buf *status)
{
	static const char key[] = "\"layers\":\"";
	struct span none = {0};
	uint8_t *at = status->n ? memmem(status->p, status->n, key, sizeof(key) - 1) : NULL;
	if (!at)
		return none;
	struct span rest = {.p = at + sizeof(key) - 1,
			    .n = status->n - (size_t)(at + sizeof(key) - 1 - status->p)};
	return take_until(&rest, '"');
}

/* The error block of `run`: "because:" is the reason, "fix:" the fix. */
static void add_failure(struct doctor *d, const struct trial *t)
{
	struct span text = buf_span(&t->err);
	struct row *row =
		add(d, "JAIL (native)", "session", MARK_FAIL, span_of("it could not be built"));
	while (text.n) {
		struct span line = span_trim(take_until(&text, '\n'));
		bool is_fix = line.n > 4 && !memcmp(line.p, "fix:", 4);
		bool is_why = line.n > 8 && !memcmp(line.p, "because:", 8);
		if (!is_fix && !is_why)
			continue;
		(void)take_until(&line, ':');
		line = span_trim(line);
		(void)snprintf(is_fix ? row->fix : row->detail, TEXT_BYTES, "%.*s", (int)line.n,
			       (const char *)line.p);
	}
}

static void examine_jail(struct doctor *d)
{
	struct trial t = {.out = {.max = OUTPUT_MAX_BYTES},
			  .err = {.max = OUTPUT_MAX_BYTES},
			  .status = {.max = OUTPUT_MAX_BYTES}};
	struct err err = {0};
	if (try_session(&t, &err) < 0) {
		(void)add(d, "JAIL (native)", "session", MARK_FAIL, span_of(err.text));
	} else if (t.code != 0) {
		add_failure(d, &t);
	} else {
		add_layers(d, find_layers(&t.status));
		add_probes(d, buf_span(&t.out));
	}
	buf_drop(&t.out);
	buf_drop(&t.err);
	buf_drop(&t.status);
}

static void examine_dns(struct doctor *d)
{
	AUTO(buf) struct buf text = {.max = OUTPUT_MAX_BYTES};
	struct err err = {0};
	const char *section = "EGRESS";
	if (fs_read("/etc/resolv.conf", &text, &err) < 0) {
		(void)add(d, section, "upstream DNS", MARK_WARN, span_of(err.text));
		return;
	}
	struct span rest = buf_span(&text);
	while (rest.n) {
		struct span line = span_trim(take_until(&rest, '\n'));
		if (line.n < 11 || memcmp(line.p, "nameserver", 10) != 0)
			continue;
		line.p += 10;
		line.n -= 10;
		(void)add(d, section, "upstream DNS", MARK_OK, span_trim(line));
		return;
	}
	(void)add(d, section, "upstream DNS", MARK_WARN,
		  span_of("/etc/resolv.conf names no server"));
}

static void examine_policy(struct doctor *d)
{
	static struct launch launch; /* big, and there is one */
	static const struct launch_flags flags = {.status_fd = -1};
	struct err err = {0};
	char text[PATH_MAX + 64];
	launch = (struct launch){0};
	if (launch_load(&launch, &flags, NULL, &err) < 0) {
		struct row *row = add(d, "EGRESS", "rules", MARK_FAIL, span_of(err.text));
		(void)snprintf(row->fix, sizeof(row->fix), "%s", err.fix);
	} else {
		size_t n = 0;
		for (size_t i = 0; i < launch.config.n_sources; i++)
			n += launch.config.sources[i].n_allows;
		(void)snprintf(text, sizeof(text), "%zu from /etc, yours and this project's", n);
		(void)add(d, "EGRESS", "rules", MARK_OK, span_of(text));
		for (size_t i = 0; i < launch.config.n_sources; i++) {
			(void)snprintf(text, sizeof(text), "%zu", launch.config.sources[i].n_allows);
			(void)add(d, "EGRESS", launch.config.sources[i].name, MARK_OK, span_of(text));
		}
		AUTO(dir) DIR *presets = opendir(launch.place.vendor_presets);
		(void)add(d, "EGRESS", "presets", presets ? MARK_OK : MARK_WARN,
			  span_of(launch.place.vendor_presets));
		for (size_t i = 0; i < launch.config.notices.n; i++)
			(void)add(d, "EGRESS", "note", MARK_WARN,
				  span_of(launch.config.notices.items[i]));
	}
	launch_drop(&launch, false);
}

static void on_docker(const struct docker_look_row *row, void *arg)
{
	static const enum mark marks[] = {
		[DOCKER_LOOK_OK] = MARK_OK, [DOCKER_LOOK_WARN] = MARK_WARN, [DOCKER_LOOK_NONE] = MARK_OK};
	struct row *r = add(arg, "DOCKER (only for --engine docker)", row->name, marks[row->mark], span_of(row->detail));
	(void)snprintf(r->fix, sizeof(r->fix), "%s", row->fix);
}

static size_t count(const struct doctor *d, enum mark mark)
{
	size_t n = 0;
	for (size_t i = 0; i < d->n_rows; i++)
		n += d->rows[i].mark == mark;
	return n;
}

/* PRETTY_NAME="..." of os-release(5) */
static void os_name(char *out, size_t max)
{
	AUTO(buf) struct buf text = {.max = 16384};
	(void)snprintf(out, max, "Linux");
	if (fs_read("/etc/os-release", &text, NULL) < 0)
		return;
	struct span rest = buf_span(&text);
	while (rest.n) {
		struct span line = take_until(&rest, '\n');
		if (line.n < 14 || memcmp(line.p, "PRETTY_NAME=\"", 13) != 0)
			continue;
		(void)snprintf(out, max, "%.*s", (int)line.n - 14, (const char *)line.p + 13);
	}
}

/* Unchecked puts below: the output's maximum is far above what the rows can hold. */
static void print_table(const struct doctor *d, struct buf *out)
{
	struct utsname u;
	char os[128];
	os_name(os, sizeof(os));
	if (uname(&u) < 0)
		u = (struct utsname){0};
	(void)buf_putf(out, "drydock %s on %s, kernel %s, %s\n", DRYDOCK_VERSION, os, u.release,
		       u.machine);
	const char *section = "";
	static const enum term_colour colours[] = {
		[MARK_OK] = TERM_GREEN, [MARK_WARN] = TERM_YELLOW, [MARK_FAIL] = TERM_RED};
	for (size_t i = 0; i < d->n_rows; i++) {
		const struct row *row = &d->rows[i];
		if (strcmp(section, row->section) != 0)
			(void)buf_putf(out, "\n%s\n", row->section);
		section = row->section;
		(void)buf_putf(out, "  %-*s %-*s %s%s%s\n", NAME_COLUMN, row->name, DETAIL_COLUMN,
			       row->detail, term_start(STDOUT_FILENO, colours[row->mark]),
			       mark_word(row->mark), term_stop(STDOUT_FILENO));
		if (row->fix[0])
			(void)buf_putf(out, "  %*s fix: %s\n", NAME_COLUMN, "", row->fix);
	}
	size_t fails = count(d, MARK_FAIL), warns = count(d, MARK_WARN);
	(void)buf_putf(out, "\n%zu problem%s, %zu warning%s.\n", fails, fails == 1 ? "" : "s",
		       warns, warns == 1 ? "" : "s");
}

static void print_json(const struct doctor *d, struct buf *out)
{
	struct json j = {.out = out};
	json_open(&j, NULL, '{');
	json_u64(&j, "v", 1);
	json_str(&j, "version", DRYDOCK_VERSION);
	json_bool(&j, "can_contain", count(d, MARK_FAIL) == 0);
	json_open(&j, "rows", '[');
	for (size_t i = 0; i < d->n_rows; i++) {
		json_open(&j, NULL, '{');
		json_str(&j, "section", d->rows[i].section);
		json_str(&j, "name", d->rows[i].name);
		json_str(&j, "result", mark_word(d->rows[i].mark));
		json_str(&j, "detail", d->rows[i].detail);
		if (d->rows[i].fix[0])
			json_str(&j, "fix", d->rows[i].fix);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	(void)buf_put(out, "\n", 1);
}

/* clang-format off */
#define AT(member) offsetof(struct doctor, member)
static const struct option doctor_options[] = {
	{0, "json", NULL, "one JSON document", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_doctor_help(struct buf *out)
{
	(void)buf_putf(out,
		       "Usage: drydock doctor [--json]\n\n"
		       "Builds a real session, attacks it from inside, and says what held.\n\n");
	options_print(doctor_options, out); /* constants: they fit */
	(void)buf_putf(out, "\nExit code: 0, or 5 when this machine cannot contain.\n");
}

int cmd_doctor(char **argv)
{
	static struct doctor doctor; /* big, and there is one */
	struct err err = {0};
	char **rest;

	doctor = (struct doctor){0};
	if (options_parse(doctor_options, &doctor, argv, &rest, &err) < 0)
		return term_usage("doctor", &err);
	if (*rest) {
		err_set(&err, 0, "doctor takes no argument, not '%s'", *rest);
		return term_usage("doctor", &err);
	}
	if (doctor.is_help)
		return cmd_help((char *[]){(char[]){"doctor"}, NULL});
	examine_jail(&doctor);
	examine_policy(&doctor);
	examine_dns(&doctor);
	docker_look(on_docker, &doctor);
	AUTO(buf) struct buf out = {.max = OUTPUT_MAX_BYTES};
	if (doctor.is_json)
		print_json(&doctor, &out);
	else
		print_table(&doctor, &out);
	int code = term_put(STDOUT_FILENO, &out);
	return count(&doctor, MARK_FAIL) ? EXIT_CANNOT_CONTAIN : code;
}
