#!/usr/bin/env bash
# An hour or so at load, with a fault every few seconds: what leaks, and which verdict is wrong?
# usage: soak.sh MINUTES BUILD [DIR [RATE [SEED]]]      as root: everything is in namespaces of its own
# DIR (default: a new folder) gets report.txt, and the evidence of what failed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
minutes=$1
build=$(realpath "$2")
dir=${3:-$(mktemp -d /var/tmp/drydock-soak.XXXXXX)}
rate=${4:-40}
seed=${5:-$(date +%s)}

if [ "${SOAK_INSIDE:-}" != 1 ]; then
	if [ "$(id -u)" -ne 0 ]; then
		echo "the soak needs root: it makes network and mount namespaces" >&2
		exit 1
	fi
	mkdir -p "$dir/bin" "$dir/state" "$dir/share/drydock"
	chmod 755 "$dir"
	install -m 755 "$build/drydock" "$build/drydock-egress" "$dir/bin/" # a rebuild must not change what runs
	cp -r "$here/../../data/presets" "$dir/share/drydock/"
	install -m 755 "$here"/*.py "$dir/"
	echo "report: $dir/report.txt"
	export SOAK_INSIDE=1
	exec unshare -n -m --propagation private "$here/soak.sh" "$minutes" "$build" "$dir" "$rate" "$seed"
fi
ip link set lo up
for a in 93.184.216.10 93.184.216.66 10.9.8.7 169.254.169.254; do
	ip addr add "$a/32" dev lo
done
mount -t tmpfs -o size=160m,mode=700 tmpfs "$dir/state"
ulimit -n 20000
exec env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin nice -n 5 /usr/bin/python3 "$dir/drive.py" "$minutes" "$rate" "$seed" "$dir" \
	"$dir/bin"
