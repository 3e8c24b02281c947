"""Small runs to save, stop, resume and damage, on digits made for them, and files made to do harm."""

import io
import json
import os
import pickle
import signal
import struct
import subprocess
import time
import zipfile
import zlib
from contextlib import contextmanager
from functools import partial

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from mnist_helpers import CheckpointError, History, load_checkpoint, save_checkpoint, set_seed
from mnist_helpers.data import Digits, Loaders, _in_order, _shuffled
from mnist_helpers.running.resuming import fit_and_save
from mnist_helpers.running.signals import Interrupted

IMAGES, BATCH, BATCHES = 250, 16, 16  # of an epoch; its last batch has 10 images


def made_digits(count=IMAGES) -> Digits:
    """Noise with a bright row for each label, which a network learns to read at once."""
    chance = torch.Generator().manual_seed(0)
    images = torch.randint(0, 100, (count, 28, 28), generator=chance, dtype=torch.uint8)
    labels = torch.randint(0, 10, (count,), generator=chance)
    images[torch.arange(count), 2 * labels + 4] = 255
    return Digits(images, labels)


def loaders_of(count=IMAGES, batch_size=BATCH, seed=1) -> Loaders:
    """Loaders as make_loaders returns them, of made digits."""
    return Loaders(_shuffled(made_digits(count), batch_size, seed), None, _in_order(made_digits(100), 50))


class Small(nn.Sequential):
    """Some of all that a resume can forget: dropout, and the statistics of batch norm."""

    def __init__(self):
        layers = nn.Conv2d(1, 4, 5), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Dropout()
        super().__init__(*layers, nn.Linear(144, 10))


OPTIMIZERS = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.5),
    "Adam": lambda parameters: torch.optim.Adam(parameters, lr=0.001),
}


def start(name="SGD", seed=1, network=Small):
    """Return a new network and its optimizer."""
    set_seed(seed)
    network = network()
    return network, OPTIMIZERS[name](network.parameters())


def run(path, *, epochs=2, optimizer="SGD", network=Small, seed=1, schedule=None, stop_at=None, **options):
    """Build everything anew, as a new process does, and train; return network, optimizer and history.

    ``network`` and ``schedule`` are called, ``optimizer`` too if it is no name; Ctrl-C comes in the batch
    ``stop_at``, from 1. ``options`` are those of fit_and_save, and ``loaders``.
    """
    set_seed(seed)
    network, loaders = network(), options.pop("loaders", None) or loaders_of()
    optimizer = OPTIMIZERS.get(optimizer, optimizer)(network.parameters())
    scheduler = schedule and schedule(optimizer)
    with ctrl_c(network, stop_at):
        history = fit_and_save(
            path, network, loaders, optimizer, epochs=epochs, scheduler=scheduler, **options
        )
        return network, optimizer, history


@contextmanager
def ctrl_c(network, batch):
    """Send this process Ctrl-C in a batch of a training, and demand that it stops; None: do not."""
    if batch is None:
        yield
        return
    batches = []

    def count(layer, given):
        batches.append(layer.training)
        if layer.training and sum(batches) == batch:
            signal.raise_signal(signal.SIGINT)

    network.register_forward_pre_hook(count)
    # A test run in the background has Ctrl-C ignored, and a training in it would rightly ignore it too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(Interrupted, match="run the same again"):
            yield
    finally:
        signal.signal(signal.SIGINT, before)


def same(one, other) -> bool:
    """Whether two nested values are equal, tensors bit for bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        equal = isinstance(other, dict) and list(one) == list(other)
        return equal and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def everything(network, optimizer, loaders=None) -> dict:
    """A copy of all that a load may change."""
    state = {"model": dict(network.state_dict()), "optimizer": optimizer.state_dict()}
    state |= {"random": torch.get_rng_state(), "sampler": loaders and loaders.train.sampler.state_dict()}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def refused(path, *fragments, parts=None, error=CheckpointError, scheduler=None) -> str:
    """Load ``path``, and train on from it: one line with the fragments, and nothing changed. Return the line.

    ``parts`` are network, optimizer and loaders. Without a file, or with a scheduler, the second alone.
    """
    network, optimizer, loaders = parts or (*start(seed=7), loaders_of())
    before = everything(network, optimizer, loaders)
    content = path.read_bytes() if path.is_file() else None
    uses = [lambda: fit_and_save(path, network, loaders, optimizer, epochs=2, scheduler=scheduler)]
    if path.exists() and scheduler is None:
        uses.append(lambda: load_checkpoint(path, network, optimizer, loaders))
    for use in uses:
        with pytest.raises(error) as caught:
            use()
        text = str(caught.value)
        assert not [part for part in fragments if part not in text], text
        assert len(text.splitlines()) == 1
        assert text.startswith(f"{path}: ") or error is not CheckpointError, text
        assert same(everything(network, optimizer, loaders), before), "a refused file has changed something"
        assert content == (path.read_bytes() if path.is_file() else None)
    return text


# Files that are damaged, or that somebody made


def cut(size):
    """Return a change of a file: it is cut short to this size; a negative one is cut from its end."""
    return lambda path: path.write_bytes(path.read_bytes()[:size])


def rewritten(path, change):
    """Change the content of a checkpoint."""
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


def having(*keys, **values):
    """Return a change of a checkpoint: what stands under these keys gets other values, and loses ``...``."""

    def update(content):
        for key in keys:
            content = content[key]
        for name, value in values.items():
            content[name] = value
            if value is ...:
                del content[name]

    return lambda path: rewritten(path, update)


def rezip(path, change=lambda parts: parts.items(), compression=zipfile.ZIP_STORED):
    """Rewrite an archive; ``change`` turns its parts, a dict, into pairs of a name and bytes."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in change(parts):
            archive.writestr(name, data)


def zipped(name, data):
    """Return a change of a file: it becomes an archive with one part."""
    return lambda path: rezip(path, lambda parts: [(name, data)])


class Harmful:
    """Rebuilding it calls something with a value, such as ``open`` or ``bytearray``."""

    def __init__(self, call, *values):
        self.call, self.values = call, values

    def __reduce__(self):
        return self.call, self.values


def claiming(dtype=torch.float32):
    """A tensor of one number that says it is 2 · 10⁹: each step from one to the next is of length 0."""
    return torch.zeros(1, dtype=dtype).expand(2_000_000_000)


def longer(path):
    """A tensor says, as its storage does, that it has 10⁹ numbers."""
    having("model", more=torch.zeros(123_457))(path)
    few, many = (struct.pack("<i", count) for count in (123_457, 10**9))
    rezip(path, lambda parts: [(name, data.replace(few, many)) for name, data in parts.items()])


def compressed(path):
    """120 MB of zeros are 120 kB in the file."""
    having(more=torch.zeros(30_000_000))(path)
    rezip(path, compression=zipfile.ZIP_DEFLATED)


BOMB = pickle.dumps({"format": 4, "history": Harmful(bytearray, 2_000_000_000)}, 2)
PICKLE, CAPITALS = "archive/data.pkl", "archive/DATA.PKL"  # torch takes either
# Ways to put the bomb into an archive, which zipfile and torch may read differently.
BOMBS = {
    "2 GB, then no pickle any more": lambda parts: (parts | {PICKLE: BOMB[:-1] + b"\xff."}).items(),
    "2 GB, in capitals": lambda parts: [
        (CAPITALS, BOMB),
        ("archive/x.pkl", parts.pop(PICKLE)),
        *parts.items(),
    ],
    "2 GB, in capitals beside it": lambda parts: [*parts.items(), (CAPITALS, BOMB)],
    "2 GB, under the same name": lambda parts: [(PICKLE, BOMB), *parts.items()],
}
# Changes of a checkpoint after which a tensor, or the pickle, claims more than the file holds.
CLAIMING = {
    "a weight": having("model", **{"6.bias": claiming()}),
    "a weight that is not in the network": having("model", more=claiming()),
    "a momentum buffer": having("optimizer", "state", 0, momentum_buffer=claiming()),
    "a list in the optimizer": having("optimizer", "state", 0, momentum_buffer=[claiming(torch.float64)]),
    "a state of no tensor of the network": having("optimizer", "state", x={"y": claiming()}),
    "a learning rate": having("optimizer", "param_groups", 0, lr=claiming()),
    "the groups of the optimizer": having("optimizer", param_groups=claiming()),
    "the random state": having("random", cpu=claiming(torch.uint8)),
    "the random state of a GPU": having("random", cuda=[claiming(torch.uint8)]),
    "the random states of the GPUs": having("random", cuda=claiming()),
    "the place in the data": having("sampler", taken=claiming()),
    "the history": having(history={"train_losses": claiming()}),
    "bytes": having(history=Harmful(bytearray, 2_000_000_000)),
    "a tensor that is not filled": having("model", more=Harmful(torch.FloatTensor, 2_000_000_000)),
    "a part that is longer than it is": longer,
    "a part that is compressed": compressed,
    **{name: partial(rezip, change=change) for name, change in BOMBS.items()},
}


# What tests call in processes of their own (see programs.py)

KINDS = {
    "SGD with momentum": {"optimizer": lambda parameters: torch.optim.SGD(parameters, 0.05, momentum=0.9)},
    "Adam with a schedule": {
        "optimizer": "Adam",
        "schedule": lambda optimizer: OneCycleLR(optimizer, max_lr=0.01, total_steps=4 * BATCHES),
    },
}


SMALL_DISK = ("mount", "-t", "tmpfs", "-o", "size=1m", "none")  # in memory; to be mounted on a folder


def train(kind, path) -> None:
    """Train four epochs, and print a checksum of each batch's pixels, by which it is known again."""

    def note(layer, given):
        if layer.training:
            print("batch", zlib.crc32(given[0].numpy().tobytes()), flush=True)

    def noted():
        network = Small()
        network.register_forward_pre_hook(note)
        return network

    run(path, epochs=4, network=noted, save_every=3, **KINDS[kind])
    print("complete", flush=True)


def save_for_ever(path) -> None:
    """Save again and again; the history's ``seen`` and the biases tell one saving from another."""
    network, optimizer = start(network=lambda: nn.Linear(200, 200))
    loaders = loaders_of(1)
    for number in range(1, 1_000_000):
        with torch.no_grad():
            network.bias.fill_(number)
        save_checkpoint(path, network, optimizer, loaders, History(seen=number))
        if number == 1:
            print("saved", flush=True)


def save_without_room(path, kind) -> None:
    """Save, be refused three times for want of room, and save again; print the refusals as JSON."""
    if kind == "disk":  # which no other process sees
        subprocess.run([*SMALL_DISK, path.parent], check=True)
    else:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    room = {"disk": full_disk, "file": small_files}[kind]
    parts, said = (*start(), loaders_of()), []
    save_checkpoint(path, *parts, History(seen=1))
    before = path.read_bytes()
    for free in (0, 4096, 8192):
        with room(path, free), pytest.raises(CheckpointError) as caught:
            save_checkpoint(path, *parts, History(seen=9))
        said.append(str(caught.value))
        assert path.read_bytes() == before
        assert os.listdir(path.parent) == [path.name]
    assert load_checkpoint(path, *parts)["history"]["seen"] == 1
    save_checkpoint(path, *parts, History(seen=2))
    assert load_checkpoint(path, *parts)["history"]["seen"] == 2
    assert os.listdir(path.parent) == [path.name]
    print(json.dumps(said))


@contextmanager
def full_disk(path, free):
    """Fill the disk until ``free`` bytes are left."""
    filler = path.with_name("filler")
    with open(filler, "wb", buffering=0) as file:
        space = os.statvfs(path.parent)
        file.write(bytes(space.f_bavail * space.f_frsize - free))
    yield
    filler.unlink()


@contextmanager
def small_files(path, size):
    """Let no file grow beyond ``size`` bytes."""
    import resource  # Windows has none

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def measure_loads(*paths) -> None:
    """Load each file; print the seconds, the growth of the most memory ever used, and what came of it."""
    import resource

    parts = (*start(), loaders_of())
    for path in paths:
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        try:
            load_checkpoint(path, *parts)
            said = "loaded"
        except CheckpointError as error:
            said = str(error)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(json.dumps([round(time.perf_counter() - began, 3), grown, said]), flush=True)
