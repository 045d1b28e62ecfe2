#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# completion: made from the one table of commands and from each command's own help

load helpers

setup_file() {
	lay_out
	export TOP PREFIX
}
teardown_file() { clear_away; }
setup() {
	PERSONAS=(user)
	become user
}

# offered WORD...: the candidates without their descriptions
offered() {
	expect 0 drydock __complete -- "$@"
	out=$(printf '%s\n' "$out" | cut -f1)
}

@test "every command, every option of each, and the values that help names are offered" {
	expect 0 drydock help
	local names
	names=$(printf '%s\n' "$out" | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' | sort)
	offered ""
	[ "$(printf '%s\n' "$out" | sort)" = "$names" ]
	for name in $names; do
		expect 0 drydock help "$name"
		local options
		options=$(printf '%s\n' "$out" | grep -Eo '^  (-.,| ) +--[a-z-]+' | grep -Eo -- '--[a-z-]+' | sort)
		[ -n "$options" ] || continue
		offered "$name" --
		[ "$(printf '%s\n' "$out" | sort)" = "$options" ]
	done
	offered run -p git
	has "$out" github
	offered preset ""
	[ "$out" = "$(printf 'ls\nshow')" ]
	offered preset show np
	[ "$out" = npm ]
	offered run -C ""
	[ "$out" = ":dirs" ]
	offered run --allow-file ""
	[ "$out" = ":files" ]
	offered completion f
	[ "$out" = fish ]
	offered help dene
	[ -z "$out" ]
}

@test "sessions and allowed hosts are offered, and a command line of the user's own is left to it" {
	expect 0 drydock run -q --name shop -a one.test -a '*.two.test' -- true
	offered stop sh
	[[ $out == shop-???? ]]
	offered log --session-of-nothing ""
	[[ $out == shop-???? ]]
	offered check o
	[ "$out" = one.test ]
	offered allow --session sh
	[[ $out == shop-???? ]]
	offered run -q -a one.test git ch
	[ "$out" = ":command 5" ]
	offered run -- git
	[ "$out" = ":command 3" ]
}

@test "bash completes by the script" {
	drydock completion bash >"$TOP/drydock.bash"
	bash -n "$TOP/drydock.bash"
	# shellcheck disable=SC2016 # expanded by that shell
	expect 0 as bash --norc -c 'PATH=$1/bin:$PATH; source "$2"
		COMP_WORDS=(drydock al) COMP_CWORD=1; _drydock; echo "${COMPREPLY[*]}"
		COMP_WORDS=(drydock run --timeo) COMP_CWORD=2; _drydock; echo "${COMPREPLY[*]}"
		COMP_WORDS=(drydock run -C /us) COMP_CWORD=3; _drydock 2>/dev/null; echo "${COMPREPLY[*]}"' x "$PREFIX" "$TOP/drydock.bash"
	[ "$out" = "$(printf 'allow\n--timeout\n/usr')" ]
}

@test "fish completes by the script" {
	command -v fish >/dev/null || skip "fish is not installed"
	drydock completion fish >"$TOP/drydock.fish"
	# shellcheck disable=SC2016 # expanded by that shell
	expect 0 as fish --no-config -c 'set -x PATH '"$PREFIX"'/bin $PATH; source '"$TOP"'/drydock.fish
		complete -C "drydock al"; complete -C "drydock run --timeo"; complete -C "drydock preset show np"'
	has "$out" "allow	add a rule"
	has "$out" "--timeout"
	has "$out" "npm"
}

@test "zsh completes by the script" {
	command -v zsh >/dev/null || skip "zsh is not installed"
	mkdir -p "$TOP/zsh"
	drydock completion zsh >"$TOP/zsh/_drydock"
	zsh -n "$TOP/zsh/_drydock"
	# what the completion system would be told, with its part played
	# shellcheck disable=SC2016 # expanded by that shell
	expect 0 as zsh -f -c 'PATH=$1/bin:$PATH
		_describe() { print -l -- ${(P)2} }; _files() { print -- "files $*" }; _normal() { print -- "normal $CURRENT $words" }
		words=(drydock al); CURRENT=2; source $2
		words=(drydock run -C x); CURRENT=4; source $2
		words=(drydock run -q git ch); CURRENT=5; source $2' x "$PREFIX" "$TOP/zsh/_drydock"
	has "$out" "allow:add a rule"
	has "$out" "files -/"
	has "$out" "normal 2 git ch"
}

@test "another shell is a mistake, and gets a suggestion" {
	expect 2 drydock completion
	expect 2 drydock completion bsh
	has "$err" "did you mean 'bash'?"
}
