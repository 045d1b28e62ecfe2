#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a command finds inside: its environment, its files, its agent's state

load helpers

setup_file() {
	lay_out
	export TOP PREFIX
	export PERSONA_LIST="${PERSONAS[*]}"
}
teardown_file() { clear_away; }
setup() { read -ra PERSONAS <<<"$PERSONA_LIST"; }

environment() {
	EXTRA=(AWS_SECRET_ACCESS_KEY=s3 SSH_AUTH_SOCK=/x DBUS_SESSION_BUS_ADDRESS=x DOCKER_HOST=x LC_ALL=C
		EDITOR=vi OPENAI_API_KEY=k MINE=1)
	expect 0 drydock run -q -- env || return 1
	for kept in PATH= HOME="$HOME_DIR" LC_ALL=C EDITOR=vi TERM=dumb PWD="$PROJECT" DRYDOCK_SESSION=shop- \
		http_proxy=http://127.0.0.1:8888 HTTPS_PROXY=http://127.0.0.1:8888 \
		no_proxy=localhost,127.0.0.1,::1 NODE_USE_ENV_PROXY=1; do
		has "$out" "$kept" || return 1
	done
	for gone in AWS_ SSH_AUTH DBUS_ DOCKER_HOST XDG_RUNTIME_DIR OPENAI MINE=; do
		lacks "$out" "$gone" || return 1
	done
	expect 0 drydock run -q -e MINE -e AWS_SECRET_ACCESS_KEY -e NEW=2 -- env || return 1
	has "$out" "MINE=1" && has "$out" "NEW=2" && has "$out" "AWS_SECRET_ACCESS_KEY=s3"
}
@test "the environment is the keep-list, the proxy and what -e adds" { each environment; }

preset_by_command() {
	mkdir -p "$PREFIX/agents"
	printf '#!/bin/sh\nenv; ls -ld ~/.claude ~/.claude.json; echo "args:$*"\n' >"$PREFIX/agents/claude"
	chmod 755 "$PREFIX/agents/claude"
	EXTRA=(ANTHROPIC_API_KEY=secret-key OPENAI_API_KEY=other DISABLE_TELEMETRY=0)
	expect 0 drydock run -- "$PREFIX/agents/claude" say hi || return 1
	has "$out" "ANTHROPIC_API_KEY=secret-key" || return 1
	has "$out" "DISABLE_TELEMETRY=0" || return 1
	has "$out" "DISABLE_AUTOUPDATER=1" || return 1
	lacks "$out" "OPENAI_API_KEY" || return 1
	has "$out" "args:say hi" || return 1
	has "$err" "claude-code(" || return 1
	has "$err" "kept     ANTHROPIC_API_KEY" || return 1
	lacks "$err" "secret-key" || return 1
	# made for the agent, shown in the banner, unused and so gone
	has "$out" ".claude.json" || return 1
	has "$err" "made     ~/.claude ~/.claude.json" || return 1
	[ ! -e "$HOME_DIR/.claude" ] && [ ! -e "$HOME_DIR/.claude.json" ] || return 1
	expect 0 drydock run -q -- "$PREFIX/agents/claude" || return 1
	# its twin: another command gets none of it
	expect 0 drydock run -- env || return 1
	lacks "$out" "ANTHROPIC_API_KEY"
}
@test "an agent's preset comes with its name: key let through, state made and removed when unused" { each preset_by_command; }

state_is_kept() {
	printf '#!/bin/sh\necho login >~/.claude/token; echo "{\\"n\\":1}" >~/.claude.json\n' >"$PREFIX/agents/claude"
	expect 0 drydock run -q -- "$PREFIX/agents/claude" || return 1
	[ "$(cat "$HOME_DIR/.claude/token")" = login ] || return 1
	jq -e '.n == 1' "$HOME_DIR/.claude.json" || return 1
	[ "$(stat -c %u "$HOME_DIR/.claude/token")" = "$(stat -c %u "$HOME_DIR")" ] || return 1
	rm -r "$HOME_DIR/.claude" "$HOME_DIR/.claude.json"
}
@test "an agent's state that it used stays, and belongs to the user" { each state_is_kept; }

home_is_hidden() {
	expect 0 drydock run -q -- sh -c 'ls -A ~; test ! -e ~/.ssh; echo lost >~/file' || return 1
	lacks "$out" ".ssh" || return 1
	[ ! -e "$HOME_DIR/file" ] || return 1
	# its twin: shown on demand
	expect 0 drydock run -q --mount "ro:$HOME_DIR/.ssh" -- cat "$HOME_DIR/.ssh/id_ed25519" || return 1
	[ "$out" = the-ssh-key ] || return 1
	expect 2 drydock run -q --mount "ro:$HOME_DIR/.ssh" -- sh -c 'echo x >~/.ssh/config'
}
@test "the home is hidden, but for what --mount shows" { each home_is_hidden; }

project_is_writable() {
	expect 0 drydock run -q -- sh -c 'echo made >new; mkdir -p sub; pwd' || return 1
	[ "$out" = "$PROJECT" ] && [ "$(cat new)" = made ] || return 1
	[ "$(stat -c %u new)" = "$(stat -c %u "$PROJECT")" ] || return 1
	as git init -q . || return 1
	expect 0 drydock run -q -C sub -- sh -c 'pwd; echo too >../new2' || return 1
	[ "$out" = "$PROJECT/sub" ] && [ "$(cat new2)" = too ] || return 1
	rm -r new new2 sub .git
}
@test "the project is the git top level, writable, and what is made in it belongs to the user" { each project_is_writable; }

shared_folder() {
	as mkdir -p "$HOME_DIR/data" || return 1
	expect 0 drydock run -q --mount "rw:$HOME_DIR/data" -- sh -c 'echo x >~/data/file' || return 1
	[ "$(cat "$HOME_DIR/data/file")" = x ] || return 1
	expect 2 drydock run -q --mount "ro:$HOME_DIR/data" -- sh -c 'echo y >~/data/file' || return 1
	[ "$(cat "$HOME_DIR/data/file")" = x ]
}
@test "--mount rw: is writable, ro: is not" { each shared_folder; }

limits() {
	expect 0 drydock run -q --pids 64 -- sh -c 'echo ok' || return 1
	expect 2 drydock run -q --pids 20 -- sh -c 'for i in $(seq 40); do sleep 5 & done; wait' || return 1
	has "$err" "fork"
}
@test "--pids bounds the processes" { each limits; }

own_folders() {
	as mkdir -p "$HOME_DIR/.config/drydock" || return 1
	expect 125 drydock run --mount "rw:$HOME_DIR/.config" -- touch ran || return 1
	has "$err" "drydock's own" || return 1
	expect 125 drydock run --mount "rw:$HOME_DIR/.local" -- touch ran || return 1
	expect 125 drydock run --mount "rw:$TOP/$WHO/run" -- touch ran || return 1
	EXTRA=(XDG_STATE_HOME="$PROJECT/state")
	expect 125 drydock run -- touch ran || return 1
	[ ! -e ran ] || return 1
	rm -r state
	# its twin: read-only is no harm
	EXTRA=()
	expect 0 drydock run -q --mount "ro:$HOME_DIR/.config" -- ls -d "$HOME_DIR/.config/drydock" || return 1
	rm -r "$HOME_DIR/.config"
}
@test "what holds drydock's rules and records is never writable inside" { each own_folders; }

has_a_name() {
	expect 0 drydock run -q -- sh -c 'whoami && id -gn && getent passwd "$(id -u)" | cut -d: -f6' || return 1
	[ "$out" = "agent
agent
$HOME_DIR" ] || return 1
}
@test "a user without an account has a name inside, so that ssh and git work; root's agent has" { each has_a_name; }
