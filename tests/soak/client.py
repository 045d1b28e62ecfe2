#!/usr/bin/env python3
"""The soak's contained program: asks for allowed and forbidden things by every way there is, at a steady rate.

usage: client.py DIR RATE SEED      (runs inside a session; DIR is shared with the driver)
Obeys DIR/do, one line "NUMBER WORD" (run, pause, flood, after, end) and writes what it is done with to DIR/done. Writes
DIR/tally.json; each thing that must not be is a line in DIR/wrong.log.
"""
import asyncio
import json
import os
import random
import socket
import ssl
import struct
import sys
import time

DIR, RATE, SEED = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
PROXY = ("127.0.0.1", 8888)
RNG = random.Random(SEED)
TALLY = {}
HELLOS = {}
PATIENCE_S = 15

# name, port, what is spoken, may it be reached? (None: now and then)
ALLOWED = [
    ("allowed.test", 443, "tls", True), ("allowed.test", 80, "http", True), ("www.allowed.test", 443, "tls", True),
    ("WWW.Allowed.Test.", 443, "tls", True), ("a.wild.test", 443, "tls", True), ("b.c.wild.test", 80, "http", True),
    ("allowed.test", 22, "echo", True), ("allowed.test", 9000, "bulk", True), ("allowed.test", 9001, "reset", True),
    ("allowed.test", 9002, "silent", True), ("flip.test", 443, "tls", None), ("quota.test", 9000, "bulk", None),
    ("dead.test", 443, "tls", True), ("gone.test", 443, "tls", True),
]
FORBIDDEN = [
    ("evil.test", 443, "tls"), ("evil.test", 80, "http"), ("evil.test", 22, "echo"), ("allowed.test", 25, "echo"),
    ("allowed.test", 8080, "http"), ("bad.wild.test", 443, "tls"), ("bad.wild.test", 80, "http"), ("wild.test", 443, "tls"),
    ("rebind.test", 443, "tls"), ("rebind.test", 80, "http"), ("meta.test", 80, "http"), ("mixed.test", 443, "tls"),
    ("loop.test", 80, "http"), ("93.184.216.66", 80, "http"), ("1572395074", 80, "http"), ("0x5db8d842", 443, "tls"),
    ("10.9.8.7", 443, "tls"), ("169.254.169.254", 80, "http"), ("[::ffff:93.184.216.66]", 443, "tls"),
    ("93.184.216.10", 443, "tls"), ("127.0.0.1", 443, "tls"), ("evil.test.", 443, "tls"),
    ("allowed.test", 443, "not-tls"), ("allowed.test", 443, "other-sni"), ("allowed.test", 80, "other-host"),
]
DOORS = ["connect", "absolute", "socks5", "socks4a", "direct"]


def count(what):
    TALLY[what] = TALLY.get(what, 0) + 1


def wrong(text):
    with open(f"{DIR}/wrong.log", "a", encoding="utf-8") as f:
        f.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def hello_for(name):
    name = name.rstrip(".").lower()
    if name not in HELLOS:
        out = ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        HELLOS[name] = out.read()
    return HELLOS[name]


class Refused(Exception):
    """Answered by the proxy with a no; the text says which."""


async def resolve(name):
    """A direct client's own DNS question, over UDP."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as s:
        s.connect(("127.0.0.1", 53))
        labels = b"".join(bytes([len(x)]) + x.encode() for x in name.rstrip(".").split("."))
        number = RNG.randrange(65536)
        await loop.sock_sendall(s, struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1")
        reply = await asyncio.wait_for(loop.sock_recv(s, 2048), PATIENCE_S)
    flags, count_of = struct.unpack("!HxxH", reply[2:8])
    if flags & 15 or count_of == 0:
        raise Refused(f"dns rcode {flags & 15}")
    return socket.inet_ntoa(reply[-4:]) if reply[-6:-4] == b"\0\4" else socket.inet_ntoa(reply[reply.index(b"\0\4", 12) + 2:][:4])


async def open_direct(name, port):
    address = name
    if not name[0].isdigit() and not name.startswith("["):
        address = await resolve(name)
    return await asyncio.open_connection(address.strip("[]"), port)


async def open_connect(name, port):
    r, w = await asyncio.open_connection(*PROXY)
    try:
        w.write(f"CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n".encode())
        head = await r.readuntil(b"\r\n\r\n")
        if b" 200" not in head.split(b"\r\n")[0]:
            raise Refused(head.decode("latin-1"))
        return r, w
    except BaseException:
        w.close()
        raise


async def open_socks5(name, port):
    r, w = await asyncio.open_connection(*PROXY)
    try:
        w.write(b"\5\1\0")
        await r.readexactly(2)
        host = name.encode()
        w.write(b"\5\1\0\3" + bytes([len(host)]) + host + struct.pack("!H", port))
        reply = await r.readexactly(4)
        await r.readexactly({1: 4, 4: 16}[reply[3]] + 2)
        if reply[1]:
            raise Refused(f"socks5 {reply[1]}")
        return r, w
    except BaseException:
        w.close()
        raise


async def open_socks4a(name, port):
    r, w = await asyncio.open_connection(*PROXY)
    try:
        w.write(b"\4\1" + struct.pack("!H", port) + b"\0\0\0\1\0" + name.encode() + b"\0")
        reply = await r.readexactly(8)
        if reply[1] != 90:
            raise Refused(f"socks4 {reply[1]}")
        return r, w
    except BaseException:
        w.close()
        raise


OPENERS = {"connect": open_connect, "socks5": open_socks5, "socks4a": open_socks4a, "direct": open_direct}


async def absolute(name, port):
    """One or a few requests over one connection, in absolute form."""
    r, w = await asyncio.open_connection(*PROXY)
    try:
        for _ in range(RNG.randrange(1, 4)):
            w.write(f"GET http://{name}:{port}/ HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n".encode())
            head = await r.readuntil(b"\r\n\r\n")
            if b" 200" not in head.split(b"\r\n")[0]:
                raise Refused(head.decode("latin-1"))
            if await r.readexactly(5) != b"hello":
                return False
        return True
    finally:
        w.close()


async def speak(r, w, name, port, kind):
    """True when the far side answered as it should."""
    if kind in ("tls", "other-sni"):
        w.write(hello_for("evil.test" if kind == "other-sni" else name))
        if (await r.readexactly(64))[:4] != b"OKAY":
            return False
        for _ in range(RNG.randrange(3)):
            w.write(b"ping" * 64)
            await r.readexactly(256)
        return True
    if kind == "http" or kind == "other-host":
        host = "evil.test" if kind == "other-host" else name
        w.write(f"GET / HTTP/1.1\r\nHost: {host}{'' if port == 80 else f':{port}'}\r\n\r\n".encode())
        head = await r.readuntil(b"\r\n\r\n")
        if b" 200" not in head.split(b"\r\n")[0]:
            raise Refused(head.decode("latin-1"))
        return await r.readexactly(5) == b"hello"
    if kind == "not-tls":
        w.write(b"SSH-2.0-sneaky\r\n" + b"x" * 600)
        await r.read(100)  # an alert at most; what arrives there is the server's to tell
        return False
    w.write(b"GO")
    if kind == "bulk":
        got = 0
        while data := await r.read(65536):
            got += len(data)
            if RNG.random() < 0.05:
                await asyncio.sleep(0.02)  # back-pressure
        return got == 32 * 65536
    if kind == "silent":
        await asyncio.sleep(RNG.random() * 5)
        return True
    if kind == "reset":
        await r.read(100)
        return True
    return await r.readexactly(2) == b"GO"


async def flow(door, name, port, kind, expected):
    what = "allowed" if expected else "sometimes" if expected is None else "forbidden"
    try:
        served = await asyncio.wait_for(one(door, name, port, kind), PATIENCE_S * 2)
        result = "served" if served else "cut"
    except Refused as e:
        result = "refused"
        text = str(e)
        if expected and ("blocked-by-allowlist" in text or "blocked-by-denylist" in text or "dns rcode 3" in text):
            wrong(f"refused what is allowed: {door} {name}:{port}: {text!r}")
    except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, ValueError, asyncio.LimitOverrunError):
        result = "failed"
    count(f"{what} {result}")
    count(f"door {door} {result}")
    if expected is False and result == "served":
        wrong(f"ESCAPE: {door} {name}:{port} {kind} was served")


async def one(door, name, port, kind):
    if door == "absolute":
        return await absolute(name, port)
    r, w = await OPENERS[door](name, port)
    try:
        return await speak(r, w, name, port, kind)
    finally:
        w.transport.abort() if RNG.random() < 0.3 else w.close()


def start_one(tasks):
    if RNG.random() < 0.35:
        name, port, kind = RNG.choice(FORBIDDEN)
        expected = False
    else:
        name, port, kind, expected = RNG.choice(ALLOWED)
    if name == "a.wild.test" and RNG.random() < 0.02:
        name = f"n{RNG.randrange(10**6)}.wild.test"  # new names, under the limit of them
    door = RNG.choice(DOORS)
    if door == "absolute" and kind != "http":
        door = "connect"
    task = asyncio.ensure_future(flow(door, name, port, kind, expected))
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def hold(tasks):
    """A tunnel that is idle for long, and works at the end."""
    try:
        r, w = await open_connect("allowed.test", 22)
        try:
            await asyncio.sleep(20 + RNG.random() * 30)
            w.write(b"GO")
            count("idle tunnel " + ("works" if await asyncio.wait_for(r.readexactly(2), PATIENCE_S) == b"GO" else "odd"))
        finally:
            w.close()
    except (Refused, OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
        count("idle tunnel failed")


async def flood():
    """Many at once that say half a sentence, and many that are refused; then all are reset."""
    socks = []
    loop = asyncio.get_running_loop()
    for i in range(600):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            await asyncio.wait_for(loop.sock_connect(s, PROXY), 5)
            text = b"CONNECT evil.test:443 HTTP/1.1\r\nHost: e" if i % 2 else b"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n"
            await loop.sock_sendall(s, text * (1 if i % 2 else 3))
        except (OSError, asyncio.TimeoutError):
            count("flood failed")
        socks.append(s)
    await asyncio.sleep(0.5)
    for s in socks:
        s.close()
    count("flood")


async def after():
    """The egress has been killed: nothing may be served any more."""
    before = dict(TALLY)
    doors = [flow(d, n, p, k, e) for d in DOORS for n, p, k, e in ALLOWED if d != "absolute" or k == "http"]
    await asyncio.gather(*doors)
    served = TALLY.get("allowed served", 0) - before.get("allowed served", 0)
    if served:
        wrong(f"ESCAPE: {served} served after the egress was killed")


def say_done(number):
    with open(f"{DIR}/tally.json.new", "w", encoding="utf-8") as f:
        json.dump(TALLY, f)
    os.rename(f"{DIR}/tally.json.new", f"{DIR}/tally.json")
    with open(f"{DIR}/done.new", "w", encoding="utf-8") as f:
        f.write(str(number))
    os.rename(f"{DIR}/done.new", f"{DIR}/done")


def read_order():
    try:
        with open(f"{DIR}/do", encoding="utf-8") as f:
            number, word = f.read().split()
            return int(number), word
    except (OSError, ValueError):
        return 0, "run"


async def settle(tasks, held):
    for t in list(held):
        t.cancel()
    await asyncio.gather(*tasks, *held, return_exceptions=True)


async def main():
    tasks, held, last = set(), set(), 0
    say_done(0)
    next_at = time.monotonic()
    while True:
        number, word = read_order()
        if number != last:
            last = number
            if word == "pause":
                await settle(tasks, held)
            elif word == "flood":
                await flood()
            elif word == "after":
                await settle(tasks, held)
                await after()
            elif word == "end":
                await settle(tasks, held)
                say_done(number)
                return
            say_done(number)
            next_at = time.monotonic()
        if word in ("pause", "after"):
            await asyncio.sleep(0.1)
            continue
        for _ in range(10):
            next_at += RNG.expovariate(RATE)
            await asyncio.sleep(max(0, next_at - time.monotonic()))
            if len(tasks) < 600:
                start_one(tasks)
            if len(held) < 40 and RNG.random() < 0.05:
                t = asyncio.ensure_future(hold(tasks))
                held.add(t)
                t.add_done_callback(held.discard)


asyncio.run(main())
