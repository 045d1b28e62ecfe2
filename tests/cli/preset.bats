#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# preset: what there is, and what one holds; registries of the user's own settings

load helpers

setup_file() {
	lay_out
	export TOP PREFIX
}
teardown_file() { clear_away; }
setup() {
	PERSONAS=(user)
	become user
}

@test "preset ls lists every file of the folder, and each can be shown and taken" {
	expect 0 drydock preset ls
	local names
	names=$(printf '%s\n' "$out" | cut -f1)
	[ "$names" = "$(cd "$PREFIX/share/drydock/presets" && LC_ALL=C ls)" ]
	for name in $names; do
		expect 0 drydock preset show "$name" --json
		printf '%s' "$out" | jq -e --arg n "$name" '.v == 1 and .name == $n and (.rules | length > 0) and
			(.title | length > 0) and (.source | length > 0)' >/dev/null
		expect 0 drydock rules -p "$name"
	done
	expect 0 drydock preset ls --json
	printf '%s' "$out" | jq -e '.v == 1 and (.presets | length > 30) and
		(.presets[] | select(.name == "github") | .risk == "shared-write")' >/dev/null
}

@test "preset show prints the file, and a name that is wrong gets a suggestion" {
	expect 0 drydock preset show npm
	has "$out" 'allow     *.npmjs.org:443 class=required risk=publish'
	expect 1 drydock preset show pyip
	has "$err" "did you mean 'pypi'?"
	expect 1 drydock preset show ../../../etc/passwd
	expect 2 drydock preset shwo npm
	has "$err" "did you mean 'show'?"
	expect 2 drydock preset show
}

@test "a preset of the user's own wins over one of the same name" {
	as mkdir -p "$HOME_DIR/.config/drydock/presets"
	as sh -c 'printf "preset npm\ntitle Mine\nallow npm.corp.example\n" >~/.config/drydock/presets/npm'
	expect 0 drydock preset show npm
	has "$out" "npm.corp.example"
	expect 0 drydock rules -p npm
	[ "$out" = "allow npm.corp.example:443" ]
	rm -rf "$HOME_DIR/.config"
}

@test "a registry of the user's npmrc comes with the preset, names its file, and leaks no password" {
	as sh -c 'printf "registry=https://me:hunter2@npm.corp.example/\n" >~/.npmrc'
	expect 3 drydock check npm.corp.example
	expect 0 drydock check -p npm npm.corp.example
	has "$out" "by $HOME_DIR/.npmrc:1"
	expect 0 drydock run --dry-run -p npm -- true
	has "$out" "registries(1)"
	lacks "$out" "hunter2"
	# a project's own npmrc chooses nothing
	as sh -c 'printf "registry=https://evil.example/\n" >.npmrc'
	expect 3 drydock check -p npm evil.example
	rm -f "$HOME_DIR/.npmrc" .npmrc
}
