#!/usr/bin/env python3
"""The soak's internet: one process a role, so that each can be killed, stopped and started alone.

usage: servers.py dns|web|trap DIR
Writes DIR/ROLE.ready. Web speaks just enough: TLS ports get a reply to a ClientHello, whatever is in it; what reaches a
place that no rule opens, or a TLS port with other first bytes than a ClientHello for its name, is a line in DIR/escapes.log.
dns writes every question to DIR/dns.log. Web resets every connection on SIGUSR1.
"""
import asyncio
import os
import signal
import socket
import struct
import sys

ROLE, DIR = sys.argv[1], sys.argv[2]
WEB, EVIL, PRIVATE, METADATA = "93.184.216.10", "93.184.216.66", "10.9.8.7", "169.254.169.254"
NAMES = {
    "allowed.test": [WEB], "www.allowed.test": [WEB], "flip.test": [WEB], "quota.test": [WEB], "evil.test": [EVIL],
    "rebind.test": [PRIVATE], "meta.test": [METADATA], "mixed.test": [WEB, PRIVATE], "loop.test": ["127.0.0.1"],
    "dead.test": ["203.0.114.9"],
}
CHUNK = b"x" * 65536


def escape(text):
    with open(f"{DIR}/escapes.log", "a", encoding="utf-8") as f:
        f.write(text + "\n")


# ---- DNS

def answer(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    kind = struct.unpack("!H", query[at + 1:at + 3])[0]
    name = ".".join(labels).lower()
    with open(f"{DIR}/dns.log", "a", encoding="utf-8") as f:
        f.write(name + "\n")
    addresses = NAMES.get(name) or ([WEB] if name.endswith(".wild.test") else None)
    records, count = b"", 0
    for a in addresses or []:
        if kind == 1:
            records += b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 5, 4) + socket.inet_aton(a)
            count += 1
    return query[:2] + struct.pack("!HHHHH", 0x8180 if addresses else 0x8183, 1, count, 0, 0) + query[12:at + 5] + records


class Dns(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(answer(data), addr)


async def dns_tcp(reader, writer):
    try:
        n = struct.unpack("!H", await reader.readexactly(2))[0]
        reply = answer(await reader.readexactly(n))
        writer.write(struct.pack("!H", len(reply)) + reply)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    writer.close()


# ---- web

OPEN = set()


def server_name(hello):
    """The name in a whole ClientHello record, or None."""
    try:
        at = 5 + 4 + 2 + 32
        at += 1 + hello[at]
        at += 2 + int.from_bytes(hello[at:at + 2], "big")
        at += 1 + hello[at]
        end = at + 2 + int.from_bytes(hello[at:at + 2], "big")
        at += 2
        while at < end:
            kind, n = struct.unpack("!HH", hello[at:at + 4])
            if kind == 0:
                return hello[at + 9:at + 4 + n].decode("latin-1")
            at += 4 + n
    except (IndexError, struct.error):
        pass
    return None


def known(handler):
    async def run(reader, writer):
        OPEN.add(writer)
        try:
            await handler(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            OPEN.discard(writer)
            writer.close()
    return run


@known
async def tls(reader, writer):
    head = await reader.readexactly(5)
    if head[0] != 22:
        escape(f"tls: other first bytes {head!r}")
        return
    hello = head + await reader.readexactly(int.from_bytes(head[3:5], "big"))
    name = server_name(hello)
    if name is None or not (name.endswith(".wild.test") or name in NAMES) or name in ("evil.test", "bad.wild.test"):
        escape(f"tls: hello for {name}")
        return
    writer.write(b"OKAY" * 16)
    await writer.drain()
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


@known
async def http(reader, writer):
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        host = [line for line in head.split(b"\r\n") if line.lower().startswith(b"host:")]
        if len(host) != 1 or b"evil" in host[0] or b"bad.wild" in host[0]:
            escape(f"http: {head!r}")
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()


@known
async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


@known
async def bulk(reader, writer):
    await reader.read(1)
    for _ in range(32):
        writer.write(CHUNK)
        await writer.drain()


def reset(writer):
    sock = writer.get_extra_info("socket")
    if sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@known
async def resets(reader, writer):
    await reader.read(1)
    writer.write(b"half of i")
    await writer.drain()
    reset(writer)


@known
async def silent(reader, writer):
    await reader.read()


async def trap(reader, writer):
    at = writer.get_extra_info("sockname")
    escape(f"trap: a connection reached {at[0]}:{at[1]}")
    writer.write(b"HTTP/1.0 200 OK\r\n\r\nSECRET\n")
    writer.close()


async def main():
    loop = asyncio.get_running_loop()
    if ROLE == "dns":
        await loop.create_datagram_endpoint(Dns, local_addr=("127.0.0.1", 5353))
        await asyncio.start_server(dns_tcp, "127.0.0.1", 5353)
    elif ROLE == "web":
        for port, handler in ((443, tls), (80, http), (22, echo), (9000, bulk), (9001, resets), (9002, silent)):
            await asyncio.start_server(handler, WEB, port, backlog=512)
        loop.add_signal_handler(signal.SIGUSR1, lambda: [reset(w) for w in list(OPEN)])
    else:
        places = [(EVIL, p) for p in (22, 25, 53, 80, 443, 8080, 9000)] + [(WEB, 25), (WEB, 8080)]
        places += [(a, p) for a in (PRIVATE, METADATA, "127.0.0.1") for p in (80, 443, 9000)]
        for address, port in places:
            await asyncio.start_server(trap, address, port)
    open(f"{DIR}/{ROLE}.ready", "w", encoding="utf-8").close()
    await asyncio.Event().wait()


asyncio.run(main())
