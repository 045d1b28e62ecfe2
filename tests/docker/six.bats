#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# C-102 six sessions at once over two engines: no cross-talk; half of them killed, the others live on, and gc leaves nothing.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	RIG_COMPOSE_V2=$("$BATS_TEST_DIRNAME/get_compose_v2.sh" 2>/dev/null) || RIG_COMPOSE_V2=
	[ -n "$RIG_COMPOSE_V2" ] || command -v docker-compose >/dev/null || export RIG_NO="no compose of either generation"
	export RIG_COMPOSE_V2
	rig_setup six.sh
}

@test "C-102 all six run, and each is what it says" {
	cat "$RIG"/s.*.err
	[ "$(wc -w <"$RIG/s.ids")" -eq 6 ]
	[ "$(grep -c native "$RIG/s.ls")" -eq 2 ]
	[ "$(grep -c docker "$RIG/s.ls")" -eq 4 ]
	[ "$(wc -l <"$RIG/s.addresses")" -ge 6 ] # so that there was somebody to find
}

@test "C-102 each reaches itself and what its rules allow, and nobody else" {
	for i in 0 1 2 3 4 5; do
		cat "$RIG/s.$i.talk"
		talk=$(cat "$RIG/s.$i.talk")
		# the known gap of the bridge: agents that listen can be found by their peers on it (docs/DOCKER.md)
		case $i in 2 | 3) talk=$(grep -vE "^peer ($(paste -sd'|' "$RIG/s.agents")):8000: I am [23]$" "$RIG/s.$i.talk") ;; esac
		[ "$talk" = "self: I am $i"$'\n'"hello from allowed"$'\n'"denied: 403" ]
	done
}

@test "C-102 a rule given to one is no other's" {
	for i in 0 1 3 4 5; do [ "$(cat "$RIG/s.$i.other")" = 403 ]; done
	[ "$(cat "$RIG/s.2.other")" = 200 ]
}

@test "C-102 each log holds what its own session asked for" {
	for i in 0 1 2 3 4 5; do
		run jq -r 'select(.name) | .name' "$RIG/s.$i.jsonl"
		[[ $output == *"only-$i.test"* ]]
		[ "$(grep -o 'only-[0-9]*' <<<"$output" | sort -u)" = "only-$i" ]
	done
}

@test "C-102 kill -9 of three: the others serve on, and stop and gc leave nothing of any" {
	for i in 1 3 5; do [ "$(cat "$RIG/s.$i.after")" = "hello from allowed" ]; done
	grep -q 'rc=6' "$RIG/s.0.after" # a native session ends with its supervisor
	cat "$RIG/s.stop"
	grep -q 'rc=0' "$RIG/s.stop"
	cat "$RIG/s.gc" "$RIG/s.left"
	[ ! -s "$RIG/s.left" ]
	run grep -E 'TRAP|EVIL' "$RIG/s.hits"
	[ "$status" -eq 1 ]
}
