#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# drydock-egress serve: the real program in front of a server on loopback

bats_require_minimum_version 1.5.0

load egress_helpers

@test "an allowed host is reached by CONNECT and by absolute form, and recorded" {
	serve
	run -0 fetch -p "http://host.test:$SERVER_PORT/"
	[ "$output" = "hello from the lab" ]
	run -0 fetch "http://host.test:$SERVER_PORT/"
	[ "$output" = "hello from the lab" ]
	run -0 fetch -p "http://127.0.0.1:$SERVER_PORT/"
	grep -q '"event":"open".*"name":"host.test".*"verdict":"allow".*"rule":"[^"]*rules:1".*"address":"127.0.0.1"' "$DIR/audit"
}

@test "hosts that no rule allows, and denied ones, get 403 and a record" {
	serve
	run fetch -p -o /dev/null -w '%{http_connect}' "https://evil.test/"
	[[ $output == *403* ]]
	run fetch -o /dev/null -w '%{http_code}' "http://other.test:$SERVER_PORT/"
	[[ $output == *403* ]]
	run fetch -p -o /dev/null -w '%{http_connect}' "http://host.test:22/"
	[[ $output == *403* ]]
	grep -q '"event":"refuse".*"name":"evil.test".*"reason":"not-allowlisted"' "$DIR/audit"
	grep -q '"event":"refuse".*"name":"other.test".*"reason":"denied-by-rule","rule":"[^"]*rules:3"' "$DIR/audit"
	grep -q '"event":"refuse".*"name":"host.test","port":22.*"reason":"port-not-allowed"' "$DIR/audit"
}

@test "SIGTERM and SIGINT end all three with 0, the port is closed, the audit log is ended" {
	for signal in TERM INT; do
		serve
		kill -"$signal" "$BROKER"
		wait "$BROKER"
		is_gone "$WORKER"
		is_gone "$RESOLVER"
		is_gone "$OPENER"
		port_is_closed
		tail -n 2 "$DIR/audit" | grep -q '"event":"end","reason":"asked to end"'
		exec 5<&-
	done
}

@test "an open connection is ended and recorded when the proxy ends" {
	serve
	exec 7<>"/dev/tcp/${PROXY%:*}/${PROXY##*:}"
	printf 'CONNECT host.test:%s HTTP/1.1\r\nHost: host.test:%s\r\n\r\n' "$SERVER_PORT" "$SERVER_PORT" >&7
	read -r -t 10 -u 7 status
	[[ $status == 'HTTP/1.1 200'* ]]
	kill -TERM "$BROKER"
	wait "$BROKER"
	timeout 10 cat <&7 >/dev/null
	exec 7>&-
	grep -q '"event":"close","flow":[0-9]*,"protocol":"connect","name":"host.test"' "$DIR/audit"
}

@test "kill -9 of any of the three ends them all, and the port is closed" {
	for victim in BROKER WORKER RESOLVER; do
		serve
		kill -9 "${!victim}"
		status=0
		wait "$BROKER" || status=$?
		[ "$status" -ne 0 ]
		is_gone "$WORKER"
		is_gone "$RESOLVER"
		port_is_closed
		if [ "$victim" != BROKER ]; then
			[ "$status" -eq 1 ]
			grep -q "egress is shut" <&5
			tail -n 2 "$DIR/audit" | grep -q '"event":"end","reason":"the [a-z]* ended'
		fi
		exec 5<&-
	done
}

@test "bad rules: file, line, column and reason, exit 2, and nothing listens" {
	printf 'allow host.test:443\nallow host.test:99999\n' >"$DIR/rules"
	run -2 --separate-stderr env -i "$EGRESS" serve --listen 127.0.0.1:0 --rules "$DIR/rules"
	[[ $stderr == "drydock-egress: $DIR/rules:2:"*": "* ]]
	[[ $stderr != *listening* ]]
}

@test "wrong options, a missing file and an address in use are said" {
	run -2 env -i "$EGRESS" serve --rules "$DIR/rules"
	[[ $output == *"--listen or --jail-fd"* ]]
	run -2 env -i "$EGRESS" serve --listen 127.0.0.1:0
	[[ $output == *"--rules or --rules-fd"* ]]
	run -2 env -i "$EGRESS" serve --listen localhost:1 --rules "$DIR/rules"
	[[ $output == *"'localhost:1'"* ]]
	run -1 env -i "$EGRESS" serve --listen 127.0.0.1:0 --rules "$DIR/none"
	[[ $output == *"opening '$DIR/none': No such file"* ]]
	run -1 env -i "$EGRESS" serve --listen "127.0.0.1:$SERVER_PORT" --rules "$DIR/rules"
	[[ $output == *"listening on 127.0.0.1:$SERVER_PORT: Address already in use"* ]]
	run -2 env -i "$EGRESS" frobnicate
}

@test "the audit chain holds over two runs of the program" {
	for i in 1 2; do
		serve
		run fetch -p -o /dev/null "https://evil.test/"
		kill -TERM "$BROKER"
		wait "$BROKER"
		exec 5<&-
	done
	[ "$(wc -l <"$DIR/audit")" -ge 6 ]
	env -i PATH="$PATH" python3 -c '
import hashlib, json, sys
prev = "0" * 64
for line in open(sys.argv[1], "rb"):
    assert json.loads(line)["prev"] == prev, line
    prev = hashlib.sha256(line.rstrip(b"\n")).hexdigest()' "$DIR/audit"
}

@test "the environment of the caller does not reach the three processes" {
	export DRYDOCK_SECRET=sesame
	"$EGRESS" serve --listen 127.0.0.1:0 --rules "$DIR/rules" 2>"$DIR/err" 3>&- &
	BROKER=$!
	PIDS+=("$BROKER")
	exec 5<"$DIR/err"
	read -r -t 10 -u 5 LINE
	if [ "$(id -u)" -ne 0 ]; then # not readable at all: PR_SET_DUMPABLE is 0
		run ! cat "/proc/$BROKER/environ"
	else
		find_peers
		for p in "$BROKER" "$WORKER" "$RESOLVER"; do
			[ ! -s "/proc/$p/environ" ] || ! grep -q sesame "/proc/$p/environ"
		done
	fi
	kill -TERM "$BROKER"
	wait "$BROKER"
}

@test "a machine without /etc/hosts and /etc/resolv.conf is served all the same" {
	[ "$(id -u)" -eq 0 ] || unshare -Ur true || skip "no user namespace to hide /etc in"
	printf 'allow 127.0.0.1:%s raw\n' "$SERVER_PORT" >"$DIR/rules"
	: >"$DIR/said"
	# shellcheck disable=SC2016 # expanded inside
	run -0 unshare -Urm env DIR="$DIR" EGRESS="$EGRESS" SERVER_PORT="$SERVER_PORT" PATH="$PATH" bash -euc '
		mount -t tmpfs etc /etc
		"$EGRESS" serve --listen 127.0.0.1:0 --rules "$DIR/rules" 2>"$DIR/said" &
		until grep -q "listening on" "$DIR/said"; do kill -0 $!; done
		curl -sS --noproxy "" -p -x "http://$(sed -n "s/.*listening on //p" "$DIR/said")" "http://127.0.0.1:$SERVER_PORT/"
		kill $!'
	[[ $output == *"hello from the lab"* ]]
}
