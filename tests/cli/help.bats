#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# help, version and mistakes on the command line

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

@test "help names every command, and each command has a help of its own" {
	expect 0 drydock help
	local names
	names=$(printf '%s\n' "$out" | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p')
	[ "$(printf '%s\n' "$names" | wc -l)" -ge 6 ]
	for name in $names; do
		expect 0 drydock help "$name"
		has "$out" "Usage: drydock $name"
		local by_help=$out
		case $name in help) continue ;; esac
		expect 0 drydock "$name" --help
		[ "$out" = "$by_help" ]
	done
}

@test "without a command: the help, and exit 2" {
	expect 2 drydock
	has "$out" "Usage: drydock COMMAND"
}

@test "-h, --help and -V, --version are answered on stdout" {
	expect 0 drydock -h
	has "$out" "Usage: drydock COMMAND"
	[ -z "$err" ]
	expect 0 drydock --version
	local version=$out
	has "$version" "drydock "
	expect 0 drydock version
	[ "$out" = "$version" ]
	expect 0 drydock version --json
	printf '%s' "$out" | jq -e '.v == 1 and (.version | length > 0)'
}

@test "a misspelt command is not run: it is exit 2 with what may have been meant" {
	expect 2 drydock rnu -- touch ran
	has "$err" "unknown command 'rnu' - did you mean 'run'?"
	[ ! -e ran ]
	expect 2 drydock touch ran
	has "$err" "to run a program: drydock run -- touch ..."
	[ ! -e ran ]
	expect 2 drydock -- touch ran
	[ ! -e ran ]
}

@test "a misspelt option is not ignored: it is exit 2 with what may have been meant" {
	expect 2 drydock run --no-nte -- touch ran
	has "$err" "unknown option '--no-nte' - did you mean '--no-net'?"
	has "$err" "drydock help run"
	[ ! -e ran ]
	for command in doctor check log version; do
		expect 2 drydock "$command" --nonsense
		has "$err" "unknown option '--nonsense'"
	done
}

@test "values that are none are refused before anything starts" {
	for bad in --memory=8X --pids=0 --cpus=lots --timeout=soon --status-fd=1; do
		expect 2 drydock run "$bad" -- touch ran
		has "$err" "${bad%%=*} takes"
		[ ! -e ran ]
	done
	expect 2 drydock run -q
	has "$err" "no command given"
}

@test "colour comes only when asked for, since none of this is a terminal" {
	expect 2 drydock nonsense
	lacks "$err" $'\033'
	expect 2 drydock --color always nonsense
	has "$err" $'\033[31m'
	EXTRA=(CLICOLOR_FORCE=1)
	expect 2 drydock nonsense
	has "$err" $'\033[31m'
	expect 2 drydock --color=never nonsense
	lacks "$err" $'\033'
	expect 2 drydock --color=sometimes version
}

@test "text that was typed in is escaped before it is shown" {
	expect 2 drydock $'no\033[31msuch\xe2\x80\xae'
	lacks "$err" $'\033'
	has "$err" '\x1b[31m'
	has "$err" '\u{202e}'
}

@test "the man page knows every option that help knows, and help every long option of the page" {
	local page=$BATS_TEST_DIRNAME/../../man/drydock.1
	local known="" option
	for name in $(expect 0 drydock help && printf '%s\n' "$out" | grep -o "^  [a-z]* " | tr -d " "); do
		expect 0 drydock help "$name"
		known+=" $(printf '%s\n' "$out" | grep -o -- ' --[a-z][a-z-]*' | sort -u | tr '\n' ' ')"
	done
	for option in $known; do
		grep -q -- "Fl -${option#--}\b" "$page" || {
			echo "not in the man page: $option" >&2
			return 1
		}
	done
	for option in $(grep -o 'Fl -[a-z][a-z-]*' "$page" | sed 's/Fl -/--/' | sort -u); do
		case $option in --help | --version | --color | --resolver | --hosts) continue ;; esac
		has "$known " " $option "
	done
}

@test "the man page has a section for each command, and each section the options that help shows" {
	expect 0 python3 - "$PREFIX/bin/drydock" "$BATS_TEST_DIRNAME/../../man/drydock.1" <<-'EOF'
		import re, subprocess, sys
		def out(*args):
		    return subprocess.run([sys.argv[1], *args], capture_output=True, text=True, check=True, env={"HOME": "/", "PATH": "/bin"}).stdout
		man, sections, of, wrong = open(sys.argv[2]).read(), {}, {}, []
		for title, text in re.findall(r"^\.Ss (.*?)\n(.*?)(?=^\.S[sh] )", man, re.S | re.M):
		    items = "\n".join(re.findall(r"^\.It (.*)$", text, re.M))
		    for name in (n.strip() for n in title.split(",")):
		        sections[name], of[name] = set(re.findall(r"Fl -([a-z-]+)", items)), title
		names = re.findall(r"^  ([a-z]+) ", out("help"), re.M)
		helps = {n: set(re.findall(r"^  (?:-.,| +) *--([a-z-]+)", out("help", n), re.M)) - {"help"} for n in names}
		for name in names:
		    if name not in sections:
		        wrong.append(f"{name}: no section")
		        continue
		    beside = set().union(*(helps[n] for n in names if of.get(n) == of[name]))
		    hidden = {"resolver", "hosts"}  # for tests, and said so
		    wrong += [f"{name}: --{o} is not in the man page" for o in sorted(helps[name] - sections[name])]
		    wrong += [f"{name}: --{o} is in the man page only" for o in sorted(sections[name] - beside - hidden)]
		print("\n".join(wrong))
		sys.exit(bool(wrong))
	EOF
	[ -z "${out//[[:space:]]/}" ]
}

@test "help has topics, and a misspelt one gets a suggestion" {
	expect 0 drydock help help
	has "$out" "Topics: policy exit-codes files"
	for topic in policy exit-codes files; do
		expect 0 drydock help "$topic"
		[ -n "$out" ]
	done
	expect 2 drydock help plicy
	has "$err" "did you mean 'policy'?"
	# what the rules' help shows are rules
	while read -r rule; do
		expect 0 drydock allow -n -- $rule
	done < <(drydock help policy | sed -n 's/^  //p' | grep -v '^deny\|^preset' | sed 's/  .*//')
}
