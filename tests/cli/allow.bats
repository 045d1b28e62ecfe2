#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# allow and deny: rules for the user, for a project and for a running session

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	lay_out
	export TOP PREFIX
	export PERSONA_LIST="${PERSONAS[*]}"
}
teardown_file() { clear_away; }
setup() {
	read -ra PERSONAS <<<"$PERSONA_LIST"
	local who
	for who in "${PERSONAS[@]}"; do rm -rf "$TOP/$who/home/.config" "$TOP/$who/shop/.drydock"; done
}

for_the_user() {
	local file=$HOME_DIR/.config/drydock/allow
	expect 3 drydock check a.test || return 1
	expect 0 drydock allow --comment 'for the tests' A.test. b.test:8443 || return 1
	[ "$out" = "$(printf 'allow a.test:443\nallow b.test:8443')" ] || return 1
	has "$err" "added to ~/.config/drydock/allow" || return 1
	[ "$(stat -c %a "$file")" = 600 ] && [ "$(stat -c %a "$HOME_DIR/.config/drydock")" = 700 ] || return 1
	grep -qx 'allow a.test:443  # for the tests' "$file" || return 1
	expect 0 drydock check a.test || return 1
	has "$out" "by $file:1" || return 1
	expect 3 drydock check b.test || return 1
	expect 0 drydock allow a.test || return 1
	has "$err" "says so already; nothing was changed" || return 1
	[ "$(wc -l <"$file")" -eq 2 ] || return 1
	expect 0 drydock allow --remove a.test || return 1
	has "$err" "removed from" || return 1
	expect 3 drydock check a.test
}
@test "allow writes the user's own rule, once, and --remove takes it out" { each for_the_user; }

options() {
	expect 0 drydock allow --json gitlab.corp.example:443 private up=5M -- pkg.example rate=3/s || return 1
	printf '%s' "$out" | jq -e '.v == 1 and .scope == "user" and .changed == 2 and .dry_run == false and
		.rules == ["allow gitlab.corp.example:443 private up=5242880", "allow pkg.example:443 rate=3/s"]'
}
@test "words that are options belong to the rule before them" { each options; }

deny_wins() {
	expect 0 drydock deny a.test || return 1
	[ "$out" = "deny a.test:*" ] || return 1
	expect 0 drydock allow a.test || return 1
	has "$err" "a.test stays refused: $HOME_DIR/.config/drydock/deny:1 denies it, and deny wins" || return 1
	expect 3 drydock check a.test || return 1
	expect 0 drydock deny --remove a.test || return 1
	expect 0 drydock check a.test
}
@test "deny wins, and allow says so" { each deny_wins; }

bad_rules() {
	expect 2 drydock allow || return 1
	has "$err" "no rule given" || return 1
	expect 2 drydock allow '*.co.uk' || return 1
	has "$err" "public suffix" || return 1
	expect 2 drydock allow a.test https://b.test/ || return 1
	has "$err" "without 'https://'" || return 1
	expect 2 drydock allow 'deny a.test' || return 1
	expect 2 drydock allow $'a.test\nb.test' || return 1
	expect 2 drydock allow --user --project a.test || return 1
	expect 2 drydock deny --for 5m a.test || return 1
	[ ! -e "$HOME_DIR/.config/drydock/allow" ] || return 1
	expect 0 drydock allow '*.example.co.uk'
}
@test "what config would refuse is refused, and nothing is written" { each bad_rules; }

ends() {
	expect 0 drydock allow --for 2h a.test || return 1
	grep -Eqx 'allow a.test:443 until=20[0-9-]{8}T[0-9:]{8}Z' "$HOME_DIR/.config/drydock/allow" || return 1
	expect 0 drydock check a.test || return 1
	as sh -c 'echo "allow b.test until=2020-01-01T00:00:00Z" >>~/.config/drydock/allow' || return 1
	expect 3 drydock check b.test
}
@test "--for writes when the rule ends, and one that ended allows nothing" { each ends; }

dry() {
	expect 0 drydock allow -n a.test || return 1
	has "$err" "would be added to ~/.config/drydock/allow: --dry-run" || return 1
	[ ! -e "$HOME_DIR/.config" ] || return 1
	expect 0 drydock allow -n --project a.test && [ ! -e .drydock ]
}
@test "--dry-run writes nothing" { each dry; }

project() {
	expect 0 drydock allow --project a.test || return 1
	grep -qx 'allow a.test:443' .drydock && [ "$(stat -c %a .drydock)" = 644 ] || return 1
	expect 2 drydock deny --project b.test || return 1
	has "$err" "may only add allows" || return 1
	expect 2 drydock allow --project --for 1h b.test || return 1
	as mv .drydock other && as ln -s other .drydock || return 1
	expect 1 drydock allow --project c.test || return 1
	has "$err" "symbolic link" || return 1
	! grep -q c.test other || return 1
	rm -f .drydock other
}
@test "--project writes .drydock, which only adds allows, and never through a link" { each project; }

# Inside: say whether a name is known, then wait for a line, then say again.
# shellcheck disable=SC2016 # expanded inside
STORY='say() { getent hosts a.test >/dev/null && echo "$1 yes" || echo "$1 no"; }
	say first >>said; echo ready >to; read -r _ <from; say second >>said'

session() {
	as rm -f to from said && as mkfifo to from || return 1
	as "$PREFIX/bin/drydock" run -q --name live -- bash -c "$STORY" &
	local pid=$! id
	read -r _ <to
	id=$(basename "$(newest_session)")
	expect 0 drydock allow other.test || return 1
	has "$err" "for this one too: drydock allow --session $id" || return 1
	expect 6 drydock allow --session no-such a.test || return 1
	has "$err" "no running session 'no-such'" || return 1
	expect 2 drydock allow --session live --remove a.test || return 1
	expect 0 drydock allow --session live a.test || return 1
	has "$err" "added to session $id" || return 1
	echo go >from
	wait "$pid" || return 1
	[ "$(cat said)" = "$(printf 'first no\nsecond yes')" ] || return 1
	grep -q '^allow a.test:443' "$SESSIONS/$id/policy" || return 1
	expect 6 drydock allow --session live a.test || return 1
	expect 3 drydock check a.test || return 1
	rm -f to from said
}
@test "--session changes a running session at once and no other; 6 when it is over" { each session; }

once() {
	expect 6 drydock allow --once a.test || return 1
	has "$err" "no session is running" || return 1
	as rm -f to from said && as mkfifo to from || return 1
	as "$PREFIX/bin/drydock" run -q -- bash -c "$STORY" &
	local pid=$!
	read -r _ <to
	expect 0 drydock allow --once a.test || return 1
	[ "$out" = "allow a.test:443 conns=1" ] || return 1
	expect 0 drydock deny --session "$(basename "$(newest_session)")" a.test || return 1
	echo go >from
	wait "$pid" || return 1
	[ "$(cat said)" = "$(printf 'first no\nsecond no')" ] || return 1
	rm -f to from said
}
@test "--once is one connection of the newest running session, and a deny takes it back" { each once; }

@test "under the administrator's lock allow is refused with 3, and deny works" {
	[ "$(id -u)" -eq 0 ] || skip "only root can put a file in /etc of a mount namespace of its own"
	become root
	# shellcheck disable=SC2016 # expanded inside
	locked() {
		unshare -m sh -c 'mount -t tmpfs tmpfs /etc && mkdir /etc/drydock && echo lock >/etc/drydock/config &&
			HOME=$1 exec "$2/bin/drydock" $3' sh "$HOME_DIR" "$PREFIX" "$1"
	}
	expect 3 locked "allow a.test"
	has "$err" "lock in /etc/drydock"
	expect 3 locked "allow --project a.test"
	expect 0 locked "deny a.test"
	[ ! -e "$HOME_DIR/.config/drydock/allow" ]
	[ ! -e .drydock ]
	expect 0 drydock allow b.test
}

@test "a session that began under the lock takes no allow, and takes a deny" {
	[ "$(id -u)" -eq 0 ] || skip "only root can put a file in /etc of a mount namespace of its own"
	become root
	rm -f to from said
	mkfifo to from
	# shellcheck disable=SC2016 # expanded inside
	expect 0 unshare -m bash -c 'mkdir -p "$1/etc" && cp -a /etc/{passwd,group,hosts,resolv.conf,nsswitch.conf,alternatives} "$1/etc/" &&
		mkdir -p "$1/etc/drydock" && printf "lock\nallow a.test\n" >"$1/etc/drydock/config" && mount --bind "$1/etc" /etc || exit 1
		export HOME=$1/root/home XDG_RUNTIME_DIR=$1/root/run
		"$2/bin/drydock" run -q -a b.test --name locked -- bash -c "$3" &
		read -r _ <to
		"$2/bin/drydock" allow --session locked b.test; echo "allow $?"
		"$2/bin/drydock" deny --session locked a.test; echo "deny $?"
		echo go >from; wait' sh "$TOP" "$PREFIX" "$STORY"
	has "$out" "allow 3"
	has "$out" "deny 0"
	has "$err" "lock in /etc/drydock"
	[ "$(head -1 said)" = "first yes" ]
	grep -q '^deny a.test' "$(newest_session)/policy"
	run ! grep -q 'b.test' "$(newest_session)/policy"
	rm -rf to from said "${TOP:?}/etc"
}

once_in_run() {
	expect 0 drydock run -q --resolver 127.0.0.1:9 --once -a one.example -- sh -c '
		for i in 1 2; do curl -s -o /dev/null -w "%{http_connect} " https://one.example/ || true; done' || return 1
	local log
	log=$(newest_session)/audit.jsonl
	jq -es '[.[] | select(.name == "one.example" and .event == "refuse") | .reason] == ["unreachable", "budget"]' "$log" >/dev/null || {
		cat "$log" >&2
		return 1
	}
	expect 2 drydock run --once -- true || return 1
	has "$err" "fix:"
}
@test "run --once: each rule of --allow holds for one connection" { each once_in_run; }
