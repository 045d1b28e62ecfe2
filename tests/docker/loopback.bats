#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Topology bridge on a host whose resolver listens on loopback (CVE-2024-29018).
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	export RIG_DNS=loopback
	rig_setup loopback.sh
}

@test "C-42 names that are allowed resolve, by the sidecar, through the host's resolver on loopback" {
	opened probe.allowed allowed-by-proxy
	grep -q 'allowed.test' "$RIG/dns.log"
}

@test "C-42 no question of the agent reaches that resolver" {
	closed probe dns-a-127.0.0.11 dns-txt-127.0.0.11
	run grep s3cret-kept "$RIG/dns.log"
	[ "$status" -eq 1 ]
}

@test "C-42 the twin: without dns 127.0.0.1 an old engine forwards it" {
	major=$(cut -d. -f1 "$RIG/version")
	if [ "$major" -ge 23 ]; then
		run grep s3cret-lost "$RIG/dns.log"
		[ "$status" -eq 1 ] # newer engines keep it back by themselves
	else
		grep -q s3cret-lost "$RIG/dns.log"
	fi
}
