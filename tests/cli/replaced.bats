#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# C-101 a protected entry stays protected when the host replaces it, and what the user agrees to meanwhile stays
#
# The kernel takes a mount away with the file it covers: `git config` outside would open .git/config to the command.

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

# lives SCRIPT: a session that does SCRIPT when the host has done its part; its words go to $TOP/said
lives() {
	rm -rf "$PROJECT"/{.git,.drydock,.envrc,go,enough} "$TOP/said" "$TOP/notices"
	as git init -q "$PROJECT"
	as git -C "$PROJECT" config user.name before
	as sh -c 'echo before >.envrc'
	: >"$TOP/said"
	drydock run --no-net --timeout 30s -- sh -c "echo ready; until [ -e go ]; do sleep 0.02; done; $1" \
		>"$TOP/said" 2>"$TOP/notices" 3>&- &
	RUNNING=$!
	timeout 20 sh -c 'until grep -q ready "$1"; do sleep 0.02; done' sh "$TOP/said"
}

goes_on() {
	as touch "$PROJECT/go"
	wait "$RUNNING" || return 1
	RUNNING=
}

noticed() {
	timeout 20 sh -c 'until grep -q "$1" "$2"; do sleep 0.02; done' sh "$1" "$TOP/notices" || {
		cat "$TOP/notices" >&2
		return 1
	}
}

replaced() {
	lives 'git config --get user.name; echo "[core] fsmonitor = touch bad" >>.git/config && echo BAD; mv .git/config x && echo BAD; true' || return 1
	as git -C "$PROJECT" config user.name after || return 1
	noticed "'$PROJECT/.git/config' was replaced by a program outside" || return 1
	goes_on || return 1
	has "$(cat "$TOP/said")" after || return 1 # what the user wrote is seen
	lacks "$(cat "$TOP/said")" BAD || return 1
	lacks "$(cat "$PROJECT/.git/config")" fsmonitor
}
@test "C-101 .git/config stays read-only inside after git config outside" { each replaced; }

# What git itself writes in daily work stays; a command that wins the moment is found out, and the file from before is back.
contested() {
	lives 'while [ ! -e enough ]; do printf "[core]\n\tfsmonitor = touch bad\n" 2>/dev/null >>.git/config; done; rm enough; true' || return 1
	local i code=0
	as touch "$PROJECT/go"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		as git -C "$PROJECT" remote add "r$i" "https://git$i.example/a" || true # it may meet the command's writing
	done
	as touch "$PROJECT/enough" || return 1
	wait "$RUNNING" || code=$?
	RUNNING=
	cat "$TOP/notices" >&2
	[ "$code" -eq 0 ] || { [ "$code" -eq 137 ] && grep -q 'the session is stopped' "$TOP/notices"; } || return 1
	lacks "$(cat "$PROJECT/.git/config")" fsmonitor || return 1
	as git -C "$PROJECT" status >/dev/null || return 1
	[ ! -e "$PROJECT/bad" ]
}
@test "C-101 a command that tries all the time leaves nothing in .git/config that runs" { each contested; }

daily() {
	lives 'true' || return 1
	as git -C "$PROJECT" remote add origin https://git.example/a || return 1
	as git -C "$PROJECT" config branch.topic.merge refs/heads/topic || return 1
	noticed "was replaced by a program outside" || return 1
	goes_on || return 1
	lacks "$(cat "$TOP/notices")" "moved to" || return 1
	[ "$(as git -C "$PROJECT" config remote.origin.url)" = https://git.example/a ] || return 1
	[ "$(as git -C "$PROJECT" config branch.topic.merge)" = refs/heads/topic ]
}
@test "C-101 the twin: what the user's git writes in daily work stays" { each daily; }

taken_away() {
	lives 'for i in 1 2 3 4 5; do echo evil >.envrc && break; sleep 0.1; done; true' || return 1
	as rm "$PROJECT/.envrc" || return 1
	goes_on || return 1
	[ ! -e "$PROJECT/.envrc" ] || return 1
	grep -q 'the command made .envrc' "$TOP/notices" || return 1
	grep -q evil "$(newest_session)/moved/.envrc"
}
@test "C-101 one that was deleted outside and made by the command is moved away" { each taken_away; }

agreed() {
	lives 'cat .drydock; echo "allow evil.example" >>.drydock && echo BAD; true' || return 1
	expect 0 drydock allow --project good.example || return 1
	timeout 20 sh -c 'until [ -e "$1" ]; do sleep 0.02; done' sh "$PROJECT/.drydock" || return 1
	goes_on || return 1
	grep -q 'allow good.example' "$PROJECT/.drydock" || {
		cat "$TOP/notices" >&2
		return 1
	}
	expect 0 drydock rules || return 1
	has "$out" good.example
}
@test "C-101 a .drydock that the user makes meanwhile stays" { each agreed; }

made_inside() {
	lives 'echo "allow evil.example" >.drydock; true' || return 1
	goes_on || return 1
	[ ! -e "$PROJECT/.drydock" ] || return 1
	grep -q 'the command made .drydock' "$TOP/notices"
}
@test "C-101 one that the command makes does not" { each made_inside; }
