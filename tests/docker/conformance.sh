# shellcheck shell=bash disable=SC2154 # sourced by rig.sh after lib.sh
# The same questions from a native jail, from the bridge and from a sealed session, beside a peer of the same kind.
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

gateway() { # NETWORK: the address that its gateway has, or would have
	docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' "$1" | sed 's@[0-9]*/.*@1@'
}

next() { # ADDRESS
	echo "${1%.*}.$((${1##*.} + 1))"
}

export HOME=$RIG/home
mkdir -p "$HOME/project" "$RIG/share/drydock"
cp -r "$RIG/compose" "$RIG/share/drydock/"
cd "$HOME/project"

session() { # OPTION... -- COMMAND...
	env -i PATH="$PATH" HOME="$HOME" USER=lab TERM=dumb DOCKER_HOST="$DOCKER_HOST" RES_OPTIONS="timeout:1 attempts:1" \
		timeout 120 "$RIG/bin/drydock" run -q -a allowed.test:80,443 -a rebind.test:80 "$@" </dev/null
}

marked native session --resolver "$(sed 's/nameserver //;s/$/:53/' /etc/resolv.conf)" --mount ro:"$RIG/probe.py" -- \
	python3 "$RIG/probe.py" name=native gateway=198.51.100.1 peer_agent=127.0.0.1 "${where[@]}"

named() { # ROLE of the peer's containers
	docker ps --filter label=dev.drydock.role="$1" --format '{{.Names}}'
}

# The own sidecar's outer address is the one after the peer's: Docker gives them out in turn.
for topology in bridge sealed; do
	docker_session=(session --engine docker --topology "$topology" --image drydock-agent:latest -e RES_OPTIONS)
	"${docker_session[@]}" -- python3 -m http.server 7777 >"$RIG/peer.log" 2>&1 &
	peer=$!
	timeout 30 bash -c "until [ -n \"\$(docker ps -q --filter label=dev.drydock.role=agent)\" ]; do sleep 0.05; done"
	outer=$(address "$(named egress)" drydock_egress)
	if [ "$topology" = bridge ]; then
		peers=(peer_agent="$(address "$(named agent)" drydock_internal)" peer_sidecar="$(address "$(named egress)" drydock_internal)")
	else
		peers=(peer_agent=127.0.0.1 peer_sidecar="$outer")
	fi
	marked "$topology" "${docker_session[@]}" -- python3 /probe.py name="$topology" "${where[@]}" "${peers[@]}" \
		gateway="$(gateway drydock_internal)" outer_gateway="$(gateway drydock_egress)" sidecar_outer="$(next "$outer")"
	docker rm -f "$(named agent)" >/dev/null
	wait "$peer" || true
done
docker version -f '{{.Server.Version}}' >"$RIG/version"
