# shellcheck shell=bash
# Sourced by the lab's test files: one lab a file, both kinds of user a test.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DRYDOCK_BUILD=${DRYDOCK_BUILD:-$HERE/../../build}

setup_file() {
	LAB=$(mktemp -d /var/tmp/drydock-lab.XXXXXX)
	export LAB
	"$HERE/lab.sh" prepare "$LAB" "$DRYDOCK_BUILD"
}

teardown_file() {
	rm -rf "${LAB:?}"
}

# Root of the machine tries both; an ordinary user can only be one.
kinds() {
	[ "$(id -u)" -ne 0 ] || echo root
	echo user
}

# lab KIND SCRIPT: on the user's machine, outside of any jail
lab() {
	"$HERE/lab.sh" "$1" "$LAB" "$2"
}

# jail KIND OPTIONS SCRIPT: SCRIPT runs contained; clients trust the lab's CA; proxy variables as drydock sets them
jail() {
	printf '%s\n' "$3" >"$LAB/inside.sh"
	chmod 644 "$LAB/inside.sh"
	# shellcheck disable=SC2016 # expanded inside
	lab "$1" '"$DRYDOCK" run -q --resolver "$LAB_RESOLVER" --mount ro:"$LAB/ca.pem" --mount ro:"$LAB/inside.sh" \
		--mount ro:"$LAB/clientkey" $([ ! -e "$LAB/trust.p12" ] || echo --mount ro:"$LAB/trust.p12") \
		-e CURL_CA_BUNDLE="$LAB/ca.pem" -e SSL_CERT_FILE="$LAB/ca.pem" -e GIT_SSL_CAINFO="$LAB/ca.pem" \
		-e NODE_EXTRA_CA_CERTS="$LAB/ca.pem" -e LAB="$LAB" '"$2"' -- bash "$LAB/inside.sh"'
}

# direct KIND OPTIONS SCRIPT: the same with every proxy variable unset
direct() {
	jail "$1" "$2" "unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY no_proxy NO_PROXY NODE_USE_ENV_PROXY
$3"
}

# Nothing that must not be reached was reached.
no_escape() {
	if grep -E 'TRAP|EVIL' "$LAB/hits.log"; then
		echo "reached what it must not reach" >&2
		return 1
	fi
}

hits() {
	grep -c "$1" "$LAB/hits.log" || true
}
