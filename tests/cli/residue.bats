#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is left on disk and in the process table, in each way to die

load helpers

setup_file() {
	lay_out
	export TOP PREFIX
	export PERSONA_LIST="${PERSONAS[*]}"
}
teardown_file() { clear_away; }
setup() { read -ra PERSONAS <<<"$PERSONA_LIST"; }

# begin ARG...: a session in the background whose command says "ready" and then waits; sets DRYDOCK, SESSION, INIT
begin() {
	rm -f "$TOP/ready" "$TOP/status"
	mkfifo -m 666 "$TOP/ready"
	: >"$TOP/status"
	chmod 666 "$TOP/status"
	as "$PREFIX/bin/drydock" run --status-fd 5 "$@" -- sh -c 'setsid sleep 1000 & echo ready; wait' \
		5>"$TOP/status" >"$TOP/ready" 2>"$TOP/err" 3>&- &
	DRYDOCK=$!
	read -r -t 20 line <"$TOP/ready" && [ "$line" = ready ] || {
		cat "$TOP/err" >&2
		return 1
	}
	SESSION=$(jq -r .session "$TOP/status")
	INIT=$(jq -r .pid "$TOP/status")
	# `as` may stand between: the supervisor is the parent of the jail's first process
	SUPERVISOR=$(ps -o ppid= -p "$INIT" | tr -d ' ')
	# the egress is its other child, and has two of its own; jail: init, sh and the setsid'ed sleep
	BROKER=$(pgrep -P "$SUPERVISOR" | grep -vx "$INIT")
	mapfile -t EGRESS < <(echo "$BROKER" && pgrep -P "$BROKER")
	mapfile -t ALL < <(descendants "$SUPERVISOR")
	[ "${#EGRESS[@]}" -eq 3 ] && [ "${#ALL[@]}" -ge 6 ] && [ -d "$TOP/$WHO/run/drydock/$SESSION" ]
}

nothing_runs() {
	gone "${ALL[@]}"
}

normal_exit() {
	before=$(find . | sort)
	local mark="1000.$RANDOM$RANDOM"
	expect 0 drydock run -q -- sh -c "setsid sleep $mark & echo started" || return 1
	[ "$out" = started ] && [ -z "$(pgrep -f "sleep $mark")" ] || return 1
	[ -z "$(pgrep -f "session $(basename "$(newest_session)") ")" ] || return 1
	[ "$(find . | sort)" = "$before" ] || return 1
	[ -z "$(ls -A "$TOP/$WHO/run/drydock")" ] || return 1
	local dir
	dir=$(newest_session)
	[ "$(ls -A "$dir" | sort | tr '\n' ' ')" = "audit.jsonl meta.json policy " ] || return 1
	[ "$(stat -c %a "$dir")" = 700 ] || return 1
	jq -e '.exit == 0 and .ended and .engine == "native"' "$dir/meta.json"
}
@test "a normal exit leaves the evidence, and nothing else anywhere" { each normal_exit; }

interrupt() {
	begin && kill -INT "$SUPERVISOR" || return 1
	local code=0
	wait "$DRYDOCK" || code=$?
	[ "$code" -eq 130 ] || return 1
	nothing_runs && [ ! -e "$TOP/$WHO/run/drydock/$SESSION" ] || return 1
	jq -e '.exit == 130' "$SESSIONS/$SESSION/meta.json"
}
@test "Ctrl-C: 130, and nothing is left" { each interrupt; }

terminate() {
	begin && kill -TERM "$SUPERVISOR" || return 1
	local code=0
	wait "$DRYDOCK" || code=$?
	[ "$code" -eq 143 ] && nothing_runs && [ ! -e "$TOP/$WHO/run/drydock/$SESSION" ]
}
@test "SIGTERM: 143, and nothing is left" { each terminate; }

killed() {
	begin && kill -KILL "$SUPERVISOR" || return 1
	wait "$DRYDOCK" || true
	nothing_runs || return 1
	# the runtime folder waits for the next start, and only that
	expect 0 drydock run -q -- true || return 1
	[ -z "$(ls -A "$TOP/$WHO/run/drydock")" ]
}
@test "kill -9 of drydock: every process is gone; its runtime folder goes at the next start" { each killed; }

two_at_once() {
	begin || return 1
	local first=$SESSION
	expect 0 drydock run -q -- true || return 1
	[ -d "$TOP/$WHO/run/drydock/$first" ] || return 1
	kill -TERM "$SUPERVISOR"
	wait "$DRYDOCK" || true
	[ ! -e "$TOP/$WHO/run/drydock/$first" ]
}
@test "a live session's runtime folder survives the start and end of another" { each two_at_once; }

egress_dies() {
	begin || return 1
	kill -KILL "${EGRESS[@]}"
	# the session lives on: it answers to SIGTERM in its own time
	kill -0 "$INIT" || return 1
	timeout 20 sh -c 'until grep -q "egress proxy ended" "$1"; do :; done' sh "$TOP/err" || return 1
	kill -TERM "$SUPERVISOR"
	local code=0
	wait "$DRYDOCK" || code=$?
	[ "$code" -eq 143 ] && nothing_runs && [ ! -e "$TOP/$WHO/run/drydock/$SESSION" ]
}
@test "the death of the egress: the session lives on, says so, and leaves nothing" { each egress_dies; }

each_part_of_the_egress_ends_all_of_it() {
	local n
	for n in 0 1 2; do
		begin || return 1
		kill -KILL "${EGRESS[n]}"
		gone "${EGRESS[@]}" || return 1
		kill -0 "$INIT" || return 1
		kill -TERM "$SUPERVISOR"
		wait "$DRYDOCK" || true
		nothing_runs || return 1
	done
}
@test "when one process of the egress dies the other two end" { each each_part_of_the_egress_ends_all_of_it; }

kept_and_named() {
	expect 0 drydock run -q --name 'My Job' --keep -- true || return 1
	local dir
	dir=$(newest_session)
	case ${dir##*/} in my-job-[0-9a-f][0-9a-f][0-9a-f][0-9a-f]) ;; *) return 1 ;; esac
	[ -e "$dir/keep" ]
}
@test "--name begins the id, --keep marks the folder" { each kept_and_named; }

protected_entries_leave() {
	expect 0 drydock run -- sh -c 'mkdir .vscode; echo x >.vscode/tasks.json; echo y >.envrc; echo z >note' || return 1
	[ ! -e .vscode ] && [ ! -e .envrc ] && [ "$(cat note)" = z ] || return 1
	has "$err" "the command made .envrc in the project" || return 1
	find "$(newest_session)/moved" -type f | grep -q envrc || return 1
	rm note
}
@test "what would run on the host later is moved out of the project, and said" { each protected_entries_leave; }

# The supervisor neither saw it appear nor looked at the end.
made_unseen() {
	begin --name unseen || return 1
	kill -STOP "$SUPERVISOR" || return 1
	[ -s "$SESSIONS/$SESSION/protect" ] || return 1
	as sh -c 'echo evil >.envrc' # who wrote it cannot be told from the file
	kill -KILL "$SUPERVISOR" || return 1
	wait "$DRYDOCK" || true
	nothing_runs || return 1
	[ -e .envrc ] || return 1
	as touch mine
	expect 0 drydock gc || return 1
	has "$out" "moved " || return 1
	[ ! -e .envrc ] && [ -e mine ] || return 1
	grep -q evil "$SESSIONS/$SESSION/moved/.envrc" || return 1
	[ ! -e "$SESSIONS/$SESSION/protect" ] || return 1
	as sh -c 'echo my own >.envrc' # later, by the user
	expect 0 drydock gc || return 1
	grep -q own .envrc && rm .envrc mine
}
@test "C-22 what a killed session's command made in a protected place is moved away by gc, once" { each made_unseen; }
