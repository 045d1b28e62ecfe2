#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The compose files on a real daemon, with both generations of compose.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	RIG_GENERATIONS=v2
	RIG_COMPOSE_V2=$("$BATS_TEST_DIRNAME/get_compose_v2.sh" 2>/dev/null) || RIG_GENERATIONS=
	! head -c 64 "$(command -v docker-compose)" 2>/dev/null | head -n 1 | grep -aq python || RIG_GENERATIONS+=" v1"
	[ -n "$RIG_GENERATIONS" ] || export RIG_NO="no compose is installed, and none can be had"
	export RIG_GENERATIONS RIG_COMPOSE_V2
	rig_setup compose.sh
}

@test "an allowed name is reached, another is refused, in both topologies" {
	for g in $RIG_GENERATIONS; do
		opened "compose.$g.contain" allowed-by-proxy
		closed "compose.$g.contain" allowed-without-proxy-variables
		opened "compose.$g.sealed" allowed-by-proxy allowed-without-proxy-variables
		grep -q 403 "$RIG/compose.$g.contain"
		grep -q 403 "$RIG/compose.$g.sealed"
	done
}

@test "the agent does not start beside a sidecar that is not healthy" {
	for g in $RIG_GENERATIONS; do
		for t in contain sealed; do
			grep -q '^rc=' "$RIG/unhealthy.$g.$t"
			# v1 does not see a sidecar that has exited already; then the agent reaches nothing. drydock itself starts
			# the agent only once it has asked the sidecar, whatever compose thinks.
			if [ "$g" = v1 ] && grep -q '^started' "$RIG/unhealthy.$g.$t"; then
				closed "unhealthy.$g.$t" allowed-by-proxy allowed-without-proxy-variables
			else
				run grep '^started' "$RIG/unhealthy.$g.$t"
				[ "$status" -eq 1 ]
			fi
			grep -q '^started' "$RIG/compose.$g.$t"
		done
	done
}

@test "the sidecar stands on both networks, or on the outer one alone, without an added capability" {
	for g in $RIG_GENERATIONS; do
		grep -q '^/drydock-shop-egress running null .*drydock_egress.*drydock_internal\|^/drydock-shop-egress running null .*drydock_internal.*drydock_egress' \
			"$RIG/compose.$g.contain.sidecar"
		run grep drydock_internal "$RIG/compose.$g.sealed.sidecar"
		[ "$status" -eq 1 ]
	done
}
