#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A release gate: for each engine and topology, on a live session, an allowed name is reached through the proxy, a name off
# the list is refused, an IP-literal CONNECT is refused. On a Docker host of its own (tests/docker/rig.sh); needs root.
# usage: smoke.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${1:-build}")
why=$(tests/docker/rig.sh why)
[ -z "$why" ] || {
	echo "smoke: $why" >&2
	exit 1
}
rig=$(mktemp -d /var/tmp/drydock-smoke.XXXXXX)
trap 'rm -rf "$rig"' EXIT
tests/docker/rig.sh prepare "$rig" "$build"
tests/docker/rig.sh run "$rig" "$PWD/tests/docker/smoke.sh" 2>"$rig/log" || {
	tail -n 20 "$rig/log" >&2
	exit 1
}
