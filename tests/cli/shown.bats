#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is shown: the banner, the summary, the log, and what -q leaves

load helpers

setup_file() {
	lay_out
	export TOP PREFIX
	export PERSONA_LIST="${PERSONAS[*]}"
}
teardown_file() { clear_away; }
setup() { read -ra PERSONAS <<<"$PERSONA_LIST"; }

# A command that is refused three times over: by proxy twice, once as an address.
TRY='curl -s https://evil.test/; curl -s https://evil.test/; curl -s http://evil.test:8080/;
	curl -s --noproxy "*" https://192.0.2.7/; true'

banner() {
	expect 0 drydock run -a a.test -a '*.b.test:22' --deny c.test -- true || return 1
	local id
	id=$(basename "$(newest_session)")
	has "$err" "drydock: session $id   contain / native" || return 1
	has "$err" "egress   allowlist, 2 rules" || return 1
	has "$err" "files    rw $PROJECT" || return 1
	has "$err" "hidden ~/.ssh" || return 1
	has "$err" "layers   userns netns nft" || return 1
	has "$err" "seccomp landlock:" || return 1
	has "$err" "drydock log $id" || return 1
	[ -z "$out" ]
}
@test "the banner says what the session may do" { each banner; }

no_net_banner() {
	expect 0 drydock run --no-net -- sh -c 'test -z "$https_proxy" && ! getent hosts a.test' || return 1
	has "$err" "egress   none (--no-net)" || return 1
	lacks "$err" "audit" || return 1
	expect 1 drydock log || return 1
	has "$err" "it had no egress"
}
@test "--no-net has no egress, and says so" { each no_net_banner; }

quiet() {
	expect 0 drydock run -q -- sh -c "$TRY" || return 1
	[ -z "$err" ] || return 1
	expect 125 drydock run -q -a '*.com' -- true || return 1
	has "$err" "drydock: error: "
}
@test "-q shows errors only" { each quiet; }

summary() {
	expect 0 drydock run -- sh -c "$TRY" || return 1
	local id
	id=$(basename "$(newest_session)")
	has "$err" "drydock: 4 requests were refused in session $id" || return 1
	has "$err" "evil.test:443 " || return 1
	has "$err" "not-allowlisted   x2    drydock run -a evil.test ..." || return 1
	has "$err" "drydock run -a evil.test:8080 ..." || return 1
	has "$err" "192.0.2.7:443 " || return 1
	has "$err" "ip-literal" || return 1
	has "$err" "drydock log $id --denied" || return 1
	jq -e '.refused == 4' "$SESSIONS/$id/meta.json" || return 1
	expect 0 drydock run -- true || return 1
	lacks "$err" "refused"
}
@test "a session that was refused something says what, and what would allow it" { each summary; }

log() {
	expect 0 drydock run -q --name logged -a ok.test -- sh -c "$TRY; getent hosts ok.test" || return 1
	local id
	id=$(basename "$(newest_session)")
	expect 0 drydock log || return 1
	has "$out" "DENY   evil.test:443" || return 1
	has "$out" "allow  ok.test" || return 1
	local all=$out
	expect 0 drydock log "$id" && [ "$out" = "$all" ] || return 1
	expect 0 drydock log logged && [ "$out" = "$all" ] || return 1
	expect 0 drydock log --denied || return 1
	lacks "$out" "ok.test" || return 1
	[ "$(printf '%s\n' "$out" | wc -l)" -eq 4 ] || return 1
	expect 0 drydock log "$id" --denied --limit 1 --json || return 1
	printf '%s' "$out" | jq -e --arg id "$id" '.session == $id and .name == "192.0.2.7" and
		.verdict == "deny" and .reason == "ip-literal"' || return 1
	expect 6 drydock log no-such-session || return 1
	expect 6 drydock log ../../etc || return 1
	expect 2 drydock log one two
}
@test "log shows a session's decisions, filtered as asked; 6 when there is no such session" { each log; }

damaged() {
	expect 0 drydock run -q -- sh -c "$TRY" || return 1
	local file
	file=$(newest_session)/audit.jsonl
	printf '{"name":"\\u001b[31mred\\u202e","verdict":"deny","reason":"x"}\n{"cut' >>"$file"
	expect 1 drydock log || return 1
	lacks "$out" $'\033' || return 1
	has "$out" '\x1b[31mred\u{202e}' || return 1
	has "$err" "1 lines of the log are damaged"
}
@test "a damaged log is read as far as it goes, escaped, and exit 1" { each damaged; }

project_name_is_escaped() {
	local odd=$PROJECT/$'odd\033[31m\xe2\x80\xaename'
	as mkdir -p "$odd" && cd "$odd" || return 1
	expect 0 drydock run -- true || return 1
	lacks "$err" $'\033' || return 1
	has "$err" 'odd\x1b[31m\u{202e}name' || return 1
	case $(basename "$(newest_session)") in odd-31m-name-*) ;; *) return 1 ;; esac
	cd "$PROJECT" && rm -r "$odd"
}
@test "a folder's name cannot paint the terminal" { each project_name_is_escaped; }
