/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With a pty two copies run: keys from the user's terminal to the agent, text from the agent to the
 * terminal. The terminal is reopened, so that its own descriptors stay blocking for the shell that
 * waits for us. Each way holds one buffer and reads no more while it is not empty, so neither side
 * can make it grow.
 */
#include "engine/supervise.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/own.h"
#include "engine/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>

enum { COPY_BYTES = 16 << 10, DRAIN_MS = 5000 };

/* One direction of the terminal. */
struct copy {
	struct loop_source *from, *to;
	uint8_t bytes[COPY_BYTES];
	size_t n, done;
	bool is_over;
};

struct supervisor {
	struct loop *loop;
	struct jail *jail;
	const struct engine_watch *watch;
	struct engine_result result;
	bool is_over;
	uint64_t last_int_ms;
	struct loop_source signals, init, egress, keys, screen, pty;
	struct other {
		struct loop_source source;
		struct supervisor *s;
		const struct supervise_also *also;
	} others[SUPERVISE_MAX_ALSO];
	struct loop_timer limit, kill;
	struct copy in, out;
	struct tty tty;
};

static void notice(struct supervisor *s, const char *text)
{
	s->watch->notice(s->watch->arg, text);
}

/* The earliest time that anybody set counts. */
static void kill_at(struct supervisor *s, uint64_t at_ms)
{
	bool is_sooner = !s->kill.slot || at_ms < s->kill.at_ms;
	if (is_sooner && loop_timer_set(s->loop, &s->kill, at_ms) < 0)
		(void)kill(s->jail->init_pid, SIGKILL); /* no memory for patience */
}

static void on_kill(struct loop_timer *timer)
{
	struct supervisor *s = container_of(timer, struct supervisor, kill);
	(void)kill(s->jail->init_pid, SIGKILL); /* not reaped before its pidfd is read */
}

static void on_limit(struct loop_timer *timer)
{
	struct supervisor *s = container_of(timer, struct supervisor, limit);
	s->result.timed_out = true;
	notice(s, "the time limit is over: the command is asked to end");
	(void)jail_signal(s->jail, SIGTERM); /* the kill follows in any case */
	kill_at(s, loop_now_ms(s->loop) + SUPERVISE_GRACE_MS);
}

static void on_init(struct loop_source *source, uint32_t events)
{
	(void)events;
	container_of(source, struct supervisor, init)->is_over = true;
}

static void on_egress(struct loop_source *source, uint32_t events)
{
	struct supervisor *s = container_of(source, struct supervisor, egress);
	(void)events;
	loop_drop(s->loop, source);
	source->fd = -1;
	s->result.egress_died = true;
	if (!s->is_over)
		notice(s, "the egress proxy ended: this session reaches nothing any more "
			  "(the command goes on)");
}

/* Events that a terminal end wants, from what its two copies wait for. */
static void rewatch(struct supervisor *s, struct loop_source *end)
{
	uint32_t events = 0;
	struct copy *both[] = {&s->in, &s->out};
	if (end->fd < 0)
		return;
	for (size_t i = 0; i < 2; i++) {
		struct copy *c = both[i];
		if (c->is_over)
			continue;
		if (c->from == end && c->n == 0)
			events |= EPOLLIN;
		if (c->to == end && c->n > 0)
			events |= EPOLLOUT;
	}
	(void)loop_change(s->loop, end, events); /* it is watched: cannot fail for lack of memory */
}

/* One end is gone: nothing moves through it any more. */
static void end_lost(struct supervisor *s, struct loop_source *end)
{
	if (end->fd < 0)
		return;
	loop_drop(s->loop, end);
	s->in.is_over |= s->in.from == end || s->in.to == end;
	s->out.is_over |= s->out.from == end || s->out.to == end;
	if (end != &s->pty) {
		/* the user's terminal: what a hang-up means to any program */
		(void)jail_signal(s->jail, SIGHUP);
		kill_at(s, loop_now_ms(s->loop) + SUPERVISE_GRACE_MS);
		fd_drop(&end->fd);
	}
}

/* The user's terminal may be a blocking descriptor (see reopen()), so nothing is tried before its
 * time. */
static bool is_ready(int fd, short event)
{
	struct pollfd p = {.fd = fd, .events = event};
	return poll(&p, 1, 0) == 1;
}

static bool is_patience(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Moves what can be moved now; false when nothing moved. */
static bool copy_some(struct supervisor *s, struct copy *c)
{
	if (c->is_over)
		return false;
	if (c->n == 0) {
		if (!is_ready(c->from->fd, POLLIN))
			return false;
		ssize_t got = read(c->from->fd, c->bytes, sizeof(c->bytes));
		if (is_patience(got))
			return false;
		if (got <= 0) {
			end_lost(s, c->from);
			return false;
		}
		c->n = (size_t)got;
		c->done = 0;
	}
	if (!is_ready(c->to->fd, POLLOUT))
		return false;
	ssize_t put = write(c->to->fd, c->bytes + c->done, c->n);
	if (is_patience(put))
		return false;
	if (put < 0) {
		end_lost(s, c->to);
		return false;
	}
	c->done += (size_t)put;
	c->n -= (size_t)put;
	return true;
}

static void on_terminal(struct supervisor *s)
{
	(void)copy_some(s, &s->in);
	(void)copy_some(s, &s->out);
	rewatch(s, &s->keys);
	rewatch(s, &s->screen);
	rewatch(s, &s->pty);
}

static void on_keys(struct loop_source *source, uint32_t events)
{
	struct supervisor *s = container_of(source, struct supervisor, keys);
	if (events & (EPOLLHUP | EPOLLERR))
		end_lost(s, source);
	on_terminal(s);
}

static void on_screen(struct loop_source *source, uint32_t events)
{
	struct supervisor *s = container_of(source, struct supervisor, screen);
	if (events & (EPOLLHUP | EPOLLERR))
		end_lost(s, source);
	on_terminal(s);
}

static void on_pty(struct loop_source *source, uint32_t events)
{
	(void)events;
	on_terminal(container_of(source, struct supervisor, pty));
}

/* SIGTSTP from outside: stop as asked, with the terminal as it was. */
static void pause_self(struct supervisor *s)
{
	tty_restore(&s->tty);
	(void)kill(getpid(), SIGSTOP);
	(void)tty_raw(&s->tty); /* fails in the background only, where it does not matter */
	(void)tty_copy_size(STDIN_FILENO, s->jail->pty_fd);
}

static void on_interrupt(struct supervisor *s)
{
	uint64_t now = loop_now_ms(s->loop);
	if (s->last_int_ms && now - s->last_int_ms <= SUPERVISE_TWICE_MS) {
		notice(s, "interrupted twice: the session is killed");
		kill_at(s, now);
		return;
	}
	s->last_int_ms = now;
	(void)jail_signal(s->jail, SIGINT); /* fails when the agent has just ended */
}

static void on_signal(struct loop_source *source, uint32_t events)
{
	struct supervisor *s = container_of(source, struct supervisor, signals);
	struct signalfd_siginfo info;
	(void)events;
	while (read(source->fd, &info, sizeof(info)) == sizeof(info)) {
		int number = (int)info.ssi_signo;
		if (number == SIGINT) {
			on_interrupt(s);
		} else if (number == SIGWINCH) {
			if (s->jail->pty_fd >= 0)
				(void)tty_copy_size(STDIN_FILENO,
						    s->jail->pty_fd); /* or it is gone */
		} else if (number == SIGTSTP) {
			pause_self(s);
		} else {
			(void)jail_signal(s->jail, number); /* fails when it has just ended */
			if (number != SIGQUIT)
				kill_at(s, loop_now_ms(s->loop) + SUPERVISE_GRACE_MS);
		}
	}
}

static void signal_set(sigset_t *set, bool has_pty)
{
	static const int handled[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};
	(void)sigemptyset(set);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		(void)sigaddset(set, handled[i]); /* valid numbers: cannot fail */
	if (has_pty)
		(void)sigaddset(set, SIGTSTP);
}

static int watch_fd(struct supervisor *s, struct loop_source *source, int fd,
		    void (*ready)(struct loop_source *, uint32_t), struct err *err)
{
	source->fd = fd;
	source->ready = ready;
	int rc = fd < 0 ? 0 : loop_add(s->loop, source, EPOLLIN);
	return rc < 0 ? err_set(err, -rc, "watching the session") : 0;
}

/*
 * A descriptor of our own for the same terminal, non-blocking. When the terminal may not be opened
 * again (after su, say) its plain descriptor serves: it blocks, at worst as long as the terminal
 * itself does.
 */
static int reopen(int fd)
{
	char path[32];
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int again = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return again >= 0 ? again : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static int watch_terminal(struct supervisor *s, struct err *err)
{
	int pty = s->jail->pty_fd;
	if (pty < 0)
		return 0;
	if (fcntl(pty, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return err_set(err, errno, "preparing the agent's terminal");
	s->in.from = &s->keys;
	s->in.to = &s->pty;
	s->out.from = &s->pty;
	s->out.to = &s->screen;
	(void)tty_copy_size(STDIN_FILENO, pty); /* a terminal without a size has 0 x 0 */
	s->tty.fd = STDIN_FILENO;
	int rc = tty_raw(&s->tty);
	if (rc < 0)
		return err_set(err, -rc, "setting the terminal to raw mode");
	if (watch_fd(s, &s->pty, pty, on_pty, err) < 0 ||
	    watch_fd(s, &s->keys, reopen(STDIN_FILENO), on_keys, err) < 0 ||
	    watch_fd(s, &s->screen, reopen(STDOUT_FILENO), on_screen, err) < 0)
		return err->code;
	rewatch(s, &s->screen);
	return 0;
}

static void on_also(struct loop_source *source, uint32_t events)
{
	(void)events;
	struct other *other = container_of(source, struct other, source);
	if (!other->also->ready(other->also->arg))
		loop_drop(other->s->loop, source);
}

static int watch_all(struct supervisor *s, int signal_fd, int egress_pidfd, const struct supervise_also *also,
		     size_t n_also, struct err *err)
{
	if (watch_fd(s, &s->signals, signal_fd, on_signal, err) < 0 ||
	    watch_fd(s, &s->init, s->jail->init_pidfd, on_init, err) < 0 ||
	    watch_fd(s, &s->egress, egress_pidfd, on_egress, err) < 0 ||
	    watch_terminal(s, err) < 0)
		return err->code;
	for (size_t i = 0; i < n_also; i++) {
		s->others[i].s = s;
		s->others[i].also = &also[i];
		if (watch_fd(s, &s->others[i].source, also[i].fd, on_also, err) < 0)
			return err->code;
	}
	s->limit.fire = on_limit;
	s->kill.fire = on_kill;
	if (s->watch->timeout_ms &&
	    loop_timer_set(s->loop, &s->limit, clock_now_ms() + s->watch->timeout_ms) < 0)
		return err_set(err, ENOMEM, "setting the time limit");
	return 0;
}

/* Text is left and the screen is slow: waits for it, as a program writing to the terminal itself
 * would. */
static bool is_waiting_for_screen(struct supervisor *s)
{
	struct pollfd p = {.fd = s->screen.fd, .events = POLLOUT};
	return !s->out.is_over && s->out.n > 0 && poll(&p, 1, DRAIN_MS) == 1;
}

/* What the agent wrote last may still wait in its terminal. */
static void drain(struct supervisor *s)
{
	if (s->jail->pty_fd < 0)
		return;
	while (copy_some(s, &s->out) || is_waiting_for_screen(s))
		;
}

int supervise_run(struct jail *jail, int egress_pidfd, const struct supervise_also *also, size_t n_also,
		  const struct engine_watch *watch, struct engine_result *out, struct err *err)
{
	static struct supervisor
		s; /* two buffers: too big for a stack frame; there is one session */
	s = (struct supervisor){.jail = jail, .watch = watch, .tty = {.fd = -1}};
	s.keys.fd = s.screen.fd = s.pty.fd = -1;
	sigset_t set;
	signal_set(&set, jail->pty_fd >= 0);
	(void)sigprocmask(SIG_BLOCK, &set, NULL); /* fails for bad arguments only */
	AUTO(fd) int signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	int rc = signal_fd < 0 ? err_set(err, errno, "making a descriptor for signals") : 0;
	if (rc == 0 && !(s.loop = loop_new(err)))
		rc = err->code;
	if (rc == 0)
		rc = watch_all(&s, signal_fd, egress_pidfd, also, n_also, err);
	while (rc == 0 && !s.is_over) {
		rc = loop_turn(s.loop);
		if (rc < 0)
			err_set(err, -rc, "waiting for the session");
	}
	if (rc == 0) {
		drain(&s);
		s.result.exit_code = jail_wait(jail);
		*out = s.result;
	} else {
		jail_kill(jail);
	}
	tty_restore(&s.tty);
	fd_drop(&s.keys.fd);
	fd_drop(&s.screen.fd);
	loop_free(s.loop);
	return rc;
}
