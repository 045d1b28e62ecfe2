/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/docker_net.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define INHIBIT "com.docker.network.bridge.inhibit_ipv4"
#define GATEWAY_MODE "com.docker.network.bridge.gateway_mode_ipv4"
#define ICC "com.docker.network.bridge.enable_icc"

static const char facts_template[] = "driver={{.Driver}}\ninternal={{.Internal}}\nipv6={{.EnableIPv6}}\nscope={{.Scope}}\n"
				     "inhibit={{index .Options \"" INHIBIT "\"}}\nicc={{index .Options \"" ICC "\"}}\n"
				     "subnet={{range .IPAM.Config}}{{.Subnet}} {{end}}\n"
				     "members={{range .Containers}}{{.Name}} {{end}}\n";

static int wrong(const char *name, const char *what, struct err *err)
{
	(void)err_set(err, 0, "network '%s' is there and %s", name, what);
	(void)err_fix(err, "docker network rm %s", name);
	return -EPERM;
}

/* Ours are called drydock-...; compose's one-offs of other projects are not. */
static int check_members(const char *name, struct span members, struct err *err)
{
	while (members.n) {
		const uint8_t *end = memchr(members.p, ' ', members.n);
		size_t n = end ? (size_t)(end - members.p) : members.n;
		if (n && (n < 8 || memcmp(members.p, "drydock-", 8) != 0)) {
			(void)err_set(err, 0, "network '%s' has a container on it that is none of drydock's: '%.*s'", name,
				      n > 64 ? 64 : (int)n, (const char *)members.p);
			(void)err_fix(err, "docker network disconnect %s %.*s", name, n > 64 ? 64 : (int)n,
				      (const char *)members.p);
			return -EPERM;
		}
		n += end != NULL;
		members = span_make(members.p + n, members.n - n);
	}
	return 0;
}

int docker_net_check(const char *name, bool is_inner, struct span facts, struct err *err)
{
	if (!span_is(docker_cli_field(facts, "driver"), "bridge"))
		return wrong(name, "is no bridge", err);
	if (!span_is(docker_cli_field(facts, "scope"), "local"))
		return wrong(name, "is not of this machine alone", err);
	if (!span_is(docker_cli_field(facts, "ipv6"), "false"))
		return wrong(name, "has IPv6, by which the host is reached", err);
	if (!is_inner) {
		if (!span_is(docker_cli_field(facts, "internal"), "false"))
			return wrong(name, "is internal, so that nothing is reached", err);
		if (!span_is(docker_cli_field(facts, "icc"), "false"))
			return wrong(name, "lets its containers speak to each other", err);
		return 0;
	}
	if (!span_is(docker_cli_field(facts, "internal"), "true"))
		return wrong(name, "is not internal: the agent would be on the internet", err);
	if (!span_is(docker_cli_field(facts, "inhibit"), "true"))
		return wrong(name, "has a gateway, by which services of the host are reached", err);
	return check_members(name, docker_cli_field(facts, "members"), err);
}

/* 0; 1 when there is none of that name; or a negative errno value. */
static int look(const struct docker_cli *cli, const char *name, struct tool *out, struct err *err)
{
	static struct tool_args args; /* big; used and dropped here */
	int status = 0;

	docker_cli_begin(cli, &args, "network", "inspect", "--format", facts_template, name, NULL);
	int rc = docker_cli_call(cli, &args, out, &status, err);
	if (rc < 0 || status == 0)
		return rc;
	bool is_missing = out->err.n && (memmem(out->err.p, out->err.n, "No such network", 15) ||
					 memmem(out->err.p, out->err.n, "not found", 9));
	rc = is_missing ? 1 : tool_complain(out, err);
	if (!is_missing && memmem(out->err.p, out->err.n, "ambiguous", 9))
		(void)err_fix(err, "docker network ls, and docker network rm ID of those called %s", name);
	tool_drop(out);
	return rc;
}

/* The labels are compose's own, so that both generations take the network for theirs. */
static int make(const struct docker_cli *cli, const char *name, bool is_inner, struct err *err)
{
	static struct tool_args args; /* big; used and dropped here */
	struct tool tool;

	docker_cli_begin(cli, &args, "network", "create", "--driver", "bridge", "--label",
			 "com.docker.compose.project=drydock", NULL);
	tool_args_add(&args, "--label", NULL);
	tool_args_addf(&args, "com.docker.compose.network=%s", name);
	if (is_inner)
		tool_args_add(&args, "--internal", "--opt", INHIBIT "=true", "--opt", GATEWAY_MODE "=isolated", NULL);
	else
		tool_args_add(&args, "--opt", ICC "=false", NULL);
	tool_args_add(&args, name, NULL);
	int rc = docker_cli_call(cli, &args, &tool, NULL, err);
	if (rc < 0)
		return err_add(err, "making network '%s'", name);
	tool_drop(&tool);
	return 0;
}

int docker_net_look(const struct docker_cli *cli, const char *name, bool is_inner,
		    char out_subnet[DOCKER_NET_SUBNET_BYTES], struct err *err)
{
	struct tool facts;
	int rc = look(cli, name, &facts, err);

	if (rc == 1)
		return 1;
	if (rc < 0)
		return rc;
	rc = docker_net_check(name, is_inner, buf_span(&facts.out), err);
	struct span subnet = docker_cli_field(buf_span(&facts.out), "subnet");
	const uint8_t *end = subnet.n ? memchr(subnet.p, ' ', subnet.n) : NULL;
	size_t n = end ? (size_t)(end - subnet.p) : 0;
	if (rc == 0 && is_inner && (n == 0 || n >= DOCKER_NET_SUBNET_BYTES || memchr(subnet.p, ':', n)))
		rc = wrong(name, "has no IPv4 subnet", err);
	if (rc == 0 && is_inner)
		(void)snprintf(out_subnet, DOCKER_NET_SUBNET_BYTES, "%.*s", (int)n, (const char *)subnet.p);
	tool_drop(&facts);
	return rc;
}

/* Old engines make a second network of the same name for two who ask at once; so one asks at a time. */
static int lock_folder(const char *folder, struct err *err)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX) == 0)
		return fd;
	err_set(err, errno, "locking '%s' while a network is made", folder);
	fd_drop(&fd);
	return -1;
}

static int ready_one(const struct docker_cli *cli, const char *lock_dir, const char *name, bool is_inner, char *out_subnet,
		     struct err *err)
{
	int rc = docker_net_look(cli, name, is_inner, out_subnet, err);
	if (rc != 1)
		return rc;
	AUTO(fd) int lock = lock_folder(lock_dir, err);
	if (lock < 0)
		return err->code;
	rc = docker_net_look(cli, name, is_inner, out_subnet, err); /* another session may have made it meanwhile */
	if (rc != 1)
		return rc;
	rc = make(cli, name, is_inner, err);
	if (rc == 0)
		rc = docker_net_look(cli, name, is_inner, out_subnet, err);
	return rc == 1 ? err_set(err, 0, "network '%s' went away while it was made", name) : rc;
}

int docker_net_ready(const struct docker_cli *cli, enum engine_topology topology, const char *lock_dir,
		     char out_subnet[DOCKER_NET_SUBNET_BYTES], struct err *err)
{
	out_subnet[0] = '\0';
	int rc = topology == ENGINE_BRIDGE ? ready_one(cli, lock_dir, DOCKER_NET_INNER, true, out_subnet, err) : 0;
	return rc < 0 ? rc : ready_one(cli, lock_dir, DOCKER_NET_OUTER, false, out_subnet, err);
}
