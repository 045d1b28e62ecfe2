#!/usr/bin/env bash
# Fuzzes every target with libFuzzer for SECONDS each, starting from the corpora. New inputs stay in build-fuzz/.
# usage: fuzz.sh SECONDS
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
scripts/deps.sh --test
[ -f build-fuzz/build.ninja ] || CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined \
	-Db_lundef=false >/dev/null
targets=$(ninja -C build-fuzz -t targets all | sed -n 's|^\(tests/fuzz/fuzz_[a-z0-9_]*\): .*|\1|p' | sort -u)
# shellcheck disable=SC2086
ninja -C build-fuzz $targets | tail -n 1
for target in $targets; do
	name=${target##*/fuzz_}
	seeds=$(find tests/corpus -type d -name "$name" | head -n 1)
	mkdir -p "build-fuzz/corpus/$name"
	echo "== $name: $seconds s"
	"build-fuzz/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
		-artifact_prefix="build-fuzz/finding-$name-" "build-fuzz/corpus/$name" ${seeds:+"$seeds"}
done
echo "every target: no finding"
