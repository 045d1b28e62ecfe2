#!/usr/bin/env bats
# C-11 the user's files, sockets and processes are out of reach.
load helpers

@test "C-11 keys in the home cannot be read; the project can be read and written" {
	for k in $(kinds); do
		run jail "$k" "" 'cat ~/.ssh/id_ed25519 && echo READ; ls -A ~; echo hi >made && cat made'
		[[ $output != *READ* ]]
		[[ $output != *"PRIVATE KEY"* ]]
		[[ $output == *hi* ]]
		[ -f "$LAB/home/project/made" ]
	done
}

@test "C-12 a listening UNIX socket of the host is masked where its folder is shown" {
	for k in $(kinds); do
		# The folder with the socket in it is mounted on purpose: without the mask this connects.
		run jail "$k" "--mount ro:$LAB/sockets" 'python3 - <<"P"
import os, socket
s = socket.socket(socket.AF_UNIX)
try:
    s.connect(os.environ["LAB"] + "/sockets/host.sock"); print("CONNECTED")
except OSError as e:
    print("refused", e.errno)
a, b = socket.socketpair(); a.send(b"own"); print(b.recv(3).decode(), "pair works")
P'
		[[ $output != *CONNECTED* ]]
		[[ $output == *refused* ]]
		[[ $output == *"own pair works"* ]]
		no_escape
	done
}

@test "C-13 vsock, packet sockets and io_uring are refused; TCP sockets are not" {
	for k in $(kinds); do
		run jail "$k" "" 'python3 - <<"P"
import ctypes, socket
for family in (40, 17, 38, 16):
    try:
        socket.socket(family, socket.SOCK_RAW if family in (16, 17) else socket.SOCK_STREAM, 12 if family == 16 else 0); print("MADE", family)
    except OSError as e:
        print("refused", family)
libc = ctypes.CDLL(None, use_errno=True)
print("io_uring", libc.syscall(425, 4, 0), ctypes.get_errno())
socket.socket(); print("tcp made")
P'
		[[ $output != *MADE* ]]
		[[ $output == *"io_uring -1 1"* ]]
		[[ $output == *"tcp made"* ]]
	done
}

@test "C-14 a listener on every address inside does not swallow what is meant for another host" {
	for k in $(kinds); do
		run direct "$k" "-a allowed.test:80" 'python3 - <<"P" &
import socket
s = socket.create_server(("0.0.0.0", 8080)); open("/tmp/listens", "w").close(); c, _ = s.accept(); c.sendall(b"SWALLOWED"); c.close()
P
for i in $(seq 200); do [ -e /tmp/listens ] && break; sleep 0.05; done; timeout 3 bash -c "exec 3<>/dev/tcp/93.184.216.66/8080; cat <&3"; timeout 3 bash -c "exec 3<>/dev/tcp/127.0.0.1/8080; cat <&3"; kill %1 2>/dev/null; true'
		[ "$(grep -c SWALLOWED <<<"$output")" -eq 1 ]
		no_escape
	done
}

@test "C-22 an entry that would run on the host is moved away while the session still runs; other files stay" {
	for k in $(kinds); do
		run jail "$k" "" 'git init -q . 2>/dev/null; echo x >.envrc; echo y >kept
			for i in $(seq 100); do [ -e .envrc ] || break; sleep 0.05; done
			[ -e .envrc ] && echo STILL THERE; [ -e kept ] && echo kept'
		[[ $output != *"STILL THERE"* ]]
		[[ $output == *kept* ]]
		[[ $output == *"moved to"* ]]
		[ ! -e "$LAB/home/project/.envrc" ]
		[ -e "$LAB/home/project/kept" ]
	done
}
