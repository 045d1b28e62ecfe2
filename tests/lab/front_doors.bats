#!/usr/bin/env bats
# C-50 what can be read in two ways reaches nobody: the cases of docs/FRONT_DOORS.md, against drydock-egress.

@test "C-50 no odd request reaches a server as it is, and each plain neighbour does" {
	build=${DRYDOCK_BUILD:-$BATS_TEST_DIRNAME/../../build}
	run "$BATS_TEST_DIRNAME/../../bench/front_doors.py" "$build" --proxy drydock
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"together "* ]]
}
