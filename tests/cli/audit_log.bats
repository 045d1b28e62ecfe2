#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The audit log as evidence: every change is found, it stays bounded, a full disk stops nothing

bats_require_minimum_version 1.5.0
load egress_helpers

# A log of some refusals, ended in order.
make_log() {
	serve "$@"
	for host in a b c d e; do
		fetch -p -o /dev/null "https://$host.test/" 2>/dev/null || true
	done
	kill -TERM "$BROKER"
	wait "$BROKER"
	exec 5<&-
}

verify() {
	env -i HOME="$DIR" "${EGRESS%-egress}" log --verify "$@"
}

is_broken() {
	run -3 verify "$DIR/changed"
	[[ $output == *": BROKEN"* ]]
	[[ $output == *"changed:$1: "* ]]
}

@test "C-30 an intact log is told from one that was edited, cut, shortened, reordered or added to" {
	make_log
	run -0 verify "$DIR/audit"
	[[ $output == *": intact, 8 records"* ]]
	[[ $output != *"not sealed"* ]]
	sed '3s/b\.test/x.test/' "$DIR/audit" >"$DIR/changed" # shows in the next line
	is_broken 4
	sed 4d "$DIR/audit" >"$DIR/changed"
	is_broken 4
	sed 1d "$DIR/audit" >"$DIR/changed"
	is_broken 1
	awk 'NR == 3 { held = $0; next } { print } NR == 4 { print held }' "$DIR/audit" >"$DIR/changed"
	is_broken 3
	sed '2p' "$DIR/audit" >"$DIR/changed"
	is_broken 3
	sed '5s/^/{"v":1}\n/' "$DIR/audit" >"$DIR/changed"
	is_broken 5
	sed '7s/asked to end/the worker ended/' "$DIR/audit" >"$DIR/changed" # the last that says something
	is_broken 8
	sed '8s/"time":"2/"time":"3/' "$DIR/audit" >"$DIR/changed" # the seal says nothing of its own
	is_broken 8
	for n in 6 7; do
		head -n $n "$DIR/audit" >"$DIR/changed" # a cut tail is no break, but it is said
		run -0 verify "$DIR/changed"
		[[ $output == *"$n records"*"not sealed: "* ]]
	done
	head -c -20 "$DIR/audit" >"$DIR/changed"
	run -0 verify "$DIR/changed"
	[[ $output == *"not sealed: "* ]]
}

@test "C-30 a log whose egress was killed is not sealed, and says so" {
	serve
	fetch -p -o /dev/null "https://a.test/" 2>/dev/null || true
	kill -9 "$BROKER"
	wait "$BROKER" || true
	run -0 verify "$DIR/audit"
	[[ $output == *"not sealed: "* ]]
	run -0 --separate-stderr env -i HOME="$DIR" "${EGRESS%-egress}" log --verify --json "$DIR/audit"
	[ "$(jq -r .result <<<"$output")" = unsealed ]
}

# Enough refusals, over one connection, to fill a log several times.
flood() {
	env -i PATH="$PATH" python3 -c '
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
for i in range(int(sys.argv[2])):
    with socket.create_connection((host, int(port))) as s:
        s.sendall(b"CONNECT n%d.test:443 HTTP/1.1\r\nHost: n%d.test:443\r\n\r\n" % (i, i))
        s.recv(64)' "$PROXY" "$1"
}

@test "C-31 a flood cannot wash away how a session began, nor fill the disk, and the chain holds over the files" {
	serve --audit-bytes 65536
	flood 1500
	kill -TERM "$BROKER"
	wait "$BROKER"
	[ -s "$DIR/audit" ] && [ -s "$DIR/audit.1" ] && [ -s "$DIR/audit.2" ] && [ -s "$DIR/audit.3" ]
	[ "$(cat "$DIR"/audit "$DIR"/audit.? | wc -c)" -le $((4 * 65536)) ]
	head -n 1 "$DIR/audit" | grep -q '"event":"start"'
	grep -q '"name":"n0.test"' "$DIR/audit"
	grep -q '"name":"n1499.test"' "$DIR"/audit.?
	run -0 verify "$DIR/audit"
	[[ $output == *"written over at its size limit"* ]]
	[[ $output != *"not sealed"* ]]
	newest=$(grep -l '"event":"end"' "$DIR"/audit.?)
	for file in "$DIR"/audit.?; do # one of the files exchanged, or gone, is found
		cp "$file" "$DIR/kept"
		sed -i 5d "$file"
		run -3 verify "$DIR/audit"
		cp "$DIR/kept" "$file"
	done
	for file in "$DIR"/audit.?; do
		[ "$file" != "$newest" ] || continue
		mv "$file" "$DIR/kept"
		run -3 verify "$DIR/audit"
		mv "$DIR/kept" "$file"
	done
	run -0 verify "$DIR/audit"
}

@test "C-30 a log that turns to other files while it is read is not called broken" {
	serve --audit-bytes 65536
	flood 2500 &
	flooding=$!
	n=0
	while kill -0 "$flooding" 2>/dev/null; do
		run verify "$DIR/audit"
		[ "$status" -eq 0 ] || [[ $status -eq 1 && $output == *"faster than it is read"* ]] || {
			echo "$output"
			kill "$flooding"
			return 1
		}
		n=$((n + 1))
	done
	wait "$flooding"
	[ "$n" -gt 5 ]
	kill -TERM "$BROKER"
	wait "$BROKER"
	run -0 verify "$DIR/audit"
}

@test "C-30 a hash that was kept elsewhere tells a log that was written anew" {
	make_log
	run -0 verify "$DIR/audit"
	head=$(sed -n 's/^  last hash //p' <<<"$output")
	run -0 verify "$DIR/audit" --head "$head"
	run -3 verify "$DIR/audit" --head "${head//[0-9]/0}"
	[[ $output == *"no line has the hash that was kept"* ]]
	run -2 verify "$DIR/audit" --head nonsense
}

@test "C-31 a log that was turned is continued by the next run" {
	for i in 1 2; do
		serve --audit-bytes 65536
		flood 300
		kill -TERM "$BROKER"
		wait "$BROKER"
		exec 5<&-
	done
	run -0 verify "$DIR/audit"
	[ "$(grep -h '"event":"start"' "$DIR"/audit "$DIR"/audit.? | wc -l)" -eq 2 ]
}

@test "C-32 a full disk stops no decision; the gap is said and counted, and the chain goes on behind it" {
	[ "$(id -u)" -eq 0 ] || unshare -Ur true || skip "no user namespace to mount a small disk in"
	mkdir "$DIR/disk"
	: >"$DIR/said"
	# shellcheck disable=SC2016 # expanded inside
	run -0 unshare -Urm env DIR="$DIR" EGRESS="$EGRESS" SERVER_PORT="$SERVER_PORT" PATH="$PATH" bash -euc '
		mount -t tmpfs -o size=64k disk "$DIR/disk"
		"$EGRESS" serve --listen 127.0.0.1:0 --rules "$DIR/rules" --hosts "$DIR/hosts" --resolver 127.0.0.1:9 \
			--audit "$DIR/disk/audit" 2>"$DIR/said" &
		egress=$!
		until grep -q "listening on" "$DIR/said"; do sleep 0.02; done
		proxy=$(sed -n "s/.*listening on //p" "$DIR/said")
		dd if=/dev/zero of="$DIR/disk/filler" 2>/dev/null || true
		for i in $(seq 40); do
			curl -s --noproxy "" -x "http://$proxy" "http://n$i.test/" -o /dev/null -w "%{http_code}\n"
		done | sort -u
		curl -s --noproxy "" -x "http://$proxy" "http://host.test:$SERVER_PORT/"
		rm "$DIR/disk/filler"
		curl -s --noproxy "" -x "http://$proxy" http://after.test/ -o /dev/null
		kill "$egress"
		wait "$egress"
		"${EGRESS%-egress}" log --verify "$DIR/disk/audit"
		grep -c "cannot be written" "$DIR/said"
		grep -q "\"event\":\"gap\",\"lost\":" "$DIR/disk/audit"
		grep -q "after.test" "$DIR/disk/audit"'
	[ "${lines[0]}" = 403 ] || { echo "$output" >&2; false; }
	[ "${lines[1]}" = "hello from the lab" ]
	[[ $output == *"intact"*"lost while it could not be written"* ]]
	[ "${lines[-1]}" = 1 ]
}
