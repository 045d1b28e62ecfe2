#!/usr/bin/env bash
# Installs the distribution packages that are missing, or prints the one line that does.
# usage: deps.sh [--test]     --test: also what the tests, the lab and lint use
set -euo pipefail

packages=(gcc libc6-dev make meson ninja-build pkg-config libseccomp-dev libcap-dev libc-ares-dev libjansson-dev
	libpsl-dev libidn2-dev libunistring-dev libcmocka-dev curl openssl iproute2 python3-minimal python3 bash
	ca-certificates util-linux procps)
test_packages=(bats mandoc shellcheck shfmt clang libclang-rt-14-dev cppcheck jq git openssh-server openssh-client
	bubblewrap hyperfine nftables docker.io docker-compose iptables gcovr zsh fish debootstrap dpkg-dev debhelper lintian)

if [ "${1:-}" = --test ]; then
	packages+=("${test_packages[@]}")
fi
missing=()
for p in "${packages[@]}"; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0

run=()
if [ "$(id -u)" -ne 0 ]; then
	if ! sudo -n true 2>/dev/null; then
		echo "drydock: these packages are missing; install them and run make again:" >&2
		echo "  sudo apt-get install ${missing[*]}" >&2
		exit 1
	fi
	run=(sudo -n)
fi
echo "installing: ${missing[*]}"
"${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
"${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
