#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A project's .drydock: inert until its content is trusted, and able to do little even then

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
	for who in "${PERSONAS[@]}"; do
		rm -rf "$TOP/$who/home/.config" "$TOP/$who/shop/.drydock" "$TOP/$who/home/.local/state/drydock/trust"
	done
}

# put TEXT: the project's file, as the persona writes it
put() { printf '%s\n' "$1" | as tee .drydock >/dev/null; }

# hash_of: of the content as it is
hash_of() { sha256sum <.drydock | cut -d' ' -f1; }

story() {
	put 'allow a.test' || return 1
	expect 3 drydock check a.test || return 1
	expect 0 drydock run -- true || return 1
	has "$err" "$PROJECT/.drydock is not trusted and was ignored; review it: drydock trust" || return 1
	expect 4 drydock trust || return 1
	has "$out" ".drydock is new" || return 1
	has "$out" "+ allow a.test:443" || return 1
	has "$err" "drydock trust --yes --hash $(hash_of) '$PROJECT'" || return 1
	expect 4 drydock trust --yes --hash "$(printf x | sha256sum | cut -d' ' -f1)" || return 1
	expect 3 drydock check a.test || return 1
	eval "expect 0 drydock trust --yes --hash $(hash_of) '$PROJECT'" || return 1
	expect 0 drydock check a.test || return 1
	has "$out" "by $PROJECT/.drydock:1" || return 1
	expect 3 drydock check --no-project a.test || return 1
	expect 0 drydock run -- true || return 1
	has "$err" "project(1)" && lacks "$err" "not trusted" || return 1
	expect 0 drydock trust || return 1
	expect 0 drydock trust --revoke || return 1
	expect 3 drydock check a.test
}
@test "C-51 a project's file is ignored until its content is trusted, and after --revoke" { each story; }

changed() {
	put $'# one\nallow a.test\nallow b.test' || return 1
	expect 0 drydock trust --yes --hash "$(hash_of)" || return 1
	put $'# two\nallow  B.test:443\nallow c.test' || return 1
	expect 3 drydock check b.test || return 1
	expect 0 drydock run -- true || return 1
	has "$err" "changed since you trusted it and was ignored" || return 1
	expect 4 drydock trust || return 1
	has "$out" "+ allow c.test:443" || return 1
	has "$out" "- allow a.test:443" || return 1
	lacks "$out" "b.test" || return 1
	expect 0 drydock trust --list || return 1
	has "$out" "changed" && has "$out" "/shop/.drydock" || return 1
	expect 0 drydock trust --list --json || return 1
	printf '%s' "$out" | jq -e '.v == 1 and (.trusted | length == 1) and .trusted[0].state == "changed"' || return 1
	expect 0 drydock trust --yes --hash "$(hash_of)" || return 1
	expect 0 drydock check c.test && expect 3 drydock check a.test
}
@test "C-51 a change takes the trust away, and only the difference is shown" { each changed; }

narrow() {
	local line
	for line in 'deny a.test' 'a.test private' 'a.test loopback' 'a.test raw' 'a.test ech' 'a.test no-sni' \
		'10.0.0.1:443' '192.0.2.0/24:443' '*.co.uk' 'host.drydock.internal:1' 'env A=b' 'keep A' 'arg x' \
		'mount rw /' 'lock' 'telemetry a.test' 'frob a.test'; do
		put "$line" || return 1
		expect 1 drydock trust --yes --hash "$(hash_of)" || {
			echo "line: $line" >&2
			return 1
		}
		has "$err" "/.drydock:1:" || return 1
	done
	put $'a.test:443\nallow 93.184.216.34:443\npreset npm\nlimit memory 1G\nbudget up=1G # end' || return 1
	expect 0 drydock trust --yes --hash "$(hash_of)" || return 1
	expect 0 drydock check 93.184.216.34 || return 1
	expect 0 drydock check pkg.npmjs.org
}
@test "C-52 a project's file adds allows, presets and limits, and anything else is an error" { each narrow; }

presets_narrow() {
	put 'preset claude-code' || return 1
	expect 0 drydock trust --yes --hash "$(hash_of)" || return 1
	expect 0 drydock run --dry-run -- true || return 1
	has "$out" "allow api.anthropic.com:443" || return 1
	lacks "$out" "DISABLE_TELEMETRY" && lacks "$out" "home/.claude" || return 1
	expect 0 drydock run --dry-run -p claude-code -- true || return 1
	has "$out" "DISABLE_TELEMETRY"
}
@test "C-52 a preset that only the project names adds its allow lines alone" { each presets_narrow; }

shapes() {
	as sh -c 'echo allow a.test >elsewhere && ln -s elsewhere .drydock' || return 1
	expect 3 drydock check a.test || return 1
	expect 0 drydock run --dry-run -- true || return 1
	has "$out" "is a symbolic link and was ignored" || return 1
	expect 1 drydock trust || return 1
	as rm .drydock elsewhere && as mkfifo .drydock || return 1
	expect 3 drydock check a.test || return 1
	expect 1 drydock trust || return 1
	has "$err" "is no file" || return 1
	as rm .drydock || return 1
	expect 1 drydock trust || return 1
	has "$err" "drydock allow --project RULE" || return 1
	put $'allow a.test # \e[31m' || return 1
	expect 4 drydock trust || return 1
	lacks "$out" $'\e'
}
@test "links and pipes are not read, and nothing in the file can paint the terminal" { each shapes; }

own_hand() {
	expect 0 drydock allow --project a.test || return 1
	expect 0 drydock check a.test || return 1
	expect 0 drydock allow --project b.test || return 1
	expect 0 drydock check b.test || return 1
	put $'allow a.test\nallow evil.test' || return 1
	expect 0 drydock allow --project c.test || return 1
	has "$err" "is not trusted yet: review it with drydock trust" || return 1
	expect 3 drydock check evil.test && expect 3 drydock check c.test || return 1
	expect 1 drydock allow --project 'gitlab.corp.example:443 private' || return 1
	has "$err" "belongs in your own rules"
}
@test "allow --project keeps a trust that was there, and makes none that was not" { each own_hand; }

init() {
	as touch package.json pyproject.toml setup.py || return 1
	expect 0 drydock init -n || return 1
	has "$out" "#   preset npm        because of package.json" && [ ! -e .drydock ] || return 1
	expect 1 drydock init -p nmpp || return 1
	has "$err" "unknown preset 'nmpp'" && [ ! -e .drydock ] || return 1
	expect 6 drydock init --from-learn nothing || return 1
	expect 0 drydock run -q --name tried -a ok.test -- \
		sh -c 'curl -s https://evil.test/; curl -s http://two.test:8080/; curl -s --noproxy "*" https://192.0.2.7/; true' || return 1
	expect 0 drydock init -p npm --from-learn tried || return 1
	grep -qx 'preset npm' .drydock && grep -qx 'allow evil.test' .drydock && grep -qx 'allow two.test:8080' .drydock || return 1
	if grep -q '192.0.2.7\|^allow ok.test\|preset npm  *because' .drydock; then return 1; fi
	expect 0 drydock check evil.test || return 1
	expect 0 drydock trust || return 1
	expect 1 drydock init || return 1
	has "$err" "is there already" || return 1
	rm -f package.json pyproject.toml setup.py
}
@test "init writes a .drydock with comments, trusts it, and never replaces one" { each init; }

@test "on a terminal it asks, and the default is no" {
	become user
	put 'allow a.test'
	as python3 - "$PREFIX/bin/drydock" <<-'EOF'
		import os, pty, sys
		def ask(*answers):
		    pid, fd = pty.fork()
		    if pid == 0:
		        os.execv(sys.argv[1], ["drydock", "trust"])
		    seen, left = b"", list(answers)
		    while True:
		        try:
		            got = os.read(fd, 4096)
		        except OSError:
		            break
		        if not got:
		            break
		        seen += got
		        if seen.endswith(b"[N]o: ") and left:
		            os.write(fd, left.pop(0))
		    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen
		code, seen = ask(b"\n")
		assert code == 4, (code, seen)
		assert b"sessions go on without it" in seen
		code, seen = ask(b"v\n", b"y\n")
		assert code == 0, (code, seen)
		assert b"| allow a.test" in seen
	EOF
	expect 0 drydock check a.test
}

@test "C-51 records that others can write, or that are damaged, trust nothing" {
	become user
	put 'allow a.test'
	expect 0 drydock trust --yes --hash "$(hash_of)"
	local record
	record=$(find "$HOME_DIR/.local/state/drydock/trust" -type f)
	chmod 666 "$record"
	expect 3 drydock check a.test
	chmod 600 "$record"
	expect 0 drydock check a.test
	echo 'allow evil.test' >>"$record"
	expect 3 drydock check a.test
}

@test "the records of trust are never writable in a session" {
	become user
	as mkdir -p "$HOME_DIR/.local/state/drydock/trust"
	expect 125 drydock run --mount "rw:$HOME_DIR/.local/state/drydock/trust" -- true
	has "$err" "would be writable inside"
	expect 0 drydock run -q --mount "ro:$HOME_DIR/.local/state/drydock/trust" -- true
}
