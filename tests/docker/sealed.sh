# shellcheck shell=bash disable=SC2154 # sourced by rig.sh after lib.sh
# Two sealed sessions; what the first one's agent can reach goes to $RIG/probe, the rest to files beside it.
networks
for s in one two; do
	sealed_holder "$s"
	sealed_sidecar "$s"
done
agent_options=(-d)
sealed_agent two python3 -m http.server 7777 >/dev/null
agent_options=()
sealed_agent one python3 /probe.py name=sealed gateway=172.31.0.1 host=198.51.100.20 docker0=172.17.0.1 \
	peer_agent=127.0.0.1 peer_sidecar="$(address drydock-two-egress drydock_egress)" \
	sidecar_outer="$(address drydock-one-egress drydock_egress)" >"$RIG/probe"
sealed_agent one sh -c 'curl -sS https://allowed.test/; unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY
	curl -sS https://allowed.test/; curl -sS http://allowed.test/; curl -sS https://evil.test/; echo rc=$?
	cat /etc/resolv.conf; [ ! -e /sock ] || echo SOCKET' >"$RIG/curl" 2>&1
docker exec drydock-one-net /drydock-egress health
docker exec drydock-one-egress /drydock-egress health
# The sidecar dies: connections wait, and the next one serves them.
docker kill drydock-one-egress >/dev/null
sealed_agent one sh -c 'curl -sS -m 2 http://allowed.test/; echo rc=$?' >"$RIG/curl.hangs" 2>&1
docker start drydock-one-egress >/dev/null
wait_healthy drydock-one-net
sealed_agent one curl -sS https://allowed.test/ >"$RIG/curl.again"
# A second sidecar gets nothing while the first is there.
docker run --rm "${egress[@]}" -v drydock-one-sock:/sock -v /run/s/one/policy:/etc/drydock:ro drydock-egress:latest \
	sidecar --rules /etc/drydock/allow --holder /sock/fd.sock >"$RIG/second" 2>&1 || echo "rc=$?" >>"$RIG/second"
sealed_agent one curl -sS https://allowed.test/ >>"$RIG/curl.again"
start=$EPOCHREALTIME
docker stop drydock-one-net >/dev/null
echo "$start $EPOCHREALTIME $(docker inspect -f '{{.State.ExitCode}}' drydock-one-net)" >"$RIG/stop"
docker logs drydock-one-net >"$RIG/holder.log" 2>&1
cp /run/s/one/out/audit.jsonl "$RIG/audit.one"
