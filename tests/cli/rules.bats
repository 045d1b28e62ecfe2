#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# rules, check and why: what is in force, where it comes from, and why something was refused

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
	for who in "${PERSONAS[@]}"; do rm -rf "$TOP/$who/home/.config" "$TOP/$who/home/.local"; done
}

# own TEXT: the user's own rules
own() {
	as mkdir -p "$HOME_DIR/.config/drydock" && printf '%s\n' "$1" | as tee "$HOME_DIR/.config/drydock/allow" >/dev/null
}

listing() {
	expect 0 drydock rules || return 1
	[ -z "$out" ] && has "$err" "no rules: nothing is reachable" || return 1
	own $'a.test # mine\nb.test until=2020-01-01T00:00:00Z\ndeny c.test\nc.test\nbudget up=1G' || return 1
	local file=$HOME_DIR/.config/drydock/allow
	expect 0 drydock rules --origin -a d.test || return 1
	printf '%s\n' "$out" | grep -q "^allow a.test:443  *$file:1$" || return 1
	printf '%s\n' "$out" | grep -q "^allow b.test:443 until=2020-01-01T00:00:00Z   (expired)  *$file:2$" || return 1
	printf '%s\n' "$out" | grep -q "^allow c.test:443   (a deny rule beats it)  *$file:4$" || return 1
	printf '%s\n' "$out" | grep -q '^allow d.test:443  *--allow:1$' || return 1
	has "$out" "budget up=1G" || return 1
	expect 0 drydock rules --effective || return 1
	lacks "$out" "b.test" && lacks "$out" "allow c.test" && has "$out" "deny c.test:*" || return 1
	expect 0 drydock rules --json || return 1
	printf '%s' "$out" | jq -e --arg f "$file" '.v == 1 and .locked == false and
		(.rules | map(select(.state == "expired")) | length == 1) and
		(.rules[] | select(.rule == "allow c.test:443") | .state == "denied" and .file == $f and .line == 4) and
		(.rules[] | select(.action == "budget") | .rule == "budget up=1G")' >/dev/null || return 1
	expect 0 drydock rules --for claude || return 1
	has "$out" "allow api.anthropic.com:443" && has "$out" "telemetry "
}
@test "rules lists what the next session would have, with origins, and what has no effect" { each listing; }

of_a_session() {
	expect 0 drydock run -q --name one -a a.test -- true || return 1
	expect 0 drydock run -q --name two -a b.test -- true || return 1
	expect 0 drydock rules one || return 1
	[ "$out" = "allow a.test:443" ] || return 1
	expect 0 drydock rules two --json || return 1
	printf '%s' "$out" | jq -e '(.session | startswith("two-")) and (.rules | length == 1)' >/dev/null || return 1
	expect 0 drydock check --session one a.test || return 1
	expect 3 drydock check --session two a.test || return 1
	expect 0 drydock check --session two b.test --json || return 1
	printf '%s' "$out" | jq -e '.v == 1 and .allowed and .file == "--allow"' >/dev/null || return 1
	expect 6 drydock rules three || return 1
	expect 6 drydock check --session three a.test
}
@test "rules and check look at one session, and not at another; 6 when there is none" { each of_a_session; }

# A command that is refused three things.
TRY='curl -s https://evil.test/; curl -s https://evil.test/; curl -s http://evil.test:8080/;
	curl -s --noproxy "*" https://192.0.2.7/; curl -s https://bad.test/; true'

why() {
	expect 6 drydock why || return 1
	expect 0 drydock run -q -- true || return 1
	expect 0 drydock why || return 1
	has "$err" "nothing was refused in session" || return 1
	expect 0 drydock run -q --deny bad.test -- sh -c "$TRY" || return 1
	expect 3 drydock why || return 1
	has "$out" "DENY   evil.test:443  curl  x2" || return 1
	has "$out" "reason:  not-allowlisted - no allow rule matches this host" || return 1
	has "$out" "allow:   drydock allow evil.test" || return 1
	has "$out" "allow:   drydock allow evil.test:8080" || return 1
	has "$out" "reason:  denied-by-rule" && has "$out" "rule:    --deny:1" || return 1
	has "$out" "note:    a deny rule wins" || return 1
	expect 3 drydock why bad.test || return 1
	lacks "$out" "evil.test" || return 1
	expect 0 drydock why other.test || return 1
	has "$err" "'other.test' was not refused" || return 1
	expect 3 drydock why --last 1 --json || return 1
	printf '%s' "$out" | jq -e '.v == 1 and .live == false and .count == 5 and (.refused | length == 1) and
		.refused[0].host == "bad.test" and .refused[0].reason == "denied-by-rule"' >/dev/null || return 1
	# what it proposes works
	eval "expect 0 drydock allow $(drydock why evil.test | sed -n 's/^  allow:   drydock allow //p' | head -1)" || return 1
	expect 0 drydock check evil.test
}
@test "why explains the last refusals and what would allow them" { each why; }

hostile() {
	expect 0 drydock run -q -- true || return 1
	printf '{"event":"close","name":"x\\u001b[31m\\u202e; rm -rf","port":443,"verdict":"deny","reason":"not-allowlisted"}\n' \
		>>"$(newest_session)/audit.jsonl"
	expect 3 drydock why || return 1
	lacks "$out" $'\e' || return 1
	has "$out" 'x\x1b[31m\u{202e}' || return 1
	lacks "$out" "drydock allow" || return 1
}
@test "a name that would fool a shell or a terminal is escaped, and no command is made of it" { each hostile; }

help_inside() {
	expect 0 drydock run -q -a ok.test --deny bad.test -- sh -c 'curl -s https://evil.test/; curl -s http://bad.test/
		curl -s http://drydock.internal/; echo ---; curl -s http://drydock.internal/policy
		echo ---; curl -s "http://drydock.internal/why?host=evil.test"
		echo ---; curl -s -H "Accept: application/json" http://drydock.internal/policy' || return 1
	has "$out" "This command runs in a drydock session" || return 1
	has "$out" "evil.test:443  x1  not-allowlisted" && has "$out" "bad.test:80  x1  denied-by-rule" || return 1
	lacks "$out" "ok.test" || return 1
	printf '%s' "${out##*---}" | jq -e '.v == 1 and (.refused | length == 2)' >/dev/null || return 1
	lacks "$(cat "$(newest_session)/audit.jsonl")" "drydock.internal" || return 1
	# a program that knows nothing of proxies is led there too, and to no other port
	expect 0 drydock run -q -- sh -c 'unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY
		getent hosts nothing.test; curl -s http://drydock.internal/policy; curl -s http://drydock.internal:8080/ >&2 || true' || return 1
	has "$out" "nothing.test" && lacks "$out" "This command runs" || return 1
	# and it is another session's business what another was refused
	lacks "$out" "evil.test"
}
@test "C-53 inside, http://drydock.internal/ tells what this session was refused, and nothing of the allowlist" { each help_inside; }

inside_hint() {
	expect 0 drydock run -q --mount "ro:$PREFIX" -- sh -c "$PREFIX/bin/drydock why; echo rc \$?" || return 1
	has "$err" "curl http://drydock.internal/why" && has "$out" "rc 6"
}
@test "why inside a session says where the answer is" { each inside_hint; }
