/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_stop.c - drydock stop: ends running sessions, in order if they can, and for certain */
/*
 * SIGTERM to the supervisor, which passes it on. When the time is over: SIGINT twice, at which the supervisor kills
 * the jail and still writes the session's record. When even that does not end it: SIGKILL, with which the jail dies.
 * All of it goes through a pidfd, so that no other process of that number is ever meant.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/term.h"
#include "engine/docker_gc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

enum { STOP_DEFAULT_MS = 10000, BETWEEN_MS = 100, KILL_MS = 3000, OUT_MAX_BYTES = 1 << 20 };

struct stop_flags {
	uint64_t time_ms;
	bool is_all, is_json, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct stop_flags, member)
static const struct option stop_options[] = {
	{'a', "all", NULL, "every session of yours that runs", OPTION_FLAG, AT(is_all)},
	{0, "time", "TIME", "how long its command may take to end by itself; 10s otherwise", OPTION_DURATION, AT(time_ms)},
	{0, "json", NULL, "one JSON document", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_stop_help(struct buf *out)
{
	/* constants: they fit */
	(void)buf_putf(out, "Usage: drydock stop [OPTIONS] [SESSION...]\n\n"
			    "Ends sessions: asks their commands to end, and kills what does not. Without SESSION, "
			    "the\nnewest that runs.\n\n");
	options_print(stop_options, out);
	(void)buf_putf(out, "\nExit code: 0 all have ended, 6 no such session.\n");
}

enum stopped { STOPPED, STOPPED_KILLED, STOP_FAILED };
static const char *const stopped_words[] = {
	[STOPPED] = "stopped", [STOPPED_KILLED] = "killed", [STOP_FAILED] = "failed"};

/* struct target - one session on its way out */
struct target {
	char id[SESSION_ID_BYTES];
	int pidfd;
	enum stopped how;
};

static void send(const struct target *t, int number)
{
	/* fails when it has just ended, which is what is wanted */
	(void)syscall(SYS_pidfd_send_signal, t->pidfd, number, NULL, 0);
}

/* True when it ended within the time. */
static bool wait_for(const struct target *t, uint64_t ms)
{
	uint64_t until = clock_now_ms() + ms;
	for (;;) {
		uint64_t now = clock_now_ms();
		struct pollfd p = {.fd = t->pidfd, .events = POLLIN};
		int rc = poll(&p, 1, now < until ? (int)(until - now) : 0);
		if (rc > 0)
			return true;
		if (rc == 0 || errno != EINTR)
			return false;
	}
}

static void end_one(struct target *t, uint64_t deadline)
{
	uint64_t now = clock_now_ms();
	t->how = STOPPED;
	if (wait_for(t, now < deadline ? deadline - now : 0))
		return;
	t->how = STOPPED_KILLED;
	send(t, SIGINT);
	(void)wait_for(t, BETWEEN_MS); /* two signals at once would be one */
	send(t, SIGINT);
	if (wait_for(t, KILL_MS))
		return;
	send(t, SIGKILL);
	if (!wait_for(t, KILL_MS))
		t->how = STOP_FAILED; /* the kernel has it: a file system that does not answer, say */
}

static int report(const struct target *targets, size_t n, bool is_json)
{
	AUTO(buf) struct buf out = {.max = OUT_MAX_BYTES};
	struct json j = {.out = &out};
	int code = EXIT_OK;
	if (is_json) {
		json_open(&j, NULL, '{');
		json_u64(&j, "v", 1);
		json_open(&j, "sessions", '[');
	}
	for (size_t i = 0; i < n; i++) {
		if (targets[i].how == STOP_FAILED)
			code = EXIT_FAILED;
		if (!is_json) {
			(void)buf_putf(&out, "%s %s\n", targets[i].id, stopped_words[targets[i].how]); /* term_put() */
			continue;
		}
		json_open(&j, NULL, '{');
		json_str(&j, "session", targets[i].id);
		json_str(&j, "result", stopped_words[targets[i].how]);
		json_close(&j, '}');
	}
	if (is_json) {
		json_close(&j, ']');
		json_close(&j, '}');
		(void)buf_put(&out, "\n", 1); /* term_put() reports a cut */
	}
	int rc = term_put(STDOUT_FILENO, &out);
	return rc != EXIT_OK ? rc : code;
}

/* 0; -ENOENT when none is meant; -ESRCH when it ended meanwhile. */
static int add_target(const struct place *place, const char *wanted, struct target *out, struct err *err)
{
	pid_t pid;
	int rc = session_find_live(&place->roots, wanted, out->id, err);
	return rc < 0 ? rc : session_supervisor(&place->roots, out->id, &pid, &out->pidfd, err);
}

static int add_all(const struct place *place, struct target **out, size_t *out_n, struct err *err)
{
	AUTO(mem) struct session_entry *entries = NULL;
	size_t n = 0, n_live = 0;
	int rc = session_list(&place->roots, &entries, &n, err);
	if (rc < 0)
		return rc;
	struct target *targets = calloc(n + 1, sizeof(*targets));
	if (!targets)
		return err_set(err, ENOMEM, "listing sessions");
	for (size_t i = 0; i < n; i++) {
		pid_t pid;
		struct target *t = &targets[n_live];
		memcpy(t->id, entries[i].id, sizeof(t->id));
		if (entries[i].is_live &&
		    session_supervisor(&place->roots, t->id, &pid, &t->pidfd, NULL) == 0)
			n_live++;
	}
	*out = targets;
	*out_n = n_live;
	return 0;
}

static int add_named(const struct place *place, const struct option_list *words, struct target **out,
		     size_t *out_n, struct err *err)
{
	struct target *targets = calloc(words->n + 1, sizeof(*targets));
	size_t n = 0;
	int rc = targets ? 0 : err_set(err, ENOMEM, "listing sessions");
	for (size_t i = 0; rc == 0 && i < (words->n ? words->n : 1); i++) {
		rc = add_target(place, words->n ? words->items[i] : NULL, &targets[n], err);
		if (rc == 0)
			n++;
	}
	*out = targets;
	*out_n = n;
	return rc;
}

/* A container goes on when its session's command line is killed: then it is all that is left to stop. */
static bool stop_orphans(const struct stop_flags *flags, const struct option_list *words, struct err *err)
{
	int n = flags->is_all ? docker_gc(NULL, true, false, NULL, NULL, err) : 0;

	for (size_t i = 0; n >= 0 && i < words->n; i++) {
		int more = docker_gc(words->items[i], true, false, NULL, NULL, err);
		n = more < 0 ? more : n + more;
		if (more == 0)
			return false;
	}
	return n > 0;
}

static int stop(const struct stop_flags *flags, const struct option_list *words)
{
	static struct place place; /* big, and there is one */
	AUTO(mem) struct target *targets = NULL;
	struct err err = {0};
	size_t n = 0;

	int rc = place_find(&place, &err);
	if (rc == 0)
		rc = flags->is_all ? add_all(&place, &targets, &n, &err)
				   : add_named(&place, words, &targets, &n, &err);
	if (rc < 0) { /* a name that is wrong stops nothing at all */
		for (size_t i = 0; i < n; i++)
			fd_drop(&targets[i].pidfd);
		bool is_none = rc == -ENOENT || rc == -ESRCH;
		struct err other = {0};
		if (is_none && words->n && stop_orphans(flags, words, &other)) {
			term_notice("its command line was gone; its containers are removed");
			return EXIT_OK;
		}
		term_error(is_none ? "no such session" : "cannot stop it", &err, 0);
		return is_none ? EXIT_NO_SESSION : EXIT_FAILED;
	}
	uint64_t deadline = clock_now_ms() + (flags->time_ms ? flags->time_ms : STOP_DEFAULT_MS);
	for (size_t i = 0; i < n; i++)
		send(&targets[i], SIGTERM);
	for (size_t i = 0; i < n; i++) {
		end_one(&targets[i], deadline);
		fd_drop(&targets[i].pidfd);
		if (targets[i].how == STOPPED_KILLED) /* whoever was killed could not tidy up */
			(void)docker_gc(targets[i].id, true, false, NULL, NULL, NULL);
	}
	if (flags->is_all)
		(void)stop_orphans(flags, words, NULL); /* what is left is gc's */
	(void)session_sweep(&place.roots, false, NULL, NULL, NULL); /* the next start does it too */
	if (n == 0 && !flags->is_json)
		term_notice("no session is running");
	return report(targets, n, flags->is_json);
}

int cmd_stop(char **argv)
{
	struct stop_flags flags = {0};
	struct option_list words;
	struct err err = {0};

	if (options_parse_all(stop_options, &flags, argv, &words, &err) < 0)
		return term_usage("stop", &err);
	if (flags.is_help)
		return cmd_show_help("stop");
	if (flags.is_all && words.n) {
		err_set(&err, 0, "--all and a session together");
		return term_usage("stop", &err);
	}
	return stop(&flags, &words);
}
