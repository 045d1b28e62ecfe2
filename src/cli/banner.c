/* SPDX-License-Identifier: Apache-2.0 */
/* Every buf_put() here is unchecked on purpose: a banner cut at its maximum is still a banner. */
#include "cli/banner.h"
#include "base/utf8.h"
#include "cli/term.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

enum { WORD_MAX_CHARS = 120, HIDDEN_SHOWN = 3 };

static void put_text(struct buf *out, const char *text)
{
	utf8_put_safe(out, span_of(text), WORD_MAX_CHARS);
}

static void put_egress(const struct launch *l, const struct launch_flags *flags, struct buf *out)
{
	if (flags->no_net) {
		(void)buf_putf(out, "  egress   none (--no-net)\n");
		return;
	}
	size_t n = 0;
	for (size_t i = 0; i < l->config.n_sources; i++)
		n += l->config.sources[i].n_allows;
	(void)buf_putf(out, "  egress   allowlist, %zu rule%s", n, n == 1 ? "" : "s");
	for (size_t i = 0; i < l->config.n_sources; i++) {
		(void)buf_putf(out, "  ");
		put_text(out, l->config.sources[i].name);
		(void)buf_putf(out, "(%zu)", l->config.sources[i].n_allows);
	}
	if (l->config.proxy.is_set) {
		char text[PROXY_TEXT_BYTES];
		proxy_print(&l->config.proxy, text);
		(void)buf_putf(out, "\n  via      %s: names are judged here, but not the addresses it connects to", text);
	}
	(void)buf_putf(
		out, "\n  denied   everything else; private and metadata addresses and IP literals "
		     "unless a rule opens them\n");
}

/* Places in a home that people ask about first; none of them is shown inside. */
static void put_hidden(const struct place *place, struct buf *out)
{
	static const char *const secrets[] = {".ssh",
					      ".aws",
					      ".config/gh",
					      ".gnupg",
					      ".netrc",
					      ".docker",
					      ".kube",
					      ".azure",
					      ".npmrc",
					      ".pypirc",
					      ".git-credentials",
					      ".mozilla",
					      ".config/gcloud",
					      ".password-store",
					      ".config/google-chrome"};
	size_t n = 0;
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		char path[PATH_MAX + 64];
		struct stat st;
		(void)snprintf(path, sizeof(path), "%s/%s", place->home, secrets[i]);
		if (lstat(path, &st) < 0)
			continue;
		if (n++ < HIDDEN_SHOWN)
			(void)buf_putf(out, "%s~/%s", n == 1 ? "   hidden " : " ", secrets[i]);
	}
	if (n > HIDDEN_SHOWN)
		(void)buf_putf(out, " (+%zu)", n - HIDDEN_SHOWN);
	else if (!n)
		(void)buf_putf(out, "   hidden the rest of ~");
}

/* What the topology leaves open, by name: docs/DOCKER.md has the table. */
static void put_gaps(const struct launch *l, struct buf *out)
{
	if (!l->choice.is_docker)
		return;
	(void)buf_putf(out, "  open     %s; what is sent to an allowed host is not read\n",
		       l->choice.topology == ENGINE_SEALED
			       ? "ports that no rule named at the start need a new session"
			       : "agents of other sessions on drydock_internal; programs that ignore proxy variables reach nothing");
}

static void put_files(const struct launch *l, struct buf *out)
{
	const struct engine_request *r = &l->request;
	(void)buf_putf(out, "  files    ");
	if (r->project) {
		(void)buf_putf(out, "rw ");
		term_put_path(out, r->project, r->home);
		(void)buf_putf(out, "   ");
	}
	for (size_t i = 0; i < r->n_mounts; i++) {
		struct stat st;
		/* a missing one that is writable is made, or would be (--dry-run) */
		if (r->mounts[i].is_optional && !r->mounts[i].is_writable &&
		    stat(r->mounts[i].path, &st) < 0)
			continue;
		(void)buf_putf(out, "%s ", r->mounts[i].is_writable ? "rw" : "ro");
		term_put_path(out, r->mounts[i].path, r->home);
		(void)buf_putf(out, "   ");
	}
	(void)buf_putf(out, l->choice.is_docker ? "the image's own system   hidden the rest of this machine" : "ro system");
	if (!l->choice.is_docker)
		put_hidden(&l->place, out);
	(void)buf_putf(out, "\n");
	if (!l->made.n)
		return;
	(void)buf_putf(out, "  made    ");
	for (size_t i = 0; i < l->made.n; i++) {
		(void)buf_putf(out, " ");
		term_put_path(out, l->made.paths[i], r->home);
	}
	(void)buf_putf(out, "   (the agent's own state; removed again if it stays unused)\n");
}

static void put_list(struct buf *out, const char *label, const struct text_list *list, bool is_name)
{
	if (!list->n)
		return;
	(void)buf_putf(out, "  %-8s", label);
	for (size_t i = 0; i < list->n; i++) {
		size_t n = is_name ? strcspn(list->items[i], "=") : strlen(list->items[i]);
		(void)buf_putf(out, " ");
		utf8_put_safe(out, span_make(list->items[i], n), WORD_MAX_CHARS);
	}
	(void)buf_putf(out, "\n");
}

/* Only names that really are set are let through, so only those are worth a line. */
static void put_kept(const struct launch *l, struct buf *out)
{
	bool is_first = true;
	for (size_t i = 0; i < l->config.keep.n; i++) {
		if (!env_get(l->env.vars, l->config.keep.items[i]))
			continue;
		(void)buf_putf(out, is_first ? "  kept     " : " ");
		put_text(out, l->config.keep.items[i]);
		is_first = false;
	}
	if (!is_first)
		(void)buf_putf(out, "   (let through to the agent)\n");
}

void banner_print(const struct launch *l, const struct launch_flags *flags, const char *session_id,
		  const char *layers, const char *audit, struct buf *out)
{
	if (l->choice.mode == ENGINE_DOOD) {
		(void)buf_putf(out,
			       "drydock: %ssession %s   mode dood - NO CONTAINMENT: docker.sock and the host's network are exposed; "
			       "allowlist, token and log do not apply%s\n",
			       term_start(STDERR_FILENO, TERM_RED), session_id, term_stop(STDERR_FILENO));
		return;
	}
	(void)buf_putf(out, "drydock: %ssession %s%s   contain / %s%s\n", term_start(STDERR_FILENO, TERM_BOLD), session_id,
		       term_stop(STDERR_FILENO), l->choice.is_docker ? "docker, topology " : "native",
		       !l->choice.is_docker		       ? ""
		       : l->choice.topology == ENGINE_SEALED ? "sealed"
							       : "bridge");
	if (l->request.as_root)
		(void)buf_putf(
			out,
			"  %sWARNING  --as-root: the command runs as root of this machine's files: "
			"what it can see, it can read and own%s\n",
			term_start(STDERR_FILENO, TERM_RED), term_stop(STDERR_FILENO));
	put_egress(l, flags, out);
	put_gaps(l, out);
	put_files(l, out);
	put_kept(l, out);
	put_list(out, "set", &l->config.env, true);
	put_list(out, "args", &l->config.args, false);
	if (layers) {
		(void)buf_putf(out, "  layers   ");
		utf8_put_safe(out, span_of(layers), 4 * (size_t)WORD_MAX_CHARS);
		(void)buf_putf(out, "\n");
	}
	if (audit) {
		(void)buf_putf(out, "  audit    ");
		term_put_path(out, audit, l->place.home);
		(void)buf_putf(out, "     read it: drydock log %s\n", session_id);
	}
	for (size_t i = 0; i < l->config.notices.n; i++) {
		(void)buf_putf(out, "  note     ");
		utf8_put_safe(out, span_of(l->config.notices.items[i]), 4 * (size_t)WORD_MAX_CHARS);
		(void)buf_putf(out, "\n");
	}
}
