/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/docker_check.h"
#include "base/own.h"
#include "engine/docker_net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char facts_template[] =
	"id={{.Id}}\nstate={{.State.Status}}\nmode={{.HostConfig.NetworkMode}}\n"
	"networks={{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}\n"
	"add={{range .HostConfig.CapAdd}}{{.}} {{end}}\ndrop={{range .HostConfig.CapDrop}}{{.}} {{end}}\n"
	"security={{range .HostConfig.SecurityOpt}}{{.}} {{end}}\nprivileged={{.HostConfig.Privileged}}\n"
	"pid={{.HostConfig.PidMode}}\nipc={{.HostConfig.IpcMode}}\nuts={{.HostConfig.UTSMode}}\n"
	"userns={{.HostConfig.UsernsMode}}\nrootfs={{.HostConfig.ReadonlyRootfs}}\n"
	"devices={{range .HostConfig.Devices}}{{.PathOnHost}} {{end}}\n"
	"ports={{range $port, $_ := .HostConfig.PortBindings}}{{$port}} {{end}}\n"
	"{{range .Mounts}}{{.Type}}\t{{.Source}}\t{{.Destination}}\t{{.RW}}\n{{end}}end=";

static int differs(const char *who, const char *what, struct span have, struct err *err)
{
	(void)err_set(err, 0, "%s is not what was asked for: %s is '%.*s'", who, what, have.n > 200 ? 200 : (int)have.n,
		      have.n ? (const char *)have.p : "");
	(void)err_fix(err, "compare: drydock render compose; what else changes containers on this machine?");
	return -EPERM;
}

static int want(const char *who, struct span facts, const char *key, const char *value, struct err *err)
{
	struct span have = span_trim(docker_cli_field(facts, key));
	return span_is(have, value) ? 0 : differs(who, key, have, err);
}

/* What holds of every container of a contained session. */
static int check_common(const char *who, struct span facts, struct err *err)
{
	static const struct {
		const char *key, *value;
	} wanted[] = {{"drop", "ALL"}, {"privileged", "false"}, {"pid", ""}, {"uts", ""}, {"devices", ""}, {"ports", ""}};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (want(who, facts, wanted[i].key, wanted[i].value, err) < 0)
			return -EPERM;
	struct span security = span_trim(docker_cli_field(facts, "security"));
	static const char nnp[] = "no-new-privileges", off[] = "unconfined", disabled[] = "label=disable";
	if (!security.p || !security.n || !memmem(security.p, security.n, nnp, sizeof(nnp) - 1) ||
	    memmem(security.p, security.n, "no-new-privileges:false", 23) ||
	    memmem(security.p, security.n, off, sizeof(off) - 1) ||
	    memmem(security.p, security.n, disabled, sizeof(disabled) - 1))
		return differs(who, "security", security, err);
	struct span ipc = docker_cli_field(facts, "ipc");
	if (span_is(ipc, "host") || (ipc.n > 10 && !memcmp(ipc.p, "container:", 10)))
		return differs(who, "ipc", ipc, err);
	return 0;
}

/* The hardening set and nothing else, in any order; newer engines write CAP_ before the names. */
static int check_caps(const char *who, struct span caps, struct err *err)
{
	static const char *const allowed[] = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID", "KILL"};
	struct span all = caps;

	while ((caps = span_trim(caps)).n) {
		const uint8_t *end = memchr(caps.p, ' ', caps.n);
		struct span word = span_make(caps.p, end ? (size_t)(end - caps.p) : caps.n);
		caps = span_make(word.p + word.n, caps.n - word.n);
		if (word.n > 4 && !memcmp(word.p, "CAP_", 4))
			word = span_make(word.p + 4, word.n - 4);
		bool is_allowed = false;
		for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
			is_allowed |= span_is(word, allowed[i]);
		if (!is_allowed)
			return differs(who, "cap_add", all, err);
	}
	return 0;
}

static struct span cut(struct span *text, uint8_t end)
{
	const uint8_t *at = text->n ? memchr(text->p, end, text->n) : NULL;
	size_t n = at ? (size_t)(at - text->p) : text->n;
	struct span part = span_make(text->p, n);
	*text = span_make(text->p + n + (at != NULL), text->n - n - (at != NULL));
	return part;
}

/* Each is one that was asked for, and as writable as was asked; nothing else is there. */
static int check_mounts(const struct docker_expect *e, struct span facts, struct err *err)
{
	size_t n_seen = 0;

	while (facts.n) {
		struct span line = cut(&facts, '\n');
		struct span type = cut(&line, '\t');
		if (!line.n)
			continue; /* KEY=VALUE */
		struct span source = cut(&line, '\t');
		struct span target = cut(&line, '\t');
		bool is_asked = false;
		for (size_t i = 0; span_is(type, "bind") && i < e->mounts->n; i++)
			is_asked |= span_is(source, e->mounts->items[i].path) && span_is(target, e->mounts->items[i].path) &&
				    span_is(line, e->mounts->items[i].is_writable ? "true" : "false");
		if (!is_asked && !span_is(type, "tmpfs"))
			return differs(e->agent, "a mount", source, err);
		n_seen += is_asked;
	}
	return n_seen == e->mounts->n ? 0 : differs(e->agent, "the list of mounts", span_of("not complete"), err);
}

int docker_check_agent(const struct docker_expect *e, struct span facts, struct span holder_id, struct err *err)
{
	char mode[160];

	(void)snprintf(mode, sizeof(mode), "container:%.*s", holder_id.n > 128 ? 128 : (int)holder_id.n,
		       holder_id.n ? (const char *)holder_id.p : "");
	bool is_bridge = e->topology == ENGINE_BRIDGE;
	int rc = want(e->agent, facts, "mode", is_bridge ? DOCKER_NET_INNER : mode, err);
	if (rc == 0)
		rc = want(e->agent, facts, "networks", is_bridge ? DOCKER_NET_INNER : "", err);
	if (rc == 0)
		rc = check_common(e->agent, facts, err);
	if (rc == 0)
		rc = check_caps(e->agent, docker_cli_field(facts, "add"), err);
	return rc < 0 ? rc : check_mounts(e, facts, err);
}

/* Both networks in any order (sealed: the outer one); the holder has none. */
static int check_sidecar_networks(const struct docker_expect *e, bool is_holder, struct span facts, struct err *err)
{
	const char *who = is_holder ? e->holder : e->sidecar;
	struct span have = span_trim(docker_cli_field(facts, "networks"));

	if (is_holder)
		return want(who, facts, "mode", "none", err);
	bool is_right = e->topology == ENGINE_BRIDGE ? span_is(have, DOCKER_NET_OUTER " " DOCKER_NET_INNER) ||
							       span_is(have, DOCKER_NET_INNER " " DOCKER_NET_OUTER)
						     : span_is(have, DOCKER_NET_OUTER);
	return is_right ? 0 : differs(who, "networks", have, err);
}

int docker_check_sidecar(const struct docker_expect *e, bool is_holder, struct span facts, struct err *err)
{
	const char *who = is_holder ? e->holder : e->sidecar;
	int rc = check_common(who, facts, err);
	if (rc == 0)
		rc = want(who, facts, "add", "", err);
	if (rc == 0)
		rc = want(who, facts, "rootfs", "true", err);
	return rc < 0 ? rc : check_sidecar_networks(e, is_holder, facts, err);
}

static enum docker_state read_state(struct span facts)
{
	struct span state = docker_cli_field(facts, "state");
	if (span_is(state, "created"))
		return DOCKER_CREATED;
	return span_is(state, "running") || span_is(state, "paused") ? DOCKER_RUNNING : DOCKER_ENDED;
}

/* The next container's part of docker's answer: up to its line "end=". */
static struct span next_part(struct span *text)
{
	static const char mark[] = "end=\n";
	const uint8_t *at = text->n ? memmem(text->p, text->n, mark, sizeof(mark) - 1) : NULL;
	size_t n = at ? (size_t)(at - text->p) : text->n;
	size_t skip = at ? n + sizeof(mark) - 1 : n;
	struct span part = span_make(text->p, n);
	*text = span_make(text->p + skip, text->n - skip);
	return part;
}

static bool is_missing(const struct tool *tool)
{
	return tool->err.n && memmem(tool->err.p, tool->err.n, "No such container", 17);
}

int docker_check(const struct docker_cli *cli, const struct docker_expect *e, bool has_agent,
		 enum docker_state *out_state, struct err *err)
{
	static struct tool_args args; /* big; used and dropped here */
	struct tool tool;
	int status = 0;

	docker_cli_begin(cli, &args, "inspect", "--type", "container", "--format", facts_template, e->sidecar, NULL);
	if (e->topology == ENGINE_SEALED)
		tool_args_add(&args, e->holder, NULL);
	if (has_agent)
		tool_args_add(&args, e->agent, NULL);
	int rc = docker_cli_call(cli, &args, &tool, &status, err);
	if (rc < 0)
		return rc;
	if (status != 0) {
		bool is_early = out_state && is_missing(&tool);
		if (is_early)
			*out_state = DOCKER_CREATED;
		else
			rc = tool_complain(&tool, err);
		tool_drop(&tool);
		return rc;
	}
	struct span text = buf_span(&tool.out), holder = {0};
	rc = docker_check_sidecar(e, false, next_part(&text), err);
	if (e->topology == ENGINE_SEALED) {
		holder = next_part(&text);
		rc = rc < 0 ? rc : docker_check_sidecar(e, true, holder, err);
	}
	if (rc == 0 && has_agent) {
		struct span agent = next_part(&text);
		enum docker_state state = read_state(agent);
		/* compose may still be moving it between networks: it is compared when it runs */
		bool is_early = out_state && state == DOCKER_CREATED;
		rc = is_early ? 0 : docker_check_agent(e, agent, docker_cli_field(holder, "id"), err);
		if (rc == 0 && out_state)
			*out_state = state;
	}
	tool_drop(&tool);
	return rc;
}
