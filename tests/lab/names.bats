#!/usr/bin/env bats
# C-01 no route but the proxy: an allowed name is reached, everything else is refused, by whatever way it is tried.
# C-02 IP literals are refused unless an address rule covers them.
load helpers

@test "C-01 an allowed name is reached through the proxy variables, another is refused with its reason" {
	for k in $(kinds); do
		run jail "$k" "-a allowed.test" 'curl -sS https://allowed.test/ && curl -sS http://evil.test/; curl -sS -o /dev/null -w "%{http_connect}\n" https://evil.test/'
		[[ $output == *"hello from allowed"* ]]
		[[ $output == *"not-allowlisted"* ]]
		[[ $output == *403* ]]
		no_escape
	done
}

@test "C-01 the same without proxy variables: the allowed name is reached, the other does not resolve" {
	for k in $(kinds); do
		run direct "$k" "-a allowed.test:80,443" 'curl -sS https://allowed.test/ && curl -sS http://allowed.test/; curl -sS https://evil.test/; echo rc=$?'
		[[ $output == *"hello from allowed"*"hello from allowed"* ]]
		[[ $output == *"rc=6"* ]]
		no_escape
	done
}

@test "C-01 without any rule nothing is reached at all" {
	for k in $(kinds); do
		run direct "$k" "" 'curl -sS -m 5 https://allowed.test/ && echo REACHED; curl -sS -m 5 -x http://127.0.0.1:8888 https://allowed.test/ && echo REACHED; true'
		[[ $output != *REACHED* ]]
		[ "$(hits 'allowed')" -eq 0 ]
	done
}

@test "C-02 an IP literal is refused by every door; an address rule opens it" {
	for k in $(kinds); do
		run direct "$k" "-a allowed.test:80,443" 'for u in http://93.184.216.10/ http://1572395018/ http://0x5db8d80a/ http://[::ffff:93.184.216.10]/; do
			curl -sS -m 5 -g $u && echo; curl -sS -m 5 -g -x http://127.0.0.1:8888 $u; done; true'
		[ "$(hits 'allowed')" -eq 0 ]
		run direct "$k" "-a 93.184.216.10:80" 'curl -sS -m 5 http://93.184.216.10/'
		[[ $output == *"hello from allowed"* ]]
	done
}

@test "C-03 the port of the rule is the only one" {
	for k in $(kinds); do
		run jail "$k" "-a evil.test:443" 'curl -sS -m 5 http://evil.test:8080/; curl -sS -m 5 -p http://evil.test:8080/; true'
		[[ $output == *"port-not-allowed"* ]]
		no_escape
	done
}

@test "C-04 deny wins over allow" {
	for k in $(kinds); do
		run jail "$k" "-a '*.allowed.test' -a allowed.test --deny www.allowed.test" \
			'curl -sS https://allowed.test/; curl -sS -o /dev/null https://www.allowed.test/ || echo refused'
		[[ $output == *"hello from allowed"* ]]
		[[ $output == *refused* ]]
	done
}
