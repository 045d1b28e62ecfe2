/* SPDX-License-Identifier: Apache-2.0 */
/* NUL-terminated "word value": project, missing (an entry), common, missing-in-common. */
#include "jail/protect_record.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RECORD_MAX_BYTES = 16384 };

static void make_path(const char *session_dir, char out[PATH_MAX + 16])
{
	(void)snprintf(out, PATH_MAX + 16, "%.*s/protect", PATH_MAX, session_dir); /* has room */
}

static void put(struct buf *out, const char *word, const char *value)
{
	(void)buf_putf(out, "%s %s", word, value); /* is_cut is looked at by the writer */
	(void)buf_put(out, "", 1);
}

int protect_record_write(const struct protect *p, const char *session_dir, struct err *err)
{
	AUTO(buf) struct buf text = {.max = RECORD_MAX_BYTES};
	char path[PATH_MAX + 16];

	if (!p->project)
		return 0;
	put(&text, "project", p->project);
	for (size_t i = 0; i < PROTECT_MAX_ENTRIES && plan_protected[i]; i++)
		if (p->was_missing[i])
			put(&text, "missing", plan_protected[i]);
	if (p->common[0])
		put(&text, "common", p->common);
	for (size_t i = 0; p->common[0] && protect_in_common[i]; i++)
		if (p->was_missing_in_common[i])
			put(&text, "missing-in-common", protect_in_common[i]);
	make_path(session_dir, path);
	AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc = text.is_cut ? -E2BIG : fd < 0 ? -errno : fs_write_all(fd, text.p, text.n);
	return rc < 0 ? err_set(err, -rc, "writing '%s'", path) : 0;
}

static bool mark(unsigned char *flags, const char *const *entries, const char *entry)
{
	for (size_t i = 0; entries[i]; i++)
		if (!strcmp(entries[i], entry)) {
			flags[i] = true;
			return true;
		}
	return false;
}

static bool take_word(struct protect_record *r, const char *line)
{
	const char *value = strchr(line, ' ');
	size_t n = value ? (size_t)(value++ - line) : 0;

	if (n == 7 && !strncmp(line, "project", n))
		return snprintf(r->project, sizeof(r->project), "%s", value) < (int)sizeof(r->project);
	if (n == 6 && !strncmp(line, "common", n))
		return snprintf(r->protect.common, PATH_MAX, "%s", value) < PATH_MAX;
	if (n == 7 && !strncmp(line, "missing", n))
		return mark(r->protect.was_missing, plan_protected, value);
	return n && !strncmp(line, "missing-in-common", n) &&
	       mark(r->protect.was_missing_in_common, protect_in_common, value);
}

int protect_record_read(const char *session_dir, struct protect_record *out, struct err *err)
{
	AUTO(buf) struct buf text = {.max = RECORD_MAX_BYTES};
	char path[PATH_MAX + 16];

	*out = (struct protect_record){0};
	make_path(session_dir, path);
	int rc = fs_read(path, &text, err);
	if (rc < 0)
		return rc;
	bool is_good = text.n && text.p[text.n - 1] == '\0';
	for (size_t at = 0; is_good && at < text.n; at += strlen((const char *)text.p + at) + 1)
		is_good = take_word(out, (const char *)text.p + at);
	if (!is_good || !out->project[0])
		return err_set(err, 0, "'%s' is damaged", path);
	out->protect.project = out->project;
	return 0;
}

void protect_record_drop(const char *session_dir)
{
	char path[PATH_MAX + 16];

	make_path(session_dir, path);
	(void)unlink(path); /* a second look at the end does no harm */
}
