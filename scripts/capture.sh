#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the agents that are there against stub APIs and prints every host they ask for, with the verdict of their own
# preset: the source of the baseline lists in data/presets. Nothing leaves the machine: the APIs, and a name server that
# knows nobody else, live in a namespace that ends with the run.
# usage: capture.sh BUILD [AGENT...]      AGENT: claude, codex; from $DRYDOCK_AGENTS, BUILD/agents or PATH
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${1:-build}")
shift || true
agents=("$@")
[ $# -gt 0 ] || agents=(claude codex)
kept=${DRYDOCK_AGENTS:-$build/agents}
lab=$(mktemp -d /var/tmp/drydock-capture.XXXXXX)
trap 'rm -rf "$lab"' EXIT
tests/lab/lab.sh prepare "$lab" "$build"
echo 'echo seen >result' >"$lab/task"
kind=user
[ "$(id -u)" -ne 0 ] || kind=root

command_of() { # AGENT
	case $1 in
	claude) echo "claude -p 'do the task' --dangerously-skip-permissions" ;;
	codex) echo "codex exec --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox 'do the task'" ;;
	*)
		echo "capture: how is '$1' asked to do one task? Add it here." >&2
		exit 2
		;;
	esac
}

found=0
for agent in "${agents[@]}"; do
	program=$kept/node_modules/.bin/$agent
	[ -x "$program" ] || program=$(command -v "$agent" || true)
	if [ -z "$program" ]; then
		echo "$agent: not installed (npm install --prefix $kept PACKAGE)"
		continue
	fi
	found=1
	[ -e "$lab/agents" ] || [ ! -d "$kept" ] || cp -r "$kept" "$lab/agents"
	chmod -R a+rX "$lab"
	echo "$agent"
	# The switches that turn telemetry off are taken back: what an agent would ask for is what is wanted.
	cat >"$lab/start.sh" <<-S
		export PATH="\$LAB/agents/node_modules/.bin:$(dirname "$program"):\$PATH"
		export ANTHROPIC_API_KEY=sk-ant-fake OPENAI_API_KEY=sk-fake CODEX_API_KEY=sk-fake
		"\$DRYDOCK" run -q --name capture --resolver "\$LAB_RESOLVER" --timeout 60s --mount ro:"\$LAB/ca.pem" \
			-e DISABLE_TELEMETRY= -e DISABLE_ERROR_REPORTING= -e CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC= \
			-e NODE_EXTRA_CA_CERTS="\$LAB/ca.pem" -e SSL_CERT_FILE="\$LAB/ca.pem" -e CODEX_CA_CERTIFICATE="\$LAB/ca.pem" \
			-- $(command_of "$agent") </dev/null >"\$LAB/said" 2>&1 || true
		cat "\$HOME"/.local/state/drydock/sessions/capture*/audit.jsonl || cat "\$LAB/said" >&2
	S
	# shellcheck disable=SC2016 # expanded by the lab
	tests/lab/lab.sh "$kind" "$lab" 'bash "$LAB/start.sh"' >"$lab/audit"
	jq -r 'select(.name and .verdict and .event != "close") | "\(.name)\t\(.port // "dns")\t\(.verdict)\t\(.reason)"' \
		"$lab/audit" | sort | uniq -c | sort -k2 |
		awk '{ printf "  %-44s %-6s %-6s %-18s x%d\n", $2, $3, $4, $5, $1 }'
done
[ "$found" -eq 1 ]
