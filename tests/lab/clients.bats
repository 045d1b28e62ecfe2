#!/usr/bin/env bats
# C-15 programs that know nothing of proxies reach an allowed host all the same.
load helpers

try() { # SCRIPT: reaches git.test or allowed.test without proxy variables
	for k in $(kinds); do
		run direct "$k" "-a allowed.test:80,443 -a git.test:22,443" "$1"
		echo "$output"
		[ "$status" -eq 0 ]
		[[ $output == *"$2"* ]]
	done
}

@test "C-15 curl" {
	try 'curl -sS https://allowed.test/' "hello from allowed"
}

@test "C-15 Python" {
	try 'python3 -c "import urllib.request as u; print(u.urlopen(\"https://allowed.test/\").read().decode())"' "hello from allowed"
}

@test "C-15 git over https" {
	try 'cd /tmp && git clone -q https://git.test/repo.git && cat repo/file' hello
}

@test "C-15 openssl s_client" {
	try 'printf "GET / HTTP/1.0\r\nHost: allowed.test\r\n\r\n" | openssl s_client -quiet -connect allowed.test:443 -servername allowed.test -CAfile $LAB/ca.pem 2>/dev/null; true' "hello from allowed"
}

@test "C-15 Node fetch" {
	command -v node >/dev/null || skip "node is not installed"
	try 'node -e "fetch(\"https://allowed.test/\").then(r => r.text()).then(console.log)"' "hello from allowed"
}

@test "C-15 git over ssh, port 22" {
	try 'cp $LAB/clientkey /tmp/key && chmod 600 /tmp/key && cd /tmp &&
		GIT_SSH_COMMAND="ssh -i /tmp/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes" \
		git clone -q lab@git.test:$LAB/repo.git && cat repo/file' hello
}

@test "C-15 Java HttpClient" {
	command -v java >/dev/null || skip "java is not installed"
	try 'cat >/tmp/T.java <<"J"
import java.net.URI;
import java.net.http.*;
public class T {
	public static void main(String[] a) throws Exception {
		System.out.println(HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create("https://allowed.test/")).build(),
			HttpResponse.BodyHandlers.ofString()).body());
	}
}
J
java -Djavax.net.ssl.trustStore=$LAB/trust.p12 -Djavax.net.ssl.trustStorePassword=changeit /tmp/T.java' "hello from allowed"
}
