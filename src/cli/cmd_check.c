/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_check.c - drydock check: the verdict on a destination, without a packet */
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/launch.h"
#include "cli/policy_text.h"
#include "cli/term.h"
#include "policy/verdict.h"

#include <errno.h>
#include <stdlib.h>

enum { POLICY_MAX_BYTES = 256 << 20 };

struct check_flags {
	struct launch_flags run;
	const char *command, *session;
	bool is_json, is_help;
};

/* clang-format off */
#define AT(member) offsetof(struct check_flags, member)
static const struct option check_options[] = {
	{'s', "session", "SESSION", "with the rules of this session, and no others", OPTION_TEXT, AT(session)},
	{0, "for", "COMMAND", "with the preset that `run COMMAND` would choose", OPTION_TEXT, AT(command)},
	{'a', "allow", "RULE", "as for run", OPTION_LIST, AT(run.allow)},
	{0, "deny", "RULE", "as for run", OPTION_LIST, AT(run.deny)},
	{'p', "preset", "NAME", "as for run", OPTION_LIST, AT(run.presets)},
	{0, "allow-file", "FILE", "as for run", OPTION_LIST, AT(run.allow_files)},
	{0, "no-project", NULL, "as for run", OPTION_FLAG, AT(run.no_project)},
	{'C', "chdir", "DIR", "as for run", OPTION_TEXT, AT(run.chdir)},
	{0, "json", NULL, "one JSON document", OPTION_FLAG, AT(is_json)},
	{'h', "help", NULL, "this text", OPTION_FLAG, AT(is_help)},
	{0},
};
/* clang-format on */

void cmd_check_help(struct buf *out)
{
	(void)buf_putf(
		out,
		"Usage: drydock check [OPTIONS] HOST[:PORT]\n\n"
		"Says whether the rules allow a destination, and which rule decides. Sends "
		"nothing, and so does\nnot know whether the name resolves to a public address. "
		"PORT is 443 unless given.\n\n"); /* constants: they fit */
	options_print(check_options, out);
	(void)buf_putf(out, "\nExit code: 0 allowed, 3 denied.\n");
}

/* One question: a name or an address, and a port. */
struct target {
	bool is_addr;
	struct name name;
	struct addr addr;
	uint16_t port;
};

static bool read_port(struct span text, uint16_t *out)
{
	uint32_t port = 0;
	if (text.n == 0 || text.n > 5)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		port = port * 10 + (uint32_t)(text.p[i] - '0');
	}
	*out = (uint16_t)port;
	return port > 0 && port <= UINT16_MAX;
}

static int read_target(const char *text, struct target *out, struct err *err)
{
	struct span host = span_of(text);
	const char *close = text[0] == '[' ? strchr(text, ']') : NULL;
	const char *colon = strrchr(close ? close : text, ':');
	/* a bare IPv6 address has several colons and no port */
	if (!close && colon && strchr(text, ':') != colon)
		colon = NULL;
	out->port = 443;
	if (strstr(text, "://")) {
		err_set(err, 0, "'%s' is a URL; check takes HOST or HOST:PORT", text);
		return err->code;
	}
	if (colon && !read_port(span_of(colon + 1), &out->port))
		return err_set(err, 0, "'%s' is no port: 1 to 65535", colon + 1);
	if (colon)
		host.n = (size_t)(colon - text);
	if (close) {
		host = span_make(text + 1, (size_t)(close - text) - 1);
		out->is_addr = true;
		return addr_parse(host, &out->addr) ? 0
						    : err_set(err, 0, "'%s' is no address", text);
	}
	switch (name_parse(host, &out->name)) {
	case NAME_IS_HOST:
		return 0;
	case NAME_IS_ADDRESS:
		out->is_addr = true;
		return addr_parse_any(host, &out->addr)
			       ? 0
			       : err_set(err, 0, "'%s' is no address", text);
	case NAME_IS_BAD:
		break;
	}
	return err_set(err, 0, "'%s' is neither a host name nor an address", text);
}

static const char *verdict_word(enum verdict_kind kind)
{
	switch (kind) {
	case VERDICT_ALLOW:
		return "allowed";
	case VERDICT_NOT_ALLOWLISTED:
		return "not-allowlisted";
	case VERDICT_PORT_NOT_ALLOWED:
		return "port-not-allowed";
	case VERDICT_DENIED_BY_RULE:
		return "denied-by-rule";
	case VERDICT_TELEMETRY_OFF:
		return "telemetry-off";
	case VERDICT_IP_LITERAL:
		return "ip-literal";
	}
	return "denied";
}

/* Unchecked puts: a few hundred bytes at most, and term_put() reports a cut. */
static void print_verdict(const struct target *t, const struct verdict *v, bool is_json,
			  struct buf *out)
{
	char address[ADDR_TEXT_BYTES];
	const char *host = t->name.text;
	bool is_allowed = v->kind == VERDICT_ALLOW;
	if (t->is_addr) {
		addr_print(&t->addr, address);
		host = address;
	}
	if (is_json) {
		struct json j = {.out = out};
		json_open(&j, NULL, '{');
		json_u64(&j, "v", 1);
		json_str(&j, "host", host);
		json_u64(&j, "port", t->port);
		json_bool(&j, "allowed", is_allowed);
		json_str(&j, "reason", is_allowed ? "ok" : verdict_word(v->kind));
		if (v->origin.file) {
			json_str(&j, "file", v->origin.file);
			json_u64(&j, "line", v->origin.line);
		}
		json_close(&j, '}');
		(void)buf_put(out, "\n", 1);
		return;
	}
	bool is_v6 = t->is_addr && t->addr.is_v6;
	(void)buf_putf(out, "%s%s%s  %s%s%s:%u",
		       term_start(STDOUT_FILENO, is_allowed ? TERM_GREEN : TERM_RED),
		       is_allowed ? "allowed" : "DENIED", term_stop(STDOUT_FILENO),
		       is_v6 ? "[" : "", host, is_v6 ? "]" : "", t->port);
	if (!is_allowed)
		(void)buf_putf(out, "  %s", verdict_word(v->kind));
	if (v->origin.file) {
		(void)buf_putf(out, "  by ");
		utf8_put_safe(out, span_of(v->origin.file), 200);
		(void)buf_putf(out, ":%u", v->origin.line);
	} else {
		(void)buf_putf(out, "  no rule matches");
	}
	(void)buf_put(out, "\n", 1);
}

/* The policy that counts: of a session, or of the next one here. -ENOENT: no such session. */
static int read_policy(const struct check_flags *flags, struct launch *launch, char **command, struct buf *out,
		       struct err *err)
{
	char id[SESSION_ID_BYTES];
	if (!flags->session) {
		int rc = launch_load(launch, &flags->run, flags->command ? command : NULL, err);
		if (rc == 0 && !buf_put(out, launch->config.policy.p, launch->config.policy.n))
			rc = err_set(err, ENOMEM, "reading the rules");
		return rc < 0 && rc != -ENOMEM ? -EINVAL : rc;
	}
	int rc = place_find(&launch->place, err);
	if (rc < 0)
		return -EINVAL; /* @err says it */
	rc = session_find(&launch->place.roots, flags->session, id, err);
	if (rc < 0)
		return rc;
	rc = policy_text_read(launch->place.roots.state, id, out, err);
	return rc < 0 ? -EINVAL : 0;
}

static int decide(struct check_flags *flags, const struct target *target)
{
	static struct launch launch; /* big, and there is one */
	struct err err = {0};
	struct ruleset *set = NULL;
	char *command[] = {NULL, NULL};
	AUTO(buf) struct buf out = {.max = 16384};

	launch = (struct launch){0};
	if (flags->command)
		command[0] = strdup(flags->command);
	AUTO(buf) struct buf policy = {.max = POLICY_MAX_BYTES};
	int rc = read_policy(flags, &launch, command, &policy, &err);
	int code = rc == -ENOENT ? EXIT_NO_SESSION : EXIT_FAILED;
	if (rc == 0)
		rc = ruleset_load(buf_span(&policy), "policy", &set, &err);
	if (rc < 0) {
		term_error(code == EXIT_NO_SESSION ? "no such session" : "cannot read the rules", &err, 0);
	} else {
		struct verdict v = target->is_addr ? verdict_addr(set, &target->addr, target->port)
						   : verdict_name(set, &target->name, target->port);
		print_verdict(target, &v, flags->is_json, &out);
		code = term_put(STDOUT_FILENO, &out);
		if (code == EXIT_OK && v.kind != VERDICT_ALLOW)
			code = EXIT_DENIED;
	}
	ruleset_free(set);
	launch_drop(&launch, false);
	free(command[0]);
	return code;
}

int cmd_check(char **argv)
{
	static struct check_flags flags;
	struct target target = {0};
	struct err err = {0};
	char **rest;

	flags = (struct check_flags){.run = {.status_fd = -1}};
	if (options_parse(check_options, &flags, argv, &rest, &err) < 0)
		return term_usage("check", &err);
	if (flags.is_help)
		return cmd_help((char *[]){(char[]){"check"}, NULL});
	const char *host = *rest;
	if (host && options_parse(check_options, &flags, rest + 1, &rest, &err) < 0)
		return term_usage("check", &err);
	if (!host || *rest) {
		err_set(&err, 0, "check takes one HOST[:PORT]");
		return term_usage("check", &err);
	}
	if (read_target(host, &target, &err) < 0)
		return term_usage("check", &err);
	return decide(&flags, &target);
}
