#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# C-48 whatever is killed, a docker session stays contained, and gc leaves nothing of it.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	RIG_COMPOSE_V2=$("$BATS_TEST_DIRNAME/get_compose_v2.sh" 2>/dev/null) || RIG_COMPOSE_V2=
	[ -n "$RIG_COMPOSE_V2" ] || command -v docker-compose >/dev/null || export RIG_NO="no compose of either generation"
	export RIG_COMPOSE_V2
	rig_setup lifecycle.sh
}

nothing() { # FILE
	[ ! -s "$RIG/l.$1" ] || {
		cat "$RIG/l.$1"
		return 1
	}
}

@test "exec and shell enter the agent's container with its rights and its way out" {
	for t in bridge sealed; do
		grep -qx 'passed given' "$RIG/l.more$t.exec"
		grep -q 'hello from allowed' "$RIG/l.more$t.exec"
		grep -qx 403 "$RIG/l.more$t.exec"
		grep -q 'NoNewPrivs:.1' "$RIG/l.more$t.exec"
		grep -q 'CapBnd:.00000000000000eb' "$RIG/l.more$t.exec"
		grep -qx 'rc=7' "$RIG/l.more$t.exec"
		grep -qx 'typed in' "$RIG/l.more$t.exec"
		grep -qxE 'rc=12[67]' "$RIG/l.more$t.exec" # docker's own word for a command that is not there
		grep -q 'shell 42' "$RIG/l.more$t.exec"
		nothing "more$t.left"
	done
}

@test "C-48 kill -9 of the command line: the agent goes on, contained, and gc leaves it alone" {
	for t in bridge sealed; do
		[ "$(cat "$RIG/l.cli$t.rc")" -eq 137 ]
		closed "l.cli$t.probe" direct-tcp direct-tcp-22 direct-udp-53
		grep -q 'hello from allowed' "$RIG/l.cli$t.probe"
		grep -q '^403' "$RIG/l.cli$t.probe"
		grep -q "drydock-cli$t-[0-9a-f]*$" "$RIG/l.cli$t.alive"
		grep -q "drydock-cli$t-.*-egress" "$RIG/l.cli$t.alive"
	done
	run grep -E 'TRAP|EVIL' "$RIG/l.hits"
	[ "$status" -eq 1 ]
}

@test "C-48 once its agent has ended gc takes the rest: a live sidecar protects nothing" {
	for t in bridge sealed; do
		grep -q "^container drydock-cli$t-.*-egress" "$RIG/l.cli$t.dry"
		grep -q "^container drydock-cli$t-.*-egress" "$RIG/l.cli$t.gc2"
		nothing "cli$t.left"
	done
	grep -q '^container drydock-clisealed-.*-net' "$RIG/l.clisealed.gc2"
}

@test "C-48 stop ends a session whose command line was killed" {
	for t in bridge sealed; do
		grep -q 'rc=0' "$RIG/l.stop$t.stop"
		nothing "stop$t.left"
	done
}

@test "C-48 a missing sidecar never fails a stop" {
	for t in bridge sealed; do
		grep -q 'rc=0' "$RIG/l.bare$t.stop"
		nothing "bare$t.left"
	done
}

@test "C-48 without its holder a sealed agent is served as before; without both it reaches nothing" {
	closed l.holder.probe direct-tcp direct-tcp-22 direct-udp-53
	grep -q 'hello from allowed' "$RIG/l.holder.probe"
	grep -q '^403' "$RIG/l.holder.probe"
	run cat "$RIG/l.holder.curl"
	[[ $output != *hello* ]]
	[[ $output != *rc=0* ]]
	nothing holder.left
}

@test "C-48 after a restart of the daemon nothing runs on, and gc leaves nothing" {
	[ "$(cat "$RIG/l.daemon.rc")" -ne 0 ]
	nothing daemon.running
	nothing daemon.left
}
