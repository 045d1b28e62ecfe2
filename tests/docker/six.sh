# shellcheck shell=bash disable=SC2154 # sourced by rig.sh after lib.sh
# Six sessions at once over two engines: native, bridge and sealed, two of each. Results in $RIG/s.*
set +e
export HOME=/run/home XDG_RUNTIME_DIR=/run/xdg
mkdir -p "$HOME" /run/shop /run/xdg "$RIG/share/drydock"
chmod 700 /run/xdg
cp -r "$RIG/compose" "$RIG/share/drydock/"
[ -z "${RIG_COMPOSE_V2:-}" ] || {
	mkdir -p "$HOME/.docker/cli-plugins"
	ln -s "$RIG_COMPOSE_V2" "$HOME/.docker/cli-plugins/docker-compose"
}
# The project is not in /run, which a native session hides.
mkdir -p /srv/drydock-six
mount -t tmpfs tmpfs /srv/drydock-six
cd /srv/drydock-six || exit 1
dd() { timeout 60 "$RIG/bin/drydock" "$@"; }

kinds=(native native bridge bridge sealed sealed)
ids=() pids=()

# Each listens on every address it has, and says its number to whoever asks.
agent='
import http.server, os
class Me(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"I am " + os.environb[b"NUMBER"])
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("", 8000), Me)
print("up", flush=True)
server.serve_forever()'
for i in 0 1 2 3 4 5; do
	case ${kinds[i]} in
	native) how=(--resolver 198.51.100.1:53) ;;
	*) how=(--engine docker --topology "${kinds[i]}" --image drydock-agent:latest) ;;
	esac
	"$RIG/bin/drydock" run -q --name "six$i" "${how[@]}" -a allowed.test:80 -e NUMBER="$i" -- python3 -c "$agent" \
		</dev/null >"$RIG/s.$i.out" 2>"$RIG/s.$i.err" &
	pids[i]=$!
done
for i in 0 1 2 3 4 5; do
	timeout 60 bash -c "until grep -qs up '$RIG/s.$i.out'; do sleep 0.05; done" || cat "$RIG/s.$i.err"
	ids[i]=$(dd ls -q | grep "^six$i-")
done
echo "${ids[*]}" >"$RIG/s.ids"
dd ls >"$RIG/s.ls"

# Where somebody might be found: every container on every network, and every namespace's own loopback.
docker ps -q | xargs docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' | tr ' ' '\n' | grep . | sort -u >"$RIG/s.addresses"
docker ps --format '{{.Names}}' >"$RIG/s.containers"
docker ps -q --filter label=dev.drydock.role=agent | xargs docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' | grep . >"$RIG/s.agents"

# talk I: what session I gets from itself, from its peers, and from the outside
talk() {
	local id=${ids[$1]}
	# shellcheck disable=SC2016 # expanded inside
	dd exec "$id" -- bash -c '
		mine=$1 addresses=$2 names=$3
		echo "self: $(curl -s -m 3 --noproxy "*" http://127.0.0.1:8000/)"
		for a in $addresses; do
			for port in 8000 8888; do
				got=$(curl -s -m 1 --noproxy "*" "http://$a:$port/") && echo "peer $a:$port: $got"
				got=$(curl -s -m 2 "http://$a:$port/") && [[ $got == "I am"* ]] && echo "by proxy $a:$port: $got"
			done
		done
		for n in $names; do # as a proxy of its own
			[ "$(curl -s -m 1 -x "http://$n:8888" -o /dev/null -w "%{http_code}" http://allowed.test/)" != 200 ] || echo "proxy $n"
		done
		curl -s -m 5 http://allowed.test/
		curl -s -m 5 -o /dev/null -w "denied: %{http_code}\n" "http://only-$mine.test/"
	' sh "$1" "$(grep -vxFf <(own_addresses "$id") "$RIG/s.addresses" | tr '\n' ' ')" \
		"$(grep -- -egress "$RIG/s.containers" | grep -v "$id" | tr '\n' ' ')" </dev/null >"$RIG/s.$1.talk" 2>&1
}
own_addresses() { # of the session's containers; "-" for a native one
	echo -
	for part in "" -egress -net; do
		docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "drydock-$1$part" 2>/dev/null
	done | tr ' ' '\n' | grep .
}
talkers=()
for i in 0 1 2 3 4 5; do
	talk "$i" &
	talkers+=($!)
done
wait "${talkers[@]}"

# A rule given to one session is no other's.
dd allow --session "${ids[2]}" other.test:80 >"$RIG/s.grant" 2>&1
for i in 0 1 2 3 4 5; do
	dd exec "${ids[i]}" -- curl -s -m 5 -o /dev/null -w '%{http_code}\n' http://other.test/ </dev/null >"$RIG/s.$i.other" 2>&1
done
for i in 0 1 2 3 4 5; do cp "$HOME/.local/state/drydock/sessions/${ids[i]}/audit.jsonl" "$RIG/s.$i.jsonl"; done

# Half of the command lines are killed, one of each kind; the others serve on.
for i in 0 2 4; do
	kill -9 "${pids[i]}"
	timeout 30 tail --pid="${pids[i]}" -s 0.05 -f /dev/null
done
for i in 1 3 5; do dd exec "${ids[i]}" -- curl -s -m 5 http://allowed.test/ </dev/null >"$RIG/s.$i.after" 2>&1; done
dd exec "${ids[0]}" true </dev/null >"$RIG/s.0.after" 2>&1
echo "rc=$?" >>"$RIG/s.0.after"

dd stop --all >"$RIG/s.stop" 2>&1
echo "rc=$?" >>"$RIG/s.stop"
for i in 1 3 5; do timeout 30 tail --pid="${pids[i]}" -s 0.05 -f /dev/null; done
dd gc >"$RIG/s.gc" 2>&1
{
	docker ps -a --format '{{.Names}} {{.State}}'
	docker network ls --format '{{.Name}}' | grep '^drydock' | grep -vE '^drydock_(internal|egress)$'
	find "$XDG_RUNTIME_DIR" -mindepth 2 -maxdepth 2 -type d
	pgrep -af drydock-egress
	pgrep -af ThreadingHTTPServer
	dd ls -q
} >"$RIG/s.left" 2>&1
cp "$RIG/hits.log" "$RIG/s.hits"
cd /
exit 0
