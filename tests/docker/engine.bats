#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# drydock run --engine docker on a real dockerd, by compose v2 (v1 where that cannot be had; ENGINE_COMPOSE=v1 forces it).
# C-70 a contained session starts only on networks that are as they must be. C-71 every end takes its containers down.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	RIG_WHY=$("$HERE/rig.sh" why)
	RIG=$(mktemp -d /var/tmp/drydock-rig.XXXXXX)
	export RIG RIG_WHY
	local plugin=
	[ "${ENGINE_COMPOSE:-v2}" = v1 ] || plugin=$("$HERE/get_compose_v2.sh" 2>/dev/null) || plugin=
	[ -n "$plugin" ] || command -v docker-compose >/dev/null || RIG_WHY="${RIG_WHY:-no compose of either generation}"
	[ -z "$RIG_WHY" ] || return 0
	"$HERE/rig.sh" prepare "$RIG" "$DRYDOCK_BUILD"
	cp -r "$HERE/../../data/compose" "$HERE/../../data/docker/Dockerfile" "$RIG/"
	cp "$DRYDOCK_BUILD"/drydock "$DRYDOCK_BUILD"/drydock-egress "$RIG/bin/"
	echo "$plugin" >"$RIG/plugin"
	timeout 300 "$HERE/rig.sh" run "$RIG" "$HERE/engine.sh" >"$RIG/log" 2>&1 3>&- || {
		tail -n 20 "$RIG/log" "$RIG/dockerd.log" >&3
		return 1
	}
}

# ended NAME CODE: it ended so and left no container
ended() {
	[ "$(cat "$RIG/$1.rc")" = "$2" ] || {
		cat "$RIG/$1.rc" "$RIG/$1.err"
		return 1
	}
	[ ! -s "$RIG/$1.left" ] || {
		cat "$RIG/$1.left"
		return 1
	}
}

@test "a session in topology bridge reaches what is allowed, nothing else, and passes its exit code on" {
	ended bridge 42
	grep -q 'hello from allowed' "$RIG/bridge.out"
	grep -q '^denied' "$RIG/bridge.out"
	grep -q '^literal' "$RIG/bridge.out"
	grep -q 'not-allowlisted' "$RIG/bridge.err"
	run grep -E 'TRAP|EVIL' "$RIG/hits.log"
	[ "$status" -eq 1 ]
}

@test "a session in topology sealed does the same, with and without proxy variables" {
	ended sealed 43
	[ "$(grep -c 'hello from allowed' "$RIG/sealed.out")" -eq 2 ]
	grep -q '^denied' "$RIG/sealed.out"
	grep -q '^literal' "$RIG/sealed.out"
}

@test "what is typed into a session reaches its end" {
	ended piped 0
	grep -qx 'typed into it' "$RIG/piped.out"
}

@test "a command that is not there is 127" {
	ended missing 127
}

@test "values with dollar signs arrive as they were given" {
	ended odd 0
	# shellcheck disable=SC2016 # literally
	grep -qxF '$HOME ${PATH:?x} $$|$HOME ${X:?y}' "$RIG/odd.out"
}

@test "a git worktree: its common folder is there to work in, what would run on the host is read-only" {
	grep -q '^gitdir: /run/common/.git/worktrees/tree' "$RIG/worktree.out"
	grep -qx wrote "$RIG/worktree.out"
	[ "$(grep -cx kept "$RIG/worktree.out")" -eq 2 ]
	run grep -qx SEEN "$RIG/worktree.out"
	[ "$status" -eq 1 ]
	run grep -qx x "$RIG/worktree.config"
	[ "$status" -eq 1 ]
}

@test "C-101 .git/config that git outside replaced: what the command writes then does not stay, what git wrote does" {
	cat "$RIG/replaced.out" "$RIG/replaced.err" "$RIG/replaced.config"
	[ "$(cat "$RIG/replaced.rc")" -eq 0 ]
	grep -qx wrote "$RIG/replaced.out" # so there was something to undo
	grep -q 'url = https://git.example/a' "$RIG/replaced.config"
	run grep fsmonitor "$RIG/replaced.config"
	[ "$status" -eq 1 ]
	grep -q "'/run/common/.git/config' was replaced or written" "$RIG/replaced.err"
	grep -qx moved "$RIG/replaced.out" # and what appears goes at once
}

@test "protected entries of the project are read-only, and cannot be moved away" {
	grep -qx kept "$RIG/protected.out"
	grep -qx pinned "$RIG/protected.out"
}

@test "the time limit ends a session with 124" {
	ended timeout 124
}

@test "dood is announced, and has the socket and the host's network, and no proxy" {
	ended dood 0
	grep -q 'NO CONTAINMENT' "$RIG/dood.err"
	grep -qx SOCKET "$RIG/dood.out"
	grep -q docker0 "$RIG/dood.out"
	run grep -i _proxy "$RIG/dood.out"
	[ "$status" -eq 1 ]
}

@test "C-71 TERM, and docker rm -f of either container, end the session and leave nothing" {
	[ "$(cat "$RIG/term.rc")" -gt 128 ]
	[ ! -s "$RIG/term.left" ]
	[ "$(cat "$RIG/agentless.rc")" -ne 0 ]
	[ ! -s "$RIG/agentless.left" ]
	[ ! -s "$RIG/headless.left" ]
}

@test "C-71 TERM while the containers are still being made leaves none of them" {
	[ "$(cat "$RIG/early.rc")" -ne 0 ]
	[ ! -s "$RIG/early.left" ]
}

@test "C-71 without its sidecar an agent reaches nothing" {
	run cat "$RIG/headless.curl"
	[[ $output != *hello* ]]
	[[ $output != *rc=0* ]]
}

@test "C-70 a network that is not internal is refused, with the command that removes it" {
	ended open-network 125
	grep -q 'is not internal' "$RIG/open-network.err"
	grep -q 'docker network rm drydock_internal' "$RIG/open-network.err"
}

@test "C-70 a network by which the host is reached is refused" {
	ended gateway 125
	grep -q 'has a gateway' "$RIG/gateway.err"
}

@test "C-70 the twin: when the wrong network is gone the right one is made" {
	ended again 0
	grep -qx fine "$RIG/again.out"
	grep -q '^true .*inhibit_ipv4:true' "$RIG/network"
}

@test "the sidecar's image is made when it is missing, by a contained session only" {
	ended dood-no-image 0
	grep -qi 'no such image' "$RIG/image.dood"
	ended rebuilt 0
	grep -q '^sha256:' "$RIG/image.contain"
}

@test "from the command to the agent's first line" {
	awk '{ t = $2 - $1; if (best == "" || t < best) best = t } END { printf "best of five: %.2f s\n", best; exit !(best < 4) }' "$RIG/times"
}

@test "C-71 kill -9 of the command line: the agent lets its session live, and stop ends it" {
	[ "$(grep -c '^drydock-orphan' "$RIG/gc.live.left")" -eq 2 ]
	grep -q 'containers are removed' "$RIG/stop.out"
	ended orphan 0
}

@test "C-71 the agent has ended too: a sidecar alone lets nothing live, gc --dry-run names it, gc removes it" {
	grep -q 'drydock-ended-.*-egress' "$RIG/gc.dry"
	grep -q 'drydock-ended-.*-egress' "$RIG/gc.dry.left"
	grep -q 'drydock-ended-.*-egress' "$RIG/gc.ended" || {
		cat "$RIG/gc.ended"
		return 1
	}
	[ ! -s "$RIG/gc.ended.left" ]
	# the record stays; what only the containers needed is gone
	grep -qx audit.jsonl "$RIG/gc.folder"
	run grep -E 'egress$|docker-compose' "$RIG/gc.folder"
	[ "$status" -eq 1 ]
}

@test "drydock build makes the sidecar's image in under a second, the same each time, and an agent's from a base" {
	grep -qE 'made in 0\.[0-9]+ s' "$RIG/build.egress"
	[ "$(cut -d' ' -f1 "$RIG/build.id")" = "$(cat "$RIG/image.contain")" ]
	[ "$(cut -d' ' -f2 "$RIG/build.id")" -le $((4 << 20)) ]
	[ "$(cat "$RIG/build.rc")" -eq 0 ] || {
		cat "$RIG/build.agent"
		return 1
	}
	grep -qx built "$RIG/built.out"
}

@test "exec and shell enter a session's container with its agent's rights; allow reaches its sidecar; stop ends it" {
	[ "$(cat "$RIG/exec.rc")" -eq 7 ] || {
		cat "$RIG/exec.out" "$RIG/exec.err"
		return 1
	}
	# shellcheck disable=SC2016 # literally
	grep -qxF 'a b$c' "$RIG/exec.out"
	grep -q '^NoNewPrivs:.*1' "$RIG/exec.out"
	grep -q '^CapBnd:.*00000000000000eb' "$RIG/exec.out"
	grep -q 'hello from allowed' "$RIG/exec.out"
	grep -qx /run/shop "$RIG/exec.out"
	[ "$(cat "$RIG/shell.rc")" -eq 5 ]
	grep -q 'from the shell' "$RIG/shell.out"
	grep -q joined- "$RIG/ls"
	[ "$(cat "$RIG/allow.rc")" -eq 0 ] || {
		cat "$RIG/allow"
		return 1
	}
	grep -q stopped "$RIG/stopped"
	[ ! -s "$RIG/joined.left" ]
}

@test "a session in the background is stopped by its name; --publish is refused" {
	grep -q '^shop-' "$RIG/detached"
	grep -q stopped "$RIG/detached"
	[ ! -s "$RIG/detached.left" ]
	grep -q 'native engine' "$RIG/publish"
}

@test "doctor says what is there, which network is wrong and how to remove it, and the gaps by name" {
	grep -qE '^  docker +[0-9]+\.[0-9]+.*ok' "$RIG/doctor"
	grep -qE '^  drydock_internal +as it must be.*ok' "$RIG/doctor"
	grep -qE "^  sidecar's image +current, sha256:" "$RIG/doctor"
	grep -q 'agents of two sessions can meet on drydock_internal' "$RIG/doctor"
	grep -qE '^  drydock_internal .*is not internal.*WARN' "$RIG/doctor.wrong"
	grep -q 'fix: docker network rm drydock_internal' "$RIG/doctor.wrong"
}

@test "an ordinary user's sessions do the same, and what they make in the project is the user's" {
	local topology
	for topology in bridge sealed; do
		ended "user-$topology" 9
		grep -q 'hello from allowed' "$RIG/user-$topology.out"
		grep -q '^denied' "$RIG/user-$topology.out"
		grep -qx 60123 "$RIG/user-$topology.out"
		[ "$(cat "$RIG/user-$topology.owner")" = 60123 ]
		grep -q 'not-allowlisted' "$RIG/user-$topology.err"
	done
}
