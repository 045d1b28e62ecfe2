#!/usr/bin/env python3
"""Speaks to a broker's control socket: control.py SOCKET reload FILE | status | flows | close N | refuse N | stop | watch N."""
import array
import os
import socket
import struct
import sys

NUMBERS = {"reload": 1, "status": 2, "flows": 3, "watch": 4, "close": 5, "refuse": 6, "stop": 7}


def receive(s):
    data, extra, _, _ = s.recvmsg(65536, socket.CMSG_SPACE(4))
    if len(data) < 16:
        sys.exit("closed")
    _, number, size, value = struct.unpack("=HHIQ", data[:16])
    fds = array.array("i")
    for level, kind, payload in extra:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(payload[:4])
    return number, value, data[16 : 16 + size].decode(), list(fds)


def main():
    path, what = sys.argv[1:3]
    argument = sys.argv[3] if len(sys.argv) > 3 else ""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(path)
    text, fds, value = b"", [], 0
    if what == "reload":
        text, fds = argument.encode(), [os.open(argument, os.O_RDONLY)]
    elif what in ("close", "refuse"):
        value = int(argument)
    head = struct.pack("=HHIQ", 1, NUMBERS[what], len(text), value)
    extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    s.sendmsg([head, text], extra)
    number, value, text, fds = receive(s)
    if number != 16:
        sys.exit("failed: " + text)
    if fds:
        sys.stdout.write(os.fdopen(fds[0]).read())
    elif what == "watch":
        print("watching", flush=True)
        for _ in range(int(argument)):
            print(receive(s)[2], flush=True)
    else:
        print("ok", value)


main()
