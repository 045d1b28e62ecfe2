# shellcheck shell=bash disable=SC2154 # sourced by rig.sh after lib.sh
# The three gates of a release on a live session of each engine and topology; $RIG/smoke gets one line for each.
export HOME=$RIG/home
mkdir -p "$HOME/project" "$RIG/share/drydock"
cp -r "$RIG/compose" "$RIG/share/drydock/"
cp "$RIG/ca.pem" "$HOME/project/"
cd "$HOME/project"
bad=0

gate() { # NAME WANTED GOT
	if [ "$2" = "$3" ]; then
		echo "ok    $1"
	else
		echo "FAIL  $1: $3 instead of $2"
		bad=1
	fi
}

smoke() { # ENGINE OPTION...
	local engine=$1
	shift
	# shellcheck disable=SC2016 # for the shell inside
	env -i PATH="$PATH" HOME="$HOME" USER=lab TERM=dumb DOCKER_HOST="$DOCKER_HOST" timeout 60 "$RIG/bin/drydock" run -q \
		-a allowed.test "$@" -- bash -c 'code() { curl -sS -m 10 -o /dev/null --cacert ca.pem -w "%{http_connect}/%{http_code}\n" "$@"; }
			code https://allowed.test/; code https://evil.test/; code https://93.184.216.66/' \
		</dev/null >"$RIG/codes" 2>"$RIG/codes.err" || true
	mapfile -t codes <"$RIG/codes"
	gate "$engine: an allowed name is reached through the proxy" 200/200 "${codes[0]:-nothing}"
	gate "$engine: a name off the list is refused" 403/000 "${codes[1]:-nothing}"
	gate "$engine: an IP-literal CONNECT is refused" 403/000 "${codes[2]:-nothing}"
	[ "$bad" -eq 0 ] || cat "$RIG/codes.err"
}

{
	smoke native --resolver 198.51.100.1:53
	smoke "docker, bridge" --engine docker --image drydock-agent:latest
	smoke "docker, sealed" --engine docker --image drydock-agent:latest --topology sealed
	gate "nothing else was reached" "" "$(grep -E 'TRAP|EVIL' "$RIG/hits.log" || true)"
} | tee "$RIG/smoke"
! grep -q '^FAIL' "$RIG/smoke"
