#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of the command line share: the programs laid out as installed, a home and a project for
# each persona ("root" and "user"; only "user" when the tests are not run by root, and then they say so).

# A number that belongs to nobody; the tests need no account.
USER_UID=60123

# Sets TOP (a world-readable temporary folder), PREFIX (programs as `make install` puts them), PERSONAS.
lay_out() {
	local build=${DRYDOCK_BUILD:-$BATS_TEST_DIRNAME/../../build}
	TOP=$(mktemp -d /tmp/drydock-cli-XXXXXX)
	chmod 755 "$TOP"
	PREFIX=$TOP/prefix
	mkdir -p "$PREFIX/bin" "$PREFIX/libexec/drydock" "$PREFIX/share/drydock"
	cp "$build/drydock" "$PREFIX/bin/"
	cp "$build/drydock-egress" "$PREFIX/libexec/drydock/"
	cp -r "$BATS_TEST_DIRNAME/../../data/presets" "$PREFIX/share/drydock/"
	if [ "$(id -u)" -eq 0 ]; then
		PERSONAS=(root user)
	else
		PERSONAS=(user)
		echo "# not root: shown as an ordinary user only" >&3
	fi
	local who
	for who in "${PERSONAS[@]}"; do
		mkdir -p "$TOP/$who/home" "$TOP/$who/shop"
		mkdir -m 700 "$TOP/$who/run"
		mkdir -m 700 "$TOP/$who/home/.ssh"
		echo "the-ssh-key" >"$TOP/$who/home/.ssh/id_ed25519"
		[ "$who" = root ] || [ "$(id -u)" -ne 0 ] || chown -R "$USER_UID:$USER_UID" "$TOP/$who"
	done
}

clear_away() {
	[ -n "${TOP:-}" ] && rm -rf "$TOP"
}

# become PERSONA: what follows happens as that persona, in its project
become() {
	WHO=$1
	HOME_DIR=$TOP/$WHO/home
	PROJECT=$TOP/$WHO/shop
	SESSIONS=$HOME_DIR/.local/state/drydock/sessions
	cd "$PROJECT" || return 1
}

# as CMD...: run it as the persona, with an environment of its own (more by EXTRA=(NAME=VALUE ...))
as() {
	local identity=()
	[ "$WHO" = root ] || [ "$(id -u)" -ne 0 ] ||
		identity=(setpriv --reuid "$USER_UID" --regid "$USER_UID" --clear-groups)
	"${identity[@]}" env -i PATH=/usr/local/bin:/usr/bin:/bin HOME="$HOME_DIR" TERM=dumb LANG=C.UTF-8 \
		XDG_RUNTIME_DIR="$TOP/$WHO/run" "${EXTRA[@]}" "$@"
}

# drydock ARG...: the program itself, as the persona
drydock() {
	as timeout -k 5 60 "$PREFIX/bin/drydock" "$@"
}

# each FUNCTION ARG...: run it as every persona; the name of the one that failed is shown
each() {
	local who
	for who in "${PERSONAS[@]}"; do
		become "$who"
		"$@" || {
			echo "as $who: $* failed" >&2
			return 1
		}
	done
}

# expect CODE CMD...: run it and compare the exit code; output in $out and $err
expect() {
	local want=$1 got=0
	shift
	"$@" >"$TOP/out" 2>"$TOP/err" || got=$?
	out=$(cat "$TOP/out")
	err=$(cat "$TOP/err")
	[ "$got" -eq "$want" ] || {
		printf 'exit %s, wanted %s\n-- stdout\n%s\n-- stderr\n%s\n' "$got" "$want" "$out" "$err" >&2
		return 1
	}
}

# has TEXT PART / lacks TEXT PART
has() {
	case $1 in *"$2"*) return 0 ;; esac
	printf 'missing: %s\nin:\n%s\n' "$2" "$1" >&2
	return 1
}
lacks() {
	case $1 in *"$2"*) ;; *) return 0 ;; esac
	printf 'unwanted: %s\nin:\n%s\n' "$2" "$1" >&2
	return 1
}

# descendants PID: every process below it
descendants() {
	local p
	for p in $(pgrep -P "$1"); do
		echo "$p"
		descendants "$p"
	done
}

# gone PID...: wait until each has ended (one that only waits for its parent to ask has)
gone() {
	local p
	for p in "$@"; do
		# shellcheck disable=SC2016 # the inner shell expands it
		timeout 20 sh -c 'while grep -qs "^State:.[^ZX]" "/proc/$1/status"; do sleep 0.02; done' sh "$p" || {
			echo "still there: $(tr '\0' ' ' <"/proc/$p/cmdline")" >&2
			return 1
		}
	done
}

# newest_session: its folder
newest_session() {
	find "$SESSIONS" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2
}
