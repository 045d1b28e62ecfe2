# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by rig.sh: sessions made of plain docker commands, as drydock's compose files describe them.

hardened=(--cap-drop ALL --security-opt no-new-privileges)
agent_caps=(--cap-add CHOWN --cap-add DAC_OVERRIDE --cap-add FOWNER --cap-add SETUID --cap-add SETGID --cap-add KILL)
egress=("${hardened[@]}" --user 65534:65534 --read-only --tmpfs "/run:uid=65534,gid=65534,mode=0700"
	--tmpfs "/tmp:uid=65534,gid=65534,mode=0700" --stop-timeout 1 --label dev.drydock.role=egress)

networks() {
	docker network create --internal -o com.docker.network.bridge.inhibit_ipv4=true \
		-o com.docker.network.bridge.gateway_mode_ipv4=isolated --subnet 172.30.0.0/24 drydock_internal >/dev/null
	docker network create -o com.docker.network.bridge.enable_icc=false --subnet 172.31.0.0/24 drydock_egress >/dev/null
}

# The session's two folders: policy, read-only in the sidecar, and what the sidecar writes.
session_dir() { # DISC
	mkdir -p "/run/s/$1"/{policy,out}
	printf 'allow allowed.test:80,443\nallow rebind.test:80\n' >"/run/s/$1/policy/allow"
	chown 65534:65534 "/run/s/$1/out"
	chmod 755 /run/s "/run/s/$1" "/run/s/$1/policy"
}

wait_healthy() { # CONTAINER
	for _ in $(seq 100); do
		! docker exec "$1" /drydock-egress health 2>/dev/null || return 0
		[ "$(docker inspect -f '{{.State.Running}}' "$1")" = true ] || break
		sleep 0.05
	done
	docker logs "$1" >&2
	return 1
}

bridge_sidecar() { # DISC
	session_dir "$1"
	docker create --name "drydock-$1-egress" --network drydock_internal "${egress[@]}" -e DRYDOCK_TOKEN="token-$1" \
		-v "/run/s/$1/policy:/etc/drydock:ro" -v "/run/s/$1/out:/var/drydock" drydock-egress:latest \
		sidecar --rules /etc/drydock/allow --audit /var/drydock/audit.jsonl --control /var/drydock/ctl.sock \
		--agent-name "drydock-$1" --inner 172.30.0.0/24 --session "$1" >/dev/null
	docker network connect drydock_egress "drydock-$1-egress"
	docker start "drydock-$1-egress" >/dev/null
	wait_healthy "drydock-$1-egress"
}

# agent DISC ARG...: in the foreground
bridge_agent() {
	local disc=$1
	shift
	local url=http://drydock:token-$disc@drydock-$disc-egress:8888
	docker run --rm --init --name "drydock-$disc" --network drydock_internal --dns 127.0.0.1 "${hardened[@]}" \
		"${agent_caps[@]}" --security-opt seccomp="$RIG/compose/seccomp.json" -e HTTPS_PROXY="$url" -e HTTP_PROXY="$url" -e https_proxy="$url" -e http_proxy="$url" \
		-e CURL_CA_BUNDLE=/ca.pem -e RES_OPTIONS="timeout:1 attempts:1" --label dev.drydock.role=agent ${agent_options[@]+"${agent_options[@]}"} \
		drydock-agent:latest "$@"
}

address() { # CONTAINER NETWORK
	docker inspect -f "{{(index .NetworkSettings.Networks \"$2\").IPAddress}}" "$1"
}

# Nothing that must not be reached was reached.
no_escape() {
	! grep -E 'TRAP|EVIL' "$RIG/hits.log"
}

# The holder has no network but lo; the sidecar gets its sockets through a volume that the agent never sees.
sealed_holder() { # DISC
	docker volume create --driver local --opt type=tmpfs --opt device=tmpfs --opt o=uid=65534,gid=65534,mode=0700 \
		"drydock-$1-sock" >/dev/null
	docker run -d --name "drydock-$1-net" --network none --dns 127.0.0.1 "${egress[@]}" -v "drydock-$1-sock:/sock" \
		drydock-egress:latest holder --sock /sock/fd.sock --ports 80,443 >/dev/null
}

sealed_sidecar() { # DISC
	session_dir "$1"
	docker run -d --name "drydock-$1-egress" --network drydock_egress "${egress[@]}" -v "drydock-$1-sock:/sock" \
		-v "/run/s/$1/policy:/etc/drydock:ro" -v "/run/s/$1/out:/var/drydock" drydock-egress:latest \
		sidecar --rules /etc/drydock/allow --audit /var/drydock/audit.jsonl --control /var/drydock/ctl.sock \
		--holder /sock/fd.sock --session "$1" >/dev/null
	wait_healthy "drydock-$1-net"
}

sealed_agent() { # DISC ARG...: in the foreground
	local disc=$1
	shift
	local url=http://127.0.0.1:8888
	docker run --rm --init --name "drydock-$disc" --network "container:drydock-$disc-net" "${hardened[@]}" \
		"${agent_caps[@]}" --security-opt seccomp="$RIG/compose/seccomp.json" -e HTTPS_PROXY="$url" -e HTTP_PROXY="$url" -e https_proxy="$url" -e http_proxy="$url" \
		-e CURL_CA_BUNDLE=/ca.pem --label dev.drydock.role=agent ${agent_options[@]+"${agent_options[@]}"} \
		drydock-agent:latest "$@"
}
