#!/usr/bin/python3
"""Writes the conformance table (Markdown) from what the probe said. usage: table.py DIR KIND..."""
import sys

ROWS = [
    ("an allowed name, through the proxy", "allowed-by-proxy"),
    ("an allowed name, by a program that ignores proxy variables", "allowed-without-proxy-variables"),
    ("a name that no rule allows", "denied-name"),
    ("an allowed name on another port", "other-port"),
    ("an IP literal through the proxy", "ip-literal-connect"),
    ("the metadata address through the proxy", "metadata-by-proxy"),
    ("an allowed name that leads to a private address", "private-name-by-proxy"),
    ("TCP to an address, any port", "direct-tcp direct-tcp-22 direct-tcp-to-allowed-address"),
    ("the metadata address", "metadata-direct"),
    ("UDP", "direct-udp-53 direct-udp-443"),
    ("IPv6", "ipv6-address ipv6-direct"),
    ("a DNS question that leaves the machine", "@dns dns-"),
    ("a service of the host, by any of its addresses", "host-by-"),
    ("a peer session's agent", "peer-agent"),
    ("a peer session's proxy, with and without a token", "peer-sidecar"),
    ("the own sidecar's outer address", "sidecar-outer-leg"),
    ("packet and raw sockets", "af-packet raw-socket"),
    ("CAP_NET_ADMIN, CAP_NET_RAW or CAP_SYS_ADMIN in the bounding set, or no no_new_privs", "capabilities"),
    ("the Docker socket", "docker-socket"),
    ("vsock", "af-vsock"),
    ("io_uring", "io-uring"),
]


def verdict(folder, kind, names):
    with open(f"{folder}/probe.{kind}", encoding="utf-8") as f:
        said = {line.split()[0]: line.split()[1] for line in f if line.strip()}
    found = []
    for name in names.split():
        if name == "@dns":
            with open(f"{folder}/dns.{kind}", encoding="utf-8") as f:
                found.append("open" if "s3cret" in f.read() else "closed")
        else:
            found += [v for k, v in said.items() if k.startswith(name)]
    if not found:
        return "-"
    return "open" if "open" in found else "closed"


folder, kinds = sys.argv[1], sys.argv[2:]
print("| from inside | " + " | ".join(kinds) + " |")
print("|---|" + "---|" * len(kinds))
for title, names in ROWS:
    print(f"| {title} | " + " | ".join(verdict(folder, k, names) for k in kinds) + " |")
