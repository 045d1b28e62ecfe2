# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by the Docker test files: the rig runs once a file, tests read what it wrote.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DRYDOCK_BUILD=${DRYDOCK_BUILD:-$HERE/../../build}

# rig_setup SCRIPT: in setup_file
rig_setup() {
	RIG_WHY=${RIG_NO:-$("$HERE/rig.sh" why)}
	RIG=$(mktemp -d /var/tmp/drydock-rig.XXXXXX)
	export RIG RIG_WHY
	[ -z "$RIG_WHY" ] || return 0
	"$HERE/rig.sh" prepare "$RIG" "$DRYDOCK_BUILD"
	"$HERE/rig.sh" run "$RIG" "$HERE/$1" >"$RIG/log" 2>&1 3>&- || {
		tail -n 20 "$RIG/log" "$RIG/dockerd.log" >&3
		return 1
	}
}

setup() {
	[ -z "$RIG_WHY" ] || skip "$RIG_WHY"
}

teardown_file() {
	rm -rf "${RIG:?}"
}

# closed FILE NAME...: the probe asked for each, and got nowhere
closed() {
	local file=$1 name
	shift
	for name in "$@"; do
		grep -q "^$name closed" "$RIG/$file" || {
			grep "^$name" "$RIG/$file" || echo "$name: not asked"
			return 1
		}
	done
}

# opened FILE NAME...
opened() {
	local file=$1 name
	shift
	for name in "$@"; do
		grep -q "^$name open" "$RIG/$file" || {
			grep "^$name" "$RIG/$file" || echo "$name: not asked"
			return 1
		}
	done
}

documented_table() {
	sed -n '/^| from inside /,/^$/p' "$HERE/../../docs/DOCKER.md" | sed '/^$/d'
}
