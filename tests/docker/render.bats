#!/usr/bin/env bats
# The compose files without a daemon: every claim holds in both generations of compose, scoped to the service it
# speaks of; and for every line of an overlay there is a claim that fails when the line is taken out.
# Claims are in claims_*.txt: a sentence, a tab, an expression of jq.

load render_helpers.bash

setup_file() {
	load render_helpers.bash
	find_compose
	for overlay in contain sealed dood; do
		[ -z "$V1" ] || BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR render "$V1" "$FILES" "$overlay" >"$BATS_FILE_TMPDIR/v1-$overlay"
		[ -z "$V2" ] || BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR render "$V2" "$FILES" "$overlay" >"$BATS_FILE_TMPDIR/v2-$overlay"
	done
}

need() {
	local why=$1_WHY
	[ -n "${!1}" ] || skip "${!why}"
}

# all_hold GENERATION OVERLAY
all_hold() {
	[ -s "$BATS_FILE_TMPDIR/$1-$2" ]
	run failing "$2" <"$BATS_FILE_TMPDIR/$1-$2"
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	# enough of them to mean something: an empty list of claims would hold too
	[ "$(claims "$2" | wc -l)" -ge 20 ]
}

@test "v2: every claim of contain, topology bridge, holds" {
	need V2
	all_hold v2 contain
}
@test "v2: every claim of contain, topology sealed, holds" {
	need V2
	all_hold v2 sealed
}
@test "v2: every claim of dood holds: none of the contained pieces is there" {
	need V2
	all_hold v2 dood
}
@test "v1: every claim of contain, topology bridge, holds" {
	need V1
	all_hold v1 contain
}
@test "v1: every claim of contain, topology sealed, holds" {
	need V1
	all_hold v1 sealed
}
@test "v1: every claim of dood holds: none of the contained pieces is there" {
	need V1
	all_hold v1 dood
}

# twin GENERATION: each claim of dood fails for the contained render and the other way round, where both speak of the same
@test "the twins: what dood lacks contain has, and what contain lacks dood has" {
	local generation
	for generation in v1 v2; do
		[ -s "$BATS_FILE_TMPDIR/$generation-contain" ] || continue
		run failing dood <"$BATS_FILE_TMPDIR/$generation-contain"
		[ "$(wc -l <<<"$output")" -eq "$(wc -l <"$HERE/claims_dood.txt")" ]
		run failing contain <"$BATS_FILE_TMPDIR/$generation-dood"
		# the agent's own lines are the base file's and hold; what is only denied by absence holds too
		expected=$(cat "$HERE"/claims_{contained,bridge}.txt | wc -l)
		[ "$(wc -l <<<"$output")" -ge $((expected - 1)) ]
	done
	[ -n "$V1$V2" ] || skip "$V1_WHY; $V2_WHY"
}

# widened OVERLAY SENTENCE EXPRESSION: a change of the render that the claim must notice
widened() {
	run bash -c "jq '$3' '$BATS_FILE_TMPDIR/$generation-$1' >'$BATS_TEST_TMPDIR/widened'"
	[ "$status" -eq 0 ]
	run failing "$1" <"$BATS_TEST_TMPDIR/widened"
	grep -qxF "$2" <<<"$output" || {
		echo "not noticed: $3 (wanted: $2; failing: $output)"
		return 1
	}
}

@test "what would widen a session is noticed: capabilities, networks, sockets, mounts" {
	[ -n "$V1$V2" ] || skip "$V1_WHY; $V2_WHY"
	generation=v2
	[ -n "$V2" ] || generation=v1
	local a='.services.drydock' s='.services["drydock-egress"]'
	widened contain "the agent's capabilities are the hardening set, without NET_RAW, NET_ADMIN or SYS_*" "$a.cap_add += [\"NET_RAW\"]"
	widened contain "the agent's capabilities are the hardening set, without NET_RAW, NET_ADMIN or SYS_*" "$a.cap_add += [\"NET_ADMIN\"]"
	widened contain "the agent is on drydock_internal and on nothing else" "$a.networks.drydock_egress = {}"
	widened contain "the agent is on drydock_internal and on nothing else" "$a.network_mode = \"host\""
	widened contain "the agent has no docker.sock" "$a.volumes += [{\"type\": \"bind\", \"source\": \"/var/run/docker.sock\", \"target\": \"/x\"}]"
	widened contain "the agent sees neither allowlist nor audit log" "$a.volumes += [{\"type\": \"bind\", \"source\": \"/state/egress\", \"target\": \"/x\"}]"
	widened contain "the agent is never privileged" "$a.privileged = true"
	widened contain "the sidecar has no capability at all, a read-only root and little memory" "$s.cap_add = [\"NET_BIND_SERVICE\"]"
	widened contain "the sidecar has no capability at all, a read-only root and little memory" "$s.privileged = true"
	widened contain "the outer network has a fixed name, NAT, no IPv6, and its containers cannot meet" '.networks.drydock_egress.internal = true'
	widened sealed "the agent has the holder's network and no other" "$a.network_mode = \"bridge\""
	widened sealed "the agent cannot reach the folder through which sockets are passed" "$a.volumes += [{\"type\": \"bind\", \"source\": \"/state/sock\", \"target\": \"/x\"}]"
	widened dood "no proxy is named" "$a.environment = {\"https_proxy\": \"http://x\"}"
	widened dood "there is no network of drydock's" ".networks = {\"drydock_internal\": {}}"
}

# Takes one line after the other out of FILE and expects the render or a claim to fail.
mutate() {
	local overlay=$1 file=$2 program=$V2 n=0 line text survived=0
	[ -n "$program" ] || program=$V1
	mkdir -p "$BATS_TEST_TMPDIR/mutant"
	cp "$FILES"/*.yml "$BATS_TEST_TMPDIR/mutant/"
	while IFS= read -r line; do
		n=$((n + 1))
		[[ $line =~ ^[[:space:]]*(#|$) ]] && continue
		sed "${n}d" "$FILES/$file" >"$BATS_TEST_TMPDIR/mutant/$file"
		if text=$(render "$program" "$BATS_TEST_TMPDIR/mutant" "$overlay" 2>/dev/null); then
			[ -n "$(failing "$overlay" <<<"$text")" ] || {
				echo "nobody misses line $n of $file: $line"
				survived=$((survived + 1))
			}
		fi
	done <"$FILES/$file"
	[ "$n" -gt 10 ]
	[ "$survived" -eq 0 ]
}

@test "each line of docker-compose.contain.yml is missed when it is taken out" {
	[ -n "$V1$V2" ] || skip "$V1_WHY; $V2_WHY"
	mutate contain docker-compose.contain.yml
}
@test "each line of docker-compose.sealed.yml is missed when it is taken out" {
	[ -n "$V1$V2" ] || skip "$V1_WHY; $V2_WHY"
	mutate sealed docker-compose.sealed.yml
}
@test "each line of docker-compose.dood.yml is missed when it is taken out" {
	[ -n "$V1$V2" ] || skip "$V1_WHY; $V2_WHY"
	mutate dood docker-compose.dood.yml
}
@test "each line of the base file is missed when it is taken out" {
	[ -n "$V1$V2" ] || skip "$V1_WHY; $V2_WHY"
	mutate contain docker-compose.yml
}

@test "a guarded variable that is not set fails the render, with its name" {
	[ -n "$V1$V2" ] || skip "$V1_WHY; $V2_WHY"
	local program=$V2 name overlay
	[ -n "$program" ] || program=$V1
	for overlay in contain sealed dood; do
		grep -oh '\${[A-Z_]*:?' "$FILES/docker-compose.yml" "$FILES/docker-compose.$overlay.yml" | tr -d '${:?' | sort -u >"$BATS_TEST_TMPDIR/names"
		[ "$(wc -l <"$BATS_TEST_TMPDIR/names")" -ge 5 ]
		while read -r name; do
			run render "$program" "$FILES" "$overlay" "-$name"
			[ "$status" -ne 0 ]
			grep -q "$name" <<<"$output" || {
				echo "$overlay without $name: $output"
				return 1
			}
		done <"$BATS_TEST_TMPDIR/names"
	done
	for name in DRYDOCK_SIDECAR_NAME DRYDOCK_EGRESS_FILTER_FILE DRYDOCK_TOKEN; do
		grep -q "\${$name:?" "$FILES/docker-compose.contain.yml"
	done
}

@test "v1 too names the guarded variable" {
	need V1
	run render "$V1" "$FILES" contain -DRYDOCK_EGRESS_FILTER_FILE
	[ "$status" -ne 0 ]
	[[ $output == *DRYDOCK_EGRESS_FILTER_FILE* ]]
}

@test "each switch of telemetry is the user's to override, on its own" {
	[ -n "$V1$V2" ] || skip "$V1_WHY; $V2_WHY"
	local program=$V2 overlay name other
	[ -n "$program" ] || program=$V1
	for overlay in contain sealed; do
		for name in DISABLE_TELEMETRY DISABLE_ERROR_REPORTING CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC; do
			render "$program" "$FILES" "$overlay" "$name=0" >"$BATS_TEST_TMPDIR/json"
			for other in DISABLE_TELEMETRY DISABLE_ERROR_REPORTING CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC; do
				want=1
				[ "$other" != "$name" ] || want=0
				[ "$(jq -r ".services.drydock.environment.$other" "$BATS_TEST_TMPDIR/json")" = "$want" ]
			done
		done
	done
}

@test "both overlays at once are refused by compose too: a host network beside a network" {
	[ -n "$V1$V2" ] || skip "$V1_WHY; $V2_WHY"
	local program
	for program in $V1 $V2; do
		mapfile -t vars < <(variables)
		run env -i PATH=/usr/bin:/bin HOME="$BATS_TEST_TMPDIR" "${vars[@]}" "$program" --env-file "$FILES/empty.env" -p x \
			-f "$FILES/docker-compose.yml" -f "$FILES/docker-compose.contain.yml" -f "$FILES/docker-compose.dood.yml" config
		[ "$status" -ne 0 ]
	done
}

# rendered ARG...: drydock render, as installed, with compose as found
rendered() {
	mkdir -p "$BATS_TEST_TMPDIR/home/.docker/cli-plugins" "$BATS_TEST_TMPDIR/shop"
	[ -z "$V2" ] || ln -sf "$V2" "$BATS_TEST_TMPDIR/home/.docker/cli-plugins/docker-compose"
	(cd "$BATS_TEST_TMPDIR/shop" && env -i PATH=/usr/local/bin:/usr/bin:/bin HOME="$BATS_TEST_TMPDIR/home" \
		DOCKER_HOST=tcp://127.0.0.1:9 "${EXTRA[@]}" "${DRYDOCK_BUILD:-$HERE/../../build}/drydock" render "$@")
}

@test "drydock render compose prints the merged result, without a daemon" {
	[ -n "$V1$V2" ] || skip "$V1_WHY; $V2_WHY"
	run rendered compose
	[ "$status" -eq 0 ]
	[[ $output == *"internal: true"* ]]
	[[ $output == *"drydock-example-egress"* ]]
	[[ $output != *"docker.sock"* ]]
	run rendered compose --mode dood
	[ "$status" -eq 0 ]
	[[ $output == *"docker.sock"* ]]
	[[ $output != *"drydock_internal"* ]]
	run rendered compose --topology sealed
	[ "$status" -eq 0 ]
	[[ $output == *"service:drydock-net"* ]]
	run rendered compose -o "$BATS_TEST_TMPDIR/out"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	grep -q "internal: true" "$BATS_TEST_TMPDIR/out/docker-compose.yml"
}

@test "asking for none or both of the overlays is an error" {
	run rendered compose --mode contain --mode dood
	[ "$status" -eq 2 ]
	[[ $output == *"exactly one overlay"* ]]
	run rendered compose --mode none
	[ "$status" -eq 2 ]
	[[ $output == *"exactly one overlay"* ]]
	run rendered compose --mode jail
	[ "$status" -eq 2 ]
	run rendered compose --mode dood --topology sealed
	[ "$status" -eq 2 ]
	run rendered compose --topology ring
	[ "$status" -eq 2 ]
}

@test "a project's .env and the caller's COMPOSE_ variables are not read" {
	[ -n "$V1$V2" ] || skip "$V1_WHY; $V2_WHY"
	mkdir -p "$BATS_TEST_TMPDIR/shop"
	echo "DISABLE_TELEMETRY=from-dotenv" >"$BATS_TEST_TMPDIR/shop/.env"
	EXTRA=(COMPOSE_FILE=/nowhere.yml COMPOSE_PROFILES=x COMPOSE_PROJECT_NAME=evil)
	run rendered compose
	[ "$status" -eq 0 ]
	[[ $output != *from-dotenv* ]]
	[[ $output != *evil* ]]
	# the twin: the same variable of the user's own environment counts
	EXTRA=(DISABLE_TELEMETRY=from-env)
	run rendered compose
	[[ $output == *from-env* ]]
}
