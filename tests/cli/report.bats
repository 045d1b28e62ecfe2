#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# drydock report: a session on one page; what came from inside cannot get out of its place on it

load helpers

setup_file() {
	lay_out
	export TOP PREFIX
	export PERSONA_LIST="${PERSONAS[*]}"
}
teardown_file() { clear_away; }
setup() { read -ra PERSONAS <<<"$PERSONA_LIST"; }

# A session that ended, whose log holds names as an attacker would choose them.
hostile_session() {
	drydock run -q --resolver 127.0.0.1:9 -a unused.example -- python3 -c '
import socket
names = [b"<script>alert(1)</script>", b"a|b|c.test", b"`id`.test", b"[x](http://evil.test)", b"\"onload=\x27x\x27", b"a\xe2\x80\xaeb.test",
         b"\x1b[31mred.test", b"evil.test", b"evil.test"]
for n in names:
    with socket.create_connection(("127.0.0.1", 8888)) as s:
        s.sendall(b"CONNECT " + n + b":443 HTTP/1.1\r\nHost: " + n + b":443\r\n\r\n")
        s.recv(64)
for n in names:
    q = b"\0\7\1\0\0\1\0\0\0\0\0\0" + bytes([len(n)]) + n + b"\4test\0\0\1\0\1"
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.sendto(q, ("127.0.0.1", 53))
    s.recv(512)
' >/dev/null 2>&1 || return 1
	ID=$(basename "$(newest_session)")
}

as_html() {
	hostile_session || return 1
	expect 0 drydock report || return 1
	[ "$out" = "$SESSIONS/$ID/report.html" ] || return 1
	[ "$(stat -c %a "$out")" = 600 ] || return 1
	local page
	page=$(cat "$out")
	lacks "$page" "<script" || return 1
	lacks "$page" "onload='" || return 1
	lacks "$page" $'\033' || return 1
	lacks "$page" $'\xe2\x80\xae' || return 1
	has "$page" "default-src 'none'" || return 1
	has "$page" "evil.test:443" || return 1
	has "$page" "&lt;script&gt;alert(1)&lt;/script&gt;" || return 1
	has "$page" "not-allowlisted" || return 1
	has "$page" "unused.example" || return 1
	has "$page" "intact and sealed" || return 1
	python3 - "$out" <<-'END'
		import html.parser, sys
		class P(html.parser.HTMLParser):
		    def handle_starttag(self, tag, attrs):
		        assert tag in "html meta style title h1 h2 p dl dt dd svg text line rect table tr th td br span".split(), tag
		        assert not any(k.startswith("on") or k in ("src", "href") for k, _ in attrs), attrs
		P().feed(open(sys.argv[1]).read())
	END
}
@test "C-35 the page has no script, loads nothing, and shows hostile names as text" { each as_html; }

as_text() {
	hostile_session || return 1
	expect 0 drydock report -o - --format md "$ID" || return 1
	has "$out" "# Session $ID" || return 1
	has "$out" '| evil.test:443 | 2 | not-allowlisted |' || return 1
	lacks "$out" '[x](' || return 1
	lacks "$out" '|b|' || return 1
	has "$out" 'a\|b\|c.test' || return 1
	expect 0 drydock report -o - --format json "$ID" || return 1
	jq -e '.v == 1 and .log.result == "intact" and ([.destinations[] | select(.name == "evil.test") | .refused] == [2])' <<<"$out" >/dev/null
}
@test "as Markdown and as JSON" { each as_text; }

errors() {
	expect 6 drydock report nobody-0000 || return 1
	expect 2 drydock report --format pdf || return 1
	has "$err" "html, md or json" || return 1
	hostile_session || return 1
	expect 1 drydock report -o /no/such/folder/r.html "$ID" || return 1
	has "$err" "/no/such/folder"
}
@test "no such session, no such format, no such folder" { each errors; }
