"""``train``: what it prints, the folder that it leaves, and how it ends where it cannot go on."""

import os
import re
import shutil
import signal
import struct
import subprocess

import matplotlib.image
import pytest
import torch

from mnist_helpers import ThreeLayerNet, evaluate, load_checkpoint, make_loaders
from mnist_helpers.running import run_folder

from ..support.programs import COMMAND, NO_NETWORK, Programs
from .runs import BATCHES, DROPOUT, QUICK, config, count_rows, log, one_line, place, rows, state

COLUMNS = (
    "epoch,step,images_seen,train_loss,validation_loss,validation_accuracy,test_loss,test_accuracy,seconds"
)
FILES = {"config.json", "stdout.log", "metrics.csv", "checkpoint.pt", "loss_curve.png"}
not_on_windows = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals, pipes, terminals")


@pytest.fixture(scope="module")
def finished(env, tmp_path_factory):
    """(folder, process) of two epochs on all images, started as a reader does; the last batch is short."""
    folder = tmp_path_factory.mktemp("runs") / "of a student" / "first"
    programs = Programs(tmp_path_factory.mktemp("output"), folder.parents[1], env)
    arguments = ("--network", "ThreeLayerNet", "--batch-size", 1100, "--epochs", 2, "--lr", 0.1)
    done = programs.spawn(COMMAND, "train", *arguments, "--device", "cpu", "--run-dir", folder).wait(900)
    programs.close()
    assert (done.returncode, done.stderr) == (0, "")
    return folder, done


def test_the_files_of_a_run(finished):
    folder, done = finished
    assert {path.name for path in folder.iterdir()} - {".lock"} == FILES
    assert log(folder) == done.stdout
    lines = done.stdout.splitlines()
    assert lines[0] == "ThreeLayerNet, 266,610 parameters, on cpu with 1 thread; seed 1"
    assert "epoch 2, batch 50 of 55: training loss" in done.stdout
    assert 5 <= sum(line.startswith("epoch 1, batch ") for line in lines) <= 12
    assert lines[-1] == f"More: python -m mnist_helpers evaluate '{folder / 'checkpoint.pt'}'"


def test_config(finished, data_dir, root):
    told = config(finished[0])
    assert (told["settings"]["lr"], told["settings"]["momentum"]) == (0.1, 0.5)
    started = told["started"]
    assert started["command"][:3] == ["train", "--network", "ThreeLayerNet"]
    assert (started["device"], started["threads"], started["processes"]) == ("cpu", 1, 1)
    assert started["versions"]["torch"] == torch.__version__
    assert {"python", "torchvision", "numpy", "mnist-notebooks"} <= started["versions"].keys()
    assert started["data_dir"] == str(data_dir), "where the data were found, though no option named it"
    head = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True)
    assert head.returncode or started["course"]["commit"] == head.stdout.strip()
    assert told["resumed"] == []


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_of_the_course(tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder, "COURSE", tmp_path)
    assert run_folder.course_commit() == {"commit": None, "files_differ": None}
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for words in (("init", "-q"), ("commit", "-q", "--allow-empty", "-m", "one")):
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, capture_output=True, text=True)
    assert run_folder.course_commit() == {"commit": head.stdout.strip(), "files_differ": False}
    (tmp_path / "new.py").touch()
    assert run_folder.course_commit() == {"commit": head.stdout.strip(), "files_differ": True}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_folder.course_commit() == {"commit": None, "files_differ": None}


def test_metrics(finished):
    folder, done = finished
    assert (folder / "metrics.csv").read_text(encoding="utf-8").splitlines()[0] == COLUMNS
    assert b"\r" not in (folder / "metrics.csv").read_bytes()
    found = rows(folder)
    logged = [row for row in found if row["train_loss"]]
    # 55 batches an epoch, the last of 600 images; a row is of the moment before its batch is trained.
    expected = [(e, (e - 1) * 55 + b, (e - 1) * 60_000 + b * 1100) for e in (1, 2) for b in range(0, 55, 10)]
    assert [tuple(int(row[c]) for c in ("epoch", "step", "images_seen")) for row in logged] == expected
    evaluated = [row for row in found if row["test_loss"]]
    where = [(row["epoch"], row["step"], row["images_seen"]) for row in evaluated]
    assert where == [("0", "0", "0"), ("1", "55", "60000"), ("2", "110", "120000")]
    assert len(found) == len(logged) + len(evaluated)
    assert all(row["validation_loss"] == row["validation_accuracy"] == "" for row in found)
    assert all(row["test_loss"] == row["test_accuracy"] == "" for row in logged)
    seconds = [float(row["seconds"]) for row in found]
    assert seconds == sorted(seconds)
    printed = re.findall(r"test loss ([\d.]+), test accuracy ([\d.]+)%", done.stdout)
    measured = [(float(row["test_loss"]), 100 * float(row["test_accuracy"])) for row in evaluated]
    assert [(f"{loss:.4f}", f"{accuracy:.2f}") for loss, accuracy in measured] == printed


def test_the_curve_and_the_checkpoint(finished, data_dir):
    """The one shows lines, and the other has the accuracy that was printed."""
    folder, done = finished
    pixels = matplotlib.image.imread(folder / "loss_curve.png")[..., :3]
    assert min(pixels.shape[:2]) > 400
    blue = (abs(pixels - [0, 0x72 / 255, 0xB2 / 255]) < 0.1).all(axis=-1)  # of the training loss
    red = (abs(pixels - [0xD5 / 255, 0x5E / 255, 0]) < 0.1).all(axis=-1)  # of the test loss
    assert (blue.sum() > 500, red.sum() > 200) == (True, True)
    network = ThreeLayerNet()
    load_checkpoint(folder / "checkpoint.pt", network)
    assert place(folder) == (2, 0)
    _, accuracy = evaluate(network, make_loaders(data_dir=data_dir).test)
    assert accuracy > 0.85
    assert f"; accuracy on the test set {accuracy:.2%}\n" in done.stdout.partition("2 epochs in ")[2]


def test_a_validation_split_opens_the_test_set_once(programs, tmp_path):
    """And the lines are there while the run goes on; and the other optimizer."""
    run = programs.command("train", *QUICK, "--optimizer", "adam", "--run-dir", "here", pause=0.03)
    run.wait_for(lambda: "epoch 0: validation" in run.stdout)
    assert not (tmp_path / "here" / "loss_curve.png").exists(), "the line came late"
    run.wait()
    assert (run.returncode, run.stderr) == (0, "")
    assert "adam, learning rate 0.001\n" in run.stdout
    assert "1,000 training images, 2 epochs, batches of 32" in run.stdout
    assert "test" not in run.stdout.replace("accuracy on the test set", "", 1)
    *found, last = rows(tmp_path / "here")
    assert not any(row["test_loss"] or row["test_accuracy"] for row in found)
    assert [row["epoch"] for row in found if row["validation_accuracy"]] == ["0", "1", "2"]
    assert last["validation_loss"] == last["train_loss"] == ""
    assert (last["epoch"], last["step"], last["images_seen"]) == ("2", str(2 * BATCHES), "2000")
    assert f"accuracy on the test set {float(last['test_accuracy']):.2%}" in run.stdout


@pytest.mark.parametrize(
    ("network", "optimizer", "parameters"),
    [
        *[("Net", "sgd", "21,840"), ("WideNet", "sgd", "1,199,882")],
        *[("ConvNet", "adam", "1,007,590"), ("FastNet", "sgd", "29,434")],
    ],
)
def test_each_network_starts(programs, network, optimizer, parameters):
    arguments = ("--network", network, "--optimizer", optimizer, "--batch-size", 60_000)
    run = programs.command("train", *arguments, "--run-dir", "run")
    run.wait_for(lambda: run.stdout.count("\n") > 1)
    assert run.stdout.startswith(f"{network}, {parameters} parameters, on ")
    assert f"batches of 60000; {optimizer}, " in run.stdout


def test_what_a_folder_may_not_hold(here, finished, tmp_path):
    before = state(finished[0])
    one_line(here("train", "--run-dir", finished[0]), 2, "argument --run-dir", "go on with it by --resume")
    assert state(finished[0]) == before
    (tmp_path / "thesis.txt").write_text("chapter 1", encoding="utf-8")
    line = one_line(here("train", "--run-dir", tmp_path), 2, "argument --run-dir", "holds other files")
    assert "--resume" not in line
    one_line(here("train", "--run-dir", tmp_path / "thesis.txt"), 2, "argument --run-dir", "is a file")
    one_line(here("train", "--run-dir", ".", "--resume"), 1, "config.json is missing")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_empty_folder_is_free_and_belongs_to_one_process(command, here, programs, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    first = programs.command("train", "--run-dir", folder, pause=0.05)
    first.wait_for((folder / "metrics.csv").exists)
    one_line(here("train", "--run-dir", folder), 2, "argument --run-dir", str(folder), "--resume")
    second = command("train", "--run-dir", folder, "--resume")
    one_line(second, 1, str(folder), "another process is training in it")
    assert first.returncode is None


def test_of_two_that_start_at_once_one_trains(programs, tmp_path):
    both = [programs.command("train", *QUICK, "--run-dir", "run") for _ in range(2)]
    one, other = sorted(both, key=lambda process: process.wait().returncode)
    assert one.returncode == 0
    one_line(other, other.returncode, "run")
    assert other.returncode in (1, 2)
    assert [row["epoch"] for row in rows(tmp_path / "run") if row["validation_loss"]] == ["0", "1", "2"]


def test_a_folder_that_cannot_be_made(command, tmp_path):
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "run"
    one_line(command("train", "--run-dir", folder), 1, str(folder), "cannot be used")


def test_without_data_no_folder_is_left(command, tmp_path):
    arguments = ("--data-dir", tmp_path / "no data", "--run-dir", tmp_path / "run")
    done = command("train", *arguments, cwd=tmp_path, variables=NO_NETWORK)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "train-images-idx3-ubyte" in done.stderr
    assert "MNIST_DATA_DIR" in done.stderr
    assert not (tmp_path / "run").exists()


@not_on_windows
def test_a_full_disk_ends_with_one_line(command, tmp_path):
    """Which is in the log, too."""
    folder = tmp_path / "run"
    line = one_line(
        command("train", *QUICK, "--run-dir", folder, file_size=100_000), 1, "checkpoint.pt: not saved"
    )
    assert {path.name for path in folder.iterdir()} == {"config.json", "stdout.log", "metrics.csv", ".lock"}
    assert log(folder).endswith(f"ended by CheckpointError: {line}\n")


def test_a_loss_that_is_not_finite(command, tmp_path):
    """The reason and the curve are kept, and the command that the message names goes on."""
    folder = tmp_path / "a run"
    done = command("train", *DROPOUT, "--lr", 1e30, "--run-dir", folder)
    line = one_line(done, 1, "epoch 1, batch ", "the training loss is not finite")
    assert f"python -m mnist_helpers train --run-dir '{folder}' --resume --lr 1e+29" in line
    assert log(folder).endswith(f"ended by NotFiniteLoss: {line}\n")
    assert {path.name for path in folder.iterdir()} - {".lock", "snapshots.pt"} == FILES
    assert place(folder) == (0, 0)
    done = command("train", "--run-dir", folder, "--resume", "--lr", 0.01)
    assert (done.returncode, done.stderr) == (0, "")
    assert "note: learning rate 1e+30 until here, 0.01 from here on\n" in log(folder)
    assert config(folder)["settings"]["lr"] == 0.01


def on_terminal(programs, *arguments, key, after: bytes, times: int) -> tuple[bytes, int]:
    """Run on a terminal 80 columns wide, press ``key`` when it has shown ``after`` so often; return all."""
    import fcntl
    import pty
    import termios

    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    # A process group of its own whose terminal this is, so that Ctrl-C reaches it as it does a reader's.
    code = "import os, sys, fcntl, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    code += "os.execv(sys.executable, [sys.executable, '-m', 'mnist_helpers', *sys.argv[1:]])"
    pipes = {"stdin": inside, "stdout": inside, "stderr": inside}
    process = programs.spawn((COMMAND[0], "-c", code), *arguments, **pipes)
    os.close(inside)
    shown = b""
    try:
        while piece := os.read(terminal, 4096):
            shown += piece
            if key and shown.count(after) == times:
                os.write(terminal, key)
                key = None
    except OSError:  # Linux's way of saying that nobody has the terminal open any more
        pass
    os.close(terminal)
    return shown, process.wait(30).returncode


@not_on_windows
def test_on_a_terminal_there_is_a_bar_that_ctrl_c_clears(programs, tmp_path):
    arguments = ("train", *QUICK[:-1], 7, "--validation-size", 50_000, "--epochs", 9, "--run-dir", "run")
    shown, status = on_terminal(programs, *arguments, key=b"\x03", after=b"| 0/313 [", times=2)
    assert status == 130
    assert b"\r\nepoch 0: validation loss" in shown
    assert b", batch 31 of 313:" not in shown
    end = shown.rpartition(b"\r")[0].rpartition(b"Stopped after 1 epoch")[0]
    assert end.endswith(b" \r"), "the message must begin where the bar was"
    written = (tmp_path / "run" / "stdout.log").read_bytes()
    assert b"\r" not in written
    assert b"epoch 1, batch 62 of 313: training loss" in written
    assert written.endswith(b"python -m mnist_helpers train --run-dir run --resume\n")


@not_on_windows
def test_a_reader_that_ends_does_not_end_the_run(programs, tmp_path):
    """``train | tee log`` and Ctrl-C: both get the signal, and tee is gone first."""
    os.mkfifo(tmp_path / "pipe")
    run = programs.command("train", *QUICK, "--run-dir", "run", stdout=tmp_path / "pipe", pause=0.05)
    os.close(os.open(tmp_path / "pipe", os.O_RDONLY))
    run.wait_for(lambda: count_rows(tmp_path / "run") > 5)
    run.send_signal(signal.SIGINT)
    run.wait()
    assert (run.returncode, run.stderr) == (130, "")
    assert "--run-dir run --resume\n" in log(tmp_path / "run")


def test_help_and_a_mistake_need_no_torch(programs, env, tmp_path):
    for package in ("torch", "torchvision", "matplotlib", "numpy"):
        (tmp_path / f"{package}.py").write_text("raise SystemExit('too early')\n", encoding="utf-8")
    env = {**env, "PYTHONPATH": os.pathsep.join([str(tmp_path), env["PYTHONPATH"]])}
    names = ("", "check", "fetch", "train", "evaluate", "predict")
    started = [programs.spawn(COMMAND, *filter(None, [name, "--help"]), env=env) for name in names]
    mistake = programs.spawn(COMMAND, "train", "--lr", 0, env=env)
    for name, done in zip(names, started, strict=True):
        assert (done.wait().returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"usage: python -m mnist_helpers {name}")
    one_line(mistake.wait(), 2, "argument --lr: 0 is not allowed; a number above 0")
