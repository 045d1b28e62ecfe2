#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the path of a minimal Debian root file system, as a tar file: made once with debootstrap, from the mirror and for the
# release that this machine uses already.
# usage: root.sh [CACHE-FOLDER]
# Exit: 0; 1 with the reason when it cannot be had.
set -euo pipefail

cache=${1:-${DRYDOCK_TEST_CACHE:-/var/tmp/drydock-test-cache}}
suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
tar=$cache/root-$suite.tar
[ -e "$tar" ] && {
	echo "$tar"
	exit 0
}

give_up() {
	echo "a Debian root cannot be had: $*" >&2
	exit 1
}

[ "$(id -u)" -eq 0 ] || give_up "debootstrap needs root"
command -v debootstrap >/dev/null || give_up "debootstrap is not installed"
# shellcheck disable=SC2016 # apt expands it
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep -v security | head -n 1)
[ -n "$mirror" ] || give_up "apt knows no mirror"
mkdir -p "$cache"
work=$(mktemp -d "$cache/root-XXXXXX")
trap 'rm -rf "$work"' EXIT
# in a mount namespace of its own: what it mounts goes with it
unshare -m debootstrap --variant=minbase "$suite" "$work/root" "$mirror" >"$work/log" 2>&1 || give_up "$(tail -n 1 "$work/log")"
rm -rf "$work"/root/var/cache/apt/archives/*.deb
tar -C "$work/root" -cf "$work/root.tar" .
mv "$work/root.tar" "$tar"
echo "$tar"
