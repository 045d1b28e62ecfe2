#!/usr/bin/env python3
"""Replays an audit log against the policy that was in force, with a reading of the rules of its own.

usage: check_audit.py LOG POLICY [POLICY...]
LOG is read with the files that it went on in (LOG.1, LOG.2 ...), in the order of their records.
The first POLICY is that of the start; each "reload" record that replaced the rules takes the next one.
POLICY is the text that the egress got (a session's file "policy"), with its `#line N "FILE"` comments or without.

Says each record whose verdict, reason, rule or address is not what the policy gives, and each break of the chain.
Exit: 0 nothing differs, 1 something does, 2 cannot be read. Nothing of drydock's code is used; the semantics are those of
drydock-policy(5).
"""
import hashlib
import ipaddress
import json
import re
import sys

ALLOW, DENY, TELEMETRY = "allow", "deny", "telemetry"
OPTIONS = {"private", "loopback", "raw", "tls", "http", "ech", "no-sni"}
FULL = ("too many flows at once", "too many new names below wildcard rules")
OWN_HOST = "host.drydock.internal"

# Reasons that rules alone decide, and those that come after an allow.
BY_RULES = {"malformed", "ip-literal", "denied-by-rule", "not-allowlisted", "port-not-allowed", "telemetry-off"}


class Rule:
    __slots__ = ("action", "name", "wild", "net", "ports", "options", "origin", "limited")


def parse_ports(text, action):
    if text is None:
        return [(443, 443)] if action == ALLOW else [(1, 65535)]
    if text == "*":
        return [(1, 65535)]
    out = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        out.append((int(first), int(last or first)))
    return out


def split_subject(text):
    """HOST[:PORTS] where HOST may be IPv6 in brackets or bare."""
    if text.startswith("["):
        inside, _, rest = text[1:].partition("]")
        bits = re.match(r"/(\d+)", rest)
        host = inside + (bits.group(0) if bits else "")
        rest = rest[bits.end():] if bits else rest
        return host, rest[1:] if rest.startswith(":") else None
    if text.count(":") > 1:
        return text, None
    host, colon, ports = text.partition(":")
    return host, ports if colon else None


def parse_policy(path):
    rules, file, line = [], path, 0
    with open(path, encoding="utf-8", errors="surrogateescape") as f:
        for raw in f:
            line += 1
            named = re.match(r'#line (\d+) "(.*)"\s*$', raw)
            if named:
                file, line = named.group(2), int(named.group(1)) - 1
                continue
            words = re.findall(r'(?:[^\s"#]|"[^"]*")+', raw.split("#")[0])
            if not words:
                continue
            rule = Rule()
            rule.action = words.pop(0) if words[0] in (ALLOW, DENY, TELEMETRY) else ALLOW
            host, ports = split_subject(words.pop(0))
            rule.ports = parse_ports(ports, rule.action)
            rule.options = {w for w in words if w in OPTIONS}
            rule.limited = any(re.match(r"(up|down|conns|rate|for)=", w) for w in words)
            rule.origin = f"{file}:{line}"
            rule.name, rule.wild, rule.net = None, False, None
            try:
                rule.net = ipaddress.ip_network(host, strict=False)
            except ValueError:
                rule.wild = host.startswith("*.")
                rule.name = host[2:] if rule.wild else host
                rule.name = rule.name.lower().rstrip(".")
            rules.append(rule)
    return rules


class Policy:
    def __init__(self, path):
        self.names, self.wilds, self.nets = {}, {}, []
        self.limited = False
        for rule in parse_policy(path):
            self.limited |= rule.limited
            if rule.net is not None:
                self.nets.append(rule)
            else:
                (self.wilds if rule.wild else self.names).setdefault(rule.name, []).append(rule)

    def of_name(self, name):
        """Rules that name it: exact ones first, then wildcards, nearest first."""
        found = [(0, r) for r in self.names.get(name, [])]
        labels = name.split(".")
        for i in range(1, len(labels)):
            found += [(i, r) for r in self.wilds.get(".".join(labels[i:]), [])]
        return found

    def of_address(self, address):
        return [(0, r) for r in self.nets if r.net.version == address.version and address in r.net]


def covers(rule, port):
    return any(a <= port <= b for a, b in rule.ports)


def decide(found, port, none):
    """(reason or None, origins of the rules that may be named, options, nearest distance)"""
    denies = [r for _, r in found if r.action != ALLOW and covers(r, port)]
    if denies:
        plain = [r for r in denies if r.action == DENY]
        return "denied-by-rule" if plain else "telemetry-off", {r.origin for r in plain or denies}, set(), None
    allows = [(d, r) for d, r in found if r.action == ALLOW and covers(r, port)]
    if allows:
        nearest = min(d for d, _ in allows)
        mine = [r for d, r in allows if d == nearest]
        return None, {r.origin for r in mine}, set().union(*(r.options for r in mine)), nearest
    if any(r.action == ALLOW for _, r in found):
        return "port-not-allowed", set(), set(), None
    return none, set(), set(), None


LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\Z")


def canonical(name):
    """The host name, or None."""
    name = name.lower()
    if name.endswith("."):
        name = name[:-1]
    if not name or len(name) > 253 or not all(LABEL.match(label) for label in name.split(".")):
        return None
    last = name.rsplit(".", 1)[-1]
    if last.isdigit() or re.match(r"0x[0-9a-f]*\Z", last):
        return None
    return name


def strict_address(name):
    try:
        if name.startswith("[") and name.endswith("]"):
            name = name[1:-1]
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


PRIVATE = [ipaddress.ip_network(n) for n in
           ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")]
METADATA = {ipaddress.ip_address(a) for a in
            ("169.254.169.254", "169.254.170.2", "169.254.169.253", "fd00:ec2::254", "100.100.100.200", "168.63.129.16",
             "192.0.0.192")}


def kind_of(address):
    if address in METADATA:
        return "metadata"
    if address.is_loopback:
        return "loopback"
    if address.version == 6 and (address.sixtofour or address.teredo or address in ipaddress.ip_network("64:ff9b::/96")):
        return "special"  # carries another one: never plainly public here
    if any(address.version == n.version and address in n for n in PRIVATE):
        return "private"
    return "public" if address.is_global and not address.is_multicast else "special"


def may_lead(policy, options, address, port):
    """May a name with these options be dialled at this address?"""
    found = policy.of_address(address)
    if any(r.action != ALLOW and covers(r, port) for _, r in found):
        return False
    if any(r.action == ALLOW and covers(r, port) for _, r in found):
        return True
    kind = kind_of(address)
    return kind == "public" or (kind in ("private", "loopback") and kind in options)


class Question:
    """What the policy says to one name and port."""

    def __init__(self, policy, name, port):
        address = strict_address(name)
        self.literal = address is not None
        self.address, self.options, self.origins = address, set(), set()
        if address is not None:
            self.reason, self.origins, self.options, _ = decide(policy.of_address(address), port, "ip-literal")
            return
        canon = canonical(name)
        if canon is None:
            self.reason = "malformed"
            return
        self.reason, self.origins, self.options, distance = decide(policy.of_name(canon), port, "not-allowlisted")
        if canon == OWN_HOST and self.reason is None:
            if distance != 0:
                self.reason, self.origins = "not-allowlisted", set()
            else:
                self.options = self.options | {"loopback"}


def any_port(policy, name):
    """May DNS give the name an address? True when some port is open."""
    canon = canonical(name)
    if canon is None:
        return False
    ports = {p for _, r in policy.of_name(canon) if r.action == ALLOW for a, b in r.ports for p in (a, b)}
    ports |= {p for _, r in policy.of_name(canon) for a, b in r.ports for p in (a - 1, b + 1) if 0 < p < 65536}
    return any(Question(policy, canon, p).reason is None for p in ports)


class Checker:
    def __init__(self, policies):
        self.policies = [Policy(p) for p in policies]
        self.now = 0
        self.problems, self.counts = 0, {}
        self.open, self.early, self.shown = {}, [], 50

    @property
    def policy(self):
        return self.policies[self.now]

    def problem(self, record, text):
        self.problems += 1
        if self.shown is not None and self.problems <= self.shown:
            print(f"seq {record.get('seq')}: {text}: {json.dumps(record)}")

    def check_rule(self, record, question):
        rule = record.get("rule")
        if question.origins and rule is None:
            self.problem(record, "names no rule")
        elif rule is not None and rule not in question.origins:
            self.problem(record, f"names rule {rule}, expected one of {sorted(question.origins)}")

    def refuse(self, record):
        """What a reload shuts is refused by the new rules, in records that stand right before that of the reload."""
        before = self.problems, self.shown
        self.shown = None
        self.judge_refusal(record)
        found, self.shown = self.problems - before[0], before[1]
        if not found:
            return
        self.problems = before[0]
        if self.now + 1 < len(self.policies):
            self.early.append(record)
        else:
            self.judge_refusal(record)

    def judge_early(self, step):
        self.now += step
        for record in self.early:
            self.judge_refusal(record)
        self.early.clear()

    def judge_refusal(self, record):
        question = Question(self.policy, record.get("name", ""), record.get("port", 0))
        reason = record.get("reason")
        if "ms" in record:  # the worker ended what was allowed so far, and says why
            if question.reason is not None:
                self.problem(record, f"got as far as the worker, but the policy says {question.reason}")
            return
        if reason in BY_RULES:
            # some spellings of addresses are words to Python and addresses to the egress: both refuse; and the log has
            # the address of one that was asked for in an odd spelling, which no rule opens
            same = {reason, question.reason} <= {"malformed", "ip-literal"} or reason == question.reason
            if not same and not (reason == "ip-literal" and question.literal):
                self.problem(record, f"refused as {reason}, the policy says {question.reason or 'allow'}")
            elif reason == question.reason:
                self.check_rule(record, question)
            return
        if reason == "closed":
            return  # by the user's hand
        if question.reason is not None:
            self.problem(record, f"refused as {reason}, but the policy says {question.reason} before that")
        elif reason == "private-address":
            address = strict_address(record.get("address", ""))
            if address is None or may_lead(self.policy, question.options, address, record["port"]):
                self.problem(record, "the address is one that the rule opens")
        elif reason == "budget" and not self.policy.limited and record.get("error") not in FULL:
            self.problem(record, "no rule has a budget")

    def opened(self, record):
        question = Question(self.policy, record.get("name", ""), record.get("port", 0))
        address = strict_address(record.get("address", ""))
        if question.reason is not None:
            self.problem(record, f"opened, the policy says {question.reason}")
            return
        self.check_rule(record, question)
        if address is None:
            self.problem(record, "opened without an address")
        elif question.literal and address != question.address:
            self.problem(record, "leads to another address than was asked for")
        elif not question.literal and not may_lead(self.policy, question.options, address, record["port"]):
            self.problem(record, f"leads to a {kind_of(address)} address that its rule does not open")
        self.open[record.get("flow")] = record

    def closed(self, record):
        begun = self.open.pop(record.get("flow"), None)
        if begun and any(begun.get(k) != record.get(k) for k in ("name", "port", "address")):
            self.problem(record, "closes another flow than was opened under its number")

    def dns(self, record):
        allowed = record.get("verdict") == "allow"
        if record.get("reason") == "budget":
            allowed = True  # that many new names below a wildcard are not answered, though they are allowed
        if allowed != any_port(self.policy, record.get("name", "")):
            self.problem(record, f"DNS said {record.get('verdict')}")

    def record(self, record):
        event = record.get("event")
        self.counts[event] = self.counts.get(event, 0) + 1
        if self.early and event not in ("refuse", "reload", "gap"):
            self.judge_early(0)
        if event == "open":
            if record.get("verdict") != "allow":
                self.problem(record, "opened, but the verdict is no allow")
            self.opened(record)
        elif event == "refuse":
            if record.get("verdict") != "deny":
                self.problem(record, "refused, but the verdict is no deny")
            begun = self.open.pop(record.get("flow"), None)
            if not begun:
                self.refuse(record)
        elif event == "close":
            self.closed(record)
        elif event == "dns":
            self.dns(record)
        elif event == "reload" and str(record.get("reason", "")).startswith("replaced"):
            if self.now + 1 < len(self.policies):
                self.judge_early(1)
            else:
                self.problem(record, "rules were replaced, by a policy that was not given here")


def files_of(path):
    """The log's files, oldest records first."""
    out = []
    for name in [path] + [f"{path}.{i}" for i in range(1, 10)]:
        try:
            with open(name, "rb") as f:
                line = f.readline()
        except FileNotFoundError:
            continue
        if line:
            try:
                out.append((json.loads(line).get("seq", 0), name))
            except ValueError:
                out.append((0, name))
    if not out:
        raise FileNotFoundError(f"{path}: no records")
    return [name for _, name in sorted(out)]


class Chain:
    """Reads lines in their order, and says where one does not follow from the one before."""

    def __init__(self, checker):
        self.checker, self.prev, self.seq, self.lost = checker, "0" * 64, 0, 0

    def line(self, raw):
        line = raw.rstrip(b"\n")
        if not raw.endswith(b"\n"):
            self.checker.problem({}, "the last line is cut")
        try:
            record = json.loads(line)
        except ValueError:
            self.checker.problem({}, f"no JSON: {line[:80]!r}")
            return
        missing = record.get("seq", 0) - self.seq - 1
        said = record.get("lost", 0) if record.get("event") == "gap" else 0
        if record.get("event") == "turn" and record.get("dropped_last"):
            said = record["dropped_last"] - record["dropped_first"] + 1  # of older records, which this file replaced
            missing = said if self.seq + 1 in (record["dropped_first"], record["seq"]) else missing
        elif record.get("prev") != self.prev:
            self.checker.problem(record, "the chain is broken before this record")
        if missing != said:
            self.checker.problem(record, f"{missing} records are missing, {said} are said to be")
        if said:
            self.checker.open.clear()  # what began in the gap is unknown
        self.lost += said if record.get("event") == "gap" else 0
        self.seq = record.get("seq", 0)
        self.prev = hashlib.sha256(line).hexdigest()
        self.checker.record(record)


def check_chain(path, checker):
    chain = Chain(checker)
    for name in files_of(path):
        with open(name, "rb") as f:
            for raw in f:
                chain.line(raw)
    checker.judge_early(0)
    return chain.seq, chain.lost


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        checker = Checker(sys.argv[2:])
        seq, lost = check_chain(sys.argv[1], checker)
    except OSError as e:
        print(e, file=sys.stderr)
        return 2
    said = ", ".join(f"{n} {event}" for event, n in sorted(checker.counts.items()))
    print(f"{seq} records ({said}), {lost} lost with a record of it, {checker.problems} problems")
    return 1 if checker.problems else 0


sys.exit(main())
