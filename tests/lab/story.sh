# shellcheck shell=bash
# The user's side of story.bats: sourced in the lab's project folder, a chapter a function.

agent() { # OPTIONS: one task for the real agent, whose model is the lab's stub
	export PATH="$LAB/agents/node_modules/.bin:$PATH" ANTHROPIC_API_KEY=sk-ant-fake
	"$DRYDOCK" run --resolver "$LAB_RESOLVER" --mount ro:"$LAB/ca.pem" -e NODE_EXTRA_CA_CERTS="$LAB/ca.pem" \
		-e CURL_CA_BUNDLE="$LAB/ca.pem" "$@" -- claude -p "do the task" --dangerously-skip-permissions </dev/null
}

refused() {
	agent --name first
	echo "rc $?" "fetched: $(cat fetched)"
	"$DRYDOCK" why
}

# The task waits; whoever watches in another terminal says yes, once for the session and once for the project.
approved() {
	agent --name second --ask 60s >../out.second 2>&1 &
	local id=
	until [ -n "$id" ]; do
		kill -0 $! || return
		id=$("$DRYDOCK" ls -q | grep second)
	done
	cat >../keys <<-'K'
		expect ASK
		expect allowed.test:443
		send s
		expect for this session: allow allowed.test:443
		expect ASK
		expect other.test:443
		send p
		expect for this session and in .drydock
		expect is over
		send q
	K
	TERM=xterm python3 "$LAB/pty.py" ../keys "$DRYDOCK" watch "$id"
	wait $!
	echo "rc $?" "fetched: $(cat fetched)"
	cat ../out.second
}

learned() {
	"$DRYDOCK" learn --write project
	cat .drydock
	"$DRYDOCK" trust </dev/null
	echo "rc $?"
	"$DRYDOCK" trust --yes --hash "$(sha256sum <.drydock | cut -d ' ' -f 1)"
}

quiet() {
	agent -q --name third >../out.third 2>../err.third
	echo "rc $?" "fetched: $(cat fetched)"
	echo "notices:" && cat ../err.third
	echo "why:" && "$DRYDOCK" why
}

reported() {
	"$DRYDOCK" log --verify
	"$DRYDOCK" report --format md -o -
	"$DRYDOCK" report -o "$LAB/home/report.html"
}
