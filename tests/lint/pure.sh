#!/usr/bin/env bash
# policy and proto may call nothing outside of themselves but base, net and pure functions of libc.
# usage: pure.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build}
pure='^(mem(cpy|cmp|chr|set|move|rchr)|__mem(cpy|move|set)_chk|str(len|chr|cmp|ncmp|ndup|rchr|dup)|free|malloc|calloc|realloc(array)?|v?snprintf|__v?snprintf_chk|__assert_fail|abort|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|qsort|__(asan|ubsan|sanitizer|san|lsan)_.*|inet_(pton|ntop)|__tls_get_addr)$'
own='^(span|buf|utf8|words|err|name|addr|rule|ruleset|verdict|policy|proxy|http|tls|dns|socks|body)_'
bad=0
for lib in policy proto; do
	extra=$(nm -u "$build/src/$lib/lib$lib.a" 2>/dev/null | awk '$1 == "U" { print $2 }' | sort -u | grep -vE "$pure|$own" || true)
	if [ -n "$extra" ]; then
		echo "$lib calls: $extra" >&2
		bad=1
	fi
done
exit $bad
