#!/usr/bin/env bats
# C-50 what can be read in two ways reaches nobody: the cases of docs/FRONT_DOORS.md, against drydock-egress.

@test "C-50 no odd request reaches a server as it is, and each plain neighbour does" {
	build=${DRYDOCK_BUILD:-$BATS_TEST_DIRNAME/../../build}
	run "$BATS_TEST_DIRNAME/../../bench/front_doors.py" "$build" --proxy drydock
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"together "* ]]
}

# A server that takes P-384 only asks a client that starts with X25519 for a second ClientHello.
retry() {
	cat >"$BATS_TEST_TMPDIR/inside.sh" <<'END'
cd "$1" && build=$2 groups=$3
ip link set lo up
printf '127.0.0.10 allowed.test\n' >hosts
printf 'allow allowed.test:443 loopback\n' >rules
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out cert -subj /CN=allowed.test -days 2 2>/dev/null
openssl s_server -accept 127.0.0.10:443 -key key -cert cert -groups P-384 -www >/dev/null 2>&1 &
server=$!
env -i "$build/drydock-egress" serve --listen 127.0.0.1:3128 --rules rules --hosts hosts --resolver 127.0.0.1:9 --audit audit 2>/dev/null &
proxy=$!
until (exec 3<>/dev/tcp/127.0.0.1/3128) 2>/dev/null && (exec 3<>/dev/tcp/127.0.0.10/443) 2>/dev/null; do
	kill -0 $server && kill -0 $proxy || exit 1
done
printf 'GET / HTTP/1.0\r\n\r\n' | timeout 20 openssl s_client -proxy 127.0.0.1:3128 -connect allowed.test:443 -servername allowed.test \
	-groups "$groups" -CAfile cert -verify_return_error -msg -ign_eof 2>&1
kill $proxy $server
END
	run env -i PATH="$PATH" unshare -rn bash "$BATS_TEST_TMPDIR/inside.sh" "$BATS_TEST_TMPDIR" "$(realpath "${DRYDOCK_BUILD:-$BATS_TEST_DIRNAME/../../build}")" "$1"
}

@test "C-05 openssl gets through a HelloRetryRequest, and through a plain handshake" {
	retry X25519:P-384
	[ "$(grep -c 'ClientHello$' <<<"$output")" -eq 2 ]
	[[ $output == *"Verify return code: 0"* && $output == *"HTTP/1.0 200"* ]]
	retry P-384
	[ "$(grep -c 'ClientHello$' <<<"$output")" -eq 1 ]
	[[ $output == *"Verify return code: 0"* && $output == *"HTTP/1.0 200"* ]]
}
