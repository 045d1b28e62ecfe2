# shellcheck shell=bash disable=SC2154 # sourced by rig.sh after lib.sh
# The same questions from a native jail, from the bridge and from a sealed session, beside a peer of the same kind.
networks
where=(host=198.51.100.20 docker0=172.17.0.1)

marked() { # KIND COMMAND...: what it asked the DNS servers and reached on the way goes to its own files
	local kind=$1
	shift
	: >"$RIG/dns.log"
	: >"$RIG/hits.log"
	"$@" >"$RIG/probe.$kind"
	cp "$RIG/dns.log" "$RIG/dns.$kind"
	cp "$RIG/hits.log" "$RIG/hits.$kind"
}

mkdir -p "$RIG/home/project"
native() {
	(cd "$RIG/home/project" && env -i PATH="$PATH" HOME="$RIG/home" USER=lab TERM=dumb "$RIG/bin/drydock" run -q \
		--resolver "$(sed 's/nameserver //;s/$/:53/' /etc/resolv.conf)" -a allowed.test:80,443 -a rebind.test:80 \
		--mount ro:"$RIG/probe.py" -- "$@")
}
marked native native python3 "$RIG/probe.py" name=native gateway=198.51.100.1 peer_agent=127.0.0.1 "${where[@]}"

for s in one two; do bridge_sidecar "$s"; done
agent_options=(-d)
bridge_agent two python3 -m http.server 7777 >/dev/null
agent_options=()
marked bridge bridge_agent one python3 /probe.py name=bridge gateway=172.30.0.1 "${where[@]}" \
	outer_gateway=172.31.0.1 peer_agent="$(address drydock-two drydock_internal)" \
	peer_sidecar="$(address drydock-two-egress drydock_internal)" \
	sidecar_outer="$(address drydock-one-egress drydock_egress)"
docker rm -f drydock-one-egress drydock-two-egress drydock-two >/dev/null

for s in one two; do
	sealed_holder "$s"
	sealed_sidecar "$s"
done
agent_options=(-d)
sealed_agent two python3 -m http.server 7777 >/dev/null
agent_options=()
marked sealed sealed_agent one python3 /probe.py name=sealed gateway=172.31.0.1 "${where[@]}" \
	outer_gateway=172.31.0.1 peer_agent=127.0.0.1 peer_sidecar="$(address drydock-two-egress drydock_egress)" \
	sidecar_outer="$(address drydock-one-egress drydock_egress)"
docker version -f '{{.Server.Version}}' >"$RIG/version"
