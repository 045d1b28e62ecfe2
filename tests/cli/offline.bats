#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What can be asked without starting a session: run --dry-run, check; and doctor, which starts one

load helpers

setup_file() {
	lay_out
	export TOP PREFIX
	export PERSONA_LIST="${PERSONAS[*]}"
}
teardown_file() { clear_away; }
setup() { read -ra PERSONAS <<<"$PERSONA_LIST"; }

dry_run() {
	expect 0 drydock run --dry-run -a a.test -e MINE=1 -- claude || return 1
	has "$out" "nothing was started: --dry-run" || return 1
	has "$out" '#line 1 "--allow"' || return 1
	has "$out" "rw ~/.claude" || return 1
	has "$out" "api.anthropic.com" || return 1
	has "$out" "rw $PROJECT" || return 1
	has "$out" "protect ro $PROJECT/.git/hooks" || return 1
	has "$out" "MINE=1" || return 1
	[ ! -e "$HOME_DIR/.claude" ] && [ ! -e "$SESSIONS" ] && [ ! -e "$TOP/$WHO/run/drydock" ] || return 1
	cd / || return 1
	expect 125 drydock run --dry-run -- true
}
@test "--dry-run prints banner, steps, policy and environment, and makes nothing" { each dry_run; }

check_names() {
	expect 0 drydock check -a a.test a.test || return 1
	[ "$out" = "allowed  a.test:443  by --allow:1" ] || return 1
	expect 3 drydock check -a a.test b.test || return 1
	[ "$out" = "DENIED  b.test:443  not-allowlisted  no rule matches" ] || return 1
	expect 3 drydock check -a a.test a.test:22 || return 1
	has "$out" "port-not-allowed" || return 1
	expect 0 drydock check -a a.test:22 A.Test.:22 || return 1
	expect 3 drydock check -a '*.b.test' --deny a.b.test a.b.test --json || return 1
	printf '%s' "$out" | jq -e '.allowed == false and .reason == "denied-by-rule" and .file == "--deny"' || return 1
	[ ! -e "$SESSIONS" ]
}
@test "check says whether a name is allowed, and by which rule" { each check_names; }

check_addresses() {
	expect 3 drydock check 192.0.2.1 && has "$out" ip-literal || return 1
	expect 0 drydock check -a 192.0.2.0/24:443 192.0.2.1 || return 1
	expect 3 drydock check '[2001:db8::1]:80' && has "$out" "[2001:db8::1]:80" || return 1
	expect 3 drydock check 2001:db8::1 && has "$out" "[2001:db8::1]:443" || return 1
	expect 3 drydock check 0x7f.1 && has "$out" ip-literal
}
@test "check knows addresses in every spelling" { each check_addresses; }

check_mistakes() {
	for bad in https://a.test/ a.test:0 a.test:99999 a.test:x 'a b' '' '[::1'; do
		expect 2 drydock check "$bad" || return 1
	done
	expect 2 drydock check && expect 2 drydock check a.test b.test || return 1
	expect 1 drydock check -a '*.com' a.test && has "$err" "--allow:1:"
}
@test "check refuses what is no HOST[:PORT]" { each check_mistakes; }

check_by_preset() {
	expect 3 drydock check api.anthropic.com || return 1
	expect 0 drydock check --for claude api.anthropic.com && has "$out" "claude-code:" || return 1
	expect 0 drydock check -p npm x.npmjs.org || return 1
	expect 3 drydock check --for claude statsig.com && has "$out" "telemetry-off"
}
@test "check knows the preset that a command would choose" { each check_by_preset; }

user_rules() {
	as mkdir -p "$HOME_DIR/.config/drydock" || return 1
	as sh -c 'umask 077; printf "a.test\n\nb.test:22 # ssh\n" >"$HOME/.config/drydock/allow"' || return 1
	expect 0 drydock check b.test:22 && has "$out" "$HOME_DIR/.config/drydock/allow:3" || return 1
	as sh -c 'echo "allow a..b" >>"$HOME/.config/drydock/allow"' || return 1
	expect 1 drydock check b.test:22 && has "$err" "allow:4:" || return 1
	expect 125 drydock run -- touch ran && has "$err" "allow:4:" || return 1
	[ ! -e ran ] || return 1
	expect 5 drydock doctor && has "$out" "allow:4:" || return 1
	rm -r "$HOME_DIR/.config/drydock"
}
@test "the user's own rules count, with file and line; a bad line starts nothing" { each user_rules; }

doctor() {
	expect 0 drydock doctor || return 1
	has "$out" "user namespace" && has "$out" "cloud metadata" && has "$out" "0 problems" || return 1
	lacks "$out" "FAIL" || return 1
	expect 0 drydock doctor --json || return 1
	printf '%s' "$out" | jq -e '.v == 1 and .can_contain and (.rows | length) > 25 and
		all(.rows[]; .result != "FAIL")' || return 1
	# the trial leaves no session behind, and does not care where it is asked from
	[ -z "$(find "$SESSIONS" -name "*doctor*" 2>/dev/null)" ] || return 1
	cd / && expect 0 drydock doctor
}
@test "doctor builds a jail, attacks it, and finds that it holds" { each doctor; }

doctor_fails() {
	local alone=$TOP/alone
	mkdir -p "$alone" && cp "$PREFIX/bin/drydock" "$alone/" || return 1
	expect 5 as timeout 30 "$alone/drydock" doctor || return 1
	has "$out" "FAIL" && has "$out" "drydock-egress" && has "$out" "fix: " || return 1
	expect 5 as timeout 30 "$alone/drydock" doctor --json || return 1
	printf '%s' "$out" | jq -e '.can_contain == false'
}
@test "doctor exits 5 and names the fix when a part is missing" { each doctor_fails; }
