#!/usr/bin/env bats
# C-09 no DNS channel: every question of a hostile script against the log of every server that could have heard it.
load helpers

# The script's own labels in anything that a server of the lab heard.
nothing_heard() {
	if grep -i 's3cret' "$LAB/dns.log" "$LAB/hits.log"; then return 1; fi
	no_escape
}

@test "C-09 no label that a program inside makes up reaches any server: 19 types, UDP, TCP, any address, DoT, mDNS, EDNS" {
	cp "$BATS_TEST_DIRNAME/dns_channel.py" "$LAB/"
	for k in $(kinds); do
		run direct "$k" "-a allowed.test --mount ro:\"\$LAB/dns_channel.py\"" "python3 \"\$LAB/dns_channel.py\""
		[ "$status" -eq 0 ]
		[[ $output == *"ASKED 8"* ]]
		[[ $output == *"1 evil.test rcode 3 answers 0"* ]]
		[ ! -s "$LAB/dns.log" ] # not even for the host that is allowed: nothing was connected to
		nothing_heard
	done
}

@test "C-09 with a wildcard the labels below it still reach no server by asking; the one that is connected to does" {
	cp "$BATS_TEST_DIRNAME/dns_channel.py" "$LAB/"
	for k in $(kinds); do
		run direct "$k" "-a allowed.test -a '*.allowed.test' --mount ro:\"\$LAB/dns_channel.py\"" \
			"python3 \"\$LAB/dns_channel.py\"; curl -sS https://www.allowed.test/"
		[[ $output == *"1 allowed.test rcode 0 answers 1"* ]]
		[[ $output == *"hello from allowed"* ]]
		nothing_heard
		[ "$(cut -d' ' -f2 "$LAB/dns.log" | sort -u)" = www.allowed.test ]
	done
}
