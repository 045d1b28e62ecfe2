# SPDX-License-Identifier: Apache-2.0
# What the tests of the compose files share. No daemon: DOCKER_HOST leads nowhere.

HERE=$BATS_TEST_DIRNAME
FILES=$HERE/../../data/compose

# The claims that hold for OVERLAY.
claims() {
	case $1 in
	contain) cat "$HERE"/claims_{agent,contained,bridge}.txt ;;
	sealed) cat "$HERE"/claims_{agent,contained,sealed}.txt ;;
	dood) cat "$HERE"/claims_{agent,dood}.txt ;;
	esac
}

# Sets V1 and V2 to the programs, or to "" with the reason in V1_WHY and V2_WHY.
find_compose() {
	V1=$(command -v docker-compose || true)
	V1_WHY="compose v1 (docker-compose) is not installed"
	# v1 is written in Python
	[ -z "$V1" ] || head -c 64 "$V1" | head -n 1 | grep -aq python || V1=
	V2=$("$HERE/get_compose_v2.sh" 2>"$BATS_FILE_TMPDIR/why") || V2=
	V2_WHY=$(cat "$BATS_FILE_TMPDIR/why")
	export V1 V1_WHY V2 V2_WHY
}

# variables: what the guarded variables are set to, one NAME=VALUE a line
variables() {
	cat <<-END
		DRYDOCK_NAME=drydock-shop-7f3a
		DRYDOCK_IMAGE=agent.test/image:1
		DRYDOCK_USER=1000:1000
		DRYDOCK_PROJECT=/home/u/shop
		DRYDOCK_CWD=/home/u/shop/src
		DRYDOCK_SESSION=shop-7f3a
		DRYDOCK_OWNER=boot:1:2
		DRYDOCK_SIDECAR_NAME=drydock-shop-7f3a-egress
		DRYDOCK_HOLDER_NAME=drydock-shop-7f3a-net
		DRYDOCK_TOKEN=s3cret
		DRYDOCK_SECCOMP=$FILES/seccomp.json
		DRYDOCK_INNER_SUBNET=172.30.0.0/24
		DRYDOCK_EGRESS_FILTER_FILE=/state/policy
		DRYDOCK_EGRESS_DIR=/state/egress
		DRYDOCK_SOCK_DIR=/state/sock
		DRYDOCK_PORTS=80,443
	END
}

# render PROGRAM FOLDER OVERLAY [NAME=VALUE | -NAME]...: the merged files as JSON
render() {
	local program=$1 folder=$2 overlay=$3 vars=() v format=()
	shift 3
	mapfile -t vars < <(variables)
	for v; do
		case $v in
		-*) mapfile -t vars < <(printf '%s\n' "${vars[@]}" | grep -v "^${v#-}=") ;;
		*) vars+=("$v") ;;
		esac
	done
	[ "$program" = "$V1" ] || format=(--format json)
	local text=$BATS_TEST_TMPDIR/rendered
	env -i PATH=/usr/local/bin:/usr/bin:/bin HOME="$BATS_TEST_TMPDIR" DOCKER_HOST=tcp://127.0.0.1:9 "${vars[@]}" \
		"$program" --env-file "$FILES/empty.env" -p drydock-test -f "$folder/docker-compose.yml" \
		-f "$folder/docker-compose.$overlay.yml" config "${format[@]}" >"$text" || return
	if [ "$program" = "$V1" ]; then
		python3 -c 'import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)' <"$text"
	else
		cat "$text"
	fi
}

# failing OVERLAY <JSON: the sentences that do not hold, in one call of jq for all of them
failing() {
	local program sentence expression
	program="$(cat "$HERE/claims.jq") .services as \$all | \$all.drydock as \$a | \$all[\"drydock-egress\"] as \$s
		| \$all[\"drydock-net\"] as \$h | . as \$all | ["
	while IFS=$'\t' read -r sentence expression; do
		program+="(try (\$all | $expression) catch false | if . == true then empty else \"$sentence\" end),"
	done < <(claims "$1")
	jq -r "$program empty] | .[]"
}
