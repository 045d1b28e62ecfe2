# shellcheck shell=bash disable=SC2034
# A proxy in front of a server on loopback, for tests of drydock-egress serve.

setup() {
	EGRESS=${DRYDOCK_BUILD:-$BATS_TEST_DIRNAME/../../build}/drydock-egress
	DIR=$BATS_TEST_TMPDIR
	PIDS=()
	mkfifo "$DIR/server" "$DIR/err"
	env -i PATH="$PATH" python3 -c '
import http.server
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"hello from the lab\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print(s.server_port, flush=True)
s.serve_forever()' >"$DIR/server" 3>&- &
	PIDS+=($!)
	disown $!
	read -r -t 10 SERVER_PORT <"$DIR/server"
	printf '127.0.0.1 host.test other.test\n' >"$DIR/hosts"
	printf 'allow host.test:%s loopback raw\nallow 127.0.0.1:%s raw\ndeny other.test\n' \
		"$SERVER_PORT" "$SERVER_PORT" >"$DIR/rules"
}

teardown() {
	exec 5<&-
	for p in "${PIDS[@]}"; do
		kill -9 "$p" 2>/dev/null || true
		wait "$p" 2>/dev/null || true
	done
}

# Starts the proxy and waits for the line that says where it listens.
serve() {
	env -i "$EGRESS" serve --listen 127.0.0.1:0 --rules "$DIR/rules" --audit "$DIR/audit" \
		--hosts "$DIR/hosts" --resolver 127.0.0.1:9 --session t-1 "$@" 2>"$DIR/err" 3>&- &
	BROKER=$!
	PIDS+=("$BROKER")
	exec 5<"$DIR/err"
	read -r -t 10 -u 5 LINE
	[[ $LINE == 'drydock-egress: listening on 127.0.0.1:'* ]] || return 1
	PROXY=${LINE##* }
	find_peers
}

# The broker's children, in the order it starts them.
find_peers() {
	local children
	children=$(<"/proc/$BROKER/task/$BROKER/children")
	read -r WORKER RESOLVER OPENER <<<"$children"
}

fetch() {
	env -i PATH="$PATH" curl -sS --max-time 20 --noproxy '' -x "http://$PROXY" "$@"
}

is_gone() {
	timeout 10 tail --pid="$1" -s 0.02 -f /dev/null
}

port_is_closed() {
	! (exec 6<>"/dev/tcp/${PROXY%:*}/${PROXY##*:}") 2>/dev/null
}
