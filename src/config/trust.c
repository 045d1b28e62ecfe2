/* SPDX-License-Identifier: Apache-2.0 */
#include "config/trust.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { HEAD_MAX_BYTES = PATH_MAX + 256 };

static const char magic[] = "drydock-trust 1\n";

int trust_read_file(const char *path, struct buf *out, struct err *err)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	if (fd < 0 && errno == ELOOP) {
		(void)err_set(err, 0, "'%s' is a symbolic link", path);
		return -ELOOP;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, errno, "opening '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, 0, "'%s' is no file", path);
	return fs_read_fd(fd, path, out, err);
}

static int record_path(const char *dir, const char *path, char out[PATH_MAX], struct err *err)
{
	char hex[SHA256_HEX_BYTES];
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < 0x20) /* the record is read by lines */
			return err_set(err, 0, "a control character in the path of a project");
	sha256_hex(span_of(path), hex);
	if (snprintf(out, PATH_MAX, "%s/%s", dir, hex) >= PATH_MAX)
		return err_set(err, ENAMETOOLONG, "trusting '%s'", path);
	return 0;
}

/* "KEY VALUE\n" at the front of @in. */
static bool take_field(struct span *in, const char *key, char *out, size_t max)
{
	const uint8_t *end = in->n ? memchr(in->p, '\n', in->n) : NULL;
	size_t key_n = strlen(key);
	if (!end || (size_t)(end - in->p) < key_n || memcmp(in->p, key, key_n) != 0)
		return false;
	size_t n = (size_t)(end - in->p) - key_n;
	if (n >= max)
		return false;
	memcpy(out, in->p + key_n, n);
	out[n] = '\0';
	*in = span_make(end + 1, in->n - key_n - n - 1);
	return true;
}

/* A record counts only when its copy has the hash that it names. */
static int read_record(const char *file, struct trust_record *out, struct err *err)
{
	AUTO(buf) struct buf text = {.max = HEAD_MAX_BYTES + TRUST_FILE_MAX_BYTES};
	struct trust_record r = {0};
	char blank[8], hash[SHA256_HEX_BYTES];

	AUTO(fd) int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, errno, "opening '%s'", file);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return err_set(err, 0, "'%s' is not yours alone", file);
	int rc = fs_read_fd(fd, file, &text, err);
	if (rc < 0)
		return rc;
	struct span in = buf_span(&text);
	if (in.n < sizeof(magic) - 1 || memcmp(in.p, magic, sizeof(magic) - 1) != 0)
		return err_set(err, 0, "'%s' is no record of trust", file);
	in = span_make(in.p + sizeof(magic) - 1, in.n - sizeof(magic) + 1);
	if (!take_field(&in, "file ", r.path, sizeof(r.path)) || !take_field(&in, "hash ", r.hash, sizeof(r.hash)) ||
	    !take_field(&in, "since ", r.since, sizeof(r.since)) || !take_field(&in, "--", blank, sizeof(blank)))
		return err_set(err, 0, "'%s' is no record of trust", file);
	sha256_hex(in, hash);
	if (strcmp(hash, r.hash) != 0)
		return err_set(err, 0, "'%s' is damaged", file);
	r.content = out->content;
	buf_clear(&r.content);
	if (!buf_put(&r.content, in.p, in.n))
		return err_set(err, EFBIG, "reading '%s'", file);
	*out = r;
	return 0;
}

int trust_read(const char *dir, const char *path, struct trust_record *out, struct err *err)
{
	char file[PATH_MAX];
	int rc = record_path(dir, path, file, err);
	if (rc == 0)
		rc = read_record(file, out, err);
	if (rc == 0 && strcmp(out->path, path) != 0)
		rc = err_set(err, 0, "'%s' is the record of another file", file);
	return rc;
}

enum trust_state trust_look(const char *dir, const char *path, struct span content)
{
	struct trust_record r = {.content = {.max = TRUST_FILE_MAX_BYTES}};
	bool is_known = dir && trust_read(dir, path, &r, NULL) == 0;
	bool is_same = is_known && r.content.n == content.n &&
		       (content.n == 0 || memcmp(r.content.p, content.p, content.n) == 0);
	buf_drop(&r.content);
	return is_same ? TRUST_OK : is_known ? TRUST_CHANGED : TRUST_NEW;
}

int trust_grant(const char *dir, const char *path, struct span content, struct err *err)
{
	char file[PATH_MAX], hash[SHA256_HEX_BYTES], since[CLOCK_TEXT_BYTES];
	AUTO(buf) struct buf text = {.max = HEAD_MAX_BYTES + TRUST_FILE_MAX_BYTES};

	if (content.n > TRUST_FILE_MAX_BYTES)
		return err_set(err, EFBIG, "trusting '%s'", path);
	int rc = record_path(dir, path, file, err);
	if (rc == 0)
		rc = fs_make_dirs(dir, 0700, err);
	if (rc == 0)
		rc = fs_make_private_dir(dir, err);
	if (rc < 0)
		return rc;
	sha256_hex(content, hash);
	clock_print(clock_wall_ms(), since);
	if (!buf_putf(&text, "%sfile %s\nhash %s\nsince %s\n--\n", magic, path, hash, since) ||
	    (content.n && !buf_put(&text, content.p, content.n)))
		return err_set(err, ENOMEM, "trusting '%s'", path);
	return fs_replace(file, buf_span(&text), 0600, err);
}

int trust_revoke(const char *dir, const char *path, struct err *err)
{
	char file[PATH_MAX];
	int rc = record_path(dir, path, file, err);
	if (rc < 0)
		return rc;
	return unlink(file) < 0 ? err_set(err, errno, "removing '%s'", file) : 0;
}

int trust_each(const char *dir, trust_seen *seen, void *arg, struct err *err)
{
	AUTO(dir) DIR *folder = opendir(dir);
	struct dirent *entry;

	if (!folder && errno != ENOENT)
		return err_set(err, errno, "opening '%s'", dir);
	while (folder && (entry = readdir(folder))) {
		char file[PATH_MAX];
		struct trust_record r = {.content = {.max = TRUST_FILE_MAX_BYTES}};
		if (strlen(entry->d_name) != SHA256_HEX_BYTES - 1 ||
		    snprintf(file, sizeof(file), "%s/%s", dir, entry->d_name) >= (int)sizeof(file))
			continue;
		if (read_record(file, &r, NULL) == 0) /* a damaged one trusts nothing */
			seen(&r, arg);
		buf_drop(&r.content);
	}
	return 0;
}

/** struct grant - what is to be trusted once it is known; the buffers are those of the edit */
struct grant {
	const char *dir, *path;
	struct buf was, now;
	bool existed;
	enum trust_state state;
};

/* Before the file is there: whoever looks at it then, a session that runs for one, finds it trusted. */
static int grant_in_advance(void *arg, struct err *err)
{
	struct grant *g = arg;

	g->state = g->existed ? trust_look(g->dir, g->path, buf_span(&g->was)) : TRUST_OK;
	return g->state == TRUST_OK ? trust_grant(g->dir, g->path, buf_span(&g->now), err) : 0;
}

int trust_edit(const char *dir, const struct rulefile *edit, bool is_removal, size_t *out_changed,
	       enum trust_state *out_state, struct err *err)
{
	struct grant g = {.dir = dir, .path = edit->path, .was = {.max = RULEFILE_MAX_BYTES}, .now = {.max = RULEFILE_MAX_BYTES}};
	struct rulefile traced = *edit;
	size_t n = 0;

	traced.was = &g.was;
	traced.now = &g.now;
	traced.out_existed = &g.existed;
	traced.before = grant_in_advance;
	traced.arg = &g;
	int rc = is_removal ? rulefile_remove(&traced, &n, err) : rulefile_add(&traced, &n, err);
	if (rc == 0) {
		*out_state = n ? g.state : g.existed ? trust_look(dir, edit->path, buf_span(&g.was)) : TRUST_NEW;
		*out_changed = n;
	}
	buf_drop(&g.was);
	buf_drop(&g.now);
	return rc;
}
