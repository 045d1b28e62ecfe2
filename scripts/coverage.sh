#!/usr/bin/env bash
# Says how much of the code that reads hostile bytes and decides (src/net, src/proto, src/policy) its own unit tests and
# fuzz corpora run, line by line; each of the three must reach the bar.
# usage: coverage.sh [PERCENT]
set -euo pipefail
cd "$(dirname "$0")/.."
bar=${1:-95}
build='build-coverage'
scripts/deps.sh --test
[ -f $build/build.ninja ] || CC=gcc meson setup $build -Db_coverage=true --buildtype=debug >/dev/null
# Not the tests of whole processes: what runs in a seccomp filter cannot write its counts.
mapfile -t programs < <(ninja -C $build -t targets all |
	sed -nE 's|^(tests/unit/(net\|proto\|policy)/test_[a-z0-9_]+\|tests/fuzz/fuzz_[a-z0-9_]+): .*|\1|p' | sort -u)
ninja -C $build "${programs[@]}" | tail -n 1
find $build -name '*.gcda' -delete
mapfile -t tests < <(meson test -C $build --list 2>/dev/null | sed -nE 's@^(.* / )?((net|proto|policy|corpus)/[a-z0-9_]+)$@\2@p')
meson test -C $build --no-rebuild --print-errorlogs "${tests[@]}" >$build/coverage.log || {
	cat $build/coverage.log
	exit 1
}
rc=0
for folder in net proto policy; do
	gcovr --root . --filter "src/$folder/" --fail-under-line "$bar" $build || rc=1
done
if [ $rc -ne 0 ]; then
	echo "a folder is below $bar %" >&2
	exit 1
fi
echo "src/net, src/proto, src/policy: $bar % of the lines of each, or more"
