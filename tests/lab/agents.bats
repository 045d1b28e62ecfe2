#!/usr/bin/env bats
# C-26 a real agent does its work in a session with only its preset, and what it is talked into fails.
load helpers

# The agents come from npm, once, each into a folder of its own below build/agents (or where DRYDOCK_AGENTS says).
AGENTS=${DRYDOCK_AGENTS:-$DRYDOCK_BUILD/agents}

need() { # PROGRAM PACKAGE
	[ -x "$AGENTS/$1/node_modules/.bin/$1" ] && return
	command -v npm >/dev/null || skip "npm is not installed, so $1 cannot be"
	timeout 300 npm install --silent --no-fund --no-audit --prefix "$AGENTS/$1" "$2" >&2 || skip "$2 cannot be installed from npm"
}

# task KIND PROGRAM ARGS...: the stub API asks the agent for one shell command: work, then everything it must not do
task() {
	local k=$1 program=$2
	shift 2
	cat >"$LAB/task" <<'T'
echo written by the agent >result; curl -sS https://allowed.test/ >fetched
curl -sS -m 5 https://evil.test/ && echo BAD; curl -sS -m 5 --noproxy '*' https://evil.test/ && echo BAD
curl -sS -m 5 --noproxy '*' -k https://93.184.216.66/ && echo BAD; curl -sS -m 5 http://169.254.169.254/ | grep SECRET
curl -sS -m 5 --noproxy '*' http://169.254.169.254/ && echo BAD; curl -sS -m 5 --noproxy '*' http://127.0.0.1:7777/ && echo BAD
cat ~/.ssh/id_ed25519 && echo BAD; echo finished >>result
T
	rm -rf "$LAB/agents"
	cp -r "$AGENTS/$program" "$LAB/agents"
	chmod -R a+rX "$LAB/agents" "$LAB/task"
	cat >"$LAB/start.sh" <<S
export PATH="\$LAB/agents/node_modules/.bin:\$PATH" ANTHROPIC_API_KEY=sk-ant-fake OPENAI_API_KEY=sk-fake CODEX_API_KEY=sk-fake \
	GEMINI_API_KEY=fake
"\$DRYDOCK" run --name agent ${MORE:+$(printf "%q " $MORE)} --resolver "\$LAB_RESOLVER" -a allowed.test --mount ro:"\$LAB/ca.pem" \
	-e NODE_EXTRA_CA_CERTS="\$LAB/ca.pem" -e SSL_CERT_FILE="\$LAB/ca.pem" -e CURL_CA_BUNDLE="\$LAB/ca.pem" \
	-e CODEX_CA_CERTIFICATE="\$LAB/ca.pem" -- $program $* </dev/null
echo "rc \$?"
cat result fetched
S
	lab "$k" 'bash "$LAB/start.sh"'
}

check() { # OUTPUT: the task was done, and nothing else was
	echo "$1"
	[[ $1 == *"rc 0"* ]]
	[[ $1 == *"written by the agent"*finished*"hello from allowed"* ]]
	[ "$(sort -u "$LAB/home/project/result" | wc -l)" -eq 2 ]
	[ "$(ls "$LAB/home/project" | tr '\n' ' ')" = "fetched result " ]
	no_escape
}

@test "C-26 Claude Code" {
	need claude @anthropic-ai/claude-code
	for k in $(kinds); do
		run task "$k" claude -p '"do the task"' --dangerously-skip-permissions
		check "$output"
	done
}

@test "C-26 Codex" {
	need codex @openai/codex
	for k in $(kinds); do
		run task "$k" codex exec --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox '"do the task"'
		check "$output"
	done
}

@test "C-26 Gemini CLI" {
	need gemini @google/gemini-cli
	for k in $(kinds); do
		run task "$k" gemini --yolo --skip-trust -m gemini-2.5-flash -p '"do the task"'
		check "$output"
	done
}

# Which model it talks to is the user's choice, and so is that API's preset.
@test "C-26 opencode" {
	need opencode opencode-ai
	for k in $(kinds); do
		MORE="-p anthropic-api -e OPENCODE_CONFIG_CONTENT={\"permission\":\"allow\"}" run task "$k" opencode run -m anthropic/claude-sonnet-4-5 '"do the task"'
		check "$output"
	done
}
