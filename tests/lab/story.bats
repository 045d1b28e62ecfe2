#!/usr/bin/env bats
# C-100 from a refusal to a quiet second day: a real agent is refused, approved, learned from, and reported on.
load helpers

AGENTS=${DRYDOCK_AGENTS:-$DRYDOCK_BUILD/agents}

setup() {
	[ -x "$AGENTS/claude/node_modules/.bin/claude" ] && return
	command -v npm >/dev/null || skip "npm is not installed, so claude cannot be"
	timeout 300 npm install --silent --no-fund --no-audit --prefix "$AGENTS/claude" @anthropic-ai/claude-code >&2 ||
		skip "claude cannot be installed from npm"
}

# story KIND CHAPTER...
tell() {
	local k=$1
	shift
	cat >"$LAB/task" <<-'T'
		curl -sS https://allowed.test/ >fetched 2>/dev/null; curl -sS https://other.test/ >>fetched 2>/dev/null
	T
	[ -e "$LAB/agents" ] || cp -r "$AGENTS/claude" "$LAB/agents"
	cp "$HERE/story.sh" "$HERE/../cli/pty.py" "$LAB/"
	chmod -R a+rX "$LAB/agents" "$LAB/task" "$LAB/story.sh" "$LAB/pty.py"
	lab "$k" ". \$LAB/story.sh; for c in $*; do echo \"== \$c\"; \$c; done"
}


# after WORD: the lines of $output that belong to one chapter
chapter() {
	awk -v c="== $1" '/^== /{on = $0 == c; next} on' <<<"$output"
}

tale() { # KIND
	run tell "$1" refused approved learned quiet reported
	echo "$output"
	first=$(chapter refused)
	[[ $first == *"2 requests were refused"* ]]
	[[ $first == *"DENY   allowed.test:443  curl  x1"*"drydock allow allowed.test"* ]]
	[[ $first != *hello* ]]

	second=$(chapter approved)
	[[ $second == *"exit 0 raw no"*"rc 0"* ]] # watch gave the terminal back; the work was done
	[[ $second == *"fetched: hello from allowed"*"hello from other"* ]]

	third=$(chapter learned)
	[[ $third == *"1 rule added to"* ]] # the other one was put there by a key of watch
	[[ $third == *"allow other.test:443"*"allow allowed.test:443  # learned from second"* ]]
	[[ $third == *"not trusted"*"rc 4"*"trusted; sessions that start in this project"* ]]

	fourth=$(chapter quiet)
	[[ $fourth == "rc 0 fetched: hello from allowed"$'\n'"hello from other"$'\n'"notices:"$'\n'"why:"$'\n'"drydock: nothing was refused in session third-"???? ]]

	fifth=$(chapter reported)
	[[ $fifth == *intact* ]]
	[[ $fifth == *"3 destinations used, 0 refused"* ]]
	[[ $fifth == *"allowed.test:443 | 1 |"*".drydock:"* ]]
	[[ $fifth == *"report.html"* ]]
	no_escape
}

@test "C-100 refused, approved while it waits, learned, quiet, reported: a real agent as root and as a user" {
	for k in $(kinds); do
		tale "$k"
	done
}
