/* SPDX-License-Identifier: Apache-2.0 */
#include "config/rulefile.h"
#include "base/fs.h"
#include "base/own.h"
#include "config/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>

static bool has_controls(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

/* The rule's text as the loader puts it into a policy: behind a mark, and with a newline. */
static bool take_policy_line(const struct buf *policy, char out[RULE_TEXT_BYTES])
{
	const uint8_t *mark_end = policy->n ? memchr(policy->p, '\n', policy->n) : NULL;
	if (!mark_end)
		return false;
	size_t n = policy->n - (size_t)(mark_end + 1 - policy->p);
	if (n < 2 || n > RULE_TEXT_BYTES)
		return false;
	memcpy(out, mark_end + 1, n - 1);
	out[n - 1] = '\0';
	return true;
}

/* One line through the loader, for its rule alone. *out is empty when the line is fine but no rule. */
static int load_rule(struct span line, enum rule_action bare, char out[RULE_TEXT_BYTES], struct err *err)
{
	const struct config_input in = {.home = "/"};
	struct config config = {.policy = {.max = 2 * RULE_LINE_MAX_BYTES}};
	struct loader l = {.in = &in, .out = &config, .err = err};
	struct loader_file file = {.name = "rule", .layer = LAYER_FLAG, .bare = bare, .line = 1};

	int rc = loader_line(&l, &file, line);
	if (rc == 0 && !take_policy_line(&config.policy, out))
		out[0] = '\0';
	free(l.mark_file);
	text_list_drop(&l.wanted);
	text_list_drop(&l.wanted_fully);
	text_list_drop(&l.wanted_by_etc);
	config_drop(&config);
	return rc;
}

int rulefile_rule(const char *text, enum rule_action action, char out[RULE_TEXT_BYTES], struct err *err)
{
	char canonical[RULE_TEXT_BYTES];
	struct rule rule;
	struct policy_error why;

	if (has_controls(text))
		return err_set(err, 0, "a rule has no control characters");
	int rc = load_rule(span_of(text), action, canonical, err);
	if (rc < 0)
		return rc;
	if (!canonical[0]) {
		err_set(err, 0, "'%.200s' is no rule", text);
		return err_fix(err, "a rule is HOST, HOST:PORT or *.HOST: drydock help policy");
	}
	if (rule_parse(span_of(canonical), &rule, &why) != PARSE_DONE)
		return err_set(err, 0, "%s", why.text); /* the loader took it, so it never comes to this */
	if (rule.action != action)
		return err_set(err, 0, "'%.200s' is a rule of the other kind: %s was expected", text,
			       action == RULE_ALLOW ? "an allow" : "a deny");
	memcpy(out, canonical, sizeof(canonical));
	return 0;
}

/* A line without its comment, as words with one space between them; a rule in its canonical form. */
struct said {
	char text[RULE_LINE_MAX_BYTES + 1];
};

static void say(struct span line, enum rule_action bare, struct said *out);

void rulefile_words(struct span line, enum rule_action bare, char out[RULE_LINE_MAX_BYTES + 1])
{
	struct said said;
	say(line, bare, &said);
	memcpy(out, said.text, sizeof(said.text));
}

static void say(struct span line, enum rule_action bare, struct said *out)
{
	char canonical[RULE_TEXT_BYTES];
	size_t n = 0;
	bool is_quoted = false;

	out->text[0] = '\0';
	if (line.n > RULE_LINE_MAX_BYTES)
		return;
	if (load_rule(line, bare, canonical, NULL) == 0 && canonical[0]) {
		memcpy(out->text, canonical, sizeof(canonical));
		return;
	}
	for (size_t i = 0; i < line.n; i++) {
		char c = (char)line.p[i];
		bool is_blank = c == ' ' || c == '\t' || c == '\r';
		bool begins = n == 0 || out->text[n - 1] == ' ';
		if (c == '#' && begins && !is_quoted)
			break;
		is_quoted ^= c == '"';
		if (!is_blank || is_quoted)
			out->text[n++] = c;
		else if (!begins)
			out->text[n++] = ' ';
	}
	while (n && out->text[n - 1] == ' ')
		n--;
	out->text[n] = '\0';
}

/* The folder of @path, locked until it is closed: who changes the file waits here. */
static int lock_folder(const char *path, int *out_fd, struct err *err)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int n = snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path + (slash == path)) : 1,
			 slash ? path : ".");
	if (n >= (int)sizeof(folder))
		return err_set(err, ENAMETOOLONG, "changing '%s'", path);
	AUTO(fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_set(err, errno, "locking folder '%s'", folder);
	*out_fd = fd_take(&fd);
	return 0;
}

static int check_file(const struct rulefile *edit, const struct stat *st, struct err *err)
{
	if (!S_ISREG(st->st_mode))
		return err_set(err, 0, "'%s' is no file", edit->path);
	if (st->st_uid != geteuid()) {
		err_set(err, 0, "'%s' belongs to another user and was not changed", edit->path);
		return err_fix(err, "chown it to yourself, or remove it");
	}
	if (!(edit->mode & S_IROTH) && (st->st_mode & (S_IWGRP | S_IWOTH))) {
		err_set(err, 0, "'%s' can be written by others and was not changed", edit->path);
		return err_fix(err, "chmod go-w '%s'", edit->path);
	}
	return 0;
}

/* The file's content and mode; empty, and the mode for a new one, when there is none. */
static int read_now(const struct rulefile *edit, struct buf *out, mode_t *out_mode, bool *out_exists, struct err *err)
{
	AUTO(fd) int fd = open(edit->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	*out_exists = fd >= 0;
	*out_mode = edit->mode;
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 && errno == ELOOP) {
		err_set(err, 0, "'%s' is a symbolic link and was not changed", edit->path);
		return err_fix(err, "edit the file that it leads to");
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, errno, "opening '%s'", edit->path);
	int rc = check_file(edit, &st, err);
	if (rc < 0)
		return rc;
	*out_mode = st.st_mode & 0777;
	return fs_read_fd(fd, edit->path, out, err);
}

static struct span next_line(struct span *left)
{
	const uint8_t *end = memchr(left->p, '\n', left->n);
	size_t n = end ? (size_t)(end - left->p) : left->n;
	struct span line = span_make(left->p, n);
	*left = span_make(left->p + n + (end != NULL), left->n - n - (end != NULL));
	return line;
}

static bool file_says(struct span content, enum rule_action bare, const struct said *wanted)
{
	struct said here;
	while (content.n) {
		say(next_line(&content), bare, &here);
		if (!strcmp(here.text, wanted->text))
			return true;
	}
	return false;
}

static int check_edit(const struct rulefile *edit, struct err *err)
{
	if (edit->comment && (has_controls(edit->comment) || strlen(edit->comment) > RULEFILE_COMMENT_MAX_BYTES))
		return err_set(err, 0, "a comment is one line of at most %d bytes", RULEFILE_COMMENT_MAX_BYTES);
	for (size_t i = 0; edit->lines[i]; i++)
		if (has_controls(edit->lines[i]) || strlen(edit->lines[i]) > RULE_LINE_MAX_BYTES)
			return err_set(err, 0, "a line of rules has no control characters and at most %d bytes",
				       RULE_LINE_MAX_BYTES);
	return 0;
}

/* Appends to @text what it does not say yet. */
static size_t append(const struct rulefile *edit, struct buf *text)
{
	size_t n_added = 0;
	struct said wanted;
	for (size_t i = 0; edit->lines[i]; i++) {
		say(span_of(edit->lines[i]), edit->bare, &wanted);
		if (!wanted.text[0] || file_says(buf_span(text), edit->bare, &wanted))
			continue;
		if (text->n && text->p[text->n - 1] != '\n')
			(void)buf_put(text, "\n", 1); /* is_cut remembers, here and below */
		(void)buf_putf(text, "%s%s%s\n", edit->lines[i], edit->comment ? "  # " : "",
			       edit->comment ? edit->comment : "");
		n_added++;
	}
	return n_added;
}

/* Copies to @out what stays. */
static size_t filter(const struct rulefile *edit, struct span content, struct buf *out)
{
	size_t n_removed = 0;
	struct said here, wanted;
	while (content.n) {
		struct span line = next_line(&content);
		bool goes = false;
		say(line, edit->bare, &here);
		for (size_t i = 0; here.text[0] && !goes && edit->lines[i]; i++) {
			say(span_of(edit->lines[i]), edit->bare, &wanted);
			goes = !strcmp(here.text, wanted.text);
		}
		n_removed += goes;
		if (!goes && buf_put(out, line.p, line.n))
			(void)buf_put(out, "\n", 1); /* is_cut remembers */
	}
	return n_removed;
}

static int change(const struct rulefile *edit, bool is_removal, size_t *out_changed, struct err *err)
{
	AUTO(fd) int folder = -1;
	AUTO(buf) struct buf now = {.max = RULEFILE_MAX_BYTES}, kept = {.max = RULEFILE_MAX_BYTES};
	mode_t mode = edit->mode;
	bool exists = false;
	int rc = check_edit(edit, err);
	if (rc == 0)
		rc = lock_folder(edit->path, &folder, err);
	if (rc == 0)
		rc = read_now(edit, &now, &mode, &exists, err);
	if (rc < 0)
		return rc;
	if (edit->was && !buf_put(edit->was, now.p, now.n))
		return err_set(err, ENOMEM, "changing '%s'", edit->path);
	if (!exists && !is_removal && edit->head)
		(void)buf_put(&now, edit->head, strlen(edit->head)); /* is_cut remembers */
	size_t n = is_removal ? filter(edit, buf_span(&now), &kept) : append(edit, &now);
	const struct buf *text = is_removal ? &kept : &now;
	if (text->is_cut)
		return err_set(err, EFBIG, "changing '%s'", edit->path);
	if (edit->now && !buf_put(edit->now, text->p, text->n))
		return err_set(err, ENOMEM, "changing '%s'", edit->path);
	if (edit->out_existed)
		*edit->out_existed = exists;
	if (n && edit->before)
		rc = edit->before(edit->arg, err);
	if (rc == 0 && n)
		rc = fs_replace(edit->path, buf_span(text), mode, err);
	if (rc == 0 && out_changed)
		*out_changed = n;
	return rc;
}

int rulefile_add(const struct rulefile *edit, size_t *out_changed, struct err *err)
{
	return change(edit, false, out_changed, err);
}

int rulefile_remove(const struct rulefile *edit, size_t *out_changed, struct err *err)
{
	return change(edit, true, out_changed, err);
}
