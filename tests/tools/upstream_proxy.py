#!/usr/bin/env python3
"""An upstream proxy as a company has it, for tests: upstream_proxy.py HOWEVER LOG; prints its port.

HOWEVER: open | auth (wants user:pa ss) | refuse | silent | garbage | endless | early (sends bytes right behind its head)
Names are reached on 127.0.0.1, whatever they are: only the proxy knows them.
"""
import base64
import socket
import sys
import threading

however, log_path = sys.argv[1:3]


def pipe(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client):
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(4096)
        if not data:
            return
        head += data
    with open(log_path, "ab") as log:
        log.write(head.split(b"\r\n")[0] + b"\n")
    port = int(head.split(b" ")[1].rsplit(b":", 1)[1])
    if however == "silent":
        client.recv(1)
    elif however == "refuse":
        client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    elif however == "garbage":
        client.sendall(b"SSH-2.0-something else\r\n\r\n")
    elif however == "endless":
        client.sendall(b"HTTP/1.1 200 OK\r\n")
        try:
            while True:
                client.sendall(b"x: y\r\n" * 100)
        except OSError:
            pass
    elif however == "auth" and b"Proxy-Authorization: Basic " + base64.b64encode(b"user:pa ss") + b"\r\n" not in head:
        client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    else:
        far = socket.create_connection(("127.0.0.1", port))
        answer = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 corp\r\n\r\n"
        if however == "early":
            client.sendall(answer[:5])
            client.sendall(answer[5:] + b"hello before you ask\n")
            client.close()
            return
        client.sendall(answer)
        threading.Thread(target=pipe, args=(client, far), daemon=True).start()
        pipe(far, client)
        far.close()
    client.close()


s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
