# shellcheck shell=bash disable=SC2154 # sourced by rig.sh after lib.sh
# Two sessions on the shared bridge; what the first one's agent can reach goes to $RIG/probe, the rest to files beside it.
networks
bridge_sidecar one
bridge_sidecar two
agent_options=(-d)
bridge_agent two python3 -m http.server 7777 >/dev/null
agent_options=()
bridge_agent one python3 /probe.py name=bridge gateway=172.30.0.1 host=198.51.100.20 docker0=172.17.0.1 \
	outer_gateway=172.31.0.1 peer_agent="$(address drydock-two drydock_internal)" \
	peer_sidecar="$(address drydock-two-egress drydock_internal)" \
	sidecar_outer="$(address drydock-one-egress drydock_egress)" >"$RIG/probe"
bridge_agent one curl -sS https://allowed.test/ >"$RIG/curl"
# A stranger on the outer bridge, and one on the inner bridge that knows the token but is not the agent.
docker run --rm --network drydock_egress "${hardened[@]}" -e RES_OPTIONS="timeout:1 attempts:1" drydock-agent:latest python3 /probe.py only=peer-sidecar \
	peer_sidecar="$(address drydock-one-egress drydock_egress)" >"$RIG/probe.outer"
docker run --rm --network drydock_internal --dns 127.0.0.1 "${hardened[@]}" \
	-e HTTPS_PROXY=http://drydock:token-one@drydock-one-egress:8888 drydock-agent:latest python3 /probe.py only=allowed \
	>"$RIG/probe.inner"
# The twin of the agent's address: a container of that name is served.
docker stats --no-stream --format '{{.MemUsage}}' drydock-one-egress >"$RIG/memory"
docker exec drydock-one-egress /drydock-egress health
cat /proc/"$(docker inspect -f '{{.State.Pid}}' drydock-one-egress)"/{status,task/*/children} >"$RIG/status"
cp /run/s/one/out/audit.jsonl "$RIG/audit.one"
cp /run/s/two/out/audit.jsonl "$RIG/audit.two"
start=$EPOCHREALTIME
docker stop drydock-one-egress >/dev/null
echo "$start $EPOCHREALTIME $(docker inspect -f '{{.State.ExitCode}}' drydock-one-egress)" >"$RIG/stop"
# Without its sidecar the agent has nothing.
bridge_agent one python3 /probe.py only=allowed >"$RIG/probe.alone"
# The same sidecar again: tmpfs and folders of the image are as at its first start.
docker start drydock-one-egress >/dev/null
wait_healthy drydock-one-egress
bridge_agent one curl -sS https://allowed.test/ >"$RIG/curl.again"
docker image inspect -f '{{.Id}} {{.Size}}' drydock-egress:latest >"$RIG/image"
# Somebody reloads the firewall: Docker's rules are gone, and still no packet leaves.
iptables -F
iptables -t nat -F
iptables -P FORWARD ACCEPT
bridge_agent one python3 /probe.py only=direct >"$RIG/probe.flushed"
bridge_agent one python3 /probe.py only=host host=198.51.100.20 gateway=172.30.0.1 docker0=172.17.0.1 >>"$RIG/probe.flushed"
