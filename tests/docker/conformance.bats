#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The same list of ways out, tried from a native jail, from the bridge and from a sealed session: one table, which is
# the one in docs/DOCKER.md.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	rig_setup conformance.sh
}

@test "C-47 three engines, one table: what is documented is what was found" {
	python3 "$HERE/table.py" "$RIG" native bridge sealed >"$RIG/table"
	diff <(documented_table) "$RIG/table"
}

@test "C-47 nothing was reached on the way that must not be" {
	run grep -hE 'TRAP|EVIL' "$RIG"/hits.native "$RIG"/hits.bridge "$RIG"/hits.sealed
	[ "$status" -eq 1 ]
	for k in native bridge sealed; do
		grep -q 'allowed allowed.test' "$RIG/hits.$k"
	done
}
