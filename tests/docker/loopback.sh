# shellcheck shell=bash disable=SC2154 # sourced by rig.sh after lib.sh
# The host's resolver is on 127.0.0.1, as with systemd-resolved: old engines forward a contained question to it.
networks
bridge_sidecar one
bridge_agent one python3 /probe.py only=allowed >"$RIG/probe.allowed"
bridge_agent one python3 /probe.py only=dns name=kept >"$RIG/probe"
docker run --rm --network drydock_internal "${hardened[@]}" drydock-agent:latest python3 /probe.py only=dns name=lost \
	>"$RIG/probe.twin"
docker version -f '{{.Server.Version}}' >"$RIG/version"
