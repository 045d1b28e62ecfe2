#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures drydock's proxy beside others, and says which bars are met; docs/PERFORMANCE.md says how and why.
# usage: run.sh BUILD        BENCH_QUICK=1: one round, less work in each; BENCH_KEEP=DIR: keep the raw figures there
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd) || exit 1
relay=$build/bench/bench-relay load=$build/bench/bench-load
rounds=3 scale=4
[ -z "${BENCH_QUICK:-}" ] || rounds=1 scale=2

# ---- the proxies: each listens on $port, runs on core 0, and leaves its process id in $pid ----

pin0() { exec env -i PATH="$PATH" taskset -c 0 "$@"; }

start_floor() { pin0 "$relay" "$port" & }

start_ours() {
	pin0 "$build/drydock-egress" serve --listen "127.0.0.1:$port" --rules "${rules:-$dir/rules}" \
		--hosts "$dir/hosts" --resolver 127.0.0.1:9 --audit "$dir/audit" 2>"$dir/err" &
}

start_tinyproxy() {
	cat >"$dir/tinyproxy.conf" <<-END
		Port $port
		Listen 127.0.0.1
		Timeout 600
		MaxClients 4000
		Allow 127.0.0.1
		ConnectPort 18443
		Filter "$dir/filter"
		FilterDefaultDeny Yes
		LogFile "$dir/tinyproxy.log"
		LogLevel Critical
	END
	echo '^bench\.test$' >"$dir/filter"
	pin0 tinyproxy -d -c "$dir/tinyproxy.conf" >/dev/null 2>&1 &
}

# squid wants to be an ordinary user, so it is made one.
start_squid() {
	cat >"$dir/squid.conf" <<-END
		http_port 127.0.0.1:$port
		acl ok dstdomain bench.test
		http_access allow ok
		http_access deny all
		cache deny all
		cache_mem 8 MB
		access_log none
		cache_log /dev/null
		cache_store_log none
		pid_filename none
		hosts_file $dir/hosts
		dns_nameservers 127.0.0.1
		pinger_enable off
		netdb_filename none
		max_filedescriptors 16384
		coredump_dir $dir
		shutdown_lifetime 0 seconds
		visible_hostname bench.test
	END
	pin0 unshare --user --map-user=1000 --map-group=1000 squid -N -f "$dir/squid.conf" >/dev/null 2>&1 &
}

start_haproxy() {
	cat >"$dir/haproxy.conf" <<-END
		global
		  maxconn 4000
		  nbthread 1
		defaults
		  timeout connect 5s
		  timeout client 600s
		  timeout server 600s
		listen tunnels
		  bind 127.0.0.1:$port
		  mode tcp
		  option splice-auto
		  server s 127.0.0.1:18443
		listen requests
		  bind 127.0.0.1:$((port + 1))
		  mode http
		  server s 127.0.0.1:18080
	END
	pin0 haproxy -db -f "$dir/haproxy.conf" >/dev/null 2>&1 &
}

# No clock: tries to connect until it is refused no more, or the process is gone.
wait_for_port() {
	until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
		kill -0 "$pid" 2>/dev/null || return 1
		read -r -t 0.05 <>"$dir/never"
	done
	return 0
}

start() {
	"start_$1"
	pid=$!
	wait_for_port && return
	stop
	echo "$1 does not start; its column is left out" >&2
	cat "$dir/err" >&2 2>/dev/null
	return 1
}

stop() {
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# ---- measuring ----

# NAME MODE N AT_ONCE: one line "NAME ROW FIELD=VALUE..." in $dir/raw
measure() {
	local name=$1 row=$2 at=$port
	shift 2
	local args=("$@")
	if [ "$name" = haproxy ]; then
		[ "$row" != http ] || at=$((port + 1))
		[ "${args[0]}" = denied ] && return
		args+=(raw)
	fi
	[ "$name $row" = "floor http" ] && return
	local line
	if line=$(taskset -c 1 timeout 30 "$load" "${args[0]}" "$at" "$pid" "${args[@]:1}" 2>>"$dir/load.err"); then
		echo "$name $row $line" >>"$dir/raw"
	else
		echo "$name $row: $line $(tail -n 1 "$dir/load.err")" >&2
	fi
}

# Idle first: what a fresh proxy holds. Few and slow things less often for those that are far from any bar.
measure_all() {
	local name=$1 n=$scale
	[ "$name" != tinyproxy ] || n=1
	measure "$name" idle idle 2000 16
	measure "$name" connect connect $((n * 1000)) 16
	measure "$name" denied denied $((n * 2500)) 16
	measure "$name" ping ping $((n * 2000)) 1
	measure "$name" http http $((n * 2500)) 16
	measure "$name" down1 down $((n * 128)) 1
	measure "$name" up1 up $((n * 128)) 1
	measure "$name" down8 down $((n * 24)) 8
	measure "$name" up8 up $((n * 24)) 8
}

egress_use() {
	local name=$1
	echo "ours $name $("$load" use 0 "$pid" 0 0)" >>"$dir/raw"
}

million_rules() {
	{
		cat "$dir/rules"
		awk 'BEGIN { for (i = 0; i < 1000000; i++) print "allow h" i ".example.test" }'
	} >"$dir/million"
	for ((round = 0; round < rounds; round++)); do
		rules=$dir/million start ours || return
		egress_use million
		measure ours denied_million denied $((scale * 5000)) 16
		stop
		start ours || return
		measure ours denied_ten denied $((scale * 5000)) 16
		stop
	done
}

inside() {
	ip link set lo up
	echo "1024 65000" >/proc/sys/net/ipv4/ip_local_port_range
	port=19000
	mkfifo "$dir/never"
	echo "127.0.0.1 localhost bench.test denied.test" >"$dir/hosts"
	mount --bind "$dir/hosts" /etc/hosts
	{
		echo "allow bench.test:18443 loopback tls"
		echo "allow bench.test:18080 loopback http"
		for i in 1 2 3 4 5 6 7 8; do echo "allow h$i.example.test"; done
	} >"$dir/rules"
	local peers=(floor ours)
	for p in haproxy squid tinyproxy; do
		if command -v $p >/dev/null; then peers+=("$p"); else echo "$p is not installed: its column is left out" >&2; fi
	done
	start ours && egress_use quiet && stop
	for ((round = 0; round < rounds; round++)); do
		pid=0 port=18443 measure direct idle idle 2000 16 raw
		for p in "${peers[@]}"; do
			# the peers are there to compare with: one round of theirs is enough for that
			[ "$round" -gt 0 ] && [ "$p" != floor ] && [ "$p" != ours ] && continue
			start "$p" || continue
			measure_all "$p"
			stop
		done
	done
	million_rules
}

start_up() {
	if ! command -v hyperfine >/dev/null || ! command -v bwrap >/dev/null; then
		echo "start-up: hyperfine or bubblewrap is not installed" >&2
		return
	fi
	mkdir "$dir/home" "$dir/project"
	# as in a login session: what is removed at the end lies on no disk
	local runtime
	runtime=$(mktemp -d /dev/shm/drydock-bench-XXXXXX) || return
	(cd "$dir/project" && env -i PATH="$PATH" HOME="$dir/home" XDG_RUNTIME_DIR="$runtime" hyperfine -N -w 3 -r $((scale * 10)) --export-csv "$dir/starts" \
		"$build/drydock run -q -- /bin/true" "bwrap --unshare-all --ro-bind / / true" >"$dir/starts.err" 2>&1) ||
		cat "$dir/starts.err" >&2
	rm -rf "$runtime"
	[ -f "$dir/starts" ] && awk -F, 'NR == 2 { d = $4 } NR == 3 { b = $4 }
		END { if (d && b) printf "ours start median_ms=%.2f\nbwrap start median_ms=%.2f\n", d * 1000, b * 1000 }' "$dir/starts" >>"$dir/raw"
}

if [ "${2:-}" = --inside ]; then
	dir=$3
	inside
	exit 0
fi

ninja -C "$build" bench/bench-relay bench/bench-load >/dev/null || exit 1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unshare -rnm "$here/run.sh" "$build" --inside "$dir" || exit 1
start_up
[ -z "${BENCH_KEEP:-}" ] || cp "$dir/raw" "$BENCH_KEEP/raw"
awk -f "$here/table.awk" "$dir/raw"
