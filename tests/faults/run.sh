#!/usr/bin/env bash
# Runs faults.py in a network namespace of its own; without root, in a user namespace.
# usage: run.sh calls|start|kill|run BUILD [SHARE [SEED [ONLY]]]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ "${FAULTS_INSIDE:-}" != 1 ]; then
	build=$(realpath "$2")
	own=(unshare -nm)
	[ "$(id -u)" -eq 0 ] || own=(unshare -Urnm)
	FAULTS_INSIDE=1 exec "${own[@]}" "$0" "$1" "$build" "${@:3}"
fi
ip link set lo up
exec env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin /usr/bin/python3 "$here/faults.py" "$1" "$2" "$2/tests/faults/inject" "${@:3}"
