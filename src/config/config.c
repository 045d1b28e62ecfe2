/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order of reading: /etc first (it may lock), then the user's files, the project's and flags, and last the presets that any of
 * them, or the command's name, asked for. Rules add up whatever the order: any deny wins over any allow.
 */
#include "config/config.h"
#include "base/fs.h"
#include "base/own.h"
#include "base/words.h"
#include "config/loader.h"
#include "config/registries.h"
#include "config/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

enum { FILE_MAX_BYTES = 64 << 20, POLICY_MAX_BYTES = 256 << 20, EXPIRED_MAX_BYTES = 1 << 20, MAX_CLASSES = 8 };

static void loader_drop(struct loader *l)
{
	text_list_drop(&l->wanted);
	text_list_drop(&l->wanted_fully);
	text_list_drop(&l->wanted_by_etc);
	free(l->mark_file);
	l->mark_file = NULL;
}

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

static bool is_below_user_dir(const struct loader *l, const char *path)
{
	size_t n = l->in->user_dir ? strlen(l->in->user_dir) : 0;
	return n && strncmp(path, l->in->user_dir, n) == 0 && path[n] == '/';
}

static int read_file(struct loader *l, const char *path, bool must_exist, struct loader_file *file,
		     const char *source)
{
	for (const char *p = path; *p; p++)
		if ((uint8_t)*p < 0x20) /* it would end up in the marks of the policy text */
			return err_set(l->err, 0, "a control character in the name of a file of rules");
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == ENOENT && !must_exist)
		return 0;
	if (fd < 0)
		return err_set(l->err, errno, "opening '%s'", path);
	int rc = file->layer == LAYER_PRESET && !is_below_user_dir(l, path) ? 0 : check_owner(fd, path, l->err);
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

static bool want_fully(struct loader *l, const char *preset)
{
	return text_list_add(&l->wanted, span_of(preset)) && text_list_add(&l->wanted_fully, span_of(preset));
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
		if (!want_fully(l, in->presets[i]))
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

/* Small letters, digits and hyphens; not a backup copy of an editor, nor a path. */
static bool is_preset_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
	return n > 0 && n <= 64 && name[n] == '\0' && name[0] != '-';
}

static int want_for_command(struct loader *l)
{
	const struct config_input *in = l->in;
	for (size_t d = 0; in->command && in->preset_dirs && in->preset_dirs[d]; d++) {
		AUTO(dir) DIR *dir = opendir(in->preset_dirs[d]);
		struct dirent *e;
		while (dir && (e = readdir(dir))) {
			char path[PATH_MAX];
			if (!is_preset_name(e->d_name) ||
			    snprintf(path, sizeof(path), "%s/%s", in->preset_dirs[d], e->d_name) >=
				    (int)sizeof(path) ||
			    !says_command(path, in->command) ||
			    text_list_has(&l->wanted_fully, span_of(e->d_name)))
				continue;
			if (!want_fully(l, e->d_name))
				return err_set(l->err, ENOMEM, "reading the presets");
		}
	}
	return 0;
}

/* The preset of any folder whose name is closest to @name, or starts with it; false when there is none. */
static bool find_meant(const struct loader *l, const char *name, char out[256])
{
	unsigned best = 3;
	out[0] = '\0';
	for (size_t d = 0; l->in->preset_dirs && l->in->preset_dirs[d]; d++) {
		AUTO(dir) DIR *dir = opendir(l->in->preset_dirs[d]);
		struct dirent *e;
		while (dir && (e = readdir(dir))) {
			if (!is_preset_name(e->d_name))
				continue;
			unsigned distance = words_distance(span_of(name), span_of(e->d_name));
			bool is_start = name[0] && !strncmp(e->d_name, name, strlen(name));
			if (distance >= best && !(is_start && !out[0]))
				continue;
			best = distance < best ? distance : best;
			(void)snprintf(out, 256, "%s", e->d_name); /* d_name is shorter */
		}
	}
	return out[0];
}

static int no_such_preset(struct loader *l, const char *name)
{
	const char *const *dirs = l->in->preset_dirs;
	char meant[256];
	bool is_meant = find_meant(l, name, meant);
	err_set(l->err, 0, "unknown preset '%.64s'%s%s%s", name, is_meant ? " - did you mean '" : "",
		is_meant ? meant : "", is_meant ? "'?" : "");
	return err_fix(l->err, "presets are files in %s%s%s", dirs && dirs[0] ? dirs[0] : "no folder",
		       dirs && dirs[0] && dirs[1] ? " and " : "", dirs && dirs[0] && dirs[1] ? dirs[1] : "");
}

/*
 * struct preset_ask - one preset and the classes of all its mentions together
 * @allows_only: only the project asked for it
 * @is_from_etc: /etc asked for it, so that its allows count under a lock; then the user's own folder of presets
 *		and his classes do not
 */
struct preset_ask {
	const char *name;
	const char *classes[MAX_CLASSES + 3]; /* NULL-terminated; the first two are always taken */
	size_t n_classes;
	struct text_list parts; /* owns the classes behind those */
	bool allows_only;
	bool is_from_etc;
};
enum { N_DEFAULT_CLASSES = 2 };

/* A class that was asked for and that no rule of the preset has was written wrong. */
static int check_classes(struct loader *l, const struct preset_ask *ask, unsigned seen)
{
	for (size_t i = N_DEFAULT_CLASSES; i < ask->n_classes; i++)
		if (!(seen >> i & 1))
			return err_set(l->err, 0, "preset '%s' has no rule of class '%.40s'", ask->name,
				       ask->classes[i]);
	return 0;
}

static int read_preset(struct loader *l, const struct preset_ask *ask)
{
	char path[PATH_MAX] = "", probe[PATH_MAX], shown[128];
	bool is_vendors = ask->is_from_etc && l->is_locked;
	if (!is_preset_name(ask->name))
		return err_set(l->err, 0, "'%.64s' is no preset's name: small letters, digits and hyphens", ask->name);
	for (size_t d = 0; l->in->preset_dirs && l->in->preset_dirs[d]; d++)
		if (snprintf(probe, sizeof(probe), "%s/%s", l->in->preset_dirs[d], ask->name) < (int)sizeof(probe) &&
		    !(is_vendors && is_below_user_dir(l, probe)) && access(probe, F_OK) == 0)
			memcpy(path, probe, sizeof(path)); /* later folders win */
	if (!path[0])
		return no_such_preset(l, ask->name);
	(void)snprintf(shown, sizeof(shown), "preset:%s", ask->name); /* has room */
	struct loader_file file = {.name = shown, .layer = LAYER_PRESET, .bare = RULE_ALLOW, .preset = ask->name,
				   .classes = ask->classes, .is_from_etc = ask->is_from_etc,
				   .allows_only = ask->allows_only};
	int rc = read_file(l, path, true, &file, ask->name);
	return rc < 0 ? rc : check_classes(l, ask, file.seen);
}

static bool is_mention(const char *item, const char *name)
{
	size_t n = strlen(name);
	return strcspn(item, "+") == n && memcmp(item, name, n) == 0;
}

/* Adds the classes of NAME+CLASS+CLASS. */
static int add_classes(struct loader *l, struct preset_ask *ask, const char *item)
{
	for (const char *p = strchr(item, '+'); p && *p == '+';) {
		size_t n = strcspn(++p, "+");
		if (n == 0)
			return err_set(l->err, 0, "'%.64s': a class is missing behind '+'", item);
		bool is_known = false;
		for (size_t i = 0; i < ask->n_classes; i++)
			is_known |= span_is(span_make(p, n), ask->classes[i]);
		if (!is_known) {
			if (ask->n_classes == MAX_CLASSES + N_DEFAULT_CLASSES)
				return err_set(l->err, 0, "more than %d classes of preset '%s'", MAX_CLASSES,
					       ask->name);
			if (!text_list_add(&ask->parts, span_make(p, n)))
				return err_set(l->err, ENOMEM, "reading the presets");
			ask->classes[ask->n_classes++] = ask->parts.items[ask->parts.n - 1];
		}
		p += n;
	}
	return 0;
}

/* Under a lock only the classes that /etc asked for count; the user sees that others were left out. */
static int note_locked_classes(struct loader *l, const char *name)
{
	char text[200];
	bool is_more = false;
	for (size_t i = 0; i < l->wanted.n; i++)
		is_more |= is_mention(l->wanted.items[i], name) &&
			   !text_list_has(&l->wanted_by_etc, span_of(l->wanted.items[i])) &&
			   strchr(l->wanted.items[i], '+');
	if (!is_more)
		return 0;
	(void)snprintf(text, sizeof(text),
		       "the administrator's lock in /etc/drydock left out classes of preset '%.64s'", name);
	return text_list_add(&l->out->notices, span_of(text)) ? 0 : err_set(l->err, ENOMEM, "reading the presets");
}

/* Reads the preset of l->wanted.items[at], unless an earlier mention did. */
static int read_wanted(struct loader *l, size_t at)
{
	AUTO(mem) char *name = strndup(l->wanted.items[at], strcspn(l->wanted.items[at], "+"));
	struct preset_ask ask = {.name = name, .classes = {"required", "login"}, .n_classes = N_DEFAULT_CLASSES};
	int rc = 0;

	if (!name)
		return err_set(l->err, ENOMEM, "reading the presets");
	for (size_t i = 0; i < at; i++)
		if (is_mention(l->wanted.items[i], name))
			return 0;
	for (size_t i = 0; i < l->wanted_by_etc.n; i++)
		ask.is_from_etc |= is_mention(l->wanted_by_etc.items[i], name);
	ask.allows_only = true;
	for (size_t i = 0; i < l->wanted_fully.n; i++)
		ask.allows_only &= !is_mention(l->wanted_fully.items[i], name);
	bool is_capped = ask.is_from_etc && l->is_locked;
	const struct text_list *counted = is_capped ? &l->wanted_by_etc : &l->wanted;
	if (is_capped)
		rc = note_locked_classes(l, name);
	for (size_t i = 0; rc == 0 && i < counted->n; i++)
		if (is_mention(counted->items[i], name))
			rc = add_classes(l, &ask, counted->items[i]);
	if (rc == 0)
		rc = read_preset(l, &ask);
	text_list_drop(&ask.parts);
	return rc;
}

static int read_presets(struct loader *l)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < l->wanted.n; i++)
		rc = read_wanted(l, i);
	return rc;
}

static int note_project(struct loader *l, const char *path, const char *what)
{
	char text[PATH_MAX + 128];
	(void)snprintf(text, sizeof(text), "%s %s", path, what); /* has room */
	return text_list_add(&l->out->notices, span_of(text)) ? 0 : err_set(l->err, ENOMEM, "reading the project");
}

/* What is trusted is this content, so the bytes that were compared are the ones that are read. */
static int read_project(struct loader *l)
{
	char path[PATH_MAX];
	AUTO(buf) struct buf text = {.max = TRUST_FILE_MAX_BYTES};
	struct err why = {0};

	if (!l->in->project || snprintf(path, sizeof(path), "%s/.drydock", l->in->project) >= (int)sizeof(path))
		return 0;
	int rc = trust_read_file(path, &text, &why);
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return note_project(l, why.text, "and was ignored");
	switch (trust_look(l->in->trust_dir, path, buf_span(&text))) {
	case TRUST_NEW:
		return note_project(l, path, "is not trusted and was ignored; review it: drydock trust");
	case TRUST_CHANGED:
		return note_project(l, path, "changed since you trusted it and was ignored; review it: drydock trust");
	case TRUST_OK:
		break;
	}
	struct loader_file file = {.name = path, .layer = LAYER_PROJECT, .bare = RULE_ALLOW};
	rc = each_line(l, &file, buf_span(&text));
	return rc < 0 ? rc : add_source(l, "project", file.n_allows);
}

int config_check_project(const char *path, struct span content, struct err *err)
{
	const struct config_input in = {.home = "/"};
	struct config config = {.policy = {.max = POLICY_MAX_BYTES}, .expired = {.max = EXPIRED_MAX_BYTES}};
	struct loader l = {.in = &in, .out = &config, .err = err};
	struct loader_file file = {.name = path, .layer = LAYER_PROJECT, .bare = RULE_ALLOW};

	for (const char *p = path; *p; p++)
		if ((uint8_t)*p < 0x20) /* it would end up in the marks of the policy text */
			return err_set(err, 0, "a control character in the path of the project");
	int rc = each_line(&l, &file, content);
	if (rc == 0 && file.line > CONFIG_PROJECT_MAX_LINES)
		rc = err_set(err, 0, "'%s' has more than %d lines", path, CONFIG_PROJECT_MAX_LINES);
	loader_drop(&l);
	config_drop(&config);
	return rc;
}

/* The mark stands first, and the numbering of lines starts after it. */
static int mark_lock(struct loader *l)
{
	struct buf *policy = &l->out->policy;
	AUTO(buf) struct buf rules = {.max = POLICY_MAX_BYTES};

	if (!l->is_locked)
		return 0;
	bool is_put = buf_put(&rules, policy->p, policy->n);
	buf_clear(policy);
	is_put = is_put && buf_put(policy, CONFIG_LOCK_MARK, sizeof(CONFIG_LOCK_MARK) - 1) &&
		 buf_put(policy, rules.p, rules.n);
	return is_put ? 0 : err_set(l->err, ENOMEM, "reading the lock");
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

/* The user's own settings speak for him, as his files of rules do: a lock leaves them out. */
static int read_registries(struct loader *l)
{
	size_t n = 0;
	int rc = registries_add(l, check_owner, &n);
	return rc < 0 || l->is_locked ? rc : add_source(l, "registries", n);
}

bool config_is_locked(struct span policy)
{
	size_t n = sizeof(CONFIG_LOCK_MARK) - 1;
	return policy.n >= n && memcmp(policy.p, CONFIG_LOCK_MARK, n) == 0;
}

int config_load(const struct config_input *in, struct config *out, struct err *err)
{
	struct config config = {.policy = {.max = POLICY_MAX_BYTES}, .expired = {.max = EXPIRED_MAX_BYTES}};
	struct loader l = {.in = in, .out = &config, .err = err};

	int rc = read_folder(&l, in->etc_dir, LAYER_ETC);
	if (rc == 0)
		rc = mark_lock(&l);
	if (rc == 0)
		rc = read_folder(&l, in->user_dir, LAYER_USER);
	if (rc == 0)
		rc = read_project(&l);
	if (rc == 0)
		rc = read_flags(&l);
	if (rc == 0)
		rc = want_for_command(&l);
	if (rc == 0)
		rc = read_presets(&l);
	if (rc == 0)
		rc = read_registries(&l);
	if (rc == 0)
		rc = note_lock(&l);
	loader_drop(&l);
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
	buf_drop(&config->expired);
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
	*config = (struct config){.policy = {.max = POLICY_MAX_BYTES}, .expired = {.max = EXPIRED_MAX_BYTES}};
}
