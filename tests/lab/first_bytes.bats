#!/usr/bin/env bats
# C-05 name = SNI = Host = dialled address: what was allowed is what is spoken to.
load helpers

@test "C-05 another server name in the ClientHello is refused; the right one passes" {
	for k in $(kinds); do
		run jail "$k" "-a allowed.test" 'curl -sS -m 10 --connect-to evil.test:443:allowed.test:443 https://evil.test/ && echo REACHED
			curl -sS -m 10 --connect-to allowed.test:443:allowed.test:443 https://allowed.test/'
		[[ $output != *REACHED* ]]
		[[ $output == *"hello from allowed"* ]]
		run lab "$k" 'true'
	done
}

@test "C-05 fronting by Host is refused on plain HTTP, inside CONNECT and in transparent mode" {
	for k in $(kinds); do
		run direct "$k" "-a allowed.test:80,443" 'curl -sS -m 10 -H "Host: evil.test" http://allowed.test/
			curl -sS -m 10 -x http://127.0.0.1:8888 -H "Host: evil.test" http://allowed.test/
			curl -sS -m 10 -p -x http://127.0.0.1:8888 -H "Host: evil.test" http://allowed.test/
			curl -sS -m 10 -p -x http://127.0.0.1:8888 http://allowed.test/'
		[[ $output == *"host-mismatch"* ]]
		[[ $output == *"hello from allowed"* ]]
		[ "$(hits 'evil.test')" -eq 0 ]
	done
}

@test "C-06 bytes that are no TLS do not pass a TLS port; a raw rule lets them" {
	for k in $(kinds); do
		run direct "$k" "-a allowed.test:443" 'exec 3<>/dev/tcp/allowed.test/443 && printf "GET / HTTP/1.0\r\n\r\n" >&3 && timeout 5 cat <&3; true'
		[[ $output != *"HTTP/1"* ]]
		run direct "$k" "-a 'allowed.test:7'" 'exec 3<>/dev/tcp/allowed.test/7 && echo ping >&3 && read -t 5 -r x <&3 && echo "got $x"'
		[[ $output == *"got ping"* ]]
	done
}
