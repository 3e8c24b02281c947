"""What the tests of the runs share: what a folder holds, and how to wait for a moment of a run."""

import csv
import time
from pathlib import Path

from mnist_helpers.checkpoints import read_checkpoint

# Linear layers alone, 10,000 training images: about a second an epoch. The last batch has 16 images.
QUICK = ("--network", "ThreeLayerNet", "--validation-size", 50_000, "--batch-size", 32, "--device", "cpu")
BATCHES = 313  # of QUICK, in an epoch


def rows(folder: Path) -> list[dict]:
    """The rows of metrics.csv."""
    with open(folder / "metrics.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def result(folder: Path) -> dict:
    """All that a run computed: its checkpoint, and metrics.csv without the time that it took."""
    metrics = [{name: value for name, value in row.items() if name != "seconds"} for row in rows(folder)]
    return {"checkpoint": read_checkpoint(folder / "checkpoint.pt"), "metrics": metrics}


def state(folder: Path) -> dict:
    """Bytes and time of each file; the lock is no part of a run."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def wait_for(condition, process, *, seconds=90) -> None:
    """Wait until ``condition()`` holds while ``process`` runs."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the run ended first: " + str(process.communicate())
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def wait_for_rows(folder: Path, number: int, process) -> None:
    """Wait until metrics.csv has ``number`` rows."""
    path = folder / "metrics.csv"
    wait_for(lambda: path.exists() and path.read_bytes().count(b"\n") > number, process)


def one_line(done, status: int, *fragments: str) -> str:
    """Demand an exit status and a single line on stderr which holds the fragments; return that line."""
    assert done.returncode == status, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    for fragment in fragments:
        assert fragment in line
    return line
