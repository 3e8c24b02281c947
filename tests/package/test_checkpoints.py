"""A resume equals never having stopped, and a file that cannot be used changes nothing."""

import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import asdict

import pytest
import torch
from torch import nn

from mnist_helpers import (
    CheckpointError,
    History,
    Net,
    load_checkpoint,
    make_loaders,
    save_checkpoint,
    set_seed,
)
from mnist_helpers.checkpoints import read_checkpoint
from mnist_helpers.training import train_epoch

OPTIMIZERS = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.5),
    "Adam": lambda parameters: torch.optim.Adam(parameters, lr=0.001),
}

# A run of 1,000 images an epoch in a process of its own: "saved 1" after each checkpoint, "training 3" as
# epoch 3 begins. It goes on from the checkpoint where there is one.
RUN = """
import sys
import time
from pathlib import Path
import torch
from mnist_helpers import History, Net, load_checkpoint, make_loaders, save_checkpoint, set_seed, train_epoch
path, data_dir, last, pause = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
torch.set_num_threads(1)  # two of these run side by side
set_seed(1)
network = Net()
if pause:  # slower batches, so that a signal finds the run in the middle of an epoch; the same numbers
    network.register_forward_hook(lambda *_: time.sleep(pause))
optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.5)
history, first = History(), 1
if path.exists():
    checkpoint = load_checkpoint(path, network, optimizer)
    history, first = History(**checkpoint["history"]), checkpoint["epoch"] + 1
train = make_loaders(validation_size=59_000, data_dir=data_dir).train
for epoch in range(first, last + 1):
    print("training", epoch, flush=True)
    train_epoch(network, train, optimizer, epoch=epoch, history=history, progress=False, log_interval=1)
    save_checkpoint(path, network, optimizer, epoch=epoch, history=history)
    print("saved", epoch, flush=True)
"""

# Saves for ever; "saved" after the first, which the parent waits for.
SAVE = """
import sys
import torch
from mnist_helpers import Net, save_checkpoint
network = Net()
optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.5)
for epoch in range(1_000_000):
    with torch.no_grad():
        network.fc2.bias.fill_(epoch)
    save_checkpoint(sys.argv[1], network, optimizer, epoch=epoch)
    if epoch == 0:
        print("saved", flush=True)
"""

# Saves where no file may grow beyond a size, as on a full disk: at the first byte, and in the middle.
FULL = """
import resource, signal, sys
import torch
from mnist_helpers import CheckpointError, Net, save_checkpoint
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
network = Net()
for size in (0, 1_000, 60_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        save_checkpoint(sys.argv[1], network, torch.optim.SGD(network.parameters(), lr=0.01), epoch=9)
    except CheckpointError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def train(data_dir):
    """A loader of 1,000 training images."""
    return make_loaders(validation_size=59_000, data_dir=data_dir).train


def start(name="SGD", seed=1):
    set_seed(seed)
    network = Net()
    return network, OPTIMIZERS[name](network.parameters())


def train_epochs(network, train, optimizer, epochs):
    history = History()
    for epoch in epochs:
        train_epoch(network, train, optimizer, epoch=epoch, history=history, log_interval=1, progress=False)
    return history


def same(one, other) -> bool:
    """Whether two nested values are equal, tensors bit for bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return (
            isinstance(other, dict) and list(one) == list(other) and all(same(one[k], other[k]) for k in one)
        )
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def everything(network, optimizer):
    """A copy of all that a load may change."""
    state = {"model": network.state_dict(), "optimizer": optimizer.state_dict(), "cpu": torch.get_rng_state()}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def run(path, data_dir, last, pause=0.0):
    command = [sys.executable, "-c", RUN, path, data_dir, last, pause]
    return subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)


def finish(process):
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.fixture
def checkpoint(tmp_path, train):
    """(path, network, optimizer) of a run of one epoch that was saved."""
    network, optimizer = start()
    history = train_epochs(network, train, optimizer, [1])
    path = tmp_path / "run.pt"
    save_checkpoint(path, network, optimizer, epoch=1, history=history)
    return path, network, optimizer


def refused(path, network, optimizer=None, fragment="", error=CheckpointError):
    """Load ``path`` and demand one line that names the file and holds ``fragment``, and nothing changed."""
    if optimizer is None:
        network, optimizer = start(seed=7)
    before = everything(network, optimizer)
    with pytest.raises(error) as caught:
        load_checkpoint(path, network, optimizer)
    text = str(caught.value)
    assert fragment in text, text
    assert len(text.splitlines()) == 1
    if error is CheckpointError:
        assert text.startswith(f"{path}: ")
    assert same(everything(network, optimizer), before), "a refused file has changed something"
    return text


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_round_trip(name, train, tmp_path):
    network, optimizer = start(name)
    history = train_epochs(network, train, optimizer, [1])
    save_checkpoint(tmp_path / "new" / "folder" / "run.pt", network, optimizer, epoch=1, history=history)
    saved = everything(network, optimizer)

    other, other_optimizer = start(name, seed=99)
    returned = load_checkpoint(tmp_path / "new" / "folder" / "run.pt", other, other_optimizer)
    assert same(everything(other, other_optimizer), saved)
    assert returned["epoch"] == 1
    assert History(**returned["history"]) == history
    assert os.listdir(tmp_path / "new" / "folder") == ["run.pt"], "a temporary file was left"


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_two_and_two_epochs_equal_four(name, train, tmp_path):
    whole, optimizer = start(name)
    train_epochs(whole, train, optimizer, [1, 2, 3, 4])
    expected = everything(whole, optimizer)

    half, optimizer = start(name)
    train_epochs(half, train, optimizer, [1, 2])
    save_checkpoint(tmp_path / "half.pt", half, optimizer, epoch=2)
    resumed, optimizer = start(name, seed=99)
    load_checkpoint(tmp_path / "half.pt", resumed, optimizer)
    train_epochs(resumed, train, optimizer, [3, 4])
    assert same(everything(resumed, optimizer), expected)


def test_evaluating_or_loading_data_between_does_not_move_the_random_state(train):
    state = torch.get_rng_state()
    for _ in train:
        break
    assert torch.equal(torch.get_rng_state(), state)


def test_killed_in_an_epoch_and_resumed_in_another_process_equals_uninterrupted(data_dir, tmp_path):
    whole = run(tmp_path / "whole.pt", data_dir, 4)
    stopped = run(tmp_path / "stopped.pt", data_dir, 4, pause=0.05)
    for line in stopped.stdout:
        if line == "training 3\n":
            break
    time.sleep(0.3)  # of the 0.8 seconds that the pauses of 16 batches take
    stopped.kill()  # SIGKILL, and TerminateProcess on Windows
    assert "saved 3" not in stopped.communicate()[0]
    assert stopped.returncode != 0
    assert read_checkpoint(tmp_path / "stopped.pt")["epoch"] == 2

    finish(run(tmp_path / "stopped.pt", data_dir, 4))
    finish(whole)
    ours, theirs = read_checkpoint(tmp_path / "stopped.pt"), read_checkpoint(tmp_path / "whole.pt")
    assert ours["epoch"] == theirs["epoch"] == 4
    assert len(ours["history"]["train_losses"]) == 64
    assert same(ours, theirs)


def test_killed_while_saving_leaves_a_readable_file(tmp_path):
    path = tmp_path / "run.pt"
    for attempt in range(3):
        process = subprocess.Popen([sys.executable, "-c", SAVE, path], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "saved\n"
        time.sleep(0.0137 * (attempt + 1))
        process.kill()
        process.communicate()
        saved = read_checkpoint(path)
        assert saved["model"]["fc2.bias"].tolist() == [saved["epoch"]] * 10
    assert {part.suffix for part in tmp_path.iterdir()} <= {".pt", ".part"}


def test_without_an_optimizer_the_weights_alone_are_loaded(checkpoint):
    path, network, _ = checkpoint
    other, _ = start(seed=7)
    state = torch.get_rng_state()
    load_checkpoint(path, other)
    assert same(other.state_dict(), network.state_dict())
    assert torch.equal(torch.get_rng_state(), state)


def test_the_saved_learning_rate_comes_back(checkpoint):
    path, _, _ = checkpoint
    network, _ = start()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5, momentum=0.5)
    load_checkpoint(path, network, optimizer)
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_a_missing_file_or_a_folder(tmp_path):
    refused(tmp_path / "none.pt", None, fragment="there is no such file")
    refused(tmp_path, None, fragment="this is a folder")


@pytest.mark.parametrize("kept", [0, 1, 100, 50_000, -1000, -1])
def test_a_file_cut_short(checkpoint, kept):
    path, *_ = checkpoint
    path.write_bytes(path.read_bytes()[:kept])
    there = path.stat().st_size
    refused(path, None, fragment=f": cut short or damaged, {there:,} bytes are there; use an earlier")


def test_a_text_file_and_another_archive(tmp_path):
    (tmp_path / "text.pt").write_text("These are my weights.\n" * 1000)
    refused(tmp_path / "text.pt", None, fragment="cut short or damaged")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("notes.txt", "nothing to load")
    refused(tmp_path / "other.zip", None, fragment="cannot be read by PyTorch")


def test_a_flipped_bit_is_noticed_or_harmless(checkpoint):
    """In the weights, and in the list of parts, where zipfile and torch read differently."""
    path, *_ = checkpoint
    raw, saved = path.read_bytes(), read_checkpoint(path)
    # The middle of the weights, then each byte of the list of parts in turn with one bit, a prime apart.
    begin = zipfile.ZipFile(path).start_dir
    bits = [8 * (len(raw) // 2), *range(3, 8 * begin, 98_689), *range(8 * begin, 8 * len(raw), 37)]
    noticed = 0
    for bit in bits:
        damaged = bytearray(raw)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            loaded = read_checkpoint(path)
        except CheckpointError:
            noticed += 1
        else:
            assert same(loaded, saved), f"bit {bit} changed what was loaded"
    assert noticed > len(bits) / 2


def test_the_bit_that_torch_takes_for_a_folder(checkpoint):
    path, *_ = checkpoint
    raw = bytearray(path.read_bytes())
    entry = raw.index(b"PK\x01\x02", zipfile.ZipFile(path).start_dir)
    entry = raw.index(b"archive/data/0", entry) - 46  # the name follows the 46 bytes of its entry
    raw[entry + 38] ^= 0x10  # external attributes
    path.write_bytes(raw)
    refused(path, None, fragment=": damaged (a part of it is marked as a folder); use an earlier")


def test_a_flipped_weight_is_refused_before_anything_changes(checkpoint):
    path, network, _ = checkpoint
    raw = bytearray(path.read_bytes())
    raw[raw.index(network.fc1.weight.detach().numpy().tobytes()) + 3] ^= 0x40
    path.write_bytes(raw)
    assert not same(torch.load(path, weights_only=True)["model"], dict(network.state_dict())), (
        "torch noticed nothing"
    )
    refused(path, None, fragment=": damaged (a checksum in it is wrong); use an earlier")


def rewritten(path, change):
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


CHANGES = {
    "newer format": (lambda c: c.update(format=3), "has format 3"),
    "newer format, other keys": (lambda c: (c.update(format=3), c.pop("history")), "has format 3"),
    "no format": (lambda c: c.pop("format"), "is not a checkpoint of save_checkpoint"),
    "no random state": (lambda c: c.pop("random"), "without ['random']"),
    "a weight missing": (lambda c: c["model"].pop("fc1.bias"), "fc1.bias is missing"),
    "a weight too many": (lambda c: c["model"].update(fc3=torch.zeros(2)), "fc3 is not in this network"),
    "another shape": (
        lambda c: c["model"].update({"fc1.bias": torch.zeros(51)}),
        "fc1.bias is torch.float32 (51,), not torch.float32 (50,)",
    ),
    "another type": (
        lambda c: c["model"].update({"fc1.bias": torch.zeros(50).double()}),
        "torch.float64 (50,)",
    ),
    "not a tensor": (lambda c: c["model"].update({"fc1.bias": [0.0] * 50}), "fc1.bias is missing"),
    "no weights": (lambda c: c.update(model=None), "conv1.bias is missing"),
    "NaN": (lambda c: c["model"]["conv1.bias"].fill_(float("nan")), "conv1.bias holds NaN"),
    "a momentum buffer of another shape": (
        lambda c: c["optimizer"]["state"][5].update(momentum_buffer=torch.zeros(49)),
        "momentum_buffer 5 is (49,), not (50,)",
    ),
    "no optimizer": (lambda c: c.update(optimizer=None), "its optimizer or random state does not fit"),
    "a broken optimizer": (
        lambda c: c["optimizer"].pop("state"),
        "its optimizer or random state does not fit",
    ),
    "fewer tensors": (lambda c: c["optimizer"]["param_groups"][0].update(params=[0, 1]), "2 tensors, not 8"),
    "a broken random state": (
        lambda c: c["random"].update(cpu=torch.zeros(10, dtype=torch.uint8)),
        "its optimizer or random state does not fit",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_does_not_fit(checkpoint, change):
    path, *_ = checkpoint
    how, fragment = CHANGES[change]
    rewritten(path, how)
    refused(path, None, fragment=fragment)


def test_a_list_and_bare_weights(tmp_path):
    network, _ = start()
    torch.save([1, 2, 3], tmp_path / "list.pt")
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    for name in ("list.pt", "weights.pt"):
        refused(tmp_path / name, None, fragment="is not a checkpoint of save_checkpoint")


class OtherNet(nn.Module):
    """Two layers that share one name with Net."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 50)
        self.fc2 = nn.Linear(50, 10)


def test_another_architecture(checkpoint):
    path, *_ = checkpoint
    network = OtherNet()
    text = refused(
        path, network, torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.5), "does not fit"
    )
    assert "conv1.weight is not in this network" in text
    assert "fc1.weight is torch.float32 (50, 320), not torch.float32 (50, 784)" in text


@pytest.mark.parametrize(("saved", "here"), [("SGD", "Adam"), ("Adam", "SGD")])
def test_another_kind_of_optimizer(saved, here, tmp_path):
    network, optimizer = start(saved)
    save_checkpoint(tmp_path / "run.pt", network, optimizer, epoch=0)
    refused(tmp_path / "run.pt", *start(here, seed=7), fragment="another kind of optimizer")


def test_an_optimizer_over_another_network(checkpoint):
    """The fault of the tutorial that lesson 6 shows."""
    path, old_network, _ = checkpoint
    network = Net()
    optimizer = OPTIMIZERS["SGD"](old_network.parameters())
    refused(path, network, optimizer, fragment="0 of this network's 8 parameter tensors", error=ValueError)


class Harmful:
    """Rebuilding it creates a file."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (self.target, "w")


@pytest.mark.parametrize("variable", [None, "1"])
def test_a_file_cannot_run_a_program(checkpoint, tmp_path, monkeypatch, variable):
    path, *_ = checkpoint
    harm = tmp_path / "harm"
    content = torch.load(path, weights_only=True)
    content["history"] = Harmful(str(harm))
    torch.save(content, path)
    if variable:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", variable)
    refused(path, None, fragment="holds more than plain values")
    assert not harm.exists()
    torch.load(path, weights_only=False)["history"].close()
    assert harm.exists(), "the file was not harmful, and this test shows nothing"


def test_what_is_saved_is_plain(checkpoint):
    path, network, optimizer = checkpoint
    content = read_checkpoint(path)
    assert list(content) == ["format", "epoch", "step", "model", "optimizer", "random", "history"]
    assert content["format"] == 2
    assert content["step"] == 0
    assert type(content["history"]) is dict
    assert content["history"].keys() == asdict(History()).keys()
    assert all(type(loss) is float for loss in content["history"]["train_losses"])
    assert same(dict(content["model"]), dict(network.state_dict()))
    assert same(content["optimizer"], optimizer.state_dict())


def test_a_file_of_the_first_format_still_loads(checkpoint):
    """It had no step, because it was saved at the end of an epoch."""
    path, network, _ = checkpoint
    rewritten(path, lambda c: (c.update(format=1), c.pop("step")))
    other, optimizer = start()
    assert load_checkpoint(path, other, optimizer)["step"] == 0
    assert same(dict(other.state_dict()), dict(network.state_dict()))


def test_stopped_in_mid_epoch_and_resumed_equals_uninterrupted(tmp_path, data_dir):
    """Dropout, momentum, the order of the images and the history go on from batch 7 of epoch 2."""
    loaders = make_loaders(validation_size=59_000, data_dir=data_dir)

    class Stop(Exception):
        pass

    def train(network, optimizer, *, stop_at=None, **options):
        done = []

        def after_step(optimizer, args, kwargs):
            done.append(1)
            if len(done) == stop_at:
                save_checkpoint(tmp_path / "mid.pt", network, optimizer, epoch=1, step=7, history=history)
                raise Stop

        hook = optimizer.register_step_post_hook(after_step)
        history = options.pop("history", None) or History()
        for epoch in range(options.get("first_epoch", 1), 4):
            train_epoch(
                network,
                loaders.train,
                optimizer,
                epoch=epoch,
                first_step=options.pop("first_step", 0),
                history=history,
                log_interval=3,
                progress=False,
            )
        hook.remove()
        return history

    whole, whole_optimizer = start()
    expected = train(whole, whole_optimizer)

    stopped, stopped_optimizer = start()
    with pytest.raises(Stop):
        train(stopped, stopped_optimizer, stop_at=16 + 7)
    torch.manual_seed(99)
    resumed, optimizer = start()
    content = load_checkpoint(tmp_path / "mid.pt", resumed, optimizer)
    assert (content["epoch"], content["step"]) == (1, 7)
    history = train(resumed, optimizer, first_epoch=2, first_step=7, history=History(**content["history"]))
    assert same(dict(resumed.state_dict()), dict(whole.state_dict()))
    assert history == expected


@pytest.mark.parametrize("step", [-1, 1.5, True, "1"])
def test_a_step_that_is_none_is_refused(tmp_path, step):
    network, optimizer = start()
    with pytest.raises(ValueError, match=r"^step is "):
        save_checkpoint(tmp_path / "run.pt", network, optimizer, epoch=0, step=step)


@pytest.mark.parametrize("epoch", [-1, 1.5, True, "1"])
def test_an_epoch_that_is_none_is_refused(tmp_path, epoch):
    network, optimizer = start()
    with pytest.raises(ValueError, match=r"^epoch is "):
        save_checkpoint(tmp_path / "run.pt", network, optimizer, epoch=epoch)
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_saved(checkpoint):
    path, network, optimizer = checkpoint
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"not saved .*what stood there is unchanged"):
        save_checkpoint(path / "below_a_file.pt", network, optimizer, epoch=2)
    assert path.read_bytes() == before
    (path.parent / "folder.pt" / "full").mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"not saved"):
        save_checkpoint(path.parent / "folder.pt", network, optimizer, epoch=2)
    assert {entry.name for entry in path.parent.iterdir()} == {"run.pt", "folder.pt"}, (
        "a temporary file was left"
    )


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="this system has no limit on the size of files")
def test_a_file_that_may_not_grow(checkpoint):
    path, *_ = checkpoint
    before = path.read_bytes()
    result = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, timeout=60
    )
    assert result.stdout.count("not saved") == 3, result.stderr
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["run.pt"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")
def test_a_file_from_a_gpu_loads_on_the_cpu(tmp_path):
    network = Net().cuda()
    optimizer = OPTIMIZERS["SGD"](network.parameters())
    save_checkpoint(tmp_path / "gpu.pt", network, optimizer, epoch=0)
    other, optimizer = start(seed=7)
    load_checkpoint(tmp_path / "gpu.pt", other, optimizer)
    assert same(dict(other.state_dict()), {name: value.cpu() for name, value in network.state_dict().items()})
