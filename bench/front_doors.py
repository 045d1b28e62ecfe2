#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks three proxies the same odd questions and looks at what reaches the servers.

One network namespace, one allowlist (allowed.test, ports 80 and 443), one set of cases; drydock-egress, tinyproxy and
squid, each with that allowlist. The servers note every byte; what they may not see is found by a reader of its own below,
stricter than any of the three. docs/FRONT_DOORS.md says what the columns mean.

usage: front_doors.py BUILD [--each] [--only WORD] [--proxy NAME]
       --each: a line for each case; --only: cases whose group or name has WORD in it
Exit status 1: drydock-egress forwarded what it should not, or refused what it should not.
"""
import argparse
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

ALLOWED, EVIL = "127.0.0.10", ("127.0.0.1", "127.0.0.2", "::1")
PORTS = (22, 25, 80, 443, 8080)
HOSTS = """127.0.0.1 localhost
127.0.0.10 allowed.test
127.0.0.2 evil.test sub.allowed.test xallowed.test allowed.test.evil.test allowed.tes allowed
"""
OK = {(ALLOWED, 80), (ALLOWED, 443)}
QUIET_S, LIMIT_S = 0.06, 0.8


# ---- the cases ----

WAIT = object()  # until the proxy's head is there; the rest is sent only after 200 or 101
HEAR = object()  # until the server says something
CASES = []


def case(group, name, expect, *steps):
    CASES.append((group, name, expect, [s if s in (WAIT, HEAR) else s.encode("latin-1") if isinstance(s, str) else s for s in steps]))


def both(group, expect, rows):
    for name, *steps in rows:
        case(group, name, expect, *steps)


def get(target="http://allowed.test/good", host="allowed.test", extra="", version="HTTP/1.1", method="GET", body=""):
    return f"{method} {target} {version}\r\nHost: {host}\r\n{extra}\r\n{body}"


def connect(target, host=None, extra="", version="HTTP/1.1"):
    return f"CONNECT {target} {version}\r\nHost: {host if host is not None else target}\r\n{extra}\r\n"


def extension(kind, body):
    return struct.pack("!HH", kind, len(body)) + body


def server_names(*names):
    entries = b"".join(bytes([t]) + struct.pack("!H", len(n)) + n for t, n in names)
    return extension(0, struct.pack("!H", len(entries)) + entries)


def sni(name):
    return server_names((0, name))


SUPPORTED = extension(43, b"\x02\x03\x04")
GROUPS = extension(10, b"\x00\x02\x00\x1d")


def hello(exts, version=b"\x03\x03", compression=b"\x01\x00", random=b"\x07" * 32):
    body = version + random + b"\x00" + b"\x00\x02\x13\x01" + compression
    if exts is not None:
        all_of = exts + SUPPORTED + GROUPS
        body += struct.pack("!H", len(all_of)) + all_of
    return b"\x01" + struct.pack("!I", len(body))[1:] + body


def records(message, size=16384, kind=22, version=b"\x03\x01"):
    out = b""
    for i in range(0, len(message), size):
        part = message[i:i + size]
        out += bytes([kind]) + version + struct.pack("!H", len(part)) + part
    return out


def tls(exts, **how):
    return records(hello(exts), **how)


NAME = sni(b"allowed.test")
ASKING = b"ask for a second hello, please!!"  # the random to which the server here answers with a HelloRetryRequest
RETRY = bytes.fromhex("160303002a020000260303cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c00130100")
TUNNEL = (connect("allowed.test:443"), WAIT)
HTTP_TUNNEL = (connect("allowed.test:80"), WAIT)


def add_connect():
    both("CONNECT", "pass", [
        ("plain", connect("allowed.test:443"), WAIT, tls(NAME)),
        ("Host without a port", connect("allowed.test:443", "allowed.test"), WAIT, tls(NAME)),
        ("upper case", connect("ALLOWED.Test:443"), WAIT, tls(NAME)),
        ("HTTP/1.0 without Host", "CONNECT allowed.test:443 HTTP/1.0\r\n\r\n", WAIT, tls(NAME)),
        ("Proxy-Connection", connect("allowed.test:443", extra="Proxy-Connection: keep-alive\r\n"), WAIT, tls(NAME)),
        ("Content-Length: 0", connect("allowed.test:443", extra="Content-Length: 0\r\n"), WAIT, tls(NAME)),
        ("port 80", connect("allowed.test:80"), WAIT, get("/good")),
    ])
    evil = (WAIT, tls(sni(b"evil.test")))
    both("CONNECT", "refuse", [
        ("another host", connect("evil.test:443"), *evil),
        ("a subdomain", connect("sub.allowed.test:443"), *evil),
        ("a longer first label", connect("xallowed.test:443"), *evil),
        ("the name as a prefix", connect("allowed.test.evil.test:443"), *evil),
        ("another port of the host", connect("allowed.test:25"), WAIT, "EHLO x\r\n"),
        ("port 8080 of the host", connect("allowed.test:8080"), WAIT, get("/bad")),
        ("port 22 of the host", connect("allowed.test:22"), WAIT, "SSH-2.0-x\r\n"),
        ("no port", connect("allowed.test"), WAIT, tls(NAME)),
        ("empty port", connect("allowed.test:"), WAIT, tls(NAME)),
        ("port 0", connect("allowed.test:0"), WAIT, tls(NAME)),
        ("port with leading zeros", connect("allowed.test:00443"), WAIT, tls(NAME)),
        ("port 443 + 65536", connect("allowed.test:65979"), WAIT, tls(NAME)),
        ("port 443 + 2^32", connect("allowed.test:4294967739"), WAIT, tls(NAME)),
        ("port +443", connect("allowed.test:+443"), WAIT, tls(NAME)),
        ("port in hex", connect("allowed.test:0x1bb"), WAIT, tls(NAME)),
        ("two ports", connect("allowed.test:443:443"), WAIT, tls(NAME)),
        ("text after the port", connect("allowed.test:443x"), WAIT, tls(NAME)),
        ("userinfo", connect("evil.test@allowed.test:443"), WAIT, tls(NAME)),
        ("userinfo the other way", connect("allowed.test@evil.test:443"), *evil),
        ("a path", connect("allowed.test:443/bad"), WAIT, tls(NAME)),
        ("a query", connect("allowed.test:443?bad"), WAIT, tls(NAME)),
        ("a fragment", connect("evil.test:443#allowed.test"), *evil),
        ("a scheme", connect("http://allowed.test:443"), WAIT, tls(NAME)),
        ("https URI", connect("https://allowed.test:443/bad"), WAIT, tls(NAME)),
        ("a percent sign", connect("allowed%2etest:443"), WAIT, tls(NAME)),
        ("a NUL escaped", connect("evil.test%00.allowed.test:443"), *evil),
        ("a NUL", connect("evil.test\0allowed.test:443"), *evil),
        ("a backslash", connect("evil.test\\allowed.test:443"), *evil),
        ("a tab inside", connect("evil.test\tallowed.test:443"), *evil),
        ("non-ASCII", connect("allowed\xaf.test:443"), WAIT, tls(NAME)),
        ("two dots", connect("allowed..test:443"), WAIT, tls(NAME)),
        ("a leading dot", connect(".allowed.test:443"), WAIT, tls(NAME)),
        ("Host of another host", connect("allowed.test:443", "evil.test:443"), WAIT, tls(NAME)),
        ("Host with another port", connect("allowed.test:443", "allowed.test:25"), WAIT, tls(NAME)),
        ("two Host fields", connect("allowed.test:443", extra="Host: evil.test\r\n"), WAIT, tls(NAME)),
        ("no Host in HTTP/1.1", "CONNECT allowed.test:443 HTTP/1.1\r\n\r\n", WAIT, tls(NAME)),
        ("a body", connect("allowed.test:443", extra="Content-Length: 4\r\n") + "bad!", WAIT, tls(NAME)),
        ("a chunked body", connect("allowed.test:443", extra="Transfer-Encoding: chunked\r\n") + "0\r\n\r\n", WAIT, tls(NAME)),
        ("HTTP/2.0", connect("allowed.test:443", version="HTTP/2.0"), WAIT, tls(NAME)),
        ("HTTP/1.11", connect("allowed.test:443", version="HTTP/1.11"), WAIT, tls(NAME)),
        ("no version", "CONNECT allowed.test:443\r\n\r\n", WAIT, tls(NAME)),
        ("lower-case method", "connect allowed.test:443 HTTP/1.1\r\nHost: allowed.test\r\n\r\n", WAIT, tls(NAME)),
        ("two spaces", "CONNECT  allowed.test:443 HTTP/1.1\r\nHost: allowed.test\r\n\r\n", WAIT, tls(NAME)),
        ("bare LF", "CONNECT allowed.test:443 HTTP/1.1\nHost: allowed.test\n\n", WAIT, tls(NAME)),
        ("CONNECT inside CONNECT", *HTTP_TUNNEL, connect("evil.test:443")),
    ])


def add_literals():
    spellings = [
        ("IPv4", "127.0.0.1"), ("decimal", "2130706433"), ("octal", "0177.0.0.1"), ("octal, one number", "017700000001"),
        ("hex", "0x7f000001"), ("hex, dotted", "0x7f.0x0.0x0.0x1"), ("short", "127.1"), ("three parts", "127.0.1"),
        ("mixed", "0x7f.1"), ("leading zeros", "127.000.000.001"), ("trailing dot", "127.0.0.1."), ("zero", "0"),
        ("overflowing", "4294967297"), ("IPv6", "[::1]"), ("IPv6 in full", "[0:0:0:0:0:0:0:1]"),
        ("mapped", "[::ffff:127.0.0.1]"), ("mapped in hex", "[::ffff:7f00:1]"), ("compatible", "[::127.0.0.1]"),
        ("zone id", "[::1%25lo]"), ("raw zone id", "[::1%lo]"), ("NAT64", "[64:ff9b::7f00:1]"),
        ("IPv4 in brackets", "[127.0.0.1]"), ("IPvFuture", "[v1.x]"), ("full width digits", "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.1"),
        ("localhost", "localhost"), ("the allowed host's own address", "127.0.0.10"),
    ]
    for name, text in spellings:
        case("address, CONNECT", name, "refuse", connect(f"{text}:443"), WAIT, tls(None))
        case("address, http", name, "refuse", get(f"http://{text}/bad", text))


def add_http():
    both("plain HTTP", "pass", [
        ("GET", get()),
        ("HTTP/1.0", "GET http://allowed.test/good HTTP/1.0\r\n\r\n"),
        ("port written out", get("http://allowed.test:80/good", "allowed.test:80")),
        ("upper case", get("HTTP://ALLOWED.test/good", "allowed.TEST")),
        ("HEAD", get(method="HEAD")),
        ("a body", get(method="POST", extra="Content-Length: 4\r\n", body="good")),
        ("chunks and a trailer", get(method="POST", extra="Transfer-Encoding: chunked\r\n", body="4;x=y\r\ngood\r\n0\r\nX-T: 1\r\n\r\n")),
        ("100-continue", get(method="POST", extra="Expect: 100-continue\r\nContent-Length: 4\r\n", body="good")),
        ("two pipelined", get() + get("http://allowed.test/good2")),
        ("WebSocket", get(extra="Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==\r\n")),
        ("inside CONNECT", *HTTP_TUNNEL, get("/good")),
    ])
    both("plain HTTP", "refuse", [
        ("another host", get("http://evil.test/bad", "evil.test")),
        ("a subdomain", get("http://sub.allowed.test/bad", "sub.allowed.test")),
        ("another port", get("http://allowed.test:8080/bad", "allowed.test:8080")),
        ("userinfo", get("http://allowed.test@evil.test/bad", "evil.test")),
        ("userinfo with a port", get("http://allowed.test:80@evil.test/bad", "evil.test")),
        ("userinfo, allowed host", get("http://user@allowed.test/bad")),
        ("backslash", get("http://evil.test\\@allowed.test/bad")),
        ("fragment", get("http://evil.test#@allowed.test/bad", "evil.test")),
        ("https scheme", get("https://allowed.test/bad")),
        ("ftp scheme", get("ftp://allowed.test/bad")),
        ("origin form", get("/bad")),
        ("origin form with two slashes", get("//allowed.test/bad")),
        ("TRACE with a body", get("http://allowed.test/bad", method="TRACE", extra="Content-Length: 3\r\n", body="bad")),
        ("second request for another host", get() + get("http://evil.test/bad", "evil.test")),
        ("second request of a tunnel for another host", *HTTP_TUNNEL, get("/good") + get("/bad", "evil.test")),
    ])
    both("Host", "refuse", [
        ("differs from the URI", get("http://allowed.test/bad", "evil.test")),
        ("the URI is the evil one", get("http://evil.test/bad", "allowed.test")),
        ("twice", get("http://allowed.test/bad", extra="Host: evil.test\r\n")),
        ("twice, evil first", get("http://allowed.test/bad", "evil.test", extra="Host: allowed.test\r\n")),
        ("twice the same", get("http://allowed.test/bad", extra="Host: allowed.test\r\n")),
        ("a space before the colon", get("http://allowed.test/bad", extra="Host : evil.test\r\n")),
        ("folded", get("http://allowed.test/bad", extra="X: y\r\n Host: evil.test\r\n")),
        ("a list", get("http://allowed.test/bad", "allowed.test, evil.test")),
        ("userinfo", get("http://allowed.test/bad", "evil.test@allowed.test")),
        ("another port", get("http://allowed.test/bad", "allowed.test:8080")),
        ("port with a zero in front", get("http://allowed.test/bad", "allowed.test:080")),
        ("missing", "GET http://allowed.test/bad HTTP/1.1\r\n\r\n"),
        ("empty", get("http://allowed.test/bad", "")),
        ("other, inside CONNECT", *HTTP_TUNNEL, get("/bad", "evil.test")),
        ("other, inside CONNECT, absolute", *HTTP_TUNNEL, get("http://evil.test/bad", "evil.test")),
        ("other, inside CONNECT, URI against Host", *HTTP_TUNNEL, get("http://evil.test/bad", "allowed.test")),
        ("twice, inside CONNECT", *HTTP_TUNNEL, get("/bad", extra="Host: evil.test\r\n")),
        ("missing, inside CONNECT", *HTTP_TUNNEL, "GET /bad HTTP/1.1\r\n\r\n"),
    ])


def add_smuggling():
    inner = get("/bad", "evil.test")
    chunks = f"0\r\n\r\n{inner}"

    def post(extra, body, version="HTTP/1.1"):
        return get("http://allowed.test/bad", method="POST", extra=extra, body=body, version=version)

    te = "Transfer-Encoding"
    both("framing", "refuse", [
        ("CL and TE", post(f"Content-Length: {len(chunks)}\r\n{te}: chunked\r\n", chunks)),
        ("TE and CL", post(f"{te}: chunked\r\nContent-Length: 4\r\n", chunks)),
        ("two CL", post(f"Content-Length: 0\r\nContent-Length: {len(inner)}\r\n", inner)),
        ("two equal CL", post("Content-Length: 3\r\nContent-Length: 3\r\n", "bad")),
        ("CL list", post("Content-Length: 3, 3\r\n", "bad")),
        ("CL with a plus", post("Content-Length: +3\r\n", "bad")),
        ("CL negative", post("Content-Length: -3\r\n", "bad")),
        ("CL hex", post("Content-Length: 0x3\r\n", "bad")),
        ("CL with text", post("Content-Length: 3 x\r\n", "bad")),
        ("CL huge", post("Content-Length: 18446744073709551619\r\n", "bad")),
        ("CL empty", post("Content-Length:\r\n", inner)),
        ("CL with a space before the colon", post("Content-Length : 3\r\n", "bad")),
        ("CL with an underscore", post(f"Content_Length: {len(inner)}\r\n", inner)),
        ("TE twice", post(f"{te}: chunked\r\n{te}: chunked\r\n", chunks)),
        ("TE, then another", post(f"{te}: chunked\r\n{te}: x\r\n", chunks)),
        ("TE unknown", post(f"{te}: xchunked\r\n", chunks)),
        ("TE chunked, identity", post(f"{te}: chunked, identity\r\n", chunks)),
        ("TE identity", post(f"{te}: identity\r\nContent-Length: 3\r\n", "bad")),
        ("TE gzip, chunked", post(f"{te}: gzip, chunked\r\n", chunks)),
        ("TE quoted", post(f"{te}: \"chunked\"\r\n", chunks)),
        ("TE with a vertical tab", post(f"{te}: \x0bchunked\r\nContent-Length: 3\r\n", chunks)),
        ("TE with a space before the colon", post(f"{te} : chunked\r\n", chunks)),
        ("TE folded", post(f"{te}:\r\n chunked\r\n", chunks)),
        ("TE behind a bare LF", post(f"X: y\n{te}: chunked\r\n", chunks)),
        ("TE behind a bare CR", post(f"X: y\r{te}: chunked\r\n", chunks)),
        ("TE with an underscore", post("Transfer_Encoding: chunked\r\n", chunks)),
        ("TE in HTTP/1.0", post(f"{te}: chunked\r\n", chunks, "HTTP/1.0")),
        ("field without a colon", post("bad\r\nContent-Length: 3\r\n", "bad")),
        ("field name with a NUL", post("X\0Y: bad\r\n", "")),
        ("value with a NUL", post("X: bad\0\r\n", "")),
        ("obs-fold", post("X: a\r\n bad\r\n", "")),
        ("lines with bare LF", "POST http://allowed.test/bad HTTP/1.1\nHost: allowed.test\n\n"),
        ("bare CR ends a line", "POST http://allowed.test/bad HTTP/1.1\rHost: allowed.test\r\r\n\r\n"),
        ("space before the first field", "GET http://allowed.test/bad HTTP/1.1\r\n X: y\r\nHost: allowed.test\r\n\r\n"),
        ("an empty line first", "\r\n" + get("http://allowed.test/bad")),
        ("a tab in the request line", "GET\thttp://allowed.test/bad\tHTTP/1.1\r\nHost: allowed.test\r\n\r\n"),
        ("a space in the target", get("http://allowed.test/bad x")),
        ("HTTP/0.9", "GET http://allowed.test/bad\r\n\r\n"),
        ("HTTP/1.2", get("http://allowed.test/bad", version="HTTP/1.2")),
    ])
    case("framing", "Connection names CL", "strip", *[post("Connection: Content-Length\r\nContent-Length: 3\r\n", "bad")])
    case("framing", "Connection names Host", "strip", *[post("Connection: Host\r\nContent-Length: 3\r\n", "bad")])
    good = get("http://allowed.test/good", method="POST", extra=f"{te}: chunked\r\n")
    both("chunks", "refuse", [
        ("size with 0x", good + f"0x3\r\nbad\r\n0\r\n\r\n"),
        ("size with a sign", good + "+3\r\nbad\r\n0\r\n\r\n"),
        ("size with a space", good + "3 \r\nbad\r\n0\r\n\r\n"),
        ("size of 17 digits", good + "10000000000000003\r\nbad\r\n0\r\n\r\n"),
        ("bare LF after the size", good + "3\nbad\r\n0\r\n\r\n"),
        ("bare LF in an extension", good + "3;a\nbad\r\n0\r\n\r\n"),
        ("bare LF after the data", good + "3\r\nbad\n0\r\n\r\n"),
        ("data longer than said", good + "3\r\nbad!!\r\n0\r\n\r\n"),
        ("bare LF at the end", good + "3\r\nbad\r\n0\n\n"),
        ("Content-Length as trailer", good + "3\r\nbad\r\n0\r\nContent-Length: 9\r\n\r\n"),
        ("Host as trailer", good + "3\r\nbad\r\n0\r\nHost: evil.test\r\n\r\n"),
    ])


def add_http2():
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
    settings = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    both("HTTP/2, upgrades", "refuse", [
        ("prior knowledge", preface),
        ("prior knowledge inside CONNECT", *HTTP_TUNNEL, preface),
        ("bytes after an Upgrade that nobody granted", get("http://allowed.test/good", extra=settings) + "\x16\x03\x01" + get("/bad", "evil.test")),
    ])
    both("HTTP/2, upgrades", "strip", [
        ("Upgrade: h2c", get("http://allowed.test/bad", extra=settings)),
        ("Upgrade: h2c inside CONNECT", *HTTP_TUNNEL, get("/bad", extra=settings)),
        ("Upgrade: websocket, h2c", get("http://allowed.test/bad", extra="Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n")),
        ("Upgrade: TLS/1.2", get("http://allowed.test/bad", extra="Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n")),
    ])


def whole_second(exts):
    return records(hello(exts), version=b"\x03\x03")


def add_tls():
    both("ClientHello", "pass", [
        ("the name", *TUNNEL, tls(NAME)),
        ("upper case", *TUNNEL, tls(sni(b"ALLOWED.test"))),
        ("in records of 7 bytes", *TUNNEL, tls(NAME, size=7)),
        ("in segments of 3 bytes", *TUNNEL, *[tls(NAME)[i:i + 3] for i in range(0, len(tls(NAME)), 3)]),
        ("sent with CONNECT", connect("allowed.test:443").encode() + tls(NAME)),
        ("with early data offered", *TUNNEL, tls(NAME + extension(42, b""))),
        ("GREASE", *TUNNEL, tls(extension(0x0a0a, b"") + NAME)),
    ])
    first = records(hello(NAME, random=ASKING))
    ccs = b"\x14\x03\x03\x00\x01\x01"
    case("ClientHello", "a second one, asked for", "pass", *TUNNEL, first, HEAR, ccs + whole_second(NAME))
    both("ClientHello", "refuse", [
        ("a second one for another name", *TUNNEL, first, HEAR, whole_second(sni(b"evil.test"))),
        ("the same behind change_cipher_spec", *TUNNEL, first, HEAR, ccs + whole_second(sni(b"evil.test"))),
        ("the same behind early data", *TUNNEL, first, HEAR, records(b"early", kind=23) + whole_second(sni(b"evil.test"))),
        ("the same, sent before it is asked for", *TUNNEL, first + whole_second(sni(b"evil.test"))),
        ("a second one without a name", *TUNNEL, first, HEAR, whole_second(b"")),
    ])
    host = NAME[9:]
    whole = tls(NAME)
    both("ClientHello", "refuse", [
        ("another name", *TUNNEL, tls(sni(b"evil.test"))),
        ("another name, sent with CONNECT", connect("allowed.test:443").encode() + tls(sni(b"evil.test"))),
        ("another name in small records", *TUNNEL, tls(sni(b"evil.test"), size=5)),
        ("a subdomain", *TUNNEL, tls(sni(b"sub.allowed.test"))),
        ("the name as a prefix", *TUNNEL, tls(sni(b"allowed.test.evil.test"))),
        ("no name", *TUNNEL, tls(b"")),
        ("no extensions", *TUNNEL, records(hello(None))),
        ("an address", *TUNNEL, tls(sni(b"127.0.0.1"))),
        ("empty name", *TUNNEL, tls(sni(b""))),
        ("empty list", *TUNNEL, tls(extension(0, b"\0\0"))),
        ("two names", *TUNNEL, tls(server_names((0, b"allowed.test"), (0, b"evil.test")))),
        ("two names, evil first", *TUNNEL, tls(server_names((0, b"evil.test"), (0, b"allowed.test")))),
        ("a name of another type", *TUNNEL, tls(server_names((1, b"evil.test"), (0, b"allowed.test")))),
        ("the extension twice", *TUNNEL, tls(NAME + sni(b"evil.test"))),
        ("a NUL in the name", *TUNNEL, tls(sni(b"allowed.test\0.evil.test"))),
        ("a space behind the name", *TUNNEL, tls(sni(b"allowed.test "))),
        ("bytes behind the list", *TUNNEL, tls(extension(0, struct.pack("!H", len(host) + 3) + b"\0" + struct.pack("!H", len(host)) + host + b"bad"))),
        ("ECH", *TUNNEL, tls(NAME + extension(0xfe0d, b"\0" * 12))),
        ("ESNI of the draft", *TUNNEL, tls(NAME + extension(0xffce, b"\0" * 12))),
        ("ECH of a draft", *TUNNEL, tls(NAME + extension(0xfe0a, b"\0" * 12))),
        ("a second message in the record", *TUNNEL, records(hello(NAME) + hello(sni(b"evil.test")))),
        ("an alert first", *TUNNEL, records(b"\1\0", kind=21) + whole),
        ("an empty record first", *TUNNEL, b"\x16\x03\x01\0\0" + whole),
        ("application data first", *TUNNEL, records(b"bad", kind=23) + whole),
        ("an alert inside", *TUNNEL, tls(NAME, size=40)[:45] + records(b"\1\0", kind=21) + tls(NAME, size=40)[45:]),
        ("another handshake message", *TUNNEL, records(b"\x10" + hello(NAME)[1:])),
        ("a record of 16385 bytes", *TUNNEL, records(hello(NAME + extension(21, b"\0" * 17000)), size=16385)),
        ("an extension that runs over", *TUNNEL, records(hello(NAME)[:-6] + b"\xff\xff" + GROUPS[4:])),
        ("SSLv2", *TUNNEL, b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + b"\x01" * 37),
        ("version 2.0", *TUNNEL, records(hello(NAME, version=b"\x02\x00"))),
        ("record version 9", *TUNNEL, tls(NAME, version=b"\x09\x01")),
        ("plain HTTP", *TUNNEL, get("/bad")),
        ("an SSH banner", *TUNNEL, "SSH-2.0-bad\r\n"),
        ("SMTP", *TUNNEL, "EHLO bad\r\n"),
        ("random bytes", *TUNNEL, bytes(range(1, 200))),
        ("TLS to port 80", *HTTP_TUNNEL, tls(sni(b"evil.test"))),
    ])


def socks5(kind, address, port, command=1):
    return b"\5\1\0" + bytes([5, command, 0, kind]) + address + struct.pack("!H", port)


def domain(name):
    return bytes([len(name)]) + name


def add_socks():
    both("SOCKS", "pass", [
        ("5, by name", socks5(3, domain(b"allowed.test"), 443), tls(NAME)),
        ("4a, by name", b"\4\1\x01\xbb\0\0\0\1user\0allowed.test\0", tls(NAME)),
        ("5, port 80", socks5(3, domain(b"allowed.test"), 80), get("/good")),
    ])
    both("SOCKS", "refuse", [
        ("5, another name", socks5(3, domain(b"evil.test"), 443), tls(NAME)),
        ("5, another port", socks5(3, domain(b"allowed.test"), 25), "EHLO bad\r\n"),
        ("5, an address", socks5(1, b"\x7f\0\0\1", 443), tls(NAME)),
        ("5, IPv6", socks5(4, b"\0" * 15 + b"\1", 443), tls(NAME)),
        ("5, mapped", socks5(4, b"\0" * 10 + b"\xff\xff\x7f\0\0\1", 443), tls(NAME)),
        ("5, an address as a name", socks5(3, domain(b"127.0.0.1"), 443), tls(NAME)),
        ("5, a short address as a name", socks5(3, domain(b"0x7f.1"), 443), tls(NAME)),
        ("5, a NUL in the name", socks5(3, domain(b"evil.test\0allowed.test"), 443), tls(NAME)),
        ("5, an empty name", socks5(3, domain(b""), 443), tls(NAME)),
        ("5, BIND", socks5(3, domain(b"allowed.test"), 443, 2), tls(NAME)),
        ("5, UDP ASSOCIATE", socks5(1, b"\0\0\0\0", 0, 3), b"\0\0\0\1\x7f\0\0\1\0\x35bad"),
        ("5, an unknown command", socks5(3, domain(b"allowed.test"), 443, 9), tls(NAME)),
        ("5, an unknown address type", socks5(2, domain(b"allowed.test"), 443), tls(NAME)),
        ("5, a password only", b"\5\1\2\1\1x\1x" + socks5(3, domain(b"allowed.test"), 443)[3:], tls(NAME)),
        ("5, another SNI inside", socks5(3, domain(b"allowed.test"), 443), tls(sni(b"evil.test"))),
        ("4, an address", b"\4\1\x01\xbb\x7f\0\0\1\0", tls(NAME)),
        ("4a, another name", b"\4\1\x01\xbb\0\0\0\1\0evil.test\0", tls(NAME)),
        ("4a, BIND", b"\4\2\x01\xbb\0\0\0\1\0allowed.test\0", tls(NAME)),
        ("4a, an empty name", b"\4\1\x01\xbb\0\0\0\1\0\0", tls(NAME)),
    ])


# ---- the servers: they note everything, and a reader of their own finds what may not be there ----

class Seen:
    """What arrived since the last case: (address, port) -> list of bytearrays, one a connection."""

    def __init__(self):
        self.lock = threading.Lock()
        self.flows = []

    def reset(self):
        with self.lock:
            self.flows = []

    def add(self, place):
        flow = [place, bytearray()]
        with self.lock:
            self.flows.append(flow)
        return flow

    def now(self):
        with self.lock:
            return [(place, bytes(data)) for place, data in self.flows]


SEEN = Seen()


def answer(sock, data, done):
    """As soon as another head is whole it is answered, whatever it says: odd requests shall find a willing server."""
    heads = len(re.findall(rb"\n\r?\n", bytes(data))) if data[:1] != b"\x16" else 0
    if ASKING in data:
        if not done:
            sock.sendall(RETRY)
        return 1
    if data[:1] == b"\x16" and not done:
        sock.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
        return 1
    while done < heads:
        upgraded = b"websocket" in data.lower() and b"h2c" not in data.lower()
        if upgraded:
            sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        else:
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        done += 1
    return done


def serve_one(sock, place):
    flow = SEEN.add(place)
    done = 0
    sock.settimeout(5)
    try:
        while chunk := sock.recv(65536):
            flow[1].extend(chunk)
            done = answer(sock, flow[1], done)
    except OSError:
        pass
    sock.close()


def serve(place):
    family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(place)
    listener.listen(64)

    def loop():
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=serve_one, args=(sock, place), daemon=True).start()
    threading.Thread(target=loop, daemon=True).start()


def flaws_of_head(head):
    lines = head.split(b"\r\n")
    first = lines[0].split(b" ")
    if len(first) != 3 or first[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        return ["request line"], None
    flaws, fields = [], {}
    if re.search(rb"[\0-\x08\x0a-\x1f\x7f]", b"".join(lines)):
        flaws.append("control byte")
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            flaws.append("odd field")
        fields.setdefault(name.strip().lower(), []).append(value.strip(b" \t"))
    hosts = fields.get(b"host", [])
    if len(hosts) > 1 or (not hosts and first[2] == b"HTTP/1.1"):
        flaws.append("not one Host")
    named = hosts + [m.group(1) for m in [re.match(rb"[a-zA-Z]+://([^/?]*)", first[1])] if m]
    if any(h.lower() not in (b"allowed.test", b"allowed.test:80", b"allowed.test.") for h in named):
        flaws.append("another host")
    length, coding = fields.get(b"content-length", []), fields.get(b"transfer-encoding", [])
    if len(length) + len(coding) > 1 or any(not re.fullmatch(rb"[0-9]{1,18}", v) for v in length) or \
            any(v.lower() != b"chunked" for v in coding) or (coding and first[2] == b"HTTP/1.0"):
        flaws.append("framing")
    if b"content_length" in fields or b"transfer_encoding" in fields:
        flaws.append("framing in disguise")
    if any(v.lower() != b"websocket" for v in fields.get(b"upgrade", [])):
        flaws.append("upgrade that cannot be judged")
    if first[0] == b"CONNECT":
        flaws.append("CONNECT")
    return flaws, (int(length[0]) if length and not flaws else 0, bool(coding))


def flaws_of_chunks(data):
    """(flaws, bytes used); used is None while the body is not whole."""
    at = 0
    while True:
        m = re.match(rb"([0-9A-Fa-f]{1,16})(;[\t -~]*)?\r\n", data[at:])
        if not m:
            whole = b"\n" in data[at:]
            return (["chunk"] if whole else []), None
        at += m.end()
        size = int(m.group(1), 16)
        if size == 0:
            break
        if len(data) < at + size + 2:
            return [], None
        if data[at + size:at + size + 2] != b"\r\n":
            return ["chunk"], None
        at += size + 2
    end = data.find(b"\r\n", at)
    while end > at:
        if re.match(rb"(?i)(content-length|transfer-encoding|host|connection)[ \t]*:", data[at:]):
            return ["trailer"], None
        at, end = end + 2, data.find(b"\r\n", end + 2)
    return ([], at + 2) if end == at else (["trailer"] if b"\n" in data[at:] else [], None)


def flaws_of_http(data):
    flaws = []
    while data:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return flaws + (["line ends"] if re.search(rb"(?<!\r)\n|\r(?!\n|$)", data) else [])
        found, body = flaws_of_head(data[:end])
        flaws += found
        if found:
            return flaws
        data = data[end + 4:]
        if body[1]:
            found, used = flaws_of_chunks(data)
            if found or used is None:
                return flaws + found
            data = data[used:]
        else:
            data = data[body[0]:]
    return flaws


def flaws_of_tls(data):
    """The first hello, and the second one where the server asks for it; what else follows an answer is sealed."""
    found, at = flaws_of_one_hello(data)
    if found or ASKING not in data:
        return found + (["bytes behind"] if not found and len(data) > at else [])
    data = data[at:]
    while data[:1] in (b"\x14", b"\x17") and len(data) >= 5:
        data = data[5 + int.from_bytes(data[3:5], "big"):]
    return flaws_of_one_hello(data)[0] if data else []


def flaws_of_one_hello(data):
    message, at = b"", 0
    while True:
        if len(data) < at + 5:
            return ["not whole"], at
        kind, major, _, n = struct.unpack("!BBBH", data[at:at + 5])
        if kind != 22 or major != 3 or not 0 < n <= 16384:
            return ["not TLS"], at
        message += data[at + 5:at + 5 + n]
        at += 5 + n
        if len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4], "big"):
            break
    try:
        return flaws_of_hello(message), at
    except (struct.error, IndexError):
        return ["hello that does not add up"], at


def flaws_of_hello(m):
    n = int.from_bytes(m[1:4], "big")
    if m[0] != 1 or len(m) != 4 + n or m[4] != 3:
        return ["no single hello"]
    at = 4 + 2 + 32
    at += 1 + m[at]
    at += 2 + struct.unpack_from("!H", m, at)[0]
    at += 1 + m[at]
    if at == len(m):
        return ["no name"]
    at += 2
    kinds, name = [], None
    while at < len(m):
        kind, n = struct.unpack_from("!HH", m, at)
        body = m[at + 4:at + 4 + n]
        at += 4 + n
        kinds.append(kind)
        if kind == 0:
            name = body
    if at != len(m) or len(set(kinds)) != len(kinds):
        return ["extensions"]
    if any(0xfe08 <= k <= 0xfe0d or k == 0xffce for k in kinds):
        return ["ECH"]
    if name is None:
        return ["no name"]
    return [] if name[5:].lower() == b"allowed.test" and len(name) == 17 and name[2] == 0 else ["another name"]


def flaws():
    out = []
    for place, data in SEEN.now():
        if place not in OK:
            out.append(f"reached {place[0]}:{place[1]}")
        elif data:
            out += flaws_of_tls(data) if place[1] == 443 else flaws_of_http(data)
    return out


# ---- the client ----

def readable(sock, seconds):
    return bool(select.select([sock], [], [], seconds)[0])


def read_on(sock, got, until_head):
    """Reads until the head is whole, or it is quiet, or the end. True at the end."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if until_head and b"\r\n\r\n" in got:
            return False
        quiet = QUIET_S if got and not until_head else deadline - time.monotonic()
        if not readable(sock, max(quiet, 0)):
            return False
        try:
            chunk = sock.recv(65536)
        except OSError:
            return True
        if not chunk:
            return True
        got.extend(chunk)
    return False


def ask(port, steps):
    """(what the proxy said, did it close)"""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    got, closed = bytearray(), False
    try:
        for step in steps:
            if step is HEAR:
                read_on(sock, got, False)
                continue
            if step is not WAIT:
                sock.sendall(step)
                if len(steps) > 12:
                    time.sleep(0.001)
                continue
            closed = read_on(sock, got, True)
            if closed or not re.match(rb"HTTP/1\.[01] (200|101)", got):
                break
            del got[:]
        else:
            closed = read_on(sock, got, False)
    except OSError:
        closed = True
    time.sleep(QUIET_S)
    said = bytes(got)
    sock.close()
    return said, closed


def outcome(expect, steps, said, closed):
    """One word of: forwarded, refused, closed, waits, repaired, WRONG, lost"""
    bad = flaws()
    seen = b"".join(data for place, data in SEEN.now() if place in OK)
    if bad:
        return "WRONG", ", ".join(sorted(set(bad)))
    if expect == "pass":
        return ("forwarded", "") if seen else ("lost", said.split(b"\r\n")[0].decode("latin-1"))
    if b"/bad" in seen or (seen and b"/good" not in seen and ASKING not in seen):
        return "repaired", ""
    status = re.match(rb"HTTP/1\.[01] ([45]\d\d)", said)
    if status:
        return "refused", status.group(1).decode()
    if said[:1] in (b"\5", b"\0") or said[:1] == b"\x15":
        return "refused", said[:8].hex()
    return ("closed" if closed else "waits"), ""


# ---- the proxies ----

def start_drydock(build, folder, port):
    rules = os.path.join(folder, "rules")
    with open(rules, "w", encoding="ascii") as f:
        f.write("allow allowed.test:80,443 loopback\n")
    return [f"{build}/drydock-egress", "serve", "--listen", f"127.0.0.1:{port}", "--rules", rules,
            "--hosts", f"{folder}/hosts", "--resolver", "127.0.0.1:9"]


def start_tinyproxy(_, folder, port):
    with open(f"{folder}/filter", "w", encoding="ascii") as f:
        f.write("^allowed\\.test$\n")
    with open(f"{folder}/tinyproxy.conf", "w", encoding="ascii") as f:
        f.write(f"Port {port}\nListen 127.0.0.1\nTimeout 10\nMaxClients 100\nAllow 127.0.0.1\nConnectPort 80\nConnectPort 443\n"
                f'Filter "{folder}/filter"\nFilterDefaultDeny Yes\nLogFile "{folder}/tinyproxy.log"\nLogLevel Critical\n')
    return ["tinyproxy", "-d", "-c", f"{folder}/tinyproxy.conf"]


def start_squid(_, folder, port):
    with open(f"{folder}/squid.conf", "w", encoding="ascii") as f:
        f.write(f"http_port 127.0.0.1:{port}\nacl ok dstdomain -n allowed.test\nacl ports port 80 443\nhttp_access allow ok ports\n"
                f"http_access deny all\ncache deny all\ncache_mem 8 MB\naccess_log none\ncache_log /dev/null\ncache_store_log none\n"
                f"pid_filename none\nhosts_file {folder}/hosts\ndns_nameservers 127.0.0.1\ndns_timeout 1 seconds\npinger_enable off\n"
                f"netdb_filename none\nmax_filedescriptors 1024\ncoredump_dir {folder}\nshutdown_lifetime 0 seconds\n"
                f"visible_hostname proxy.test\nserver_persistent_connections off\n")
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000", "squid", "-N", "-f", f"{folder}/squid.conf"]


PROXIES = {"drydock": start_drydock, "tinyproxy": start_tinyproxy, "squid": start_squid}


def wait_for_port(process, port):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False


def try_all(name, build, folder, port, cases):
    args = PROXIES[name](build, folder, port)
    process = subprocess.Popen(args, env={"PATH": os.environ["PATH"]}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    results = []
    try:
        if not wait_for_port(process, port):
            print(f"{name} does not start; its column is left out", file=sys.stderr)
            return None
        for _, _, expect, steps in cases:
            SEEN.reset()
            said, closed = ask(port, steps)
            results.append(outcome(expect, steps, said, closed))
            if process.poll() is not None:
                print(f"{name} ended with status {process.returncode} after case {len(results)}", file=sys.stderr)
                return None
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return results


# ---- the table ----

def print_table(cases, results):
    names = list(results)
    groups = list(dict.fromkeys(g for g, *_ in cases))
    print(f"{'':22}{'cases':>6}  " + "".join(f"{n:^30}" for n in names))
    print(f"{'not to be forwarded':22}{'':>6}  " + "".join(f"{'refused':>9}{'repaired':>10}{'WRONG':>8}   " for _ in names))

    def row(title, which):
        line = f"{title:22}{len(which):>6}  "
        for n in names:
            words = [results[n][i][0] for i in which]
            refused = sum(w in ("refused", "closed", "waits") for w in words)
            line += f"{refused:>9}{words.count('repaired'):>10}{words.count('WRONG'):>8}   "
        print(line.rstrip())

    denied = [i for i, c in enumerate(cases) if c[2] != "pass"]
    for group in groups:
        which = [i for i in denied if cases[i][0] == group]
        if which:
            row(group, which)
    row("together", denied)
    passed = [i for i, c in enumerate(cases) if c[2] == "pass"]
    line = f"{'to be forwarded':22}{len(passed):>6}  "
    for n in names:
        words = [results[n][i][0] for i in passed]
        line += f"{words.count('forwarded'):>9} forwarded{len(words) - words.count('forwarded'):>5} not   "
    print(line.rstrip())


def print_each(cases, results):
    for i, (group, name, expect, _) in enumerate(cases):
        words = "  ".join(f"{n}: {' '.join(w for w in results[n][i] if w):30}" for n in results)
        print(f"{expect:7}{group:20}{name:36}{words}".rstrip())
    print()


def inside(args):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with open(f"{args.folder}/hosts", "w", encoding="ascii") as f:
        f.write(HOSTS)
    subprocess.run(["mount", "--bind", f"{args.folder}/hosts", "/etc/hosts"], check=True)
    for address in (ALLOWED, *EVIL):
        for port in PORTS:
            serve((address, port))
    for add in (add_connect, add_literals, add_http, add_smuggling, add_http2, add_tls, add_socks):
        add()
    cases = [c for c in CASES if args.only in c[0] or args.only in c[1]]
    results = {}
    for i, name in enumerate(PROXIES):
        if args.proxy not in ("", name):
            continue
        if name != "drydock" and not shutil.which(name):
            print(f"{name} is not installed: its column is left out", file=sys.stderr)
            continue
        found = try_all(name, args.build, args.folder, 3128 + i, cases)
        if found:
            results[name] = found
    if args.each:
        print_each(cases, results)
    print_table(cases, results)
    bad = [i for i, (word, _) in enumerate(results.get("drydock", []))
           if word in ("WRONG", "lost") or (word == "repaired" and cases[i][2] == "refuse")]
    for i in bad:
        print(f"drydock: {cases[i][0]}: {cases[i][1]}: {' '.join(results['drydock'][i])}", file=sys.stderr)
    return 1 if bad or "drydock" not in results and args.proxy in ("", "drydock") else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build")
    parser.add_argument("--each", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--proxy", default="")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.build = os.path.realpath(args.build)
    if args.folder:
        return inside(args)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        return subprocess.run(["unshare", "-rnm", sys.executable, os.path.realpath(__file__), *sys.argv[1:], "--folder", folder],
                              check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
