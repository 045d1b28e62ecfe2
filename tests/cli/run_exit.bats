#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# drydock run: whose exit code it is, and what is said when nothing ran

load helpers

setup_file() {
	lay_out
	export TOP PREFIX
	export PERSONA_LIST="${PERSONAS[*]}"
}
teardown_file() { clear_away; }
setup() { read -ra PERSONAS <<<"$PERSONA_LIST"; }

codes_are_the_commands() {
	expect 0 drydock run -- /bin/true && [ -z "$out" ] || return 1
	expect 7 drydock run -q -- sh -c 'exit 7' && [ -z "$err" ] || return 1
	expect 137 drydock run -q -- sh -c 'kill -9 $$' || return 1
	expect 143 drydock run -q -- sh -c 'kill $$'
}
@test "the exit code is the command's own, 128+N after a signal" { each codes_are_the_commands; }

not_found() {
	expect 127 drydock run -- no-such-program || return 1
	has "$err" "cannot execute 'no-such-program' inside the session" || return 1
	has "$err" "fix:" || return 1
	expect 127 drydock run -- /no/such/program || return 1
	echo "not a program" >plain
	chmod 644 plain
	expect 126 drydock run -- ./plain || return 1
	has "$err" "Permission denied" && rm plain
}
@test "127 when the command is not found inside, 126 when it cannot be executed" { each not_found; }

options_stop() {
	expect 0 drydock run -q echo -q --no-net -x || return 1
	[ "$out" = "-q --no-net -x" ] || return 1
	expect 0 drydock run -q -- echo -- "a  b" '' || return 1
	[ "$out" = "-- a  b " ]
}
@test "options end at the first word that is none; arguments arrive as they are" { each options_stop; }

streams_are_the_commands() {
	expect 0 as sh -c 'echo data | "$0" run -q -- sh -c "cat; echo talk >&2"' "$PREFIX/bin/drydock" || return 1
	[ "$out" = data ] && [ "$err" = talk ]
}
@test "stdin, stdout and stderr are the command's" { each streams_are_the_commands; }

home_is_no_project() {
	cd "$HOME_DIR" || return 1
	expect 125 drydock run -- touch ran || return 1
	has "$err" "nothing was started. (exit 125)" || return 1
	has "$err" "fix:" || return 1
	[ ! -e ran ] || return 1
	cd / || return 1
	expect 125 drydock run -- true || return 1
	expect 0 drydock run -C "$PROJECT" -q -- pwd || return 1
	[ "$out" = "$PROJECT" ]
}
@test "the home and / are no projects: 125, and -C names one" { each home_is_no_project; }

bad_policy_starts_nothing() {
	expect 125 drydock run -a '*.com' -- touch ran || return 1
	has "$err" "--allow:1:" || return 1
	expect 125 drydock run -p no-such-preset -- touch ran || return 1
	expect 125 drydock run --allow-file /no/such/file -- touch ran || return 1
	expect 125 drydock run -e SSH_AUTH_SOCK=x -- touch ran || return 1
	expect 125 drydock run --mount rw:/no/such/place -- touch ran || return 1
	expect 125 drydock run --mount /etc -- touch ran || return 1
	[ ! -e ran ]
}
@test "a rule, preset, file, variable or mount that is wrong: 125, nothing ran" { each bad_policy_starts_nothing; }

nothing_kept_of_what_did_not_start() {
	expect 125 drydock run -e NOT_SET_HERE -- true || return 1
	[ -z "$(ls -A "$TOP/$WHO/run/drydock" 2>/dev/null)" ] || return 1
	[ -z "$(find "$SESSIONS" -mindepth 1 -maxdepth 1 -type d -newer "$TOP/err" 2>/dev/null)" ]
}
@test "what did not start leaves no session behind" { each nothing_kept_of_what_did_not_start; }

egress_missing_is_125() {
	local prefix=$TOP/alone
	mkdir -p "$prefix" && cp "$PREFIX/bin/drydock" "$prefix/" || return 1
	expect 125 as timeout 20 "$prefix/drydock" run -- touch ran || return 1
	has "$err" "drydock-egress" || return 1
	[ ! -e ran ] || return 1
	# its twin: without egress none is needed
	expect 0 as timeout 20 "$prefix/drydock" run --no-net -q -- true
}
@test "without the egress program nothing starts, unless no egress is wanted" { each egress_missing_is_125; }

time_limit() {
	expect 124 drydock run --timeout 200ms -- sleep 60 || return 1
	has "$err" "time limit" || return 1
	expect 0 drydock run --timeout 30s -q -- true
}
@test "--timeout ends the command with 124" { each time_limit; }

status_lines() {
	expect 3 as sh -c '"$0" run -q --status-fd 5 -- sh -c "exit 3" 5>"$1"' "$PREFIX/bin/drydock" "$PROJECT/status" || return 1
	jq -se '.[0].event == "started" and .[0].pid > 1 and .[1].event == "exited" and .[1].code == 3 and
		.[0].session == .[1].session' status || return 1
	expect 125 as sh -c 'cd /; "$0" run -q --status-fd 5 -- true 5>"$1"' "$PREFIX/bin/drydock" "$PROJECT/status" || return 1
	jq -se 'length == 1 and .[0].event == "failed" and .[0].code == 125' status || return 1
	rm status
}
@test "--status-fd tells drydock's 125 from the command's" { each status_lines; }

descriptors() {
	exec 7</etc/passwd
	expect 0 drydock run -q -- sh -c 'ls /proc/self/fd' || return 1
	exec 7<&-
	# ls itself has the folder open as 3
	[ "$(printf '%s' "$out" | tr '\n' ' ')" = "0 1 2 3" ]
}
@test "no descriptor but 0, 1 and 2 reaches the command" { each descriptors; }

as_root_is_announced() {
	if [ "$WHO" = root ]; then
		expect 0 drydock run -- id -u && [ "$out" != 0 ] || return 1
		lacks "$err" "WARNING" || return 1
		expect 0 drydock run --as-root -- id -u && [ "$out" = 0 ] || return 1
		has "$err" "WARNING  --as-root"
	else
		expect 0 drydock run -q -- id -u && [ "$out" != 0 ] || return 1
		expect 2 drydock run --as-root -- id -u
	fi
}
@test "root's command runs as nobody's uid; --as-root is announced, and for root only" { each as_root_is_announced; }
