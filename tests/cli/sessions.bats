#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# ls, inspect, stop and gc: sessions that run, that ended, and what killed ones left

load helpers

setup_file() {
	lay_out
	export TOP PREFIX
	export PERSONA_LIST="${PERSONAS[*]}"
}
teardown_file() { clear_away; }
setup() {
	read -ra PERSONAS <<<"$PERSONA_LIST"
	local who
	for who in "${PERSONAS[@]}"; do rm -rf "$TOP/$who/home/.local" "$TOP/$who"/shop/*; done
}

# begin NAME SCRIPT: a session in the background that has said it is up; JOB to wait for, PID its supervisor
begin() {
	as rm -f "up-$1" && as mkfifo "up-$1" || return 1
	as "$PREFIX/bin/drydock" run -q --name "$1" -- bash -c "echo up >up-$1; $2" &
	JOB=$!
	read -r _ <"up-$1"
	PID=$(cut -d' ' -f1 "$TOP/$WHO/run/drydock/$(basename "$(newest_session)")/supervisor")
}

ls_shows() {
	expect 0 drydock ls || return 1
	[ -z "$out" ] && has "$err" "there are no sessions" || return 1
	expect 0 drydock run -q --name ended -- sh -c 'exit 7' || [ "$?" -ne 0 ]
	begin live 'read -r _ <up-live' || return 1
	expect 0 drydock ls || return 1
	[ "$(printf '%s\n' "$out" | wc -l)" -eq 1 ] || return 1
	printf '%s\n' "$out" | grep -q "^live-....	running	-	native	20[-0-9]* [:0-9]*	.*/shop	bash -c" || return 1
	expect 0 drydock ls -a || return 1
	printf '%s\n' "$out" | grep -q "^ended-....	ended	7	native" || return 1
	expect 0 drydock ls -aq || return 1
	printf '%s\n' "$out" | grep -qx "ended-...." || return 1
	expect 0 drydock ls -a --json || return 1
	printf '%s' "$out" | jq -e '.v == 1 and (.sessions | length == 2) and
		(.sessions[] | select(.session | startswith("live")) | .state == "running" and (has("exit") | not)) and
		(.sessions[] | select(.session | startswith("ended")) | .state == "ended" and .exit == 7)' >/dev/null || return 1
	echo go >up-live
	wait "$JOB"
}
@test "ls lists what runs, -a what ended, --json everything" { each ls_shows; }

stop_one() {
	expect 6 drydock stop || return 1
	begin one 'sleep 60' || return 1
	local one=$PID one_job=$JOB
	begin two 'sleep 60' || return 1
	local two=$PID two_job=$JOB
	expect 6 drydock stop one nothing || return 1
	kill -0 "$one" && kill -0 "$two" || return 1
	expect 0 drydock stop one || return 1
	printf '%s\n' "$out" | grep -qx 'one-.... stopped' || return 1
	gone "$one" && kill -0 "$two" || return 1
	wait "$one_job" && return 1
	expect 0 drydock stop --all --json || return 1
	printf '%s' "$out" | jq -e '.v == 1 and (.sessions | length == 1) and .sessions[0].result == "stopped"' >/dev/null || return 1
	gone "$two" || return 1
	wait "$two_job" && return 1
	[ -z "$(find "$TOP/$WHO/run" -mindepth 2)" ] || return 1
	jq -e .ended "$(newest_session)/meta.json" >/dev/null
}
@test "stop ends the session that is named, --all every one, and a wrong name none" { each stop_one; }

stop_hard() {
	begin deaf 'trap "" TERM INT HUP; while :; do sleep 1; done' || return 1
	local inside
	inside=$(descendants "$PID")
	expect 0 drydock stop --time 300ms deaf || return 1
	printf '%s\n' "$out" | grep -qx 'deaf-.... killed' || return 1
	# shellcheck disable=SC2086 # several
	gone "$PID" $inside || return 1
	wait "$JOB" && return 1
	jq -e '.exit == 137' "$(newest_session)/meta.json" >/dev/null
}
@test "a command that does not end is killed after --time, and the record is still written" { each stop_hard; }

stop_frozen() {
	begin ice 'sleep 60' || return 1
	local inside
	inside=$(descendants "$PID")
	kill -STOP "$PID"
	expect 0 drydock stop --time 100ms ice || return 1
	# shellcheck disable=SC2086 # several
	gone "$PID" $inside || return 1
	wait "$JOB" 2>/dev/null && return 1
	expect 0 drydock ls -a || return 1
	printf '%s\n' "$out" | grep -q '^ice-....	killed' || return 1
	[ -z "$(find "$TOP/$WHO/run" -mindepth 2)" ]
}
@test "a supervisor that does not answer is killed, and the jail with it" { each stop_frozen; }

other_number() {
	begin reuse 'sleep 60' || return 1
	local dir id
	id=$(basename "$(newest_session)")
	dir=$(find "$TOP/$WHO/run" -name "$id")
	as sleep 60 &
	local victim=$!
	# another process under the supervisor's number, as after a reuse
	local began
	began=$(cut -d' ' -f2 "$dir/supervisor")
	echo "$victim $began" | as tee "$dir/supervisor" >/dev/null
	expect 6 drydock stop reuse || return 1
	kill -0 "$victim" || return 1
	kill "$victim" "$PID"
	wait "$victim" "$JOB" 2>/dev/null || true
}
@test "stop never signals another process that has the supervisor's number" { each other_number; }

inspect() {
	expect 6 drydock inspect || return 1
	begin live 'read -r _ <up-live' || return 1
	expect 0 drydock inspect live || return 1
	has "$out" "running   contain / native" && has "$out" "layers" && has "$out" "supervisor $PID" || return 1
	expect 0 drydock inspect --json || return 1
	printf '%s' "$out" | jq -e --argjson pid "$PID" '.v == 1 and .state == "running" and .supervisor == $pid and
		.pid > 1 and .egress and .rules.allow == 0 and (.files.log | endswith("audit.jsonl"))' >/dev/null || return 1
	echo go >up-live
	wait "$JOB" || return 1
	expect 0 drydock inspect live --json || return 1
	printf '%s' "$out" | jq -e '.state == "ended" and .exit == 0 and (has("pid") | not)' >/dev/null || return 1
	expect 6 drydock inspect nothing || return 1
	expect 0 drydock run -q --no-net --name quiet --mount "ro:$HOME_DIR/.ssh" -- true || return 1
	expect 0 drydock inspect quiet --json || return 1
	printf '%s' "$out" | jq -e '(.files | has("log") | not) and (.mounts | any(.path | endswith("/.ssh")))' >/dev/null
}
@test "inspect says what ran, how, under which rules, and where its files are" { each inspect; }

gc() {
	expect 0 drydock gc || return 1 # root's cgroups may have leftovers of others
	lacks "$out" "record" && lacks "$out" "runtime" || return 1
	expect 0 drydock run -q --name old -- true || return 1
	local old
	old=$(newest_session)
	expect 0 drydock run -q --keep --name kept -- true || return 1
	local kept
	kept=$(newest_session)
	expect 0 drydock run -q --name young -- true || return 1
	local young
	young=$(newest_session)
	as touch -d '40 days ago' "$old" "$kept" || return 1
	begin dead 'sleep 60' || return 1
	kill -9 "$PID" && gone "$PID" && wait "$JOB" 2>/dev/null
	begin live 'read -r _ <up-live' || return 1
	# what the next start has not swept: a second one dies
	local live_job=$JOB
	begin dead2 'sleep 60' || return 1
	local dead
	dead=$(basename "$(newest_session)")
	kill -9 "$PID" && gone "$PID" && wait "$JOB" 2>/dev/null
	expect 0 drydock gc -n || return 1
	has "$out" "runtime  $TOP/$WHO/run/drydock/$dead" && has "$out" "record   ~/.local/state/drydock/sessions/old-" || return 1
	[ -d "$old" ] && [ -d "$TOP/$WHO/run/drydock/$dead" ] || return 1
	expect 0 drydock gc --json || return 1
	printf '%s' "$out" | jq -e '.v == 1 and .dry_run == false and
		([.removed[] | select(.kind != "cgroup") | .kind] | sort) == ["record", "runtime"]' >/dev/null || return 1
	[ ! -e "$old" ] && [ -d "$kept" ] && [ -d "$young" ] && [ ! -e "$TOP/$WHO/run/drydock/$dead" ] || return 1
	expect 0 drydock ls -q || return 1
	[ "$(printf '%s\n' "$out" | wc -l)" -eq 1 ] && has "$out" "live-" || return 1
	echo go >up-live
	wait "$live_job" || return 1
	as touch -d '2 hours ago' "$young" || return 1
	expect 0 drydock gc --older-than 1h || return 1
	[ ! -e "$young" ] && [ -d "$kept" ]
}
@test "gc removes what killed sessions left and old records, and nothing that runs or is kept" { each gc; }
