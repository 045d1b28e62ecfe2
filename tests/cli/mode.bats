#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# drydock mode: who decides, and what a project cannot decide.
# C-72 the environment and a project cannot select dood.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	lay_out
	become user
	EXTRA=()
	CONFIG=$HOME_DIR/.config/drydock/config
}
teardown() { clear_away; }

@test "without settings it is contain, by default" {
	expect 0 drydock mode --json
	jq -e '.v == 1 and .mode == "contain" and .contained and .why == "the default"' <<<"$out" >/dev/null
	expect 2 drydock mode contain --user --json
	expect 0 drydock mode
	has "$out" "contain   (the default)"
	lacks "$out" "NO CONTAINMENT"
}

@test "mode contain --project pins a project, and prints the posture it gets" {
	expect 0 drydock mode contain --project
	has "$out" "contain"
	has "$out" "egress proxy"
	grep -qx 'mode contain' "$PROJECT/.drydock"
	expect 0 drydock mode
	has "$out" "the project's .drydock"
}

@test "C-72 a pinned project stays contained although the user says dood, and is dood without the pin" {
	expect 0 drydock mode dood --user --yes
	has "$out" "NO CONTAINMENT"
	expect 0 drydock mode
	has "$out" "dood   (your settings)"
	expect 0 drydock mode contain --project
	expect 0 drydock mode
	has "$out" "contain   (the project's .drydock)"
}

@test "C-72 a project that says dood starts nothing; the same line of the user's own works" {
	echo 'mode dood' >"$PROJECT/.drydock"
	expect 1 drydock mode
	has "$err" "dood"
	expect 125 drydock run -- true
	has "$err" "only a flag or your own settings"
	rm "$PROJECT/.drydock"
	as mkdir -p "$(dirname "$CONFIG")"
	as sh -c "echo 'mode dood' >'$CONFIG'; chmod 600 '$CONFIG'"
	expect 0 drydock mode
	has "$out" "dood   (your settings)"
}

@test "C-72 DRYDOCK_MODE=dood is refused, DRYDOCK_MODE=contain takes a user's dood back" {
	EXTRA=(DRYDOCK_MODE=dood)
	expect 125 drydock run -- true
	has "$err" "DRYDOCK_MODE says dood"
	EXTRA=()
	expect 0 drydock mode dood --user --yes
	EXTRA=(DRYDOCK_MODE=contain)
	expect 0 drydock mode
	has "$out" "contain   (DRYDOCK_MODE)"
}

@test "a project cannot be set to dood, and dood is not chosen without a yes" {
	expect 2 drydock mode dood --project
	has "$err" "a project cannot select dood"
	expect 1 drydock mode dood --user
	has "$err" "not confirmed"
	[ ! -e "$CONFIG" ]
}

@test "a mode that is none is an error wherever it stands" {
	expect 2 drydock mode jail --user
	expect 125 drydock run --mode jail -- true
	as mkdir -p "$(dirname "$CONFIG")"
	as sh -c "echo 'mode jail' >'$CONFIG'; chmod 600 '$CONFIG'"
	expect 1 drydock mode
	expect 125 drydock run -- true
}

@test "choosing again replaces what was chosen" {
	expect 0 drydock mode dood --user --yes
	expect 0 drydock mode contain --user
	[ "$(cat "$CONFIG")" = "mode contain" ]
}

@test "options of the docker engine need the docker engine" {
	expect 125 drydock run --topology sealed -- true
	has "$err" "--engine docker"
	expect 125 drydock run --image x -- true
	expect 125 drydock run --engine podman -- true
	has "$err" "podman-compose"
	expect 125 drydock run --engine jail -- true
	for flag in "--ask 5s" "--publish 3000" "--no-net" "--resolver 127.0.0.1:53" "--hosts x"; do
		for how in "--engine docker" "--mode dood"; do # never left out in silence
			# shellcheck disable=SC2086 # words
			expect 125 drydock run $how $flag -- true
			has "$err" "${flag%% *} is a matter of the native engine"
			has "$err" "fix:"
		done
	done
}
