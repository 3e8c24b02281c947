"""Which build of PyTorch course.py takes on Linux, from indexes of a loopback server with empty packages."""

import subprocess
import sys
import venv

import pytest

from tests.support.indexes import served, write_wheel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is one build")

START = """
import sys, course
course.CPU_WHEELS, card, *arguments = sys.argv[1:]
course.has_nvidia_card = lambda: card == "card"
sys.exit(course.main(arguments))
"""
VERSIONS = "from importlib.metadata import version; print(version('torch'), version('torchvision'))"


@pytest.fixture
def start(course, tmp_path, monkeypatch):
    """Start course.py in a fresh environment: the status, what was printed, and the two versions."""
    for index, version in [("cpu", "9.0+cpu"), ("ordinary", "9.0")]:
        for name in ("torch", "torchvision"):
            write_wheel(tmp_path / "indexes" / index, name, version)
    (course / "requirements.txt").write_text("torch>=1\ntorchvision>=1\n", encoding="utf-8")
    venv.create(tmp_path / "fresh", with_pip=True)
    python = tmp_path / "fresh" / "bin" / "python"
    with served(tmp_path / "indexes", monkeypatch) as address:
        monkeypatch.setenv("PIP_INDEX_URL", f"{address}/ordinary")

        def run(*arguments, card="none", index=f"{address}/cpu"):
            command = [python, "-c", START, index, card, *arguments]
            done = subprocess.run(command, cwd=course, capture_output=True, text=True, check=False)
            versions = subprocess.run([python, "-c", VERSIONS], capture_output=True, text=True, check=False)
            return done.returncode, done.stdout + done.stderr, versions.stdout.split()

        yield run


def test_without_a_card_it_has_no_cuda(start):
    assert start()[::2] == (0, ["9.0+cpu", "9.0+cpu"])
    assert start(card="card")[::2] == (0, ["9.0+cpu", "9.0+cpu"]), "what works stays"


def test_with_a_card_and_where_one_insists(start):
    assert start(card="card")[::2] == (0, ["9.0", "9.0"])
    assert start("--cpu", card="card")[::2] == (0, ["9.0+cpu", "9.0+cpu"])
    assert start("--gpu")[::2] == (0, ["9.0", "9.0"])


def test_where_the_index_cannot_be_reached(start):
    nowhere = "http://127.0.0.1:9/cpu"
    status, printed, versions = start("--cpu", index=nowhere)
    assert (status, versions) == (1, [])
    (line,) = (line for line in printed.splitlines() if line.startswith("course.py: "))
    assert line.startswith(f"course.py: this build of PyTorch cannot be had ({nowhere} cannot be reached: ")
    status, printed, versions = start(index=nowhere)
    assert (status, versions) == (0, ["9.0", "9.0"])
    assert printed.count("Without the CPU build of PyTorch") == 1
    assert start("--cpu", index=nowhere)[::2] == (1, ["9.0", "9.0"]), "what works stays"
    assert start()[::2] == (0, ["9.0", "9.0"]), "and starts"
