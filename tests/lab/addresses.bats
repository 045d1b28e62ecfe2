#!/usr/bin/env bats
# C-07 names that lead to private, loopback or metadata addresses are refused unless their rule opens that class.
load helpers

@test "C-07 private, metadata, mixed and loopback answers are refused" {
	for k in $(kinds); do
		run jail "$k" "-a rebind.test:80 -a meta.test:80 -a mixed.test:80 -a loop.test:7777" \
			'for u in rebind.test meta.test mixed.test loop.test:7777; do curl -sS -m 5 -p http://$u/; curl -sS -m 5 http://$u/; done; true'
		[[ $output == *"private-address"* ]]
		[[ $output != *SECRET* ]]
		no_escape
		[ "$(hits allowed)" -eq 0 ]
	done
}

@test "C-07 the twin: 'private' opens RFC 1918 for that name, and only that" {
	for k in $(kinds); do
		run jail "$k" "-a 'rebind.test:80 private' -a 'meta.test:80 private'" 'curl -sS -m 5 http://rebind.test/; curl -sS -m 5 http://meta.test/; true'
		[[ $output == *SECRET* ]]
		[[ $output == *"private-address"* ]]
		if grep -q 'TRAP 169.254' "$LAB/hits.log"; then return 1; fi
	done
}

@test "C-08 a service on the user's own loopback is not reached; the jail's own is" {
	for k in $(kinds); do
		run direct "$k" "-a allowed.test" 'curl -sS -m 5 http://127.0.0.1:7777/ && echo REACHED
			python3 -m http.server 7777 --bind 127.0.0.1 >/dev/null 2>&1 &
			for i in $(seq 200); do curl -sS -m 5 -o /dev/null -w "own %{http_code}\n" http://127.0.0.1:7777/ 2>/dev/null && break; sleep 0.05; done; kill %1'
		[[ $output != *REACHED* ]]
		[[ $output == *"own 200"* ]]
		no_escape
	done
}
