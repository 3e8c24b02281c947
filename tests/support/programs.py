"""Processes that tests start, signal and kill: the command line, alone or as one of several, and programs.

To import torch takes seconds of computing. So most processes are forked from a server that has imported it
(multiprocessing's; where there is no fork, each imports it), and some are started as a reader starts them.
"""

import io
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "mnist_helpers")

# No source of MNIST answers: every connection is refused, and pip is kept from every index and folder.
NO_NETWORK = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": "",
}
# What takes long to import; the optimizers need torch._dynamo.
IMPORTED = (
    "torch",
    "torch._dynamo",
    "matplotlib.pyplot",
    "mnist_helpers.__main__",
    "mnist_helpers.running.run",
)
FORKS = sys.platform == "linux"
CONTEXT = multiprocessing.get_context("forkserver" if FORKS else "spawn")
CONTEXT.set_forkserver_preload([*IMPORTED, __name__])


def torchrun(number: int) -> tuple[str, ...]:
    """The command that starts the command line on several processes."""
    options = ("--standalone", "--local-addr=localhost", f"--nproc-per-node={number}")
    return (sys.executable, "-m", "torch.distributed.run", *options, *COMMAND[1:])


def environment(**variables) -> dict:
    """What processes find around them: one thread, this Python first on PATH, the course, no word of bars."""
    kept = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [kept.get("PYTHONPATH"), str(ROOT)]))
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8", **variables}


class Started:
    """A process whose output goes to two files, so that it can be read at any time and never blocks."""

    def __init__(self, process, out, err) -> None:
        self.process, self.pid, self.out, self.err = process, process.pid, Path(out), Path(err)

    @property
    def returncode(self) -> int | None:
        """The exit status, minus the number of the signal that killed it, or None while it runs."""
        return self.process.poll() if isinstance(self.process, subprocess.Popen) else self.process.exitcode

    @property
    def stdout(self) -> str:
        return self.out.read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        return self.err.read_text(encoding="utf-8")

    def wait(self, seconds=600) -> "Started":
        """Wait for its end; the limit is there to end what hangs."""
        if isinstance(self.process, subprocess.Popen):
            self.process.wait(seconds)
        else:
            self.process.join(seconds)
            assert self.returncode is not None, f"still running after {seconds} s: {self.stdout}{self.stderr}"
        return self

    def wait_for(self, condition, *, seconds=600) -> None:
        """Wait until ``condition()`` holds while the process runs."""
        end = time.monotonic() + seconds
        while not condition():
            assert self.returncode is None, f"it ended first: {self.stdout}{self.stderr}"
            assert time.monotonic() < end, f"waited in vain: {self.stdout}{self.stderr}"
            time.sleep(0.002)

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> "Started":
        self.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
        return self.wait()

    def children(self) -> list[int]:
        """The processes that this one started, such as torchrun's, in their order."""
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
        pairs = [map(int, line.split()) for line in listed.stdout.splitlines()]
        return sorted(pid for pid, parent in pairs if parent == self.pid)


class Programs:
    """Starts processes in ``cwd``, with their output in files in ``folder``."""

    def __init__(self, folder, cwd, env) -> None:
        self.folder, self.cwd, self.env, self.started = folder, cwd, env, []

    def _add(self, process, files) -> Started:
        self.started.append(Started(process, *files))
        return self.started[-1]

    def _files(self) -> list[str]:
        files = [tempfile.mkstemp(dir=self.folder) for _ in range(2)]
        for descriptor, _ in files:
            os.close(descriptor)
        return [path for _, path in files]

    def spawn(self, command, *arguments, **options) -> Started:
        """Start a program as a reader does; ``options`` are those of Popen."""
        files = self._files()
        if os.name != "nt":
            # A shell's background job ignores SIGINT and hands that on; a test run may well be one.
            options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        with open(files[0], "wb") as out, open(files[1], "wb") as err:
            options = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err, **options}
            options = {"cwd": self.cwd, "env": self.env, **options}
            process = subprocess.Popen([*command, *map(str, arguments)], **options)
        return self._add(process, files)

    def fork(self, function, *arguments, cwd=None, variables=None, stdout=None, **options) -> Started:
        """Start a function of a module in a process that has torch; ``options`` are those of ``prepare``.

        ``stdout`` may name a pipe (os.mkfifo).
        """
        files = self._files()
        place = (cwd or self.cwd, {**self.env, **(variables or {})})
        told = (function, arguments, *place, (stdout or files[0], files[1]), options)
        process = CONTEXT.Process(target=call, args=told, daemon=True)
        with mock.patch.dict(os.environ, OMP_NUM_THREADS="1", TQDM_DISABLE="1"):  # for the server
            process.start()
        return self._add(process, files)

    def command(self, *arguments, function=None, **options) -> Started:
        """Start the command line, or a function that calls it."""
        return self.fork(function or command_line, *map(str, arguments), **options)

    def ranks(self, world: int, *arguments, **options) -> list[Started]:
        """Start the command line on several processes with what torchrun tells them, but no torchrun."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        common = {"TORCHELASTIC_RUN_ID": "test", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        common |= {"WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
        started = []
        for rank in range(world):
            told = {name: str(value) for name, value in {**common, "RANK": rank, "LOCAL_RANK": rank}.items()}
            started.append(self.command(*arguments, variables=told, **options))
        return started

    def close(self) -> None:
        """Kill what still runs."""
        for one in self.started:
            if one.returncode is None:
                if isinstance(one.process, subprocess.Popen) and os.name != "nt":
                    for pid in one.children():  # those of torchrun would outlive it
                        os.kill(pid, signal.SIGKILL)
                one.kill()


def call(function, arguments, cwd, env, outputs, options) -> None:
    """Call ``function`` in a forked process, whose place, environment and output are set first."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for descriptor, path in zip((1, 2), outputs, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), descriptor)
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), "utf-8")
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", write_through=True)
    if os.name != "nt":
        signal.signal(signal.SIGINT, signal.default_int_handler)
    prepare(**options)
    function(*arguments)


def prepare(few=True, pause=0, file_size=None) -> None:
    """Let this process find few images, pause at each step, or be refused files above a size.

    A pause lets a signal find a run in the middle of a batch; the numbers are the same.
    """
    if few:
        use_few_images()
    if pause:
        from torch.optim.optimizer import register_optimizer_step_pre_hook

        register_optimizer_step_pre_hook(lambda *_: time.sleep(pause))
    if file_size:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))


def use_few_images(train=1300, test=500) -> None:
    """Let this process find the first images of MNIST alone: nothing else that it does is another."""
    from mnist_helpers import data

    load = data.load_mnist

    def load_few(data_dir=None):
        every = zip(load(data_dir), (train, test), strict=True)
        return tuple(data.Digits(*(part[:count].clone() for part in digits)) for digits, count in every)

    data.load_mnist = load_few


def command_line(*arguments) -> None:
    """Do what ``python -m mnist_helpers`` does."""
    from mnist_helpers.__main__ import leave, main

    sys.argv = ["mnist_helpers", *arguments]
    leave(main())


def flip_bit(path: Path, *, at=None, bit=2) -> None:
    """Change one bit of a file, in its middle unless ``at`` says which byte."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if at is None else at] ^= 1 << bit
    path.write_bytes(content)


def unshare(*kinds: str) -> list[str] | None:
    """The command before a program that gets mounts ("--mount") or a network ("--net") of its own."""
    root = [] if hasattr(os, "geteuid") and os.geteuid() == 0 else ["--map-root-user"]
    before = ["unshare", *root, *kinds]
    if shutil.which("unshare") is None or subprocess.run([*before, "true"], capture_output=True).returncode:
        return None
    return before
