#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fetches a package of the next Debian release into a cache folder and prints the path of a file in it. Nothing is
# installed: apt works in a root of its own, from the mirror that this machine uses already.
# usage: get_package.sh PACKAGE FILE [CACHE-FOLDER]
# Exit: 0; 1 with the reason when it cannot be had.
set -euo pipefail

suite=trixie
package=$1
cache=${3:-${DRYDOCK_TEST_CACHE:-/var/tmp/drydock-test-cache}}
file=$cache/$package/$2
[ -e "$file" ] && {
	echo "$file"
	exit 0
}

give_up() {
	echo "$package of $suite cannot be had: $*" >&2
	exit 1
}

command -v apt-get >/dev/null || give_up "this machine has no apt"
# shellcheck disable=SC2016 # apt expands it
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep -v security | head -n 1)
[ -n "$mirror" ] || give_up "apt knows no mirror"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || give_up "$keyring is missing"

mkdir -p "$cache"
work=$(mktemp -d "$cache/apt-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{state/lists/partial,cache/archives/partial,parts,download}
: >"$work/state/status"
echo "deb [signed-by=$keyring] $mirror $suite main" >"$work/sources.list"
cat >"$work/apt.conf" <<END
Dir::State "$work/state";
Dir::State::status "$work/state/status";
Dir::Cache "$work/cache";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "$work/parts";
APT::Sandbox::User "$(id -un)";
END
export APT_CONFIG=$work/apt.conf
apt-get update -qq >"$work/log" 2>&1 || give_up "$(tail -n 1 "$work/log")"
(cd "$work/download" && apt-get download -qq "$package") >"$work/log" 2>&1 || give_up "$(tail -n 1 "$work/log")"
dpkg-deb -x "$work"/download/*.deb "$work/tree" || give_up "the package cannot be unpacked"
rm -rf "${cache:?}/$package"
mv "$work/tree" "$cache/$package"
[ -e "$file" ] || give_up "the package does not hold $2"
echo "$file"
