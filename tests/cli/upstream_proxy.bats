#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# An upstream proxy: allowed hosts are reached through it, and nothing else is

bats_require_minimum_version 1.5.0
load egress_helpers

# upstream HOWEVER [USER:PASSWORD@] [MORE LINES]: such a proxy, and rules that name it
upstream() {
	mkfifo "$DIR/up-$1"
	env -i PATH="$PATH" python3 "$BATS_TEST_DIRNAME/../tools/upstream_proxy.py" "$1" "$DIR/up.log" >"$DIR/up-$1" 3>&- &
	PIDS+=($!)
	disown $!
	read -r -t 10 UPSTREAM_PORT <"$DIR/up-$1"
	printf 'allow only-there.test:%s raw\nallow other.test:%s raw\nupstream-proxy http://%s127.0.0.1:%s\n%s\n' \
		"$SERVER_PORT" "$SERVER_PORT" "${2:-}" "$UPSTREAM_PORT" "${3:-}" >"$DIR/rules"
}

@test "C-33 an allowed name is reached through the proxy, which alone knows it; a denied one is not even named there" {
	upstream open
	serve
	run -0 fetch -p "http://only-there.test:$SERVER_PORT/"
	[ "$output" = "hello from the lab" ]
	run fetch -p -o /dev/null -w '%{http_connect}' https://evil.test/
	[[ $output == *403* ]]
	run fetch -p -o /dev/null -w '%{http_connect}' https://192.0.2.1/
	[[ $output == *403* ]]
	[ "$(cat "$DIR/up.log")" = "CONNECT only-there.test:$SERVER_PORT HTTP/1.1" ]
	grep '"event":"close".*only-there' "$DIR/audit" | grep -q "\"via\":\"127.0.0.1:$UPSTREAM_PORT\""
	up=$(grep '"event":"close".*only-there' "$DIR/audit" | jq .up)
	[ "$up" -lt 120 ] # what was said to the proxy is not counted
}

@test "names behind no-upstream-proxy are reached directly, with all below them" {
	upstream open '' "$(printf 'no-upstream-proxy .test\nallow host.test:%s loopback raw' "$SERVER_PORT")"
	serve
	run -0 fetch -p "http://host.test:$SERVER_PORT/"
	[ "$output" = "hello from the lab" ]
	[ ! -e "$DIR/up.log" ]
}

@test "user and password reach the proxy and nobody else; without them it is said what is missing" {
	upstream auth
	serve
	run ! fetch -p "http://only-there.test:$SERVER_PORT/"
	grep -q '"error":"the upstream proxy answered 407: it wants a user and a password' "$DIR/audit"
	kill -TERM "$BROKER"
	wait "$BROKER"
	exec 5<&-
	upstream auth 'user:pa%20ss@' || rm "$DIR/up-auth"
	serve
	run -0 fetch -p "http://only-there.test:$SERVER_PORT/"
	run ! grep -rlE 'pa ss|pa%20ss|dXNlcjpw' "$DIR/audit"
	run ! grep -aE 'pa ss|pa%20ss|dXNlcjpw' "/proc/$BROKER/cmdline" "/proc/$WORKER/cmdline" "/proc/$RESOLVER/cmdline"
}

@test "a proxy that refuses, talks nonsense or never ends its head makes the host unreachable, and says why" {
	for how in refuse garbage endless; do
		upstream "$how"
		serve
		run ! fetch -p "http://only-there.test:$SERVER_PORT/"
		case $how in
		refuse) why="the upstream proxy answered 403" ;;
		garbage) why="the upstream proxy's answer is not HTTP" ;;
		endless) why="the upstream proxy's answer has no end" ;;
		esac
		grep -q "\"reason\":\"unreachable\".*\"error\":\"$why\"" "$DIR/audit"
		kill -TERM "$BROKER"
		wait "$BROKER"
		exec 5<&-
	done
}

@test "bytes that come right behind the proxy's head belong to the client" {
	upstream early
	serve
	exec 7<>"/dev/tcp/${PROXY%:*}/${PROXY##*:}"
	printf 'CONNECT only-there.test:%s HTTP/1.1\r\nHost: only-there.test:%s\r\n\r\n' "$SERVER_PORT" "$SERVER_PORT" >&7
	timeout 10 grep -q "^hello before you ask$" <&7
}

@test "a second, different proxy and a bad URL are errors with their place" {
	upstream open '' 'upstream-proxy http://proxy.test:1'
	run -2 env -i "$EGRESS" serve --listen 127.0.0.1:0 --rules "$DIR/rules"
	[[ $output == *"$DIR/rules:4:16: there is another upstream proxy"* ]]
	for url in https://a.test:1 http://a.test http://a.test:0 http://:1 'http://u%zz@a.test:1'; do
		echo "upstream-proxy $url" >"$DIR/rules"
		run -2 env -i "$EGRESS" serve --listen 127.0.0.1:0 --rules "$DIR/rules"
		[[ $output == *"$DIR/rules:1:"* ]]
	done
}
