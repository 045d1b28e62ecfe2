#!/usr/bin/env bash
# What `make run` shows: a contained session against servers of its own. Needs no network, account, daemon or root;
# the servers and their addresses live in namespaces that end with the demo.
# usage: run.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${1:-build}")
lab=$(mktemp -d /var/tmp/drydock-demo.XXXXXX)
trap 'rm -rf "$lab"' EXIT
tests/lab/lab.sh prepare "$lab" "$build"
install -m 755 demo/agent.sh "$lab/"
kind=user
[ "$(id -u)" -ne 0 ] || kind=root

# shellcheck disable=SC2016 # expanded on the demo's machine
tests/lab/lab.sh "$kind" "$lab" '
	"$DRYDOCK" run --name demo --resolver "$LAB_RESOLVER" -a allowed.test --mount ro:"$LAB/ca.pem" --mount ro:"$LAB/agent.sh" \
		-e CURL_CA_BUNDLE="$LAB/ca.pem" -- bash "$LAB/agent.sh"
	echo
	echo "The audit log of the session (drydock log demo):"
	"$DRYDOCK" log demo
	echo
	if grep -qE "EVIL|TRAP" "$LAB/hits.log"; then
		echo "Something reached a server that it must not reach:"
		cat "$LAB/hits.log"
		exit 1
	fi
	echo "What the servers saw: $(sort "$LAB/hits.log" | uniq -c | tr -s " " | tr "\n" ";")"
'
