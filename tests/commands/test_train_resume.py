"""``train --resume``: a run that was stopped, however that came, ends as one that never was."""

import os
import random
import re
import shlex
import shutil
import signal
from pathlib import Path

import pytest

from mnist_helpers.__main__ import main
from mnist_helpers.checkpoints import read_checkpoint

from ..support.programs import NO_NETWORK, command_line, flip_bit
from . import runs
from .runs import BATCHES, DROPOUT, QUICK, assert_same, count_rows, kill_at_random, log, one_line, place

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")

RUNS = {
    "dropout": (*DROPOUT, "--epochs", 4, "--checkpoint-every", 7),
    "Adam": (*QUICK, "--optimizer", "adam"),
    "no split": ("--network", "ThreeLayerNet", "--batch-size", 50, "--device", "cpu", "--epochs", 2),
}
SEED = 6  # of the random moments


@pytest.fixture(scope="module")
def unbroken(command, tmp_path_factory):
    """Give the folder of a run of RUNS that was never stopped."""
    folders = {}

    def give(name: str) -> Path:
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp("unbroken") / "run"
            done = command("train", *RUNS[name], "--run-dir", folders[name])
            assert done.returncode == 0, done.stderr
        return folders[name]

    return give


@pytest.fixture(scope="module")
def stopped(command, tmp_path_factory) -> Path:
    """The folder of a run that was killed with one epoch in its checkpoint and two in its table."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    done = command(3, "before", "train", *RUNS["Adam"], "--run-dir", folder, function=killed_at_save)
    assert done.returncode == -signal.SIGKILL
    return folder


def resume(command, folder: Path, *arguments) -> str:
    done = command("train", "--run-dir", folder, "--resume", *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def killed_at_save(number, moment, *arguments) -> None:
    """Run the command line, and kill it with no warning before or after its n-th save."""
    from mnist_helpers.running import resuming

    write, calls = resuming.write_state, []

    def write_or_die(*state):
        calls.append(1)
        if moment == "after":
            write(*state)
        if len(calls) == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
        if moment == "before":
            write(*state)

    resuming.write_state = write_or_die
    command_line(*arguments)


@pytest.mark.parametrize(
    ("name", "number", "status"), [("dropout", signal.SIGINT, 130), ("Adam", signal.SIGTERM, 143)]
)
def test_a_signal_leaves_a_run_to_resume(programs, unbroken, command, tmp_path, name, number, status):
    """At any moment, by the command that is printed; its folder needs quotes."""
    run, folder = programs.command("train", *RUNS[name], "--run-dir", "a run", pause=0.02), tmp_path / "a run"
    moment = random.randint(1, 2 * BATCHES - 14)
    print(f"stopped after {moment} rows")
    run.wait_for(lambda: count_rows(folder) >= moment)
    run.send_signal(number)
    run.wait()
    assert (run.returncode, run.stderr) == (status, "")
    assert log(folder) == run.stdout
    *_, stopped, printed = run.stdout.splitlines()
    assert printed == "python -m mnist_helpers train --run-dir 'a run' --resume"
    epochs, batches = map(int, re.match(r"Stopped after (\d+) epochs? and (\d+) batch", stopped).groups())
    assert place(folder) == (epochs, 32 * batches)

    done = command(*shlex.split(printed)[3:], cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert_same(folder, unbroken(name))
    assert log(folder).startswith(run.stdout)
    assert stopped.replace("Stopped", "resumed").partition(";")[0] in log(folder)
    assert len(runs.config(folder)["resumed"]) == 1


def test_a_signal_in_the_last_batch_waits_for_the_evaluation(programs, tmp_path):
    run = programs.command("train", *QUICK, "--run-dir", "run", pause=0.1)
    run.wait_for(lambda: count_rows(tmp_path / "run") == BATCHES)  # an evaluation, all batches but one
    run.send_signal(signal.SIGTERM)
    assert run.wait().returncode == 143
    assert "Stopped after 1 epoch and 0 batches; " in run.stdout
    assert [row["epoch"] for row in runs.rows(tmp_path / "run") if row["validation_loss"]] == ["0", "1"]
    assert place(tmp_path / "run") == (1, 0)


@pytest.mark.parametrize(
    ("number", "moment", "there"),
    [
        (1, "before", None),  # config.json is there, and no checkpoint
        (1, "after", (0, 0)),
        (2, "before", (0, 0)),  # the evaluation is in metrics.csv, and in no checkpoint
        (2, "after", (1, 0)),  # the curve is not drawn
        (3, "before", (1, 0)),
        (3, "after", (2, 0)),
    ],
)
def test_a_run_killed_at_a_save(command, unbroken, tmp_path, number, moment, there):
    folder = tmp_path / "run"
    run = ("train", *RUNS["no split"], "--run-dir", folder)
    assert command(number, moment, *run, function=killed_at_save).returncode == -signal.SIGKILL
    assert (place(folder) if there else (folder / "checkpoint.pt").exists() or None) == there
    output = resume(command, folder)
    assert ("resumed after 1 epoch and 0 batches" in output) == (there == (1, 0))
    assert_same(folder, unbroken("no split"))
    assert (folder / "loss_curve.png").exists()


def test_killed_ten_times_equals_never_stopped(programs, command, unbroken, tmp_path):
    folder, drawn = tmp_path / "run", random.Random(SEED)
    arguments = RUNS["dropout"]
    for _ in range(10):
        run = programs.command("train", *arguments, "--run-dir", folder, pause=0.01)
        kill_at_random([run], folder, drawn)
        assert not (folder / "checkpoint.pt").exists() or place(folder)[1] % (7 * 32) == 0
        arguments = ("--resume",)
    resume(command, folder)
    assert_same(folder, unbroken("dropout"))


def test_a_complete_run_stays_as_it_is(command, unbroken, tmp_path):
    folder = shutil.copytree(unbroken("Adam"), tmp_path / "run")
    before = runs.state(folder)
    output = resume(command, folder)
    assert "this run is complete, nothing is left to train; to train on, raise --epochs" in output
    assert "; accuracy on the test set " in output
    assert_same(folder, unbroken("Adam"))
    assert all(runs.state(folder)[name][0] == before[name][0] for name in ("checkpoint.pt", "loss_curve.png"))


def test_more_epochs_equal_a_longer_run_from_any_folder(command, unbroken, data_dir, tmp_path):
    """And the data are found again, though they were named by a path relative to where the run began."""
    (tmp_path / "here").mkdir()
    no_other = {**NO_NETWORK, "MNIST_DATA_DIR": str(tmp_path / "no data")}
    first = ("--epochs", 1, "--data-dir", os.path.relpath(data_dir, tmp_path / "here"), "--run-dir", "run")
    done = command("train", *RUNS["Adam"], *first, cwd=tmp_path / "here", variables=no_other)
    assert done.returncode == 0, done.stderr
    again = ("--run-dir", tmp_path / "here" / "run", "--resume", "--epochs", 2)
    done = command("train", *again, cwd=tmp_path, variables=no_other)
    assert done.returncode == 0, done.stderr
    assert "resumed after 1 epoch and 0 batches\n" in done.stdout
    assert_same(tmp_path / "here" / "run", unbroken("Adam"))


def test_the_learning_rate_of_a_resume(command, stopped, unbroken, tmp_path):
    """It is the saved one, until --lr names another, which is noted and kept."""

    def saved(folder):
        (group,) = read_checkpoint(folder / "checkpoint.pt")["optimizer"]["param_groups"]
        return group["lr"], runs.config(folder)["settings"]["lr"]

    folder = shutil.copytree(stopped, tmp_path / "run")
    assert "learning rate 0.001 until here, 0.5" in resume(command, folder, "--lr", 0.5)
    assert saved(folder) == (0.5, 0.5)
    assert log(folder).count("note: learning rate 0.001 until here, 0.5 from here on\n") == 1
    assert "until here" not in resume(command, folder, "--epochs", 3)
    assert saved(folder) == (0.5, 0.5)
    text = (folder / "config.json").read_text().replace('"lr": 0.5', '"lr": 0.25')
    (folder / "config.json").write_text(text)
    resume(command, folder, "--epochs", 4)
    assert saved(folder)[0] == 0.5


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("seconds", "seconds,more", 1).replace("\n", ",5\n"),
        lambda text: text.replace(",,,,", ",", 3),
        lambda text: "\0\xff\xfe" * 300,
        lambda text: text + "\0\n\udcff\udcfe,1,2\n",
        lambda text: text.replace(",", ";"),
        lambda text: text + "1,31,9",
        lambda text: text[: len(text) // 2],
        lambda text: None,
    ],
    ids=["more", "short", "binary", "binary end", "spreadsheet", "broken line", "half", "none"],
)
def test_a_damaged_table_is_written_anew(command, stopped, unbroken, tmp_path, damage):
    folder = shutil.copytree(stopped, tmp_path / "run")
    text = damage((folder / "metrics.csv").read_text(encoding="utf-8"))
    (folder / "metrics.csv").unlink()
    if text is not None:
        (folder / "metrics.csv").write_text(text, encoding="utf-8", errors="surrogateescape")
    resume(command, folder)
    assert_same(folder, unbroken("Adam"))


def test_a_damaged_checkpoint_is_left_alone(command, unbroken, tmp_path):
    folder = shutil.copytree(unbroken("Adam"), tmp_path / "run")
    flip_bit(folder / "checkpoint.pt")
    before = runs.state(folder)
    done = command("train", "--run-dir", folder, "--resume")
    line = one_line(done, 1, f"{folder / 'checkpoint.pt'}: damaged")
    for name in ("checkpoint.pt", "metrics.csv"):
        assert runs.state(folder)[name] == before[name]
    assert log(folder).endswith(f"ended by DamagedFile: {line}\n")


def print_handlers(*arguments) -> None:
    """Run the command line, and print whether the signals are handled as they were before."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    status = main(list(arguments))
    same = [signal.getsignal(number) for number in numbers] == before
    os.write(2, f"status {status}, as before: {same}\n".encode())


@pytest.mark.parametrize("world", [1, 2])
@pytest.mark.parametrize("stop", [False, True])
def test_signals_are_handled_as_before(programs, tmp_path, world, stop):
    arguments = ("train", *QUICK, "--run-dir", "run")
    started = programs.ranks(world, *arguments, function=print_handlers, pause=0.02)
    if stop:
        started[0].wait_for(lambda: count_rows(tmp_path / "run") > 3)
        started[-1].send_signal(signal.SIGINT)
    for run in started:
        assert run.wait().stderr == f"status {130 if stop else 0}, as before: True\n"
