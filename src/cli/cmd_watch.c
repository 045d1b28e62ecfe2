/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_watch.c - drydock watch: decisions as they are made, and answers to them */
#include "base/clock.h"
#include "base/own.h"
#include "base/utf8.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/live.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/screen.h"
#include "cli/term.h"
#include "config/config.h"
#include "config/trust.h"
#include "egress/wire/control.h"
#include "report/board.h"
#include "report/meta.h"
#include "report/segments.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/signalfd.h>

enum {
	MAX_SESSIONS = 16,
	TEXT_MAX_BYTES = 256 * 1024,
	NAME_COLUMN = 44,
	TIME_SHOWN = 8,
	FILTER_MAX = 40,
	REDRAW_MS = 1000,
	STATUS_BYTES = 240,
};

struct watched {
	char id[SESSION_ID_BYTES];
	int records;   /* -1: over */
	uint64_t seen; /* seq of the last record taken: the log is read first, and ends where the socket begins */
};

/**
 * struct watch - what is seen and how it is shown
 * @selected:	counted from the newest row up, among those the filter lets through
 * @status:	what the last key did
 */
struct watch {
	struct place place;
	struct watched sessions[MAX_SESSIONS];
	size_t n_sessions;
	struct board board;
	struct control_packet packet;
	bool is_plain, is_json, is_typing;
	size_t selected;
	char filter[FILTER_MAX + 1];
	char status[STATUS_BYTES];
};

struct watch_flags {
	bool is_plain, is_tui, is_json, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct watch_flags, member)
static const struct option watch_options[] = {
	{0, "plain", NULL, "one line a decision; the default without a terminal", OPTION_FLAG, AT(is_plain)},
	{0, "json", NULL, "the records as they are, one JSON object a line", OPTION_FLAG, AT(is_json)},
	{0, "tui", NULL, "the live view, or an error", OPTION_FLAG, AT(is_tui)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_watch_help(struct buf *out)
{
	(void)buf_putf(out, "Usage: drydock watch [OPTIONS] [SESSION...]\n\n"
			    "Shows decisions as they are made; without SESSION, of all running sessions.\n\n"); /* fits */
	options_print(watch_options, out);
	(void)buf_putf(out, "\nKeys: up and down choose a line;  a allow once  s allow for the session  p for the project\n"
			    "d deny for the session;  / show only names with a text;  q end.\n");
}

/* --- what is shown --------------------------------------------------------------------------- */

static void put_text(struct buf *out, const char *text, size_t max_chars)
{
	utf8_put_safe(out, span_of(text), max_chars);
}

static void put_amount(struct buf *out, uint64_t bytes)
{
	static const char units[] = "BKMGT";
	size_t unit = 0;
	while (bytes >= 10240 && unit < sizeof(units) - 2) {
		bytes /= 1024;
		unit++;
	}
	(void)buf_putf(out, "%llu%c", (unsigned long long)bytes, units[unit]);
}

static void put_name(struct buf *out, const struct board_row *row)
{
	AUTO(buf) struct buf name = {.max = TEXT_MAX_BYTES};

	put_text(&name, row->name, NAME_COLUMN - 6);
	(void)(row->port ? buf_putf(&name, ":%u", row->port) : buf_putf(&name, " (DNS)"));
	(void)buf_putf(out, "%.*s%*s", (int)name.n, (const char *)name.p,
		       name.n < NAME_COLUMN ? (int)(NAME_COLUMN - name.n) : 1, "");
}

static void put_row(const struct watch *w, const struct board_row *row, bool is_selected, struct buf *out)
{
	static const char *const words[] = {[BOARD_ALLOW] = "allow", [BOARD_DENY] = "DENY ", [BOARD_ASK] = "ASK  "};
	static const enum term_colour colours[] = {
		[BOARD_ALLOW] = TERM_PLAIN, [BOARD_DENY] = TERM_RED, [BOARD_ASK] = TERM_YELLOW};
	const char *time = strchr(row->time, 'T');

	(void)buf_putf(out, "%s %s", w->is_plain ? "" : is_selected ? ">" : " ",
		       w->n_sessions > 1 ? w->sessions[row->session].id : "");
	(void)buf_putf(out, "%.*s", TIME_SHOWN, time ? time + 1 : ""); /* record_read() lets no other time in */
	(void)buf_putf(out, "  %s%s%s  ", term_start(STDOUT_FILENO, colours[row->verdict]), words[row->verdict],
		       term_stop(STDOUT_FILENO));
	put_name(out, row);
	put_text(out, row->program[0] ? row->program : row->protocol, 14);
	if (row->reason[0]) {
		(void)buf_putf(out, "  ");
		put_text(out, row->reason, BOARD_WORD_BYTES);
	}
	if (row->up_bytes || row->down_bytes) {
		(void)buf_putf(out, "  up ");
		put_amount(out, row->up_bytes);
		(void)buf_putf(out, " down ");
		put_amount(out, row->down_bytes);
	}
	if (row->count > 1)
		(void)buf_putf(out, "  x%llu", (unsigned long long)row->count);
	(void)buf_putf(out, "\n");
}

static bool is_shown(const struct watch *w, const struct board_row *row)
{
	return !w->filter[0] || strstr(row->name, w->filter);
}

static size_t count_shown(const struct watch *w)
{
	size_t n = 0;
	for (size_t i = 0; i < w->board.n_rows; i++)
		n += is_shown(w, &w->board.rows[i]);
	return n;
}

/* The row that keys act on, or NULL. */
static const struct board_row *selected_row(const struct watch *w)
{
	size_t left = w->selected;
	for (size_t i = w->board.n_rows; i-- > 0;)
		if (is_shown(w, &w->board.rows[i]) && left-- == 0)
			return &w->board.rows[i];
	return NULL;
}

static void put_header(const struct watch *w, struct buf *out)
{
	(void)buf_putf(out, "%sdrydock watch%s ", term_start(STDOUT_FILENO, TERM_BOLD), term_stop(STDOUT_FILENO));
	for (size_t i = 0; i < w->n_sessions && i < 3; i++)
		(void)buf_putf(out, " %s%s", w->sessions[i].id, w->sessions[i].records < 0 ? " (over)" : "");
	if (w->n_sessions > 3)
		(void)buf_putf(out, " and %zu more", w->n_sessions - 3);
	(void)buf_putf(out, "   allow %llu  deny %llu  asking %zu\n", (unsigned long long)w->board.n_allowed,
		       (unsigned long long)w->board.n_denied, board_count_asks(&w->board));
}

static void draw(const struct watch *w)
{
	AUTO(buf) struct buf out = {.max = TEXT_MAX_BYTES};
	unsigned columns, rows;

	screen_size(&columns, &rows);
	put_header(w, &out);
	size_t room = rows > 4 ? rows - 3 : 1, n = count_shown(w), seen = 0;
	const struct board_row *chosen = selected_row(w);
	size_t skip = n > room ? n - room : 0;
	if (w->selected >= room && n > room) /* the chosen one stays in sight */
		skip = n - 1 - w->selected;
	for (size_t i = 0; i < w->board.n_rows && seen < skip + room; i++) {
		const struct board_row *row = &w->board.rows[i];
		if (is_shown(w, row) && seen++ >= skip)
			put_row(w, row, row == chosen, &out);
	}
	for (size_t i = seen > skip ? seen - skip : 0; i < room; i++)
		(void)buf_putf(&out, "\n");
	if (w->is_typing)
		(void)buf_putf(&out, "show names with: %s_\n", w->filter);
	else
		(void)buf_putf(&out, "%.*s\n", (int)(columns - 1), w->status);
	(void)buf_putf(&out, "%s[a]llow once  [s]ession  [p]roject  [d]eny  [/] filter  [q]uit%s",
		       term_start(STDOUT_FILENO, TERM_BOLD), term_stop(STDOUT_FILENO));
	screen_draw(&out);
}

/* --- what keys do ---------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void say(struct watch *w, const char *fmt, ...)
{
	char text[STATUS_BYTES];
	AUTO(buf) struct buf safe = {.max = STATUS_BYTES * 10};
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* cut is fine */
	va_end(ap);
	utf8_put_safe(&safe, span_of(text), STATUS_BYTES - 8);
	(void)snprintf(w->status, sizeof(w->status), "%.*s", (int)safe.n, safe.n ? (const char *)safe.p : "");
}

/* A DNS question names no port: 443 is what a rule without one means. */
static int rule_of(const struct board_row *row, const char *action, const char *options, char out[RULE_TEXT_BYTES],
		   struct err *err)
{
	char text[BOARD_NAME_BYTES + 64];
	bool is_deny = !strcmp(action, "deny");

	if (is_deny)
		(void)snprintf(text, sizeof(text), "deny %s", row->name);
	else
		(void)snprintf(text, sizeof(text), "allow %s:%u%s", row->name, row->port ? row->port : 443U, options);
	return rulefile_rule(text, is_deny ? RULE_DENY : RULE_ALLOW, out, err);
}

/* In the .drydock of the session's own project, wherever this view was started; a trust that was there stays. */
static int put_in_project(struct watch *w, const char *id, const char *rule, enum trust_state *out, struct err *err)
{
	char path[PATH_MAX + 96];
	const char *const lines[] = {rule, NULL};
	struct meta meta;
	size_t n_changed;

	(void)snprintf(path, sizeof(path), "%s/%s/meta.json", w->place.roots.state, id);
	int rc = meta_read(path, &meta, err);
	if (rc < 0)
		return rc;
	bool has_project = meta.project[0];
	(void)snprintf(path, sizeof(path), "%s/.drydock", meta.project);
	meta_drop(&meta);
	if (!has_project)
		return err_set(err, 0, "session %s has no project", id);
	rc = config_check_project("rule", span_of(rule), err);
	if (rc < 0)
		return rc;
	const struct rulefile edit = {.path = path,
				      .bare = RULE_ALLOW,
				      .mode = 0644,
				      .lines = lines,
				      .head = "# What this project's agent may reach. See drydock-policy(5); review: drydock trust\n"};
	return trust_edit(w->place.trust_dir, &edit, false, &n_changed, out, err);
}

static void act(struct watch *w, int key)
{
	const struct board_row *row = selected_row(w);
	char rule[RULE_TEXT_BYTES];
	enum trust_state state = TRUST_OK;
	struct err err = {0};

	if (!row) {
		say(w, "%s", "nothing is chosen");
		return;
	}
	int rc = rule_of(row, key == 'd' ? "deny" : "allow", key == 'a' ? " conns=1" : "", rule, &err);
	if (rc == 0)
		rc = live_add_rules(&w->place.roots, w->sessions[row->session].id, span_of(rule), NULL, &err);
	if (rc == 0 && key == 'p')
		rc = put_in_project(w, w->sessions[row->session].id, rule, &state, &err);
	if (rc < 0)
		say(w, "not done: %s", err.text);
	else if (key == 'p' && state != TRUST_OK)
		say(w, "for this session and in .drydock, which is not trusted yet (drydock trust): %s", rule);
	else
		say(w, "%s: %s", key == 'p' ? "for this session and in .drydock" : "for this session", rule);
}

static void type(struct watch *w, int key)
{
	size_t n = strlen(w->filter);

	if (key == SCREEN_ENTER || key == SCREEN_ESCAPE)
		w->is_typing = false;
	if (key == SCREEN_ESCAPE)
		w->filter[0] = '\0';
	else if (key == SCREEN_BACKSPACE && n)
		w->filter[n - 1] = '\0';
	else if (key > ' ' && key < 127 && n < FILTER_MAX) {
		w->filter[n] = (char)key;
		w->filter[n + 1] = '\0';
	}
	w->selected = 0;
}

/* False when the user has seen enough. */
static bool take_key(struct watch *w)
{
	int key = screen_read_key();

	if (w->is_typing && key >= 0) {
		type(w, key);
		return true;
	}
	switch (key) {
	case SCREEN_UP:
	case 'k':
		w->selected += w->selected + 1 < count_shown(w);
		break;
	case SCREEN_DOWN:
	case 'j':
		w->selected -= w->selected > 0;
		break;
	case 'a':
	case 's':
	case 'p':
	case 'd':
		act(w, key);
		break;
	case '/':
		w->is_typing = true;
		w->filter[0] = '\0';
		break;
	case 'q':
	case -1:
		return false;
	default:
		break;
	}
	return true;
}

/* --- what comes in --------------------------------------------------------------------------- */

/* What is chosen stays chosen while rows come in below it. */
static void take_line(struct watch *w, unsigned session)
{
	struct record r;
	char chosen[BOARD_NAME_BYTES] = "";
	uint16_t port = 0;
	const struct board_row *row = w->selected ? selected_row(w) : NULL;

	if (row) {
		(void)snprintf(chosen, sizeof(chosen), "%s", row->name);
		port = row->port;
	}
	if (!record_read(w->packet.text, &r))
		return;
	if (r.seq <= w->sessions[session].seen) {
		record_drop(&r);
		return;
	}
	if (w->is_json) {
		AUTO(buf) struct buf out = {.max = TEXT_MAX_BYTES};
		(void)buf_putf(&out, "%s\n", w->packet.text);
		(void)term_put(STDOUT_FILENO, &out); /* a reader that is gone ends us by SIGPIPE */
		record_drop(&r);
		return;
	}
	bool is_news = board_add(&w->board, session, &r);
	if (!strcmp(r.event, "reload"))
		say(w, "rules: %s", r.reason);
	if (is_news && w->is_plain) {
		AUTO(buf) struct buf out = {.max = TEXT_MAX_BYTES};
		put_row(w, &w->board.rows[w->board.n_rows - 1], false, &out);
		if (strcmp(r.event, "close") != 0)
			(void)term_put(STDOUT_FILENO, &out); /* a reader that is gone ends us by SIGPIPE */
	}
	record_drop(&r);
	for (size_t n = count_shown(w); row && w->selected + 1 < n; w->selected++) {
		row = selected_row(w);
		if (row && row->port == port && !strcmp(row->name, chosen))
			break;
	}
}

static void take_record(struct watch *w, unsigned session)
{
	struct watched *s = &w->sessions[session];
	int rc = control_recv(s->records, &w->packet);

	if (rc == 1 && w->packet.head.number == CONTROL_RECORD)
		take_line(w, session);
	if (rc == 1)
		fd_drop(&w->packet.fd);
	if (rc <= 0 && rc != -EAGAIN) {
		fd_drop(&s->records);
		say(w, "session %s is over, or this view was too slow for it", s->id);
	}
}

static bool is_any_live(const struct watch *w)
{
	for (size_t i = 0; i < w->n_sessions; i++)
		if (w->sessions[i].records >= 0)
			return true;
	return false;
}

static int run(struct watch *w, int signals)
{
	struct pollfd fds[MAX_SESSIONS + 2];
	uint64_t drawn_ms = 0;

	while (is_any_live(w) || !w->is_plain) {
		if (!w->is_plain && clock_now_ms() - drawn_ms > 40) {
			draw(w);
			drawn_ms = clock_now_ms();
		}
		for (size_t i = 0; i < w->n_sessions; i++)
			fds[i] = (struct pollfd){.fd = w->sessions[i].records, .events = POLLIN};
		fds[w->n_sessions] = (struct pollfd){.fd = signals, .events = POLLIN};
		fds[w->n_sessions + 1] = (struct pollfd){.fd = w->is_plain ? -1 : STDIN_FILENO, .events = POLLIN};
		int n = poll(fds, w->n_sessions + 2, w->is_plain ? -1 : REDRAW_MS);
		if (n < 0 && errno != EINTR)
			return EXIT_FAILED;
		for (size_t i = 0; n > 0 && i < w->n_sessions; i++)
			if (fds[i].revents)
				take_record(w, (unsigned)i);
		if (n > 0 && fds[w->n_sessions].revents) {
			struct signalfd_siginfo info;
			if (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info) && info.ssi_signo != SIGWINCH)
				return EXIT_OK;
		}
		if (n > 0 && fds[w->n_sessions + 1].revents && !take_key(w))
			return EXIT_OK;
		if (n > 0 && !w->is_plain)
			drawn_ms = drawn_ms > 40 ? drawn_ms - 40 : 0; /* news is shown at once */
	}
	return EXIT_OK;
}

/* --- which sessions -------------------------------------------------------------------------- */

/* What was decided before; asks that still wait are among it. */
static void read_log(struct watch *w, unsigned session)
{
	struct watched *s = &w->sessions[session];
	char path[PATH_MAX + 64];

	(void)snprintf(path, sizeof(path), "%s/%s/audit.jsonl", w->place.roots.state, s->id);
	struct segments log;
	if (segments_open(path, &log, NULL) < 0)
		return;
	struct record_reader reader = segments_reader(&log);
	const struct record *r;
	while ((r = record_next(&reader))) {
		(void)board_add(&w->board, session, r);
		s->seen = r->seq > s->seen ? r->seq : s->seen;
	}
	record_reader_drop(&reader);
	segments_close(&log);
}

static int add_session(struct watch *w, const char *id, struct err *err)
{
	if (w->n_sessions == MAX_SESSIONS)
		return err_set(err, 0, "more than %d sessions: name those to watch", MAX_SESSIONS);
	AUTO(fd) int fd = live_connect(&w->place.roots, id, err);
	if (fd < 0)
		return fd;
	int rc = control_ask(fd, CONTROL_SUBSCRIBE, 0, (struct span){0}, -1, NULL, NULL, err);
	if (rc < 0)
		return rc;
	struct watched *s = &w->sessions[w->n_sessions++];
	(void)snprintf(s->id, sizeof(s->id), "%s", id);
	s->records = fd_take(&fd);
	if (!w->is_plain)
		read_log(w, (unsigned)(s - w->sessions));
	return 0;
}

static int add_all(struct watch *w, struct err *err)
{
	AUTO(dir) DIR *dir = opendir(w->place.roots.runtime);
	struct dirent *entry;
	int rc = 0;

	while (rc == 0 && dir && (entry = readdir(dir)))
		if (session_id_is_valid(entry->d_name) && session_is_live(&w->place.roots, entry->d_name)) {
			rc = add_session(w, entry->d_name, err);
			if (rc == -ENOTCONN || rc == -ENOENT)
				rc = 0; /* nothing to see there */
		}
	if (rc == 0 && w->n_sessions == 0) {
		(void)err_set(err, 0, "no session is running");
		(void)err_fix(err, "start one: drydock run -- COMMAND; what was: drydock log");
		return -ENOENT;
	}
	return rc;
}

static int add_named(struct watch *w, char **names, struct err *err)
{
	int rc = 0;
	for (; rc == 0 && *names; names++) {
		char id[SESSION_ID_BYTES];
		rc = session_find(&w->place.roots, *names, id, err);
		if (rc == 0)
			rc = add_session(w, id, err);
	}
	return rc;
}

static int block_signals(struct err *err)
{
	sigset_t set;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGWINCH);
	int fd = sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -1 : signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_set(err, errno, "waiting for signals") : fd;
}

static int show(struct watch *w, struct err *err)
{
	AUTO(fd) int signals = block_signals(err);

	if (signals < 0 || (!w->is_plain && screen_enter(err) < 0)) {
		term_error("cannot show the live view", err, 0);
		return EXIT_FAILED;
	}
	int code = run(w, signals);
	screen_leave();
	return code;
}

int cmd_watch(char **argv)
{
	static struct watch w; /* big, and there is one */
	struct watch_flags flags = {0};
	struct err err = {0};
	char **rest;

	if (options_parse(watch_options, &flags, argv, &rest, &err) < 0)
		return term_usage("watch", &err);
	if (flags.is_help)
		return cmd_show_help("watch");
	if (flags.is_tui && (flags.is_plain || flags.is_json)) {
		err_set(&err, 0, "--tui goes with neither --plain nor --json");
		return term_usage("watch", &err);
	}
	w.is_json = flags.is_json;
	w.is_plain = flags.is_plain || flags.is_json || (!flags.is_tui && (!term_is_tty(STDIN_FILENO) || !term_is_tty(STDOUT_FILENO)));
	int rc = place_find(&w.place, &err);
	if (rc == 0)
		rc = *rest ? add_named(&w, rest, &err) : add_all(&w, &err);
	int code = rc == -ENOENT ? EXIT_NO_SESSION : EXIT_FAILED;
	if (rc < 0)
		term_error("cannot watch", &err, 0);
	else
		code = show(&w, &err);
	for (size_t i = 0; i < w.n_sessions; i++)
		fd_drop(&w.sessions[i].records);
	board_drop(&w.board);
	return code;
}
