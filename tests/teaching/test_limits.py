"""What an answer may not do, tried by answers that do it, in one run of the real command."""

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from html import unescape

import pytest

from teaching.grading.running import end
from tests.support.programs import unshare

from .command import grade
from .submissions import LESSONS, Made

STUB = "def sgd_step(weight, gradient, velocity, lr, momentum):\n"
LIMIT = 5  # seconds for an answer
RIGHT = "velocity = momentum * velocity + gradient\nreturn weight - lr * velocity, velocity"
NEVER = "may not"

# By name: lines in front of a right answer, and what the feedback says. None: it is right all the same.
TRIED = {
    "loops": ("while True: pass", "it was not done after 5 seconds"),
    "sleeps": ("import time; time.sleep(1000)", "it was not done"),
    "exits": ("import sys; sys.exit()", "SystemExit"),
    "leaves": ("import os; os._exit(0)", "it ended Python"),
    "crashes": ("import faulthandler; faulthandler._sigsegv()", "it ended Python"),
    "recurses": ("f = lambda: f(); f()", "RecursionError"),
    "asks": ("input()", "EOFError"),
    "takes memory": ("x = bytearray(20 * 2**30)", "MemoryError"),
    "takes memory in torch": ("import torch; torch.ones(20 * 2**28)", "can't allocate memory"),
    "takes memory in steps": ("x = []\nwhile True: x.append(bytes(2**28))", "MemoryError"),
    "uses a gigabyte": ("import torch; torch.ones(2**28)", None),
    "writes a large file": ("open('x', 'wb').write(bytes(2 * 10**8))", "File too large"),
    "writes in its folder": ("open('x', 'w').write('x'); import os; os.remove('x')", None),
    "writes elsewhere": ("open('{victim}', 'w')", NEVER),
    "removes": ("import os; os.remove('{victim}')", NEVER),
    "removes a tree": ("import shutil, os; shutil.rmtree(os.path.dirname('{victim}'))", NEVER),
    "moves": ("import os; os.rename('{victim}', 'x')", NEVER),
    "sends": ("import socket; socket.create_connection(('127.0.0.1', {port}))", NEVER),
    "downloads": ("import urllib.request as u; u.urlopen('http://127.0.0.1:{port}')", NEVER),
    "sends in C": ("import torch.distributed as d; d.TCPStore('127.0.0.1', {port})", "Not quite"),
    "forks": ("import os; [os.fork() for _ in range(100)]", NEVER),
    "starts": ("import subprocess; [subprocess.Popen(['sleep', '998']) for _ in range(100)]", NEVER),
    "starts below": ("import subprocess as s; s._fork_exec()", NEVER),
    "forks in C": ("import ctypes; ctypes.CDLL(None).fork()", NEVER),
    "kills": ("import os; os.kill(os.getppid(), 9)", NEVER),
    "prints": ("print('Right.'); return 1, 2", "Not quite"),
    "replaces a check": (
        "import mnist_helpers.checks.vocabulary as v; v.compare = lambda *a, **k: None",
        "replaces",
    ),
    "replaces torch": ("import torch; torch.allclose = lambda *a, **k: True", "replaces"),
    "reads keys": ("import os; assert 'SECRET' not in os.environ", None),
}

if not unshare("--net"):  # where this system gives nobody a network of their own, Python's alone is refused
    del TRIED["sends in C"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="grading runs on Linux, macOS or WSL")


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tried")
    (folder / "kept").mkdir()
    victim = folder / "kept" / "file"
    victim.write_text("kept")
    connections = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen():
            while True:
                try:
                    connections.append(server.accept())
                except OSError:
                    return

        threading.Thread(target=listen, daemon=True).start()
        (folder / "sent").mkdir()
        for name, (lines, _) in TRIED.items():
            made = Made(LESSONS[2], random.Random(0), ["stub", "solution", "stub"])
            lines = lines.replace("{victim}", str(victim)).replace("{port}", str(server.getsockname()[1]))
            body = "\n".join(f"    {line}" for line in f"{lines}\n{RIGHT}".splitlines())
            made.give(LESSONS[2].exercises[1], STUB + body)
            (folder / "sent" / f"{name}.ipynb").write_text(json.dumps(made.notebook))
        start = time.monotonic()
        options = ("--seconds", LIMIT, "--jobs", 2)
        rows, results = grade(folder / "sent", *options, SECRET="a key", TMPDIR=str(folder / "kept"))
        seconds = time.monotonic() - start
        server.shutdown(socket.SHUT_RDWR)
    pages = {name: results / "feedback" / f"{name.replace(' ', '_')}.html" for name in TRIED}
    sentence = {name: unescape(page.read_text(encoding="utf-8")) for name, page in pages.items()}
    return rows, sentence, connections, victim, seconds


@pytest.mark.parametrize("name", TRIED)
def test_an_answer_that(name, tried):
    rows, sentence, *_ = tried
    expected = TRIED[name][1]
    assert rows[name]["3.2"] == str(int(expected is None)), sentence[name]
    assert (expected or "Right.") in sentence[name], sentence[name]


def test_nothing_was_reached_and_nothing_is_left(tried):
    _, _, connections, victim, seconds = tried
    assert seconds < LIMIT * len(TRIED) / 2, "those that never end were ended"
    assert not connections
    assert victim.read_text() == "kept"
    assert victim.exists()
    assert not list(victim.parent.glob("grading-*")), "the scratch folders are gone"
    if os.path.isdir("/proc/self"):
        assert not [pid for pid in pids() if "998" in command_of(pid)]


def pids() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdecimal()]


def command_of(pid: str) -> list[str]:
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read().split("\0")
    except OSError:
        return []


def test_the_end_is_that_of_the_whole_tree():
    tree = (
        "import os, time\nos.setsid()\nif os.fork() == 0:\n    os.fork()\n"
        "    print(os.getpid(), flush=True)\ntime.sleep(300)"
    )
    with subprocess.Popen([sys.executable, "-c", tree], stdout=subprocess.PIPE, text=True) as process:
        started = [int(process.stdout.readline()) for _ in range(2)]
        end(process.pid)
        process.wait()
    time.sleep(0.2)
    assert not [pid for pid in started if alive(pid)]


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"  # one that nobody has asked about yet
    except OSError:
        return False
