#!/usr/bin/env bats
# C-54 under every fault the egress serves as before or is shut: system calls fail, processes are killed. What the rules refuse
# is never reached, nothing is left over, and it says what happened. A part of the cases; `make faults` runs all of them.

DRYDOCK_BUILD=${DRYDOCK_BUILD:-$BATS_TEST_DIRNAME/../../build}

kinds() {
	[ "$(id -u)" -ne 0 ] || echo root
	echo user
}

faults() { # KIND MODE SHARE [SEED [ONLY]]
	local kind=$1
	shift
	if [ "$kind" = user ] && [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid 65432 --regid 65432 --clear-groups "$COPY/tests/faults/run.sh" "$1" "$COPY" "${@:2}"
	else
		"$COPY/tests/faults/run.sh" "$1" "$COPY" "${@:2}"
	fi
}

setup_file() {
	[ "$(uname -m)" = x86_64 ] || skip "the injector knows x86-64 only"
	COPY=$(mktemp -d /var/tmp/drydock-faults.XXXXXX) # the checkout may lie where another user cannot look
	export COPY
	mkdir -p "$COPY/tests/faults"
	cp "$DRYDOCK_BUILD"/{drydock,drydock-egress} "$COPY/"
	cp -r "$BATS_TEST_DIRNAME/../../data" "$COPY/"
	cp "$BATS_TEST_DIRNAME"/{run.sh,faults.py} "$DRYDOCK_BUILD/tests/faults/inject" "$COPY/tests/faults/"
	chmod -R a+rX "$COPY"
}

teardown_file() {
	rm -rf "${COPY:?}"
}

@test "C-54 system calls of each process fail: the egress serves on or is shut, and nothing leaks" {
	for k in $(kinds); do
		run faults "$k" calls 12
		echo "$output"
		[ "$status" -eq 0 ]
		[[ $output == *"0 problems"* ]]
	done
}

@test "C-54 a connection that goes away under splice does not end the worker" {
	for k in $(kinds); do
		run faults "$k" calls 1 - "worker splice shut"
		echo "$output"
		[ "$status" -eq 0 ]
		[[ $output == *"{'serves on': 2}"* ]]
	done
}

@test "C-54 a call of the start fails: it serves with all its confinement, or does not start and says why" {
	for k in $(kinds); do
		run faults "$k" start 25
		echo "$output"
		[ "$status" -eq 0 ]
		[[ $output == *"0 problems"* ]]
	done
}

@test "C-54 kill -9 of one process at any moment shuts all of the egress" {
	for k in $(kinds); do
		run faults "$k" kill 30
		echo "$output"
		[ "$status" -eq 0 ]
		[[ $output == *"0 problems"* ]]
	done
}

@test "C-54 a call of drydock run fails: the command sees the same jail or none, and nothing is left behind" {
	for k in $(kinds); do
		run faults "$k" run 80
		echo "$output"
		[ "$status" -eq 0 ]
		[[ $output == *"0 problems"* ]]
	done
}

@test "C-54 the helper of root's start is killed before it tells the number of pid 1: no session, and no wait for ever" {
	[ "$(id -u)" -eq 0 ] || skip "an ordinary user's start has no helper"
	run faults root run 1 - "run write EPERM number"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"'the same'"*"0 problems"* ]]
}
