"""Fixtures for the commands: each is run as a reader runs it, in a process and a folder of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def environment(root) -> dict:
    """What the commands find around them: one thread, this Python first on PATH, bars where they belong."""
    variables = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    paths = [variables.get("PYTHONPATH"), str(root)]
    variables["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    variables["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), variables["PATH"]])
    return {**variables, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}


@pytest.fixture(scope="session")
def command(environment, tmp_path_factory):
    """Run the command line with the given arguments to its end."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    def run(*arguments, cwd=elsewhere, seconds=120, **variables) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "mnist_helpers", *map(str, arguments)],
            cwd=cwd,
            env={**environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=seconds,
            check=False,
        )

    return run


@pytest.fixture
def start(environment, tmp_path):
    """Start the command line with the given arguments; what still runs at the end of the test is killed."""
    started = []

    def begin(*arguments, cwd=tmp_path, code=("-m", "mnist_helpers"), **options) -> subprocess.Popen:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            [sys.executable, *code, *map(str, arguments)],
            **{**pipes, "cwd": cwd, "env": environment, "encoding": "utf-8", **options},
            # A shell's background job ignores SIGINT and hands that on; a test run may well be one.
            preexec_fn=None if os.name == "nt" else lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
