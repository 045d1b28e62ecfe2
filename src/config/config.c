/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order of reading: /etc first (it may lock), then the user's files and flags, and last the presets that any of
 * them, or the command's name, asked for. Rules add up whatever the order: any deny wins over any allow.
 */
#include "config/config.h"
#include "base/fs.h"
#include "base/own.h"
#include "base/words.h"
#include "config/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

enum { FILE_MAX_BYTES = 64 << 20, POLICY_MAX_BYTES = 256 << 20, MAX_CLASSES = 8 };

static int each_line(struct loader *l, struct loader_file *file, struct span text)
{
	while (text.n) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) : text.n;
		file->line++;
		int rc = loader_line(l, file, span_make(text.p, n));
		if (rc < 0)
			return rc;
		text = span_make(text.p + n + (end != NULL), text.n - n - (end != NULL));
	}
	return 0;
}

static int add_source(struct loader *l, const char *name, size_t n_allows)
{
	struct config *c = l->out;
	if (n_allows == 0)
		return 0;
	for (size_t i = 0; i < c->n_sources; i++) {
		if (!strcmp(c->sources[i].name, name)) {
			c->sources[i].n_allows += n_allows;
			return 0;
		}
	}
	struct config_source *grown = reallocarray(c->sources, c->n_sources + 1, sizeof(*grown));
	if (!grown)
		return err_set(l->err, ENOMEM, "reading the configuration");
	c->sources = grown;
	char *copy = strdup(name);
	if (!copy)
		return err_set(l->err, ENOMEM, "reading the configuration");
	c->sources[c->n_sources++] = (struct config_source){.name = copy, .n_allows = n_allows};
	return 0;
}

/* What others could have written is not the user's word. */
static int check_owner(int fd, const char *path, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_set(err, errno, "looking at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return 0; /* /dev/null, a pipe: named on purpose */
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		err_set(err, 0, "'%s' belongs to another user and was not read", path);
		return err_fix(err, "chown it to yourself, or remove it");
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		err_set(err, 0, "'%s' can be written by others and was not read", path);
		return err_fix(err, "chmod go-w '%s'", path);
	}
	return 0;
}

static int read_file(struct loader *l, const char *path, bool must_exist, struct loader_file *file,
		     const char *source)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == ENOENT && !must_exist)
		return 0;
	if (fd < 0)
		return err_set(l->err, errno, "opening '%s'", path);
	int rc = file->layer == LAYER_PRESET ? 0 : check_owner(fd, path, l->err);
	struct buf text = {.max = FILE_MAX_BYTES};
	if (rc == 0)
		rc = fs_read_fd(fd, path, &text, l->err);
	if (rc == 0)
		rc = each_line(l, file, buf_span(&text));
	buf_drop(&text);
	return rc < 0 ? rc : add_source(l, source, file->n_allows);
}

static int read_folder(struct loader *l, const char *folder, enum config_layer layer)
{
	static const struct {
		const char *name;
		enum rule_action bare;
	} files[] = {{"config", RULE_ALLOW}, {"allow", RULE_ALLOW}, {"deny", RULE_DENY}};

	for (size_t i = 0; folder && i < sizeof(files) / sizeof(files[0]); i++) {
		char path[PATH_MAX];
		if (snprintf(path, sizeof(path), "%s/%s", folder, files[i].name) >= (int)sizeof(path))
			return err_set(l->err, ENAMETOOLONG, "opening '%s'", folder);
		struct loader_file file = {.name = path, .layer = layer, .bare = files[i].bare,
					   .is_from_etc = layer == LAYER_ETC};
		int rc = read_file(l, path, false, &file, layer == LAYER_ETC ? "/etc" : "user");
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_flags(struct loader *l)
{
	const struct config_input *in = l->in;
	struct loader_file allow = {.name = "--allow", .layer = LAYER_FLAG, .bare = RULE_ALLOW};
	struct loader_file deny = {.name = "--deny", .layer = LAYER_FLAG, .bare = RULE_DENY};
	int rc = 0;

	for (size_t i = 0; rc == 0 && in->allow_files && in->allow_files[i]; i++) {
		struct loader_file file = {.name = in->allow_files[i], .layer = LAYER_FLAG, .bare = RULE_ALLOW};
		rc = read_file(l, in->allow_files[i], true, &file, "session");
	}
	for (size_t i = 0; rc == 0 && in->allow && in->allow[i]; i++) {
		allow.line++;
		rc = loader_line(l, &allow, span_of(in->allow[i]));
	}
	for (size_t i = 0; rc == 0 && in->deny && in->deny[i]; i++) {
		deny.line++;
		rc = loader_line(l, &deny, span_of(in->deny[i]));
	}
	for (size_t i = 0; rc == 0 && in->presets && in->presets[i]; i++)
		if (!text_list_add(&l->wanted, span_of(in->presets[i])))
			rc = err_set(l->err, ENOMEM, "reading the flags");
	return rc == 0 ? add_source(l, "session", allow.n_allows) : rc;
}

/* Does the preset say `command NAME`? */
static bool says_command(const char *path, const char *command)
{
	struct buf text = {.max = 1 << 20};
	bool says = false;
	if (fs_read(path, &text, NULL) == 0 && buf_put(&text, "", 1)) {
		char *save = NULL;
		for (char *line = strtok_r((char *)text.p, "\n", &save); line && !says;
		     line = strtok_r(NULL, "\n", &save)) {
			if (strncmp(line, "command", 7) != 0)
				continue;
			char *inner = NULL;
			for (char *w = strtok_r(line + 7, " \t", &inner); w && *w != '#';
			     w = strtok_r(NULL, " \t", &inner))
				says |= !strcmp(w, command);
		}
	}
	buf_drop(&text);
	return says;
}

static int want_for_command(struct loader *l)
{
	const struct config_input *in = l->in;
	for (size_t d = 0; in->command && in->preset_dirs && in->preset_dirs[d]; d++) {
		AUTO(dir) DIR *dir = opendir(in->preset_dirs[d]);
		struct dirent *e;
		while (dir && (e = readdir(dir))) {
			char path[PATH_MAX];
			if (e->d_name[0] == '.' ||
			    snprintf(path, sizeof(path), "%s/%s", in->preset_dirs[d], e->d_name) >=
				    (int)sizeof(path) ||
			    !says_command(path, in->command) ||
			    text_list_has(&l->wanted, span_of(e->d_name)))
				continue;
			if (!text_list_add(&l->wanted, span_of(e->d_name)))
				return err_set(l->err, ENOMEM, "reading the presets");
		}
	}
	return 0;
}

static int no_such_preset(struct loader *l, const char *name)
{
	const char *meant = NULL;
	AUTO(dir) DIR *dir = l->in->preset_dirs && l->in->preset_dirs[0] ? opendir(l->in->preset_dirs[0]) : NULL;
	struct dirent *e;
	while (dir && !meant && (e = readdir(dir))) {
		const char *known[] = {e->d_name};
		meant = words_closest(span_of(name), known, 1);
		if (!meant && !strncmp(e->d_name, name, strlen(name)))
			meant = e->d_name;
	}
	err_set(l->err, 0, "unknown preset '%s'%s%s%s", name, meant ? " - did you mean '" : "", meant ? meant : "",
		meant ? "'?" : "");
	return err_fix(l->err, "presets are files in %s", l->in->preset_dirs && l->in->preset_dirs[0]
								   ? l->in->preset_dirs[0] : "no folder");
}

static int read_preset(struct loader *l, const char *name, const char *const *classes, bool is_from_etc)
{
	char path[PATH_MAX] = "", probe[PATH_MAX], shown[128];
	if (strchr(name, '/') || name[0] == '.')
		return err_set(l->err, 0, "'%s' is no preset's name", name);
	for (size_t d = 0; l->in->preset_dirs && l->in->preset_dirs[d]; d++)
		if (snprintf(probe, sizeof(probe), "%s/%s", l->in->preset_dirs[d], name) < (int)sizeof(probe) &&
		    access(probe, R_OK) == 0)
			memcpy(path, probe, sizeof(path)); /* later folders win */
	if (!path[0])
		return no_such_preset(l, name);
	(void)snprintf(shown, sizeof(shown), "preset:%s", name); /* cut is fine */
	struct loader_file file = {.name = shown, .layer = LAYER_PRESET, .bare = RULE_ALLOW, .classes = classes,
				   .is_from_etc = is_from_etc};
	return read_file(l, path, true, &file, name);
}

/* NAME+CLASS+CLASS: the classes of all mentions of one preset together. */
static int read_presets(struct loader *l)
{
	for (size_t i = 0; i < l->wanted.n; i++) {
		const char *classes[MAX_CLASSES + 3] = {"required", "login"};
		size_t n_classes = 2, name_n = strcspn(l->wanted.items[i], "+");
		bool is_first = true;
		struct text_list parts = {0};
		int rc = 0;
		for (size_t j = 0; rc == 0 && j < l->wanted.n; j++) {
			const char *item = l->wanted.items[j];
			if (strcspn(item, "+") != name_n || strncmp(item, l->wanted.items[i], name_n) != 0)
				continue;
			is_first &= j >= i;
			for (const char *p = item + name_n; *p == '+' && n_classes < MAX_CLASSES + 2;) {
				size_t n = strcspn(++p, "+");
				if (!text_list_add(&parts, span_make(p, n)))
					rc = err_set(l->err, ENOMEM, "reading the presets");
				else
					classes[n_classes++] = parts.items[parts.n - 1];
				p += n;
			}
		}
		AUTO(mem) char *name = strndup(l->wanted.items[i], name_n);
		if (rc == 0 && !name)
			rc = err_set(l->err, ENOMEM, "reading the presets");
		if (rc == 0 && is_first)
			rc = read_preset(l, name, classes,
					 text_list_has(&l->wanted_by_etc, span_of(l->wanted.items[i])));
		text_list_drop(&parts);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int note_project(struct loader *l)
{
	char path[PATH_MAX], text[PATH_MAX + 64];
	if (!l->in->project || snprintf(path, sizeof(path), "%s/.drydock", l->in->project) >= (int)sizeof(path) ||
	    access(path, F_OK) != 0)
		return 0;
	(void)snprintf(text, sizeof(text), "%s is not trusted and was ignored", path); /* has room */
	return text_list_add(&l->out->notices, span_of(text)) ? 0 : err_set(l->err, ENOMEM, "reading the project");
}

static int note_lock(struct loader *l)
{
	char text[160];
	if (l->n_locked_out == 0)
		return 0;
	(void)snprintf(text, sizeof(text), "the administrator's lock in /etc/drydock left out %zu allow rules",
		       l->n_locked_out); /* has room */
	return text_list_add(&l->out->notices, span_of(text)) ? 0 : err_set(l->err, ENOMEM, "reading the lock");
}

int config_load(const struct config_input *in, struct config *out, struct err *err)
{
	struct config config = {.policy = {.max = POLICY_MAX_BYTES}};
	struct loader l = {.in = in, .out = &config, .err = err};

	int rc = read_folder(&l, in->etc_dir, LAYER_ETC);
	if (rc == 0)
		rc = read_folder(&l, in->user_dir, LAYER_USER);
	if (rc == 0)
		rc = read_flags(&l);
	if (rc == 0)
		rc = want_for_command(&l);
	if (rc == 0)
		rc = read_presets(&l);
	if (rc == 0)
		rc = note_project(&l);
	if (rc == 0)
		rc = note_lock(&l);
	text_list_drop(&l.wanted);
	text_list_drop(&l.wanted_by_etc);
	if (rc < 0) {
		config_drop(&config);
		return rc;
	}
	*out = config;
	return 0;
}

void config_drop(struct config *config)
{
	buf_drop(&config->policy);
	text_list_drop(&config->env);
	text_list_drop(&config->keep);
	text_list_drop(&config->args);
	text_list_drop(&config->notices);
	for (size_t i = 0; i < config->n_mounts; i++)
		free(config->mounts[i].path);
	free(config->mounts);
	for (size_t i = 0; i < config->n_sources; i++)
		free(config->sources[i].name);
	free(config->sources);
	*config = (struct config){.policy = {.max = POLICY_MAX_BYTES}};
}
