"""What the tests of the runs share: short runs, what a folder holds, what stderr says."""

import csv
import json
import os
import signal
import time
from itertools import pairwise
from pathlib import Path

from mnist_helpers.checkpoints import read_checkpoint

from ..support.checkpoints import same
from ..support.programs import command_line

# Linear layers alone; of the 1,300 images of a forked process 1,000 are trained. The last batch has 8.
SPLIT = ("--validation-size", 300, "--device", "cpu", "--log-interval", 1)
QUICK = ("--network", "ThreeLayerNet", "--batch-size", 32, "--epochs", 2, *SPLIT)
BATCHES = 32  # of QUICK, in an epoch
DROPOUT = ("--network", "Net", *QUICK[2:])


def rows(folder: Path) -> list[dict]:
    """The rows of metrics.csv."""
    with open(folder / "metrics.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def count_rows(folder: Path) -> int:
    """How many rows metrics.csv has so far."""
    path = folder / "metrics.csv"
    return path.read_bytes().count(b"\n") - 1 if path.exists() else 0


def kill_at_random(started, folder: Path, drawn) -> None:
    """Kill the processes of a run a few rows of metrics.csv and milliseconds after it began."""
    moment = (drawn.randint(0, 12), round(drawn.uniform(0, 0.02), 4))
    print("killed after (rows, seconds):", moment)  # so that a failure can be repeated
    started[0].wait_for(lambda: "everything is kept in" in started[0].stdout)
    begun = count_rows(folder)
    started[0].wait_for(lambda: count_rows(folder) >= begun + moment[0])
    time.sleep(moment[1])
    for process in started:
        process.send_signal(signal.SIGKILL)
    for process in started:
        process.wait()
    assert started[0].returncode == -signal.SIGKILL


def config(folder: Path) -> dict:
    """What config.json holds."""
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))


def log(folder: Path) -> str:
    """The text of stdout.log."""
    return (folder / "stdout.log").read_text(encoding="utf-8")


def place(folder: Path) -> tuple[int, int]:
    """The epochs that the checkpoint has completed, and the images of the next one."""
    sampler = read_checkpoint(folder / "checkpoint.pt")["sampler"]
    whole = sampler["taken"] == sampler["size"]
    return sampler["epoch"] - 1 + whole, 0 if whole else sampler["taken"]


def assert_same(folder: Path, other: Path) -> None:
    """Demand that two runs computed the same, to the bit; the time that it took is left out."""
    one, two = (read_checkpoint(each / "checkpoint.pt") for each in (folder, other))
    for part in one.keys() | two.keys():
        assert same(one[part], two[part]), part
    one, two = rows(folder), rows(other)
    seconds = [float(row.pop("seconds") or "nan") for row in one]
    for row in two:
        del row["seconds"]
    assert one == two
    assert not any(later < earlier for earlier, later in pairwise(seconds))


def state(folder: Path) -> dict:
    """Bytes and time of each file; the lock is no part of a run."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def one_line(done, status: int, *fragments: str) -> str:
    """Demand an exit status and a single line on stderr which holds the fragments; return that line."""
    assert done.returncode == status, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    for fragment in fragments:
        assert fragment in line
    return line


def in_a_folder_of_its_own(*arguments) -> None:
    """What a process of several does: the command line, in a folder named after its rank."""
    folder = Path(os.environ["RANK"])
    folder.mkdir()
    os.chdir(folder)
    command_line(*arguments)
