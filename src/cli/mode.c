/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/mode.h"
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 8 << 20 };

const char *mode_name(enum engine_mode mode)
{
	return mode == ENGINE_DOOD ? "dood" : "contain";
}

static int accept_word(const char *word, bool may_dood, const char *why, struct mode_choice *out,
		       struct err *err)
{
	bool is_dood = !strcmp(word, "dood");
	if (!is_dood && strcmp(word, "contain") != 0)
		return err_set(err, 0, "%s: a mode is contain or dood, not '%.40s'", why, word);
	if (is_dood && !may_dood) {
		(void)err_set(err, 0, "%s says dood, which gives up all containment: only a flag or your own settings can", why);
		(void)err_fix(err, "--mode dood for once, or drydock mode dood --user");
		return -EPERM;
	}
	*out = (struct mode_choice){.mode = is_dood ? ENGINE_DOOD : ENGINE_CONTAIN, .why = why};
	return 0;
}

int mode_resolve(const struct mode_settings *in, struct mode_choice *out, struct err *err)
{
	if (in->flag)
		return accept_word(in->flag, true, "--mode", out, err);
	if (in->env)
		return accept_word(in->env, false, "DRYDOCK_MODE", out, err);
	if (in->project)
		return accept_word(in->project, false, "the project's .drydock", out, err);
	if (in->user)
		return accept_word(in->user, true, "your settings", out, err);
	return accept_word("contain", false, "the default", out, err);
}

/* The word behind "mode", if the line says that. */
static void read_line(struct span line, char out[MODE_WORD_BYTES])
{
	line = span_trim(line);
	if (line.n < 6 || memcmp(line.p, "mode", 4) != 0 || (line.p[4] != ' ' && line.p[4] != '\t'))
		return;
	line = span_trim(span_make(line.p + 4, line.n - 4));
	size_t n = 0;
	while (n < line.n && line.p[n] > ' ' && line.p[n] != '#')
		n++;
	(void)snprintf(out, MODE_WORD_BYTES, "%.*s", n > MODE_WORD_BYTES ? MODE_WORD_BYTES : (int)n,
		       (const char *)line.p);
}

int mode_read(const char *path, char out[MODE_WORD_BYTES], struct err *err)
{
	AUTO(buf) struct buf text = {.max = FILE_MAX_BYTES};

	out[0] = '\0';
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	int rc = fs_read(path, &text, err);
	struct span left = buf_span(&text);
	while (rc == 0 && left.n) {
		const uint8_t *end = memchr(left.p, '\n', left.n);
		size_t n = end ? (size_t)(end - left.p) : left.n;
		read_line(span_make(left.p, n), out);
		n += end != NULL;
		left = span_make(left.p + n, left.n - n);
	}
	return rc;
}

int mode_choose(const struct place *place, const char *flag, bool use_project, struct mode_choice *out, struct err *err)
{
	char path[PATH_MAX + 16], project[MODE_WORD_BYTES] = "", user[MODE_WORD_BYTES];
	const char *env = getenv("DRYDOCK_MODE");

	(void)snprintf(path, sizeof(path), "%s/config", place->user_dir);
	int rc = mode_read(path, user, err);
	if (rc == 0 && use_project && place->project[0]) {
		(void)snprintf(path, sizeof(path), "%s/.drydock", place->project);
		rc = mode_read(path, project, err);
	}
	if (rc < 0)
		return rc;
	const struct mode_settings in = {
		.flag = flag,
		.env = env && *env ? env : NULL,
		.project = project[0] ? project : NULL,
		.user = user[0] ? user : NULL,
	};
	return mode_resolve(&in, out, err);
}
