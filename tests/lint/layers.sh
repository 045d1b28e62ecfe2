#!/usr/bin/env bash
# Checks every #include "..." below src/ against layers.txt. Claim C-17: broker includes no proto.
set -euo pipefail
cd "$(dirname "$0")/../.."
declare -A allowed
while IFS=: read -r folder list; do
	folder=${folder%%[[:space:]]*}
	[ -z "$folder" ] || [ "${folder:0:1}" = "#" ] || allowed[$folder]=" $list "
done <tests/lint/layers.txt

bad=0
while IFS=: read -r file _ line; do
	header=$(sed -n 's/^#include "\([^"]*\)".*/\1/p' <<<"$line")
	from=$(dirname "${file#src/}")
	from=${from%/gen}
	to=$(dirname "$header")
	[ "$to" != . ] || continue
	[ "$from" != "$to" ] || continue
	[ "$file" != src/confine/gen/seccomp_gen.c ] || continue # the generator reads every process's table
	if [ "$from" = cli ] && [[ $header =~ ^egress/wire/(control|reason)\.h$ ]]; then continue; fi
	if [[ ${allowed[$from]-} != *" $to "* ]]; then
		echo "$file includes $header: $from may not use $to" >&2
		bad=1
	fi
done < <(grep -rn '^#include "' src --include='*.c' --include='*.h')
exit $bad
