"""``train`` by many processes: stopped, killed and resumed by another number of them, it ends as one."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

from mnist_helpers.checkpoints import read_checkpoint

from .runs import result, rows, state, wait_for_rows
from .test_train_resume import assert_same

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")

SAVES = ("--log-interval", 5, "--checkpoint-every", 10, "--device", "cpu")
# 5,000 images: 100 batches of 50. The network has dropout, so that the masks matter.
DROPOUT = ("--network", "Net", "--validation-size", 55_000, "--batch-size", 50, "--epochs", 1, *SAVES)
# 4,000 images: 200 batches of 20, twice. Nothing but the order of the images is random.
NO_DROPOUT = (
    "--network",
    "ThreeLayerNet",
    "--validation-size",
    56_000,
    "--batch-size",
    20,
    "--epochs",
    2,
    *SAVES,
)
SECONDS = 15  # in which a run whose process was killed has ended; torchrun alone would wait for 30


@pytest.fixture
def begin(start, data_dir):
    """Start ``train`` by a number of processes, one without torchrun; what still runs is killed."""
    started = []

    def run(number: int, *arguments) -> subprocess.Popen:
        torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(number))
        code = (*torchrun, "-m", "mnist_helpers") if number > 1 else ("-m", "mnist_helpers")
        started.append(start("train", *arguments, code=code))
        return started[-1]

    yield run
    for process in started:
        for pid in workers(process) if process.poll() is None else ():
            os.kill(pid, signal.SIGKILL)  # they would outlive torchrun, which ``start`` kills


@pytest.fixture
def train(begin):
    """Train to the end; return what was printed."""

    def run(number: int, *arguments) -> str:
        process = begin(number, *arguments)
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
        return output

    return run


@pytest.fixture(scope="module")
def alone(command, data_dir, tmp_path_factory) -> Path:
    """The folder of a run of NO_DROPOUT by one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    done = command("train", *NO_DROPOUT, "--data-dir", data_dir, "--run-dir", folder)
    assert done.returncode == 0, done.stderr
    return folder


def workers(process) -> list[int]:
    """The processes that torchrun started, in their order."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [map(int, line.split()) for line in listed.stdout.splitlines()]
    return sorted(pid for pid, parent in pairs if parent == process.pid)


def position(folder: Path) -> tuple[int, int]:
    checkpoint = read_checkpoint(folder / "checkpoint.pt")
    return checkpoint["epoch"], checkpoint["step"]


def test_two_processes_stopped_in_every_way_end_as_if_never_stopped(begin, train, data_dir, tmp_path):
    """To the bit, with dropout; and nothing that one process writes is there twice."""
    settings = (*DROPOUT, "--data-dir", data_dir, "--run-dir")
    output = train(2, *settings, tmp_path / "whole")
    assert (tmp_path / "whole" / "stdout.log").read_text(encoding="utf-8") == output
    assert "on 2 processes, each on cpu with 1 thread; seed 1" in output
    lines = output.splitlines()
    assert len(set(lines)) == len(lines), "each line is there once"
    keys = [(row["epoch"], row["step"], bool(row["train_loss"])) for row in rows(tmp_path / "whole")]
    assert len(keys) == 20 + 2 + 1
    assert len(set(keys)) == len(keys) - 1, "a row a batch or evaluation, and the test set's at the end"

    folder = tmp_path / "a run"
    process = begin(2, *settings, folder)
    wait_for_rows(folder, 5, process)
    killed = time.monotonic()
    os.kill(workers(process)[1], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - killed < SECONDS
    assert process.returncode != 0
    said = (
        f"another process of this run has ended; {folder}/checkpoint.pt holds the run up to its last saving: "
    )
    assert errors.count(said + "go on with --resume") == 1
    assert "RuntimeError" not in errors
    assert position(folder) in {(0, step) for step in range(10, 100, 10)}

    process = begin(2, "--run-dir", folder, "--resume")
    wait_for_rows(folder, 9, process)
    for pid in [*workers(process), process.pid]:
        os.kill(pid, signal.SIGKILL)
    process.wait()

    process = begin(2, "--run-dir", folder, "--resume")
    wait_for_rows(folder, 12, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "--nproc-per-node 2 -m mnist_helpers train --run-dir '" in output.splitlines()[-1]
    epochs, batches = map(int, re.search(r"Stopped after (\d+) epochs? and (\d+) batch", output).groups())
    assert (epochs, batches) == position(folder)

    assert f"resumed after {epochs} epoch" in train(2, "--run-dir", folder, "--resume")
    assert_same(folder, tmp_path / "whole")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert [part["processes"] for part in (config["started"], *config["resumed"])] == [2] * 4


def test_a_run_changes_hands_between_two_processes_and_one(begin, train, alone, data_dir, tmp_path):
    """Each time in the middle of an epoch; without dropout the result is that of one, but for rounding."""
    folder = tmp_path / "run"
    first = (*NO_DROPOUT, "--data-dir", data_dir, "--run-dir", folder)
    for number, arguments, until in [(2, first, 5), (1, ("--run-dir", folder, "--resume"), 45)]:
        process = begin(number, *arguments)
        wait_for_rows(folder, until, process)
        # To the second process alone: the first hears of it from the second, and both stop after one batch.
        os.kill(process.pid if number == 1 else workers(process)[1], signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
        assert "Stopped after " in output
        assert process.returncode == (1 if number == 2 else 143)  # torchrun has one status for all failures
        assert 0 < position(folder)[1] < 200
        others = read_checkpoint(folder / "checkpoint.pt")["random"].get("others", [])
        assert len(others) == number - 1
    output = train(2, "--run-dir", folder, "--resume")
    assert "note: processes 1 then, 2 now; dropout masks differ from here on" in output
    assert "note: processes 2 then, 1 now" in (folder / "stdout.log").read_text(encoding="utf-8")
    here, there = result(folder), result(alone)
    for name, weights in there["checkpoint"]["model"].items():
        torch.testing.assert_close(here["checkpoint"]["model"][name], weights, rtol=0, atol=1e-5)
    for row, expected in zip(here["metrics"], there["metrics"], strict=True):
        assert (row["epoch"], row["step"], row["images_seen"]) == tuple(
            expected[name] for name in ("epoch", "step", "images_seen")
        )
        if expected["validation_loss"]:
            assert float(row["validation_loss"]) == pytest.approx(
                float(expected["validation_loss"]), abs=1e-5
            )


@pytest.mark.parametrize(
    ("number", "arguments", "status", "text"),
    [
        (2, ("--lr", "fast"), 2, "argument --lr: fast is not allowed; a number above 0"),
        (3, ("--batch-size", 64), 2, "argument --batch-size: batch_size is 64; for 3 processes it has to be"),
        (
            2,
            ("--run-dir", "empty", "--resume"),
            1,
            "empty: there is no run to resume (config.json is missing)",
        ),
    ],
)
def test_an_error_of_all_is_said_once(begin, tmp_path, number, arguments, status, text):
    process = begin(number, *arguments)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, "")  # torchrun's own
    assert errors.count(text) == 1
    assert not re.search(r"^process \d", errors, re.MULTILINE)
    assert f"exitcode  : {status} " in errors
    assert "mnist_helpers/" not in errors, "no traceback of ours"
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_changes_nothing(begin, alone, tmp_path):
    """Every process reads it, and one of them says what is wrong with it."""
    folder = shutil.copytree(alone, tmp_path / "run")
    content = bytearray((folder / "checkpoint.pt").read_bytes())
    content[len(content) // 2] ^= 4
    (folder / "checkpoint.pt").write_bytes(content)
    before = state(folder)
    process = begin(2, "--run-dir", folder, "--resume")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.count(f"{folder}/checkpoint.pt: damaged (a checksum in it is wrong)") == 1
    assert state(folder) == before


def test_other_commands_are_for_one_process(start):
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "mnist_helpers")
    process = start("check", code=torchrun)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.count("check: is for one process; leave out torchrun") == 1


def test_one_process_under_torchrun_is_one_without(start, alone, data_dir, tmp_path):
    settings = (*NO_DROPOUT, "--data-dir", data_dir, "--run-dir")
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1", "-m", "mnist_helpers")
    process = start("train", *settings, tmp_path / "with", code=torchrun)
    assert process.wait(timeout=60) == 0
    assert_same(tmp_path / "with", alone)
