#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The packages' life in a Debian root of their own; called by packaging.bats in new namespaces, in whose network internet.py
# serves. usage: inside.sh ROOT. Results go to ROOT/out, one file a question; what is left is for the test to compare.
set -eu
root=$1
mount --bind "$root" "$root"
cd "$root"
mkdir -p old
pivot_root . old
cd /
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount --rbind /old/dev /dev
umount -l /old
rmdir /old
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C
useradd -m ordinary
mkdir -p /out /root/work
su ordinary -c 'mkdir ~/work'

# Every file of the system; what dpkg itself writes down, logs and homes apart.
files() {
	find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /out -o -path /tmp -o -path /root -o -path /home -o -path /packages \
		-o -path /var/log -o -path /var/lib/dpkg -o -path /var/cache \) -prune -o -printf '%p %y %m %u %g %l\n' | sort
}

# What a new user does first: as WHO, one success and one refusal. No curl here: bash speaks for itself.
# shellcheck disable=SC2016 # the shells inside expand it
ask='exec 3<>/dev/tcp/127.0.0.1/8888 && printf "GET http://%s/ HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" "$1" "$1" >&3 && cat <&3'
try() { # WHO
	local run="cd ~/work && drydock run -q --resolver 127.0.0.1:5353 -a allowed.test:80 -- bash -c"
	{
		su - "$1" -c "$run 'echo uid \$(id -u)'"
		su - "$1" -c "$run '$ask' bash allowed.test"
		su - "$1" -c "$run '$ask' bash evil.test"
		su - "$1" -c "cd ~/work && drydock why"
		su - "$1" -c "drydock doctor"
	} >"/out/try.$1" 2>&1 </dev/null || true
}

files >/out/before
dpkg -i /packages/older.deb >/out/install.older 2>&1
drydock version >/out/version.older
dpkg -i /packages/drydock.deb >/out/install 2>&1
drydock version >/out/version
dpkg -V drydock >/out/changed 2>&1 || true
try root
try ordinary
for page in $(dpkg -L drydock | grep '/man/.*gz$'); do zcat "$page" | head -c 1 | grep -q . || echo "empty: $page"; done >/out/pages
dpkg -L drydock >/out/list
bash -c '. /usr/share/bash-completion/completions/drydock; complete -p drydock' >/out/completion 2>&1 || true
dpkg -r drydock >/out/remove 2>&1
files >/out/removed
dpkg -P drydock >/out/purge 2>&1 || true
files >/out/purged
dpkg -l drydock >/out/status 2>&1 || true
