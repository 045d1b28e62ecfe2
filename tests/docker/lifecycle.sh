# shellcheck shell=bash disable=SC2154 # sourced by rig.sh after lib.sh
# drydock's own sessions when something is killed: the command line, a container, the daemon. Results in $RIG/l.*
set +e
export HOME=/run/home XDG_RUNTIME_DIR=/run/xdg
mkdir -p "$HOME" /run/shop /run/xdg "$RIG/share/drydock"
chmod 700 /run/xdg
cp -r "$RIG/compose" "$RIG/share/drydock/"
[ -z "${RIG_COMPOSE_V2:-}" ] || {
	mkdir -p "$HOME/.docker/cli-plugins"
	ln -s "$RIG_COMPOSE_V2" "$HOME/.docker/cli-plugins/docker-compose"
}
cd /run/shop || exit 1
dd() { timeout 60 "$RIG/bin/drydock" "$@"; }

start() { # NAME TOPOLOGY: leaves the pid of the command line in $pid, the session's id in $id
	"$RIG/bin/drydock" run -q --engine docker --topology "$2" --image drydock-agent:latest --name "$1" -a allowed.test:80 -- \
		bash -c 'echo up; sleep 300' </dev/null >"$RIG/l.$1.out" 2>"$RIG/l.$1.err" &
	pid=$!
	timeout 30 bash -c "until grep -qs up '$RIG/l.$1.out'; do sleep 0.05; done" || cat "$RIG/l.$1.err"
	id=$(docker ps --filter label=dev.drydock.role=agent --format '{{.Label "dev.drydock.session"}}' | grep "^$1")
}

gone() { # waits for the command line
	timeout 30 tail --pid="$pid" -s 0.05 -f /dev/null
	wait "$pid"
	echo $? >"$RIG/l.$1.rc"
}

left() { # FILE: containers, and networks beside the shared pair
	docker ps -a --format '{{.Names}} {{.State}}' >"$RIG/l.$1"
	docker network ls --format '{{.Name}}' | grep '^drydock' | grep -vE '^drydock_(internal|egress)$' >>"$RIG/l.$1"
	find "$XDG_RUNTIME_DIR" -mindepth 2 -maxdepth 2 -type d >>"$RIG/l.$1" # runtime folders of sessions
}

for topology in bridge sealed; do
	# One more command, with the agent's rights and way out; and a shell.
	start "more$topology" "$topology"
	{
		OWN=passed dd exec "$id" -e OWN -e SET=given -- bash -c 'echo "$OWN $SET"; curl -sS http://allowed.test/
			curl -sS -o /dev/null -w "%{http_code}\n" http://evil.test/; cat /proc/self/status; exit 7'
		echo "rc=$?"
		echo typed in | dd exec "$id" -- cat
		dd exec "$id" -- no-such-command
		echo "rc=$?"
		echo 'echo shell $((40 + 2))' | dd shell "$id"
		dd ls
	} >"$RIG/l.more$topology.exec" 2>&1
	dd stop "$id" >/dev/null 2>&1
	gone "more$topology"
	left "more$topology.left"

	# The command line is killed: the session goes on as contained as before, and gc leaves a live agent alone.
	start "cli$topology" "$topology"
	kill -9 "$pid"
	gone "cli$topology"
	docker exec "drydock-$id" bash -c 'RES_OPTIONS="timeout:1 attempts:1" python3 /probe.py only=direct;
		curl -sS -m 5 http://allowed.test/; curl -sS -m 5 -o /dev/null -w "%{http_code}\n" http://evil.test/' \
		>"$RIG/l.cli$topology.probe" 2>&1
	dd gc >"$RIG/l.cli$topology.gc" 2>&1
	docker ps --format '{{.Names}}' >"$RIG/l.cli$topology.alive"
	# The agent ends by itself: now nothing protects its sidecar.
	docker kill "drydock-$id" >/dev/null
	dd gc -n >"$RIG/l.cli$topology.dry" 2>&1
	dd gc >"$RIG/l.cli$topology.gc2" 2>&1
	left "cli$topology.left"

	# Killed again, and stopped by name.
	start "stop$topology" "$topology"
	kill -9 "$pid"
	gone "stop$topology"
	dd stop "$id" >"$RIG/l.stop$topology.stop" 2>&1
	echo "rc=$?" >>"$RIG/l.stop$topology.stop"
	dd gc >/dev/null 2>&1
	left "stop$topology.left"

	# The sidecar is missing already: stop does not mind.
	start "bare$topology" "$topology"
	docker rm -f "drydock-$id-egress" >/dev/null
	dd stop "$id" >"$RIG/l.bare$topology.stop" 2>&1
	echo "rc=$?" >>"$RIG/l.bare$topology.stop"
	gone "bare$topology"
	left "bare$topology.left"
done

# The holder is removed: the sidecar has its sockets and serves on; then the sidecar is removed too.
start holder sealed
docker rm -f "drydock-$id-net" >/dev/null
docker exec "drydock-$id" bash -c 'RES_OPTIONS="timeout:1 attempts:1" python3 /probe.py only=direct;
	curl -sS -m 5 http://allowed.test/; curl -sS -m 5 -o /dev/null -w "%{http_code}\n" http://evil.test/' \
	>"$RIG/l.holder.probe" 2>&1
docker rm -f "drydock-$id-egress" >/dev/null
docker exec "drydock-$id" curl -sS -m 3 http://allowed.test/ >"$RIG/l.holder.curl" 2>&1
echo "rc=$?" >>"$RIG/l.holder.curl"
dd stop "$id" >/dev/null 2>&1
gone holder
left holder.left

# The daemon ends, and comes back.
start daemon bridge
kill -TERM "$(cat /run/docker.pid)"
gone daemon
timeout 30 bash -c 'while [ -e /run/docker.pid ]; do sleep 0.05; done'
start_dockerd "$RIG"
docker ps --format '{{.Names}}' >"$RIG/l.daemon.running"
dd gc >"$RIG/l.daemon.gc" 2>&1
left daemon.left
cp "$RIG/hits.log" "$RIG/l.hits"
exit 0
