#!/usr/bin/env python3
"""Makes system calls of each process of the egress fail, kills them at random points, and looks at what remains.

usage: faults.py calls|start|kill|run BIN INJECT [SHARE [SEED [ONLY]]]      (in a network namespace of its own, see run.sh)
  calls  each process, system call by system call, fails in storms and now and then while it serves
  start  each system call of the start fails once
  run    each system call of `drydock run` fails once, from its start to its end, in every process but the command: the
         command sees just what it sees without a fault, or it does not run, with a message; nothing is left behind
  kill   one process is killed at a random moment under load
SHARE: only every SHAREth case (default 1, all); ONLY: those whose name begins so. After each case the egress serves as before, or it is shut, all three
processes gone, nothing listening, and it said why. What the rules refuse is never reached and never looked up, and at rest
no descriptor is left over. Exit 0: that is so.
"""
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

MODE, BIN, INJECT = sys.argv[1:4]
SHARE = int(sys.argv[4]) if len(sys.argv) > 4 else 1
SEED = int(sys.argv[5]) if len(sys.argv) > 5 and sys.argv[5] != "-" else random.randrange(10**9)
ONLY = sys.argv[6] if len(sys.argv) > 6 else ""
RNG = random.Random(SEED)
DIR = tempfile.mkdtemp(prefix="drydock-faults.")
PROXY = ("127.0.0.1", 3128)
GOOD, TRAP = "127.0.0.1", "127.0.0.66"
RULES = """allow allowed.test:7001 loopback raw
allow *.wild.test:7001 loopback raw
allow web.test:8080 loopback http
allow closed.test:7001 raw
deny bad.wild.test
"""
ENV = {"PATH": "/usr/bin:/bin"}
MEMORY_SLACK_KIB = 2048
escapes, problems, asked, outcomes = [], [], set(), {}


# ---- servers

def listen(address, port, handler):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(256)

    def serve():
        while True:
            peer, _ = s.accept()
            threading.Thread(target=guarded, args=(handler, peer), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()


def guarded(handler, peer):
    with peer:
        try:
            handler(peer)
        except OSError:
            pass


def echo(peer):
    while data := peer.recv(65536):
        peer.sendall(data)


def web(peer):
    head = b""
    while data := peer.recv(65536):
        head += data
        if b"\r\n\r\n" in head:
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            head = b""


def trap(peer):
    escapes.append(f"a connection reached {peer.getsockname()}")
    peer.sendall(b"HTTP/1.0 200 OK\r\n\r\nSECRET")


def dns_reply(q):
    labels, at = [], 12
    while q[at]:
        labels.append(q[at + 1:at + 1 + q[at]].decode("latin-1"))
        at += 1 + q[at]
    name = ".".join(labels).lower()
    asked.add(name)
    address = TRAP if name in ("evil.test", "closed.test") else GOOD
    is_a = q[at + 2] == 1
    answer = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(address) if is_a else b""
    return q[:2] + b"\x81\x80\0\1\0" + bytes([1 if is_a else 0]) + b"\0\0\0\0" + q[12:at + 5] + answer


def dns_udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((GOOD, 5353))
    while True:
        data, peer = s.recvfrom(2048)
        s.sendto(dns_reply(data), peer)


def dns_tcp(peer):
    data = peer.recv(2048)
    reply = dns_reply(data[2:])
    peer.sendall(len(reply).to_bytes(2, "big") + reply)


def start_servers():
    listen(GOOD, 7001, echo)
    listen(GOOD, 8080, web)
    listen(GOOD, 5353, dns_tcp)
    for address, port in ((TRAP, 7001), (TRAP, 8080), (GOOD, 7009)):
        listen(address, port, trap)
    threading.Thread(target=dns_udp, daemon=True).start()


# ---- the egress

def text_of(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def is_alive(pid):
    state = text_of(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return bool(state) and state[0] not in "ZX"


ARGV = [f"{BIN}/drydock-egress", "serve", "--listen", "127.0.0.1:3128", "--rules", f"{DIR}/rules", "--audit",
        f"{DIR}/audit", "--resolver", "127.0.0.1:5353", "--hosts", "/dev/null", "--session", "faults"]


class Egress:
    def __init__(self, prefix=()):
        self.said_path = f"{DIR}/said"
        with open(self.said_path, "w", encoding="utf-8") as said:
            self.process = subprocess.Popen(list(prefix) + ARGV, env=ENV, stderr=said, stdin=subprocess.DEVNULL, cwd=DIR)
        self.parts = {}

    def said(self):
        return text_of(self.said_path)

    def wait_ready(self, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if "listening on" in self.said():
                self.find_parts()
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.01)
        return False

    def find_parts(self):
        """By the words they were executed with: a tracer may stand above them."""
        self.parts = {}
        todo = [self.process.pid]
        while todo:
            pid = todo.pop()
            words = text_of(f"/proc/{pid}/cmdline").split("\0")
            if words[0] == "drydock-egress":
                name = "broker" if words[1] in ("serve", "broker") else words[1]
                # the broker's child of the same name opens the policy file anew
                self.parts["opener" if name in self.parts else name] = pid
            for task in os.listdir(f"/proc/{pid}/task") if os.path.exists(f"/proc/{pid}/task") else []:
                todo += [int(c) for c in text_of(f"/proc/{pid}/task/{task}/children").split()]

    def is_gone(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.process.poll()
            if not any(is_alive(p) for p in self.parts.values()) and self.process.poll() is not None:
                return True
            time.sleep(0.02)
        return False

    def count(self):
        """At rest: descriptors beside pipes, and KiB of its own, a part."""
        out = {}
        for name, pid in self.parts.items():
            if not is_alive(pid):
                continue  # the opener: without it there is no reload, and that is all
            fds = [fd for fd in os.listdir(f"/proc/{pid}/fd")
                   if not os.readlink(f"/proc/{pid}/fd/{fd}").startswith("pipe:")]
            dirty = [int(l.split()[1]) for l in text_of(f"/proc/{pid}/smaps_rollup").splitlines()
                     if l.startswith("Private_Dirty")]
            out[name] = (len(fds), dirty[0] if dirty else 0)
        return out

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pid in self.parts.values():
            for _ in range(250):
                if not is_alive(pid):
                    break
                time.sleep(0.02)
            else:
                problems.append(f"process {pid} outlived the broker")


# ---- clients

def connect_through(name, port, timeout):
    s = socket.create_connection(PROXY, timeout)
    s.settimeout(timeout)
    try:
        s.sendall(f"CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            data = s.recv(4096)
            if not data:
                raise OSError("closed")
            head += data
        if b" 200 " not in head.split(b"\r\n")[0] + b" ":
            raise OSError(head.split(b"\r\n")[0].decode("latin-1"))
        return s
    except BaseException:
        s.close()
        raise


def echoes(name, port, n_bytes, timeout):
    with connect_through(name, port, timeout) as s:
        block = os.urandom(min(n_bytes, 32768))
        for _ in range(max(1, n_bytes // len(block))):
            s.sendall(block)
            got = b""
            while len(got) < len(block):
                data = s.recv(65536)
                if not data:
                    return False
                got += data
            if got != block:
                problems.append(f"bytes of {name} were changed on the way")
                return False
        s.shutdown(socket.SHUT_WR)
        return s.recv(10) == b""


def gets(timeout):
    with socket.create_connection(PROXY, timeout) as s:
        s.settimeout(timeout)
        for _ in range(3):
            s.sendall(b"GET http://web.test:8080/ HTTP/1.1\r\nHost: web.test:8080\r\n\r\n")
            got = b""
            while not got.endswith(b"hello"):
                data = s.recv(4096)
                if not data:
                    return False
                got += data
                if b"SECRET" in got:
                    escapes.append("SECRET was served")
            if b" 200 " not in got:
                return False
    return True


def forbidden(name, port, timeout):
    try:
        with connect_through(name, port, timeout) as s:
            if name != "closed.test":
                escapes.append(f"CONNECT {name}:{port} was answered with 200")
            if s.recv(100).find(b"SECRET") >= 0:
                escapes.append(f"{name}:{port} was reached")
    except OSError:
        pass
    return None


def workload(timeout=2.5):
    """Allowed and forbidden things side by side: (how many of the allowed were served, of how many)."""
    jobs = [lambda: echoes("allowed.test", 7001, 100, timeout)] * 4
    # answers without a TTL: the resolver is asked each time
    jobs += [lambda i=i: echoes(f"n{i}.wild.test", 7001, 10, timeout) for i in range(3)]
    jobs += [lambda: echoes("allowed.test", 7001, 512 * 1024, timeout), lambda: gets(timeout), lambda: gets(timeout)]
    n_allowed = len(jobs)
    jobs += [lambda n=n, p=p: forbidden(n, p, timeout) for n, p in
             (("evil.test", 7001), ("allowed.test", 7009), ("closed.test", 7001), ("bad.wild.test", 7001),
              (TRAP, 7001), ("evil.test", 8080))]
    results = [False] * len(jobs)

    def run(i):
        try:
            results[i] = jobs[i]()
        except OSError:
            pass
    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(jobs))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sum(1 for r in results[:n_allowed] if r), n_allowed


def serves(seconds):
    """Does all of what is allowed get through within some seconds?"""
    end = time.monotonic() + seconds
    while True:
        served, of = workload()
        if served == of:
            return True
        if time.monotonic() > end or not can_connect():
            return False


def can_connect():
    try:
        socket.create_connection(PROXY, 1).close()
        return True
    except OSError:
        return False


def judge_escapes(case):
    for e in escapes:
        problems.append(f"{case}: ESCAPE: {e}")
    escapes.clear()
    for name in sorted(asked):
        if name.startswith(("evil", "bad.wild")):
            problems.append(f"{case}: ESCAPE: the DNS server was asked for {name}")
    asked.clear()


def judge(egress, case, baseline, needs_message=True):
    """Served or closed, and which; closed in order means: gone altogether, silent on its port, and it says why."""
    said_before = egress.said()
    if egress.is_gone(0.05) or not all(is_alive(p) for n, p in egress.parts.items() if n != "opener"):
        if not egress.is_gone(5):
            problems.append(f"{case}: half dead: {[n for n, p in egress.parts.items() if is_alive(p)]} live on")
        if can_connect():
            problems.append(f"{case}: something still listens")
        said = [l for l in egress.said().splitlines() if "listening on" not in l]
        if needs_message and not any("shut" in l or "drydock-egress" in l for l in said):
            problems.append(f"{case}: shut without a word")
        judge_escapes(case)
        return "shut: " + (said[-1] if said else "-")
    if not serves(12):
        if egress.is_gone(1):
            return judge(egress, case, baseline)
        problems.append(f"{case}: alive, but does not serve; it said: {egress.said()[-300:]!r}")
        judge_escapes(case)
        return "STUCK"
    judge_escapes(case)
    rest = at_rest(egress, baseline)
    if rest:
        problems.append(f"{case}: {rest}")
    return "serves on" + (" (" + said_before.strip().splitlines()[-1] + ")" if len(said_before.splitlines()) > 1 else "")


def at_rest(egress, baseline):
    if baseline is None:
        return None
    now = {}
    for _ in range(80):
        now = egress.count()
        if all(now[n][0] <= baseline[n][0] for n in now):
            break
        time.sleep(0.1)
    worse = [f"LEAK: {n} has {now[n][0]} descriptors at rest, {baseline[n][0]} before"
             for n in now if now[n][0] > baseline[n][0]]
    worse += [f"LEAK: {n} has {now[n][1]} KiB of its own, {baseline[n][1]} before"
              for n in now if now[n][1] > baseline[n][1] + MEMORY_SLACK_KIB]
    return "; ".join(worse)


# ---- modes

CALLS = {
    "worker": [
        ("epoll_wait", "EINTR"), ("epoll_ctl", "ENOMEM"), ("epoll_ctl", "ENOSPC"), ("accept4", "EMFILE"),
        ("accept4", "ENFILE"), ("accept4", "ENOMEM"), ("accept4", "ENOBUFS"), ("accept4", "ECONNABORTED"),
        ("accept4", "EAGAIN"), ("accept4", "EINTR"), ("splice", "shut"), ("splice", "ECONNRESET"), ("splice", "ENOMEM"),
        ("splice", "EINTR"), ("splice", 1), ("splice", 1000), ("pipe2", "EMFILE"), ("pipe2", "ENFILE"), ("pipe2", "ENOMEM"),
        ("recvfrom", "shut"), ("recvfrom", "EINTR"), ("recvfrom", "ECONNRESET"), ("recvfrom", "ENOMEM"), ("sendto", "shut"),
        ("sendto", "EINTR"), ("sendto", 1), ("recvmsg", "EINTR"), ("recvmsg", "EAGAIN"), ("recvmsg", "ENOMEM"),
        ("sendmsg", "EAGAIN"), ("sendmsg", "EINTR"), ("sendmsg", "ENOBUFS"), ("sendmsg", "shut"), ("fcntl", "EPERM"),
        ("setsockopt", "ENOMEM"), ("getsockname", "ENOBUFS"), ("getsockopt", "ENOBUFS"), ("brk", "ENOMEM"),
        ("brk,mmap,mremap", "ENOMEM")],
    "broker": [
        ("epoll_wait", "EINTR"), ("epoll_ctl", "ENOMEM"), ("epoll_ctl", "ENOSPC"), ("socket", "EMFILE"), ("socket", "ENFILE"),
        ("socket", "ENOMEM"), ("socket", "ENOBUFS"), ("connect", "ENETUNREACH"), ("connect", "EAGAIN"),
        ("connect", "EADDRNOTAVAIL"), ("connect", "ECONNREFUSED"), ("connect", "EINTR"), ("connect", "shut"), ("getsockopt", "shut"), ("connect", "ETIMEDOUT"),
        ("getsockopt", "ENOBUFS"), ("setsockopt", "ENOMEM"), ("sendmsg", "EAGAIN"), ("sendmsg", "EINTR"),
        ("sendmsg", "ETOOMANYREFS"), ("sendmsg", "EMFILE"), ("sendmsg", "ENOBUFS"), ("sendmsg", "ENOMEM"),
        ("sendmsg", "shut"), ("recvmsg", "EINTR"), ("recvmsg", "EAGAIN"), ("recvmsg", "ENOMEM"), ("write", "ENOSPC"),
        ("write", "EIO"), ("write", "EINTR"), ("write", "EDQUOT"), ("write", "EFBIG"), ("write", 1), ("write", 100),
        ("write,ftruncate,lseek", "EIO"), ("fcntl", "EMFILE"), ("brk,mmap,mremap", "ENOMEM"), ("read", "EINTR")],
    "opener": [("recvmsg", "EINTR"), ("recvmsg", "ENOMEM"), ("read", "EINTR"), ("recvfrom", "EINTR")],
    "resolver": [
        ("epoll_wait", "EINTR"), ("epoll_ctl", "ENOMEM"), ("epoll_ctl", "ENOSPC"), ("recvmsg", "EINTR"),
        ("recvmsg", "EAGAIN"), ("recvmsg", "ENOMEM"), ("sendmsg", "EINTR"), ("sendmsg", "ENOBUFS"), ("sendmsg", "shut"),
        ("recvfrom", "EINTR"), ("recvfrom", "ECONNREFUSED"),
        ("recvfrom", "ENOMEM"), ("sendto", "EAGAIN"), ("sendto", "ENETUNREACH"), ("sendto", "ENOBUFS"), ("sendto", "EINTR"),
        ("writev", "EAGAIN"), ("setsockopt", "ENOMEM"), ("fcntl", "EMFILE"), ("poll", "EINTR"), ("dup3", "EMFILE"),
        ("brk,mmap,mremap", "ENOMEM")],
}
# Sockets are watched by edges: a made-up EAGAIN there would wait for an edge that cannot come. "shut" is a connection that
# goes away under the call.
# storm: as often as it is called, for a while; now and then: every third or so, as long as the load lasts
PATTERNS = [("storm", ["--times", "25"]), ("now and then", ["--every", "3"])]


def fresh(egress):
    if egress:
        egress.end()
    egress = Egress()
    if not egress.wait_ready() or not {"broker", "resolver", "worker"} <= set(egress.parts):
        print(f"the egress does not start: {egress.said()}", egress.parts)
        sys.exit(1)
    workload()
    time.sleep(0.3)
    return egress, {n: (fds, kib + 512) for n, (fds, kib) in settled(egress).items()}


def settled(egress):
    """The counts once they stay the same."""
    before = None
    for _ in range(60):
        now = egress.count()
        if before and {n: c[0] for n, c in before.items()} == {n: c[0] for n, c in now.items()}:
            return now
        before = now
        time.sleep(0.3)
    return now


def injected(pid, call, how, pattern):
    argv = [INJECT, "--calls", call, "--report", f"{DIR}/report"]
    argv += ["--shut", "1"] if how == "shut" else ["--errno", how] if isinstance(how, str) else ["--short", str(how)]
    if call == "epoll_ctl":
        argv += ["--not-second", "2"]  # to stop watching needs no memory
    injector = subprocess.Popen(argv + pattern + ["--pid", str(pid)], stdout=subprocess.PIPE, text=True)
    injector.stdout.readline()
    return injector


def detach(injector):
    for _ in range(100):
        injector.send_signal(signal.SIGTERM)
        try:
            injector.wait(0.1)
            return
        except subprocess.TimeoutExpired:
            pass
    problems.append("the injector does not end")
    injector.kill()


def mode_calls():
    egress, baseline = fresh(None)
    cases = [(part, call, how, pattern) for part, calls in CALLS.items() for call, how in calls for pattern in PATTERNS]
    RNG.shuffle(cases)
    for part, call, how, (pattern_name, pattern) in cases[::SHARE]:
        case = f"{part} {call} {how if isinstance(how, str) else f'{how} bytes'} {pattern_name}"
        if part not in egress.parts or not case.startswith(ONLY):
            continue
        n_problems = len(problems)
        injector = injected(egress.parts[part], call, how, pattern)
        served, of = workload(1.5)
        detach(injector)
        hits = text_of(f"{DIR}/report").strip()
        outcome = judge(egress, case, baseline)
        outcomes[outcome.split(":")[0].split(" (")[0]] = outcomes.get(outcome.split(":")[0].split(" (")[0], 0) + 1
        print(f"{case}: failed {hits}; {served} of {of} served meanwhile; {outcome}", flush=True)
        if not outcome.startswith("serves") or len(problems) > n_problems:
            egress, baseline = fresh(egress)
    egress.end()


def start_cases():
    """How many system calls of each kind a start makes, by counting with an injector that never strikes."""
    out = []
    for call, how in START_CALLS:
        egress = Egress([INJECT, "--calls", call, "--errno", how, "--skip", "1000000", "--report", f"{DIR}/report", "--"])
        if not egress.wait_ready():
            print(f"the start does not work under the tracer: {egress.said()}")
            sys.exit(1)
        os.kill(egress.parts["broker"], signal.SIGTERM)
        egress.process.wait(20)
        seen = int(text_of(f"{DIR}/report").split()[2])
        out += [(call, how, n) for n in range(min(seen, 60))]
    return out


START_CALLS = [
    ("openat", "EMFILE"), ("openat", "ENOMEM"), ("socket", "ENFILE"), ("bind", "EACCES"), ("listen", "ENOMEM"),
    ("socketpair", "EMFILE"), ("pipe2", "EMFILE"), ("clone,fork,vfork,clone3", "EAGAIN"), ("execveat,execve", "ENOMEM"),
    ("fcntl", "EMFILE"), ("dup2", "EBUSY"), ("epoll_create1,epoll_ctl", "ENOMEM"), ("signalfd4", "EMFILE"),
    ("pidfd_open", "EMFILE"), ("prctl", "EPERM"), ("seccomp", "ENOMEM"), ("capset", "EPERM"),
    ("landlock_create_ruleset,landlock_restrict_self", "ENOMEM"), ("sendmsg", "ENOBUFS"), ("recvmsg", "ENOMEM"),
    ("mmap,brk", "ENOMEM"), ("read", "EIO"), ("read", "EINTR"), ("close_range", "ENOMEM"), ("getsockname", "ENOBUFS"),
    ("setrlimit,prlimit64", "EPERM"), ("rt_sigprocmask,rt_sigaction", "EINVAL"), ("fstat,newfstatat,statx", "EIO"),
    ("write", "ENOSPC"), ("setsockopt", "ENOMEM"),
]


def mode_start():
    cases = start_cases()
    RNG.shuffle(cases)
    for call, how, n in cases[::SHARE]:
        case = f"start {call} {how} number {n + 1}"
        if not case.startswith(ONLY):
            continue
        egress = Egress([INJECT, "--calls", call, "--errno", how, "--skip", str(n), "--times", "1", "--report",
                         f"{DIR}/report", "--"])
        if egress.wait_ready(4):
            outcome = judge_started(egress, case)
        elif egress.process.poll() is None and can_connect():  # that it listens could not be said
            egress.find_parts()
            outcome = judge_started(egress, case)
        elif egress.is_gone(8):
            said = egress.said().strip()
            # an allocator that fails before main() has no way to say it but to die
            if not said and "mmap" not in call and "prlimit" not in call:
                problems.append(f"{case}: did not start, and said nothing")
            outcome = "does not start: " + (said.splitlines()[-1] if said else f"status {egress.process.returncode}")
            if can_connect():
                problems.append(f"{case}: something listens though it did not start")
        else:
            outcome = "STUCK"
            problems.append(f"{case}: neither started nor ended: {egress.said()[-300:]!r}")
        judge_escapes(case)
        outcomes[outcome.split(":")[0]] = outcomes.get(outcome.split(":")[0], 0) + 1
        print(f"{case}: {outcome}", flush=True)
        egress.end()


def judge_started(egress, case):
    """It says that it serves; then it does, or it is shut at once; and its filters are on."""
    weak = [n for n, p in egress.parts.items() if n != "opener"  # which has paths to open, and hears the broker only
            and not all(w in text_of(f"/proc/{p}/status") for w in ("Seccomp:\t2", "NoNewPrivs:\t1", "CapEff:\t0000000000000000"))]
    if weak and not egress.is_gone(1):
        problems.append(f"{case}: serves with less confinement: {weak}")
    if serves(6):
        return "serves"
    if egress.is_gone(5) or not can_connect():
        return "shut after its start: " + egress.said().strip().splitlines()[-1]
    problems.append(f"{case}: says that it listens and does not serve")
    return "STUCK"


def mode_kill():
    for n in range(max(1, 120 // SHARE)):
        egress, _ = fresh(None)
        part = RNG.choice(["broker", "resolver", "worker"])
        load = [threading.Thread(target=workload) for _ in range(2)]
        for t in load:
            t.start()
        time.sleep(RNG.random() * 0.05)
        os.kill(egress.parts[part], signal.SIGKILL)
        case = f"kill -9 of the {part}, number {n + 1}"
        if not egress.is_gone(5):
            problems.append(f"{case}: half dead: {[n for n, p in egress.parts.items() if is_alive(p)]} live on")
        for t in load:
            t.join()
        outcome = judge(egress, case, None, needs_message=part != "broker")
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        egress.end()


# What the command can tell of its jail.
FACTS = r'''
grep -E "^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)" /proc/self/status | grep -v filters
for n in cgroup ipc mnt net pid user uts; do
	[ "$(readlink /proc/self/ns/$n)" = "$(grep "^$n:" host_ns)" ] && echo "SHARED $n" || echo "own $n"
done
awk '{ print $5, $6 }' /proc/self/mountinfo | sort
ls -A / ~ /dev /run /sys/class/net
for f in /usr/x /etc/x /proc/sys/kernel/x /x; do (: >$f) 2>/dev/null && echo "WRITABLE $f"; done
(exec 3<>/dev/tcp/127.0.0.66/7001) 2>/dev/null && echo "REACHED by address"
(exec 3<>/dev/tcp/127.0.0.1/7009) 2>/dev/null && echo "REACHED on loopback"
exec 3<>/dev/tcp/127.0.0.1/8888 && printf 'CONNECT evil.test:7001 HTTP/1.1\r\nHost: evil.test:7001\r\n\r\n' >&3 && head -n 1 <&3
exec 3<>/dev/tcp/127.0.0.1/8888 && printf 'CONNECT allowed.test:7001 HTTP/1.1\r\nHost: allowed.test:7001\r\n\r\n' >&3 && head -n 1 <&3
env | sed 's/=.*//' | sort
echo whole
'''

RUN_CALLS = [
    ("mount", "EPERM"), ("umount2", "EBUSY"), ("move_mount,open_tree,mount_setattr,fsopen,fsmount,fsconfig", "EPERM"),
    ("pivot_root,chroot", "EPERM"), ("unshare,setns", "EPERM"), ("clone,clone3,fork,vfork", "EAGAIN"),
    ("open,openat,openat2", "EMFILE"), ("open,openat,openat2", "EACCES"), ("mkdir,mkdirat", "ENOSPC"),
    ("socket", "ENFILE"), ("bind", "EACCES"), ("listen", "ENOBUFS"), ("sendmsg", "ENOBUFS"), ("recvmsg", "ENOMEM"),
    ("sendto", "ENOBUFS"), ("recvfrom", "ENOMEM"), ("setsockopt", "EPERM"), ("ioctl", "EPERM"), ("prctl", "EPERM"),
    ("seccomp", "ENOMEM"), ("capset", "EPERM"), ("setresuid,setresgid,setgroups", "EPERM"),
    ("landlock_restrict_self,landlock_add_rule", "ENOMEM"), ("write", "ENOSPC"), ("write", "EPERM"), ("read", "EIO"),
    ("pipe2,socketpair", "EMFILE"), ("dup2,dup3", "EBUSY"), ("fcntl", "EMFILE"), ("execve,execveat", "ENOMEM"),
    ("epoll_create1,epoll_ctl", "ENOMEM"), ("signalfd4,pidfd_open,inotify_init1,memfd_create", "EMFILE"),
    ("symlink,symlinkat,mknod,mknodat", "ENOSPC"), ("chdir,fchdir", "EACCES"), ("sethostname", "EPERM"),
    ("inotify_add_watch", "ENOSPC"), ("stat,lstat,fstat,newfstatat,statx", "EIO"), ("rename,renameat,renameat2", "EIO"),
    ("flock", "EINTR"), ("setrlimit,prlimit64", "EPERM"), ("mmap,brk", "ENOMEM"), ("close_range", "ENOMEM"),
    ("wait4", "EINTR"), ("poll,ppoll", "EINTR"), ("epoll_wait,epoll_pwait", "EINTR"), ("chmod,fchmod,chown,fchown", "EPERM"),
    ("getdents64", "EIO"), ("readlink,readlinkat", "EIO"),
]


def run_once(prefix):
    env = dict(ENV, HOME=f"{DIR}/home", XDG_STATE_HOME=f"{DIR}/state", XDG_RUNTIME_DIR=f"{DIR}/runtime", USER="lab", TERM="dumb")
    argv = [f"{BIN}/drydock", "run", "--resolver", "127.0.0.1:5353", "-a", "allowed.test:7001 loopback raw", "--", "/bin/bash",
            "facts"]
    done = subprocess.run(list(prefix) + argv, env=env, cwd=f"{DIR}/home/project", stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace", timeout=20, check=False)
    # each session of root's has a number of its own
    return done.returncode, re.sub(r"\b([6-9]\d{4})\b", "UNALLOCATED", done.stdout), done.stderr


def left_behind():
    out = [f"runtime folder {n}" for n in os.listdir(f"{DIR}/runtime/drydock")] if os.path.isdir(f"{DIR}/runtime/drydock") else []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            same_net = os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")
        except OSError:
            continue
        if same_net and text_of(f"/proc/{pid}/comm").startswith("drydock") and is_alive(int(pid)):
            out.append(f"process {pid}")
    out += [f"in the project: {n}" for n in os.listdir(f"{DIR}/home/project") if n not in ("facts", "host_ns")]
    return out


def wait_nothing_left():
    for _ in range(100):
        left = left_behind()
        if not left:
            return left
        time.sleep(0.05)
    return left


def judge_run(case, rc, out, said, facts):
    left = wait_nothing_left()
    if left and all(l.startswith("runtime folder") for l in left):
        run_once([])  # what could not be removed goes at the next start
        left = wait_nothing_left()
    if left:
        problems.append(f"{case}: left behind: {left}")
        shutil.rmtree(f"{DIR}/runtime", ignore_errors=True)
        os.mkdir(f"{DIR}/runtime", 0o700)
    if out == facts and rc == 0:
        return "the same"
    if out:
        # what is served may stop; what is closed may not open
        open_now = [l for l in out.splitlines() if l not in facts.splitlines() and not re.match(r"HTTP/1.1 [45]", l)]
        if open_now or out.count("HTTP/1.1 200") > 1:
            problems.append(f"{case}: the jail is another one: {open_now[:6]}")
            return "ANOTHER JAIL"
        return f"less: status {rc}"
    # by fcntl stderr seems to be closed, and without memory libc does not get as far as main()
    if not said.strip() and "fcntl" not in case and "mmap" not in case:
        problems.append(f"{case}: status {rc} without a word")
    return f"refused: status {rc}"


def mode_run():
    os.makedirs(f"{DIR}/home/project")
    os.mkdir(f"{DIR}/runtime", 0o700)
    with open(f"{DIR}/home/project/facts", "w", encoding="utf-8") as f:
        f.write(FACTS)
    with open(f"{DIR}/home/project/host_ns", "w", encoding="utf-8") as f:
        f.write("".join(os.readlink(f"/proc/self/ns/{n}") + "\n" for n in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")))
    rc, facts, said = run_once([])
    if rc or "whole" not in facts or "SHARED" in facts or "WRITABLE" in facts or "REACHED" in facts or "HTTP/1.1 200" not in facts:
        print(f"no session without a fault: {rc} {facts} {said}")
        sys.exit(1)
    # wait4() with WNOHANG is never interrupted
    trace = [INJECT, "--exe", "drydock", "--not-third", "1", "--report", f"{DIR}/report"]
    cases = []
    step = max(1, round(SHARE ** 0.5))  # counting takes a session a call: fewer of both
    calls = [c for c in RUN_CALLS if f"run {c[0]} {c[1]} ".startswith(ONLY) or ONLY.startswith(f"run {c[0]} {c[1]}")]
    RNG.shuffle(calls)
    for call, how in calls[::step]:
        if run_once(trace + ["--calls", call, "--errno", how, "--skip", "1000000", "--"])[0] == 0:
            cases += [(call, how, n) for n in range(min(int(text_of(f"{DIR}/report").split()[2]), 150))]
        else:
            problems.append(f"no session under the tracer of {call}")
    RNG.shuffle(cases)
    for call, how, n in cases[::step]:
        case = f"run {call} {how} number {n + 1}"
        if not case.startswith(ONLY):
            continue
        try:
            rc, out, said = run_once(trace + ["--calls", call, "--errno", how, "--skip", str(n), "--times", "1", "--"])
        except subprocess.TimeoutExpired:
            problems.append(f"{case}: STUCK")
            continue
        outcome = judge_run(case, rc, out, said, facts)
        judge_escapes(case)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        print(f"{case}: {outcome}: {[l for l in said.strip().splitlines() if l.startswith('drydock')][-1:]}", flush=True)


def main():
    print(f"seed {SEED}", flush=True)
    with open(f"{DIR}/rules", "w", encoding="utf-8") as f:
        f.write(RULES)
    start_servers()
    {"calls": mode_calls, "start": mode_start, "kill": mode_kill, "run": mode_run}[MODE]()
    shutil.rmtree(DIR)
    for p in problems:
        print(f"PROBLEM: {p}")
    print(f"{MODE}: {sum(outcomes.values())} cases: {outcomes}; {len(problems)} problems")
    return 1 if problems else 0


sys.exit(main())
