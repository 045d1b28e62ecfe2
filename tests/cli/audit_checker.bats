#!/usr/bin/env bats
# The checker of audit logs that the soak relies on (tests/soak/check_audit.py) shares no code with drydock: it agrees with
# every verdict on thousands of hostile questions, and finds what was changed.

DRYDOCK_BUILD=${DRYDOCK_BUILD:-$BATS_TEST_DIRNAME/../../build}

setup_file() {
	LOGS=$(mktemp -d /var/tmp/drydock-checker.XXXXXX)
	export LOGS
	"$DRYDOCK_BUILD/tests/hostile/hostile_worker" "$DRYDOCK_BUILD/drydock-egress" 10000 - "$LOGS/log"
}

teardown_file() {
	rm -rf "${LOGS:?}"
}

check() { # LOG [POLICY]
	/usr/bin/python3 "$BATS_TEST_DIRNAME/../soak/check_audit.py" "$1" "${2:-$LOGS/log.policy}"
}

@test "the checker agrees with every verdict of a broker that was asked by a hostile worker" {
	run check "$LOGS/log"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *" open, "*" 0 problems"* ]]
}

@test "the checker finds an edited verdict, a lost record, a changed policy and a line cut short" {
	awk 'NR > 100 && !done && sub(/"verdict":"deny"/, "\"verdict\":\"allow\"") { done = 1 } { print }' "$LOGS/log" >"$LOGS/edited"
	run check "$LOGS/edited"
	[ "$status" -eq 1 ]
	[[ $output == *"the chain is broken"* ]]
	sed 200d "$LOGS/log" >"$LOGS/shorter"
	run check "$LOGS/shorter"
	[ "$status" -eq 1 ]
	[[ $output == *"1 records are missing, 0 are said to be"* ]]
	sed 's/^allow \*\.wild/allow *.other/' "$LOGS/log.policy" >"$LOGS/other"
	run check "$LOGS/log" "$LOGS/other"
	[ "$status" -eq 1 ]
	[[ $output == *"opened, the policy says"* ]]
	head -c -20 "$LOGS/log" >"$LOGS/cut"
	run check "$LOGS/cut"
	[ "$status" -eq 1 ]
	[[ $output == *"the last line is cut"* ]]
}
