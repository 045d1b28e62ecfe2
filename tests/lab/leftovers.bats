#!/usr/bin/env bats
# C-19 a part of the egress that dies shuts the session's egress; the session lives on.
# C-20 nothing outlives a session, however it ends.
load helpers

# What is left of drydock in the lab: its processes, its runtime folders.
left_over='
parts() { # processes of drydock in this lab: by namespace as root, by the lab users number else (they hide from their user)
	if [ "$(id -u)" -eq 0 ]; then pgrep --ns $$ --nslist net -x "drydock.*"; else pgrep -U "$(id -u)" -x "drydock.*"; fi
}
left() {
	for i in $(seq 100); do
		parts >/dev/null || pgrep -xf "sleep 4242" >/dev/null || break
		sleep 0.05
	done
	parts && echo "LEFT: processes of drydock"
	pgrep -xf "sleep 4242" && echo "LEFT: the command"
	find "${XDG_RUNTIME_DIR:-/tmp/drydock-$(id -u)}" -mindepth 1 -name "left-*" 2>/dev/null | grep . && echo "LEFT: runtime folder"
	find ~/project -mindepth 1 | grep . && echo "LEFT: in the project"
	true
}
start() { # runs a session in the background; $session is its supervisor
	"$DRYDOCK" run -q --name left --resolver "$LAB_RESOLVER" -a allowed.test:80 -- sleep 4242 &
	session=$!
	for i in $(seq 200); do pgrep -xf "sleep 4242" >/dev/null && break; sleep 0.02; done
}'

@test "C-20 after a normal end nothing is left" {
	for k in $(kinds); do
		run lab "$k" "$left_over"'
			"$DRYDOCK" run -q --name left --resolver "$LAB_RESOLVER" -a allowed.test:80 -- curl -sS http://allowed.test/
			left'
		[[ $output == *"hello from allowed"* ]]
		[[ $output != *LEFT* ]]
	done
}

@test "C-20 after Ctrl-C nothing is left" {
	for k in $(kinds); do
		run lab "$k" "set -m; $left_over"'
			start; kill -INT $session; wait $session; echo "rc $?"; left'
		[[ $output == *"rc 130"* ]]
		[[ $output != *LEFT* ]]
	done
}

@test "C-20 after kill -9 of the command line nothing is left" {
	for k in $(kinds); do
		run lab "$k" "$left_over"'
			start; kill -9 $session; wait $session 2>/dev/null; left 2>&1 | grep -v runtime
			"$DRYDOCK" run -q --name other --no-net -- true; left'
		[[ $output != *LEFT* ]]
	done
}

@test "C-19 each process of the egress dies: the egress is shut, the session lives on, nothing is left" {
	for k in $(kinds); do
		for part in worker serve resolver; do # serve becomes the broker
			run lab "$k" "part=$part; $left_over"'
				cat >$LAB/home/project/../script <<"S"
curl -sS -m 5 http://allowed.test/; touch /tmp/one
for i in $(seq 200); do [ -e ready ] && break; sleep 0.05; done
curl -sS -m 5 http://allowed.test/ && echo GOT OUT; curl -sS -m 5 -x "" http://allowed.test/ && echo GOT OUT
echo "the session lives"
S
				cp ~/script ~/project/script
				"$DRYDOCK" run -q --name left --resolver "$LAB_RESOLVER" -a allowed.test:80 -- bash script >out 2>&1 &
				session=$!
				for i in $(seq 200); do grep -q "hello from" out && break; sleep 0.02; done
				for pid in $(parts); do grep -qa "egress.$part" /proc/$pid/cmdline && break; done
				grep -qa "egress.$part" /proc/$pid/cmdline || echo "NO SUCH PART"
				kill -9 $pid; for i in $(seq 100); do [ "$(parts | wc -l)" -eq 1 ] && break; sleep 0.05; done
				touch ready; wait $session; cat out; rm -f out ready script; left'
			echo "$part: $output"
			[[ $output == *"hello from allowed"*"the session lives"* ]]
			[[ $output != *"GOT OUT"* ]]
			[[ $output != *"NO SUCH"* ]]
			[[ $output != *LEFT* ]]
		done
	done
}
