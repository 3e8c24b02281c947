"""What gets in the way of a run that trains: faults 40 to 44, 58 and 59 of FAULTS.md."""

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
import torch

from mnist_helpers.checkpoints import random_state, restore_random_state
from mnist_helpers.files import replace
from tests.commands.runs import QUICK, log, rows
from tests.conftest import ROOT
from tests.support.programs import torchrun


@contextmanager
def held(path):
    """Keep a file from being written or replaced, as Windows does while Excel has it open; also by root."""
    path.touch()
    done = subprocess.run(["chattr", "+i", path], capture_output=True, text=True)
    if done.returncode:
        pytest.skip("no immutable files here (that takes Linux, root and a file system that has them)")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", path], check=True)


needs_chattr = pytest.mark.skipif(sys.platform != "linux", reason="chattr is Linux's")


@needs_chattr
@pytest.mark.parametrize("closed", ["in the middle", "never"])
def test_fault_40_the_table_is_open_in_another_program(closed, programs, tmp_path):
    """The run goes on; as soon as it can, the table has all its rows, also those that waited."""
    folder = tmp_path / "run"
    run = programs.command("train", *QUICK, "--run-dir", folder, pause=0.01)
    run.wait_for(lambda: (folder / "metrics.csv").exists() and len(rows(folder)) > 5)
    with held(folder / "metrics.csv"):
        run.wait_for(lambda: "metrics.csv cannot be written" in run.stdout)
        if closed == "never":
            run.wait()
    assert run.wait().returncode == 0, run.stderr
    assert run.stdout.count("metrics.csv cannot be written") == 1
    assert "close it elsewhere. The run goes on" in run.stdout
    if closed == "never":
        again = programs.command("train", "--run-dir", folder, "--resume").wait()
        assert again.returncode == 0, again.stderr
    found = rows(folder)
    assert [int(row["step"]) for row in found if row["train_loss"]] == [*range(64)]
    assert sum(bool(row["validation_loss"]) for row in found) == 3
    assert sum(bool(row["test_loss"]) for row in found) == 1
    if closed != "never":
        assert all(row["seconds"] for row in found)


@needs_chattr
def test_fault_41_a_loss_curve_that_cannot_be_replaced(programs, tmp_path):
    folder = tmp_path / "run"
    run = programs.command("train", *QUICK, "--run-dir", folder, pause=0.01)
    run.wait_for(lambda: (folder / "loss_curve.png").exists())
    with held(folder / "loss_curve.png"):
        before = (folder / "loss_curve.png").read_bytes()
        assert run.wait().returncode == 0, run.stderr
        assert (folder / "loss_curve.png").read_bytes() == before
    assert log(folder).count("loss_curve.png cannot be written") == 1
    assert "accuracy on the test set" in run.stdout
    assert not list(folder.glob("*.part"))


NO_LOCKS = """
import errno, fcntl, os
def flock(file, how):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
fcntl.flock = flock  # as a home on NFS answers, whose server has no locks
"""


@pytest.fixture
def without_locks(tmp_path, env):
    """Run the command line in a process whose system has no locks."""
    pytest.importorskip("fcntl")
    (tmp_path / "patched").mkdir()
    (tmp_path / "patched" / "sitecustomize.py").write_text(NO_LOCKS, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path / "patched"), env["PYTHONPATH"]])

    def run(*arguments):
        command = [sys.executable, "-m", "mnist_helpers", *map(str, arguments)]
        environment = {**env, "PYTHONPATH": path}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)

    return run


def test_fault_42_a_file_system_without_locks(without_locks, tmp_path):
    folder = tmp_path / "run"
    quick = ("--network", "ThreeLayerNet", "--epochs", 1, "--validation-size", 59_000, "--device", "cpu")
    done = without_locks("train", *quick, "--run-dir", folder)
    assert done.returncode == 0, done.stderr
    assert f"note: {folder} cannot be locked here; do not start two trainings in it" in done.stdout
    assert (folder / "checkpoint.pt").exists()


def test_fault_43_an_empty_lock_file_on_such_a_file_system(without_locks, folder_without, raw):
    """The data is missing in part, the rest is put there by hand, and a lock file is left from long ago."""
    root = folder_without("t10k-labels-idx1-ubyte")
    (root / "MNIST" / "fetch.lock").touch()
    by_hand = root / "t10k-labels-idx1-ubyte"
    by_hand.write_bytes((raw / by_hand.name).read_bytes())
    done = without_locks("fetch", "--data-dir", root)
    assert done.returncode == 0, done.stderr
    assert "cannot be locked; fetch with one program at a time" in done.stdout
    assert (root / "MNIST" / "raw" / by_hand.name).exists()


def test_fault_44_torchrun_where_the_machine_s_own_name_is_not_known(env, tmp_path):
    """In a system of its own, named so that no lookup finds it; with torchrun's own default this hangs."""
    (tmp_path / "sum.py").write_text(
        "import torch, torch.distributed as dist\ndist.init_process_group('gloo')\n"
        "number = torch.tensor(10 + dist.get_rank())\ndist.all_reduce(number)\nprint(number.item())\n"
        "dist.destroy_process_group()\n",
        encoding="utf-8",
    )
    *start, _, _ = torchrun(2)
    named = ["sh", "-c", 'hostname not-known.invalid && exec "$@"', "sh"]
    if subprocess.run(["unshare", "--uts", *named, "true"], capture_output=True).returncode:
        pytest.skip("no name of its own for a process here (that takes Linux and root)")
    command = ["unshare", "--uts", *named, *start, str(tmp_path / "sum.py")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["21", "21"]


@pytest.mark.parametrize(
    "place", ["README.md", "mnist_helpers/commands/train.py", "mnist_helpers/running/run.py"]
)
def test_fault_44_what_readers_are_told_to_type_works_there(place):
    text = (ROOT / place).read_text(encoding="utf-8")
    assert text.count("torchrun --standalone") == text.count("torchrun --standalone --local-addr localhost ")
    assert "torchrun --standalone" in text


@needs_chattr
@pytest.mark.parametrize("name", ["checkpoint.pt", "loss_curve.png", "config.json", "t10k-labels-idx1-ubyte"])
def test_fault_58_a_file_that_is_held_for_a_moment(name, tmp_path):
    """A virus scanner lets go of it within a second, and nothing was given up."""
    target, source = tmp_path / name, tmp_path / f"{name}.part"
    source.write_text("new", encoding="utf-8")
    with held(target):
        release = threading.Timer(0.4, subprocess.run, [["chattr", "-i", target]])
        release.start()
        replace(source, target)
        release.join()
    assert target.read_text(encoding="utf-8") == "new"


@needs_chattr
def test_fault_58_a_file_that_is_held_for_good(tmp_path):
    target, source = tmp_path / "checkpoint.pt", tmp_path / "checkpoint.pt.part"
    source.touch()
    begun = time.monotonic()
    with held(target), pytest.raises(PermissionError):
        replace(source, target, patience=0.3)
    assert time.monotonic() - begun >= 0.3


def test_fault_58_every_file_is_moved_into_place_that_way():
    package = ROOT / "mnist_helpers"
    plain = [path.name for path in package.rglob("*.py") if "os.replace(" in path.read_text(encoding="utf-8")]
    assert plain == ["files.py"]


def test_fault_59_the_random_state_of_a_mac_s_gpu(monkeypatch):
    """No Mac is here: a generator of torch's own stands in for MPS, whose functions have these names."""
    generator = torch.Generator().manual_seed(3)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "get_rng_state", generator.get_state)
    monkeypatch.setattr(torch.mps, "set_rng_state", generator.set_state)
    saved = random_state()
    drawn = torch.rand(3, generator=generator)
    restore_random_state(saved)
    assert torch.equal(torch.rand(3, generator=generator), drawn)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    restore_random_state(saved)  # on a machine without one it is left out
    assert "mps" not in random_state()
