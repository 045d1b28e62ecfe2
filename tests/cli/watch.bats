#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# drydock watch: what a session asks for is seen as it happens, and answered

load helpers

setup_file() {
	lay_out
	cp "$BATS_TEST_DIRNAME/pty.py" "$TOP/pty.py"
	export TOP PREFIX
	export PERSONA_LIST="${PERSONAS[*]}"
}
teardown_file() { clear_away; }
setup() { read -ra PERSONAS <<<"$PERSONA_LIST"; }
teardown() { [ -z "${RUNNING:-}" ] || kill "$RUNNING" 2>/dev/null || true; }

# starts a session that asks for a host; its answer goes to $TOP/answer
start_asking() {
	mkfifo "$TOP/status" || return 1
	chmod 666 "$TOP/status"
	exec 8<>"$TOP/status"
	drydock run -q --ask 60s --resolver 127.0.0.1:9 --status-fd 8 -- \
		curl -sS --max-time "${MAX_TIME:-60}" -o /dev/null -w '%{http_connect}' https://wanted.example/ >"$TOP/answer" 2>/dev/null 3>&- &
	RUNNING=$!
	read -r -t 20 line <&8 || return 1
	ID=$(jq -r .session <<<"$line")
	rm "$TOP/status"
}

watch_on_terminal() {
	cat >"$TOP/script"
	as env TERM=xterm python3 "$TOP/pty.py" "$TOP/script" "$PREFIX/bin/drydock" watch "$@"
}

allowed_by_a_key() {
	start_asking || return 1
	expect 0 watch_on_terminal "$ID" <<-'END' || return 1
		expect ASK
		expect wanted.example:443
		send s
		expect for this session: allow wanted.example:443
		send q
	END
	wait "$RUNNING"
	[ "$(cat "$TOP/answer")" != 403 ] || return 1 # judged by name; that its resolver is dead is another matter
	grep -q '^allow wanted.example:443$' "$SESSIONS/$ID/policy"
	grep '"reason":"unreachable"' "$SESSIONS/$ID/audit.jsonl" | grep -q '"rule":"session:1"'
}
@test "C-29 a name that no rule allows waits, and one key allows it for the session" { each allowed_by_a_key; }

denied_by_a_key() {
	start_asking || return 1
	expect 0 watch_on_terminal <<-'END' || return 1
		expect ASK
		expect wanted.example:443
		send d
		expect for this session: deny wanted.example
		expect DENY
		send q
	END
	wait "$RUNNING"
	[ "$(cat "$TOP/answer")" = 403 ] || return 1
	grep '"name":"wanted.example"' "$SESSIONS/$ID/audit.jsonl" | grep -q '"reason":"denied-by-rule"'
}
@test "C-29 another key denies it, and the command hears so at once" { each denied_by_a_key; }

plain_lines() {
	local MAX_TIME=4
	start_asking || return 1
	expect 0 drydock watch --plain "$ID" || return 1
	has "$out" "DENY" || return 1
	has "$out" "wanted.example:443" || return 1
	wait "$RUNNING" || true
}
@test "without a terminal it is one line a decision, until the session ends" { each plain_lines; }

json_lines() {
	local MAX_TIME=4
	start_asking || return 1
	expect 0 drydock watch --json "$ID" || return 1
	jq -es 'any(.event == "refuse" and .name == "wanted.example" and .port == 443)' <<<"$out" >/dev/null || return 1
	expect 2 drydock watch --json --tui || return 1
	wait "$RUNNING" || true
}
@test "with --json it is the records, an object a line" { each json_lines; }

nothing_to_watch() {
	expect 6 drydock watch || return 1
	has "$err" "no session is running" || return 1
	has "$err" "fix:"
}
@test "with nothing to watch it says so, exit 6" { each nothing_to_watch; }
