/* SPDX-License-Identifier: Apache-2.0 */
/* tests of engine/docker_check.c: each way a container can be more than was asked for */
#include "engine/docker_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PROJECT "/home/u/shop"
#define HOOKS "/home/u/shop/.git/hooks"

static struct docker_mounts mounts = {.items = {{(char[]){PROJECT}, true}, {(char[]){HOOKS}, false}}, .n = 2};
static const struct docker_expect bridge = {ENGINE_BRIDGE, "a", "a-egress", "a-net", &mounts};
static const struct docker_expect sealed = {ENGINE_SEALED, "a", "a-egress", "a-net", &mounts};

static const char agent[] =
	"id=1\nstate=created\nmode=drydock_internal\nnetworks=drydock_internal \n"
	"add=CAP_CHOWN KILL CAP_SETUID \ndrop=ALL \nsecurity=no-new-privileges:true seccomp={} \nprivileged=false\n"
	"pid=\nipc=private\nuts=\nuserns=\nrootfs=false\ndevices=\nports=\n"
	"bind\t" PROJECT "\t" PROJECT "\ttrue\nbind\t" HOOKS "\t" HOOKS "\tfalse\n";
static const char sidecar[] =
	"id=2\nstate=created\nmode=drydock_egress\nnetworks=drydock_egress drydock_internal \nadd=\ndrop=ALL \n"
	"security=no-new-privileges:true \nprivileged=false\npid=\nipc=private\nuts=\nuserns=\nrootfs=true\ndevices=\nports=\n";

/* @facts with @from replaced by @to */
static const char *with(const char *facts, const char *from, const char *to)
{
	static char text[2048];
	const char *at = strstr(facts, from);
	assert_non_null(at);
	(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - facts), facts, to, at + strlen(from));
	return text;
}

static int check(const char *facts)
{
	struct err err = {0};
	return docker_check_agent(&bridge, span_of(facts), span_of(""), &err);
}

static void what_was_asked_for_passes(void **state)
{
	struct err err = {0};
	(void)state;
	assert_int_equal(check(agent), 0);
	assert_int_equal(docker_check_sidecar(&bridge, false, span_of(sidecar), &err), 0);
	const char *inside = with(agent, "mode=drydock_internal\nnetworks=drydock_internal ", "mode=container:77\nnetworks=");
	assert_int_equal(docker_check_agent(&sealed, span_of(inside), span_of("77"), &err), 0);
	assert_true(docker_check_agent(&sealed, span_of(inside), span_of("78"), &err) < 0);
	assert_true(docker_check_agent(&sealed, span_of(agent), span_of("77"), &err) < 0);
}

static void more_than_was_asked_for_is_refused(void **state)
{
	static const struct {
		const char *from, *to;
	} wrong[] = {
		{"networks=drydock_internal ", "networks=bridge drydock_internal "},
		{"networks=drydock_internal ", "networks=drydock_egress drydock_internal "},
		{"mode=drydock_internal", "mode=host"},
		{"CAP_CHOWN", "CAP_NET_RAW"},
		{"CAP_CHOWN", "NET_ADMIN"},
		{"CAP_CHOWN", "ALL"},
		{"CAP_CHOWN", "SYS_ADMIN"},
		{"drop=ALL ", "drop="},
		{"no-new-privileges:true", "no-new-privileges:false"},
		{"no-new-privileges:true ", ""},
		{"seccomp={}", "seccomp=unconfined"},
		{"seccomp={}", "apparmor=unconfined"},
		{"privileged=false", "privileged=true"},
		{"pid=", "pid=host"},
		{"ipc=private", "ipc=host"},
		{"ipc=private", "ipc=container:9"},
		{"uts=", "uts=host"},
		{"devices=", "devices=/dev/sda "},
		{"ports=", "ports=80/tcp "},
		{HOOKS "\tfalse", HOOKS "\ttrue"},
		{"bind\t" HOOKS "\t" HOOKS "\tfalse\n", ""},
		{"bind\t" HOOKS, "bind\t/var/run/docker.sock\t/x\ttrue\nbind\t" HOOKS},
		{"bind\t" PROJECT, "bind\t/"},
		{"bind\t" PROJECT, "volume\t" PROJECT},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (check(with(agent, wrong[i].from, wrong[i].to)) == 0)
			fail_msg("not noticed: '%s' instead of '%s'", wrong[i].to, wrong[i].from);
}

static void a_sidecar_has_no_capability_and_only_its_networks(void **state)
{
	static const struct {
		const char *from, *to;
	} wrong[] = {
		{"add=", "add=NET_BIND_SERVICE "}, {"rootfs=true", "rootfs=false"}, {"drydock_internal ", ""},
		{"drydock_internal ", "drydock_internal bridge "}, {"drop=ALL ", "drop="}, {"privileged=false", "privileged=true"},
	};
	struct err err = {0};
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_true(docker_check_sidecar(&bridge, false, span_of(with(sidecar, wrong[i].from, wrong[i].to)), &err) < 0);
	assert_true(docker_check_sidecar(&sealed, false, span_of(sidecar), &err) < 0);
	assert_int_equal(docker_check_sidecar(&sealed, false, span_of(with(sidecar, "drydock_internal ", "")), &err), 0);
	assert_true(docker_check_sidecar(&sealed, true, span_of(sidecar), &err) < 0);
	assert_int_equal(docker_check_sidecar(&sealed, true, span_of(with(sidecar, "mode=drydock_egress", "mode=none")), &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_asked_for_passes),
		cmocka_unit_test(more_than_was_asked_for_is_refused),
		cmocka_unit_test(a_sidecar_has_no_capability_and_only_its_networks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
