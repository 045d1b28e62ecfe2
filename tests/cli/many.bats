#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Six sessions at once: none sees or hears another; half of them killed, the others live on, and gc leaves nothing

load helpers

setup_file() {
	lay_out
	export TOP PREFIX
	export PERSONA_LIST="${PERSONAS[*]}"
}
teardown_file() { clear_away; }
setup() { read -ra PERSONAS <<<"$PERSONA_LIST"; }
teardown() {
	local who
	for who in "${PERSONAS[@]}"; do
		become "$who"
		drydock stop --all --time 1s >/dev/null 2>&1 || true
	done
}

# The process that stays with a session.
supervisor_of() { cut -d' ' -f1 "$TOP/$WHO/run/drydock/$1/supervisor"; }

six() {
	local ids=() id i p pid others
	for i in 1 2 3 4 5 6; do
		expect 0 drydock run -q --detach --name "six$i" --resolver 127.0.0.1:9 -e NUMBER="$i" -- \
			sh -c 'echo "$NUMBER" >"/tmp/mine"; python3 -m http.server -b 127.0.0.1 8000 >/dev/null 2>&1 & exec sleep 300' || return 1
		ids+=("$out")
	done
	for i in 1 2 3 4 5 6; do
		id=${ids[i - 1]}
		expect 0 drydock exec "$id" sh -c 'curl -s -o /dev/null "https://only-$NUMBER.example/"; cat /tmp/mine; hostname; ps -C sleep --no-headers | grep -c .' || return 1
		[ "$out" = "$i"$'\n'"$id"$'\n'1 ] || {
			echo "$out" >&2
			return 1
		}
	done
	for i in 1 2 3 4 5 6; do # each log holds its own names and no other's
		id=${ids[i - 1]}
		[ "$(jq -r 'select(.name) | .name' "$SESSIONS/$id/audit.jsonl" | sort -u)" = "only-$i.example" ] || return 1
	done
	# a rule given to one is no other's
	expect 0 drydock allow --session "${ids[0]}" granted.example || return 1
	grep -q granted.example "$SESSIONS/${ids[0]}/policy" || return 1
	run grep -l granted.example "$SESSIONS"/six[2-6]*/policy
	[ "$status" -ne 0 ] || return 1
	expect 0 drydock ls -q || return 1
	[ "$(grep -c '^six' <<<"$out")" -eq 6 ] || return 1
	others=()
	for i in 1 3 5; do
		pid=$(supervisor_of "${ids[i - 1]}")
		while read -r p; do others+=("$p"); done < <(descendants "$pid")
		kill -9 "$pid" || return 1
	done
	gone "${others[@]}" || return 1
	for i in 2 4 6; do
		expect 0 drydock exec "${ids[i - 1]}" sh -c 'curl -s http://127.0.0.1:8000/ -o /dev/null && cat /tmp/mine' || return 1
		[ "$out" = "$i" ] || return 1
	done
	for i in 1 3 5; do expect 6 drydock exec "${ids[i - 1]}" true || return 1; done
	expect 0 drydock stop --all || return 1
	expect 0 drydock gc || return 1
	[ -z "$(find "$TOP/$WHO/run/drydock" -mindepth 1 -type d)" ] # a cgroup goes when it is older than a start takes
}
@test "C-37 six sessions at once: no cross-talk; kill -9 of three leaves the others; gc leaves nothing" { each six; }
