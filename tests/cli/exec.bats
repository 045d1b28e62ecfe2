#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# drydock exec and shell: one more command in a running session, with the agent's rights and no more

load helpers

setup_file() {
	lay_out
	cp "$BATS_TEST_DIRNAME/pty.py" "$TOP/pty.py"
	export TOP PREFIX
	export PERSONA_LIST="${PERSONAS[*]}"
}
teardown_file() { clear_away; }
setup() { read -ra PERSONAS <<<"$PERSONA_LIST"; }
teardown() { [ -z "${ID:-}" ] || drydock stop --time 1s "$ID" >/dev/null 2>&1 || true; }

# a session that waits for a byte on a pipe in the project; its id in $ID
start_waiting() {
	rm -f "$TOP/status"
	mkfifo -m 666 "$TOP/status" || return 1
	exec 8<>"$TOP/status"
	drydock run -q --no-net -e MARK=of-the-session --status-fd 8 "$@" -- sh -c "$STATE_SCRIPT; echo END; exec sleep 120" >"$TOP/agent" 2>/dev/null 3>&- &
	read -r -t 20 line <&8 || return 1
	ID=$(jq -r .session <<<"$line")
}

# What a process may do, in words that must be the same for the agent and for who joins it.
STATE_SCRIPT='grep -E "^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)" /proc/self/status; ulimit -a; readlink /proc/self/ns/*; pwd; cat /proc/self/cgroup; cut -d" " -f 4- /proc/self/mountinfo; id; hostname'

same_rights() {
	start_waiting || return 1
	expect 0 drydock exec "$ID" -- sh -c "$STATE_SCRIPT" || return 1
	until grep -q '^END$' "$TOP/agent"; do kill -0 "$!" || return 1; done
	diff <(grep -v '^END$' "$TOP/agent") "$TOP/out" || return 1
	drydock stop "$ID" >/dev/null
}
@test "C-34 who joins has the ids, limits, namespaces, mounts, cgroup and filters of the agent" { each same_rights; }

nothing_more() {
	start_waiting || return 1
	echo 'the-ssh-key' | cmp -s - "$HOME_DIR/.ssh/id_ed25519" || return 1
	expect 1 drydock exec "$ID" cat "$HOME_DIR/.ssh/id_ed25519" || return 1
	expect 1 drydock exec "$ID" sh -c 'echo x >/usr/x || exit 1' || expect 2 drydock exec "$ID" sh -c 'echo x >/usr/x' || return 1
	expect 1 drydock exec "$ID" unshare -n true || return 1
	expect 0 drydock exec "$ID" sh -c 'echo "$MARK"; echo yes >joined; ls /proc/self/fd' || return 1
	has "$out" "of-the-session" || return 1
	lacks "$out" 4 || return 1 # 0 to 2, and 3 of ls itself
	[ "$(cat "$PROJECT/joined")" = yes ] || return 1
	drydock stop "$ID" >/dev/null
}
@test "C-34 who joins sees no hidden file, writes nothing read-only, makes no namespace, inherits no descriptor" { each nothing_more; }

exit_codes() {
	start_waiting || return 1
	expect 7 drydock exec "$ID" sh -c 'exit 7' || return 1
	expect 143 drydock exec "$ID" sh -c 'kill $$' || return 1
	expect 127 drydock exec "$ID" no-such-program || return 1
	expect 126 drydock exec "$ID" /etc || return 1
	expect 125 drydock exec -C /no/such/folder "$ID" true || return 1
	has "$err" "/no/such/folder" || return 1
	expect 0 drydock exec -C / -e MARK=mine -e MORE=1 "$ID" sh -c 'echo $PWD $MARK $MORE' || return 1
	[ "$out" = "/ mine 1" ] || return 1
	expect 2 drydock exec "$ID" || return 1
	expect 6 drydock exec nobody-0000 true || return 1
	drydock stop "$ID" >/dev/null
	expect 6 drydock exec "$ID" true
}
@test "exit codes, folder and variables are what run's are; a session that is over is exit 6" { each exit_codes; }

ends_with_it() {
	start_waiting || return 1
	rm -f "$TOP/joined"
	as timeout 60 "$PREFIX/bin/drydock" exec "$ID" sh -c 'echo inside; exec sleep 100' >"$TOP/joined" 3>&- &
	local joined=$!
	until [ -s "$TOP/joined" ]; do kill -0 "$joined" || return 1; done
	drydock stop "$ID" >/dev/null || return 1
	local code=0
	wait "$joined" || code=$?
	[ "$code" -eq 137 ]
}
@test "what joined ends when the session ends" { each ends_with_it; }

dies_with_caller() {
	start_waiting || return 1
	rm -f "$TOP/joined"
	as "$PREFIX/bin/drydock" exec "$ID" sh -c 'echo inside; exec sleep 101' >"$TOP/joined" 3>&- &
	local joined=$! below
	until [ -s "$TOP/joined" ]; do kill -0 "$joined" || return 1; done
	below=$(for p in "$joined" $(descendants "$joined"); do [[ $(readlink "/proc/$p/exe") != */bin/drydock ]] || echo "$p"; done)
	expect 0 drydock exec "$ID" sh -c 'grep -aq "slee[p].101" /proc/[0-9]*/cmdline' || return 1
	kill -9 $below || return 1
	expect 0 drydock exec "$ID" sh -c 'while grep -aq "slee[p].101" /proc/[0-9]*/cmdline 2>/dev/null; do :; done' || return 1
	drydock stop "$ID" >/dev/null
}
@test "kill -9 of exec leaves nothing of it in the session" { each dies_with_caller; }

on_terminal() {
	cat >"$TOP/script"
	as SHELL=/bin/bash PS1='ready> ' python3 "$TOP/pty.py" "$TOP/script" "$PREFIX/bin/drydock" "$@"
}
a_shell() {
	start_waiting -e PS1='ready> ' || return 1
	expect 0 on_terminal exec "$ID" sh -i <<-'END' || return 1
		expect ready> 
		send tty; stty size\r
		expect /dev/pts/
		expect 24 80
		resize 50 132
		send sleep 0.1; stty size\r
		expect 50 132
		send exit 9\r
	END
	has "$out" "exit 9 raw no" || return 1
	drydock stop "$ID" >/dev/null
}
@test "a shell in a session has a terminal of the session's own" { each a_shell; }

new_shell() {
	expect 0 on_terminal shell -q --no-net -e PS1 <<-'END' || return 1
		expect $ 
		send echo in-$((40+2)); exit 5\r
		expect in-42
	END
	has "$out" "exit 5 raw no" || return 1
	expect 2 drydock shell -q session-0000
}
@test "shell without a session opens the user's shell in a new one" { each new_shell; }
