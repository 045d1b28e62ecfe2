#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A Docker host of its own: dockerd, its storage, its networks and a small internet, in namespaces that end with the script.
#
# usage: rig.sh why                         prints why it cannot run here, or nothing
#        rig.sh prepare DIR BUILD           certificates, programs, images; once
#        rig.sh run DIR SCRIPT [ARG...]     SCRIPT is a bash file; lib.sh is sourced before it
#
# Everything lives in new network, mount and pid namespaces: /run and the daemon's folders are tmpfs, so when the first
# process of the pid namespace ends, daemon, containers, mounts, bridges and packet rules are gone, whatever happened.
# Only cgroups are not namespaced: they stand below /drydock-rig-PID and are removed here.
# Needs root. RIG_DOCKERD: another daemon than the installed one. RIG_DNS=loopback: the host's resolver is on 127.0.0.1 (as systemd-resolved), else it is another machine.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PATH=/usr/bin:/bin:/usr/sbin:/sbin

why() {
	if [ "$(id -u)" -ne 0 ]; then
		echo "a daemon of its own needs root"
		return
	fi
	for p in dockerd docker containerd runc iptables ip python3 openssl; do
		command -v "$p" >/dev/null || {
			echo "$p is not installed"
			return
		}
	done
	unshare -n -m -p -f --mount-proc --kill-child true 2>/dev/null || echo "no namespaces can be made here"
}

# A root file system for the agent: python3, curl and a shell, copied from this machine with their libraries.
agent_rootfs() { # DIR
	local root=$1/rootfs p lib
	mkdir -p "$root"/{bin,etc,lib,lib64,proc,root,sys,tmp,usr/bin,usr/lib,home/agent}
	chmod 1777 "$root/tmp"
	for p in bash sleep cat env id curl python3 ip; do
		p=$(readlink -f "$(command -v "$p")")
		echo "$p"
		ldd "$p" 2>/dev/null | grep -oE '/[^ ]+' || true
	done | sort -u >"$1/files"
	find /usr/lib/python3*/lib-dynload -name '*.so' \( -name '_ssl*' -o -name '_hash*' -o -name '_json*' -o -name '_ctypes*' \) \
		-exec ldd {} + 2>/dev/null | grep -oE '/[^ ]+\.so[^ :]*' | sort -u >>"$1/files"
	while read -r lib; do
		mkdir -p "$root$(dirname "$lib")"
		cp -Lu "$lib" "$root$lib"
	done <"$1/files"
	lib=$(python3 -c 'import os; print(os.path.dirname(os.__file__))')
	mkdir -p "$root$lib"
	tar -C "$lib" --exclude test --exclude __pycache__ --exclude idlelib --exclude tkinter --exclude lib2to3 \
		--exclude ensurepip --exclude pydoc_data --exclude 'config-*' --exclude dist-packages -c . | tar -C "$root$lib" -x
	ln -sf "$(basename "$(readlink -f "$(command -v python3)")")" "$root/usr/bin/python3"
	ln -sf bash "$root/bin/sh"
	[ -e "$root/bin/bash" ] || ln -s ../usr/bin/bash "$root/bin/bash"
	printf 'root:x:0:0:root:/root:/bin/sh\nagent:x:1000:1000::/home/agent:/bin/sh\n' >"$root/etc/passwd"
	echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
	cp "$1/ca.pem" "$here/probe.py" "$root/"
	chmod 755 "$root/probe.py"
	tar -C "$root" -cf "$1/agent.tar" .
}

prepare() { # DIR BUILD
	"$here/../lab/lab.sh" prepare "$1" "$2"
	install -m 755 "$here"/{rig.sh,lib.sh,probe.py,table.py} "$1/"
	cp -r "$here/../../data/compose" "$1/"
	agent_rootfs "$1"
	"$2/tests/docker/image_tool" "$1/bin/drydock-egress" >"$1/egress.tar" 2>"$1/egress.id"
}

network() {
	mount -t tmpfs -o mode=755 tmpfs /run
	mkdir -p /run/netns /var/lib/docker
	mount -t tmpfs tmpfs /var/lib/docker
	ip link set lo up
	ip netns add wan
	ip link add eth0 type veth peer name eth0 netns wan
	ip addr add 198.51.100.20/24 dev eth0
	ip link set eth0 up
	ip route add default via 198.51.100.1
	ip -n wan addr add 198.51.100.1/24 dev eth0
	ip -n wan link set eth0 up
	ip -n wan link set lo up
	for a in 93.184.216.10 93.184.216.11 93.184.216.66 93.184.216.20 93.184.216.30 10.9.8.7 169.254.169.254; do
		ip -n wan addr add "$a/32" dev lo
	done
	ip -n wan -6 addr add 2606:2800:220:1::10/128 dev lo
}

servers() { # DIR
	local resolver=198.51.100.1
	rm -rf "$1"/{ready,ready.host,sockets}
	: >"$1/dns.log"
	: >"$1/hits.log"
	env -i PATH=/usr/bin:/bin LAB_DNS=198.51.100.1:53 ip netns exec wan python3 "$1/internet.py" "$1" &
	# What listens on the host, for every address, is there to be reached by mistake.
	env -i PATH=/usr/bin:/bin LAB_DNS=127.0.0.1:53 LAB_HOST=9999 python3 "$1/internet.py" "$1" &
	[ "${RIG_DNS:-}" != loopback ] || resolver=127.0.0.1
	echo "nameserver $resolver" >/run/resolv.conf
	mount --bind /run/resolv.conf /etc/resolv.conf
	for _ in $(seq 500); do
		[ ! -e "$1/ready" ] || [ ! -e "$1/ready.host" ] || return 0
		sleep 0.02
	done
	echo "rig: the servers do not start" >&2
	return 1
}

start_dockerd() { # DIR
	local program=${RIG_DOCKERD:-$(command -v dockerd)}
	env -i PATH="$(dirname "$program"):$PATH" "$program" --host unix:///run/docker.sock --data-root /var/lib/docker --exec-root /run/docker \
		--pidfile /run/docker.pid --cgroup-parent "$RIG_CGROUP" --storage-driver overlay2 >>"$1/dockerd.log" 2>&1 &
	for _ in $(seq 300); do
		! docker version >/dev/null 2>&1 || return 0
		sleep 0.05
	done
	echo "rig: dockerd does not start:" >&2
	tail -n 5 "$1/dockerd.log" >&2
	return 1
}

inside() { # DIR SCRIPT ARG...
	RIG=$1
	script=$2
	shift 2
	export RIG DOCKER_HOST=unix:///run/docker.sock
	network
	servers "$RIG"
	: >"$RIG/dockerd.log"
	start_dockerd "$RIG"
	docker import "$RIG/agent.tar" drydock-agent:latest >/dev/null
	docker load -q <"$RIG/egress.tar" >/dev/null
	# shellcheck source=tests/docker/lib.sh
	. "$RIG/lib.sh"
	# shellcheck disable=SC1090 # the caller's
	. "$script"
}

# Cgroups of containers that were killed can go as soon as they are empty.
remove_cgroups() {
	for _ in $(seq 200); do
		find /sys/fs/cgroup -maxdepth 4 -depth -type d -path "*$RIG_CGROUP*" -exec rmdir {} + 2>/dev/null || true
		[ -n "$(find /sys/fs/cgroup -maxdepth 3 -type d -path "*$RIG_CGROUP" -print -quit 2>/dev/null)" ] || break
		sleep 0.02
	done
}

run() { # DIR SCRIPT ARG...
	export RIG_CGROUP=/drydock-rig-$$
	local pid
	env -i PATH="$PATH" HOME="$1" RIG_CGROUP="$RIG_CGROUP" RIG_DNS="${RIG_DNS:-}" RIG_DOCKERD="${RIG_DOCKERD:-}" \
		RIG_GENERATIONS="${RIG_GENERATIONS:-}" RIG_COMPOSE_V2="${RIG_COMPOSE_V2:-}" RIG_TOPOLOGY="${RIG_TOPOLOGY:-}" \
		TERM=dumb unshare -n -m -p -f --mount-proc --kill-child "$1/rig.sh" inside "$@" &
	pid=$!
	# shellcheck disable=SC2064 # the pid as it is now
	trap "kill $pid 2>/dev/null || true; wait $pid 2>/dev/null || true; remove_cgroups" EXIT
	trap 'exit 143' TERM INT HUP
	wait "$pid"
}

case ${1:-} in
why) why ;;
prepare) prepare "$2" "$3" ;;
run)
	shift
	run "$@"
	;;
inside)
	shift
	inside "$@"
	;;
*)
	echo "usage: $0 why | prepare DIR BUILD | run DIR SCRIPT [ARG...]" >&2
	exit 2
	;;
esac
