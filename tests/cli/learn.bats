#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# drydock learn: from what was refused to the narrowest rules, and nothing that was not asked for

load helpers

setup_file() {
	lay_out
	export TOP PREFIX
	export PERSONA_LIST="${PERSONAS[*]}"
}
teardown_file() { clear_away; }
setup() { read -ra PERSONAS <<<"$PERSONA_LIST"; }

# asks HOST:PORT...: a session that asks for them
asks() {
	drydock run -q --learn --resolver 127.0.0.1:9 --deny forbidden.example -p claude-code -- python3 -c '
import socket, sys
for n in sys.argv[1:]:
    with socket.create_connection(("127.0.0.1", 8888)) as s:
        s.sendall(("CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (n, n)).encode())
        s.recv(64)' "$@" >/dev/null 2>&1
	ID=$(basename "$(newest_session)")
}

proposes() {
	asks pypi.org:443 pypi.org:443 files.pythonhosted.org:443 db.lab.example:5432 10.0.0.1:443 forbidden.example:443 \
		statsig.anthropic.com:443 api.anthropic.com:443 || return 1
	expect 0 drydock learn || return 1
	has "$out" "allow pypi.org:443" || return 1
	grep -q '^allow pypi.org:443 .*# x2, preset pypi' <<<"$out" || return 1
	grep -q '^allow db.lab.example:5432 .*# x1, in no preset' <<<"$out" || return 1
	grep -q '^# .*statsig.anthropic.com:443.*telemetry: stays refused' <<<"$out" || return 1
	lacks "$out" "10.0.0.1" || return 1      # an address is never proposed
	lacks "$out" "forbidden" || return 1     # a deny rule is the user's own word
	lacks "$out" "api.anthropic" || return 1 # that one had a rule
	expect 0 drydock learn --min-count 2 --exclude-telemetry || return 1
	[ "$(grep -c '^allow' <<<"$out")" -eq 1 ] || return 1
	lacks "$out" statsig || return 1
	expect 0 drydock learn --json "$ID" || return 1
	jq -e '.v == 1 and ([.rules[] | select(.proposed) | .rule] | sort) == ["allow db.lab.example:5432", "allow files.pythonhosted.org:443", "allow pypi.org:443"]' <<<"$out" >/dev/null
}
@test "it proposes what had no rule, by name and port, with counts and what presets know" { each proposes; }

writes() {
	asks one.example:443 two.example:8443 statsig.anthropic.com:443 || return 1
	expect 0 drydock learn --write project || return 1
	has "$err" "2 rules added to" || return 1
	has "$err" "drydock trust" || return 1
	grep -q '^allow one.example:443 *# learned from' "$PROJECT/.drydock" || return 1
	grep -q '^allow two.example:8443' "$PROJECT/.drydock" || return 1
	lacks "$(cat "$PROJECT/.drydock")" statsig || return 1
	expect 0 drydock learn --write project || return 1
	has "$err" "0 rules added" || return 1
	expect 0 drydock learn --write user || return 1
	grep -q '^allow one.example:443' "$HOME_DIR/.config/drydock/allow" || return 1
	rm "$PROJECT/.drydock"
	asks one.example:443 || return 1
	expect 0 drydock learn || return 1
	lacks "$out" "one.example" # the user's rule holds in the next session
	rm "$HOME_DIR/.config/drydock/allow"
}
@test "what it writes is in force the next time, once, and without telemetry" { each writes; }

groups() {
	asks a.corp.example.co.uk:443 b.corp.example.co.uk:443 x.github.io:443 || return 1
	expect 0 drydock learn --group domain || return 1
	has "$out" "# example.co.uk: 2 asked for; a wildcard *.example.co.uk would allow every other name below it too" || return 1
	has "$out" "# x.github.io: 1 asked for"
}
@test "grouped by what its owner registered" { each groups; }

hints() {
	expect 0 drydock run --learn --resolver 127.0.0.1:9 -- sh -c 'curl -s -o /dev/null https://hint.example/ || true' || return 1
	has "$err" "rules for what was refused: drydock learn " || return 1
	expect 6 drydock learn nobody-0000 || return 1
	expect 2 drydock learn --write everywhere || return 1
	expect 0 drydock run -q --no-net -- true || return 1
	expect 1 drydock learn || return 1
	has "$err" "has no log"
}
@test "run --learn says how to go on; errors name what is wrong" { each hints; }
