"""``train --resume``: a run that was stopped, however that came, ends as one that never was."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from mnist_helpers import make_loaders
from mnist_helpers.checkpoints import read_checkpoint
from mnist_helpers.commands.run_folder import Metrics, RunError

from ..package.runs import same
from ..package.test_command_line import NO_NETWORK
from .runs import BATCHES, QUICK, one_line, result, rows, state, wait_for, wait_for_rows

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")

EPOCHS = ("--epochs", 2, "--log-interval", 7)
# A kill finds the row of a batch in metrics.csv whose step no checkpoint has: every other row is one.
SAVES = ("--epochs", 1, "--log-interval", 10, "--checkpoint-every", 20)
RUNS = {
    "dropout": ("--network", "Net", *QUICK[2:], *SAVES),
    "Adam": (*QUICK, "--optimizer", "adam", *EPOCHS),
    "no split": ("--network", "ThreeLayerNet", "--batch-size", 1100, "--device", "cpu", *EPOCHS),
}
ROWS = {"dropout": 32, "Adam": 2 * 45}  # of metrics.csv, without those of the evaluations
NO_SPLIT_BATCHES = 55

# Runs the command line, and kills it with no warning before or after its n-th save.
KILLED = """
import os, signal, sys
from mnist_helpers.__main__ import main
from mnist_helpers import resuming
number, after = int(sys.argv[1]), sys.argv[2] == "after"
save, done = resuming.save_checkpoint, []
def save_or_die(*arguments, **more):
    done.append(1)
    if after:
        save(*arguments, **more)
    if len(done) == number:
        os.kill(os.getpid(), signal.SIGKILL)
    if not after:
        save(*arguments, **more)
resuming.save_checkpoint = save_or_die
sys.exit(main(sys.argv[3:]))
"""


@pytest.fixture(scope="module")
def unbroken(command, data_dir, tmp_path_factory):
    """Give the folder of a run of RUNS that was never stopped."""
    folders = {}

    def give(name: str) -> Path:
        if name not in folders:
            folder = tmp_path_factory.mktemp("unbroken") / "run"
            done = command("train", *RUNS[name], "--data-dir", data_dir, "--run-dir", folder)
            assert done.returncode == 0, done.stderr
            folders[name] = folder
        return folders[name]

    return give


@pytest.fixture
def begin(start, data_dir, tmp_path):
    """Start a run of RUNS in a folder whose name needs quotes; return the process and the folder."""

    def run(name: str):
        process = start("train", *RUNS[name], "--data-dir", data_dir, "--run-dir", "a run")
        return process, tmp_path / "a run"

    return run


def random_rows(first: int, last: int) -> int:
    """After how many rows of metrics.csv a run is stopped. Printed, so that a failure can be repeated."""
    number = random.randint(first, last)
    print(f"stopped after {number} rows")
    return number


def assert_same(folder: Path, other: Path) -> None:
    one, two = result(folder), result(other)
    assert one["metrics"] == two["metrics"]
    for part in one["checkpoint"]:
        assert same(one["checkpoint"][part], two["checkpoint"][part]), part
    seconds = [float(row["seconds"]) for row in rows(folder)]
    assert seconds == sorted(seconds)


def resume(command, folder: Path, *arguments):
    done = command("train", "--run-dir", folder, "--resume", *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


@pytest.mark.parametrize(
    ("name", "number", "status"), [("dropout", signal.SIGINT, 130), ("Adam", signal.SIGTERM, 143)]
)
def test_a_signal_leaves_a_run_to_resume(begin, unbroken, environment, tmp_path, name, number, status):
    expected = unbroken(name)
    process, folder = begin(name)
    wait_for_rows(folder, random_rows(2, ROWS[name] - 4), process)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (status, "")
    assert (folder / "stdout.log").read_text(encoding="utf-8") == output
    *_, stopped, command = output.splitlines()
    assert command == "python -m mnist_helpers train --run-dir 'a run' --resume"
    checkpoint = read_checkpoint(folder / "checkpoint.pt")
    epochs, batches = re.match(r"Stopped after (\d+) epochs? and (\d+) batch", stopped).groups()
    assert (checkpoint["epoch"], checkpoint["step"]) == (int(epochs), int(batches))

    done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, timeout=90, check=False)
    assert done.returncode == 0
    assert_same(folder, expected)
    log = (folder / "stdout.log").read_text(encoding="utf-8")
    assert log.startswith(output)
    assert stopped.replace("Stopped", "resumed").partition(";")[0] in log
    assert len(json.loads((folder / "config.json").read_text(encoding="utf-8"))["resumed"]) == 1


def test_a_run_killed_between_two_checkpoints(command, begin, unbroken):
    expected = unbroken("dropout")
    process, folder = begin("dropout")
    wait_for_rows(folder, random_rows(5, ROWS["dropout"] - 4), process)
    process.kill()
    process.wait()
    assert read_checkpoint(folder / "checkpoint.pt")["step"] in {*range(0, BATCHES, 20), BATCHES}
    resume(command, folder)
    assert_same(folder, expected)


def test_a_run_killed_before_its_first_checkpoint_of_a_batch(command, begin, unbroken):
    """And in the middle of a line. The checkpoint that is there is that of the beginning."""
    expected = unbroken("Adam")
    process, folder = begin("Adam")
    wait_for_rows(folder, random_rows(1, 30), process)
    process.kill()
    process.wait()
    there = read_checkpoint(folder / "checkpoint.pt")
    assert (there["epoch"], there["step"]) == (0, 0)
    with open(folder / "metrics.csv", "a", encoding="utf-8") as file:
        file.write("1,310,99")
    assert "resumed after" not in resume(command, folder)
    assert_same(folder, expected)


def test_a_run_killed_as_soon_as_it_has_a_folder(start, begin):
    process, folder = begin("Adam")
    wait_for((folder / "config.json").exists, process)
    process.kill()
    process.wait()
    resumed = start("train", "--run-dir", folder, "--resume")
    assert resumed.stdout.readline().startswith("ThreeLayerNet, 266,610 parameters, on ")


@pytest.mark.parametrize(
    ("number", "moment", "epoch", "step"),
    [
        # The first saving is that of the beginning.
        (2, "after", 0, NO_SPLIT_BATCHES),  # all batches are done, the evaluation is not
        (3, "before", 0, NO_SPLIT_BATCHES),  # the evaluation is in metrics.csv, and in no checkpoint
    ],
)
def test_a_run_killed_at_the_end_of_an_epoch(
    command, start, unbroken, data_dir, tmp_path, number, moment, epoch, step
):
    folder = tmp_path / "run"
    arguments = ("train", *RUNS["no split"], "--data-dir", data_dir, "--run-dir", folder)
    process = start(number, moment, *arguments, code=("-c", KILLED))
    process.communicate(timeout=90)
    assert process.returncode == -signal.SIGKILL
    checkpoint = read_checkpoint(folder / "checkpoint.pt")
    assert (checkpoint["epoch"], checkpoint["step"]) == (epoch, step)
    resume(command, folder)
    assert_same(folder, unbroken("no split"))
    assert (folder / "loss_curve.png").exists()


def test_a_complete_run_stays_as_it_is(command, unbroken, tmp_path):
    folder = shutil.copytree(unbroken("Adam"), tmp_path / "run")
    before = state(folder)
    output = resume(command, folder)
    assert "this run is complete, nothing is left to train; to train on, raise --epochs" in output
    assert "; accuracy on the test set " in output
    assert_same(folder, unbroken("Adam"))
    for name in ("checkpoint.pt", "loss_curve.png"):
        assert state(folder)[name] == before[name]


def test_more_epochs_equal_a_longer_run_from_any_folder(command, unbroken, data_dir, tmp_path):
    """And the data are found again, though they were named by a path relative to where the run began."""
    (tmp_path / "here").mkdir()
    relative = os.path.relpath(data_dir, tmp_path / "here")
    no_other = {**NO_NETWORK, "MNIST_DATA_DIR": str(tmp_path / "no data")}
    one_epoch = [*RUNS["Adam"], "--epochs", 1, "--data-dir", relative, "--run-dir", "run"]
    done = command("train", *one_epoch, cwd=tmp_path / "here", **no_other)
    assert done.returncode == 0, done.stderr
    arguments = ("--run-dir", tmp_path / "here" / "run", "--resume", "--epochs", 2)
    done = command("train", *arguments, cwd=tmp_path, **no_other)
    assert done.returncode == 0, done.stderr
    assert "resumed after 1 epoch and 0 batches\n" in done.stdout
    assert_same(tmp_path / "here" / "run", unbroken("Adam"))


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (("--lr", 0.5), ("argument --lr", "0.001, not 0.5")),
        (("--network", "Net"), ("argument --network", "ThreeLayerNet, not Net")),
        (("--seed", 2), ("argument --seed",)),
        (("--epochs", 1), ("argument --epochs", "2 epochs")),
    ],
)
def test_a_setting_that_changed_is_refused(command, unbroken, arguments, fragments):
    folder = unbroken("Adam")
    before = state(folder)
    one_line(command("train", "--run-dir", folder, "--resume", *arguments), 2, *fragments)
    assert state(folder) == before


def test_a_resume_where_nothing_is(command, tmp_path):
    done = command("train", "--run-dir", tmp_path / "nothing", "--resume")
    one_line(done, 1, "nothing: there is no run to resume (config.json is missing)")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_changes_nothing(command, unbroken, tmp_path):
    folder = shutil.copytree(unbroken("Adam"), tmp_path / "run")
    path = folder / "checkpoint.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    before = state(folder)
    one_line(command("train", "--run-dir", folder, "--resume"), 1, str(path))
    assert state(folder) == before


@pytest.mark.parametrize(
    ("name", "old", "new", "fragments"),
    [
        ("config.json", '"lr": 0.001', '"lr": "fast"', ("config.json: argument --lr: fast",)),
        ("config.json", '"network": "ThreeLayerNet"', '"network": "Foo"', ("argument --network", "Foo")),
        ("config.json", '"seed": 1,', "", ("config.json: seed missing",)),
        ("config.json", '"settings"', '"setting"', ("is not the config.json of a run",)),
        ("config.json", "{", "[", ("config.json: cannot be read",)),
    ],
)
def test_a_file_changed_by_hand(command, unbroken, tmp_path, name, old, new, fragments):
    folder = shutil.copytree(unbroken("Adam"), tmp_path / "run")
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    before = state(folder)
    one_line(command("train", "--run-dir", folder, "--resume"), 1, *fragments)
    assert state(folder) == before


def test_metrics_saved_by_a_spreadsheet(unbroken, data_dir, tmp_path):
    text = (unbroken("Adam") / "metrics.csv").read_text(encoding="utf-8").replace(",", ";")
    path = tmp_path / "metrics.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=r"metrics\.csv: cannot be read"):
        Metrics(path, make_loaders(data_dir=data_dir).train).cut(626, 3, without_test=True)
    assert path.read_text(encoding="utf-8") == text
