#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A command on a terminal of its own: job control, resize, Ctrl-C, and the user's terminal afterwards

load helpers

setup_file() {
	lay_out
	cp "$BATS_TEST_DIRNAME/pty.py" "$TOP/pty.py"
	export TOP PREFIX
	export PERSONA_LIST="${PERSONAS[*]}"
}
teardown_file() { clear_away; }
setup() { read -ra PERSONAS <<<"$PERSONA_LIST"; }

# on_terminal ARG...: drydock on a terminal that pty.py plays the user of; its lines come on stdin
on_terminal() {
	cat >"$TOP/script"
	as PS1='ready> ' python3 "$TOP/pty.py" "$TOP/script" "$PREFIX/bin/drydock" "$@"
}

own_terminal() {
	expect 0 on_terminal run -q -e PS1 -- sh -i <<-'END' || return 1
		expect ready> 
		send tty; stty size\r
		expect /dev/pts/0
		expect 24 80
		resize 50 132
		send sleep 0.1; stty size\r
		expect 50 132
		send exit 9\r
	END
	has "$out" "exit 9 raw no"
}
@test "the command has a terminal of its own that follows the user's in size" { each own_terminal; }

job_control() {
	expect 0 on_terminal run -q -e PS1 -- bash --norc -i <<-'END' || return 1
		expect ready> 
		send sh -c 'echo run""ning; exec sleep 100'\r
		expect running
		send \x1a
		expect Stopped
		send kill %1; echo state=$?\r
		expect state=0
		send sh -c 'echo wai""ting; exec sleep 100'\r
		expect waiting
		send \x03
		expect ready> 
		send echo code=$?\r
		expect code=130
		send exit 0\r
	END
	has "$out" "exit 0 raw no"
}
@test "Ctrl-Z, kill and Ctrl-C work inside" { each job_control; }

interrupt_key() {
	expect 0 on_terminal run -q -- sh -c 'echo wai""ting; exec sleep 100' <<-'END' || return 1
		expect waiting
		send \x03
	END
	has "$out" "exit 130 raw no"
}
@test "Ctrl-C ends a plain command with 130, and the terminal is as before" { each interrupt_key; }

signals_restore() {
	local number
	for number in 15 1 2; do
		expect 0 on_terminal run -q -- sh -c 'echo wai""ting; exec sleep 100' <<-END || return 1
			expect waiting
			signal $number
		END
		has "$out" "exit $((128 + number)) raw no" || return 1
	done
}
@test "a signal to drydock ends the command, and the terminal is as before" { each signals_restore; }

not_executable() {
	expect 0 on_terminal run -q -- no-such-program </dev/null || return 1
	has "$out" "exit 127 raw no" || return 1
	expect 0 on_terminal run -q -a '*.com' -- true </dev/null || return 1
	has "$out" "exit 125 raw no"
}
@test "the terminal is as before when nothing ran" { each not_executable; }

much_text() {
	expect 0 on_terminal run -q -- sh -c 'seq 20000; echo l""ast' <<-'END' || return 1
		expect last
	END
	[ "$(printf '%s\n' "$out" | grep -c '^[0-9][0-9]*$')" -eq 20000 ] && has "$out" "exit 0 raw no"
}
@test "a lot of text arrives whole, its end too" { each much_text; }

no_injection() {
	# TIOCSTI would put keys into the queue of a terminal; the filter refuses it
	expect 0 on_terminal run -q -- python3 -c 'import fcntl, termios
try:
    fcntl.ioctl(0, termios.TIOCSTI, b"x")
    print("inj" + "ected")
except OSError as e:
    print("ref" + "used")' <<-'END' || return 1
		expect refused
	END
	lacks "$out" injected
}
@test "no key can be put into a terminal's queue" { each no_injection; }
