#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Which program asked: records name it, for root and for an ordinary user

load helpers

setup_file() {
	lay_out
	export TOP PREFIX
	export PERSONA_LIST="${PERSONAS[*]}"
}
teardown_file() { clear_away; }
setup() { read -ra PERSONAS <<<"$PERSONA_LIST"; }

# A program with a name of its own that asks through the proxy and stays while it is looked for.
named() {
	drydock run -q --resolver 127.0.0.1:9 -a wanted.example -- sh -c '
		cp "$(readlink -f "$(command -v python3)")" /tmp/asker
		for n in evil.example wanted.example; do
			/tmp/asker -c "
import socket, sys, time
s = socket.create_connection((\"127.0.0.1\", 8888))
s.sendall((\"CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n\" % (sys.argv[1], sys.argv[1])).encode())
while s.recv(4096): pass
time.sleep(1)" "$n"
		done' >/dev/null 2>&1
	local log
	log=$(newest_session)/audit.jsonl
	for name in evil.example wanted.example; do
		flow=$(jq -r "select(.name == \"$name\" and .flow) | .flow" "$log" | head -n 1)
		jq -es "any(.event == \"program\" and .flow == $flow and .program == \"asker\")" "$log" >/dev/null || {
			cat "$log" >&2
			return 1
		}
	done
	expect 0 drydock report -o - --format json || return 1
	jq -e '[.destinations[] | select(.name == "evil.example") | .program] == ["asker"]' <<<"$out" >/dev/null
}
@test "a refusal and a flow name the program that made them" { each named; }

# curl ends as soon as it is refused; the refusal waits until it has been looked up
hasty() {
	drydock run -q --resolver 127.0.0.1:9 -- sh -c 'for n in 1 2 3 4 5 6 7 8 9 10; do curl -s -o /dev/null https://evil$n.example/; done; true' || return 1
	local log
	log=$(newest_session)/audit.jsonl
	[ "$(jq -rs '[.[] | select(.event == "program" and .program == "curl")] | length' "$log")" -eq 10 ] || {
		cat "$log" >&2
		return 1
	}
}
@test "a program that ends as soon as it is refused is named too" { each hasty; }
