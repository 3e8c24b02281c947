"""What may happen to a run and to its checkpoint: faults 14 to 27 of FAULTS.md."""

import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
import zipfile

import pytest
import torch
from jupyter_client.manager import start_new_kernel
from torch import nn

from mnist_helpers import CheckpointError, ConvNet, Net, load_checkpoint, make_loaders, save_checkpoint
from mnist_helpers.checkpoints import read_checkpoint
from mnist_helpers.data import Digits, Loaders, _in_order, _shuffled, load_mnist
from mnist_helpers.errors import TrainingError
from mnist_helpers.resuming import Interrupted, fit_and_save
from tests.conftest import ROOT
from tests.package.runs import OPTIMIZERS, refused, rewritten, same, start

from .programs import CLAIMS, FULL_DISK, FULL_FILE, RUNS

SEED = 4  # of the random moments and bits; a failure prints what was drawn


@pytest.fixture(scope="module")
def digits(data_dir):
    """A thousand images: 16 batches, the last of them short."""
    train, _ = load_mnist(data_dir)
    return Digits(train.images[:1000].clone(), train.labels[:1000].clone())


@pytest.fixture(scope="module")
def loaders(digits):
    return loaders_of(digits)


def loaders_of(digits, batch_size=64, seed=1):
    """Loaders as make_loaders returns them, of these digits alone."""
    return Loaders(_shuffled(digits, batch_size, seed), None, _in_order(digits, 500))


@pytest.fixture(scope="module")
def trained(loaders, tmp_path_factory):
    """(path, network, optimizer) of a run of one epoch; not to be changed."""
    path = tmp_path_factory.mktemp("trained") / "run.pt"
    network, optimizer = start()
    fit_and_save(path, network, loaders, optimizer, epochs=1, progress=False)
    return path, network, optimizer


@pytest.fixture(scope="module")
def whole(loaders, tmp_path_factory):
    """What a run that was never stopped has saved after its second and its third epoch, in this order."""
    path, saved = tmp_path_factory.mktemp("whole") / "run.pt", []
    train_on(path, loaders, epochs=3, after_epoch=lambda: saved.append(read_checkpoint(path)))
    return saved[1:]


@pytest.fixture
def checkpoint(trained, tmp_path):
    """(path, network, optimizer), of which the file may be damaged."""
    return shutil.copy(trained[0], tmp_path / "run.pt"), *trained[1:]


class Runs:
    """Processes, one at a time, that run a function of RUNS, and can be killed."""

    mother = None

    def start(self, *told) -> int:
        """Start a process and return its number."""
        if self.mother is None or sys.platform != "linux":
            self.stop()
            command = [sys.executable, "-c", RUNS]
            self.mother = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        print(json.dumps(told), file=self.mother.stdin, flush=True)
        self.child = int(self.line().removeprefix("process "))
        return self.child

    def line(self) -> str:
        """Return the next line that says something of a run: the evaluations are left out."""
        for line in self.mother.stdout:
            if not line.startswith("epoch "):
                return line
        return "ended\n"

    def rest(self) -> list:
        """Return the lines until the process has ended."""
        return list(iter(self.line, "ended\n"))

    def kill(self):
        if sys.platform == "linux":
            os.kill(self.child, signal.SIGKILL)
        else:
            self.mother.kill()  # SIGKILL, and TerminateProcess on Windows

    def stop(self):
        if self.mother is not None:
            self.mother.kill()
            self.mother.communicate()


@pytest.fixture(scope="module")
def runs():
    runs = Runs()
    yield runs
    runs.stop()


def output_of(program, *arguments, before=()):
    """Run a program to its end, and return what it printed."""
    command = [*before, sys.executable, "-c", program, *map(str, arguments)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=150)
    assert result.returncode == 0
    return result.stdout


def train_on(path, loaders, *, epochs, seed=1, network=None, lr=0.01, **options):
    """Build everything anew, as a new process does, and train; return the network."""
    if network is None:
        network, optimizer = start(seed=seed)
    else:
        optimizer = OPTIMIZERS["SGD"](network.parameters())
    for group in optimizer.param_groups:
        group["lr"] = lr
    fit_and_save(path, network, loaders, optimizer, epochs=epochs, progress=False, **options)
    return network


# 14


@pytest.mark.parametrize("kind", ["SGD with momentum", "Adam with a schedule"])
def test_fault_14_killed_five_times_in_an_epoch_equals_never_stopped(kind, runs, digits, tmp_path):
    """Each process is killed a random number of batches and milliseconds after it began."""
    torch.save(digits._asdict(), tmp_path / "digits.pt")
    run = ["train", kind, str(tmp_path / "run.pt"), str(tmp_path / "digits.pt")]
    whole = ["train", kind, str(tmp_path / "whole.pt"), str(tmp_path / "digits.pt")]
    runs.start(*whole, 0)
    expected = runs.rest()
    assert len(set(expected)) == 65, "64 different batches, and that the run is complete"

    drawn, moments, at = random.Random(f"{SEED} {kind}"), [], 0
    for _ in range(5):
        moments.append((drawn.randint(1, 10), round(drawn.uniform(0, 0.03), 4)))
        runs.start(*run, 0.01)
        lines = [runs.line() for _ in range(moments[-1][0])]
        time.sleep(moments[-1][1])
        runs.kill()
        lines += runs.rest()
        # It had the batches of the whole run, from the one on that its checkpoint named.
        assert lines == expected[at : at + len(lines)], moments
        assert "complete" not in " ".join(lines), moments
        content = read_checkpoint(tmp_path / "run.pt")
        resumed_at = 16 * content["epoch"] + content["step"]
        assert at <= resumed_at <= at + len(lines), moments
        assert at + len(lines) - resumed_at <= 4, "more was lost than the batches since the last saving"
        at = resumed_at
    runs.start(*run, 0)
    assert runs.rest() == expected[at:], moments
    print(f"seed {SEED}, killed after (batches, seconds): {moments}")
    ours, theirs = read_checkpoint(tmp_path / "run.pt"), read_checkpoint(tmp_path / "whole.pt")
    assert (ours["epoch"], ours["step"]) == (4, 0)
    assert len(ours["history"]["train_losses"]) == 64
    assert (ours["scheduler"] is None) == (kind == "SGD with momentum")
    assert same(ours, theirs), moments


# 15


@pytest.mark.skipif(
    sys.platform != "linux", reason="a process for each moment takes seconds, a fork does not"
)
def test_fault_15_killed_while_saving(runs, tmp_path):
    path, drawn, moments, cut = tmp_path / "run.pt", random.Random(SEED), [], 0
    for _ in range(40):
        moments.append(round(drawn.uniform(0.002, 0.05), 4))
        child = runs.start("save", str(path))
        assert runs.line() == "saved\n"
        time.sleep(moments[-1])
        runs.kill()
        assert runs.rest() == []
        cut += path.with_name(f"run.pt.{child}.part").exists()
        saved = read_checkpoint(path)
        assert saved["model"]["fc2.bias"].tolist() == [saved["epoch"]] * 10
    print(f"seed {SEED}, {len(moments)} moments, {cut} of them in the middle of a file")
    assert cut >= 10, "too few processes were killed in the middle of a file; this test shows little"

    # The leftovers: one that is old is swept by the next save, one that is young may be in use.
    old, *young = sorted(tmp_path.glob("*.part"))
    os.utime(old, (time.time() - 7200,) * 2)
    save_checkpoint(path, *start(), epoch=7)
    assert {part.name for part in tmp_path.iterdir()} == {"run.pt", *(part.name for part in young)}
    assert load_checkpoint(path, *start("SGD", seed=7))["epoch"] == 7


def test_fault_15_a_leftover_that_cannot_be_removed_does_not_stop_the_saving(tmp_path):
    """A folder stands in for a file of another user's, which nobody else may remove."""
    left = tmp_path / "run.pt.1.part"
    left.mkdir()
    os.utime(left, (time.time() - 7200,) * 2)
    save_checkpoint(tmp_path / "run.pt", *start(), epoch=7)
    assert read_checkpoint(tmp_path / "run.pt")["epoch"] == 7


# 16


def check_full(output, path):
    """Hold what FULL_DISK or FULL_FILE printed against what is promised."""
    first, *refusals, whole, second, at_last = output.splitlines()
    assert first == "saved 1"
    assert refusals[1::2] == ["unchanged True"] * 3
    for said in refusals[::2]:
        assert said.startswith(f"{path}: not saved (")
        assert said.endswith(
            "; what stood there is unchanged; make room or choose another path, and save again"
        )
    assert whole == "whole 1 ['run.pt']"
    assert second == "saved 2"
    assert at_last == "whole 2 ['run.pt']"
    return refusals[::2]


def test_fault_16_a_disk_that_is_full(tmp_path):
    """A disk of 1 MB in memory, which no other process sees, with 0, 4,096 and 65,536 bytes left."""
    alone = ["unshare", "-m"] if hasattr(os, "geteuid") and os.geteuid() == 0 else ["unshare", "-r", "-m"]
    trial = [*alone, "mount", "-t", "tmpfs", "-o", "size=1m", "none", str(tmp_path)]
    if not shutil.which("unshare") or subprocess.run(trial, capture_output=True).returncode:
        pytest.skip("this system does not let a process mount a small disk of its own")
    path = tmp_path / "run.pt"
    for said in check_full(output_of(FULL_DISK, path, before=alone), path):
        assert "No space left on device" in said


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="this system has no limit on the size of files")
def test_fault_16_a_file_that_may_not_grow(tmp_path):
    check_full(output_of(FULL_FILE, tmp_path / "run.pt"), tmp_path / "run.pt")


# 17


@pytest.mark.parametrize("kept", [0, 1, 100, 50_000, -1000, -1])
def test_fault_17_a_file_cut_short(checkpoint, kept):
    path, *_ = checkpoint
    path.write_bytes(path.read_bytes()[:kept])
    there = path.stat().st_size
    refused(path, None, fragment=f": cut short or damaged, {there:,} bytes are there; use an earlier")


def test_fault_17_a_whole_checkpoint_beside_a_damaged_one_is_offered(checkpoint):
    path, *_ = checkpoint
    shutil.copy(path, path.with_name("earlier.pt"))
    path.with_name("empty.pt").touch()
    path.write_bytes(path.read_bytes()[:50_000])
    refused(path, None, fragment="; use earlier.pt, which lies beside it and is whole, or train again")
    assert load_checkpoint(path.with_name("earlier.pt"), *start(seed=7))["epoch"] == 1


def test_fault_17_a_missing_file_or_a_folder(tmp_path, loaders):
    refused(tmp_path / "none.pt", None, fragment="there is no such file")
    refused(tmp_path, None, fragment="this is a folder")
    with pytest.raises(CheckpointError, match="this is a folder"):
        train_on(tmp_path, loaders, epochs=1)


def test_fault_17_a_text_file_and_another_archive(tmp_path):
    (tmp_path / "text.pt").write_text("These are my weights.\n" * 1000)
    refused(tmp_path / "text.pt", None, fragment="cut short or damaged")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("notes.txt", "nothing to load")
    refused(tmp_path / "other.zip", None, fragment="cannot be read by PyTorch")


def test_fault_17_a_file_from_the_future(checkpoint, loaders):
    path, *_ = checkpoint
    rewritten(path, lambda content: content.update(format=4, more=[]))
    before = path.read_bytes()
    refused(path, None, fragment="has format 4, this course reads up to 3; update it")
    with pytest.raises(CheckpointError, match="has format 4"):
        train_on(path, loaders, epochs=2)
    assert path.read_bytes() == before


# 18


def loads_as(path, saved) -> bool:
    """Whether the damaged file is refused (False) or loads as the whole one (True)."""
    try:
        loaded = read_checkpoint(path)
    except CheckpointError:
        return False
    assert same(loaded, saved), "what was loaded has changed"
    return True


def test_fault_18_a_flipped_bit_is_noticed_or_harmless(checkpoint):
    """800 bits anywhere, and 400 in the list of parts, where zipfile and torch read differently."""
    path, *_ = checkpoint
    raw, saved, drawn = path.read_bytes(), read_checkpoint(path), random.Random(SEED)
    bits = [drawn.randrange(8 * len(raw)) for _ in range(800)]
    bits += [drawn.randrange(8 * zipfile.ZipFile(path).start_dir, 8 * len(raw)) for _ in range(400)]
    harmless = 0
    for bit in bits:
        damaged = bytearray(raw)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            harmless += loads_as(path, saved)
        except AssertionError as error:
            raise AssertionError(f"bit {bit}") from error
    print(f"seed {SEED}, {len(bits)} bits, {len(bits) - harmless} noticed, {harmless} harmless")
    assert harmless < len(bits) / 2


def test_fault_18_the_bit_that_torch_takes_for_a_folder(checkpoint):
    path, *_ = checkpoint
    raw = bytearray(path.read_bytes())
    entry = raw.index(b"PK\x01\x02", zipfile.ZipFile(path).start_dir)
    entry = raw.index(b"archive/data/0", entry) - 46  # the name follows the 46 bytes of its entry
    raw[entry + 38] ^= 0x10  # external attributes
    path.write_bytes(raw)
    refused(path, None, fragment=": damaged (a part of it is marked as a folder); use an earlier")


def test_fault_18_a_flipped_weight_is_refused_before_anything_changes(checkpoint):
    path, network, _ = checkpoint
    raw = bytearray(path.read_bytes())
    raw[raw.index(network.fc1.weight.detach().numpy().tobytes()) + 3] ^= 0x40
    path.write_bytes(raw)
    loaded = torch.load(path, weights_only=True)["model"]
    assert not same(loaded, dict(network.state_dict())), "torch noticed it too; the check is not needed"
    refused(path, None, fragment=": damaged (a checksum in it is wrong); use an earlier")


# 19


class Harmful:
    """Rebuilding it creates a file."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (self.target, "w")


@pytest.mark.parametrize("variable", [None, "1"])
@pytest.mark.parametrize("where", ["history", "model", "optimizer", "random", "epoch"])
def test_fault_19_a_file_cannot_run_a_program(checkpoint, tmp_path, monkeypatch, variable, where):
    path, *_ = checkpoint
    harm = tmp_path / "harm"
    rewritten(path, lambda content: content.update({where: Harmful(str(harm))}))
    if variable:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", variable)
    refused(path, None, fragment="holds more than plain values")
    assert not harm.exists()
    torch.load(path, weights_only=False)[where].close()
    assert harm.exists(), "the file was not harmful, and this test shows nothing"


def test_fault_19_a_file_that_torch_takes_for_its_old_format(checkpoint, tmp_path):
    """A harmful pickle with a whole archive behind it: zipfile reads the end, torch the beginning."""
    path, *_ = checkpoint
    torch.save(Harmful(str(tmp_path / "harm")), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    path.write_bytes((tmp_path / "old.pt").read_bytes() + path.read_bytes())
    refused(path, None, fragment=": damaged, it does not begin as a checkpoint does")
    assert not (tmp_path / "harm").exists()


# 20


class OtherNet(nn.Module):
    """Two layers that share one name with Net."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 50)
        self.fc2 = nn.Linear(50, 10)


def test_fault_20_another_architecture(checkpoint, loaders):
    path, *_ = checkpoint
    network = OtherNet()
    text = refused(path, network, OPTIMIZERS["SGD"](network.parameters()), "does not fit this network")
    assert "conv1.weight is not in this network" in text
    assert "fc1.weight is torch.float32 (50, 320), not torch.float32 (50, 784)" in text
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"does not fit this network .*; the network is unchanged"):
        train_on(path, loaders, epochs=2, network=ConvNet())
    assert path.read_bytes() == before
    train_on(path, loaders, epochs=1)  # the right one


# 21


def test_fault_21_a_file_from_a_gpu_on_a_machine_without_one(checkpoint, loaders, monkeypatch):
    """No GPU is needed: the file says cuda:0 where torch.save on one would have."""
    path, network, _ = checkpoint
    size = len(torch.get_rng_state())  # of the one tensor that lies on the CPU there too
    with monkeypatch.context() as patch:
        place = lambda storage: "cpu" if storage.nbytes() == size else "cuda:0"  # noqa: E731
        patch.setattr(torch.serialization, "location_tag", place)
        gpu = torch.zeros(16, dtype=torch.uint8)  # as long as the random state of a GPU
        rewritten(path, lambda content: content["random"].update(cuda=[gpu]))
    assert b"cuda:0" in path.read_bytes()
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="deserialize object on a CUDA device"):
            torch.load(path, weights_only=True)
    other, optimizer = start(seed=7)
    load_checkpoint(path, other, optimizer)
    assert same(dict(other.state_dict()), dict(network.state_dict()))
    assert all(state["momentum_buffer"].device.type == "cpu" for state in optimizer.state.values())
    train_on(path, loaders, epochs=2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")
def test_fault_21_a_file_from_a_gpu_loads_on_the_cpu(tmp_path):
    network = Net().cuda()
    optimizer = OPTIMIZERS["SGD"](network.parameters())
    save_checkpoint(tmp_path / "gpu.pt", network, optimizer, epoch=0)
    other, optimizer = start(seed=7)
    load_checkpoint(tmp_path / "gpu.pt", other, optimizer)
    assert same(dict(other.state_dict()), {name: value.cpu() for name, value in network.state_dict().items()})


# 22


@pytest.fixture(scope="module")
def stopped(trained, loaders, tmp_path_factory):
    """The file of a run that was stopped after batch 7 of its second epoch."""
    path = shutil.copy(trained[0], tmp_path_factory.mktemp("stopped") / "run.pt")
    stop_at(path, loaders, batch=7)
    return path


def stop_at(path, loaders, *, batch):
    """Train on, and send this process Ctrl-C at a batch."""
    network, optimizer = start()
    count = []

    def interrupt(layer, given):
        count.append(layer.training)
        if sum(count) == batch:
            signal.raise_signal(signal.SIGINT)

    network.register_forward_pre_hook(interrupt)
    # A test run in the background has Ctrl-C ignored, and a training in it would rightly ignore it too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(Interrupted, match="run the same again"):
            fit_and_save(path, network, loaders, optimizer, epochs=2, progress=False)
    finally:
        signal.signal(signal.SIGINT, before)
    assert read_checkpoint(path)["step"] == batch
    return network


CHANGED = {
    "batch size": (lambda d: loaders_of(d, batch_size=32), "batch size 64 then, 32 now"),
    "seed": (lambda d: loaders_of(d, seed=2), "seed 1 then, 2 now"),
    "validation split": (
        lambda d: loaders_of(Digits(d.images[:900], d.labels[:900])),
        "images 1000 then, 900 now",
    ),
}


@pytest.mark.parametrize("what", CHANGED)
def test_fault_22_other_batches_are_refused(what, stopped, digits, tmp_path):
    """In the middle of an epoch, and the right ones go on."""
    path = shutil.copy(stopped, tmp_path / "run.pt")
    other, fragment = CHANGED[what]
    network, optimizer = start(seed=7)
    text = refused(path, network, optimizer, fragment, loaders=other(digits))
    assert "a resume would repeat or skip images" in text
    with pytest.raises(CheckpointError, match=fragment):
        train_on(path, other(digits), epochs=2)
    assert path.read_bytes() == stopped.read_bytes()
    train_on(path, loaders_of(digits), epochs=2)


@pytest.mark.parametrize("what", ["seed", "validation split"])
def test_fault_22_at_the_end_of_an_epoch_too(what, checkpoint, digits):
    """The batch size alone may change there: every image has been seen once."""
    path, *_ = checkpoint
    other, fragment = CHANGED[what]
    refused(path, None, fragment=fragment, loaders=other(digits))


def test_fault_22_another_batch_size_at_the_end_of_an_epoch_is_said(checkpoint, digits, capsys):
    path, *_ = checkpoint
    train_on(path, loaders_of(digits, batch_size=32), epochs=2)
    note = "note: batch size 64 then, 32 now; the run goes on, but not bit for bit as it would have\n"
    assert note in capsys.readouterr().out


def test_fault_22_another_number_of_threads_is_said(stopped, loaders, tmp_path, capsys):
    path, threads = shutil.copy(stopped, tmp_path / "run.pt"), torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        train_on(path, loaders, epochs=2)
    finally:
        torch.set_num_threads(threads)
    note = f"note: threads {threads} then, {threads + 1} now; the run goes on, but not bit for bit as it"
    assert note in capsys.readouterr().out


def test_fault_22_make_loaders_itself(trained, data_dir):
    """A real split: 60,000 images where the run had 1,000."""
    path, *_ = trained
    refused(
        path,
        None,
        fragment="images 1000 then, 59000 now",
        loaders=make_loaders(validation_size=1000, data_dir=data_dir),
    )


# 23


@pytest.mark.parametrize("batch", [1, 15, 16])
def test_fault_23_stopped_at_the_edge_of_an_epoch(batch, checkpoint, loaders, whole):
    """After its first batch, its last but one, and its last, before the evaluation: all as never stopped."""
    path, *_ = checkpoint
    stop_at(path, loaders, batch=batch)
    train_on(path, loaders, epochs=3, seed=7)
    assert same(read_checkpoint(path), whole[1])


def test_fault_23_at_the_end_of_an_epoch_and_of_the_run(checkpoint, loaders, whole, capsys):
    path, network, _ = checkpoint
    before = path.read_bytes()
    capsys.readouterr()
    complete = train_on(
        path, loaders, epochs=1, seed=7
    )  # the run is complete: nothing is trained or evaluated
    assert same(dict(complete.state_dict()), dict(network.state_dict()))
    assert capsys.readouterr().out == ""
    assert path.read_bytes() == before
    train_on(path, loaders, epochs=3, seed=7)
    assert same(read_checkpoint(path), whole[1])


def test_fault_23_beyond_the_end_of_the_run(stopped, loaders, tmp_path):
    path = shutil.copy(stopped, tmp_path / "run.pt")
    with pytest.raises(
        CheckpointError, match="holds 1 epochs and 7 batches, more than the 1 epochs asked for"
    ):
        train_on(path, loaders, epochs=1)
    assert path.read_bytes() == stopped.read_bytes()


# 24


def test_fault_24_an_optimizer_over_another_network(checkpoint, loaders):
    """The fault of the tutorial that lesson 6 shows."""
    path, old_network, _ = checkpoint
    before, network = path.read_bytes(), Net()
    optimizer = OPTIMIZERS["SGD"](old_network.parameters())
    refused(path, network, optimizer, fragment="0 of this network's 8 parameter tensors", error=ValueError)
    for target in (path, path.with_name("new.pt")):
        with pytest.raises(ValueError, match=r"build it over this network: SGD\(network.parameters"):
            fit_and_save(target, network, loaders, optimizer, epochs=2, progress=False)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["run.pt"], "a file was made for a run that cannot be"


# 25


def test_fault_25_a_learning_rate_that_is_far_too_high(checkpoint, loaders, capsys):
    """The same file goes on with a smaller one."""
    path, *_ = checkpoint
    before = path.read_bytes()
    with pytest.raises(TrainingError, match=r"^epoch 2, batch 10: the training loss is nan") as caught:
        train_on(path, loaders, epochs=2, lr=1e30)
    assert len(str(caught.value).splitlines()) == 1
    assert "divide it by 10" in str(caught.value)
    assert path.read_bytes() == before
    capsys.readouterr()
    network = train_on(path, loaders, epochs=2, lr=0.001)
    assert "note: learning rate 0.01 then, 0.001 now; the run goes on with 0.001" in capsys.readouterr().out
    assert all(value.isfinite().all() for value in network.state_dict().values())
    assert read_checkpoint(path)["optimizer"]["param_groups"][0]["lr"] == 0.001


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"log_interval": 1}, TrainingError, "epoch 2, batch 5: the training loss is nan"),
        ({"log_interval": 1, "save_every": 1}, TrainingError, "epoch 2, batch 5: the training loss is nan"),
        ({"save_every": 1}, CheckpointError, "not saved, because conv1.weight holds NaN"),
        ({"log_interval": 100}, CheckpointError, "not saved, because conv1.weight holds NaN"),
    ],
)
def test_fault_25_a_loss_that_is_nan(checkpoint, loaders, whole, options, error, said):
    """In batch 5 of an epoch, noticed before the step, at a saving, or at the end of the epoch."""
    path, *_ = checkpoint
    network, _ = start()
    count = []

    def spoil(layer, given, logits):
        count.append(layer.training)
        return logits * float("nan") if layer.training and sum(count) == 6 else logits

    network.register_forward_hook(spoil)
    with pytest.raises(error) as caught:
        train_on(path, loaders, epochs=2, network=network, **options)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    kept = read_checkpoint(path)
    assert (kept["epoch"], kept["step"]) == (1, 5 if "save_every" in options else 0)
    assert list(path.parent.iterdir()) == [path]
    train_on(path, loaders, epochs=2, **options)  # from the last good one, as if it had not been
    for name in ("epoch", "step", "model", "optimizer", "random"):
        assert same(read_checkpoint(path)[name], whole[0][name])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_fault_25_a_weight_that_is_nan_is_not_saved(checkpoint, value):
    path, *_ = checkpoint
    before = path.read_bytes()
    network, optimizer = start()
    with torch.no_grad():
        network.fc2.bias[3] = value
    with pytest.raises(
        CheckpointError, match=r"not saved, because fc2\.bias holds NaN .* is unchanged"
    ) as caught:
        save_checkpoint(path, network, optimizer, epoch=9)
    assert len(str(caught.value).splitlines()) == 1
    assert path.read_bytes() == before
    assert load_checkpoint(path, network, optimizer)["epoch"] == 1  # the network is well again
    assert network.fc2.bias.isfinite().all()


# 26

CELLS = {
    "set up": """
import time
import torch
from torch import nn
from mnist_helpers import load_checkpoint, set_seed
from mnist_helpers.data import Digits, Loaders, _in_order, _shuffled
from mnist_helpers.resuming import fit_and_save
torch.set_num_threads(1)
digits = Digits(**torch.load("digits.pt"))
loaders = Loaders(_shuffled(digits, 64, 1), None, _in_order(digits, 500))
set_seed(1)
network = nn.Sequential(
    nn.Flatten(), nn.Linear(784, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 10)
)
network.register_forward_pre_hook(lambda *_: time.sleep(pause))
optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
""",
    "train": """
print("begun", flush=True)
fit_and_save("run.pt", network, loaders, optimizer, epochs=3, log_interval=1, progress=False)
print("done")
""",
}


class Kernel:
    """A kernel of Jupyter's, in which cells can be run and interrupted."""

    def __init__(self, folder):
        self.manager, self.client = start_new_kernel(
            kernel_name="python3", cwd=str(folder), env={**os.environ, "PYTHONPATH": str(ROOT)}
        )

    def run(self, code, *, interrupt_after=None):
        """Run a cell; return (what it printed, the lines of its error)."""
        number = self.client.execute(code)
        printed, error = "", []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            content = message["content"]
            if message["parent_header"].get("msg_id") != number:
                continue
            if message["msg_type"] == "stream":
                printed += content["text"]
                if interrupt_after is not None and "epoch 0" in printed:
                    time.sleep(interrupt_after)
                    self.manager.interrupt_kernel()
                    interrupt_after = None
            elif message["msg_type"] == "error":
                error = content["traceback"]
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return printed, error

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(digits, tmp_path):
    torch.save(digits._asdict(), tmp_path / "digits.pt")
    kernel = Kernel(tmp_path)
    yield kernel
    kernel.stop()


@pytest.mark.skipif(os.name == "nt", reason="Jupyter interrupts a kernel on Windows by other means")
def test_fault_26_ctrl_c_in_a_cell(kernel, tmp_path):
    assert kernel.run("pause = 0.02" + CELLS["set up"]) == ("", [])
    printed, error = kernel.run(CELLS["train"], interrupt_after=0.3)
    assert "done" not in printed
    (line,) = error
    assert line.startswith("Interrupted: stopped (epochs complete: ")
    assert line.endswith("); run.pt holds all that is needed to go on: run the same again")
    first = read_checkpoint(tmp_path / "run.pt")
    assert (first["epoch"], first["step"]) > (0, 0)
    assert (first["epoch"], first["step"]) < (3, 0)

    # The kernel answers, and an error in it is one line.
    assert kernel.run("print(6 * 7)") == ("42\n", [])
    assert kernel.run("load_checkpoint('none.pt', network)")[1] == [
        "CheckpointError: none.pt: there is no such file; train first, or look at the path"
    ]
    # The cell once more, to its end; then a run that nobody interrupts.
    printed, error = kernel.run(CELLS["train"])
    assert error == []
    assert printed.endswith("done\n")
    kernel.run("pause = 0" + CELLS["set up"] + CELLS["train"].replace("run.pt", "whole.pt"))
    assert same(read_checkpoint(tmp_path / "run.pt"), read_checkpoint(tmp_path / "whole.pt"))


# 27


def claiming(dtype=torch.float32):
    """A tensor of one number that says it is 2 · 10⁹: each step from one to the next is of length 0."""
    return torch.zeros(1, dtype=dtype).expand(2_000_000_000)


class Made:
    """Rebuilding it calls something that weights_only=True allows."""

    def __init__(self, call, size):
        self.call, self.size = call, size

    def __reduce__(self):
        return self.call, (self.size,)


def in_state(value):
    return lambda c: c["optimizer"]["state"][0].update(momentum_buffer=value)


CLAIMING = {
    "a weight": lambda c: c["model"].update({"fc1.bias": claiming()}),
    "a weight that is not in the network": lambda c: c["model"].update(more=claiming()),
    "a momentum buffer": in_state(claiming()),
    "a list in the optimizer": in_state([claiming(torch.float64)]),
    "a state of no tensor of the network": lambda c: c["optimizer"]["state"].update({"x": {"y": claiming()}}),
    "a learning rate": lambda c: c["optimizer"]["param_groups"][0].update(lr=claiming()),
    "the groups of the optimizer": lambda c: c["optimizer"].update(param_groups=claiming()),
    "the random state": lambda c: c["random"].update(cpu=claiming(torch.uint8)),
    "the random state of a GPU": lambda c: c["random"].update(cuda=[claiming(torch.uint8)]),
    "the random states of the GPUs": lambda c: c["random"].update(cuda=claiming()),
    "the history": lambda c: c.update(history={"train_losses": claiming()}),
    "bytes": lambda c: c.update(history=Made(bytearray, 20_000_000_000)),
    "a tensor that is not filled": lambda c: c["model"].update(more=Made(torch.FloatTensor, 2_000_000_000)),
}


def longer(path):
    """Say in the pickle that a tensor of 16 numbers, and its storage, has 10⁹."""
    content = torch.load(path, weights_only=True)
    content["model"]["fc1.bias"] = torch.zeros(123_457)
    torch.save(content, path)
    rezip(path, lambda data: data.replace(struct.pack("<i", 123_457), struct.pack("<i", 10**9)))


def rezip(path, change, compression=zipfile.ZIP_STORED):
    """Rewrite the archive, its pickle changed."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in parts.items():
            archive.writestr(name, change(data) if name.endswith("/data.pkl") else data)


def compressed(path):
    """400 MB of zeros that are 400 kB in the file."""
    content = torch.load(path, weights_only=True)
    content["more"] = torch.zeros(100_000_000)
    torch.save(content, path)
    rezip(path, lambda data: data, zipfile.ZIP_DEFLATED)


def test_fault_27_tensors_that_claim_more_than_the_file_holds(trained, tmp_path):
    """In a process whose memory is measured: refused in less than a second, with less than 30 MB."""
    pytest.importorskip("resource", reason="this system does not say how much memory a process used")
    paths = []
    for number, change in enumerate([*CLAIMING.values(), longer, compressed]):
        paths.append(shutil.copy(trained[0], tmp_path / f"{number}.pt"))
        if number < len(CLAIMING):
            rewritten(paths[-1], change)
        else:
            change(paths[-1])
        assert paths[-1].stat().st_size < 1_500_000
    unit = 1 if sys.platform == "darwin" else 1024
    lines = output_of(CLAIMS, trained[0], *paths).splitlines()
    assert lines[0].endswith(" loaded")
    assert len(lines) == 1 + len(paths)
    for name, path, line in zip([*CLAIMING, "longer", "compressed"], paths, lines[1:], strict=True):
        seconds, grown, said = line.split(" ", 2)
        assert said.startswith(f"{path}: "), name
        assert float(seconds) < 1, name
        assert int(grown) * unit < 30e6, name
