# shellcheck shell=bash disable=SC2154 # sourced by rig.sh after lib.sh
# drydock run --engine docker itself, with the compose generation that ENGINE_COMPOSE names (a plugin's path, or "").
# What each session printed goes to $RIG/NAME.out and NAME.err, its exit code to NAME.rc.
set +e
export HOME=/run/home XDG_RUNTIME_DIR=/run/xdg
mkdir -p "$HOME/.docker/cli-plugins" /run/shop/.git/hooks /run/xdg "$RIG/share/drydock"
chmod 700 /run/xdg
cp -r "$RIG/compose" "$RIG/share/drydock/"
plugin=$(cat "$RIG/plugin")
[ -z "$plugin" ] || ln -s "$plugin" "$HOME/.docker/cli-plugins/docker-compose"
cd /run/shop || exit 1
echo '#!/bin/sh' >.git/hooks/pre-commit

# session NAME OPTION... -- COMMAND...: stdin is the function's own
session() {
	local name=$1
	shift
	timeout 60 "$RIG/bin/drydock" run --image drydock-agent:latest "$@" >"$RIG/$name.out" 2>"$RIG/$name.err"
	echo $? >"$RIG/$name.rc"
	docker ps -a --format '{{.Names}}' >"$RIG/$name.left"
}
contained() {
	local name=$1
	shift
	session "$name" --engine docker -a allowed.test "$@"
}
probe='curl -sS --cacert /ca.pem https://allowed.test/; curl -sS --cacert /ca.pem https://evil.test/ || echo denied
	curl -sS --cacert /ca.pem https://93.184.216.66/ || echo literal'

contained bridge -- bash -c "$probe; id; exit 42" </dev/null
session sealed --engine docker --topology sealed -a allowed.test -- bash -c "$probe; unset https_proxy HTTPS_PROXY
	curl -sS --cacert /ca.pem https://allowed.test/; exit 43" </dev/null
echo 'typed into it' | contained piped -- cat
git init -q /run/common && touch /run/common/beside && git -C /run/common -c user.name=n -c user.email=e@example commit -q --allow-empty -m first
git -C /run/common worktree add -q /run/tree
cd /run/tree || exit 1
contained worktree -- bash -c 'cat .git; echo x >/run/common/.git/refs/made && echo wrote; echo x >>/run/common/.git/config || echo kept
	echo x >/run/common/.git/hooks/post-commit || echo kept; [ -e /run/common/beside ] && echo SEEN' </dev/null
cp /run/common/.git/config "$RIG/worktree.config"
# git outside replaces the file, and the mount over it is gone: what the command writes then does not stay.
cd /run/common || exit 1
contained replaced -- bash -c 'until [ -e go ]; do sleep 0.05; done; for i in 1 2 3; do
	echo "[core] fsmonitor = bad" >>.git/config && echo wrote; sleep 0.3; done; echo evil >.envrc; sleep 0.3; [ -e .envrc ] || echo moved' </dev/null &
timeout 30 bash -c "until docker ps --filter label=dev.drydock.role=agent --format x | grep -q x; do sleep 0.05; done; sleep 0.5"
git config remote.origin.url https://git.example/a
sleep 0.3
touch go
wait $!
cp .git/config "$RIG/replaced.config"
cd /run/shop || exit 1
contained missing -- no-such-command </dev/null
contained protected -- bash -c 'echo evil >>.git/hooks/pre-commit || echo kept; echo x >made
	python3 -c "import os; os.rename(\".git\", \"other\")" || echo pinned' </dev/null
# shellcheck disable=SC2016 # for compose, which must leave it alone
contained odd -e 'ODD=$HOME ${PATH:?x} $$' -- bash -c 'printf "%s|%s\n" "$ODD" "$1"' sh '$HOME ${X:?y}' </dev/null
contained timeout --timeout 2s -- sleep 60 </dev/null
session dood --mode dood -- bash -c 'cat /proc/net/dev; env; [ -S /var/run/docker.sock ] && echo SOCKET' </dev/null
cp "$HOME"/.local/state/drydock/sessions/shop-*/audit.jsonl "$RIG/" 2>/dev/null

# Signals and kills, each against a session that sleeps.
sleeper() { # NAME: leaves its pid in $pid once the agent runs
	"$RIG/bin/drydock" run -q --engine docker --image drydock-agent:latest --name "$1" -a allowed.test -- \
		bash -c 'echo up; sleep 300' </dev/null >"$RIG/$1.out" 2>"$RIG/$1.err" &
	pid=$!
	timeout 30 bash -c "until grep -qs up '$RIG/$1.out'; do sleep 0.05; done"
}
finish() { # NAME: how it ended, and what is left
	timeout 30 tail --pid="$pid" -f /dev/null
	wait "$pid"
	echo $? >"$RIG/$1.rc"
	docker ps -a --format '{{.Names}}' >"$RIG/$1.left"
}
sleeper term
kill -TERM "$pid"
finish term
sleeper agentless
docker rm -f "$(docker ps -q --filter label=dev.drydock.role=agent)" >/dev/null
finish agentless
sleeper headless
docker rm -f "$(docker ps -q --filter label=dev.drydock.role=egress)" >/dev/null
timeout 10 bash -c "until grep -qs 'sidecar ended' '$RIG/headless.err'; do sleep 0.05; done"
agent=$(docker ps --filter label=dev.drydock.role=agent --format '{{.Names}}')
docker exec "$agent" curl -sS -m 3 --cacert /ca.pem https://allowed.test/ >"$RIG/headless.curl" 2>&1
echo "rc=$?" >>"$RIG/headless.curl"
kill -TERM "$pid"
finish headless

# A signal while the session is still being made.
"$RIG/bin/drydock" run -q --engine docker --image drydock-agent:latest --name early -- sleep 300 </dev/null >"$RIG/early.out" 2>&1 &
pid=$!
timeout 30 bash -c "until docker ps -a --format '{{.Names}}' | { read -r n && [ \"\$n\" ]; }; do sleep 0.02; done"
kill -TERM "$pid"
finish early

# A network that is wrong is refused, and nothing is started.
docker network rm drydock_internal >/dev/null
docker network create drydock_internal >/dev/null
contained open-network -- true </dev/null
docker network rm drydock_internal >/dev/null
docker network create --internal drydock_internal >/dev/null
contained gateway -- true </dev/null
docker network rm drydock_internal >/dev/null
contained again -- bash -c 'echo fine' </dev/null
docker network inspect -f '{{.Internal}} {{.Options}}' drydock_internal >"$RIG/network"

# The image is made when it is missing, and only when it is needed.
docker rmi -f drydock-egress:latest >/dev/null
session dood-no-image --mode dood -- bash -c 'echo fine' </dev/null
docker image inspect drydock-egress:latest >"$RIG/image.dood" 2>&1
contained rebuilt -- bash -c 'echo fine' </dev/null
docker image inspect -f '{{.Id}}' drydock-egress:latest >"$RIG/image.contain"

# From the command to the agent's first line, networks and image present; five times, the best counts on a shared machine.
for _ in 1 2 3 4 5; do
	start=$EPOCHREALTIME
	# shellcheck disable=SC2016 # for the shell inside
	end=$("$RIG/bin/drydock" run -q --engine docker --image drydock-agent:latest -- bash -c 'echo $EPOCHREALTIME' </dev/null)
	echo "$start $end"
done >"$RIG/times"

# The command line is killed: agent and sidecar run on, gc leaves them; stop ends them. Then the agent ends by itself first.
gc() { "$RIG/bin/drydock" gc "$@"; }
sleeper orphan
kill -KILL "$pid"
wait "$pid"
gc >"$RIG/gc.live" 2>&1
docker ps --format '{{.Names}}' >"$RIG/gc.live.left"
id=$(docker ps --filter label=dev.drydock.role=agent --format '{{.Label "dev.drydock.session"}}')
"$RIG/bin/drydock" stop "$id" >"$RIG/stop.out" 2>&1
echo $? >"$RIG/orphan.rc"
docker ps -a --format '{{.Names}}' >"$RIG/orphan.left"
sleeper ended
kill -KILL "$pid"
wait "$pid"
docker kill "$(docker ps -q --filter label=dev.drydock.role=agent)" >/dev/null
gc -n >"$RIG/gc.dry" 2>&1
docker ps --format '{{.Names}}' >"$RIG/gc.dry.left"
gc >"$RIG/gc.ended" 2>&1
docker ps -a --format '{{.Names}}' >"$RIG/gc.ended.left"
ls "$HOME"/.local/state/drydock/sessions/ended-* >"$RIG/gc.folder"

# Both images, without a network: the agent's is built on the root file system of the rig.
mkdir -p "$RIG/share/drydock/docker"
cp "$RIG/Dockerfile" "$RIG/share/drydock/docker/"
docker rmi -f drydock-egress:latest >/dev/null
"$RIG/bin/drydock" build --egress >"$RIG/build.egress" 2>&1
docker image inspect -f '{{.Id}} {{.Size}}' drydock-egress:latest >"$RIG/build.id"
"$RIG/bin/drydock" build --agent --base drydock-agent:latest --packages '' --image mine:1 >"$RIG/build.agent" 2>&1
echo $? >"$RIG/build.rc"
timeout 60 "$RIG/bin/drydock" run --engine docker --image mine:1 -q -- bash -c 'echo built' </dev/null >"$RIG/built.out" 2>"$RIG/built.err"

# One more command in a session that runs, a shell, and a session in the background.
sleeper joined
id=$(docker ps --filter label=dev.drydock.role=agent --format '{{.Label "dev.drydock.session"}}')
# shellcheck disable=SC2016 # for the shell inside
"$RIG/bin/drydock" exec -e 'ODD=a b$c' "$id" -- bash -c 'echo "$ODD"; cat /proc/self/status
	curl -sS --cacert /ca.pem https://allowed.test/; pwd; exit 7' </dev/null >"$RIG/exec.out" 2>"$RIG/exec.err"
echo $? >"$RIG/exec.rc"
echo 'echo from the shell; exit 5' | "$RIG/bin/drydock" shell "$id" >"$RIG/shell.out" 2>&1
echo $? >"$RIG/shell.rc"
"$RIG/bin/drydock" ls >"$RIG/ls" 2>&1
"$RIG/bin/drydock" allow --session "$id" other.test >"$RIG/allow" 2>&1
echo $? >"$RIG/allow.rc"
"$RIG/bin/drydock" stop "$id" >"$RIG/stopped" 2>&1
finish joined
detached=$("$RIG/bin/drydock" run -d -q --engine docker --image drydock-agent:latest -- sleep 300 </dev/null 2>"$RIG/detached.err")
echo "$detached" >"$RIG/detached"
"$RIG/bin/drydock" stop "$detached" >>"$RIG/detached" 2>&1
docker ps -a --format '{{.Names}}' >"$RIG/detached.left"
"$RIG/bin/drydock" run --engine docker --publish 3000 -- true >"$RIG/publish" 2>&1
true
"$RIG/bin/drydock" doctor >"$RIG/doctor" 2>&1
docker network rm drydock_internal >/dev/null
docker network create drydock_internal >/dev/null
"$RIG/bin/drydock" doctor >"$RIG/doctor.wrong" 2>&1
true

# An ordinary user who may open the socket: agent and sidecar are that user, not root.
docker network rm drydock_internal >/dev/null
chmod 666 /run/docker.sock
mkdir -p /run/u/{home/.docker/cli-plugins,shop,xdg}
[ -z "$plugin" ] || ln -s "$plugin" /run/u/home/.docker/cli-plugins/docker-compose
chown -R 60123:60123 /run/u
chmod 700 /run/u/xdg /run/u/home
chmod -R a+rX "$RIG"
cd /run/u/shop || exit 1
for topology in bridge sealed; do
	setpriv --reuid 60123 --regid 60123 --clear-groups env -i PATH=/usr/bin:/bin HOME=/run/u/home XDG_RUNTIME_DIR=/run/u/xdg \
		DOCKER_HOST=unix:///run/docker.sock timeout 60 "$RIG/bin/drydock" run --engine docker --topology "$topology" \
		--image drydock-agent:latest -a allowed.test -- bash -c "$probe; id -u; echo x >made-$topology; exit 9" </dev/null \
		>"$RIG/user-$topology.out" 2>"$RIG/user-$topology.err"
	echo $? >"$RIG/user-$topology.rc"
	docker ps -a --format '{{.Names}}' >"$RIG/user-$topology.left"
	stat -c %u "made-$topology" >"$RIG/user-$topology.owner"
done
true
