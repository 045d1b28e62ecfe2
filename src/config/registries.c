/* SPDX-License-Identifier: Apache-2.0 */
#include "config/registries.h"
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <strings.h>

/*
 * struct ecosystem - whose settings where
 * @presets:	any of these asks for it
 * @files:	"~/" is the home, "/" the system's folder of settings; one that ends in '/' is a folder of files
 * @keys:	lines that begin with one of these, before '=' or ':' or a blank, hold URLs
 * @continues:	an indented line goes on with the line before it
 */
static const struct ecosystem {
	const char *presets[5];
	const char *files[4];
	const char *keys[4];
	bool continues;
} ecosystems[] = {
	{{"npm", "yarn", "pnpm", "bun"}, {"~/.npmrc", "/npmrc"}, {"registry"}, false},
	{{"pypi", "uv"},
	 {"~/.config/pip/pip.conf", "~/.pip/pip.conf", "/pip.conf"},
	 {"index-url", "extra-index-url"},
	 true},
	{{"crates"}, {"~/.cargo/config.toml", "~/.cargo/config"}, {"registry", "index"}, false},
	{{"debian", "ubuntu"}, {"/apt/sources.list", "/apt/sources.list.d/"}, {"deb", "deb-src", "URIs"}, true},
};

struct search {
	struct loader *l;
	const struct ecosystem *of;
	int (*check)(int fd, const char *path, struct err *err);
	size_t n;
};

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The word in front of '=', ':' or a blank; of npm's "@scope:registry" what is behind the colon. */
static struct span key_of(struct span line)
{
	size_t start = 0, n = 0;
	if (line.n && line.p[0] == '@') {
		const uint8_t *colon = memchr(line.p, ':', line.n);
		start = colon ? (size_t)(colon - line.p) + 1 : 0;
	}
	while (start + n < line.n && !is_blank(line.p[start + n]) && line.p[start + n] != '=' &&
	       line.p[start + n] != ':')
		n++;
	return span_make(line.p + start, n);
}

static bool holds_urls(const struct ecosystem *of, struct span line)
{
	struct span key = key_of(line);
	for (size_t i = 0; i < 4 && of->keys[i]; i++)
		if (span_is_nocase(key, of->keys[i]))
			return true;
	return false;
}

/* "USER:SECRET@host:port" to host and port; false for what is no plain host. */
static bool read_authority(struct span text, unsigned port, struct name *out_host, unsigned *out_port)
{
	const uint8_t *at = text.p && text.n ? memrchr(text.p, '@', text.n) : NULL;
	if (at)
		text = span_make(at + 1, text.n - (size_t)(at + 1 - text.p));
	const uint8_t *colon = text.n ? memchr(text.p, ':', text.n) : NULL;
	struct span digits = colon ? span_make(colon + 1, text.n - (size_t)(colon + 1 - text.p)) : (struct span){0};
	if (colon)
		text.n = (size_t)(colon - text.p);
	if (digits.n > 5 || text.n == 0 || text.n > 253)
		return false;
	for (size_t i = 0; i < digits.n; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return false;
		port = (i ? port * 10 : 0) + (unsigned)(digits.p[i] - '0');
	}
	if (port == 0 || port > 65535 || name_parse(text, out_host) != NAME_IS_HOST || !strchr(out_host->text, '.'))
		return false; /* an address, or a machine of the own network without a domain */
	*out_port = port;
	return true;
}

/* One URL as a rule of the file's line; a host that rules refuse is passed over. */
static void take_url(struct search *s, struct loader_file *file, struct span authority, bool is_tls)
{
	struct name host;
	char text[sizeof(host) + 64];
	unsigned port = is_tls ? 443 : 80;
	struct err why = {0}, *asked = s->l->err;

	if (s->n == REGISTRIES_MAX || !read_authority(authority, port, &host, &port))
		return;
	bool is_usual = port == (is_tls ? 443U : 80U);
	(void)snprintf(text, sizeof(text), "allow %s:%u%s", host.text, port, is_usual ? "" : is_tls ? " tls" : " http");
	s->l->err = &why;
	if (loader_line(s->l, file, span_of(text)) == 0)
		s->n++;
	s->l->err = asked;
}

static void take_line(struct search *s, struct loader_file *file, struct span line)
{
	static const char https[] = "https://", http[] = "http://";
	for (size_t i = 0; i < line.n;) {
		struct span left = span_make(line.p + i, line.n - i);
		bool is_tls = left.n >= sizeof(https) - 1 && !strncasecmp((const char *)left.p, https, sizeof(https) - 1);
		bool is_plain = left.n >= sizeof(http) - 1 && !strncasecmp((const char *)left.p, http, sizeof(http) - 1);
		if (!is_tls && !is_plain) {
			i++;
			continue;
		}
		i += is_tls ? sizeof(https) - 1 : sizeof(http) - 1;
		size_t n = 0;
		while (i + n < line.n && !memchr("/?# \t\r\"',", line.p[i + n], 10))
			n++;
		take_url(s, file, span_make(line.p + i, n), is_tls);
		i += n;
	}
}

static void take_text(struct search *s, const char *path, struct span text)
{
	struct loader_file file = {.name = path, .layer = LAYER_USER, .bare = RULE_ALLOW};
	bool is_in = false;
	while (text.n) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		struct span line = span_make(text.p, end ? (size_t)(end - text.p) : text.n);
		text = span_make(line.p + line.n + (end != NULL), text.n - line.n - (end != NULL));
		file.line++;
		struct span words = span_trim(line);
		if (words.n == 0 || words.p[0] == '#' || words.p[0] == ';')
			continue;
		bool goes_on = s->of->continues && is_blank(line.p[0]);
		is_in = goes_on ? is_in : holds_urls(s->of, words);
		if (is_in)
			take_line(s, &file, words);
	}
}

static int take_file(struct search *s, const char *path)
{
	AUTO(buf) struct buf text = {.max = REGISTRIES_FILE_MAX_BYTES};
	struct err why = {0};
	for (const char *p = path; *p; p++)
		if ((uint8_t)*p < 0x20 || *p == '"') /* it would end up in the marks of the policy text */
			return 0;
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		(void)err_set(&why, errno, "opening '%s'", path);
	else if (s->check(fd, path, &why) == 0 && fs_read_fd(fd, path, &text, &why) == 0)
		take_text(s, path, buf_span(&text));
	if (!why.code)
		return 0;
	return text_list_add(&s->l->out->notices, span_of(why.text)) ? 0
								     : err_set(s->l->err, ENOMEM, "reading '%s'", path);
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);
	return n > m && !strcmp(name + n - m, end);
}

/* apt reads what ends in .list and .sources. */
static int take_folder(struct search *s, const char *folder)
{
	AUTO(dir) DIR *dir = opendir(folder);
	struct dirent *e;
	int rc = 0;
	while (dir && rc == 0 && (e = readdir(dir))) {
		char path[PATH_MAX];
		if ((ends_with(e->d_name, ".list") || ends_with(e->d_name, ".sources")) &&
		    snprintf(path, sizeof(path), "%s%s", folder, e->d_name) < (int)sizeof(path))
			rc = take_file(s, path);
	}
	return rc;
}

static bool is_wanted(const struct loader *l, const struct ecosystem *of)
{
	for (size_t i = 0; i < l->wanted.n; i++)
		for (size_t k = 0; k < 5 && of->presets[k]; k++)
			if (strcspn(l->wanted.items[i], "+") == strlen(of->presets[k]) &&
			    !strncmp(l->wanted.items[i], of->presets[k], strlen(of->presets[k])))
				return true;
	return false;
}

int registries_add(struct loader *l, int (*check)(int fd, const char *path, struct err *err), size_t *out_n)
{
	struct search s = {.l = l, .check = check};
	int rc = 0;
	for (size_t i = 0; i < sizeof(ecosystems) / sizeof(ecosystems[0]); i++) {
		s.of = &ecosystems[i];
		for (size_t k = 0; rc == 0 && is_wanted(l, s.of) && k < 4 && s.of->files[k]; k++) {
			char path[PATH_MAX];
			const char *file = s.of->files[k], *root = file[0] == '~' ? l->in->home : l->in->system_etc;
			if (!root || snprintf(path, sizeof(path), "%s%s", root, file + (file[0] == '~')) >=
					     (int)sizeof(path))
				continue;
			rc = ends_with(file, "/") ? take_folder(&s, path) : take_file(&s, path);
		}
	}
	*out_n = s.n;
	return rc;
}
