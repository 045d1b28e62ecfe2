#!/usr/bin/env python3
"""Drives the soak: sessions one after another, a fault every few seconds, leaks looked for each minute.

usage: drive.py MINUTES RATE SEED DIR BIN     (in namespaces of its own, see soak.sh)
DIR gets report.txt; DIR/state is a small file system that holds the sessions' folders. Exit 0: nothing leaked, nothing was wrong.
"""
import glob
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

MINUTES, RATE, SEED, DIR, BIN = float(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
HERE = os.path.dirname(os.path.abspath(__file__))
RNG = random.Random(SEED)
STATE, PROJECT = f"{DIR}/state", f"{DIR}/home/project"
RULES = ["allowed.test:80,443", "allowed.test:22,9000,9001,9002 raw", "www.allowed.test", "*.wild.test:80,443",
         "rebind.test:443", "mixed.test:443", "loop.test:443", "dead.test", "gone.test", "flip.test",
         "quota.test:9000 raw down=300M conns=2000"]
DENIED = ["bad.wild.test", "www.allowed.test:8443"]
# what no label of which may be asked of the DNS server
SECRET_NAMES = ("evil", "meta.test", "bad.wild")
MEMORY_SLACK_KIB = 1536
ENV = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": f"{DIR}/home", "XDG_STATE_HOME": STATE,
       "XDG_RUNTIME_DIR": f"{DIR}/runtime", "USER": "soak", "TERM": "dumb"}
totals = {"faults": {}, "tally": {}, "records": 0, "lost": 0, "sessions": 0, "samples": 0, "problems": []}


def say(text):
    line = f"{time.strftime('%H:%M:%S')} {text}"
    print(line, flush=True)
    with open(f"{DIR}/report.txt", "a", encoding="utf-8") as f:
        f.write(line + "\n")


def problem(text):
    totals["problems"].append(text)
    say(f"PROBLEM: {text}")


def wait_for(what, seconds, ready):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = ready()
        if value:
            return value
        time.sleep(0.05)
    problem(f"{what} did not happen in {seconds} s")
    return None


# ---- servers

servers = {}


def start_server(role):
    try:
        os.unlink(f"{DIR}/{role}.ready")
    except FileNotFoundError:
        pass
    servers[role] = subprocess.Popen(["/usr/bin/python3", f"{HERE}/servers.py", role, DIR], env=ENV)
    wait_for(f"the start of server {role}", 20, lambda: os.path.exists(f"{DIR}/{role}.ready"))


def kill_server(role):
    servers[role].kill()
    servers[role].wait()


# ---- a session

def text_of(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def children(pid):
    out = []
    for task in glob.glob(f"/proc/{pid}/task/*/children"):
        for child in text_of(task).split():
            out += [int(child)] + children(int(child))
    return out


class Session:
    def __init__(self, number):
        self.number, self.orders, self.baseline, self.reloads = number, 0, None, []
        for name in ("do", "done", "tally.json"):
            try:
                os.unlink(f"{PROJECT}/{name}")
            except FileNotFoundError:
                pass
        shutil.copy(f"{HERE}/client.py", f"{PROJECT}/client.py")
        argv = [f"{BIN}/drydock", "run", "-q", "--name", f"soak{number}", "--resolver", "127.0.0.1:5353"]
        for rule in RULES:
            argv += ["-a", rule]
        for rule in DENIED:
            argv += ["--deny", rule]
        argv += ["--", "/usr/bin/python3", f"{PROJECT}/client.py", PROJECT, RATE, str(SEED + number)]
        self.process = subprocess.Popen(argv, env=ENV, cwd=PROJECT, stdin=subprocess.DEVNULL)
        self.is_up = wait_for("the start of a session", 30, lambda: os.path.exists(f"{PROJECT}/done")) is not None
        found = glob.glob(f"{STATE}/drydock/sessions/soak{number}-*")
        self.folder = found[0] if found else None
        self.parts = self.find_parts()
        self.policy = text_of(f"{self.folder}/policy")
        self.policies = [self.keep_policy(self.policy)]

    def keep_policy(self, text):
        path = f"{DIR}/policy.{self.number}.{len(getattr(self, 'policies', []))}"
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def find_parts(self):
        out = {}
        for pid in children(self.process.pid):
            words = text_of(f"/proc/{pid}/cmdline").split("\0")
            if words[0] == "drydock-egress":
                out["broker" if words[1] in ("serve", "broker") else words[1]] = pid
        if sorted(out) != ["broker", "resolver", "worker"]:
            problem(f"the egress has the parts {sorted(out)}")
        return out

    def order(self, word, seconds=60):
        self.orders += 1
        with open(f"{PROJECT}/do.new", "w", encoding="utf-8") as f:
            f.write(f"{self.orders} {word}\n")
        os.rename(f"{PROJECT}/do.new", f"{PROJECT}/do")
        return wait_for(f"'{word}' of the client", seconds, lambda: text_of(f"{PROJECT}/done") == str(self.orders))

    def control(self, number, text=b"", fd=None, value=0):
        """One request on the control socket: (number of the answer, its text)."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(15)
            s.connect(glob.glob(f"{DIR}/runtime/drydock/soak{self.number}-*/ctl.sock")[0])
            packet = struct.pack("=HHIQ", 1, number, len(text), value) + text
            socket.send_fds(s, [packet], [fd] if fd is not None else [])
            data, fds, _, _ = socket.recv_fds(s, 65536, 4)
            for got in fds:
                os.close(got)
            return struct.unpack("=HHIQ", data[:16])[1], data[16:].decode(errors="replace")

    def reload(self, text, expected):
        with open(f"{DIR}/new-policy", "w+", encoding="utf-8") as f:
            f.write(text)
            f.flush()
            number, said = self.control(1, b"soak", f.fileno())
        if number != expected:
            problem(f"a reload was answered with {number}: {said}")
        elif expected == 16:
            self.policies.append(self.keep_policy(text))

    def count(self, pid):
        fds = pipes = 0
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                fds += 1
                pipes += os.readlink(f"/proc/{pid}/fd/{fd}").startswith("pipe:")
        except OSError:
            pass
        rollup = dict(line.split(":") for line in text_of(f"/proc/{pid}/smaps_rollup").splitlines()[1:])
        kib = {k: int(rollup.get(k, "0 kB").split()[0]) for k in ("Pss", "Private_Dirty")}
        return fds - pipes, pipes, kib["Private_Dirty"], kib["Pss"]

    def sample(self):
        """At rest: as many descriptors as at the first rest, pipes within the pool, memory as it was."""
        if not self.order("pause", 90):
            return
        now = None
        for _ in range(200):  # lingering connections end within seconds
            now = {name: self.count(pid) for name, pid in self.parts.items()}
            if self.baseline is None or all(now[n][0] <= self.baseline[n][0] for n in now):
                break
            time.sleep(0.1)
        totals["samples"] += 1
        if self.baseline is None:
            time.sleep(5)  # what lingers is no part of it
            self.baseline = {name: self.count(pid) for name, pid in self.parts.items()}
            now = self.baseline
        for name, (fds, pipes, dirty, _) in now.items():
            was = self.baseline[name]
            if fds > was[0]:
                problem(f"LEAK: {name} has {fds} descriptors at rest, {was[0]} at first")
            if pipes > 160:
                problem(f"LEAK: {name} holds {pipes} ends of pipes at rest")
            if dirty > was[2] + MEMORY_SLACK_KIB:
                problem(f"LEAK: {name} has {dirty} KiB of its own at rest, {was[2]} at first")
        shown = "; ".join(f"{n} fds {c[0]} pipes {c[1]} own {c[2]} KiB" for n, c in sorted(now.items()))
        tally = json.loads(text_of(f"{PROJECT}/tally.json") or "{}")
        flows = {k: v for k, v in sorted(tally.items()) if not k.startswith("door")}
        say(f"rest: {shown}; PSS {sum(c[3] for c in now.values())} KiB; {flows}")
        self.order("run")

    def kill(self):
        """kill -9 of one part: all three end, the session lives on, nothing is served any more."""
        part = RNG.choice(sorted(self.parts))
        os.kill(self.parts[part], signal.SIGKILL)
        say(f"kill -9 of the {part}")
        count_fault(f"kill -9 {part}")
        wait_for("the end of all three parts", 10,
                 lambda: not any(text_of(f"/proc/{p}/cmdline") for p in self.parts.values()))
        if self.process.poll() is not None:
            problem("the session did not outlive its egress")
        self.order("after", 120)
        log = text_of(f"{self.folder}/egress.log")
        if part != "broker" and "egress is shut" not in log:
            problem(f"after the kill of the {part} the egress did not say that it is shut: {log[-300:]!r}")

    def finish(self):
        self.order("end", 120)
        try:
            rc = self.process.wait(30)
            if rc != 0:
                problem(f"the session ended with {rc}")
        except subprocess.TimeoutExpired:
            problem("the session does not end")
            self.process.kill()
        for key, n in json.loads(text_of(f"{PROJECT}/tally.json") or "{}").items():
            totals["tally"][key] = totals["tally"].get(key, 0) + n
        self.check()
        left = [p for p in self.parts.values() if text_of(f"/proc/{p}/cmdline")]
        if left:
            problem(f"processes left behind: {left}")
        if glob.glob(f"{DIR}/runtime/drydock/soak{self.number}-*"):
            problem("a runtime folder is left behind")
        shutil.rmtree(self.folder)
        for path in self.policies:
            os.unlink(path)

    def check(self):
        log = f"{self.folder}/audit.jsonl"
        done = subprocess.run(["/usr/bin/python3", f"{HERE}/check_audit.py", log] + self.policies,
                              capture_output=True, text=True, check=False)
        last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr
        say(f"session {self.number}: {last}")
        if done.returncode:
            kept = f"{DIR}/kept.{self.number}"
            shutil.copytree(self.folder, kept)
            for path in self.policies:
                shutil.copy(path, kept)
            problem(f"the checker found (kept in {kept}):\n{done.stdout[:2000]}")
        try:
            totals["records"] += int(last.split()[0])
            totals["lost"] += int(last.split("), ")[1].split()[0])
        except (ValueError, IndexError):
            problem("the checker said nothing")
        said = [l for l in text_of(f"{self.folder}/egress.log").splitlines()
                if "cannot be written" not in l and "written again" not in l and "is shut" not in l]
        if said:
            say(f"the egress also said: {said[:5]}")


# ---- faults

def count_fault(name):
    totals["faults"][name] = totals["faults"].get(name, 0) + 1


def stop_for(pid, seconds):
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)


def fault_kill_web(s):
    kill_server("web")
    time.sleep(0.5)
    start_server("web")


def fault_kill_dns(s):
    kill_server("dns")
    time.sleep(2)
    start_server("dns")


def fault_disk_full(s):
    filler = f"{STATE}/filler"
    with open(filler, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"\0" * 65536)
        except OSError:
            pass
        try:
            while True:
                f.write(b"\0" * 64)
        except OSError:
            pass
    time.sleep(1 + RNG.random())
    os.unlink(filler)


def fault_reload(s):
    # one rule more or less, in the place where it stands
    text = s.policy if RNG.random() < 0.5 else s.policy + '#line 1 "soak"\ndeny flip.test\ndeny 93.184.216.10:9002\n'
    s.reload(text, 16)


FAULTS = {
    "kill the web server": fault_kill_web,
    "stall the web server": lambda s: stop_for(servers["web"].pid, 1.5),
    "reset every connection": lambda s: servers["web"].send_signal(signal.SIGUSR1),
    "kill the DNS server": fault_kill_dns,
    "stall the DNS server": lambda s: stop_for(servers["dns"].pid, 3),
    "disk full": fault_disk_full,
    "flood": lambda s: s.order("flood", 90) and s.order("run"),
    "stop the worker": lambda s: stop_for(s.parts["worker"], 1),
    "stop the broker": lambda s: stop_for(s.parts["broker"], 1),
    "stop the resolver": lambda s: stop_for(s.parts["resolver"], 2),
    "reload": fault_reload,
    "reload of a bad policy": lambda s: s.reload("allow this is no rule\n", 17),
    "status and flows": lambda s: (s.control(2), s.control(3)),
    "close a flow": lambda s: s.control(5, value=RNG.randrange(1, 5000)),
}


def one_session(number, seconds, deadline):
    s = Session(number)
    totals["sessions"] += 1
    if not s.is_up or len(s.parts) != 3:
        s.process.kill()
        problem("no session")
        return
    end = min(time.monotonic() + seconds, deadline)
    time.sleep(3)
    # what malloc keeps after the worst is no leak, so the first rest comes after that
    s.order("flood", 90)
    s.order("run")
    time.sleep(5)
    s.sample()
    next_sample = time.monotonic() + 60
    while time.monotonic() < end and s.process.poll() is None:
        time.sleep(1 + RNG.random() * 3)
        name = RNG.choice(sorted(FAULTS))
        count_fault(name)
        try:
            FAULTS[name](s)
        except OSError as e:
            problem(f"fault '{name}': {e}")
        gone = [n for n, p in s.parts.items() if not text_of(f"/proc/{p}/cmdline")]
        if gone:
            problem(f"the egress ended by itself after '{name}': {text_of(f'{s.folder}/egress.log')[-500:]!r}")
            break
        if time.monotonic() > next_sample:
            s.sample()
            next_sample = time.monotonic() + 60
    else:
        s.sample()
        if number % 4:
            s.kill()
    s.finish()


def judge():
    for line in text_of(f"{DIR}/escapes.log").splitlines():
        problem(f"ESCAPE: {line}")
    for line in text_of(f"{PROJECT}/wrong.log").splitlines():
        problem(f"client: {line}")
    asked = set(text_of(f"{DIR}/dns.log").split())
    for name in asked:
        if any(name.startswith(s) for s in SECRET_NAMES):
            problem(f"the DNS server was asked for {name}")
    tally = totals["tally"]
    say(f"faults: {sum(totals['faults'].values())}: {totals['faults']}")
    say(f"flows: {dict(sorted(tally.items()))}")
    say(f"{totals['sessions']} sessions, {totals['samples']} rests, {totals['records']} audit records judged, {totals['lost']} "
        f"lost while the disk was full, {len(asked)} names asked of the DNS server, {len(totals['problems'])} problems")
    if not tally.get("allowed served") or tally.get("allowed served", 0) < tally.get("allowed failed", 0):
        problem("more failed than were served: no soak at load")


def main():
    for folder in (PROJECT, f"{DIR}/runtime"):
        os.makedirs(folder, exist_ok=True)
    os.chmod(f"{DIR}/runtime", 0o700)
    say(f"seed {SEED}, {MINUTES} minutes, {RATE} flows a second; {subprocess.run([f'{BIN}/drydock', 'version'], env=ENV, capture_output=True, text=True, check=False).stdout.strip()}")
    for role in ("dns", "web", "trap"):
        start_server(role)
    deadline = time.monotonic() + MINUTES * 60
    number = 0
    while time.monotonic() < deadline - 5:
        number += 1
        one_session(number, [120, 180, 240, 900][number % 4 - 1], deadline)
    for role in list(servers):
        kill_server(role)
    judge()
    say("SOAK: " + ("FAILED" if totals["problems"] else "no leak, no wrong verdict, no escape"))
    return 1 if totals["problems"] else 0


sys.exit(main())
