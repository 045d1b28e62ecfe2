#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The same table as conformance.bats, with the daemon of the next Debian release: another generation of Docker.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	RIG_DOCKERD=$("$BATS_TEST_DIRNAME/get_package.sh" docker.io usr/sbin/dockerd 2>"$BATS_FILE_TMPDIR/why") || {
		RIG_NO=$(cat "$BATS_FILE_TMPDIR/why")
		export RIG_NO
	}
	export RIG_DOCKERD
	rig_setup conformance.sh
}

@test "C-47 a newer daemon gives the same table" {
	[ "$(cut -d. -f1 "$RIG/version")" -ge 26 ]
	python3 "$HERE/table.py" "$RIG" native bridge sealed >"$RIG/table"
	diff <(documented_table) "$RIG/table"
}
