#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# C-103 the Debian package installs on a minimal system, contains at once, takes over from an older one, and leaves nothing.
bats_require_minimum_version 1.5.0

HERE=$BATS_TEST_DIRNAME

# The package of what lies here, an older one made of it, and a root in which both live their lives.
setup_file() {
	export WHY WORK OUT
	WHY=
	WORK=$(mktemp -d /var/tmp/drydock-packaging-XXXXXX)
	OUT=$WORK/root/out
	local tar
	[ "$(id -u)" -eq 0 ] || WHY="a root of its own needs root"
	[ -n "$WHY" ] || tar=$("$HERE/root.sh" 2>"$WORK/why") || WHY=$(cat "$WORK/why")
	[ -z "$WHY" ] || return 0
	"$HERE/../../scripts/deb.sh" "$WORK/deb" >"$WORK/deb.log" 2>&1 || {
		cat "$WORK/deb.log" >&3
		return 1
	}
	mkdir "$WORK/root"
	tar -C "$WORK/root" -xf "$tar"
	mkdir "$WORK/root/packages"
	cp "$WORK"/deb/drydock_*.deb "$WORK/root/packages/drydock.deb"
	dpkg-deb -R "$WORK/root/packages/drydock.deb" "$WORK/older"
	sed -i 's/^Version: .*/Version: 0.0.1/' "$WORK/older/DEBIAN/control"
	echo gone >"$WORK/older/usr/share/drydock/an-old-file"
	dpkg-deb -b "$WORK/older" "$WORK/root/packages/older.deb" >/dev/null
	mkdir "$WORK/lab"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout "$WORK/lab/server.key" \
		-out "$WORK/lab/server.pem" -subj /CN=lab 2>/dev/null
	: >"$WORK/lab/dns.log"
	: >"$WORK/lab/hits.log"
	# shellcheck disable=SC2016 # the inner shell expands it
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin unshare -n -m -p -f --mount-proc --kill-child bash -c '
		ip link set lo up
		for a in 93.184.216.10 93.184.216.11 93.184.216.66 93.184.216.20 93.184.216.30 10.9.8.7 169.254.169.254; do
			ip addr add "$a/32" dev lo
		done
		ip -6 addr add 2606:2800:220:1::10/128 dev lo
		/usr/bin/python3 "$1/internet.py" "$2/lab" &
		for i in $(seq 500); do [ ! -e "$2/lab/ready" ] || break; sleep 0.02; done
		unshare -m bash "$3/inside.sh" "$2/root"' sh "$HERE/../lab" "$WORK" "$HERE" >"$WORK/log" 2>&1 3>&- || {
		cat "$WORK/log" "$OUT"/install* >&3
		return 1
	}
}

teardown_file() { rm -rf "${WORK:?}"; }
setup() { [ -z "$WHY" ] || skip "$WHY"; }

@test "C-103 lintian finds no fault" {
	run grep -E '^[EW]:' "$WORK/deb.log"
	[ "$status" -eq 1 ]
}

@test "C-103 it needs no other package, and takes over from an older one" {
	cat "$OUT"/install*
	[ -z "$(dpkg-deb -f "$WORK"/deb/drydock_*.deb Depends)" ]
	grep -q 'over (0.0.1)' "$OUT/install"
	grep -qE '^drydock [0-9]' "$OUT/version"
	[ ! -s "$OUT/changed" ]
	run grep an-old-file "$OUT/list"
	[ "$status" -eq 1 ]
}

@test "C-103 root and an ordinary user get contained sessions at once: one name is reached, another is not" {
	for who in root ordinary; do
		cat "$OUT/try.$who"
		grep -q 'hello from allowed' "$OUT/try.$who"
		grep -q '403 Blocked by drydock: evil.test' "$OUT/try.$who"
		grep -q 'DENY   evil.test:80' "$OUT/try.$who"
		grep -q '^0 problems' "$OUT/try.$who"
	done
	run grep EVIL "$WORK/lab/hits.log"
	[ "$status" -eq 1 ]
}

@test "C-103 manual pages, completions and presets are there" {
	[ ! -s "$OUT/pages" ]
	for f in man1/drydock.1.gz man5/drydock-policy.5.gz man8/drydock-egress.8.gz completions/drydock _drydock drydock.fish \
		presets/claude-code apparmor/drydock doc/drydock/README.md; do
		grep -q "/$f" "$OUT/list" || {
			echo "missing: $f"
			return 1
		}
	done
	grep -q drydock "$OUT/completion"
}

@test "C-103 removed and purged, nothing of it is left but what users made" {
	diff "$OUT/before" "$OUT/removed"
	diff "$OUT/before" "$OUT/purged"
	run grep '^ii' "$OUT/status"
	[ "$status" -eq 1 ]
	[ -d "$WORK/root/home/ordinary/.local/state/drydock/sessions" ] # the users' own logs stay theirs
}
