#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# run --publish and --detach: a session's port for the user's machine; a session in the background

load helpers

setup_file() {
	lay_out
	export TOP PREFIX
	export PERSONA_LIST="${PERSONAS[*]}"
}
teardown_file() { clear_away; }
setup() { read -ra PERSONAS <<<"$PERSONA_LIST"; }
teardown() { [ -z "${ID:-}" ] || drydock stop --time 1s "$ID" >/dev/null 2>&1 || true; }

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

fetch() { as curl -sS --noproxy '*' --max-time 10 "$@"; }

published() {
	local port other
	port=$(free_port)
	other=$(free_port)
	expect 0 drydock run -q --detach --no-net --publish "$port:8000" -- sh -c 'echo from inside >index.html; python3 -m http.server -b 127.0.0.1 8000' || return 1
	ID=$out
	until fetch "http://127.0.0.1:$port/index.html" >"$TOP/page" 2>/dev/null; do drydock ls -q | grep -q "$ID" || return 1; done
	[ "$(cat "$TOP/page")" = "from inside" ] || return 1
	# many at once, and large: bytes are neither lost nor mixed
	head -c 3000000 /dev/urandom >"$PROJECT/big" && chmod 644 "$PROJECT/big"
	local sum pids=()
	sum=$(sha256sum <"$PROJECT/big")
	for i in 1 2 3 4 5 6; do
		(fetch "http://127.0.0.1:$port/big" | sha256sum >"$TOP/sum$i") &
		pids+=($!)
	done
	wait "${pids[@]}"
	for i in 1 2 3 4 5 6; do [ "$(cat "$TOP/sum$i")" = "$sum" ] || return 1; done
	# only that port leads in, and only 127.0.0.1 of this machine listens
	expect 7 fetch "http://127.0.0.1:$other/" || return 1
	[ "$(ss -Hltn "sport = :$port" | awk '{print $4}')" = "127.0.0.1:$port" ] || return 1
	expect 125 drydock run -q --no-net --publish "$port" -- true || return 1
	has "$err" "publishing port $port of this machine: Address already in use" || return 1
	has "$err" "fix:" || return 1
	drydock stop "$ID" >/dev/null || return 1
	expect 7 fetch "http://127.0.0.1:$port/" # the port is given back
}
@test "C-36 a published port of a session is reached from 127.0.0.1, and nothing else of it" { each published; }

# The client ends its half first and reads only when the server has closed: small buffers keep the rest on its way.
last_bytes() {
	local port
	port=$(free_port)
	expect 0 drydock run -q --detach --no-net --publish "$port:8000" -- python3 -c '
import os, socket
s = socket.create_server(("127.0.0.1", 8000))
open("up", "w").close()
c, _ = s.accept()
while c.recv(100): pass
c.sendall(b"x" * 120000)
c.close()
open("closed", "w").close()
s.accept()' || return 1
	ID=$out
	expect 0 as timeout 50 python3 -c "
import os, socket
while not os.path.exists('up'): os.sched_yield()
c = socket.socket()
c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
c.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
c.connect(('127.0.0.1', $port))
c.sendall(b'?')
c.shutdown(socket.SHUT_WR)
while not os.path.exists('closed'): os.sched_yield()
n = 0
while True:
    got = c.recv(1000)
    if not got: break
    n += len(got)
print(n)" || return 1
	[ "$out" = 120000 ] || return 1
	drydock stop "$ID" >/dev/null || return 1
	rm -f up closed
}
@test "C-36 a published port passes on the last bytes of a connection that is closed already" { each last_bytes; }

the_way_out_stays_shut() {
	local port
	port=$(free_port)
	expect 0 drydock run -q --no-net --publish "$port" -- python3 -c "
import socket
s = socket.socket()
try:
    s.connect(('127.0.0.1', $port))
    print('REACHED')
except OSError as e:
    print('refused', e.errno)" || return 1
	has "$out" "refused 111"
}
@test "C-36 from inside the published port leads nowhere but to the session itself" { each the_way_out_stays_shut; }

in_background() {
	expect 0 drydock run --detach --no-net -- sh -c 'echo to the file; echo and this >&2; exec sleep 100' || return 1
	ID=$out
	has "$err" "session $ID" || return 1
	until grep -q "and this" "$SESSIONS/$ID/output.log"; do drydock ls -q | grep -q "$ID" || return 1; done
	grep -q "to the file" "$SESSIONS/$ID/output.log" || return 1
	expect 0 drydock exec "$ID" true || return 1
	expect 0 drydock stop "$ID" || return 1
	expect 6 drydock exec "$ID" true || return 1
	expect 127 drydock run --detach --no-net -- no-such-program || return 1
	expect 125 drydock run --detach --no-net -C /no/such/place -- true || return 1
	expect 2 drydock run --detach --no-net --publish 0 -- true || expect 125 drydock run --detach --no-net --publish 0 -- true || return 1
	has "$err" "--publish takes PORT"
}
@test "a session in the background writes to its file, is joined and stopped; one that cannot start says why" { each in_background; }

newest_output() {
	expect 0 drydock run --detach --no-net -- sh -c 'echo first; head -c 20000000 /dev/zero | tr "\0" x; echo; echo last >&2; exec sleep 100' || return 1
	ID=$out
	local log=$SESSIONS/$ID/output.log
	until tail -c 5 "$log" | grep -qx last; do drydock ls -q | grep -q "$ID" || return 1; done
	[ "$(stat -c %s "$log")" -le 8388608 ] && [ "$(stat -c %s "$log.1")" -le 8388608 ] || return 1
	[ "$(cat "$log" "$log.1" | wc -c)" -gt 8388608 ] || return 1
	run grep -q first "$log" "$log.1"
	[ "$status" -eq 1 ] || return 1
	[ "$(find "$SESSIONS/$ID" -name 'output.log*' | wc -l)" -eq 2 ] || return 1
	drydock stop "$ID" >/dev/null
}
@test "of a background session's output the newest megabytes are kept" { each newest_output; }
