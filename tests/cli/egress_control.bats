#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The control socket and SIGHUP: other rules for a proxy that runs

bats_require_minimum_version 1.5.0
load egress_helpers

control() {
	env -i PATH="$PATH" python3 "$BATS_TEST_DIRNAME/../tools/control.py" "$DIR/ctl.sock" "$@"
}

# Opens a tunnel to the server on descriptor 7, or says what came instead.
tunnel() {
	exec 7<>"/dev/tcp/${PROXY%:*}/${PROXY##*:}"
	printf 'CONNECT host.test:%s HTTP/1.1\r\nHost: host.test:%s\r\n\r\n' "$SERVER_PORT" "$SERVER_PORT" >&7
	read -r -t 10 -u 7 status
	[[ $status == 'HTTP/1.1 200'* ]]
}

# A record like this is in the log, or comes within ten seconds: the far end of a flow is told before the log is written.
recorded() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	timeout 10 sh -c 'until grep -q -- "$1" "$2"; do sleep 0.02; done' sh "$1" "$DIR/audit" || {
		cat "$DIR/audit" >&2
		return 1
	}
}

# The peer closes descriptor 7 within two seconds.
is_shut() {
	timeout 2 cat <&7 >/dev/null
}

status_of() {
	fetch -p -o /dev/null -w '%{http_connect}' "$@" || true
}

@test "C-27 a reload opens what it adds, and shuts a live tunnel whose rule is gone" {
	serve --control "$DIR/ctl.sock"
	[ "$(stat -c %a "$DIR/ctl.sock")" = 600 ]
	tunnel
	[[ $(status_of "http://127.0.0.2:$SERVER_PORT/") == 403 ]]
	printf 'allow 127.0.0.2:%s raw\n' "$SERVER_PORT" >"$DIR/rules2"
	run -0 control reload "$DIR/rules2"
	[ "$output" = "ok 1" ]
	is_shut
	[[ $(status_of "http://host.test:$SERVER_PORT/") == 403 ]]
	run fetch -p "http://127.0.0.2:$SERVER_PORT/" # allowed now: the server does not listen there
	recorded '"event":"refuse".*"name":"127.0.0.2".*"reason":"unreachable"'
	recorded '"event":"close".*"name":"host.test".*"reason":"not-allowlisted"'
	recorded '"event":"reload","reason":"replaced: 1 allow, 0 deny; flows shut: 1"'
}

@test "C-27 a tunnel whose rule stays lives through a reload" {
	serve --control "$DIR/ctl.sock"
	tunnel
	cp "$DIR/rules" "$DIR/rules2"
	echo 'allow more.test' >>"$DIR/rules2"
	run -0 control reload "$DIR/rules2"
	printf 'GET / HTTP/1.0\r\n\r\n' >&7
	timeout 10 grep -q "hello from the lab" <&7
}

@test "C-28 a reload with one bad line changes nothing and says where it is" {
	serve --control "$DIR/ctl.sock"
	tunnel
	printf 'allow evil.test\nallow *.com\n' >"$DIR/bad"
	run -1 control reload "$DIR/bad"
	[[ $output == *"$DIR/bad:2:"* ]]
	printf 'GET / HTTP/1.0\r\n\r\n' >&7
	timeout 10 grep -q "hello from the lab" <&7
	[[ $(status_of https://evil.test/) == 403 ]]
	recorded '"event":"reload","reason":"kept","error":".*bad:2:'
}

@test "C-28 a reload from a pipe, which could make the proxy wait, is refused" {
	serve --control "$DIR/ctl.sock"
	mkfifo "$DIR/fifo"
	exec 8<>"$DIR/fifo"
	run -1 control reload "$DIR/fifo"
	exec 8>&-
	[[ $output == *"Illegal seek"* ]]
	run -0 fetch -p "http://host.test:$SERVER_PORT/"
}

@test "SIGHUP reads the file again, also when it was replaced by renaming" {
	serve
	[[ $(status_of "http://127.0.0.2:$SERVER_PORT/") == 403 ]]
	printf 'allow 127.0.0.2:%s raw\n' "$SERVER_PORT" >"$DIR/new"
	mv "$DIR/new" "$DIR/rules"
	kill -HUP "$BROKER"
	read -r -t 10 -u 5 LINE
	[ "$LINE" = "drydock-egress: $DIR/rules: 1 rules loaded" ]
	run -0 status_of "http://host.test:$SERVER_PORT/"
	[[ $output == *403* ]]
	printf 'allow a.test:0\n' >"$DIR/rules"
	kill -HUP "$BROKER"
	read -r -t 10 -u 5 LINE
	[[ $LINE == *"$DIR/rules:1:"*": the rules stay as they are" ]]
	rm "$DIR/rules"
	kill -HUP "$BROKER"
	read -r -t 10 -u 5 LINE
	[[ $LINE == *"No such file or directory: the rules stay as they are" ]]
	kill -TERM "$BROKER"
	wait "$BROKER"
	is_gone "$OPENER"
}

@test "flows are listed with their bytes, and one of them is closed" {
	serve --control "$DIR/ctl.sock"
	tunnel
	printf 'GET / HTTP/1.0\r\n\r\n' >&7
	timeout 10 grep -q "hello from the lab" <&7
	tunnel
	run -0 control flows
	flow=$(jq -r 'select(.name == "host.test" and .state == "open" and .address == "127.0.0.1") | .flow' <<<"$output" | tail -n 1)
	run -0 control close "$flow"
	is_shut
	recorded "\"event\":\"close\",\"flow\":$flow,.*\"reason\":\"closed-from-outside\""
	run -1 control close 99999
	[[ $output == *"no such flow"* ]]
	run -0 control status
	[ "$(jq -r '"\(.session) \(.allow) \(.deny)"' <<<"$output")" = "t-1 2 1" ]
}

@test "who subscribes sees each decision; stop ends the proxy in order" {
	serve --control "$DIR/ctl.sock"
	mkfifo "$DIR/watch"
	control watch 1 >"$DIR/watch" &
	PIDS+=($!)
	exec 8<"$DIR/watch"
	read -r -t 10 -u 8 LINE
	[ "$LINE" = watching ]
	[[ $(status_of https://evil.test/) == 403 ]]
	read -r -t 10 -u 8 LINE
	[ "$(jq -r '.event + " " + .name + " " + .reason' <<<"$LINE")" = "refuse evil.test not-allowlisted" ]
	exec 8<&-
	run -0 control stop
	wait "$BROKER"
	tail -n 2 "$DIR/audit" | grep -q '"event":"end","reason":"asked to end"'
}

@test "an ask waits for the user: allowed by a reload, refused by the user, refused when time is over" {
	serve --control "$DIR/ctl.sock" --ask 2
	mkfifo "$DIR/watch"
	control watch 8 >"$DIR/watch" &
	PIDS+=($!)
	exec 8<"$DIR/watch"
	read -r -t 10 -u 8 LINE
	printf 'allow host.test:%s loopback raw\ndeny other.test\n' "$SERVER_PORT" >"$DIR/rules2"
	run -0 control reload "$DIR/rules2"
	read -r -t 10 -u 8 LINE

	fetch -p "http://127.0.0.1:$SERVER_PORT/" >"$DIR/out" 3>&- 8<&- & # an address is never asked about
	wait $! && false
	read -r -t 10 -u 8 LINE
	[ "$(jq -r '.event + " " + .reason' <<<"$LINE")" = "refuse ip-literal" ]

	printf 'deny other.test\n' >"$DIR/rules3"
	run -0 control reload "$DIR/rules3"
	read -r -t 10 -u 8 LINE
	fetch -p "http://host.test:$SERVER_PORT/" >"$DIR/out" 3>&- 8<&- &
	asked=$!
	read -r -t 10 -u 8 LINE
	[ "$(jq -r '.event + " " + .name' <<<"$LINE")" = "ask host.test" ]
	run -0 control reload "$DIR/rules2"
	wait "$asked"
	[ "$(cat "$DIR/out")" = "hello from the lab" ]

	fetch -p -o /dev/null -w '%{http_connect}' "http://more.test:$SERVER_PORT/" >"$DIR/out" 3>&- 8<&- &
	asked=$!
	until run control flows && flow=$(jq -e 'select(.state == "asking") | .flow' <<<"$output"); do kill -0 "$asked"; done
	run -0 control refuse "$flow"
	wait "$asked" || true
	[ "$(cat "$DIR/out")" = 403 ]
	recorded '"event":"refuse".*"name":"more.test".*"reason":"closed-from-outside"'
	[[ $(status_of https://late.test/) == 403 ]]
	recorded '"event":"refuse".*"name":"late.test".*"reason":"not-allowlisted"'
}

@test "budget lines hold for the whole session, and what was spent stays spent over a reload" {
	printf 'allow host.test:%s loopback raw conns=2\nallow 127.0.0.1:%s raw\nbudget conns=3\n' \
		"$SERVER_PORT" "$SERVER_PORT" >"$DIR/rules"
	serve --control "$DIR/ctl.sock"
	run -0 fetch -p "http://host.test:$SERVER_PORT/"
	run -0 fetch -p "http://host.test:$SERVER_PORT/"
	[[ $(status_of "http://host.test:$SERVER_PORT/") == 403 ]] # the rule's own
	run -0 control reload "$DIR/rules"
	[[ $(status_of "http://host.test:$SERVER_PORT/") == 403 ]]
	run -0 fetch -p "http://127.0.0.1:$SERVER_PORT/"
	[[ $(status_of "http://127.0.0.1:$SERVER_PORT/") == 403 ]] # the session's
	[ "$(grep -c '"reason":"budget"' "$DIR/audit")" -eq 3 ]
}

@test "a rule ends at the time it names, and its live tunnel with it" {
	printf 'allow host.test:%s loopback raw until=%s\n' "$SERVER_PORT" "$(date -u -d '+2 seconds' +%FT%TZ)" >"$DIR/rules"
	serve
	tunnel
	timeout 5 cat <&7 >/dev/null
	[[ $(status_of "http://host.test:$SERVER_PORT/") == 403 ]]
}
