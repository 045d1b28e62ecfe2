#!/usr/bin/env bash
# Builds the Debian package of what is committed, and checks it with lintian. The result is in build-deb/.
# usage: deb.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in dpkg-buildpackage dh lintian; do
	command -v "$tool" >/dev/null || {
		echo "drydock: $tool is missing: apt-get install dpkg-dev debhelper lintian" >&2
		exit 1
	}
done
version=$(sed -n "s/.*version: '\([0-9.]*\)'.*/\1/p" meson.build | head -n 1)
out=${1:-build-deb}
rm -rf "$out"
mkdir -p "$out/drydock-$version"
git archive HEAD | tar -x -C "$out/drydock-$version"
mv "$out/drydock-$version/packaging/debian" "$out/drydock-$version/debian"
(cd "$out/drydock-$version" && dpkg-buildpackage -b -us -uc >../build.log 2>&1) || {
	tail -n 30 "$out/build.log"
	exit 1
}
rm -rf "${out:?}/drydock-$version"
lintian --allow-root --fail-on error,warning "$out"/drydock_*.deb
ls "$out"/drydock_*.deb
