/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/docker_look.h"
#include "base/own.h"
#include "engine/compose.h"
#include "engine/docker_cli.h"
#include "engine/docker_image.h"
#include "engine/docker_net.h"
#include "engine/egress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct look {
	struct docker_cli cli;
	void (*seen)(const struct docker_look_row *row, void *arg);
	void *arg;
};

static void say(const struct look *l, const char *name, enum docker_look_mark mark, const char *detail, const char *fix)
{
	const struct docker_look_row row = {.name = name, .detail = detail, .fix = fix, .mark = mark};
	l->seen(&row, l->arg);
}

static void look_compose(const struct look *l)
{
	struct compose compose;
	struct err err = {0};
	char text[PATH_MAX + 16];

	if (compose_find(&compose, &err) < 0) {
		say(l, "compose", DOCKER_LOOK_WARN, err.text, err.fix);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s, %s", compose.kind == COMPOSE_V2 ? "v2" : "v1", compose.program);
	say(l, "compose", DOCKER_LOOK_OK, text, "");
}

/* Whoever may open it is root on this machine, unless the daemon is the user's own. */
static void look_socket(const struct look *l)
{
	const char *host = getenv("DOCKER_HOST");
	const char *path = host && !strncmp(host, "unix://", 7) ? host + 7 : "/var/run/docker.sock";
	struct stat st;
	char text[256];

	if ((host && strncmp(host, "unix://", 7) != 0) || stat(path, &st) < 0)
		return; /* another machine's, or answered some other way */
	bool is_rootless = st.st_uid == geteuid() && geteuid() != 0;
	(void)snprintf(text, sizeof(text), "%.120s, owner %u:%u, mode %04o%s", path, st.st_uid, st.st_gid, st.st_mode & 07777,
		       is_rootless ? ", rootless" : "");
	bool is_open = st.st_mode & S_IWOTH;
	say(l, "socket", is_open ? DOCKER_LOOK_WARN : DOCKER_LOOK_OK, text,
	    is_open ? "everybody on this machine can be root by this socket: chmod o-rw it" : "");
}

static void look_network(const struct look *l, const char *name, bool is_inner)
{
	char subnet[DOCKER_NET_SUBNET_BYTES] = "", text[DOCKER_NET_SUBNET_BYTES + 32];
	struct err err = {0};

	int rc = docker_net_look(&l->cli, name, is_inner, subnet, &err);
	(void)snprintf(text, sizeof(text), "as it must be%s%s", subnet[0] ? ", " : "", subnet);
	if (rc < 0)
		say(l, name, DOCKER_LOOK_WARN, err.text, err.fix);
	else
		say(l, name, DOCKER_LOOK_OK, rc ? "not there; a session makes it" : text, "");
}

static void look_images(const struct look *l)
{
	char have[IMAGE_ID_BYTES] = "", want[IMAGE_ID_BYTES] = "", text[64];
	struct err err = {0};

	AUTO(fd) int program = egress_open_program(O_RDONLY, &err);
	int rc = program < 0 || image_write(program, -1, want, &err) < 0 ? -1 : docker_image_id(&l->cli, IMAGE_NAME, have, &err);
	(void)snprintf(text, sizeof(text), "current, %.19s", have);
	if (rc < 0)
		say(l, "sidecar's image", DOCKER_LOOK_WARN, err.text, err.fix);
	else if (rc > 0 || strcmp(have, want) != 0)
		say(l, "sidecar's image", DOCKER_LOOK_OK, rc ? "not there; a session makes it" : "of another version; a session makes it anew", "");
	else
		say(l, "sidecar's image", DOCKER_LOOK_OK, text, "");
	rc = docker_image_id(&l->cli, ENGINE_AGENT_IMAGE, have, &err);
	if (rc == 0)
		say(l, "agent's image", DOCKER_LOOK_OK, ENGINE_AGENT_IMAGE, "");
	else
		say(l, "agent's image", DOCKER_LOOK_WARN, rc < 0 ? err.text : ENGINE_AGENT_IMAGE " is not there",
		    "drydock build --agent, or run --image REF");
}

/* By name, and the same words as in docs/DOCKER.md. */
static void say_gaps(const struct look *l)
{
	say(l, "open in bridge", DOCKER_LOOK_OK,
	    "agents of two sessions can meet on drydock_internal; programs that ignore proxy variables reach nothing; "
	    "what is sent to an allowed host is not read",
	    "");
	say(l, "open in sealed", DOCKER_LOOK_OK,
	    "ports that no rule named when the session began need a new session; what is sent to an allowed host is not read", "");
}

void docker_look(void (*seen)(const struct docker_look_row *row, void *arg), void *arg)
{
	struct look l = {.seen = seen, .arg = arg};
	struct err err = {0};
	char version[32], text[64];

	int rc = docker_cli_find(&l.cli, &err);
	if (rc < 0) {
		say(&l, "docker", rc == -ENOENT ? DOCKER_LOOK_NONE : DOCKER_LOOK_WARN, err.text, rc == -ENOENT ? "" : err.fix);
		return;
	}
	if (docker_cli_version(&l.cli, version, &err) < 0) {
		say(&l, "docker", DOCKER_LOOK_NONE, err.text, "");
		docker_cli_drop(&l.cli);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s", version);
	say(&l, "docker", DOCKER_LOOK_OK, text, "");
	look_compose(&l);
	look_socket(&l);
	look_network(&l, DOCKER_NET_INNER, true);
	look_network(&l, DOCKER_NET_OUTER, false);
	look_images(&l);
	say_gaps(&l);
	docker_cli_drop(&l.cli);
}
