#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Topology sealed on a real dockerd: the agent's container has lo and the holder's sockets, nothing else.
# C-44 from a sealed session's container nothing but the holder's sockets is reached.
# C-45 programs that ignore proxy variables work in a sealed session.
# C-46 while no sidecar is there connections wait; the next one serves, and only one at a time.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	rig_setup sealed.sh
}

@test "C-44 an allowed name is reached by proxy; denied names, ports, literals, metadata, private answers are refused" {
	opened probe allowed-by-proxy
	closed probe denied-name other-port ip-literal-connect metadata-by-proxy private-name-by-proxy
	grep -q '^denied-name closed HTTP/1.1 403' "$RIG/probe"
	grep -q '"name":"evil.test".*"reason":"not-allowlisted"' "$RIG/audit.one"
}

@test "C-45 the same without proxy variables: an allowed name is reached, another does not exist" {
	opened probe allowed-without-proxy-variables
	[ "$(grep -c 'hello from allowed' "$RIG/curl")" -eq 3 ]
	grep -q 'rc=6' "$RIG/curl"
	grep -q '"protocol":"transparent".*"name":"allowed.test"' "$RIG/audit.one"
}

@test "C-44 direct TCP, UDP, IPv6 and the metadata address lead nowhere" {
	closed probe direct-tcp direct-tcp-22 direct-tcp-to-allowed-address metadata-direct direct-udp-53 direct-udp-443
	closed probe ipv6-address ipv6-direct
	run grep -E 'TRAP|EVIL' "$RIG/hits.log"
	[ "$status" -eq 1 ]
}

@test "C-44 no DNS question of the agent leaves the machine" {
	closed probe dns-a-127.0.0.1 dns-txt-127.0.0.1 dns-a-127.0.0.11 dns-direct dns-by-gateway dns-by-host
	run grep s3cret "$RIG/dns.log"
	[ "$status" -eq 1 ]
	grep -q 'allowed.test' "$RIG/dns.log"
}

@test "C-44 the host, the peer's agent and sidecar, and the own sidecar's address are not reached" {
	closed probe host-by-gateway host-by-host host-by-docker0 peer-agent peer-sidecar peer-sidecar-no-token
	closed probe sidecar-outer-leg
}

@test "C-44 the socket of the holder is not in the agent's container" {
	run grep SOCKET "$RIG/curl"
	[ "$status" -eq 1 ]
	grep -q 'nameserver 127.0.0.1' "$RIG/curl"
	closed probe af-vsock io-uring af-packet raw-socket capabilities docker-socket
}

@test "C-46 while no sidecar is there connections wait; the next one serves" {
	grep -q 'rc=28' "$RIG/curl.hangs"
	[ "$(grep -c 'hello from allowed' "$RIG/curl.again")" -eq 2 ]
}

@test "C-46 a second sidecar gets no sockets while the first has them" {
	grep -q 'rc=1' "$RIG/second"
	grep -q 'somebody else asks' "$RIG/holder.log"
}

@test "C-46 the holder ends at once" {
	read -r from to code <"$RIG/stop"
	[ "$code" -eq 0 ]
	[ "$(python3 -c "print($to - $from < 1)")" = True ]
}
