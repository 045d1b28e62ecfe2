# SPDX-License-Identifier: Apache-2.0
"""pty.py SCRIPT CMD...: runs CMD on a terminal of 24 rows and 80 columns and talks to it.

SCRIPT is lines of: send TEXT | expect TEXT | resize ROWS COLS | signal NUMBER. \\r and \\xHH work in TEXT.
Afterwards: prints what was seen, then one line "exit CODE raw yes|no" for the state of the terminal.
"""
import fcntl
import os
import select
import signal
import struct
import sys
import termios
import time

LIMIT_S = 30
script, cmd = sys.argv[1], sys.argv[2:]
master, slave = os.openpty()
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in range(3):
        os.dup2(slave, fd)
    os.close(master)
    os.execvp(cmd[0], cmd)

seen = b""
mark = 0


def pump(timeout):
    global seen
    if select.select([master], [], [], timeout)[0]:
        try:
            seen += os.read(master, 4096)
        except OSError:
            pass


def expect(text):
    global mark
    end = time.monotonic() + LIMIT_S
    while text not in seen[mark:]:
        if time.monotonic() > end:
            sys.stdout.write("MISSING %r IN\n%s\n" % (text, seen.decode(errors="replace")))
            os.kill(pid, signal.SIGKILL)
            sys.exit(1)
        pump(0.1)
    mark += seen[mark:].index(text) + len(text)


for line in open(script):
    verb, _, rest = line.rstrip("\n").partition(" ")
    if not verb:
        continue
    if verb == "send":
        os.write(master, rest.encode().decode("unicode_escape").encode("latin-1"))
    elif verb == "expect":
        expect(rest.encode().decode("unicode_escape").encode("latin-1"))
    elif verb == "resize":
        rows, cols = map(int, rest.split())
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
    elif verb == "signal":
        os.kill(pid, int(rest))

end = time.monotonic() + LIMIT_S
status = None
while status is None and time.monotonic() < end:
    pump(0.05)
    done, got = os.waitpid(pid, os.WNOHANG)
    if done:
        status = got
if status is None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    sys.stdout.write("IT DID NOT END\n%s\n" % seen.decode(errors="replace"))
    sys.exit(1)
while select.select([master], [], [], 0)[0]:
    pump(0)
lflag = termios.tcgetattr(slave)[3]
raw = not (lflag & termios.ICANON and lflag & termios.ECHO)
sys.stdout.write(seen.decode(errors="replace").replace("\r", ""))
sys.stdout.write("\nexit %d raw %s\n" % (os.waitstatus_to_exitcode(status), "yes" if raw else "no"))
