"""``train``: its arguments, what it prints, and the folder that it leaves."""

import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.image
import pytest
import torch
from torch.utils.data import DataLoader

from mnist_helpers import ThreeLayerNet, evaluate, load_checkpoint, make_loaders
from mnist_helpers.commands.run_folder import Metrics

from ..package.test_command_line import NO_NETWORK
from .runs import BATCHES, QUICK, one_line, rows, state, wait_for

COLUMNS = (
    "epoch,step,images_seen,train_loss,validation_loss,validation_accuracy,test_loss,test_accuracy,seconds"
)
SPEC = ("--batch-size", 64, "--test-batch-size", 1000, "--epochs", 10, "--lr", 0.01, "--momentum", 0.5)
not_on_windows = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals and terminals")


@pytest.fixture(scope="module")
def finished(command, data_dir, tmp_path_factory):
    """(folder, CompletedProcess) of two epochs without a validation split; the last batch is a short one."""
    folder = tmp_path_factory.mktemp("runs") / "of a student" / "first"
    arguments = ("--network", "ThreeLayerNet", "--batch-size", 1100, "--epochs", 2, "--lr", 0.1)
    done = command("train", *arguments, "--device", "cpu", "--data-dir", data_dir, "--run-dir", folder)
    assert done.returncode == 0, done.stderr
    return folder, done


def settings(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))["settings"]


def test_the_five_arguments_are_the_defaults(start, data_dir, tmp_path):
    for name, arguments in (("given", SPEC), ("left out", ())):
        process = start("train", *arguments, "--data-dir", data_dir, "--run-dir", tmp_path / name)
        assert process.stdout.readline().startswith("Net, 21,840 parameters, on ")
        process.kill()
    given, left_out = settings(tmp_path / "given"), settings(tmp_path / "left out")
    assert given == left_out
    values = {"batch_size": 64, "test_batch_size": 1000, "epochs": 10, "lr": 0.01, "momentum": 0.5}
    values |= {"network": "Net", "optimizer": "sgd", "validation_size": 0, "seed": 1, "device": "auto"}
    values |= {"log_interval": 10, "checkpoint_every": 0, "data_dir": str(data_dir)}
    assert given == values


def test_the_files_of_a_run(finished):
    folder, done = finished
    names = {path.name for path in folder.iterdir()} - {".lock"}
    assert names == {"config.json", "stdout.log", "metrics.csv", "checkpoint.pt", "loss_curve.png"}
    assert done.stderr == ""
    assert (folder / "stdout.log").read_text(encoding="utf-8") == done.stdout
    lines = done.stdout.splitlines()
    assert lines[0] == "ThreeLayerNet, 266,610 parameters, on cpu with 1 thread; seed 1"
    assert "epoch 2, batch 50 of 55: training loss" in done.stdout
    progress = [line for line in lines if line.startswith("epoch 1, batch ")]
    assert 5 <= len(progress) <= 12
    assert lines[-1] == f"More: python -m mnist_helpers evaluate '{folder / 'checkpoint.pt'}'"


def test_config(finished):
    config = json.loads((finished[0] / "config.json").read_text(encoding="utf-8"))
    assert config["settings"]["lr"] == 0.1
    assert config["settings"]["momentum"] == 0.5
    started = config["started"]
    assert started["command"][:3] == ["train", "--network", "ThreeLayerNet"]
    assert (started["device"], started["threads"]) == ("cpu", 1)
    assert started["versions"]["torch"] == torch.__version__
    assert {"python", "torchvision", "numpy", "mnist-notebooks"} <= started["versions"].keys()
    assert config["resumed"] == []


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


def test_the_curve_shows_lines(finished):
    pixels = matplotlib.image.imread(finished[0] / "loss_curve.png")[..., :3]
    assert min(pixels.shape[:2]) > 400
    blue = (abs(pixels - [0, 0x72 / 255, 0xB2 / 255]) < 0.1).all(axis=-1)  # of the training loss
    red = (abs(pixels - [0xD5 / 255, 0x5E / 255, 0]) < 0.1).all(axis=-1)  # of the test loss
    assert blue.sum() > 500
    assert red.sum() > 200


def test_the_checkpoint_has_the_accuracy_that_was_printed(finished, data_dir):
    folder, done = finished
    network = ThreeLayerNet()
    checkpoint = load_checkpoint(folder / "checkpoint.pt", network)
    assert (checkpoint["epoch"], checkpoint["step"]) == (2, 0)
    _, accuracy = evaluate(network, make_loaders(data_dir=data_dir).test)
    assert accuracy > 0.85
    assert "2 epochs in " in done.stdout
    assert f"; accuracy on the test set {accuracy:.2%}\n" in done.stdout


def test_a_validation_split_opens_the_test_set_once(start, data_dir, tmp_path):
    """And the lines are on the pipe while the run goes on; and the other optimizer."""
    arguments = (*QUICK, "--optimizer", "adam", "--epochs", 1, "--data-dir", data_dir)
    process = start("train", *arguments, "--run-dir", "here")
    output = ""
    while "epoch 0: validation" not in output:
        output += process.stdout.readline()
    assert not (tmp_path / "here" / "loss_curve.png").exists(), "the lines came late"
    rest, errors = process.communicate(timeout=90)
    assert (process.returncode, errors) == (0, "")
    assert "adam, learning rate 0.001\n" in output
    assert "10,000 training images, 1 epoch, batches of 32" in output
    assert "test" not in (output + rest).replace("accuracy on the test set", "", 1)
    *found, last = rows(tmp_path / "here")
    assert not any(row["test_loss"] or row["test_accuracy"] for row in found)
    assert [row["epoch"] for row in found if row["validation_accuracy"]] == ["0", "1"]
    assert last["validation_loss"] == last["train_loss"] == ""
    assert (last["epoch"], last["step"], last["images_seen"]) == ("1", str(BATCHES), "10000")
    assert f"accuracy on the test set {float(last['test_accuracy']):.2%}" in rest


@pytest.mark.parametrize(
    ("network", "optimizer", "parameters"),
    [("WideNet", "sgd", "1,199,882"), ("ConvNet", "adam", "1,007,590"), ("FastNet", "sgd", "18,426")],
)
def test_each_network_starts(start, data_dir, tmp_path, network, optimizer, parameters):
    arguments = ("--network", network, "--optimizer", optimizer, "--batch-size", 60_000)
    process = start("train", *arguments, "--data-dir", data_dir, "--run-dir", tmp_path / "run")
    assert process.stdout.readline().startswith(f"{network}, {parameters} parameters, on ")
    assert f"batches of 60000; {optimizer}, " in process.stdout.readline()


def test_an_existing_run_is_refused(command, finished):
    folder, _ = finished
    before = state(folder)
    one_line(
        command("train", "--run-dir", folder, seconds=20), 2, "argument --run-dir", str(folder), "--resume"
    )
    assert state(folder) == before


def test_a_folder_with_anything_in_it_is_refused(command, tmp_path):
    (tmp_path / "thesis.txt").write_text("chapter 1", encoding="utf-8")
    one_line(command("train", "--run-dir", tmp_path, seconds=20), 2, "argument --run-dir", "exists")
    one_line(command("train", "--run-dir", tmp_path / "thesis.txt"), 2, "argument --run-dir", "is a file")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_empty_folder_is_free_and_belongs_to_one_process(command, start, data_dir, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    first = start("train", "--data-dir", data_dir, "--run-dir", folder)
    wait_for((folder / "metrics.csv").exists, first)
    one_line(command("train", "--run-dir", folder, seconds=20), 2, "argument --run-dir")
    second = command("train", "--run-dir", folder, "--resume")
    one_line(second, 1, str(folder), "another process is training in it")
    assert first.poll() is None


def test_of_two_that_start_at_once_one_trains(start, data_dir, tmp_path):
    arguments = ("train", *QUICK, "--epochs", 1, "--data-dir", data_dir, "--run-dir", tmp_path / "run")
    both = [start(*arguments), start(*arguments)]
    ends = [(process.communicate(timeout=90), process.returncode) for process in both]
    refused = [(errors, status) for (_, errors), status in ends if status != 0]
    assert len(refused) == 1, ends
    ((errors, status),) = refused
    assert status in (1, 2)
    assert len(errors.splitlines()) == 1
    assert [row["epoch"] for row in rows(tmp_path / "run") if row["validation_loss"]] == ["0", "1"]


def test_a_folder_that_cannot_be_made(command, data_dir, tmp_path):
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "run"
    done = command("train", "--data-dir", data_dir, "--run-dir", folder)
    one_line(done, 1, str(folder), "cannot be used")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of files")
def test_a_full_disk_ends_with_one_line(environment, data_dir, tmp_path):
    import resource

    done = subprocess.run(
        [sys.executable, "-m", "mnist_helpers", "train", *map(str, QUICK), "--run-dir", "run"],
        env={**environment, "MNIST_DATA_DIR": str(data_dir)},
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        capture_output=True,
        text=True,
        timeout=90,
    )
    one_line(done, 1, "checkpoint.pt: not saved")
    assert {path.name for path in (tmp_path / "run").iterdir()} <= {
        *("config.json", "stdout.log", "metrics.csv", ".lock")
    }


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        *((("--lr", value), "--lr") for value in ("0", "-1", "nan", "inf", "abc", "")),
        *((("--epochs", value), "--epochs") for value in ("0", "2.5", "-3")),
        (("--batch-size", "0"), "--batch-size"),
        (("--test-batch-size", "0"), "--test-batch-size"),
        *((("--validation-size", value), "--validation-size") for value in ("60000", "-1")),
        *((("--momentum", value), "--momentum") for value in ("1", "-0.1", "nan")),
        (("--optimizer", "adam", "--momentum", "0.5"), "--momentum"),
        (("--network", "Foo"), "--network"),
        (("--optimizer", "rmsprop"), "--optimizer"),
        *((("--seed", value), "--seed") for value in ("-1", "2147483648")),
        (("--log-interval", "0"), "--log-interval"),
        (("--checkpoint-every", "-1"), "--checkpoint-every"),
        (("--learning-rate", "0.1"), "--learning-rate"),
        (("--epoch", "3"), "--epoch"),
        (("--run-dir",), "--run-dir"),
        (("--resume",), "--resume"),
    ],
)
def test_a_wrong_argument_is_named(command, tmp_path, arguments, named):
    done = command("train", *arguments, cwd=tmp_path, seconds=20)
    one_line(done, 2, f" {named}")
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_device_that_is_not_there_is_named(command, tmp_path):
    one_line(command("train", "--device", "gpu", cwd=tmp_path), 2, "argument --device", "'gpu'", "cpu")
    assert list(tmp_path.iterdir()) == []


def test_without_data_no_folder_is_left(command, tmp_path):
    arguments = ("--data-dir", tmp_path / "no data", "--run-dir", tmp_path / "run")
    done = command("train", *arguments, cwd=tmp_path, **NO_NETWORK)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "train-images-idx3-ubyte" in done.stderr
    assert "MNIST_DATA_DIR" in done.stderr
    assert not (tmp_path / "run").exists()


def on_terminal(start, *arguments, key=None, after=b"") -> tuple[bytes, int]:
    """Run on a terminal 80 columns wide, press ``key`` once it shows ``after``; return all it showed."""
    import fcntl
    import pty
    import termios

    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    # A process group of its own whose terminal this is, so that Ctrl-C reaches it as it does a reader's.
    code = "import os, sys, fcntl, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    code += "os.execv(sys.executable, [sys.executable, '-m', 'mnist_helpers', *sys.argv[1:]])"
    process = start(*arguments, code=("-c", code), stdin=inside, stdout=inside, stderr=inside)
    os.close(inside)
    shown = b""
    try:
        while piece := os.read(terminal, 4096):
            shown += piece
            if key and after in shown:
                os.write(terminal, key)
                key = None
    except OSError:  # Linux's way of saying that nobody has the terminal open any more
        pass
    os.close(terminal)
    return shown, process.wait(timeout=30)


@not_on_windows
def test_on_a_terminal_there_is_a_bar_that_ctrl_c_clears(start, data_dir, tmp_path):
    arguments = ("train", *QUICK, "--data-dir", data_dir, "--run-dir", "run")
    shown, status = on_terminal(start, *arguments, key=b"\x03", after=b"\repoch 2:  ")
    assert status == 130
    assert b"| 0/313 [" in shown
    assert b"\r\nepoch 0: validation loss" in shown
    assert b", batch 30 of 313:" not in shown
    end = shown.rpartition(b"\r")[0].rpartition(b"Stopped after 1 epoch")[0]
    assert end.endswith(b" \r"), "the message must begin where the bar was"
    log = (tmp_path / "run" / "stdout.log").read_bytes()
    assert b"\r" not in log
    assert b"epoch 1, batch 70 of 313: training loss" in log
    assert log.endswith(b"python -m mnist_helpers train --run-dir run --resume\n")


@not_on_windows
def test_a_reader_that_ends_does_not_end_the_run(start, data_dir, tmp_path):
    """``train | tee log`` and Ctrl-C: both get the signal, and tee is gone first."""
    process = start("train", *QUICK, "--data-dir", data_dir, "--run-dir", "run", stderr=subprocess.PIPE)
    wait_for((tmp_path / "run" / "metrics.csv").exists, process)
    process.stdout.close()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.stdout = None
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    assert "--run-dir run --resume\n" in (tmp_path / "run" / "stdout.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [None, "check", "fetch", "train", "evaluate", "predict"])
def test_help_needs_no_torch(command, tmp_path, name):
    for package in ("torch", "torchvision", "matplotlib", "numpy"):
        (tmp_path / f"{package}.py").write_text("raise SystemExit('too early')\n", encoding="utf-8")
    paths = [str(tmp_path), os.environ.get("PYTHONPATH", ""), str(Path(__file__).parents[2])]
    done = command(*([name] if name else []), "--help", PYTHONPATH=os.pathsep.join(filter(None, paths)))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: python -m mnist_helpers " + (name or ""))


def test_a_run_without_its_config_is_none(command, tmp_path):
    (tmp_path / "metrics.csv").touch()
    done = command("train", "--run-dir", tmp_path, "--resume")
    one_line(done, 1, str(tmp_path), "config.json is missing")


def test_metrics_take_back_what_a_resume_writes_again(tmp_path):
    metrics = Metrics(tmp_path / "metrics.csv", DataLoader(range(95), batch_size=10))
    metrics.cut(0, 0, without_test=False)  # as each run begins: this writes the header
    metrics.log({"test/loss": 2.3, "test/accuracy": 0.1}, step=0)
    for step in (0, 5, 10, 15):  # an epoch has 10 batches, the last of 5 images
        metrics.log({"train/loss": 2.0}, step=step)
        if step == 5:
            metrics.log({"test/loss": 1.9, "test/accuracy": 0.4}, step=10)
    text = metrics.path.read_text(encoding="utf-8")
    header, zero, *_ = text.splitlines(keepends=True)
    assert ",10,95,,,,1.900000,0.400000," in text
    for step, evaluations, count in [(15, 2, 5), (11, 2, 5), (10, 2, 4), (10, 1, 3), (5, 1, 2), (0, 0, 0)]:
        metrics.path.write_text(text + "1,5,50,2.00", encoding="utf-8")
        metrics.cut(step, evaluations, without_test=False)
        assert len(rows(tmp_path)) == count
        assert metrics.path.read_text(encoding="utf-8").startswith(header + (zero if evaluations else ""))
