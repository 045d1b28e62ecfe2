#!/usr/bin/python3
"""A small internet inside one network namespace: DNS, HTTP, HTTPS and whoever must not be reached.

usage: internet.py DIR
LAB_DNS: address:port of the DNS server, 127.0.0.1:5353 unless told. LAB_HOST: see host_only().
Reads DIR/server.pem and DIR/server.key; writes DIR/dns.log (every question), DIR/hits.log (every connection:
"place address:port what") and, once everything listens, DIR/ready.
"""
import http.server
import os
import socket
import socketserver
import ssl
import struct
import sys
import threading

DIR = sys.argv[1]
LOCK = threading.Lock()

# Addresses from public space: the proxy dials only public ones, and they exist in this namespace alone.
WEB, OTHER, EVIL, GIT, API = (f"93.184.216.{n}" for n in (10, 11, 66, 20, 30))
PRIVATE, METADATA = "10.9.8.7", "169.254.169.254"
WEB6 = "2606:2800:220:1::10"
NAMES = {
    "allowed.test": [WEB], "www.allowed.test": [WEB], "other.test": [OTHER], "evil.test": [EVIL],
    "git.test": [GIT], "rebind.test": [PRIVATE], "meta.test": [METADATA], "mixed.test": [WEB, PRIVATE],
    "loop.test": ["127.0.0.1"], "six.test": [WEB6], "api.anthropic.com": [API], "api.openai.com": [API],
    "generativelanguage.googleapis.com": [API],
}


def log(name, line):
    with LOCK, open(os.path.join(DIR, name), "a", encoding="utf-8") as f:
        f.write(line + "\n")


def dns_answer(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    kind = struct.unpack("!H", query[at + 1:at + 3])[0]
    name = ".".join(labels).lower()
    log("dns.log", f"{kind} {name}")
    question = query[12:at + 5]
    addresses = NAMES.get(name)
    records = b""
    count = 0
    for a in addresses or []:
        family = socket.AF_INET6 if ":" in a else socket.AF_INET
        if (kind, family) in ((1, socket.AF_INET), (28, socket.AF_INET6)):
            raw = socket.inet_pton(family, a)
            records += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(raw)) + raw
            count += 1
    flags = 0x8180 if addresses else 0x8183
    return query[:2] + struct.pack("!HHHHH", flags, 1, count, 0, 0) + question + records


class DnsUdp(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        sock.sendto(dns_answer(data), self.client_address)


class DnsTcp(socketserver.BaseRequestHandler):
    def handle(self):
        head = self.request.recv(2)
        data = self.request.recv(struct.unpack("!H", head)[0])
        reply = dns_answer(data)
        self.request.sendall(struct.pack("!H", len(reply)) + reply)


class Web(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    place = "web"

    def log_message(self, *args):
        pass

    def note(self):
        log("hits.log", f"{self.place} {self.headers.get('Host')} {self.command} {self.path}")

    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        self.note()
        if self.path.startswith("/repo.git/"):
            self.directory = DIR
            super().do_GET()
        elif self.path.startswith("/big"):
            self.reply(b"x" * (8 << 20))
        else:
            self.reply(f"hello from {self.place}\n".encode())

    do_HEAD = do_GET

    def do_POST(self):
        self.note()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.reply(f"got {len(body)}\n".encode())


class Trap(socketserver.BaseRequestHandler):
    """Whoever connects here got out."""

    def handle(self):
        log("hits.log", f"TRAP {self.server.server_address[0]}:{self.server.server_address[1]}")
        self.request.sendall(b"HTTP/1.0 200 OK\r\n\r\nSECRET\n")


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        log("hits.log", f"echo {self.server.server_address[0]}")
        while data := self.request.recv(65536):
            self.request.sendall(data)
        self.request.shutdown(socket.SHUT_WR)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


class Server6(Server):
    address_family = socket.AF_INET6


def serve(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()


def web(address, port, place, tls):
    handler = type("Handler", (Web,), {"place": place})
    cls = Server6 if ":" in address else Server
    server = cls((address, port), handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{DIR}/server.pem", f"{DIR}/server.key")
        context.set_alpn_protocols(["http/1.1"])
        plain = server.get_request

        def get_request():
            sock, peer = plain()
            return context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), peer

        server.get_request = get_request
        server.handle_error = lambda *a: None
    serve(server)


def serve_dns():
    address, _, port = os.environ.get("LAB_DNS", "127.0.0.1:5353").rpartition(":")
    serve(socketserver.ThreadingUDPServer((address, int(port)), DnsUdp))
    serve(Server((address, int(port)), DnsTcp))


def host_only(port):
    """Instead of the internet: a resolver and a service of the machine on which containers run."""
    serve_dns()
    serve(Server(("0.0.0.0", port), Trap))
    open(os.path.join(DIR, "ready.host"), "w", encoding="utf-8").close()
    threading.Event().wait()


def main():
    if "LAB_HOST" in os.environ:
        host_only(int(os.environ["LAB_HOST"]))
    serve_dns()
    for address, place in ((WEB, "allowed"), (OTHER, "other"), (EVIL, "EVIL"), (GIT, "git"), (WEB6, "six")):
        web(address, 80, place, False)
        web(address, 443, place, True)
    for port in (22, 53, 853, 5353, 8080, 25):
        serve(Server((EVIL, port), Trap))
    serve(Server((WEB, 7), Echo))
    for address in (PRIVATE, METADATA):
        serve(Server((address, 80), Trap))
        serve(Server((address, 443), Trap))
    serve(Server(("127.0.0.1", 7777), Trap))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((EVIL, 53))
    udp2 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp2.bind((EVIL, 443))
    os.makedirs(os.path.join(DIR, "sockets"), exist_ok=True)
    unix_path = os.path.join(DIR, "sockets", "host.sock")
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(unix_path)
    unix.listen()

    def hear(sock, what):
        while True:
            sock.recv(4096)
            log("hits.log", f"TRAP udp {what}")

    def hear_unix():
        while True:
            peer, _ = unix.accept()
            log("hits.log", "TRAP unix socket")
            peer.sendall(b"SECRET\n")
            peer.close()

    threading.Thread(target=hear, args=(udp, "53"), daemon=True).start()
    threading.Thread(target=hear, args=(udp2, "443"), daemon=True).start()
    threading.Thread(target=hear_unix, daemon=True).start()
    open(os.path.join(DIR, "ready"), "w", encoding="utf-8").close()
    threading.Event().wait()


main()
