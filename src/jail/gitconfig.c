/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/gitconfig.h"
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTION_BYTES = 512 };

/* --- what a configuration says -------------------------------------------------------------- */

/* Keys that lead to no program, by section; of sections with a name in quotes (`*`) for any name.
 */
static const struct {
	const char *section, *keys;
} harmless[] = {
	{"user", " name email "},
	{"branch *", " remote merge rebase pushremote base vscode-merge-base gh-merge-base "},
	{"remote *", " url pushurl fetch push tagopt prune mirror skipdefaultupdate skipfetchall "
		     "gh-resolved promisor "
		     "partialclonefilter "},
	{"core", " repositoryformatversion filemode bare logallrefupdates ignorecase "
		 "precomposeunicode symlinks autocrlf eol "
		 "longpaths "},
	{"submodule *", " active url "},
	{"pull", " rebase ff "},
	{"fetch", " prune "},
	{"init", " defaultbranch "},
	{"lfs", " repositoryformatversion "},
	{"lfs *", " access "},
};

static struct span trim(struct span s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

/* struct reader - line by line; @section as in harmless[], @line what stands there, trimmed; a
 * header's rest is a line */
struct reader {
	struct span left;
	char section[SECTION_BYTES];
	struct span name; /* of the section, the part in quotes */
	struct span line;
	bool is_odd; /* a header that is none, or too long */
};

/* "[remote "origin"]" to "remote *" with the name kept; what follows it is the line. */
static void take_header(struct reader *r)
{
	const uint8_t *p = r->line.p;
	size_t n = r->line.n, i = 1, k = 0;
	bool is_quoted = false;

	r->name = (struct span){0};
	for (; i < n && p[i] != ']' && p[i] != '"' && k < 64; i++)
		if (p[i] != ' ' && p[i] != '\t')
			r->section[k++] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]);
	if (i < n && p[i] == '"') {
		size_t start = ++i;
		is_quoted = true;
		while (i < n && p[i] != '"' && p[i] != '\\')
			i++;
		r->name = span_make(p + start, i - start);
		i++;
	}
	r->is_odd = i >= n || p[i] != ']' || k == 0 || k >= 64 || memchr(r->section, '.', k) ||
		    (is_quoted && !r->name.n);
	(void)snprintf(r->section + k, sizeof(r->section) - k, "%s", is_quoted ? " *" : "");
	r->line = r->is_odd ? r->line : trim(span_make(p + i + 1, n - i - 1));
}

static bool next(struct reader *r)
{
	if (!r->left.n)
		return false;
	const uint8_t *end = memchr(r->left.p, '\n', r->left.n);
	size_t n = end ? (size_t)(end - r->left.p) : r->left.n;
	r->line = trim(span_make(r->left.p, n));
	r->left = span_make(r->left.p + n + (end != NULL), r->left.n - n - (end != NULL));
	r->is_odd = false;
	if (r->line.n && r->line.p[0] == '[')
		take_header(r);
	return true;
}

static bool is_same(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static bool is_known(struct span was, const struct reader *now)
{
	struct reader r = {.left = was};

	while (next(&r))
		if (is_same(r.line, now->line) && !strcmp(r.section, now->section) &&
		    is_same(r.name, now->name))
			return true;
	return false;
}

/* "key = value" of a known section; no value that names a helper or an option, or goes on in the
 * next line. */
static bool runs_nothing(const struct reader *r)
{
	const uint8_t *equals = memchr(r->line.p, '=', r->line.n);
	struct span key =
		trim(span_make(r->line.p, equals ? (size_t)(equals - r->line.p) : r->line.n));
	struct span value =
		equals ? trim(span_make(equals + 1, r->line.n - (size_t)(equals + 1 - r->line.p)))
		       : (struct span){0};
	char word[48];

	if (!key.n || key.n > 40 || r->line.p[r->line.n - 1] == '\\' ||
	    memchr(r->line.p, '\0', r->line.n) ||
	    (value.n && (value.p[0] == '-' || value.p[0] == '!' || value.p[0] == '"' ||
			 memmem(value.p, value.n, "::", 2))))
		return false;
	(void)snprintf(word, sizeof(word), " %.*s ", (int)key.n, (const char *)key.p); /* it fits */
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (!strcmp(harmless[i].section, r->section))
			return !memchr(key.p, ' ', key.n) && strcasestr(harmless[i].keys, word);
	return false;
}

bool gitconfig_is_harmless(struct span was, struct span now)
{
	struct reader r = {.left = now};

	while (next(&r)) {
		if (r.is_odd)
			return false;
		if (!r.line.n || r.line.p[0] == '#' || r.line.p[0] == ';')
			continue;
		if (!is_known(was, &r) && !runs_nothing(&r))
			return false;
	}
	return true;
}

/* --- the file ------------------------------------------------------------------------------- */

/* 1 when it was read; 0 when nothing is there; a negative errno value for a link, a folder or one
 * that is too long. */
static int read_file(const char *path, struct buf *out)
{
	struct stat st;
	AUTO(fd) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EINVAL;
	int rc = fs_read_fd(fd, path, out, NULL);
	return rc < 0 ? rc : 1;
}

void gitconfig_begin(const char *folder, struct gitconfig *out)
{
	*out = (struct gitconfig){.good = {.max = GITCONFIG_MAX_BYTES}};
	if (snprintf(out->path, sizeof(out->path), "%s/config", folder) >= (int)sizeof(out->path) ||
	    read_file(out->path, &out->good) != 1)
		out->path[0] = '\0'; /* nothing to go by: what appears is protect's */
}

void gitconfig_watch(const struct gitconfig *g, int inotify_fd)
{
	if (g->path[0])
		(void)inotify_add_watch(inotify_fd, g->path, IN_MODIFY | IN_DONT_FOLLOW);
}

void gitconfig_end(struct gitconfig *g)
{
	buf_drop(&g->good);
	g->path[0] = '\0';
}

/* A copy goes to @to. The good one replaces it in one step: taken away, it would count as missing
 * (jail/protect.h). */
static int put_back(const struct gitconfig *g, struct span now, const char *session_dir,
		    char to[PATH_MAX], struct err *err)
{
	uint64_t random;
	char dir[PATH_MAX];
	struct stat st;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random) ||
	    snprintf(dir, sizeof(dir), "%s/moved", session_dir) >= PATH_MAX ||
	    snprintf(to, PATH_MAX, "%s/moved/.git+config.%016" PRIx64, session_dir, random) >=
		    PATH_MAX)
		return err_set(err, ENAMETOOLONG, "moving '%s' away", g->path);
	int rc = fs_make_dirs(dir, 0700, err);
	AUTO(fd) int fd = rc < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (rc == 0)
		rc = fd < 0 ? -errno : fs_write_all(fd, now.p, now.n);
	if (rc < 0)
		return err_set(err, -rc, "moving '%s' away", g->path);
	bool was_there = lstat(g->path, &st) == 0 && S_ISREG(st.st_mode);
	rc = fs_replace(g->path, buf_span(&g->good), was_there ? st.st_mode & 0777 : 0644, err);
	/* root's session in a user's project */
	if (rc == 0 && was_there && st.st_uid != geteuid() &&
	    lchown(g->path, st.st_uid, st.st_gid) < 0)
		rc = err_set(err, errno, "giving '%s' back to its owner", g->path);
	return rc;
}

int gitconfig_check(struct gitconfig *g, const char *session_dir, protect_moved *moved, void *arg,
		    struct err *err)
{
	AUTO(buf) struct buf now = {.max = GITCONFIG_MAX_BYTES};
	char to[PATH_MAX];

	if (!g->path[0])
		return 0;
	int rc = read_file(g->path, &now);
	if (rc == 0)
		return 0; /* taken away from outside: what appears is protect's */
	if (rc == 1 && is_same(buf_span(&now), buf_span(&g->good)))
		return 0;
	if (rc == 1 && gitconfig_is_harmless(buf_span(&g->good), buf_span(&now))) {
		g->good.n = 0;
		return buf_put(&g->good, now.p, now.n)
			       ? 0
			       : err_set(err, ENOMEM, "looking at '%s'", g->path);
	}
	rc = put_back(g, buf_span(&now), session_dir, to, err);
	if (rc < 0)
		return rc;
	moved(g->path, to, arg);
	return 1;
}
