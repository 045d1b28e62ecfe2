#!/usr/bin/env bash
# Everything about the sources that can be checked without running them.
# usage: lint.sh BUILD
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
scripts/deps.sh --test || exit 1
bad=0

check() {
	local name=$1
	shift
	if "$@"; then
		echo "ok    $name"
	else
		echo "FAIL  $name"
		bad=1
	fi
}

mapfile -t scripts < <(git ls-files -co --exclude-standard | while read -r f; do
	[ -f "$f" ] && head -c 64 "$f" | head -n 1 | grep -aqE '^#!.*(bash|/sh)' && echo "$f"
done)
mapfile -t pages < <(git ls-files -co --exclude-standard 'man/*.[1-9]')

check "include layers" tests/lint/layers.sh
check "pure modules make no system call" tests/lint/pure.sh "$build"
check "words that do not belong here" tests/lint/words.sh
check "shellcheck" shellcheck -x -e SC2317 "${scripts[@]}"
# Off for bats: variables go from one of its functions to another through the shell, which it runs by parts.
check "shellcheck of bats" shellcheck -x -S warning -e SC2154,SC2034,SC2030,SC2031,SC2120,SC2317 tests/*/*.bats
check "shfmt" shfmt -d "${scripts[@]}"
[ ${#pages[@]} -eq 0 ] || check "man pages" mandoc -T lint -W warning "${pages[@]}"
# Off: what it says of every AUTO() (the cleanup attribute; LeakSanitizer knows better), of NULL at the end of a list
# (a pointer in glibc), and of arrays and results followed through calls, where it guesses.
off=(normalCheckLevelMaxBranches preprocessorErrorDirective uninitvar legacyUninitvar ctuuninitvar ctuArrayIndex memleak
	resourceLeak varFuncNullUB)
check "cppcheck" cppcheck -q --std=c11 --error-exitcode=1 --enable=warning,portability --inline-suppr \
	"${off[@]/#/--suppress=}" -I src src
exit $bad
