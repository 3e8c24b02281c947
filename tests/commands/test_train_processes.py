"""``train`` by many processes: stopped, killed and resumed by another number of them, it ends as one."""

import os
import random
import re
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch

from mnist_helpers.checkpoints import read_checkpoint

from ..support.programs import flip_bit, torchrun
from .runs import (
    DROPOUT,
    QUICK,
    assert_same,
    config,
    count_rows,
    in_a_folder_of_its_own,
    kill_at_random,
    log,
    place,
    rows,
    state,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")

SAVES = ("--epochs", 4, "--checkpoint-every", 7)
RUNS = {"dropout": (*DROPOUT, *SAVES), "no dropout": (*QUICK, *SAVES)}  # 1,000 images: 8 x 4 batches and 8
SECONDS = 15  # in which a run whose process was killed has ended; torchrun alone would wait for 30
SEED = 6  # of the random moments


@pytest.fixture(scope="module")
def alone(command, tmp_path_factory) -> Path:
    """The folder of a run without dropout by one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    assert command("train", *RUNS["no dropout"], "--run-dir", folder).returncode == 0
    return folder


@pytest.fixture
def train(programs):
    """Train on two processes to the end; return what was printed."""

    def run(*arguments) -> str:
        first, second = programs.ranks(2, "train", *arguments)
        assert (first.wait().returncode, second.wait().returncode) == (0, 0), first.stderr + second.stderr
        assert (first.stderr, second.stderr, second.stdout) == ("", "", "")
        return first.stdout

    return run


def test_two_processes_killed_and_stopped_end_as_if_never_stopped(programs, train, tmp_path):
    """To the bit, with dropout; and nothing that one process writes is there twice."""
    output = train(*RUNS["dropout"], "--run-dir", tmp_path / "whole")
    assert log(tmp_path / "whole") == output
    assert "on 2 processes, each on cpu with 1 thread; seed 1" in output
    lines = output.splitlines()
    assert len(set(lines)) == len(lines), "each line is there once"
    keys = [(row["epoch"], row["step"], bool(row["train_loss"])) for row in rows(tmp_path / "whole")]
    assert len(keys) == 4 * 32 + 5 + 1
    assert len(set(keys)) == len(keys) - 1, "a row a batch or evaluation, and the test set's at the end"

    folder, drawn, arguments = tmp_path / "a run", random.Random(SEED), RUNS["dropout"]
    for _ in range(10):
        started = programs.ranks(2, "train", *arguments, "--run-dir", folder, pause=0.01)
        kill_at_random(started, folder, drawn)
        arguments = ("--resume",)
    started = programs.ranks(2, "train", "--resume", "--run-dir", folder, pause=0.02)
    started[0].wait_for(lambda: count_rows(folder) > 60)
    started[1].send_signal(signal.SIGINT)
    assert [each.wait().returncode for each in started] == [130, 130]
    stopped = re.search(r"Stopped (after (\d+) epochs? and (\d+) batch)", started[0].stdout)
    assert place(folder) == (int(stopped[2]), 32 * int(stopped[3]))
    assert f"resumed {stopped[1]}" in train("--run-dir", folder, "--resume")
    assert_same(folder, tmp_path / "whole")
    told = config(folder)
    assert [part["processes"] for part in (told["started"], *told["resumed"])] == [2] * 12


def test_the_first_process_alone_writes(programs, tmp_path):
    """Each stands in a folder of its own, and all name the run's by the same relative path."""
    started = programs.ranks(2, "train", *QUICK, "--run-dir", "run", function=in_a_folder_of_its_own)
    assert [each.wait().returncode for each in started] == [0, 0], started[1].stderr
    assert (tmp_path / "0" / "run" / "checkpoint.pt").is_file()
    assert list((tmp_path / "1").iterdir()) == []


def test_torchrun_and_a_process_that_is_lost(programs, tmp_path):
    """All ends soon, and Ctrl-C reaches both: all by torchrun, on all images."""
    folder, settings = tmp_path / "a run", (*DROPOUT, "--validation-size", 1000, "--checkpoint-every", 10)
    run = programs.spawn(torchrun(2), "train", *settings, "--run-dir", folder)
    run.wait_for(lambda: count_rows(folder) > 15)
    killed = time.monotonic()
    os.kill(run.children()[1], signal.SIGKILL)
    assert run.wait().returncode != 0
    assert time.monotonic() - killed < SECONDS
    said = f"another process of this run has ended; {folder}/checkpoint.pt holds the run as it was last saved"
    assert run.stderr.count(f"{said}: go on with --resume") == 1
    assert "RuntimeError" not in run.stderr
    assert log(folder).count("ended by LostProcess: another process of this run has ended") == 1
    assert place(folder)[1] % 320 == 0 < place(folder)[1]

    run = programs.spawn(torchrun(2), "train", "--run-dir", folder, "--resume")
    run.wait_for(lambda: "resumed after" in run.stdout and count_rows(folder) > 25)
    run.send_signal(signal.SIGINT)
    assert run.wait().returncode != 0
    assert "Stopped after 0 epochs and " in run.stdout
    start = "torchrun --standalone --local-addr localhost --nproc-per-node 2 -m mnist_helpers train"
    printed = f"{start} --run-dir '{folder}' --resume"
    assert run.stdout.splitlines()[-1] == printed


def test_a_run_changes_hands_between_two_processes_and_one(programs, train, alone, tmp_path):
    """Each time in the middle of an epoch; without dropout the result is that of one, but for rounding."""
    folder, arguments = tmp_path / "run", RUNS["no dropout"]
    for world, until in ((2, 5), (1, 70)):
        started = programs.ranks(world, "train", *arguments, "--run-dir", folder, pause=0.01)
        started[0].wait_for(lambda until=until: count_rows(folder) >= until)
        # To the second process alone: the first hears of it from the second, and both stop after one batch.
        started[-1].send_signal(signal.SIGTERM)
        assert [each.wait().returncode for each in started] == [143] * world
        assert "Stopped after " in started[0].stdout
        assert 0 < place(folder)[1] < 1000
        others = read_checkpoint(folder / "checkpoint.pt")["random"].get("others", [])
        assert len(others) == world - 1
        arguments = ("--resume",)
    output = train("--run-dir", folder, "--resume")
    assert "note: processes 1 then, 2 now; dropout masks differ from here on" in output
    assert "note: processes 2 then, 1 now" in log(folder)
    here, there = (read_checkpoint(each / "checkpoint.pt")["model"] for each in (folder, alone))
    # A hidden value within rounding of 0 passes ReLU in one run and not in another: some weights then differ
    # by up to 1e-4, and by a root mean square of 2e-6. One image left out of one batch makes that 1.3e-5.
    apart = torch.cat([(here[name] - weights).flatten() for name, weights in there.items()])
    assert apart.square().mean().sqrt() < 5e-6
    for row, expected in zip(rows(folder), rows(alone), strict=True):
        for name in ("epoch", "step", "images_seen"):
            assert row[name] == expected[name]
        for name in ("validation_loss", "test_loss"):
            assert float(row[name] or 0) == pytest.approx(float(expected[name] or 0), abs=1e-5)


def error_of_all(programs, world, status, *arguments) -> str:
    """Return the line with which a run ends: the first process says it, the others wait for torchrun."""
    first, *others = programs.ranks(world, *arguments)
    assert first.wait().returncode == status
    for other in others:
        other.send_signal(signal.SIGTERM)
        assert (other.wait().returncode, other.stdout, other.stderr) == (-signal.SIGTERM, "", "")
    (line,) = first.stderr.splitlines()
    return line


def test_an_error_of_all_is_said_once(programs, alone, tmp_path):
    line = error_of_all(programs, 3, 2, "train", "--batch-size", 64, "--device", "cpu")
    assert "argument --batch-size: batch_size is 64; for 3 processes it has to be divisible by 3" in line
    line = error_of_all(programs, 2, 1, "train", "--run-dir", "run", "--resume")
    assert line == "run: there is no run to resume (config.json is missing)"
    line = error_of_all(programs, 2, 2, "check")
    assert "check: is for one process; leave out torchrun" in line
    assert list(tmp_path.iterdir()) == []

    line = error_of_all(programs, 2, 1, "train", *QUICK, "--lr", 1e30, "--run-dir", "run")
    assert "--nproc-per-node 2 -m mnist_helpers train --run-dir run --resume --lr 1e+29" in line
    assert log(tmp_path / "run").endswith(f"ended by NotFiniteLoss: {line}\n")

    folder = shutil.copytree(alone, tmp_path / "damaged")
    flip_bit(folder / "checkpoint.pt")
    before = state(folder)
    line = error_of_all(programs, 2, 1, "train", "--run-dir", folder, "--resume")
    assert f"{folder}/checkpoint.pt: damaged (a checksum in it is wrong)" in line
    for name in ("checkpoint.pt", "metrics.csv"):
        assert state(folder)[name] == before[name]


def test_torchrun_says_an_error_once(programs, tmp_path):
    run = programs.spawn(torchrun(2), "train", "--lr", "fast").wait()
    assert (run.returncode, run.stdout) == (1, "")  # torchrun's own
    assert run.stderr.count("argument --lr: fast is not allowed; a number above 0") == 1
    assert not re.search(r"^process \d", run.stderr, re.MULTILINE)
    assert "exitcode  : 2 " in run.stderr
    assert "mnist_helpers/" not in run.stderr, "no traceback of ours"
    assert list(tmp_path.iterdir()) == []


def test_one_process_under_torchrun_is_one_without(programs, alone, tmp_path):
    (run,) = programs.ranks(1, "train", *RUNS["no dropout"], "--run-dir", "with")
    assert run.wait().returncode == 0
    assert_same(tmp_path / "with", alone)
