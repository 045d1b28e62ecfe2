#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Topology bridge on a real dockerd: what an agent's container reaches, and what it does not.
# C-40 a sidecar serves its own session's agent only. C-41 no rule opens a network that the sidecar is on.
# C-42 from the agent's container nothing but the sidecar is reached.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	rig_setup bridge.sh
}

@test "C-42 an allowed name is reached through the sidecar" {
	opened probe allowed-by-proxy
	grep -q 'hello from allowed' "$RIG/curl"
}

@test "C-42 denied names, other ports, IP literals, metadata and private answers are refused by the sidecar" {
	closed probe denied-name other-port ip-literal-connect metadata-by-proxy private-name-by-proxy
	grep -q '^denied-name closed HTTP/1.1 403' "$RIG/probe"
	grep -q '"name":"evil.test".*"reason":"not-allowlisted"' "$RIG/audit.one"
}

@test "C-42 direct TCP, UDP and the metadata address lead nowhere" {
	closed probe direct-tcp direct-tcp-22 direct-tcp-to-allowed-address metadata-direct direct-udp-53 direct-udp-443
	closed probe ipv6-address ipv6-direct
	run grep -E 'TRAP|EVIL' "$RIG/hits.log"
	[ "$status" -eq 1 ]
}

@test "C-42 no DNS question of the agent leaves the machine" {
	closed probe dns-a-127.0.0.11 dns-txt-127.0.0.11 dns-direct dns-by-gateway dns-by-host
	run grep s3cret "$RIG/dns.log"
	[ "$status" -eq 1 ]
	grep -q 'allowed.test' "$RIG/dns.log" # the twin: the sidecar's questions are in that log
}

@test "C-42 the host is not reached through any of its addresses" {
	closed probe host-by-gateway host-by-host host-by-docker0 host-by-outer_gateway
}

@test "C-42 a peer's sidecar and the sidecar's outer leg serve nobody else" {
	closed probe peer-sidecar peer-sidecar-no-token sidecar-outer-leg
	grep -q '"reason":"wrong-session"' "$RIG/audit.two"
	closed probe.outer peer-sidecar peer-sidecar-no-token
}

@test "C-40 whoever is not the agent is cut off, with the right token too" {
	closed probe.inner allowed-by-proxy
	grep -q '^allowed-by-proxy closed .*reset' "$RIG/probe.inner"
}

@test "C-40 another session's token is refused" {
	closed probe proxy-wrong-token
	grep -q '"reason":"wrong-session"' "$RIG/audit.one"
}

@test "the gap by name: agents of two sessions meet on the shared bridge" {
	opened probe peer-agent
}

@test "C-42 no raw, packet or vsock socket, no io_uring, no dangerous capability, no Docker socket" {
	closed probe af-vsock io-uring af-packet raw-socket capabilities docker-socket
}

@test "C-43 the sidecar is three processes without a capability, small, and ends at once" {
	grep -q '^CapBnd:.*0000000000000000' "$RIG/status"
	grep -q '^NoNewPrivs:.*1' "$RIG/status"
	grep -q '^Uid:.*65534' "$RIG/status"
	read -r used unit < <(sed 's/MiB.*/ MiB/' "$RIG/memory")
	[ "$unit" = MiB ]
	[ "${used%.*}" -lt 4 ]
	read -r from to code <"$RIG/stop"
	[ "$code" -eq 0 ]
	[ "$(python3 -c "print($to - $from < 1)")" = True ]
}

@test "C-43 without its sidecar the agent has nothing; the same sidecar started again serves" {
	closed probe.alone allowed-by-proxy allowed-without-proxy-variables
	grep -q 'hello from allowed' "$RIG/curl.again"
}

@test "C-42 no packet leaves when Docker's packet rules are flushed" {
	closed probe.flushed direct-tcp direct-tcp-22 direct-udp-53 direct-udp-443 host-by-host host-by-gateway host-by-docker0
	run grep -E 'TRAP|EVIL' "$RIG/hits.log"
	[ "$status" -eq 1 ]
}

@test "the image has the id that was computed, and at most 4 MiB" {
	read -r id size <"$RIG/image"
	[ "$id" = "$(cat "$RIG/egress.id")" ]
	[ "$size" -le $((4 << 20)) ]
}
